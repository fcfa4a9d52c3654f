# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Running a Program's steps on one node, in order, one thread of the process for all threads of the Program.

The threads that belong to this node are columns run in turn, so that every declared threading level is obeyed; a
column that waits lets the others go on. Where progress is manual, a node that waits for others keeps reading its
queues; where it is automatic, no provider call is made then, or the claim would not be tested.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Generator, Iterator
from typing import Any

from kfabric.api import Context, Errno, FabricError, Flag
from kfabric.model import data
from kfabric.model.program import (
    Access,
    Atomic,
    Barrier,
    Cancel,
    CloseRegion,
    Load,
    Program,
    Read,
    Recv,
    Reuse,
    Send,
    Step,
    Store,
    Thread,
    Wait,
    WaitBy,
    Write,
)

from .bounds import Bounds
from .memory import Block
from .opening import Station
from .posting import Op, Posting, RemoteRegion
from .recording import Recorder

_IDLE_SPINS = 40
_IDLE_SLEEP = 0.00005
_SLICE = 20
"""Milliseconds of one blocking read."""
_CONTEXTS = 256

_ACCESS = {
    Access.SEND: Flag.SEND,
    Access.RECV: Flag.RECV,
    Access.READ: Flag.READ,
    Access.WRITE: Flag.WRITE,
    Access.REMOTE_READ: Flag.REMOTE_READ,
    Access.REMOTE_WRITE: Flag.REMOTE_WRITE,
}

PROGRESS, SPIN, BARRIER = "progress", "spin", "barrier"
"""What a column waits for: entries of queues, something it looks at itself, a word of the coordinator."""


class Runner(Recorder):
    """One Program on one node."""

    def __init__(
        self, station: Station, program: Program, me: str, roles: dict[str, str], bounds: Bounds, drive: bool
    ) -> None:
        super().__init__(station, program, me, roles, bounds, drive)
        self.regions: dict[str, Block] = {}
        self.mrs: dict[str, list[Any]] = {}
        self.base = {name: (counter.read(), counter.readerr()) for name, counter in station.counters.items()}
        """Counter values before the Program."""
        self.posted_by_counter = dict.fromkeys(station.counters, 0)
        self.posting = Posting(station, program, me, roles)
        self._gone: set[int] = set()
        """Barriers that let go."""

    # -- preparing --------------------------------------------------------------------------------------------------
    def prepare(self) -> dict[str, tuple[int, tuple[int, ...]]]:
        """Fill memory, register regions; returns base address and keys by region."""
        station = self.station
        station.memory.reset()
        told = {}
        pmem = Flag.RMA_PMEM if station.info.caps & Flag.RMA_PMEM else Flag.NONE
        for region in self.program.regions:
            if region.node != self.me:
                continue
            block = station.memory.take(region.size, data.initial(region))
            access = Flag.NONE
            for right in region.access:
                access |= _ACCESS[right]
            mrs = station.register(block, access, pmem if region.persistent else Flag.NONE)
            self.regions[region.name] = block
            self.mrs[region.name] = mrs
            told[region.name] = (block.address, tuple(mr.key for mr in mrs))
        contexts = _contexts(station)
        for thread, step in self.program.operations():
            if thread.node == self.me:
                op = self.posting.prepare(step, next(contexts))
                self.ops[step.name] = op
                self.by_context[op.context.address] = op
        return told

    def know(self, remote: dict[tuple[str, str], RemoteRegion]) -> None:
        """All nodes' keys are known: choose the calls."""
        self.posting.know(remote)
        for op in self.ops.values():
            self.posting.bind(op)

    def close_regions(self) -> None:
        """Close what the Program did not."""
        for mrs in self.mrs.values():
            for mr in mrs:
                if not mr.closed:
                    try:
                        mr.close()
                    except FabricError as refused:
                        self.note(f"{self.me}: {refused}")

    # -- steps ------------------------------------------------------------------------------------------------------
    def run(self) -> None:
        """Run all columns to their end."""
        threads = [thread for thread in self.program.threads if thread.node == self.me]
        columns = {thread.index: self._column(thread) for thread in threads}
        blocked: dict[int, str] = {}
        idle = 0
        while columns:
            moved = False
            for index, column in list(columns.items()):
                try:
                    blocked[index] = next(column)
                except StopIteration:
                    del columns[index]
                    moved = True
            if not columns or moved:
                continue
            idle = self._between({blocked[index] for index in columns}, idle)

    def _between(self, waiting: set[str], idle: int) -> int:
        """One turn of waiting: read queues if somebody waits for them or progress is ours, then hear."""
        if waiting != {BARRIER} or self.manual:
            reads = PROGRESS in waiting or self.manual
            idle = 0 if reads and self.progress() else idle + 1
            if idle > _IDLE_SPINS:
                time.sleep(_IDLE_SLEEP)
            elif idle:
                os.sched_yield()
            self._hear()
        else:
            self._hear(block=True)
        return idle

    def _hear(self, block: bool = False) -> None:
        word = self.agent.hear() if block else (self.agent.heard.popleft() if self.agent.heard else None)
        if word is None:
            return
        if not self.heeded(word):
            assert word[0] == "go", word
            self._gone.add(word[1])

    def _column(self, thread: Thread) -> Iterator[str]:
        for step in thread.steps:
            self.slot.step(step.name)
            if isinstance(step, Send | Recv | Write | Read | Atomic):
                yield from self._post(self.ops[step.name])
            elif isinstance(step, Wait):
                yield from self._wait(step, thread)
            elif isinstance(step, Barrier):
                self.agent.say(("at", thread.index, step.index, self.fresh()))
                while step.index not in self._gone:
                    yield BARRIER
                self.record("passed", step.name, step.index)
            else:
                self._local(step)

    def _local(self, step: Step) -> None:
        """A step that asks nothing of the fabric, or returns at once."""
        code = 0
        if isinstance(step, Load):
            self.record("observed", step.name, self.regions[step.place.region].load(step.place.offset, step.place.size))
            return
        if isinstance(step, Store):
            content = data.payload(self.posting.numbers, step)
            self.regions[step.place.region].store(step.place.offset, content)
        elif isinstance(step, Reuse):
            for block in (self.ops[step.op].source, self.ops[step.op].compare):
                if block is not None:
                    block.view[:] = data.scribble(block.content())
        elif isinstance(step, Cancel):
            op = self.ops[step.op]
            if op.endpoint is not None:
                code = abs(op.endpoint.cancel(op.context))
        elif isinstance(step, CloseRegion):
            try:
                for mr in self.mrs[step.region]:
                    if not mr.closed:
                        mr.close()
            except FabricError as refused:
                code = refused.code
        self.record("did", step.name, code)

    def _post(self, op: Op) -> Iterator[str]:
        retries = code = 0
        began = 0.0
        while True:
            try:
                op.post()
                break
            except FabricError as refused:
                code = refused.code
                if code != Errno.EAGAIN:
                    break
            now = time.monotonic()
            began = began or now
            self.cry(began, op.name)
            if now > began + self.bound():
                self.met_bound()
                break
            code = 0
            retries += 1
            self.progress()
            yield PROGRESS
            self.slot.step(op.name)
        self.record("posted", op.name, code, retries, op.call)
        if code == 0:
            op.posted = True
            if not op.reported:
                op.ended = True
            if op.counter in self.posted_by_counter:
                self.posted_by_counter[op.counter] += 1

    # -- waiting ----------------------------------------------------------------------------------------------------
    def _wait(self, step: Wait, thread: Thread) -> Iterator[str]:
        if step.ops:
            ops = [self.ops[name] for name in step.ops if name in self.ops]
        else:
            before = [each.name for each in thread.steps[: thread.steps.index(step)]]
            ops = [self.ops[name] for name in before if name in self.ops]
        by = self._means(step.by, ops)
        began = time.monotonic()
        if by is WaitBy.COUNTER:
            missing = yield from self._wait_counters(ops, began)
        else:
            missing = yield from self._wait_queues(ops, began, blocking=by is WaitBy.SREAD)
        bounded = bool(missing)
        if bounded:
            self.met_bound()
        self.record("waited", step.name, tuple(missing), bounded)

    def _means(self, by: WaitBy, ops: list[Op]) -> WaitBy:
        if by is WaitBy.SREAD and not self.station.binding.wait:
            self.note(f"{self.me}: no wait object here, blocking reads became polls")
            return WaitBy.POLL
        if by is WaitBy.COUNTER and any(op.counter not in self.station.counters for op in ops):
            self.note(f"{self.me}: not every operation has a counter here, counter waits became polls")
            return WaitBy.POLL
        return by

    def _wait_queues(self, ops: list[Op], began: float, blocking: bool) -> Generator[str, None, list[str]]:
        while True:
            missing = [op for op in ops if op.outstanding]
            if not missing:
                return []
            self.cry(began, missing[0].name)
            if time.monotonic() > began + self.bound():
                return [op.name for op in missing]
            if blocking:
                self.read_blocking(missing[0], _SLICE)
            yield PROGRESS

    def _wait_counters(self, ops: list[Op], began: float) -> Generator[str, None, list[str]]:
        names = sorted({op.counter for op in ops if op.posted})
        for name in names:
            counter = self.station.counters[name]
            while True:
                wanted = self.base[name][0] + self.posted_by_counter[name]
                errors = counter.readerr() - self.base[name][1]
                if counter.read() + errors >= wanted:
                    break
                self.cry(began, name)
                if time.monotonic() > began + self.bound():
                    self.progress()
                    return [op.name for op in ops if op.counter == name and op.posted]
                if self.station.binding.wait and not errors:
                    with contextlib.suppress(FabricError):
                        counter.wait(wanted, timeout=_SLICE)
                yield SPIN
        return []


_pool: dict[int, list[Context]] = {}
_turn = 0


def _contexts(station: Station) -> Iterator[Context]:
    """Contexts in turn, so that a late entry for an old operation is no new operation's."""
    global _turn
    pool = _pool.setdefault(id(station.provider), [])
    while True:
        if len(pool) < _CONTEXTS:
            pool.append(station.provider.context())
            yield pool[-1]
        else:
            _turn = (_turn + 1) % len(pool)
            yield pool[_turn]
