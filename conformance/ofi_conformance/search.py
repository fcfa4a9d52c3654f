# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Searching for inputs that break requirements, with Hypothesis, and shrinking them; one key (a requirement) at a time.

Decides what is tried and what the smallest failing input of each key is; what is an input, how it is run and what it
breaks is the caller's business (``run``). Every failing trial is remembered with its record, so that a failure that
does not come again is kept as evidence instead of being called flaky. When a key has its smallest input the search
goes on with that key ignored. Examples live in a database per configuration, case and set of keys ignored: what
failed in an earlier run is tried first.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis.database import DirectoryBasedExampleDatabase, ExampleDatabase
from hypothesis.errors import HypothesisException, Unsatisfiable
from hypothesis.strategies import SearchStrategy

V = TypeVar("V")
R = TypeVar("R")


@dataclass(frozen=True)
class Plan:
    """How much to try. ``shrink_seconds`` ends shrinking, never the search for failures; it cannot change a verdict."""

    examples: int
    seed: int
    database: Path | None = None
    shrink_seconds: float = 15.0
    rounds: int = 8


@dataclass(frozen=True)
class Trial(Generic[V, R]):
    """One input that was run: what it broke, the caller's record of it, and how big it is."""

    value: V
    record: R
    broken: frozenset[str]
    size: tuple[int, int]
    fatal: bool = False
    """No more of this: going on would cost too much or tell too little."""


@dataclass
class Found(Generic[V, R]):
    """The smallest failing trial of a key."""

    key: str
    trial: Trial[V, R]
    stored: bool = False
    """It had been stored by an earlier run."""


@dataclass
class Search(Generic[V, R]):
    """A search under way: call ``found`` once."""

    strategy: SearchStrategy[V]
    run: Callable[[V], Trial[V, R]]
    plan: Plan
    ran: int = 0
    """Inputs tried, over all rounds."""
    _best: dict[str, Trial[V, R]] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)
    _fatal: bool = False

    def found(self) -> Iterator[Found[V, R]]:
        """Yield each key's smallest trial as soon as it is known."""
        for number in range(self.plan.rounds):
            hunt = _Hunt(self, number)
            hunt.go()
            if hunt.focus is None:
                break
            for key in sorted(self._best[hunt.focus].broken - self._done):
                self._done.add(key)
                yield Found(key, self._best[hunt.focus], hunt.stored)
            if self._fatal:
                break
        for key in sorted(self._best.keys() - self._done):
            self._done.add(key)
            yield Found(key, self._best[key])

    def trial(self, value: V) -> Trial[V, R]:
        """Run one input and remember what it broke."""
        trial = self.run(value)
        self.ran += 1
        self._fatal = self._fatal or trial.fatal
        for key in trial.broken:
            if key not in self._best or trial.size <= self._best[key].size:
                self._best[key] = trial
        return trial

    @property
    def done(self) -> frozenset[str]:
        """Keys that are not looked for any more."""
        return frozenset(self._done)


class _Broken(Exception):
    """Tells Hypothesis that an input is interesting."""


class _Hunt(Generic[V, R]):
    """One round: generate until something new breaks, then shrink that."""

    def __init__(self, search: Search[V, R], number: int) -> None:
        self.search = search
        self.number = number
        self.focus: str | None = None
        self.stored = False
        self._error: Exception | None = None
        self._until = 0.0
        self._calls = 0
        self._stored: _Stored | None = None

    def probe(self, value: V) -> None:
        if self._error is not None or (self.focus is not None and time.monotonic() > self._until):
            return
        if self.search._fatal and self.focus is not None:
            return
        self._calls += 1
        try:
            trial = self.search.trial(value)
        except Exception as error:
            self._error = error
            return
        new = sorted(trial.broken - self.search.done)
        if not new:
            return
        if self.focus is None:
            self.focus = new[0]
            self.stored = self._stored is not None and self._calls <= self._stored.known
            self._until = time.monotonic() + self.search.plan.shrink_seconds
        if self.focus in new:
            raise _Broken(self.focus)

    def go(self) -> None:
        plan = self.search.plan
        settings = hypothesis.settings(
            max_examples=max(1, plan.examples),
            database=self._database(),
            deadline=None,
            derandomize=False,
            print_blob=False,
            verbosity=Verbosity.quiet,
            report_multiple_bugs=False,
            phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        given = hypothesis.given(self.search.strategy)(self._function())
        # In this order: a seed alone would switch the database off.
        test = settings(hypothesis.seed(plan.seed * 1009 + self.number)(given))
        try:
            test()
        except _Broken:
            pass
        except Unsatisfiable:
            pass
        except (HypothesisException, ExceptionGroup):
            if self.focus is None and self._error is None:
                raise
        if self._error is not None:
            raise self._error

    def _function(self) -> Callable[[V], None]:
        def probe(value: V) -> None:
            self.probe(value)

        return probe

    def _database(self) -> _Stored | None:
        root = self.search.plan.database
        if root is None:
            return None
        ignored = hashlib.sha256("\n".join(sorted(self.search.done)).encode()).hexdigest()[:12]
        self._stored = _Stored(root / (f"after-{ignored}" if self.search.done else "first"))
        return self._stored


class _Stored(ExampleDatabase):
    """Examples in a directory, and how many of them were handed out."""

    def __init__(self, place: Path) -> None:
        super().__init__()
        self._inner = DirectoryBasedExampleDatabase(str(place))
        self.known = 0

    def fetch(self, key: bytes) -> Iterator[bytes]:
        """Examples under a key."""
        for value in self._inner.fetch(key):
            self.known += 1
            yield value

    def save(self, key: bytes, value: bytes) -> None:
        """Keep an example."""
        self._inner.save(key, value)

    def delete(self, key: bytes, value: bytes) -> None:
        """Forget an example."""
        self._inner.delete(key, value)
