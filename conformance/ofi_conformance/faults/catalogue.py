# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The catalogue of planted faults, as values: what each breaks and what the suite must say about it.

Read from ``catalogue.toml``; knows nothing of how a fault is made.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

FORMAT = 1
PLACES = frozenset({"", "msg", "tagged", "rma", "atomic", "cq", "cntr", "mr", "av", "ep", "eq", "cm", "info"})


class CatalogueError(ValueError):
    """The catalogue does not say what it should; the message names the fault."""


@dataclass(frozen=True)
class Entry:
    """One fault."""

    name: str
    breaks: str
    where: str
    must: tuple[str, ...]
    may: tuple[str, ...]
    target: str
    configuration: str
    examples: int = 0
    """Inputs per property; 0: the usual number."""

    @property
    def concerned(self) -> frozenset[str]:
        """Requirements whose verdict may differ from that on the unbroken provider."""
        return frozenset(self.must) | frozenset(self.may)


@cache
def catalogue() -> dict[str, Entry]:
    """Every fault by its name, in the order of the file."""
    return read(resources.files(__package__).joinpath("catalogue.toml").read_text(encoding="utf-8"))


def read(text: str) -> dict[str, Entry]:
    """Read a catalogue; raises ``CatalogueError``."""
    table = tomllib.loads(text)
    if table.get("format") != FORMAT:
        raise CatalogueError(f"this is not a catalogue of format {FORMAT}")
    usual = table["usual"]
    found: dict[str, Entry] = {}
    for plain in table["fault"]:
        name = plain.get("name", "?")
        fields = {"name", "breaks", "where", "must", "may", "target", "configuration", "examples"}
        if plain.keys() - fields or not {"name", "breaks", "where", "must", "may"} <= plain.keys():
            raise CatalogueError(f"fault {name}: its keys are {', '.join(plain)}")
        entry = Entry(**usual | plain | {"must": tuple(plain["must"]), "may": tuple(plain["may"])})
        if entry.where not in PLACES or name in found or set(entry.must) & set(entry.may):
            raise CatalogueError(f"fault {name}: unknown place, name used twice, or an id in both must and may")
        found[name] = entry
    return found
