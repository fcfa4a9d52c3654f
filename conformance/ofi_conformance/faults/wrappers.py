# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Wrappers that put a fault between an application and a provider: every call goes through the fault's hooks.

They know what belongs together (which queue an endpoint was bound to, with which flags it was opened) and nothing of
any particular fault. With a fault that overrides nothing they are as transparent as plain delegation.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from kfabric.api import (
    ADDR_NOTAVAIL,
    AddressVector,
    Completion,
    CompletionQueue,
    Context,
    Counter,
    CqFormat,
    Domain,
    Endpoint,
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
    OpFlag,
    PassiveEndpoint,
    Provider,
    ScalableEndpoint,
)

from ..nodes.delegate import Delegating, Method, Weaving, pass_on, passing_on
from .call import Call, endpoint_method
from .fault import Entry, Fault

_SLICE = 5
"""Milliseconds of one blocking read while a fault may answer in the provider's place."""


class Planted(Delegating):
    """The part that all wrappers share."""

    @property
    def fault(self) -> Fault:
        """The fault that was planted."""
        found: Fault = self.weaving.shared
        return found


def through(wrapper: Planted, key: tuple[str, str], proceed: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call the fault's stand-in for a method where it has one, else the method."""
    stand_in = wrapper.fault.stand_ins.get(key)
    return proceed(*args, **kwargs) if stand_in is None else stand_in(wrapper, proceed, *args, **kwargs)


def _make(method: Method) -> Callable[..., Any]:
    plain = pass_on(method)
    key = (method.owner, method.name)
    if method.owner == "Endpoint" and endpoint_method(method.name):

        def transfer(self: PlantedEndpoint, *args: Any, **kwargs: Any) -> None:
            call = Call.of(self, method.name, args, kwargs)
            fault = self.fault
            with fault.lock, fault.posting(call):
                fault.post(call)

        return transfer

    def other(self: Planted, *args: Any, **kwargs: Any) -> Any:
        def proceed(*args: Any, **kwargs: Any) -> Any:
            return plain(self, *args, **kwargs)

        return through(self, key, proceed, *args, **kwargs)

    return other


def _planted(abstract: type) -> type:
    return passing_on(_make)(type(f"Planted{abstract.__name__}", (Planted, abstract), {}))


@passing_on(_make)
class PlantedDomain(Planted, Domain):
    """A domain; its endpoints know what they were opened with."""

    inner: Domain

    def endpoint(self, info: Info, context: Context | None = None) -> Endpoint:
        """Open an endpoint."""

        def proceed(info: Info, context: Context | None = None) -> Endpoint:
            made: PlantedEndpoint = self.weaving.wrap(self.inner.endpoint(info, context))
            made.opened_with(info)
            return made

        found: Endpoint = through(self, ("Domain", "endpoint"), proceed, info, context)
        return found


@passing_on(_make)
class PlantedEndpoint(Planted, Endpoint):
    """An endpoint or context; remembers its queues and flags."""

    inner: Endpoint

    def __init__(self, inner: Any, weaving: Weaving) -> None:
        super().__init__(inner, weaving)
        self.tx_queue: PlantedQueue | None = None
        self.rx_queue: PlantedQueue | None = None
        self.tx_selective = self.rx_selective = False
        self.tx_op_flags = self.rx_op_flags = 0
        self.info: Info | None = None
        self.enabled = False

    def opened_with(self, info: Info) -> None:
        """The attributes, from which the default flags come."""
        self.info = info
        self.tx_op_flags, self.rx_op_flags = int(info.tx_attr.op_flags), int(info.rx_attr.op_flags)

    def bind(self, obj: FabricObject, flags: Flags = 0) -> None:
        """Attach an object."""

        def proceed(obj: FabricObject, flags: Flags = 0) -> None:
            self.inner.bind(obj.inner if isinstance(obj, Delegating) else obj, flags)
            self._bound(obj, int(flags))

        through(self, ("Endpoint", "bind"), proceed, obj, flags)

    def _bound(self, obj: FabricObject, flags: int) -> None:
        if isinstance(obj, PlantedCounter):
            obj.kinds |= flags
            obj.endpoints.append(self)
        if not isinstance(obj, PlantedQueue):
            return
        selective = bool(flags & int(OpFlag.SELECTIVE_COMPLETION))
        if flags & Flag.TRANSMIT:
            self.tx_queue, self.tx_selective = obj, selective
        if flags & Flag.RECV:
            self.rx_queue, self.rx_selective = obj, selective

    def set_ops_flags(self, flags: Flags) -> None:
        """Replace default flags."""

        def proceed(flags: Flags) -> None:
            self.inner.set_ops_flags(flags)
            if int(flags) & Flag.TRANSMIT:
                self.tx_op_flags = int(flags) & ~int(Flag.TRANSMIT)
            if int(flags) & Flag.RECV:
                self.rx_op_flags = int(flags) & ~int(Flag.RECV)

        through(self, ("Endpoint", "set_ops_flags"), proceed, flags)

    def alias(self, flags: Flags) -> Endpoint:
        """The same endpoint with other default flags."""

        def proceed(flags: Flags) -> Endpoint:
            made: PlantedEndpoint = self.weaving.wrap(self.inner.alias(flags))
            for name in ("tx_queue", "rx_queue", "tx_selective", "rx_selective", "tx_op_flags", "rx_op_flags", "info"):
                setattr(made, name, getattr(self, name))
            word = int(flags) & ~int(Flag.TRANSMIT | Flag.RECV)
            if int(flags) & Flag.TRANSMIT:
                made.tx_op_flags = word
            else:
                made.rx_op_flags = word
            return made

        found: Endpoint = through(self, ("Endpoint", "alias"), proceed, flags)
        return found

    def close(self) -> None:
        """Close, and let go of what was held for it."""
        self.fault.drop(self)
        through(self, ("Endpoint", "close"), self.inner.close)


@passing_on(_make)
class PlantedCounter(Planted, Counter):
    """A counter; remembers what it counts."""

    inner: Counter

    def __init__(self, inner: Any, weaving: Weaving) -> None:
        super().__init__(inner, weaving)
        self.kinds = 0
        """Bind flags: SEND, RECV, READ, ..."""
        self.endpoints: list[PlantedEndpoint] = []

    def read(self) -> int:
        """Operations completed."""
        self.fault.progress()
        found: int = through(self, ("Counter", "read"), self.inner.read)
        return found


@passing_on(_make)
class PlantedQueue(Planted, CompletionQueue):
    """A completion queue whose entries pass through the fault; may hold entries that no provider wrote."""

    inner: CompletionQueue

    def __init__(self, inner: Any, weaving: Weaving) -> None:
        super().__init__(inner, weaving)
        self._ready: deque[Entry] = deque()
        self._code: int | None = None
        self._signalled = False

    # -- entries of our own -----------------------------------------------------------------------------------------
    def add(self, entry: Entry, *, first: bool = False) -> None:
        """Write an entry, in the form of this queue's format."""
        if isinstance(entry, Completion):
            entry = self.shaped(entry)
        if first:
            self._ready.appendleft(entry)
        else:
            self._ready.append(entry)

    def shaped(self, entry: Completion) -> Completion:
        """The fields that the queue's format carries."""
        form = self.inner.format
        if form == CqFormat.TAGGED:
            return entry
        if form == CqFormat.DATA:
            return Completion(entry.op_context, entry.flags, entry.len, entry.buf, entry.data, None, entry.src_addr)
        if form == CqFormat.MSG:
            return Completion(entry.op_context, entry.flags, entry.len, src_addr=entry.src_addr)
        return Completion(entry.op_context, src_addr=entry.src_addr)

    # -- reading ----------------------------------------------------------------------------------------------------
    def read(self, count: int = 1) -> list[Completion]:
        """Up to ``count`` entries."""
        found: list[Completion] = through(self, ("CompletionQueue", "read"), self._poll, count)
        return found

    def readfrom(self, count: int = 1) -> list[Completion]:
        """Like ``read``, with the source."""

        def proceed(count: int = 1) -> list[Completion]:
            return self._poll(count, source=True)

        found: list[Completion] = through(self, ("CompletionQueue", "readfrom"), proceed, count)
        return found

    def sread(self, count: int = 1, *, timeout: int = -1, threshold: int | None = None) -> list[Completion]:
        """Like ``read``, but waits."""

        def proceed(count: int = 1, *, timeout: int = -1, threshold: int | None = None) -> list[Completion]:
            return self._wait(count, timeout, threshold, source=False)

        found: list[Completion] = through(
            self, ("CompletionQueue", "sread"), proceed, count, timeout=timeout, threshold=threshold
        )
        return found

    def sreadfrom(self, count: int = 1, *, timeout: int = -1, threshold: int | None = None) -> list[Completion]:
        """Like ``sread``, with the source."""

        def proceed(count: int = 1, *, timeout: int = -1, threshold: int | None = None) -> list[Completion]:
            return self._wait(count, timeout, threshold, source=True)

        found: list[Completion] = through(
            self, ("CompletionQueue", "sreadfrom"), proceed, count, timeout=timeout, threshold=threshold
        )
        return found

    def readerr(self, flags: Flags = 0, err_data_size: int = 0) -> ErrorCompletion | None:
        """The error entry at the head."""
        found: ErrorCompletion | None = through(
            self, ("CompletionQueue", "readerr"), self._readerr, flags, err_data_size
        )
        return found

    def signal(self) -> None:
        """Wake the threads that wait."""
        self._signalled = True
        through(self, ("CompletionQueue", "signal"), self.inner.signal)

    @property
    def last_code(self) -> int:
        """The C return value of the latest read."""
        return self.inner.last_code if self._code is None else self._code

    @last_code.setter
    def last_code(self, code: int) -> None:
        self._code = code

    # -- how --------------------------------------------------------------------------------------------------------
    def _poll(self, count: int = 1, *, source: bool = False) -> list[Completion]:
        fault = self.fault
        fault.progress()
        ask = self.inner.readfrom if source else self.inner.read
        if count == 0:
            self._code = None
            return ask(0)
        found: list[Completion] = []
        with fault.lock:
            while len(found) < count:
                if not self._ready:
                    try:
                        entries = ask(count - len(found))
                    except FabricError as refused:
                        if refused.code != Errno.EAVAIL or not self._take_error():
                            if found:
                                break
                            self._code = None
                            raise
                        continue
                    if not entries:
                        break
                    self._filter(entries)
                    continue
                if isinstance(self._ready[0], ErrorCompletion):
                    break
                found.append(self._sourced(self._ready.popleft(), source))
        return self._answer(found)

    def _answer(self, found: list[Completion]) -> list[Completion]:
        if not found and self._ready and isinstance(self._ready[0], ErrorCompletion):
            self._code = -int(Errno.EAVAIL)
            raise FabricError(Errno.EAVAIL, "fi_cq_read")
        self._code = len(found) or -int(Errno.EAGAIN)
        return found

    def _sourced(self, entry: Entry, source: bool) -> Completion:
        assert isinstance(entry, Completion)
        if source and entry.src_addr is None:
            return Completion(entry.op_context, entry.flags, entry.len, entry.buf, entry.data, entry.tag, ADDR_NOTAVAIL)
        return entry

    def _filter(self, entries: list[Completion]) -> None:
        fault = self.fault
        for entry in entries:
            if not fault.gone(entry.op_context):
                self._ready.extend(fault.completion(self, entry, fault.call_of(entry)))

    def _take_error(self) -> bool:
        """Read the error entry at the head where the fault, or a secret operation, makes that our business."""
        fault = self.fault
        if not fault.filters_errors and not fault.swallowed:
            return False
        entry = self.inner.readerr()
        if entry is None:
            return True
        if not fault.gone(entry.op_context):
            self._ready.extend(fault.error(self, entry, fault.call_of(entry)))
        return True

    def _readerr(self, flags: Flags = 0, err_data_size: int = 0) -> ErrorCompletion | None:
        with self.fault.lock:
            if not self._ready:
                self._code = None
                return self.inner.readerr(flags, err_data_size)
            head = self._ready[0]
            if not isinstance(head, ErrorCompletion):
                self._code = -int(Errno.EAGAIN)
                return None
            self._code = 1
            self._ready.popleft()
            return head

    def _wait(self, count: int, timeout: int, threshold: int | None, *, source: bool) -> list[Completion]:
        fault = self.fault
        deadline = None if timeout < 0 else time.monotonic() + timeout / 1000
        self._signalled = False
        while True:
            fault.progress()
            if self._ready:
                return self._poll(count, source=source)
            left = timeout if deadline is None else max(0, round((deadline - time.monotonic()) * 1000))
            part = (min(left, _SLICE) if left >= 0 else _SLICE) if fault.answers else left
            ask = self.inner.sreadfrom if source else self.inner.sread
            try:
                entries = ask(count, timeout=part, threshold=threshold)
            except FabricError as refused:
                if refused.code != Errno.EAVAIL:
                    self._code = None
                    raise
                with fault.lock:
                    if not self._take_error():
                        self._code = None
                        raise
                continue
            if entries:
                with fault.lock:
                    self._filter(entries)
            elif not fault.answers or self._signalled or (deadline is not None and time.monotonic() >= deadline):
                self._code = None
                return []


@passing_on(_make)
class PlantedEventQueue(Planted, EventQueue):
    """An event queue."""

    inner: EventQueue
    code: int | None = None
    """What ``last_code`` shall say in place of the provider's answer."""

    @property
    def last_code(self) -> int:
        """The C return value of the latest read."""
        return self.inner.last_code if self.code is None else self.code


WRAPPERS: dict[type, type] = {
    Domain: PlantedDomain,
    Endpoint: PlantedEndpoint,
    Counter: PlantedCounter,
    CompletionQueue: PlantedQueue,
    EventQueue: PlantedEventQueue,
}
for _abstract in (
    Provider,
    Fabric,
    PassiveEndpoint,
    ScalableEndpoint,
    AddressVector,
    MemoryRegion,
    FabricObject,
):
    WRAPPERS[_abstract] = _planted(_abstract)


def weave(provider: Provider, fault: Fault) -> Provider:
    """The provider, broken."""
    wrapped = Weaving(WRAPPERS, shared=fault).wrap(provider)
    assert isinstance(wrapped, Provider)
    return wrapped
