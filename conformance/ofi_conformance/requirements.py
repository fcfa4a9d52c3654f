# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The requirements: what the specification exported, and which of them apply to a configuration.

Decides applicability (whom it binds, origin, version range, ``when``) before any case runs, from what the provider
advertises and never from an error number. Knows neither cases nor verdicts. The file is generated from the
specification; nothing here adds to it.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from kfabric.model.guarantees import Guarantees

from .conditions import Condition, parse

SCHEMA = 1
DATA = Path(__file__).parent / "data" / "requirements.json"


@dataclass(frozen=True)
class Requirement:
    """One normative sentence."""

    id: str
    title: str
    text: str
    level: str
    binds: str
    chapter: str
    document: str = "shared"
    when: Condition = field(default_factory=Condition)
    origin: str = ""
    since: tuple[int, int] = (0, 0)
    until: tuple[int, int] | None = None
    rationale: str = ""
    untested: str = ""
    """Why no test can decide it, where that is so."""

    @property
    def area(self) -> str:
        """``OFI-RMA`` of ``OFI-RMA-012``."""
        return self.id.rpartition("-")[0]

    @property
    def judged(self) -> bool:
        """Binds a provider: a provider can be held to it; the others tell the suite how to behave."""
        return self.binds == "provider"


@dataclass(frozen=True)
class Applicability:
    """Whether a requirement applies to a configuration, and if not, why. ``binding`` False: reported, not counted."""

    applies: bool
    why: str = ""
    binding: bool = True


class Requirements:
    """All requirements by id."""

    def __init__(self, items: Iterable[Requirement], spec_version: str = "") -> None:
        self._items = {item.id: item for item in items}
        self.spec_version = spec_version

    def __iter__(self) -> Iterator[Requirement]:
        return iter(self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __getitem__(self, name: str) -> Requirement:
        return self._items[name]

    @property
    def areas(self) -> tuple[str, ...]:
        """All areas, in order."""
        return tuple(dict.fromkeys(item.area for item in self))

    def suggest(self, name: str) -> str:
        """A sentence's tail: the nearest id or area, or nothing."""
        known = [*self._items, *self.areas]
        near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.6)
        return f"; did you mean {near[0]}?" if near else ""


def spoken_by(requirement: Requirement, backend: str) -> bool:
    """Whether the requirement's document is about this spelling at all."""
    return requirement.document != "kfabric" or backend == "kfabric"


def applicability(requirement: Requirement, guarantees: Guarantees, backend: str) -> Applicability:
    """Decide from the advertised attributes alone."""
    if not spoken_by(requirement, backend):
        return Applicability(False, f"of {requirement.document} only")
    version = guarantees.default.version
    if version < requirement.since:
        return Applicability(False, "since version {}.{}".format(*requirement.since))
    if requirement.until is not None and version > requirement.until:
        return Applicability(False, "until version {}.{}".format(*requirement.until))
    missing = requirement.when.missing(guarantees)
    if missing:
        return Applicability(False, f"needs {missing}")
    if requirement.origin.startswith("project") and backend == "libfabric":
        return Applicability(True, "of this project's own: informative for this provider", binding=False)
    return Applicability(True)


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor or 0)


def _range(text: str) -> tuple[tuple[int, int], tuple[int, int] | None]:
    """``1.11-``, ``1.9-1.20``, ``1.5`` (since) or nothing."""
    since, dash, until = text.replace("..", "-").partition("-")
    return (_version(since) if since.strip() else (0, 0)), (_version(until) if dash and until.strip() else None)


def _requirement(data: dict[str, Any]) -> Requirement:
    since, until = _range(data["versions"])
    plain = ("id", "title", "text", "level", "binds", "chapter", "document", "origin", "rationale", "untested")
    return Requirement(**{name: data[name] for name in plain}, when=parse(data["when"]), since=since, until=until)


def load(path: Path = DATA) -> Requirements:
    """Read the exported file."""
    data = json.loads(path.read_text(encoding="utf-8"))
    if data.get("schema") != SCHEMA:
        raise ValueError(f"{path}: schema {data.get('schema')}, this suite reads {SCHEMA}")
    return Requirements(map(_requirement, data["requirements"]), data["spec_version"])


@lru_cache(maxsize=1)
def all_requirements() -> Requirements:
    """The requirements this version of the suite was made with."""
    return load()
