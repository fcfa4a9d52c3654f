# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Opening endpoints of any type and making two of them talk, in one process.

A ``Side`` is an endpoint with the queues, counters and address vector bound to it. Messages endpoints meet through a
passive endpoint and event queues; the others through address vectors. What is polled while waiting lives in ``Watch``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from kfabric.api import (
    ADDR_UNSPEC,
    AddressVector,
    AvType,
    Completion,
    CompletionQueue,
    Counter,
    CqFormat,
    Domain,
    Endpoint,
    EqError,
    EqEvent,
    Errno,
    ErrorCompletion,
    EventQueue,
    FabricError,
    Flag,
    Info,
    OpFlag,
    PassiveEndpoint,
    WaitObj,
)

COUNTER_FLAGS = {
    "send": Flag.SEND,
    "recv": Flag.RECV,
    "read": Flag.READ,
    "write": Flag.WRITE,
    "remote_read": Flag.REMOTE_READ,
    "remote_write": Flag.REMOTE_WRITE,
}
_BATCH = 16


@dataclass(frozen=True)
class Options:
    """How a side's queues are opened and bound."""

    cq_format: CqFormat = CqFormat.TAGGED
    cq_size: int = 0
    selective: bool = False
    counters: tuple[str, ...] = ()
    wait_obj: WaitObj = WaitObj.NONE
    tx_op_flags: Flag | None = None
    rx_op_flags: Flag | None = None
    av_type: AvType | None = None
    split: bool = False
    with_source: bool = False
    """Read completions with the call that also returns the source."""


class CqWatch:
    """A completion queue and what was read from it, not taken yet."""

    def __init__(self, queue: CompletionQueue, with_source: bool) -> None:
        self.queue = queue
        self.with_source = with_source
        self.completions: list[Completion] = []
        self.errors: list[ErrorCompletion] = []

    def poll(self) -> int:
        """Read what is there; returns how much."""
        if self.queue.closed:
            return 0
        try:
            found = self.queue.readfrom(_BATCH) if self.with_source else self.queue.read(_BATCH)
        except FabricError as error:
            if error.code != Errno.EAVAIL:
                raise
            entry = self.queue.readerr()
            if entry is not None:
                self.errors.append(entry)
            return int(entry is not None)
        self.completions.extend(found)
        return len(found)


class EqWatch:
    """An event queue and its events, not taken yet."""

    def __init__(self, queue: EventQueue) -> None:
        self.queue = queue
        self.events: list[EqEvent] = []
        self.errors: list[EqError] = []

    def poll(self) -> int:
        """Read one event or error."""
        if self.queue.closed:
            return 0
        try:
            event = self.queue.read()
        except FabricError as error:
            if error.code != Errno.EAVAIL:
                raise
            entry = self.queue.readerr()
            if entry is not None:
                self.errors.append(entry)
            return int(entry is not None)
        if event is not None:
            self.events.append(event)
        return int(event is not None)


@dataclass
class Side:
    """One endpoint with everything bound to it."""

    name: str
    info: Info
    domain: Domain
    ep: Endpoint
    tx_cq: CompletionQueue
    rx_cq: CompletionQueue
    watches: tuple[CqWatch, ...]
    eq: EventQueue | None = None
    av: AddressVector | None = None
    cntrs: dict[str, Counter] = field(default_factory=dict)
    address: bytes = b""
    peer: int = ADDR_UNSPEC

    @property
    def cq(self) -> CompletionQueue:
        """The one queue of both directions (the transmit queue when they are split)."""
        return self.tx_cq

    @property
    def completions(self) -> list[Completion]:
        """Entries read and not taken, of all its queues."""
        return [entry for watch in self.watches for entry in watch.completions]

    @property
    def errors(self) -> list[ErrorCompletion]:
        """Error entries read and not taken."""
        return [entry for watch in self.watches for entry in watch.errors]

    def take(self, context: int) -> Completion | ErrorCompletion | None:
        """The first entry with this context, removed; None when none was read yet."""
        for watch in self.watches:
            for error in watch.errors:
                if error.op_context == context:
                    watch.errors.remove(error)
                    return error
            for entry in watch.completions:
                if entry.op_context == context:
                    watch.completions.remove(entry)
                    return entry
        return None


@dataclass
class Pair:
    """Two sides that can talk."""

    a: Side
    b: Side

    def __iter__(self) -> Iterator[Side]:
        return iter((self.a, self.b))


@dataclass
class Listener:
    """A passive endpoint that listens, and its event queue."""

    pep: PassiveEndpoint
    eq: EventQueue
    address: bytes


def selective_flag(options: Options) -> int:
    """Bind flag of a queue."""
    return int(OpFlag.SELECTIVE_COMPLETION) if options.selective else 0


def bind_queues(ep: Endpoint, tx_cq: CompletionQueue, rx_cq: CompletionQueue, options: Options) -> None:
    """Bind the completion queues, together when they are one."""
    selective = selective_flag(options)
    if tx_cq is rx_cq:
        ep.bind(tx_cq, int(Flag.TRANSMIT | Flag.RECV) | selective)
        return
    ep.bind(tx_cq, int(Flag.TRANSMIT) | selective)
    ep.bind(rx_cq, int(Flag.RECV) | selective)
