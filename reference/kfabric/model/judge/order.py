# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Which events certainly happened before which: a partial order, never a clock.

A node's events are ordered as its application saw them; a call of one thread lies between the thread's last event
before it (``begin``) and the event that records its return. Between nodes there are only edges that something tells:
barriers, and completions that cannot be seen before their cause. What is not ordered here may have happened either way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..history import AnyEvent, Content, Did, Died, Event, History, Observed, Passed, Posted, Waited
from ..program import Load, Program

Point = tuple[int, int]
"""(number of the node, position among its events); position -1 is before everything."""


class Order:
    """The events of a History by node and thread, and the happens-before relation over them."""

    def __init__(self, program: Program, history: History) -> None:
        names = dict.fromkeys(program.nodes)
        names.update(dict.fromkeys(event.node for event in history.events))
        self.nodes = {name: number for number, name in enumerate(names)}
        self.events: list[list[AnyEvent]] = [[] for _ in names]
        for event in history.events:
            self.events[self.nodes[event.node]].append(event)
        for events in self.events:
            events.sort(key=lambda event: event.seq)
        self._point = {
            (event.node, event.seq): (number, position)
            for number, events in enumerate(self.events)
            for position, event in enumerate(events)
        }
        self._begin: dict[str, Point] = {}
        self._threads(program)
        self._edges: dict[Point, list[Point]] = {}
        self._barriers()
        if history.finished and not any(isinstance(event, Died) for event in history.events):
            self._final()
        self.contradiction: bool
        """The events cannot have happened: one is before itself."""
        self._others: list[list[tuple[int, ...]]] = []
        self._clocks()

    # -- points ---------------------------------------------------------------------------------------------------

    def point(self, event: Event) -> Point:
        """Where an event stands."""
        return self._point[event.node, event.seq]

    def begin(self, step: str) -> Point:
        """The last point that is certainly before the call of ``step`` was entered."""
        return self._begin[step]

    def _threads(self, program: Program) -> None:
        thread_of: dict[str, tuple[int, int]] = {}
        loads: set[str] = set()
        for column, step in program.steps():
            thread_of[step.name] = (self.nodes[column.node], column.index)
            if isinstance(step, Load):
                loads.add(step.name)
        last: dict[tuple[int, int], int] = {}
        self._running: dict[int, int] = {}
        for events in self.events:
            for position, event in enumerate(events):
                if not isinstance(event, Posted | Did | Waited | Passed | Observed):
                    continue
                thread = thread_of.get(event.op)
                if thread is None or (isinstance(event, Observed) and event.op not in loads):
                    continue
                self._begin.setdefault(event.op, (thread[0], last.get(thread, -1)))
                last[thread] = position
                self._running[thread[0]] = position
        for name, thread in thread_of.items():
            self._begin.setdefault(name, (thread[0], last.get(thread, -1)))

    # -- edges ----------------------------------------------------------------------------------------------------

    def _barriers(self) -> None:
        passed: dict[int, list[Passed]] = {}
        for events in self.events:
            for event in events:
                if isinstance(event, Passed) and event.op in self._begin:
                    passed.setdefault(event.index, []).append(event)
        for group in passed.values():
            arrivals = [self._begin[event.op] for event in group]
            for event in group:
                self._edges.setdefault(self.point(event), []).extend(arrivals)

    def _final(self) -> None:
        """Contents are read after a last barrier of all nodes' steps; entries may be read until the very end."""
        ends: list[Point] = []
        firsts: list[Point] = []
        for number, events in enumerate(self.events):
            closing = next((at for at, event in enumerate(events) if isinstance(event, Content)), None)
            last = self._running.get(number, -1)
            ends.append((number, last))
            if closing is not None and last < closing:
                firsts.append((number, closing))
        for first in firsts:
            self._edges.setdefault(first, []).extend(ends)

    def learn(self, edges: Iterable[tuple[Point, Point]]) -> None:
        """Add edges (cause, effect) found later."""
        for cause, effect in edges:
            self._edges.setdefault(effect, []).append(cause)
        self._clocks()

    # -- the relation ---------------------------------------------------------------------------------------------

    def _clocks(self) -> None:
        """For every event, how many events of each other node are certainly not after it.

        A History that contradicts itself (a cycle) loses the edges that close the cycle: fewer certainties, none wrong.
        """
        count = len(self.events)
        zero = (0,) * count
        self._others = [[] for _ in range(count)]
        ready = [0] * count
        force = self.contradiction = False
        while any(ready[n] < len(self.events[n]) for n in range(count)):
            moved = False
            for n in range(count):
                moved = self._advance(n, ready, zero, force) or moved
                force = force and not moved
            force = not moved
            self.contradiction = self.contradiction or force

    def _advance(self, n: int, ready: list[int], zero: tuple[int, ...], force: bool) -> bool:
        mine = self._others[n]
        start = ready[n]
        clock = mine[-1] if mine else zero
        total = len(self.events[n])
        while ready[n] < total:
            causes = self._edges.get((n, ready[n]))
            if causes:
                known = [cause for cause in causes if cause[1] < ready[cause[0]] or cause[0] == n]
                if len(known) < len(causes) and not (force and ready[n] == start):
                    break
                clock = self._joined(clock, known, n)
                late = any(m == n and position > ready[n] for m, position in causes)
                self.contradiction = self.contradiction or late
            mine.append(clock)
            ready[n] += 1
        return ready[n] > start

    def _joined(self, clock: tuple[int, ...], causes: Sequence[Point], n: int) -> tuple[int, ...]:
        joined = list(clock)
        for m, position in causes:
            if m == n or position < 0:
                continue
            joined = [max(pair) for pair in zip(joined, self._others[m][position], strict=True)]
            joined[m] = max(joined[m], position + 1)
        return tuple(joined)

    def before(self, first: Point, second: Point) -> bool:
        """``first`` is certainly not after ``second``."""
        n, i = first
        m, j = second
        if i < 0:
            return True
        if j < 0:
            return False
        return i <= j if n == m else self._others[m][j][n] > i

    def starts_after(self, event: Event | None, step: str) -> bool:
        """The call of ``step`` was certainly entered after ``event``."""
        return event is not None and self.before(self.point(event), self._begin[step])


def threads_of(program: Program) -> Mapping[str, tuple[str, int]]:
    """Node and thread of every step."""
    return {step.name: (thread.node, thread.index) for thread, step in program.steps()}
