# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Endpoints: where data transfers are posted and connections are made.

Data calls return None when posted and raise FabricError otherwise (EAGAIN: nothing happened, try again after driving
progress). The plain calls map to the plain C calls (send, tsend, write, ...), ``*v`` to the vector calls, ``*msg`` to
the calls with flags. Arguments that many calls share:

    buf, bufs       local memory; a target of data must be writable
    desc, descs     local descriptors of that memory, where mr_mode LOCAL asks for them (one per buffer, or none)
    dest, src       the peer's address handle; unused on connected endpoints. ADDR_UNSPEC as a source: any peer
    addr, key       the remote address (offset or virtual address, by mr_mode) and the key of its region
    data            remote CQ data (the low ``cq_data_size`` bytes travel)
    flags           operation flags, in place of the endpoint's defaults
    context         comes back in the completion; None where none is asked for
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from .attr import RxAttr, TxAttr
from .base import Buffer, FabricObject, Flags, RmaIoc, RmaIov, Source
from .constants import ADDR_UNSPEC, AtomicOp, Datatype, EpOption, Errno
from .errors import FabricError
from .events import Context, EqEvent


class PassiveEndpoint(FabricObject):
    """Waits for connection requests, which its event queue delivers as CONNREQ events."""

    @abstractmethod
    def bind(self, obj: FabricObject, flags: Flags = 0) -> None:
        """Attach the event queue that gets the requests."""

    @abstractmethod
    def listen(self) -> None:
        """Begin to take requests."""

    @abstractmethod
    def reject(self, request: EqEvent, param: bytes = b"") -> None:
        """Refuse a CONNREQ event; ``param`` travels to the peer as error data."""

    @abstractmethod
    def getname(self, size: int = 256) -> tuple[bytes, int]:
        """At most ``size`` bytes of the local address, and the length needed. Raises ETOOSMALL as the C call does."""

    @abstractmethod
    def setname(self, address: bytes) -> None:
        """Choose the local address, before ``listen``."""

    @abstractmethod
    def getopt(self, option: EpOption | int, size: int = 8) -> int:
        """An option's value; ``size`` is its width in bytes."""

    @abstractmethod
    def setopt(self, option: EpOption | int, value: int, size: int = 8) -> None:
        """Set an option; ``size`` is its width in bytes."""


class Endpoint(FabricObject):
    """An active endpoint, or one transmit or receive context of a scalable one, or a shared receive context.

    ``tx_attr`` and ``rx_attr`` are what the provider made of the attributes a context was asked for; None otherwise.
    """

    tx_attr: TxAttr | None = None
    rx_attr: RxAttr | None = None

    # -- set-up --------------------------------------------------------------------------------------------------------
    @abstractmethod
    def bind(self, obj: FabricObject, flags: Flags = 0) -> None:
        """Attach a queue, counter, address vector or shared context; flags say for which operations."""

    @abstractmethod
    def enable(self) -> None:
        """Make the endpoint ready for transfers. Raises ENOCQ, ENOAV, ... when something is not bound."""

    @abstractmethod
    def alias(self, flags: Flags) -> Endpoint:
        """The same endpoint with other default flags; flags hold exactly one of TRANSMIT and RECV."""

    @abstractmethod
    def getopt(self, option: EpOption | int, size: int = 8) -> int:
        """An option's value; ``size`` is its width in bytes. Raises ENOPROTOOPT."""

    @abstractmethod
    def setopt(self, option: EpOption | int, value: int, size: int = 8) -> None:
        """Set an option; ``size`` is its width in bytes. Raises ENOPROTOOPT."""

    @abstractmethod
    def get_ops_flags(self, direction: Flags) -> int:
        """The default operation flags of one direction, TRANSMIT or RECV."""

    @abstractmethod
    def set_ops_flags(self, flags: Flags) -> None:
        """Replace the default operation flags of the one direction that ``flags`` names."""

    @abstractmethod
    def cancel(self, context: Context) -> int:
        """Ask to cancel; returns the C return value (0 or a negative code)."""

    @abstractmethod
    def getname(self, size: int = 256) -> tuple[bytes, int]:
        """At most ``size`` bytes of the local address, and the length needed. Raises ETOOSMALL (see ``needed``)."""

    @abstractmethod
    def setname(self, address: bytes) -> None:
        """Choose the local address, before ``enable``."""

    @abstractmethod
    def getpeer(self, size: int = 256) -> tuple[bytes, int]:
        """The connected peer's address, as ``getname``."""

    @abstractmethod
    def connect(self, address: bytes, param: bytes = b"") -> None:
        """Ask for a connection; CONNECTED or an error arrives on the event queue."""

    @abstractmethod
    def accept(self, param: bytes = b"") -> None:
        """Accept the request whose Info this endpoint was opened with."""

    @abstractmethod
    def shutdown(self, flags: Flags = 0) -> None:
        """End the connection."""

    @abstractmethod
    def tx_size_left(self) -> int:
        """Transmits that still fit, at least."""

    @abstractmethod
    def rx_size_left(self) -> int:
        """Receives that still fit, at least."""

    # -- messages ------------------------------------------------------------------------------------------------------
    @abstractmethod
    def send(self, buf: Source, *, desc: int = 0, dest: int = ADDR_UNSPEC, context: Context | None = None) -> None:
        """Send a message."""

    @abstractmethod
    def sendv(
        self,
        bufs: Sequence[Source],
        *,
        descs: Sequence[int] = (),
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Send one message gathered from several buffers."""

    @abstractmethod
    def sendmsg(
        self,
        bufs: Sequence[Source],
        *,
        descs: Sequence[int] = (),
        dest: int = ADDR_UNSPEC,
        data: int = 0,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> None:
        """Send with flags."""

    @abstractmethod
    def senddata(
        self, buf: Source, data: int, *, desc: int = 0, dest: int = ADDR_UNSPEC, context: Context | None = None
    ) -> None:
        """Send a message with remote CQ data."""

    @abstractmethod
    def inject(self, buf: Source, *, dest: int = ADDR_UNSPEC) -> None:
        """Send at most ``inject_size`` bytes; the buffer is free on return, no completion follows."""

    @abstractmethod
    def injectdata(self, buf: Source, data: int, *, dest: int = ADDR_UNSPEC) -> None:
        """Inject a message with remote CQ data."""

    @abstractmethod
    def recv(self, buf: Buffer, *, desc: int = 0, src: int = ADDR_UNSPEC, context: Context | None = None) -> None:
        """Post a buffer for one message."""

    @abstractmethod
    def recvv(
        self,
        bufs: Sequence[Buffer],
        *,
        descs: Sequence[int] = (),
        src: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Post several buffers for one message."""

    @abstractmethod
    def recvmsg(
        self,
        bufs: Sequence[Buffer],
        *,
        descs: Sequence[int] = (),
        src: int = ADDR_UNSPEC,
        data: int = 0,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> None:
        """Post a receive with flags (MULTI_RECV, PEEK, CLAIM, ...)."""

    # -- tagged --------------------------------------------------------------------------------------------------------
    @abstractmethod
    def tsend(
        self, buf: Source, tag: int, *, desc: int = 0, dest: int = ADDR_UNSPEC, context: Context | None = None
    ) -> None:
        """Send a tagged message."""

    @abstractmethod
    def tsendv(
        self,
        bufs: Sequence[Source],
        tag: int,
        *,
        descs: Sequence[int] = (),
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Send one tagged message gathered from several buffers."""

    @abstractmethod
    def tsendmsg(
        self,
        bufs: Sequence[Source],
        tag: int,
        *,
        ignore: int = 0,
        descs: Sequence[int] = (),
        dest: int = ADDR_UNSPEC,
        data: int = 0,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> None:
        """Send a tagged message with flags."""

    @abstractmethod
    def tsenddata(
        self,
        buf: Source,
        data: int,
        tag: int,
        *,
        desc: int = 0,
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Send a tagged message with remote CQ data."""

    @abstractmethod
    def tinject(self, buf: Source, tag: int, *, dest: int = ADDR_UNSPEC) -> None:
        """Inject a tagged message."""

    @abstractmethod
    def tinjectdata(self, buf: Source, data: int, tag: int, *, dest: int = ADDR_UNSPEC) -> None:
        """Inject a tagged message with remote CQ data."""

    @abstractmethod
    def trecv(
        self,
        buf: Buffer,
        tag: int,
        *,
        ignore: int = 0,
        desc: int = 0,
        src: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Post a buffer for one message whose tag equals ``tag`` in the bits that ``ignore`` leaves."""

    @abstractmethod
    def trecvv(
        self,
        bufs: Sequence[Buffer],
        tag: int,
        *,
        ignore: int = 0,
        descs: Sequence[int] = (),
        src: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Post several buffers for one tagged message."""

    @abstractmethod
    def trecvmsg(
        self,
        bufs: Sequence[Buffer],
        tag: int,
        *,
        ignore: int = 0,
        descs: Sequence[int] = (),
        src: int = ADDR_UNSPEC,
        data: int = 0,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> None:
        """Post a tagged receive with flags (PEEK, CLAIM, DISCARD, ...)."""

    # -- remote memory access ------------------------------------------------------------------------------------------
    @abstractmethod
    def read(
        self,
        buf: Buffer,
        *,
        addr: int,
        key: int,
        desc: int = 0,
        src: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Read remote memory into ``buf``."""

    @abstractmethod
    def readv(
        self,
        bufs: Sequence[Buffer],
        *,
        addr: int,
        key: int,
        descs: Sequence[int] = (),
        src: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Read remote memory into several buffers."""

    @abstractmethod
    def readmsg(
        self,
        bufs: Sequence[Buffer],
        remote: Sequence[RmaIov],
        *,
        descs: Sequence[int] = (),
        src: int = ADDR_UNSPEC,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> None:
        """Read several remote segments with flags."""

    @abstractmethod
    def write(
        self,
        buf: Source,
        *,
        addr: int,
        key: int,
        desc: int = 0,
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Write ``buf`` to remote memory."""

    @abstractmethod
    def writev(
        self,
        bufs: Sequence[Source],
        *,
        addr: int,
        key: int,
        descs: Sequence[int] = (),
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Write several buffers to consecutive remote memory."""

    @abstractmethod
    def writemsg(
        self,
        bufs: Sequence[Source],
        remote: Sequence[RmaIov],
        *,
        descs: Sequence[int] = (),
        dest: int = ADDR_UNSPEC,
        data: int = 0,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> None:
        """Write several remote segments with flags."""

    @abstractmethod
    def writedata(
        self,
        buf: Source,
        data: int,
        *,
        addr: int,
        key: int,
        desc: int = 0,
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Write and deliver remote CQ data."""

    @abstractmethod
    def inject_write(self, buf: Source, *, addr: int, key: int, dest: int = ADDR_UNSPEC) -> None:
        """Write at most ``inject_size`` bytes; the buffer is free on return."""

    @abstractmethod
    def inject_writedata(self, buf: Source, data: int, *, addr: int, key: int, dest: int = ADDR_UNSPEC) -> None:
        """Inject a write and deliver remote CQ data."""

    # -- atomics -------------------------------------------------------------------------------------------------------
    # ``count`` is in elements of ``datatype``; the vector calls take whole buffers, counted in elements of their type.
    @abstractmethod
    def atomic_valid(self, kind: str, datatype: Datatype | int, op: AtomicOp | int) -> int:
        """Elements per operation the endpoint takes; ``kind``: "base", "fetch" or "compare". Raises EOPNOTSUPP."""

    @abstractmethod
    def atomic(
        self,
        operand: Source,
        count: int,
        datatype: Datatype | int,
        op: AtomicOp | int,
        *,
        addr: int,
        key: int,
        desc: int = 0,
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Combine remote elements with the operand's."""

    def atomicv(
        self,
        operands: Sequence[Source],
        datatype: Datatype | int,
        op: AtomicOp | int,
        *,
        addr: int,
        key: int,
        descs: Sequence[int] = (),
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """``atomic`` with the operand gathered from several buffers."""
        raise FabricError(Errno.ENOSYS, "fi_atomicv")

    @abstractmethod
    def atomicmsg(
        self,
        operand: Source,
        count: int,
        datatype: Datatype | int,
        op: AtomicOp | int,
        remote: Sequence[RmaIoc],
        *,
        desc: int = 0,
        dest: int = ADDR_UNSPEC,
        data: int = 0,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> None:
        """``atomic`` on several remote segments with flags."""

    @abstractmethod
    def inject_atomic(
        self,
        operand: Source,
        count: int,
        datatype: Datatype | int,
        op: AtomicOp | int,
        *,
        addr: int,
        key: int,
        dest: int = ADDR_UNSPEC,
    ) -> None:
        """``atomic`` with the operand free on return and no completion."""

    @abstractmethod
    def fetch_atomic(
        self,
        operand: Source | None,
        result: Buffer,
        count: int,
        datatype: Datatype | int,
        op: AtomicOp | int,
        *,
        addr: int,
        key: int,
        desc: int = 0,
        result_desc: int = 0,
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """``atomic`` that also returns what was there before. The operand may be None for ATOMIC_READ."""

    def fetch_atomicv(
        self,
        operands: Sequence[Source],
        results: Sequence[Buffer],
        datatype: Datatype | int,
        op: AtomicOp | int,
        *,
        addr: int,
        key: int,
        descs: Sequence[int] = (),
        result_descs: Sequence[int] = (),
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """``fetch_atomic`` with operand and result in several buffers."""
        raise FabricError(Errno.ENOSYS, "fi_fetch_atomicv")

    @abstractmethod
    def fetch_atomicmsg(
        self,
        operand: Source | None,
        result: Buffer,
        count: int,
        datatype: Datatype | int,
        op: AtomicOp | int,
        remote: Sequence[RmaIoc],
        *,
        desc: int = 0,
        result_desc: int = 0,
        dest: int = ADDR_UNSPEC,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> None:
        """``fetch_atomic`` on several remote segments with flags."""

    @abstractmethod
    def compare_atomic(
        self,
        operand: Source,
        compare: Source,
        result: Buffer,
        count: int,
        datatype: Datatype | int,
        op: AtomicOp | int,
        *,
        addr: int,
        key: int,
        desc: int = 0,
        compare_desc: int = 0,
        result_desc: int = 0,
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Replace remote elements where the comparison holds; returns what was there before."""

    def compare_atomicv(
        self,
        operands: Sequence[Source],
        compares: Sequence[Source],
        results: Sequence[Buffer],
        datatype: Datatype | int,
        op: AtomicOp | int,
        *,
        addr: int,
        key: int,
        descs: Sequence[int] = (),
        compare_descs: Sequence[int] = (),
        result_descs: Sequence[int] = (),
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """``compare_atomic`` with operand, comparand and result in several buffers."""
        raise FabricError(Errno.ENOSYS, "fi_compare_atomicv")

    @abstractmethod
    def compare_atomicmsg(
        self,
        operand: Source,
        compare: Source,
        result: Buffer,
        count: int,
        datatype: Datatype | int,
        op: AtomicOp | int,
        remote: Sequence[RmaIoc],
        *,
        desc: int = 0,
        compare_desc: int = 0,
        result_desc: int = 0,
        dest: int = ADDR_UNSPEC,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> None:
        """``compare_atomic`` on several remote segments with flags."""


class ScalableEndpoint(FabricObject):
    """One address, several transmit and receive contexts."""

    @abstractmethod
    def bind(self, obj: FabricObject, flags: Flags = 0) -> None:
        """Attach the address vector."""

    @abstractmethod
    def enable(self) -> None:
        """Make the endpoint ready; its contexts are enabled by themselves."""

    @abstractmethod
    def tx_context(self, index: int, attr: TxAttr | None = None, context: Context | None = None) -> Endpoint:
        """Open transmit context ``index``."""

    @abstractmethod
    def rx_context(self, index: int, attr: RxAttr | None = None, context: Context | None = None) -> Endpoint:
        """Open receive context ``index``; peers name it by ``AddressVector.rx_addr``."""

    @abstractmethod
    def getname(self, size: int = 256) -> tuple[bytes, int]:
        """At most ``size`` bytes of the local address, and the length needed. Raises ETOOSMALL (see ``needed``)."""
