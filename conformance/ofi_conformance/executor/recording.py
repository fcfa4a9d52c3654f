# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reading the queues of a node and writing down what they deliver, as events of the History.

Every entry is recorded when it is read, whoever reads it and why. An entry is matched to an operation by its context;
one that is nobody's is recorded with the raw context. Decides nothing about right and wrong.
"""

from __future__ import annotations

import time
from typing import Any

from kfabric.api import CompletionQueue, Errno, FabricError, Flag, Progress
from kfabric.model.program import Program

from ..nodes.agent import current
from .bounds import Bounds
from .opening import Peer, Station
from .posting import Op
from .probing import Prober

_BATCH = 16


class Aborted(Exception):
    """Another node died; stop and tell what was seen."""


class Recorder:
    """One Program on one node: its operations, its events, and the reading of its queues."""

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
        self.ops: dict[str, Op] = {}
        self.by_context: dict[int, Op] = {}
        self.notes: list[str] = []
        self._bound = bounds.wait
        self.strays = 0
        self.remote_data = 0
        self.muted = False
        """Errors are not recorded any more: what follows is the executor's own tidying up."""
        self.prober: Prober | None = None
        self._cried = False
        self._events: list[tuple[Any, ...]] = []
        self._sent = 0
        self._reads_source = station.av is not None and bool(station.info.caps & Flag.SOURCE)

    def record(self, word: str, *fields: Any) -> None:
        """Write an event down."""
        self._events.append((word, time.monotonic_ns(), *fields))

    def fresh(self) -> list[tuple[Any, ...]]:
        """Events since the last time."""
        events = self._events[self._sent :]
        self._sent = len(self._events)
        return events

    # -- progress ---------------------------------------------------------------------------------------------------
    def progress(self) -> int:
        """Read every queue once; returns how many entries came."""
        count = 0
        for port in self.station.ports:
            count += self.read(port.tx_cq, port.tx_name, source=False)
            count += self.read(port.rx_cq, port.rx_name, source=self._reads_source)
        return count

    def read_blocking(self, op: Op, timeout: int) -> None:
        """Wait in the queue that an operation will be reported in, ``timeout`` milliseconds at most."""
        if op.receives:
            self.read(op.port.rx_cq, op.port.rx_name, source=self._reads_source, timeout=timeout)
        else:
            self.read(op.port.tx_cq, op.port.tx_name, source=False, timeout=timeout)

    def read(self, cq: CompletionQueue, queue: str, source: bool, timeout: int = 0) -> int:
        """Read one queue once, waiting ``timeout`` milliseconds if any; returns how many entries came."""
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
                "completed",
                None,
                queue,
                entry.flags,
                entry.len,
                entry.data,
                entry.tag,
                None,
                peer,
                raw,
                entry.op_context,
            )
            return
        if entry.buf and op.target is not None:
            offset = (entry.buf - op.target.address) % (1 << 64)
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

    # -- waiting for others -------------------------------------------------------------------------------------------
    def heeded(self, word: Any) -> bool:
        """Do what a word says that may come at any time; False for one that is not of this kind."""
        if word[0] == "abort":
            raise Aborted
        if word[0] == "drive":
            self.manual = True
        return bool(word[0] == "drive")

    def cry(self, since: float, what: str) -> None:
        """Where progress is automatic, tell once that nothing moves: others may be asked to drive it."""
        if not self.manual and not self._cried and time.monotonic() - since > self.bounds.stall:
            self._cried = True
            self.agent.say(("stuck", what))

    def bound(self) -> float:
        """Seconds to wait for what is owed."""
        return self._bound

    def met_bound(self) -> None:
        """A bound was met on this node: the next ones are shorter, and shorter each time."""
        self._bound = min(self.bounds.after, max(self._bound / 2, self.bounds.after / 16))
