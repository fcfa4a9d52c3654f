# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The sheet on which a body writes down what it decided, id by id; JSON-able, since it leaves the node.

Decides nothing about verdicts (``local`` does): it records checks, what could not be reached and how the body ended.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection
from typing import Any

from kfabric.api import Errno, FabricError

from .journal import note

Codes = Errno | Collection[Errno] | None
"""Accepted error codes; None: any."""


class CheckFailed(AssertionError):
    """A check that the rest of the body depends on did not hold."""


class Bound(Exception):
    """A wait met its bound: nothing is decided by that."""


def codes_of(codes: Codes) -> frozenset[int] | None:
    """Error numbers that are accepted; None for any."""
    if codes is None:
        return None
    return frozenset({int(codes)} if isinstance(codes, Errno) else map(int, codes))


def codes_text(codes: Codes) -> str:
    """For readers."""
    wanted = codes_of(codes)
    if wanted is None:
        return "an error"
    return " or ".join(FabricError(code, "").name for code in sorted(wanted))


class Sheet:
    """Checks of one body. ``named`` are the case's ids, ``applicable`` those that apply in this configuration."""

    def __init__(self, named: Collection[str], applicable: Collection[str]) -> None:
        self.named = frozenset(named)
        self.applicable = frozenset(applicable)
        self.checks: list[dict[str, Any]] = []
        self._held: dict[str, bool] = {}
        self._stakes: tuple[str, ...] = ()
        self.open: list[dict[str, str]] = []
        self.untried: list[dict[str, str]] = []
        self.ended: dict[str, Any] = {"how": "done"}
        self.spoilt = False

    def _known(self, requirement: str) -> None:
        if requirement not in self.named:
            raise LookupError(f"the case checks {requirement} but does not name it")

    def record(self, requirement: str, ok: bool, sentence: str, seen: object, wanted: object) -> bool:
        """Write down a check; returns whether it held."""
        self._known(requirement)
        entry: dict[str, Any] = {"id": requirement, "ok": bool(ok), "sentence": sentence}
        if seen is not None:
            entry["seen"] = _text(seen)
        if wanted is not None:
            entry["wanted"] = _text(wanted)
        self.checks.append(entry)
        self._held[requirement] = self._held.get(requirement, True) and bool(ok)
        note(checks=self._held)
        if not ok:
            note(broke=entry)
        return bool(ok)

    def inconclusive(self, requirement: str, why: str) -> None:
        """Write down that the requirement could not be put to the test."""
        self._known(requirement)
        self.open.append({"id": requirement, "why": why})
        note(open=requirement, why=why)

    def unreached(self, requirement: str, why: str) -> None:
        """Write down why nothing was tried."""
        self._known(requirement)
        self.untried.append({"id": requirement, "why": why})
        note(unreached=requirement, why=why)

    def trying(self, requirements: Collection[str]) -> tuple[str, ...]:
        """Write down which ids are at stake from now on; returns those that were before."""
        for requirement in requirements:
            self._known(requirement)
        before = self._stakes
        if requirements or before:
            note(at=list(requirements))
        self._stakes = tuple(requirements)
        return before

    @property
    def failed(self) -> bool:
        """A check did not hold."""
        return any(not check["ok"] for check in self.checks)

    def run(self, body: Callable[[], object]) -> None:
        """Run the body and write down how it ended; only KeyboardInterrupt and the like get through."""
        note(begin=True)
        try:
            body()
        except CheckFailed as error:
            self.ended = {"how": "check", "text": str(error)}
        except FabricError as error:
            self.ended = {"how": "refused", "text": str(error), "call": error.call, "code": error.name}
            self.ended["trace"] = _trace(error)
        except Bound as error:
            self.ended = {"how": "bound", "text": str(error)}
        except Exception as error:
            how = "follow-up" if self.failed and not isinstance(error, LookupError) else "error"
            self.ended = {"how": how, "text": f"{type(error).__name__}: {error}", "trace": _trace(error)}

    def result(self) -> dict[str, Any]:
        """The sheet as plain data."""
        return {
            "checks": self.checks,
            "open": self.open,
            "unreached": self.untried,
            "ended": self.ended,
            "spoilt": self.spoilt,
        }


def _text(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 400 else f"{text[:400]}... ({len(text)} characters)"


def _trace(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return "".join(traceback.format_list(frames[-6:])).rstrip()
