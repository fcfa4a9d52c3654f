# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Running a Program's steps on one node and writing down what happened. Called by name inside a node.

The threads of a Program that belong to this node are columns run in turn by one thread of the process, so that every
declared threading level is obeyed; a column that waits lets the others go on. Where progress is manual, whoever waits for
others (barrier, end) keeps reading the queues; where it is automatic, no provider call is made then, or the claim would not
be tested. Every completion is recorded when it is read, whoever reads it.

Words: the node says ("ready", regions), ("at", thread, barrier, events), ("stuck", step), ("done", events), ("settled", report,
events), ("polled", events), ("probed", arrived, events); it hears ("start", regions), ("go", barrier), ("drive",), ("settle",),
("probe", pairs, recorded), ("finish", reusable), ("abort",).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Generator, Iterator
from typing import Any

from kfabric.api import CompletionQueue, Context, Errno, FabricError, Flag, Progress
from kfabric.model import codec, data
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

from ..configuration import Configuration
from ..guarantees import end_of
from ..nodes.agent import current
from .bounds import Bounds
from .memory import Block
from .opening import Peer, Station
from .posting import Op, Posting, RemoteRegion
from .probing import Prober
from .settling import Settling

_BATCH = 16
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


class Aborted(Exception):
    """Another node died; stop and tell what was seen."""


class Runner:
    """One Program on one node."""

    def __init__(
        self, station: Station, program: Program, me: str, roles: dict[str, str], bounds: Bounds, drive: bool
    ) -> None:
        self.station = station
        self.program = program
        self.me = me
        self.roles = roles
        self.bounds = bounds
        self.agent = current()
        self.slot = self.agent.intents.slot
        self.manual = drive or station.info.domain_attr.data_progress != Progress.AUTO
        self.reads_source = station.av is not None and bool(station.info.caps & Flag.SOURCE)
        self.events: list[tuple[Any, ...]] = []
        self.sent = 0
        self.notes: list[str] = []
        self.ops: dict[str, Op] = {}
        self.by_context: dict[int, Op] = {}
        self.regions: dict[str, Block] = {}
        self.mrs: dict[str, list[Any]] = {}
        self.gone: set[int] = set()
        self.bounded = False
        self.cried = False
        self.strays = 0
        self.remote_data = 0
        self.muted = False
        self.prober: Prober | None = None
        self.base = {name: (counter.read(), counter.readerr()) for name, counter in station.counters.items()}
        self.posted_by_counter = dict.fromkeys(station.counters, 0)
        self.posting = Posting(station, program, roles)

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

    # -- recording --------------------------------------------------------------------------------------------------
    def record(self, word: str, *fields: Any) -> None:
        """Write an event down."""
        self.events.append((word, time.monotonic_ns(), *fields))

    def fresh(self) -> list[tuple[Any, ...]]:
        """Events since the last time."""
        events = self.events[self.sent :]
        self.sent = len(self.events)
        return events

    # -- progress ---------------------------------------------------------------------------------------------------
    def progress(self) -> int:
        """Read every queue once; returns how many entries came."""
        count = 0
        for port in self.station.ports:
            count += self._read(port.tx_cq, port.tx_name, source=False)
            count += self._read(port.rx_cq, port.rx_name, source=self.reads_source)
        return count

    def _read(self, cq: CompletionQueue, queue: str, source: bool, timeout: int = 0) -> int:
        try:
            if timeout:
                entries = cq.sreadfrom(_BATCH, timeout=timeout) if source else cq.sread(_BATCH, timeout=timeout)
            else:
                entries = cq.readfrom(_BATCH) if source else cq.read(_BATCH)
        except FabricError as error:
            if error.code != Errno.EAVAIL:
                self.note(f"{queue}: {error}")
                return 0
            return self._read_error(cq, queue)
        for entry in entries:
            self._completed(entry, queue, source)
        return len(entries)

    def _completed(self, entry: Any, queue: str, source: bool) -> None:
        op = self.by_context.get(entry.op_context)
        if self.prober is not None and self.prober.takes(op, entry):
            return
        raw = peer = offset = None
        if source and entry.src_addr is not None:
            raw = entry.src_addr
            peer = self._program_peer(self.station.names.get(raw))
        if op is None:
            self._stray(entry)
            self.record(
                "completed", None, queue, entry.flags, entry.len, entry.data, entry.tag, None, peer, raw, entry.op_context
            )
            return
        if entry.buf and op.target is not None:
            offset = entry.buf - op.target.address
        self.record("completed", op.name, queue, entry.flags, entry.len, entry.data, entry.tag, offset, peer, raw, 0)
        op.ended = True
        if op.target is not None:
            self.record("observed", op.name, op.target.content())

    def _stray(self, entry: Any) -> None:
        """An entry for no operation: a peer's data if the flags say so, otherwise nothing that was asked for."""
        flags = entry.flags or 0
        if flags & Flag.REMOTE_CQ_DATA or flags & Flag.REMOTE_WRITE:
            self.remote_data += 1
        else:
            self.strays += 1

    def _read_error(self, cq: CompletionQueue, queue: str) -> int:
        error = cq.readerr()
        if error is None:
            return 0
        op = self.by_context.get(error.op_context)
        if self.prober is not None and self.prober.takes_error(op, error):
            return 1
        if op is None:
            self.strays += 1
        else:
            op.ended = True
            op.failed = error.err
        if self.muted:
            return 1
        name = None if op is None else op.name
        stray = error.op_context if op is None else 0
        fields = (error.err, error.prov_errno, error.flags, error.len, error.olen, error.data, error.tag, stray)
        self.record("failed", name, queue, *fields)
        return 1

    def _program_peer(self, peer: Peer | None) -> tuple[str, int] | None:
        if peer is None:
            return None
        for node, role in self.roles.items():
            if role == peer[0]:
                return node, peer[1]
        return None

    def note(self, text: str) -> None:
        """A word for the reader of the History, once."""
        if text not in self.notes:
            self.notes.append(text)

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
            self.gone.add(word[1])

    def heeded(self, word: Any) -> bool:
        """Do what a word says that may come at any time; False for one that is not of this kind."""
        if word[0] == "abort":
            raise Aborted
        if word[0] == "drive":
            self.manual = True
        return bool(word[0] == "drive")

    def cry(self, since: float, what: str) -> None:
        """Where progress is automatic, tell once that nothing moves: others may be asked to drive it."""
        if not self.manual and not self.cried and time.monotonic() - since > self.bounds.stall:
            self.cried = True
            self.agent.say(("stuck", what))

    def _column(self, thread: Thread) -> Iterator[str]:
        for step in thread.steps:
            self.slot.step(step.name)
            if isinstance(step, Send | Recv | Write | Read | Atomic):
                yield from self._post(self.ops[step.name])
            elif isinstance(step, Wait):
                yield from self._wait(step, thread)
            elif isinstance(step, Barrier):
                self.agent.say(("at", thread.index, step.index, self.fresh()))
                while step.index not in self.gone:
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
                self.bounded = True
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

    def bound(self) -> float:
        """Seconds to wait for what is owed."""
        return self.bounds.after if self.bounded else self.bounds.wait

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
        self.bounded = self.bounded or bounded
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
                op = missing[0]
                rx = op.receives
                cq = op.port.rx_cq if rx else op.port.tx_cq
                name = op.port.rx_name if rx else op.port.tx_name
                self._read(cq, name, source=rx and self.reads_source, timeout=_SLICE)
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


# -- called by the coordinator ------------------------------------------------------------------------------------------

_station: Station | None = None


def station() -> Station:
    """What this node has open."""
    if _station is None:
        raise RuntimeError("the node has opened nothing")
    return _station


def open_station(plain: dict[str, Any], name: str, address: str, fault: str | None) -> dict[str, Any]:
    """Open provider and domain for a configuration; returns the end that was opened."""
    global _station
    from ..configuration import end_to_plain

    configuration = Configuration.from_plain(plain)
    _station = Station(configuration, name, address, fault)
    end = end_of(
        _station.info,
        configuration.binding,
        levels=configuration.end.levels,
        atomics=configuration.end.atomics,
        version=_station.provider.version(),
    )
    return end_to_plain(end)


def open_ports(count: int) -> list[bytes]:
    """Have that many ports; returns their addresses."""
    return station().open_ports(count)


def insert(peers: list[tuple[str, int, bytes]]) -> None:
    """Learn addresses."""
    station().insert([(node, index, address) for node, index, address in peers])


def connect(mine: int, peer: Peer, address: bytes, bound: float) -> None:
    """Connect a port."""
    station().connect(mine, (peer[0], peer[1]), address, bound)


def accept(mine: int, peer: Peer, bound: float) -> None:
    """Accept a connection."""
    station().accept(mine, (peer[0], peer[1]), bound)


def retire() -> list[str]:
    """Close the ports."""
    return station().retire()


def close_station() -> list[str]:
    """Close everything."""
    global _station
    told = station().close() if _station is not None else []
    _station = None
    return told


def run(document: Any, me: str, roles: dict[str, str], bounds: dict[str, Any], drive: bool) -> dict[str, Any]:
    """Run this node's part of a Program.

    Args:
        document: the Program, encoded.
        me: this node's name in it.
        roles: the station of each of the Program's nodes.
        bounds: the ``Bounds``, plain.
        drive: drive progress while waiting even where it is automatic.
    """
    program = codec.decode(document)
    assert isinstance(program, Program)
    runner = Runner(station(), program, me, roles, Bounds.from_plain(bounds), drive)
    agent = current()
    agent.say(("ready", runner.prepare()))
    reusable = False
    try:
        word = agent.hear()
        if word[0] == "abort":
            raise Aborted
        runner.know({(node, name): RemoteRegion(base, tuple(keys)) for node, name, base, keys in word[1]})
        runner.run()
        reusable = Settling(runner).run()
    except Aborted:
        runner.note("stopped because another node died")
    runner.slot.step("")
    for mrs in runner.mrs.values():
        for mr in mrs:
            if not mr.closed:
                try:
                    mr.close()
                except FabricError as refused:
                    runner.note(f"{me}: {refused}")
    return {"events": runner.fresh(), "notes": runner.notes, "reusable": reusable}
