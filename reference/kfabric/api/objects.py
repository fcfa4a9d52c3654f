# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the provider is reached through: provider, fabric, domain, memory regions, address vectors.

Abstract classes, one per object of the model; a backend implements them and adds nothing callers may rely on. A few
late-comers are not abstract and answer ENOSYS, so that an implementation may leave them out. The conventions of the
whole interface are in ``base``; queues are in ``queues``, endpoints in ``endpoint``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from .attr import AtomicAttr, AvAttr, CntrAttr, CqAttr, EqAttr, Info, RxAttr, TxAttr
from .base import Buffer, FabricObject, Flags, RmaIoc, RmaIov, Source
from .constants import AtomicOp, Datatype, Errno
from .endpoint import Endpoint, PassiveEndpoint, ScalableEndpoint
from .errors import FabricError
from .events import Context
from .queues import CompletionQueue, Counter, EventQueue

__all__ = [
    "AddressVector",
    "Buffer",
    "CompletionQueue",
    "Counter",
    "Domain",
    "Endpoint",
    "EventQueue",
    "Fabric",
    "FabricObject",
    "Flags",
    "MemoryRegion",
    "PassiveEndpoint",
    "Provider",
    "RmaIoc",
    "RmaIov",
    "ScalableEndpoint",
    "Source",
]


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
        """Offers that meet the hints, best first. Raises ENODATA when none does.

        Args:
            hints: what is asked for; zero and empty fields ask for nothing, except ``mode`` and ``mr_mode``, where zero
                means that the application takes on no duty. None: no hints at all.
            node: name or address to resolve; the peer's, or with Flag.SOURCE the local one.
            service: port or service name, as ``node``.
            flags: SOURCE, NUMERICHOST, PROV_ATTR_ONLY.
            version: API version to ask for; None: the newest that library and backend share.
        """

    @abstractmethod
    def dupinfo(self, info: Info) -> Info:
        """A deep copy made by the library."""

    @abstractmethod
    def fabric(self, info: Info, context: Context | None = None) -> Fabric:
        """Open the fabric that an offer names."""

    @abstractmethod
    def context(self, user: object = None) -> Context:
        """A fresh operation context."""

    @abstractmethod
    def strerror(self, code: int) -> str:
        """The library's words for an error code (positive or negative)."""

    @abstractmethod
    def tostr(self, value: object, kind: str) -> str:
        """The library's own text for a value; ``kind`` names the C type, e.g. ``"CAPS"``, ``"INFO"``, ``"OP_TYPE"``."""


class Fabric(FabricObject):
    """A network, and what belongs to no domain: passive endpoints and event queues."""

    @abstractmethod
    def domain(self, info: Info, context: Context | None = None) -> Domain:
        """Open the domain (device) that an offer names."""

    @abstractmethod
    def passive_ep(self, info: Info, context: Context | None = None) -> PassiveEndpoint:
        """A listener for connection requests."""

    @abstractmethod
    def eq_open(self, attr: EqAttr | None = None, context: Context | None = None) -> EventQueue:
        """An event queue."""

    @abstractmethod
    def trywait(self, objects: Sequence[FabricObject]) -> bool:
        """True when it is safe to block on the objects' wait objects; False when there is something to read first."""


class Domain(FabricObject):
    """A device: endpoints, queues, counters, address vectors and memory regions belong to it."""

    @abstractmethod
    def endpoint(self, info: Info, context: Context | None = None) -> Endpoint:
        """An active endpoint; with the Info of a CONNREQ event, the answering end of a connection."""

    @abstractmethod
    def scalable_ep(self, info: Info, context: Context | None = None) -> ScalableEndpoint:
        """An endpoint with ``ep_attr.tx_ctx_cnt`` transmit and ``rx_ctx_cnt`` receive contexts."""

    @abstractmethod
    def stx_ctx(self, attr: TxAttr | None, context: Context | None = None) -> FabricObject:
        """A transmit context that endpoints share by binding it."""

    @abstractmethod
    def srx_ctx(self, attr: RxAttr | None, context: Context | None = None) -> Endpoint:
        """A receive context that endpoints share by binding it; receives are posted to it."""

    @abstractmethod
    def cq_open(self, attr: CqAttr | None = None, context: Context | None = None) -> CompletionQueue:
        """A completion queue."""

    @abstractmethod
    def cntr_open(self, attr: CntrAttr | None = None, context: Context | None = None) -> Counter:
        """A counter."""

    @abstractmethod
    def av_open(self, attr: AvAttr | None = None, context: Context | None = None) -> AddressVector:
        """An address vector."""

    @abstractmethod
    def mr_reg(
        self,
        buf: Source,
        access: Flags,
        *,
        offset: int = 0,
        requested_key: int = 0,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> MemoryRegion:
        """Register one buffer, which stays alive as long as the region. Raises ENOKEY, EKEYREJECTED, EBADFLAGS.

        Args:
            buf: the memory; it must be writable unless the rights only let it be read.
            access: rights: SEND, RECV, READ, WRITE (local), REMOTE_READ, REMOTE_WRITE.
            offset: reserved, 0.
            requested_key: the key, where the provider does not choose it (mr_mode PROV_KEY).
            flags: registration flags, e.g. RMA_PMEM, RMA_EVENT.
            context: comes back in the event of an asynchronous registration.
        """

    @abstractmethod
    def mr_regv(
        self,
        bufs: Sequence[Source],
        access: Flags,
        *,
        offset: int = 0,
        requested_key: int = 0,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> MemoryRegion:
        """Register several buffers under one key."""

    @abstractmethod
    def mr_regattr(
        self,
        bufs: Sequence[Source],
        access: Flags,
        *,
        offset: int = 0,
        requested_key: int = 0,
        flags: Flags = 0,
        auth_key: bytes = b"",
        context: Context | None = None,
    ) -> MemoryRegion:
        """Register with the attribute structure, which also takes an authorization key."""

    def map_raw(self, base_address: int, raw_key: bytes, flags: Flags = 0) -> int:
        """The key that names a peer's region of mr_mode RAW here."""
        raise FabricError(Errno.ENOSYS, "fi_mr_map_raw")

    def unmap_key(self, key: int) -> None:
        """Give back a key that ``map_raw`` made."""
        raise FabricError(Errno.ENOSYS, "fi_mr_unmap_key")

    @abstractmethod
    def bind(self, obj: FabricObject, flags: Flags = 0) -> None:
        """Attach an event queue, for asynchronous operations of the domain."""

    @abstractmethod
    def query_atomic(self, datatype: Datatype | int, op: AtomicOp | int, flags: Flags = 0) -> AtomicAttr:
        """What the domain supports; flags FETCH_ATOMIC or COMPARE_ATOMIC choose the kind. Raises EOPNOTSUPP."""


class MemoryRegion(FabricObject):
    """Registered memory."""

    @property
    @abstractmethod
    def desc(self) -> int:
        """Local descriptor (0: NULL)."""

    @property
    @abstractmethod
    def key(self) -> int:
        """What peers name the region by; KEY_NOTAVAIL while it has none."""

    @property
    @abstractmethod
    def address(self) -> int:
        """Virtual address of the first byte."""

    @abstractmethod
    def bind(self, obj: FabricObject, flags: Flags = 0) -> None:
        """Attach a counter (mr_mode RMA_EVENT) or an endpoint (mr_mode ENDPOINT), before ``enable``."""

    @abstractmethod
    def enable(self) -> None:
        """Make the region usable, where mr_mode RMA_EVENT or ENDPOINT ask for that."""

    @abstractmethod
    def raw_attr(self, flags: Flags = 0) -> tuple[int, bytes]:
        """Base address and raw key (``FI_MR_RAW``)."""

    def refresh(self, bufs: Sequence[Buffer], flags: Flags = 0) -> None:
        """Tell the provider that the pages behind parts of the region changed (mr_mode MMU_NOTIFY)."""
        raise FabricError(Errno.ENOSYS, "fi_mr_refresh")


class AddressVector(FabricObject):
    """Addresses of peers, named by handles (``fi_addr_t``)."""

    attr: AvAttr

    @abstractmethod
    def bind(self, obj: FabricObject, flags: Flags = 0) -> None:
        """Attach the event queue that reports asynchronous insertions."""

    @abstractmethod
    def insert(
        self, addresses: Sequence[bytes], flags: Flags = 0, context: Context | None = None
    ) -> tuple[int, list[int]]:
        """Insert raw addresses (one size each). Returns the C return value and one handle each.

        With flag EVENT the handles are valid when the event says so, and are then found with ``pending_handles``.
        """

    def pending_handles(self, context: Context | None = None) -> list[int]:
        """The handles of the asynchronous insertion that ``context`` named, as they stand now."""
        raise FabricError(Errno.ENOSYS, "fi_av_insert")

    @abstractmethod
    def insert_sync_err(self, addresses: Sequence[bytes], flags: Flags = 0) -> tuple[int, list[int], list[int]]:
        """Insert with FI_SYNC_ERR. Returns the C return value, the handles and one positive status each."""

    @abstractmethod
    def insertsvc(self, node: str, service: str, flags: Flags = 0) -> tuple[int, int]:
        """Insert what a name and a service resolve to. Returns the C return value and the handle."""

    @abstractmethod
    def insertsym(self, node: str, nodecnt: int, service: str, svccnt: int, flags: Flags = 0) -> tuple[int, list[int]]:
        """Insert consecutive nodes and services, the services running fastest."""

    @abstractmethod
    def remove(self, handles: Sequence[int], flags: Flags = 0) -> None:
        """Forget addresses."""

    @abstractmethod
    def lookup(self, handle: int, size: int = 256) -> tuple[bytes, int]:
        """Copy at most ``size`` bytes of the address. Returns them and the length that is needed."""

    @abstractmethod
    def straddr(self, address: bytes) -> str:
        """The provider's text for a raw address."""

    def straddr_sized(self, address: bytes, size: int) -> tuple[bytes, int]:
        """The raw call with room for ``size`` bytes. Returns the bytes before the first NUL there, and ``len``."""
        raise FabricError(Errno.ENOSYS, "fi_av_straddr")

    @staticmethod
    def rx_addr(handle: int, index: int, rx_ctx_bits: int) -> int:
        """The handle that names receive context ``index`` of a scalable endpoint."""
        return handle if rx_ctx_bits == 0 else (index << (64 - rx_ctx_bits)) | handle
