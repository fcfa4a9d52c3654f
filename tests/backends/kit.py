# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Two endpoints of one process, for any provider of the system's libfabric; loopback only.

``open_pair`` gives a ``Pair`` of ``End``s that can reach each other: connected where the type is MSG, inserted in each
other's address vector otherwise. ``Pair.post`` repeats a refused call while driving both ends, ``Pair.completions``
drives both until one of them has what was asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest

from kfabric.api import (
    ADDR_UNSPEC,
    AddressVector,
    AvAttr,
    AvType,
    BackendUnavailable,
    Completion,
    CompletionQueue,
    Counter,
    CqAttr,
    Domain,
    Endpoint,
    EpType,
    EqAttr,
    EqError,
    EqEvent,
    EqEventKind,
    Errno,
    ErrorCompletion,
    EventQueue,
    Fabric,
    FabricError,
    FabricObject,
    Flag,
    Flags,
    Info,
    MemoryRegion,
    MrMode,
    PassiveEndpoint,
    Source,
    WaitObj,
)
from kfabric.backends.libfabric import LibfabricProvider, open_provider

LOOPBACK = "127.0.0.1"
PATIENCE = 20.0
"""Seconds after which something that should happen did not."""
MR_MODE = MrMode.LOCAL | MrMode.VIRT_ADDR | MrMode.ALLOCATED | MrMode.PROV_KEY
REMOTE = Flag.READ | Flag.WRITE | Flag.REMOTE_READ | Flag.REMOTE_WRITE
ALL_ACCESS = REMOTE | Flag.SEND | Flag.RECV

RDM = ["tcp;ofi_rxm", "sockets", "shm", "net", "udp;ofi_rxd"]
ATOMIC = ["tcp;ofi_rxm", "sockets", "shm", "udp;ofi_rxd"]
MSG = ["tcp", "sockets", "net"]

Posting: TypeAlias = Callable[..., None]


def provider() -> LibfabricProvider:
    """The library, or a skip that says what to install."""
    try:
        return open_provider()
    except BackendUnavailable as missing:
        pytest.skip(str(missing))


def hints_for(name: str, kind: str, caps: Flag, **tx: Any) -> Info:
    """Hints for a provider by its exact name and an endpoint type ("RDM", "MSG", "DGRAM")."""
    hints = Info(caps=caps, mode=LibfabricProvider.SUPPORTED_MODE)
    hints.ep_attr.type = EpType[kind]
    hints.fabric_attr.prov_name = name
    hints.domain_attr.mr_mode = MR_MODE
    for attribute, value in tx.items():
        setattr(hints.tx_attr, attribute, value)
    return hints


def offers(lib: LibfabricProvider, hints: Info, service: str | None = None) -> list[Info]:
    """What a provider offers on loopback; a skip where this libfabric does not have the provider at all."""
    name = hints.fabric_attr.prov_name
    where: dict[str, Any] = {} if name == "shm" else {"node": LOOPBACK, "service": service, "flags": Flag.SOURCE}
    try:
        return lib.getinfo(hints, **where)
    except FabricError as refused:
        if refused.code == Errno.ENODATA and not _has(lib, name):
            pytest.skip(f"no provider {name} in {lib.library.path}")
        raise


def _has(lib: LibfabricProvider, name: str) -> bool:
    hints = Info(mode=lib.SUPPORTED_MODE)
    hints.domain_attr.mr_mode = MR_MODE
    hints.fabric_attr.prov_name = name
    try:
        return bool(lib.getinfo(hints))
    except FabricError:
        return False


@dataclass
class End:
    """One endpoint and what belongs to it."""

    ep: Endpoint
    cq: CompletionQueue
    domain: Domain
    eq: EventQueue | None = None
    av: AddressVector | None = None
    peer: int = ADDR_UNSPEC
    seen: list[Completion] = field(default_factory=list)
    errors: list[ErrorCompletion] = field(default_factory=list)
    counters: dict[str, Counter] = field(default_factory=dict)

    def poll(self) -> None:
        """Read what is there, errors included."""
        try:
            self.seen += self.cq.read(8)
        except FabricError as there:
            if there.code != Errno.EAVAIL:
                raise
            error = self.cq.readerr(err_data_size=128)
            assert error is not None
            self.errors.append(error)


class Pair:
    """Two ends that reach each other."""

    def __init__(self, lib: LibfabricProvider, info: Info, fabric: Fabric, domain: Domain) -> None:
        self.lib, self.info, self.fabric, self.domain = lib, info, fabric, domain
        self.opened: list[FabricObject] = []
        self._keys = 100
        self.a: End
        self.b: End

    def keep(self, obj: Any) -> Any:
        """Close ``obj`` with the pair, before everything opened earlier."""
        self.opened.append(obj)
        return obj

    def close(self) -> None:
        """Close everything, latest first; all of it must let go."""
        for obj in reversed(self.opened):
            if not obj.closed:
                obj.close()

    def __enter__(self) -> Pair:
        return self

    def __exit__(self, kind: object, exc: object, tb: object) -> None:
        if exc is None:
            self.close()

    def drive(self) -> None:
        """One progress call at each end."""
        self.a.poll()
        self.b.poll()

    def until(self, condition: Callable[[], bool], what: str = "nothing came") -> None:
        """Drive both ends until the condition holds."""
        end = time.monotonic() + PATIENCE
        while not condition():
            self.drive()
            if time.monotonic() > end:
                raise AssertionError(f"{what}: {self.a.seen} {self.a.errors} | {self.b.seen} {self.b.errors}")

    def post(self, call: Posting, *arguments: Any, **words: Any) -> None:
        """Post an operation, repeating it while the provider says EAGAIN."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return call(*arguments, **words)
            except FabricError as refused:
                if refused.code != Errno.EAGAIN or time.monotonic() > end:
                    raise
            self.drive()

    def completions(self, end: End, count: int = 1) -> list[Completion]:
        """The next ``count`` completions of one end."""
        self.until(lambda: len(end.seen) >= count or bool(end.errors))
        assert not end.errors, end.errors
        taken, end.seen = end.seen[:count], end.seen[count:]
        return taken

    def error(self, end: End) -> ErrorCompletion:
        """The next error completion of one end."""
        self.until(lambda: bool(end.errors), "no error came")
        return end.errors.pop(0)

    def register(self, buf: Source, access: Flags = ALL_ACCESS, **words: Any) -> MemoryRegion:
        """Register memory in the pair's domain under a fresh key."""
        self._keys += 1
        mr: MemoryRegion = self.keep(self.domain.mr_reg(buf, access, requested_key=self._keys, **words))
        return mr

    def remote(self, mr: MemoryRegion, offset: int = 0) -> dict[str, int]:
        """``addr`` and ``key`` of a place in a region, by the domain's mr_mode."""
        virtual = self.info.domain_attr.mr_mode & (MrMode.VIRT_ADDR | MrMode.BASIC)
        return {"addr": (mr.address if virtual else 0) + offset, "key": mr.key}


def open_pair(
    name: str,
    kind: str,
    caps: Flag,
    *,
    cq: CqAttr | None = None,
    counters: dict[str, Flag] | None = None,
    bind: Flags = Flag.TRANSMIT | Flag.RECV,
    change: Callable[[Info], None] | None = None,
    before: Callable[[End], None] | None = None,
    **tx: Any,
) -> Pair:
    """Open two ends of one provider.

    Args:
        name: the provider's exact name.
        kind: "RDM", "MSG" or "DGRAM".
        caps: capabilities to ask for.
        cq: attributes of each end's one completion queue.
        counters: counters to open and bind at each end, by name.
        bind: flags with which the completion queue is bound.
        change: changes the offer before it is opened.
        before: called with each end before it is enabled.
        tx: transmit attributes to ask for.
    """
    lib = provider()
    info = offers(lib, hints_for(name, kind, caps, **tx))[0]
    if change is not None:
        change(info)
    fabric = lib.fabric(info)
    pair = Pair(lib, info, fabric, fabric.domain(info))
    pair.opened += [fabric, pair.domain]

    def end(offer: Info) -> End:
        queue = pair.keep(pair.domain.cq_open(cq or CqAttr(size=256)))
        made = End(pair.domain.endpoint(offer), queue, pair.domain)
        made.ep.bind(queue, bind)
        for word, flags in (counters or {}).items():
            made.counters[word] = pair.keep(pair.domain.cntr_open())
            made.ep.bind(made.counters[word], flags)
        return made

    def ready(made: End) -> End:
        if before is not None:
            before(made)
        made.ep.enable()
        pair.keep(made.ep)
        return made

    if kind == "MSG":
        _connect(pair, end, ready)
        return pair
    for side in ("a", "b"):
        made = end(info)
        made.av = pair.keep(pair.domain.av_open(AvAttr(type=info.domain_attr.av_type or AvType.TABLE)))
        assert made.av is not None
        made.ep.bind(made.av)
        setattr(pair, side, ready(made))
    for this, other in ((pair.a, pair.b), (pair.b, pair.a)):
        assert this.av is not None
        inserted, [this.peer] = this.av.insert([other.ep.getname()[0]])
        assert inserted == 1
    return pair


def _connect(pair: Pair, end: Callable[[Info], End], ready: Callable[[End], End]) -> None:
    listener: PassiveEndpoint = pair.fabric.passive_ep(pair.info)
    waiting: EventQueue = pair.keep(pair.fabric.eq_open(EqAttr(wait_obj=WaitObj.UNSPEC)))
    pair.keep(listener)
    listener.bind(waiting)
    listener.listen()
    address = listener.getname()[0]
    asking: EventQueue = pair.keep(pair.fabric.eq_open(EqAttr(wait_obj=WaitObj.UNSPEC)))
    active = end(pair.info)
    active.eq = asking
    active.ep.bind(asking)
    pair.a = ready(active)
    pair.a.ep.connect(address)
    request = event(waiting, asking)
    assert request.kind == EqEventKind.CONNREQ
    assert request.info is not None
    passive = end(request.info)
    passive.eq = pair.keep(pair.fabric.eq_open(EqAttr(wait_obj=WaitObj.UNSPEC)))
    assert passive.eq is not None
    passive.ep.bind(passive.eq)
    pair.b = ready(passive)
    pair.b.ep.accept()
    assert event(asking, passive.eq).kind == EqEventKind.CONNECTED
    assert event(passive.eq, asking).kind == EqEventKind.CONNECTED


def event(queue: EventQueue, *others: EventQueue, drive: Callable[[], None] | None = None) -> EqEvent:
    """The next event of a queue; ``others`` are looked at meanwhile: a provider may progress only what is read."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if (found := queue.sread(timeout=10)) is not None:
            return found
        _look(others, drive)
    raise AssertionError("no event came")


def eq_error(queue: EventQueue, *others: EventQueue) -> EqError:
    """The next error event of a queue."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            found = queue.sread(timeout=10)
        except FabricError as there:
            if there.code == Errno.EAVAIL and (error := queue.readerr()) is not None:
                return error
            raise
        assert found is None, found
        _look(others, None)
    raise AssertionError("no error came")


def _look(others: tuple[EventQueue, ...], drive: Callable[[], None] | None) -> None:
    if drive is not None:
        drive()
    for other in others:
        try:
            other.read(flags=Flag.PEEK)
        except FabricError as there:
            if there.code != Errno.EAVAIL:
                raise


def refused(call: Callable[..., Any], *arguments: Any, **words: Any) -> FabricError:
    """The error that a call is refused with."""
    try:
        answer = call(*arguments, **words)
    except FabricError as error:
        return error
    raise AssertionError(f"{call} answered {answer!r}")
