# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A Program run against an abstract fabric, to show that it can end whatever a conforming provider does.

The fabric here is the least helpful one that keeps the promises: it buffers nothing, completes a send only when a
receive took it, and picks any schedule and, without SAS, any delivery order. Of datagrams it drops what finds no room.
A wait that can hang here is the Program's own mistake. Says nothing about values: those are the Judge's.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field

from kfabric.model.guarantees import Guarantees
from kfabric.model.program import (
    AnyStep,
    Atomic,
    Barrier,
    Cancel,
    Program,
    Read,
    Recv,
    Send,
    Wait,
    Write,
)

from .draft import reports

Port = tuple[str, int]
"""Node and endpoint index."""


@dataclass
class Rehearsal:
    """What happened. ``stuck`` empty: every thread ran to its end."""

    stuck: list[str] = field(default_factory=list)
    matched: dict[str, str] = field(default_factory=dict)
    """Send name to receive name."""
    unexpected: set[str] = field(default_factory=set)
    """Messages that met no receive when they could first be delivered."""
    truncated: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)
    left_receives: list[str] = field(default_factory=list)
    left_messages: list[str] = field(default_factory=list)
    most_sending: dict[Port, int] = field(default_factory=dict)
    """Operations that were under way at once, receives aside."""
    most_receiving: dict[Port, int] = field(default_factory=dict)


@dataclass
class _Column:
    node: str
    steps: tuple[AnyStep, ...]
    at: int = 0
    outstanding: dict[str, Port] = field(default_factory=dict)

    @property
    def next(self) -> AnyStep | None:
        return self.steps[self.at] if self.at < len(self.steps) else None


class _Fabric:
    def __init__(self, program: Program, guarantees: Guarantees, choose: random.Random, eager: bool | None) -> None:
        self.program = program
        self.guarantees = guarantees
        self.choose = choose
        self.eager = eager
        self.columns = [_Column(thread.node, thread.steps) for thread in program.threads]
        self.done: set[str] = set()
        self.flying: dict[tuple[Port, Port], list[Send]] = defaultdict(list)
        self.waiting: dict[Port, list[tuple[Send, Port]]] = defaultdict(list)
        self.posted: dict[Port, list[Recv]] = defaultdict(list)
        self.sending: dict[Port, set[str]] = defaultdict(set)
        self.receiving: dict[Port, set[str]] = defaultdict(set)
        self.result = Rehearsal()
        self._barrier_members: dict[int, int] = defaultdict(int)
        for _, step in program.steps():
            if isinstance(step, Barrier):
                self._barrier_members[step.index] += 1

    # -- matching -----------------------------------------------------------------------------------------------------

    def _filters(self, recv: Recv, at: Port, source: Port) -> bool:
        end = self.guarantees.end(at[0])
        if recv.source is None or (end.ep_type != "MSG" and "DIRECTED_RECV" not in end.caps):
            return True
        return (recv.source.node, recv.source.index) == source

    def _takes(self, recv: Recv, send: Send, at: Port, source: Port) -> bool:
        if (recv.tag is None) != (send.tag is None) or not self._filters(recv, at, source):
            return False
        return recv.tag is None or send.tag is None or (recv.tag ^ send.tag) & ~recv.ignore == 0

    def _match(self, send: Send, recv: Recv) -> None:
        self.result.matched[send.name] = recv.name
        if send.size > recv.size:
            self.result.truncated.add(send.name)
        self.done |= {send.name, recv.name}

    def _arrive(self, send: Send, at: Port, source: Port) -> None:
        drops = self.guarantees.end(at[0]).ep_type == "DGRAM"
        for recv in self.posted[at]:
            if self._takes(recv, send, at, source):
                if drops and send.size > recv.size and self.choose.random() < 0.5:
                    return
                self.posted[at].remove(recv)
                self._match(send, recv)
                return
        self.result.unexpected.add(send.name)
        if not drops:
            self.waiting[at].append((send, source))

    def deliver_one(self) -> bool:
        pairs = [pair for pair, queue in self.flying.items() if queue]
        if not pairs:
            return False
        source, target = self.choose.choice(pairs)
        queue = self.flying[source, target]
        ordered = "SAS" in self.guarantees.order(source[0], target[0])
        send = queue.pop(0 if ordered else self.choose.randrange(len(queue)))
        self._arrive(send, target, source)
        return True

    # -- steps --------------------------------------------------------------------------------------------------------

    def _post(self, column: _Column, step: Send | Recv | Write | Read | Atomic) -> None:
        port = (column.node, step.via)
        end = self.guarantees.end(column.node)
        if reports(end, step):
            column.outstanding[step.name] = port
        active = self.receiving if isinstance(step, Recv) else self.sending
        most = self.result.most_receiving if isinstance(step, Recv) else self.result.most_sending
        active[port] = {name for name in active[port] if name not in self.done} | {step.name}
        most[port] = max(most.get(port, 0), len(active[port]))
        if isinstance(step, Send):
            self.flying[port, (step.to.node, step.to.index)].append(step)
            if end.ep_type == "DGRAM":
                self.done.add(step.name)
        elif isinstance(step, Recv):
            for send, source in self.waiting[port]:
                if self._takes(step, send, port, source):
                    self.waiting[port].remove((send, source))
                    self._match(send, step)
                    return
            self.posted[port].append(step)
        else:
            self._remote(step)

    def _remote(self, step: Write | Read | Atomic) -> None:
        self.done.add(step.name)
        node = step.target.node if isinstance(step, Atomic) else step.target[0].node
        if isinstance(step, Write) and step.data is not None and "RX_CQ_DATA" in self.guarantees.end(node).mode:
            port = (node, step.to)
            taken = next((recv for recv in self.posted[port] if recv.tag is None), None)
            if taken is None:
                self.result.unexpected.add(step.name)
            else:
                self.posted[port].remove(taken)
                self.done.add(taken.name)

    def _cancel(self, name: str) -> None:
        for queue in self.posted.values():
            for recv in queue:
                if recv.name == name:
                    queue.remove(recv)
                    self.done.add(name)
                    self.result.cancelled.add(name)
                    return

    def _at_barrier(self, index: int) -> list[_Column]:
        return [column for column in self.columns if isinstance(column.next, Barrier) and column.next.index == index]

    def _ready(self, column: _Column) -> bool:
        step = column.next
        if step is None:
            return False
        if isinstance(step, Wait):
            names = step.ops or tuple(column.outstanding)
            return all(name in self.done for name in names)
        if isinstance(step, Barrier):
            here = sum(
                1 for other in self.columns if isinstance(other.next, Barrier) and other.next.index == step.index
            )
            return here == self._barrier_members[step.index]
        return True

    def _advance(self, column: _Column) -> None:
        step = column.next
        if isinstance(step, Barrier):
            for other in self._at_barrier(step.index):
                other.at += 1
            return
        column.at += 1
        if isinstance(step, Send | Recv | Write | Read | Atomic):
            self._post(column, step)
        elif isinstance(step, Wait):
            for name in step.ops or tuple(column.outstanding):
                column.outstanding.pop(name, None)
        elif isinstance(step, Cancel):
            self._cancel(step.op)

    def run(self) -> Rehearsal:
        while True:
            ready = [column for column in self.columns if self._ready(column)]
            flying = any(self.flying.values())
            if not ready and not flying:
                break
            deliver = flying and (
                not ready or self.eager is True or (self.eager is None and self.choose.random() < 0.4)
            )
            if deliver:
                self.deliver_one()
            else:
                self._advance(self.choose.choice(ready))
        for column in self.columns:
            if column.next is not None:
                self.result.stuck.append(f"{column.node} stands at {column.next.name}")
        self.result.left_receives = [recv.name for queue in self.posted.values() for recv in queue]
        self.result.left_messages = [send.name for queue in self.waiting.values() for send, _ in queue]
        return self.result


def rehearse(program: Program, guarantees: Guarantees, seed: int = 0) -> Rehearsal:
    """One run. Seed 0 delivers as early as it can, seed 1 as late, others at random."""
    eager = {0: True, 1: False}.get(seed)
    return _Fabric(program, guarantees, random.Random(seed), eager).run()
