# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Verdicts: what a row of the report says, how rows are summed up, and how a run ends.

Decides the order of verdicts, the fold and the exit codes; knows nothing of cases, providers or output.

Folding. Within one configuration every case that touched a requirement leaves a ``Mark``; the worst one wins, except
that a case that never exercised the requirement says nothing against another one that did. Over configurations the
same holds, and NOT-SUPPORTED counts only where nothing else was found: PASS in one configuration and NOT-SUPPORTED in
another is PASS of the requirement; the configurations stay visible underneath.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """Worst first."""

    FAIL = "FAIL"
    ERROR = "ERROR"
    INCONCLUSIVE = "INCONCLUSIVE"
    WAIVED = "WAIVED"
    NOT_SUPPORTED = "NOT-SUPPORTED"
    PASS = "PASS"

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return _RANK[self]


_RANK = {verdict: rank for rank, verdict in enumerate(Verdict)}


@dataclass(frozen=True)
class Mark:
    """A verdict with its reason. ``exercised`` False: nothing was put to the test, so nothing can be said."""

    verdict: Verdict
    why: str = ""
    exercised: bool = True


NEVER = Mark(Verdict.INCONCLUSIVE, "never exercised", exercised=False)
"""No case put the requirement to the test."""

_FOLD = (
    lambda mark: mark.verdict is Verdict.FAIL,
    lambda mark: mark.verdict is Verdict.ERROR,
    lambda mark: mark.verdict is Verdict.INCONCLUSIVE and mark.exercised,
    lambda mark: mark.verdict is Verdict.WAIVED,
    lambda mark: mark.verdict is Verdict.PASS,
    lambda mark: mark.verdict is Verdict.INCONCLUSIVE,
    lambda mark: mark.verdict is Verdict.NOT_SUPPORTED,
)
"""What decides, in this order; the first mark of the first class that is not empty gives the reason."""


def fold(marks: Iterable[Mark]) -> Mark:
    """Sum up marks of one requirement: over cases, or over configurations."""
    found = tuple(marks)
    for chosen in _FOLD:
        for mark in found:
            if chosen(mark):
                return mark
    return NEVER


class Exit(Enum):
    """How ``ofi-conform`` ends."""

    PASS = 0
    FAIL = 1
    INCONCLUSIVE = 2
    """Something stayed open under ``--strict``, or nothing was selected."""
    INTERRUPTED = 130
    USAGE = 254
    OURS = 255


def exit_code(verdicts: Iterable[Verdict], *, strict: bool = False, interrupted: bool = False) -> Exit:
    """The exit of a run by the verdicts of its rows. Our own errors are never hidden behind a provider's failures."""
    found = set(verdicts)
    if Verdict.ERROR in found:
        return Exit.OURS
    if interrupted:
        return Exit.INTERRUPTED
    if Verdict.FAIL in found:
        return Exit.FAIL
    if not found or (strict and Verdict.INCONCLUSIVE in found):
        return Exit.INCONCLUSIVE
    return Exit.PASS
