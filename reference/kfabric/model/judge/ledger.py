# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What was found so far: for each requirement how often it held, why it broke, why it stayed open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..history import Event
from ..verdict import Explanation, Finding, Judgement
from .rules import KNOWN


def places(events: Iterable[Event | None]) -> tuple[tuple[str, int], ...]:
    """(node, seq) of events, each once, in order of node and time."""
    return tuple(sorted({(event.node, event.seq) for event in events if event is not None}))


class Ledger:
    """Findings by requirement id. The first explanation of a breach is kept: rules report the plainest case first."""

    def __init__(self) -> None:
        self._kept: dict[str, int] = {}
        self._broken: dict[str, Explanation] = {}
        self._open: dict[str, Explanation] = {}

    def kept(self, *requirements: str, weight: int = 1) -> None:
        """They applied and held."""
        for name in requirements:
            self._kept[name] = self._kept.get(name, 0) + weight

    def broken(
        self,
        requirements: Iterable[str],
        let: Sequence[str],
        then: str,
        however: str,
        events: Iterable[Event | None] = (),
    ) -> None:
        """They applied and did not hold."""
        explanation = Explanation(tuple(let), then, however, places(events))
        for name in requirements:
            self._broken.setdefault(name, explanation)

    def open(
        self,
        requirements: Iterable[str],
        let: Sequence[str],
        then: str,
        however: str,
        events: Iterable[Event | None] = (),
    ) -> None:
        """They applied, and the evidence does not decide."""
        explanation = Explanation(tuple(let), then, however, places(events))
        for name in requirements:
            self._open.setdefault(name, explanation)

    def judgements(self) -> list[Judgement]:
        """One BROKEN per id that broke; else what was kept and what stayed open, both where there was both."""
        result: list[Judgement] = []
        for name in sorted(self._kept.keys() | self._broken.keys() | self._open.keys()):
            if name not in KNOWN:
                raise LookupError(f"no rule decides {name}")
            if name in self._broken:
                result.append(Judgement(name, Finding.BROKEN, self._broken[name], self._kept.get(name, 0) + 1))
                continue
            if name in self._kept:
                result.append(Judgement(name, Finding.KEPT, None, self._kept[name]))
            if name in self._open:
                result.append(Judgement(name, Finding.OPEN, self._open[name]))
        return result
