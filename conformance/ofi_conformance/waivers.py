# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Waivers: failures that somebody has answered for, with owner, reason and scope.

Reads TOML or JSON, checked against the published schema. A waiver turns FAIL into WAIVED, never anything else, only
within its scope and until its date; those that matched nothing are reported.
"""

from __future__ import annotations

import datetime
import fnmatch
import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

from .schemas import schema
from .verdicts import Mark, Verdict


class WaiverError(ValueError):
    """The file cannot be used: one sentence."""


@dataclass(frozen=True)
class Waiver:
    """One answered-for failure. ``target`` and ``configuration`` may hold ``*``."""

    requirement: str
    owner: str
    reason: str
    target: str = "*"
    configuration: str = "*"
    link: str = ""
    until: datetime.date | None = None

    def covers(self, requirement: str, target: str, configuration: str, today: datetime.date) -> bool:
        """Whether it applies here and now."""
        return (
            self.requirement == requirement
            and _match(target, self.target)
            and _match(configuration, self.configuration)
            and (self.until is None or today <= self.until)
        )


def _match(text: str, shape: str) -> bool:
    return fnmatch.fnmatchcase(text, shape.replace("[", "[[]"))


def _waiver(data: dict[str, Any]) -> Waiver:
    until = data.get("until")
    fields = {name: str(value) for name, value in data.items() if name != "until"}
    return Waiver(**fields, until=datetime.date.fromisoformat(str(until)) if until else None)


def load_waivers(path: Path) -> list[Waiver]:
    """Read a file; raises WaiverError."""
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise WaiverError(f"cannot read waivers {path}: {error.strerror}") from error
    except ValueError as error:
        raise WaiverError(f"{path} is not {'TOML' if path.suffix == '.toml' else 'JSON'}: {error}") from error
    plain = json.loads(json.dumps(data, default=str))
    try:
        jsonschema.validate(plain, schema("waivers"))
    except jsonschema.ValidationError as error:
        where = "/".join(map(str, error.absolute_path)) or "the file"
        raise WaiverError(f"{path}: {where}: {error.message}") from error
    return [_waiver(entry) for entry in plain["waivers"]]


class Waiving:
    """Applies waivers and remembers which were used."""

    def __init__(self, waivers: Iterable[Waiver], target: str, today: datetime.date) -> None:
        self.waivers = list(waivers)
        self.used: set[Waiver] = set()
        self._target = target
        self._today = today

    def apply(self, requirement: str, configuration: str, mark: Mark) -> Mark:
        """The mark, waived where somebody answered for it."""
        if mark.verdict is not Verdict.FAIL:
            return mark
        for waiver in self.waivers:
            if waiver.covers(requirement, self._target, configuration, self._today):
                self.used.add(waiver)
                return Mark(
                    Verdict.WAIVED, f"{waiver.owner}: {waiver.reason}" + (f" ({waiver.link})" if waiver.link else "")
                )
        return mark

    @property
    def unused(self) -> list[Waiver]:
        """Waivers that matched nothing: passed by now, misspelt or expired."""
        return [waiver for waiver in self.waivers if waiver not in self.used]
