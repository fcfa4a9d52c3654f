# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One element under atomic operations: an order, one after another, that gives what was seen.

An exact search over sets of operations done and the value they leave, bounded; past the bound the answer is that nobody
knows. Knows nothing of nodes, events or requirements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

BOUND = 20_000
"""States looked at before the search gives up."""


class Answer(Enum):
    """What the search found."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Item:
    """One operation on the element, or a look at it."""

    name: str
    apply: Callable[[bytes], bytes | None]
    result: bytes | None = None
    """The old value that it returned, where it was seen."""
    must: bool = True
    """It certainly took place before the end; otherwise it may not have."""
    twin: object = None
    """Items with equal twins do the same and are told apart by nothing."""


@dataclass(slots=True)
class Outcome:
    """The answer, and the order found."""

    answer: Answer
    path: tuple[str, ...] = ()


def search(start: bytes, items: list[Item], before: list[tuple[int, int]], final: bytes | None) -> Outcome:
    """Whether some order from ``start`` gives every result, and ``final`` at the end (None: not seen).

    ``before`` holds pairs (i, j): item i is done before item j is.
    """
    count = len(items)
    needs = [0] * count
    for first, second in before:
        needs[second] |= 1 << first
    must = sum(1 << at for at, item in enumerate(items) if item.must)
    twins = _twins(items, needs, before)
    seen: set[tuple[int, bytes]] = set()
    stack: list[tuple[int, bytes, tuple[int, ...]]] = [(0, start, ())]
    looked = 0
    while stack:
        done, value, path = stack.pop()
        if done & must == must and (final is None or value == final):
            return Outcome(Answer.YES, tuple(items[at].name for at in path))
        if (done, value) in seen:
            continue
        seen.add((done, value))
        looked += 1
        if looked > BOUND:
            return Outcome(Answer.UNKNOWN)
        for at in range(count - 1, -1, -1):
            item = items[at]
            if done >> at & 1 or needs[at] & ~done or (item.result is not None and item.result != value):
                continue
            twin = twins[at]
            if twin is not None and not done >> twin & 1:
                continue
            after = item.apply(value)
            if after is None:
                return Outcome(Answer.UNKNOWN)
            stack.append((done | 1 << at, after, (*path, at)))
    return Outcome(Answer.NO)


def _twins(items: list[Item], needs: list[int], before: list[tuple[int, int]]) -> list[int | None]:
    """For each item the item of equal effect and constraints that may as well be done first."""
    followers = [0] * len(items)
    for first, second in before:
        followers[first] |= 1 << second
    last: dict[object, int] = {}
    result: list[int | None] = []
    for at, item in enumerate(items):
        key = (
            (item.twin, item.must, needs[at], followers[at]) if item.twin is not None and item.result is None else None
        )
        result.append(last.get(key) if key is not None else None)
        if key is not None:
            last[key] = at
    return result
