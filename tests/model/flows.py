# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Operations of ``simulator`` with the times of what comes of them, and the promises as lower bounds of those times.

A fault that strikes leaves one bound out; it counts only if the bound would have made a difference.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from kfabric.model import program as p
from kfabric.model.dialect import bits
from kfabric.model.guarantees import UNLIMITED, Guarantees

FAULTS = (
    "early delivery", "no RAW", "no WAR", "no WAW", "no fence", "early fence", "no SAW", "early notice", "stale read",
    "damaged", "misplaced", "right ignored", "late source", "lost write", "no SAS", "early read",
)  # fmt: skip
LEVELS = ("INJECT_COMPLETE", "TRANSMIT_COMPLETE", "DELIVERY_COMPLETE", "COMMIT_COMPLETE")
DELIVERY = 3
Ref = p.EndpointRef


@dataclass(eq=False)
class Part:
    """Some bytes of an operation, which take effect (or are sampled) at one time."""

    place: p.Location
    at: int
    time: float


@dataclass(eq=False)
class Flow:
    """An operation under way."""

    step: p.Operation
    source: Ref
    target: Ref | None
    number: int
    flags: frozenset[str]
    reports: bool
    level: int
    buffer: bytearray
    captured: bytes | None = None
    parts: list[Part] = field(default_factory=list)
    arrival: float = 0.0
    notice: float = 0.0
    """Earliest time at which its target may be told of it."""
    done: float = 0.0
    refused: bool = False
    ended: bool = False
    failed: bool = False
    known: bool = False

    @property
    def fenced(self) -> bool:
        """Behind everything before it."""
        return "FENCE" in self.flags and self.target is not None

    @property
    def last(self) -> float:
        """When all of it is in effect."""
        return max([self.arrival, *(part.time for part in self.parts)])


class Promises:
    """The dice, the operations so far, and what they must wait for."""

    def __init__(self, promised: Guarantees, seed: int, fault: str) -> None:
        self.promised, self.fault = promised, fault
        self.dice = random.Random(seed)
        self.struck = 0
        self.flows: dict[str, Flow] = {}

    # -- dice -------------------------------------------------------------------------------------------------------
    def delay(self) -> float:
        """Mostly nothing, sometimes very long."""
        return self.dice.choice([0.0, 0.0, 1.0, 5.0, 40.0]) * self.dice.random()

    def strikes(self, fault: str, chance: float = 0.7) -> bool:
        """Whether the planted fault shows here."""
        hit = self.fault == fault and self.dice.random() < chance
        self.struck += hit
        return hit

    # -- promises ---------------------------------------------------------------------------------------------------
    def before(self, flow: Flow) -> list[Flow]:
        """What was posted before on the same channel."""
        same = (flow.source, flow.target)
        return [f for f in self.flows.values() if (f.source, f.target) == same and f.number < flow.number]

    def fenced(self, first: Flow, second: Flow) -> bool:
        """A fence lies between, or is the second."""
        return any("FENCE" in f.flags and f.number > first.number for f in [*self.before(second), second])

    def orders(self, flow: Flow) -> frozenset[str]:
        """Message order of the flow's channel."""
        assert flow.target is not None
        return self.promised.order(flow.source.node, flow.target.node)

    def held(self, time: float, bound: float, fault: str) -> float:
        """A time, not before a bound, unless that is the promise that is broken here."""
        if self.fault == fault and self.dice.random() < 0.8:
            self.struck += time < bound
            return time
        return max(time, bound)

    def data_order(self, first: Flow, second: Flow) -> str:
        """RAW, WAR or WAW if the later of two accesses acts behind the earlier one on the bytes of both."""
        letters = ["R" if isinstance(f.step, p.Read) else "W" for f in (second, first)]
        name = f"{letters[0]}A{letters[1]}"
        if name == "RAR" or not {name, f"RMA_{name}"} & self.orders(second):
            return ""
        assert second.target is not None
        ends = [self.promised.end(ref.node) for ref in (second.source, second.target)]
        limit = min(getattr(end, f"max_order_{name.lower()}_size") for end in ends)
        within = limit == UNLIMITED or max(size_of(first.step), size_of(second.step)) < limit
        return name if within else ""

    def act_at(self, flow: Flow, part: Part, time: float) -> float:
        """When a part of an access acts, if drawn for ``time``."""
        for other in self.before(flow):
            if isinstance(other.step, p.Send) or other.refused:
                continue
            if self.fenced(other, flow):
                time = self.held(time, other.last, "no fence")
            same = [each.time for each in other.parts if meet(part, each)]
            name = self.data_order(other, flow) if same else ""
            if name:
                time = self.held(time, max(same), f"no {name}")
        return time

    def told_at(self, flow: Flow, time: float) -> float:
        """When the target is told, if drawn for ``time``."""
        if isinstance(flow.step, p.Write):
            time = self.held(time, flow.last, "early notice")
        bit = {"SAW"} if isinstance(flow.step, p.Send) else {"WAW", "RMA_WAW"}
        chain = [*self.before(flow), flow]
        for other in self.before(flow):
            if not isinstance(other.step, p.Write):
                continue
            if any(f.fenced and f.level >= DELIVERY and f.number > other.number for f in chain):
                time = self.held(time, other.last, "no fence")
            if bit & self.orders(flow):
                time = self.held(time, other.last, "no SAW")
        return time

    def done_at(self, flow: Flow, time: float) -> float:
        """When the operation is complete, if drawn for ``time``."""
        if isinstance(flow.step, p.Read):
            time = self.held(time, flow.last, "early read")
        elif flow.level >= DELIVERY:
            time = self.held(time, flow.last, "early delivery")
        if flow.fenced:
            for other in self.before(flow):
                bound = max(other.done, other.last if flow.level >= DELIVERY else 0.0)
                time = self.held(time, bound, "early fence")
        return time


def meet(a: Part, b: Part) -> bool:
    """Two parts touch the same byte."""
    one, other = a.place, b.place
    same = (one.node, one.region) == (other.node, other.region)
    return same and one.offset < other.offset + other.size and other.offset < one.offset + one.size


def size_of(step: p.Operation) -> int:
    """Bytes moved."""
    return step.target.size if isinstance(step, p.Atomic) else step.size


def target_of(step: p.Write | p.Read | p.Atomic) -> Ref:
    """Where an access is directed."""
    assert not isinstance(step, p.Atomic)
    return Ref(step.target[0].node, step.to)


def kind_of(step: p.Operation) -> int:
    """Flags of its entry."""
    if isinstance(step, p.Send | p.Recv):
        return bits("MSG" if step.tag is None else "TAGGED", step.word.upper())
    return bits("RMA", step.word.upper())


def queue_of(flow: Flow) -> str:
    """The queue that reports it."""
    name = "rx" if isinstance(flow.step, p.Recv) else "tx"
    return name if flow.step.via == 0 else f"{name}/{flow.step.via}"


def counter_of(flow: Flow) -> str:
    """The counter that counts it."""
    return flow.step.word
