# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One case in one configuration: which ids it decides, and the tally from which its entries are made.

``road`` and ``local`` write into the tally while the case runs; ``entries`` turns it into marks when it has ended.
Knows neither pytest nor the engine.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from .ledger import Entry, Failure, Ledger
from .verdicts import NEVER, Mark, Verdict


@dataclass
class Tally:
    """What a running case found out so far."""

    case: str
    configuration: str
    named: tuple[str, ...]
    applicable: frozenset[str]
    """Of all requirements, those that apply in this configuration."""
    ledger: Ledger
    examples: int = 0
    weights: Counter[str] = field(default_factory=Counter)
    """How often each id held when it was put to the test."""
    failed: dict[str, str] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)
    unreached: dict[str, str] = field(default_factory=dict)
    """Why nothing could be tried."""
    errors: dict[str, str] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def deciding(self) -> tuple[str, ...]:
        """Named ids that apply here."""
        return tuple(name for name in self.named if name in self.applicable)

    @property
    def undecided(self) -> tuple[str, ...]:
        """Deciding ids about which nothing is known yet."""
        return tuple(name for name in self.deciding if name not in self.failed and not self.weights[name])

    def kept(self, requirement: str, weight: int = 1) -> None:
        """The requirement held."""
        self.weights[requirement] += max(1, weight)

    def fail(self, failure: Failure, why: str) -> None:
        """The requirement was broken; ignored where it does not apply."""
        if failure.requirement not in self.applicable or failure.requirement in self.failed:
            return
        self.failed[failure.requirement] = why
        self.ledger.fail(failure)

    def unsettled(self, requirement: str, why: str) -> None:
        """It applied and could not be decided; the first reason is kept."""
        self.open.setdefault(requirement, why)

    def error(self, why: str) -> None:
        """Ours went wrong: nothing this case says about undecided ids counts."""
        for requirement in self.deciding:
            if requirement not in self.failed:
                self.errors[requirement] = why

    def mark(self, requirement: str) -> Mark:
        """Sum up one id."""
        if requirement in self.failed:
            return Mark(Verdict.FAIL, self.failed[requirement])
        if requirement in self.errors:
            return Mark(Verdict.ERROR, self.errors[requirement])
        if self.weights[requirement]:
            return Mark(Verdict.PASS)
        if requirement in self.open:
            return Mark(Verdict.INCONCLUSIVE, self.open[requirement])
        if requirement in self.unreached:
            return Mark(Verdict.INCONCLUSIVE, self.unreached[requirement], exercised=False)
        return NEVER

    def entries(self) -> list[Entry]:
        """What goes into the ledger: the named ids, and others that this case happened to decide."""
        seconds = time.monotonic() - self.began
        others = {*self.weights, *self.failed, *self.open} - set(self.named)
        found = [*self.deciding, *sorted(name for name in others if name in self.applicable)]
        return [
            Entry(name, self.configuration, self.case, self.mark(name), self.examples, self.weights[name], seconds)
            for name in found
        ]
