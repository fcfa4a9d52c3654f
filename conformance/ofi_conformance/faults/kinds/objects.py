# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Objects: closing, binding, enabling, names, options, address vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kfabric.api import (
    AddressVector,
    CompletionQueue,
    Context,
    Counter,
    Domain,
    Endpoint,
    EpOption,
    Errno,
    FabricError,
    FabricObject,
    Flags,
)

from ..call import Call, Verb
from ..fault import Fault, on, plants


@plants("busy-not-refused")
class BusyNotRefused(Fault):
    """A queue, counter or address vector closes although an endpoint is bound to it."""

    def __init__(self, provider: Any) -> None:
        super().__init__(provider)
        self._undead: list[Any] = []

    @on(CompletionQueue, "close")
    @on(Counter, "close")
    @on(AddressVector, "close")
    def close(self, item: Any, proceed: Any) -> None:
        """Say that it is closed."""
        try:
            proceed()
        except FabricError as refused:
            if refused.code != Errno.EBUSY:
                raise
            self.hit()
            self._undead.append(item.inner)

    @on(Domain, "close")
    def close_domain(self, domain: Any, proceed: Any) -> None:
        """Really close what can be closed by now."""
        for item in list(self._undead):
            try:
                item.close()
            except FabricError:
                continue
            self._undead.remove(item)
        proceed()


@plants("domain-closes-early")
class DomainClosesEarly(Fault):
    """A domain closes although objects are open in it."""

    @on(Domain, "close")
    def close(self, domain: Any, proceed: Any) -> None:
        """Say that it is closed."""
        try:
            proceed()
        except FabricError as refused:
            if refused.code != Errno.EBUSY:
                raise
            self.hit()


@plants("queue-not-needed")
class QueueNotNeeded(Fault):
    """An endpoint is enabled although no completion queue is bound to it."""

    @on(Endpoint, "enable")
    def enable(self, endpoint: Any, proceed: Any) -> None:
        """Never mind."""
        try:
            proceed()
        except FabricError as refused:
            if refused.code != Errno.ENOCQ:
                raise
            self.hit()


@plants("transfer-before-enable")
class TransferBeforeEnable(Fault):
    """A data transfer on an endpoint that was never enabled is accepted."""

    def post(self, call: Call) -> None:
        """Never mind."""
        try:
            call.go()
        except FabricError as refused:
            if call.endpoint.enabled or refused.code == Errno.EAGAIN or call.verb not in (Verb.RECV, Verb.SEND):
                raise
            self.hit()

    @on(Endpoint, "enable")
    def enable(self, endpoint: Any, proceed: Any) -> None:
        """Remember."""
        proceed()
        endpoint.enabled = True


@plants("foreign-object-bound")
class ForeignObjectBound(Fault):
    """An object of another domain is accepted by an endpoint."""

    @on(Endpoint, "bind")
    def bind(self, endpoint: Any, proceed: Any, obj: FabricObject, flags: Flags = 0) -> None:
        """Never mind."""
        try:
            proceed(obj, flags)
        except FabricError:
            self.hit()


@plants("name-length-wrong")
class NameLengthWrong(Fault):
    """The length of an endpoint's address is reported too large."""

    @on(Endpoint, "getname")
    def getname(self, endpoint: Any, proceed: Any, size: int = 256) -> tuple[bytes, int]:
        """By four bytes."""
        address, needed = proceed(size)
        self.hit()
        return address, needed + 4


@plants("name-room-ignored")
class NameRoomIgnored(Fault):
    """An address is told as if it fitted where there is too little room."""

    @on(Endpoint, "getname")
    def getname(self, endpoint: Any, proceed: Any, size: int = 256) -> tuple[bytes, int]:
        """No error."""
        try:
            found: tuple[bytes, int] = proceed(size)
        except FabricError as refused:
            if refused.code != Errno.ETOOSMALL:
                raise
            self.hit()
            whole, needed = endpoint.inner.getname()
            return whole[:size], needed
        return found


@plants("option-unknown-accepted")
class OptionUnknownAccepted(Fault):
    """An option that nobody knows can be set and asked for."""

    @on(Endpoint, "getopt")
    def getopt(self, endpoint: Any, proceed: Any, option: EpOption | int, size: int = 8) -> int:
        """Zero."""
        try:
            value: int = proceed(option, size)
        except FabricError:
            self.hit()
            return 0
        return value

    @on(Endpoint, "setopt")
    def setopt(self, endpoint: Any, proceed: Any, option: EpOption | int, value: int, size: int = 8) -> None:
        """Never mind."""
        try:
            proceed(option, value, size)
        except FabricError:
            self.hit()


@plants("completion-after-close")
class CompletionAfterClose(Fault):
    """Receives that are outstanding when their endpoint is closed are reported as cancelled afterwards."""

    answers = True

    def __init__(self, provider: Any) -> None:
        super().__init__(provider)
        self._open: dict[int, Call] = {}

    def post(self, call: Call) -> None:
        """Know what is open."""
        call.go()
        if call.verb is Verb.RECV and call.context is not None:
            self._open[call.context.address] = call

    def completion(self, queue: Any, entry: Any, call: Call | None) -> Any:
        """One less."""
        self._open.pop(entry.op_context, None)
        return (entry,)

    @on(Endpoint, "close")
    def close(self, endpoint: Any, proceed: Any) -> None:
        """Report the rest."""
        from kfabric.api import ErrorCompletion, Flag

        proceed()
        for address, call in list(self._open.items()):
            if call.endpoint is not endpoint:
                continue
            del self._open[address]
            if endpoint.rx_queue is not None and not endpoint.rx_queue.closed:
                self.hit()
                flags = int(Flag.RECV | (Flag.TAGGED if call.tagged else Flag.MSG))
                endpoint.rx_queue.add(ErrorCompletion(address, flags, 0, 0, 0, 0, 0, int(Errno.ECANCELED), 0))


@plants("object-context-lost")
class ObjectContextLost(Fault):
    """An object does not keep the context that it was opened with."""

    @on(Domain, "cq_open", "cntr_open", "endpoint")
    def opened(self, domain: Any, proceed: Any, attr: Any = None, context: Context | None = None) -> Any:
        """Forget it."""
        if context is not None:
            self.hit()
        return proceed(attr, None)


@plants("insertion-count-wrong")
class InsertionCountWrong(Fault):
    """An insertion of several addresses returns 0."""

    @on(AddressVector, "insert")
    def insert(
        self, av: Any, proceed: Any, addresses: Sequence[bytes], flags: Flags = 0, context: Context | None = None
    ) -> Any:
        """As if it had been asynchronous."""
        done, handles = proceed(addresses, flags, context)
        if done > 1:
            self.hit()
            return 0, handles
        return done, handles


@plants("removal-of-neighbour")
class RemovalOfNeighbour(Fault):
    """Removing an address makes another handle stand for it."""

    def __init__(self, provider: Any) -> None:
        super().__init__(provider)
        self._moved: dict[tuple[Any, int], int] = {}
        self._handles: dict[Any, list[int]] = {}

    @on(AddressVector, "insert")
    def insert(
        self, av: Any, proceed: Any, addresses: Sequence[bytes], flags: Flags = 0, context: Context | None = None
    ) -> Any:
        """Know the handles."""
        done, handles = proceed(addresses, flags, context)
        self._handles.setdefault(av, []).extend(handles)
        return done, handles

    @on(AddressVector, "remove")
    def remove(self, av: Any, proceed: Any, handles: Sequence[int], flags: Flags = 0) -> None:
        """Keep it, and remove another as well."""
        proceed(handles, flags)
        others = [one for one in self._handles.get(av, ()) if one not in handles]
        if others:
            self.hit()
            proceed([others[-1]], flags)


@plants("lookup-length-wrong")
class LookupLengthWrong(Fault):
    """Looking up an address with too little room reports the room as its length."""

    @on(AddressVector, "lookup")
    def lookup(self, av: Any, proceed: Any, handle: int, size: int = 256) -> tuple[bytes, int]:
        """The smaller number."""
        address, needed = proceed(handle, size)
        if size < needed:
            self.hit()
        return address, min(needed, size)
