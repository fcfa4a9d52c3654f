# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The shelf of litmus texts: Programs with the outcome that a requirement forbids, one file each.

The same text goes to the model, which says what is allowed under the guarantees it assumes, and to a provider, whose
History is judged under the guarantees that were opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kfabric.model.notation import parse
from kfabric.model.program import Program


@dataclass(frozen=True)
class Litmus:
    """One text of the shelf."""

    name: str
    program: Program

    @property
    def ids(self) -> tuple[str, ...]:
        """The requirements that its conditions name."""
        return tuple(dict.fromkeys(name for condition in self.program.conditions for name in condition.by))


def shelf(folder: Path) -> Iterator[Litmus]:
    """Every text of a folder, by name."""
    for path in sorted(folder.glob("*.litmus")):
        yield Litmus(path.stem, parse(path.read_text(encoding="utf-8")))


def ids(folder: Path) -> tuple[str, ...]:
    """The requirements that the shelf decides."""
    return tuple(sorted({name for one in shelf(folder) for name in one.ids}))
