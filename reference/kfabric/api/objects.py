# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The one interface: what every provider looks like to Python.

Abstract classes, one per object of the model; a backend implements them and adds nothing callers may rely on.
Conventions. A refused call raises ``FabricError``; in particular a full queue raises it with ``EAGAIN``, and so does an
empty completion queue: reads return an empty list instead. Buffers are writable contiguous objects with the buffer
protocol (``bytearray``, ``memoryview``, ``mmap``); a backend keeps a buffer alive until its endpoint is closed or the
context is reused, never copies it, and passes its address to the provider. ``desc`` is ``MemoryRegion.desc`` or None.
Addresses of peers are integers (``fi_addr_t``). Timeouts are milliseconds, negative for ever. Every object closes once
(``close``), is a context manager, and raises ``UsageError`` when used after that. ``fid`` is the raw object pointer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from .attr import AtomicAttr, AvAttr, CntrAttr, CqAttr, EqAttr, Info, RxAttr, TxAttr
from .constants import (
    ADDR_UNSPEC,
    AtomicOp,
    ControlCommand,
    Datatype,
    EpOption,
    EqEventKind,
    Flag,
    OpFlag,
)
from .events import Completion, Context, EqError, EqEvent, ErrorCompletion

Flags = Flag | OpFlag | int
"""Where a call takes flags, any of the flag words."""
Buffer = bytearray | memoryview


@dataclass(frozen=True)
class RmaIov:
    """A remote segment: ``addr`` (offset or virtual address by mr_mode), ``len`` bytes, ``key``."""

    addr: int
    len: int
    key: int


@dataclass(frozen=True)
class RmaIoc:
    """A remote atomic segment: ``count`` elements at ``addr`` under ``key``."""

    addr: int
    count: int
    key: int


class FabricObject(ABC):
    """Anything that can be closed."""

    @property
    @abstractmethod
    def fid(self) -> int:
        """Raw object pointer, as events report it."""

    @abstractmethod
    def close(self) -> None:
        """Release the object. Raises FabricError(EBUSY) while others depend on it; it then stays usable."""

    @property
    @abstractmethod
    def closed(self) -> bool: ...

    def control(self, command: ControlCommand | int, arg: object = None) -> int:
        """Raw control call; ``arg`` is an int, a writable buffer or None. Returns the non-negative result."""
        raise NotImplementedError

    def open_ops(self, name: str, flags: Flags = 0) -> object:
        """Open a provider's named extension table; returns the backend's opaque pointer. Raises ENOSYS when absent."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if not self.closed:
            self.close()


class Provider(ABC):
    """A way to reach providers: the root of everything (one per backend and library)."""

    name: str

    @abstractmethod
    def version(self) -> tuple[int, int]:
        """API version of the library that was loaded."""

    @abstractmethod
    def getinfo(
        self,
        hints: Info | None = None,
        *,
        node: str | None = None,
        service: str | None = None,
        flags: Flags = 0,
        version: tuple[int, int] | None = None,
    ) -> list[Info]:
        """Offers that meet the hints, best first. Raises ENODATA when none does."""

    @abstractmethod
    def dupinfo(self, info: Info) -> Info:
        """A deep copy made by the library."""

    @abstractmethod
    def fabric(self, info: Info, context: Context | None = None) -> Fabric: ...

    @abstractmethod
    def context(self, user: object = None) -> Context:
        """A fresh operation context."""

    @abstractmethod
    def strerror(self, code: int) -> str: ...

    @abstractmethod
    def tostr(self, value: object, kind: str) -> str:
        """The library's own text for a value; ``kind`` names the C type, e.g. ``"CAPS"``, ``"INFO"``, ``"OP_TYPE"``."""


class Fabric(FabricObject):
    @abstractmethod
    def domain(self, info: Info, context: Context | None = None) -> Domain: ...
    @abstractmethod
    def passive_ep(self, info: Info, context: Context | None = None) -> PassiveEndpoint: ...
    @abstractmethod
    def eq_open(self, attr: EqAttr | None = None, context: Context | None = None) -> EventQueue: ...
    @abstractmethod
    def trywait(self, objects: Sequence[FabricObject]) -> bool:
        """True when it is safe to block on the objects' wait objects; False when there is something to read first."""


class Domain(FabricObject):
    @abstractmethod
    def endpoint(self, info: Info, context: Context | None = None) -> Endpoint: ...
    @abstractmethod
    def scalable_ep(self, info: Info, context: Context | None = None) -> ScalableEndpoint: ...
    @abstractmethod
    def stx_ctx(self, attr: TxAttr | None, context: Context | None = None) -> FabricObject:
        """A transmit context that endpoints share by binding it."""

    @abstractmethod
    def srx_ctx(self, attr: RxAttr | None, context: Context | None = None) -> Endpoint:
        """A receive context that endpoints share by binding it; receives are posted to it."""

    @abstractmethod
    def cq_open(self, attr: CqAttr | None = None, context: Context | None = None) -> CompletionQueue: ...
    @abstractmethod
    def cntr_open(self, attr: CntrAttr | None = None, context: Context | None = None) -> Counter: ...
    @abstractmethod
    def av_open(self, attr: AvAttr | None = None, context: Context | None = None) -> AddressVector: ...
    @abstractmethod
    def mr_reg(
        self,
        buf: Buffer,
        access: Flags,
        *,
        offset: int = 0,
        requested_key: int = 0,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> MemoryRegion: ...
    @abstractmethod
    def mr_regv(
        self,
        bufs: Sequence[Buffer],
        access: Flags,
        *,
        offset: int = 0,
        requested_key: int = 0,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> MemoryRegion: ...
    @abstractmethod
    def mr_regattr(
        self,
        bufs: Sequence[Buffer],
        access: Flags,
        *,
        offset: int = 0,
        requested_key: int = 0,
        flags: Flags = 0,
        auth_key: bytes = b"",
        context: Context | None = None,
    ) -> MemoryRegion: ...
    @abstractmethod
    def bind(self, obj: FabricObject, flags: Flags = 0) -> None: ...
    @abstractmethod
    def query_atomic(self, datatype: Datatype, op: AtomicOp, flags: Flags = 0) -> AtomicAttr:
        """What the domain supports; flags FETCH_ATOMIC or COMPARE_ATOMIC choose the kind. Raises EOPNOTSUPP."""


class MemoryRegion(FabricObject):
    @property
    @abstractmethod
    def desc(self) -> int:
        """Local descriptor (0: NULL)."""

    @property
    @abstractmethod
    def key(self) -> int: ...
    @property
    @abstractmethod
    def address(self) -> int:
        """Virtual address of the first byte."""

    @abstractmethod
    def bind(self, obj: FabricObject, flags: Flags = 0) -> None: ...
    @abstractmethod
    def enable(self) -> None: ...
    @abstractmethod
    def raw_attr(self, flags: Flags = 0) -> tuple[int, bytes]:
        """Base address and raw key (``FI_MR_RAW``)."""


class AddressVector(FabricObject):
    @abstractmethod
    def bind(self, obj: FabricObject, flags: Flags = 0) -> None: ...
    @abstractmethod
    def insert(
        self, addresses: Sequence[bytes], flags: Flags = 0, context: Context | None = None
    ) -> tuple[int, list[int]]:
        """Insert raw addresses (one size each). Returns the C return value and one handle each."""

    @abstractmethod
    def insert_sync_err(self, addresses: Sequence[bytes], flags: Flags = 0) -> tuple[int, list[int], list[int]]:
        """Insert with FI_SYNC_ERR. Returns the C return value, the handles and one positive status each."""

    @abstractmethod
    def insertsvc(self, node: str, service: str, flags: Flags = 0) -> tuple[int, int]: ...
    @abstractmethod
    def insertsym(self, node: str, nodecnt: int, service: str, svccnt: int, flags: Flags = 0) -> tuple[int, list[int]]: ...
    @abstractmethod
    def remove(self, handles: Sequence[int], flags: Flags = 0) -> None: ...
    @abstractmethod
    def lookup(self, handle: int, size: int = 256) -> tuple[bytes, int]:
        """Copy at most ``size`` bytes of the address. Returns them and the length that is needed."""

    @abstractmethod
    def straddr(self, address: bytes) -> str: ...
    @staticmethod
    def rx_addr(handle: int, index: int, rx_ctx_bits: int) -> int:
        """The handle that names receive context ``index`` of a scalable endpoint."""
        return handle if rx_ctx_bits == 0 else (index << (64 - rx_ctx_bits)) | handle


class CompletionQueue(FabricObject):
    format: int

    @abstractmethod
    def read(self, count: int = 1) -> list[Completion]:
        """Up to ``count`` entries; empty when there is none. Raises EAVAIL while an error entry is at the head."""

    @abstractmethod
    def readfrom(self, count: int = 1) -> list[Completion]: ...
    @abstractmethod
    def sread(self, count: int = 1, *, timeout: int = -1, threshold: int | None = None) -> list[Completion]:
        """Like ``read``, but waits. Empty after a timeout or a signal: ``last_code`` holds the C return value."""

    @abstractmethod
    def sreadfrom(self, count: int = 1, *, timeout: int = -1, threshold: int | None = None) -> list[Completion]: ...
    @abstractmethod
    def readerr(self, flags: Flags = 0, err_data_size: int = 0) -> ErrorCompletion | None:
        """The error entry at the head, or None when there is none."""

    @abstractmethod
    def signal(self) -> None: ...
    @abstractmethod
    def strerror(self, prov_errno: int, err_data: bytes = b"") -> str: ...
    @property
    @abstractmethod
    def last_code(self) -> int:
        """The C return value of the latest read of any kind on this queue (negative code, or count)."""

    @abstractmethod
    def wait_fd(self) -> int:
        """File descriptor of a queue opened with WaitObj.FD."""


class EventQueue(FabricObject):
    @abstractmethod
    def read(self, *, flags: Flags = 0, size: int = 1024) -> EqEvent | None:
        """The next event or None. Flag PEEK leaves it. ``size`` is the room given, in bytes. Raises EAVAIL, ETOOSMALL."""

    @abstractmethod
    def sread(self, *, timeout: int = -1, flags: Flags = 0, size: int = 1024) -> EqEvent | None: ...
    @abstractmethod
    def readerr(self, flags: Flags = 0) -> EqError | None: ...
    @abstractmethod
    def write(self, kind: EqEventKind | int, *, fid: int = 0, context: int = 0, data: int = 0, flags: Flags = 0) -> int: ...
    @abstractmethod
    def strerror(self, prov_errno: int, err_data: bytes = b"") -> str: ...
    @property
    @abstractmethod
    def last_code(self) -> int: ...


class Counter(FabricObject):
    @abstractmethod
    def read(self) -> int: ...
    @abstractmethod
    def readerr(self) -> int: ...
    @abstractmethod
    def add(self, value: int) -> None: ...
    @abstractmethod
    def set(self, value: int) -> None: ...
    @abstractmethod
    def adderr(self, value: int) -> None: ...
    @abstractmethod
    def seterr(self, value: int) -> None: ...
    @abstractmethod
    def wait(self, threshold: int, timeout: int = -1) -> None:
        """Return when the value is at least ``threshold``. Raises ETIMEDOUT, EAVAIL (an operation failed)."""


class PassiveEndpoint(FabricObject):
    @abstractmethod
    def bind(self, obj: FabricObject, flags: Flags = 0) -> None: ...
    @abstractmethod
    def listen(self) -> None: ...
    @abstractmethod
    def reject(self, request: EqEvent, param: bytes = b"") -> None:
        """Refuse a CONNREQ event."""

    @abstractmethod
    def getname(self, size: int = 256) -> tuple[bytes, int]:
        """At most ``size`` bytes of the local address, and the length needed. Raises ETOOSMALL as the C call does."""

    @abstractmethod
    def setname(self, address: bytes) -> None: ...
    @abstractmethod
    def getopt(self, option: EpOption | int, size: int = 8) -> int: ...
    @abstractmethod
    def setopt(self, option: EpOption | int, value: int, size: int = 8) -> None: ...


class Endpoint(FabricObject):
    """An active endpoint, or one transmit or receive context of a scalable one, or a shared receive context.

    Data calls return None when posted and raise FabricError otherwise (EAGAIN: nothing happened, try again after
    driving progress). The plain calls map to the plain C calls (send, tsend, write, ...); ``*v`` to the vector calls;
    ``*msg`` to the calls with flags.
    """

    # -- set-up ---------------------------------------------------------------------------------------------------
    @abstractmethod
    def bind(self, obj: FabricObject, flags: Flags = 0) -> None: ...
    @abstractmethod
    def enable(self) -> None: ...
    @abstractmethod
    def alias(self, flags: Flags) -> Endpoint: ...
    @abstractmethod
    def getopt(self, option: EpOption | int, size: int = 8) -> int: ...
    @abstractmethod
    def setopt(self, option: EpOption | int, value: int, size: int = 8) -> None: ...
    @abstractmethod
    def get_ops_flags(self, direction: Flags) -> int: ...
    @abstractmethod
    def set_ops_flags(self, flags: Flags) -> None: ...
    @abstractmethod
    def cancel(self, context: Context) -> int:
        """Ask to cancel; returns the C return value (0 or a negative code)."""

    @abstractmethod
    def getname(self, size: int = 256) -> tuple[bytes, int]: ...
    @abstractmethod
    def setname(self, address: bytes) -> None: ...
    @abstractmethod
    def getpeer(self, size: int = 256) -> tuple[bytes, int]: ...
    @abstractmethod
    def connect(self, address: bytes, param: bytes = b"") -> None: ...
    @abstractmethod
    def accept(self, param: bytes = b"") -> None: ...
    @abstractmethod
    def shutdown(self, flags: Flags = 0) -> None: ...
    @abstractmethod
    def tx_size_left(self) -> int: ...
    @abstractmethod
    def rx_size_left(self) -> int: ...

    # -- messages -------------------------------------------------------------------------------------------------
    @abstractmethod
    def send(self, buf: Buffer, *, desc: int = 0, dest: int = ADDR_UNSPEC, context: Context | None = None) -> None: ...
    @abstractmethod
    def sendv(self, bufs: Sequence[Buffer], *, descs: Sequence[int] = (), dest: int = ADDR_UNSPEC, context: Context | None = None) -> None: ...
    @abstractmethod
    def sendmsg(self, bufs: Sequence[Buffer], *, descs: Sequence[int] = (), dest: int = ADDR_UNSPEC, data: int = 0, flags: Flags = 0, context: Context | None = None) -> None: ...
    @abstractmethod
    def senddata(self, buf: Buffer, data: int, *, desc: int = 0, dest: int = ADDR_UNSPEC, context: Context | None = None) -> None: ...
    @abstractmethod
    def inject(self, buf: Buffer, *, dest: int = ADDR_UNSPEC) -> None: ...
    @abstractmethod
    def injectdata(self, buf: Buffer, data: int, *, dest: int = ADDR_UNSPEC) -> None: ...
    @abstractmethod
    def recv(self, buf: Buffer, *, desc: int = 0, src: int = ADDR_UNSPEC, context: Context | None = None) -> None: ...
    @abstractmethod
    def recvv(self, bufs: Sequence[Buffer], *, descs: Sequence[int] = (), src: int = ADDR_UNSPEC, context: Context | None = None) -> None: ...
    @abstractmethod
    def recvmsg(self, bufs: Sequence[Buffer], *, descs: Sequence[int] = (), src: int = ADDR_UNSPEC, data: int = 0, flags: Flags = 0, context: Context | None = None) -> None: ...

    # -- tagged ---------------------------------------------------------------------------------------------------
    @abstractmethod
    def tsend(self, buf: Buffer, tag: int, *, desc: int = 0, dest: int = ADDR_UNSPEC, context: Context | None = None) -> None: ...
    @abstractmethod
    def tsendv(self, bufs: Sequence[Buffer], tag: int, *, descs: Sequence[int] = (), dest: int = ADDR_UNSPEC, context: Context | None = None) -> None: ...
    @abstractmethod
    def tsendmsg(self, bufs: Sequence[Buffer], tag: int, *, ignore: int = 0, descs: Sequence[int] = (), dest: int = ADDR_UNSPEC, data: int = 0, flags: Flags = 0, context: Context | None = None) -> None: ...
    @abstractmethod
    def tsenddata(self, buf: Buffer, data: int, tag: int, *, desc: int = 0, dest: int = ADDR_UNSPEC, context: Context | None = None) -> None: ...
    @abstractmethod
    def tinject(self, buf: Buffer, tag: int, *, dest: int = ADDR_UNSPEC) -> None: ...
    @abstractmethod
    def tinjectdata(self, buf: Buffer, data: int, tag: int, *, dest: int = ADDR_UNSPEC) -> None: ...
    @abstractmethod
    def trecv(self, buf: Buffer, tag: int, *, ignore: int = 0, desc: int = 0, src: int = ADDR_UNSPEC, context: Context | None = None) -> None: ...
    @abstractmethod
    def trecvv(self, bufs: Sequence[Buffer], tag: int, *, ignore: int = 0, descs: Sequence[int] = (), src: int = ADDR_UNSPEC, context: Context | None = None) -> None: ...
    @abstractmethod
    def trecvmsg(self, bufs: Sequence[Buffer], tag: int, *, ignore: int = 0, descs: Sequence[int] = (), src: int = ADDR_UNSPEC, data: int = 0, flags: Flags = 0, context: Context | None = None) -> None: ...

    # -- remote memory access -------------------------------------------------------------------------------------
    @abstractmethod
    def read(self, buf: Buffer, *, addr: int, key: int, desc: int = 0, src: int = ADDR_UNSPEC, context: Context | None = None) -> None: ...
    @abstractmethod
    def readv(self, bufs: Sequence[Buffer], *, addr: int, key: int, descs: Sequence[int] = (), src: int = ADDR_UNSPEC, context: Context | None = None) -> None: ...
    @abstractmethod
    def readmsg(self, bufs: Sequence[Buffer], remote: Sequence[RmaIov], *, descs: Sequence[int] = (), src: int = ADDR_UNSPEC, flags: Flags = 0, context: Context | None = None) -> None: ...
    @abstractmethod
    def write(self, buf: Buffer, *, addr: int, key: int, desc: int = 0, dest: int = ADDR_UNSPEC, context: Context | None = None) -> None: ...
    @abstractmethod
    def writev(self, bufs: Sequence[Buffer], *, addr: int, key: int, descs: Sequence[int] = (), dest: int = ADDR_UNSPEC, context: Context | None = None) -> None: ...
    @abstractmethod
    def writemsg(self, bufs: Sequence[Buffer], remote: Sequence[RmaIov], *, descs: Sequence[int] = (), dest: int = ADDR_UNSPEC, data: int = 0, flags: Flags = 0, context: Context | None = None) -> None: ...
    @abstractmethod
    def writedata(self, buf: Buffer, data: int, *, addr: int, key: int, desc: int = 0, dest: int = ADDR_UNSPEC, context: Context | None = None) -> None: ...
    @abstractmethod
    def inject_write(self, buf: Buffer, *, addr: int, key: int, dest: int = ADDR_UNSPEC) -> None: ...
    @abstractmethod
    def inject_writedata(self, buf: Buffer, data: int, *, addr: int, key: int, dest: int = ADDR_UNSPEC) -> None: ...

    # -- atomics --------------------------------------------------------------------------------------------------
    @abstractmethod
    def atomic_valid(self, kind: str, datatype: Datatype | int, op: AtomicOp | int) -> int:
        """Elements per operation that the endpoint takes; ``kind`` is "base", "fetch" or "compare". Raises EOPNOTSUPP."""

    @abstractmethod
    def atomic(self, operand: Buffer, count: int, datatype: Datatype | int, op: AtomicOp | int, *, addr: int, key: int, desc: int = 0, dest: int = ADDR_UNSPEC, context: Context | None = None) -> None: ...
    @abstractmethod
    def atomicmsg(self, operand: Buffer, count: int, datatype: Datatype | int, op: AtomicOp | int, remote: Sequence[RmaIoc], *, desc: int = 0, dest: int = ADDR_UNSPEC, data: int = 0, flags: Flags = 0, context: Context | None = None) -> None: ...
    @abstractmethod
    def inject_atomic(self, operand: Buffer, count: int, datatype: Datatype | int, op: AtomicOp | int, *, addr: int, key: int, dest: int = ADDR_UNSPEC) -> None: ...
    @abstractmethod
    def fetch_atomic(self, operand: Buffer | None, result: Buffer, count: int, datatype: Datatype | int, op: AtomicOp | int, *, addr: int, key: int, desc: int = 0, result_desc: int = 0, dest: int = ADDR_UNSPEC, context: Context | None = None) -> None: ...
    @abstractmethod
    def fetch_atomicmsg(self, operand: Buffer | None, result: Buffer, count: int, datatype: Datatype | int, op: AtomicOp | int, remote: Sequence[RmaIoc], *, desc: int = 0, result_desc: int = 0, dest: int = ADDR_UNSPEC, flags: Flags = 0, context: Context | None = None) -> None: ...
    @abstractmethod
    def compare_atomic(self, operand: Buffer, compare: Buffer, result: Buffer, count: int, datatype: Datatype | int, op: AtomicOp | int, *, addr: int, key: int, desc: int = 0, compare_desc: int = 0, result_desc: int = 0, dest: int = ADDR_UNSPEC, context: Context | None = None) -> None: ...
    @abstractmethod
    def compare_atomicmsg(self, operand: Buffer, compare: Buffer, result: Buffer, count: int, datatype: Datatype | int, op: AtomicOp | int, remote: Sequence[RmaIoc], *, desc: int = 0, compare_desc: int = 0, result_desc: int = 0, dest: int = ADDR_UNSPEC, flags: Flags = 0, context: Context | None = None) -> None: ...


class ScalableEndpoint(FabricObject):
    @abstractmethod
    def bind(self, obj: FabricObject, flags: Flags = 0) -> None: ...
    @abstractmethod
    def enable(self) -> None: ...
    @abstractmethod
    def tx_context(self, index: int, attr: TxAttr | None = None, context: Context | None = None) -> Endpoint: ...
    @abstractmethod
    def rx_context(self, index: int, attr: RxAttr | None = None, context: Context | None = None) -> Endpoint: ...
    @abstractmethod
    def getname(self, size: int = 256) -> tuple[bytes, int]: ...
