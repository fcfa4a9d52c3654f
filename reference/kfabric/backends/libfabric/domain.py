# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Domains: everything that transfers data or hears of it is opened here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kfabric._native import ffi
from kfabric.api import (
    AtomicAttr,
    AtomicOp,
    AvAttr,
    CntrAttr,
    Context,
    CqAttr,
    Datatype,
    Domain,
    Flag,
    Flags,
    Info,
    RxAttr,
    Source,
    TxAttr,
)

from .._loader import roomy
from .av import LibfabricAddressVector
from .calls import NULL, done, slot
from .cntr import LibfabricCounter
from .cq import LibfabricCompletionQueue
from .endpoint import LibfabricEndpoint
from .fid import FidObject, opened
from .info import RX, TX, record_to_open, updated, write
from .memory import context_pointer, iovec, source, target
from .mr import LibfabricMemoryRegion
from .scalable import LibfabricScalableEndpoint, LibfabricSharedTx

MAP_RAW_MR = 9
UNMAP_KEY = 10
_ONLY_READ = Flag.SEND | Flag.WRITE | Flag.REMOTE_READ


class LibfabricDomain(FidObject, Domain):
    """``struct fid_domain``."""

    # -- endpoints -----------------------------------------------------------------------------------------------------
    def endpoint(self, info: Info, context: Context | None = None) -> LibfabricEndpoint:
        """Open an active endpoint; with the Info of a CONNREQ event, the answering end of that connection."""
        record = record_to_open(info, self._library)
        it = self._open("endpoint", "fi_endpoint", "struct fid_ep", record, context)
        return LibfabricEndpoint(self._library, it, context, self, record)

    def scalable_ep(self, info: Info, context: Context | None = None) -> LibfabricScalableEndpoint:
        """Open an endpoint with several transmit and receive contexts."""
        record = record_to_open(info, self._library)
        it = self._open("scalable_ep", "fi_scalable_ep", "struct fid_ep", record, context)
        return LibfabricScalableEndpoint(self._library, it, context, self, record)

    def stx_ctx(self, attr: TxAttr | None, context: Context | None = None) -> LibfabricSharedTx:
        """Open a transmit context that endpoints share by binding it."""
        struct = NULL
        if attr is not None:
            write(struct := roomy("struct fi_tx_attr"), attr, TX)
        it = self._open("stx_ctx", "fi_stx_context", "struct fid_stx", struct, context)
        return LibfabricSharedTx(self._library, it, context, self)

    def srx_ctx(self, attr: RxAttr | None, context: Context | None = None) -> LibfabricEndpoint:
        """Open a receive context that endpoints share by binding it; receives are posted to it."""
        struct = NULL
        if attr is not None:
            write(struct := roomy("struct fi_rx_attr"), attr, RX)
        it = self._open("srx_ctx", "fi_srx_context", "struct fid_ep", struct, context)
        endpoint = LibfabricEndpoint(self._library, it, context, self)
        endpoint.rx_attr = None if attr is None else updated(attr, struct, RX)
        return endpoint

    # -- queues, counters, addresses -----------------------------------------------------------------------------------
    def cq_open(self, attr: CqAttr | None = None, context: Context | None = None) -> LibfabricCompletionQueue:
        """Open a completion queue."""
        asked = attr or CqAttr()
        struct = roomy("struct fi_cq_attr")
        struct.size, struct.flags, struct.format = asked.size, int(asked.flags), int(asked.format)
        struct.wait_obj, struct.signaling_vector = int(asked.wait_obj), asked.signaling_vector
        struct.wait_cond = int(asked.wait_cond_threshold)
        it = self._open("cq_open", "fi_cq_open", "struct fid_cq", struct, context)
        return LibfabricCompletionQueue(self._library, it, context, self, asked, struct)

    def cntr_open(self, attr: CntrAttr | None = None, context: Context | None = None) -> LibfabricCounter:
        """Open a counter of completions."""
        asked = attr or CntrAttr()
        struct = roomy("struct fi_cntr_attr")
        struct.wait_obj, struct.flags = int(asked.wait_obj), int(asked.flags)
        it = self._open("cntr_open", "fi_cntr_open", "struct fid_cntr", struct, context)
        return LibfabricCounter(self._library, it, context, self, asked, struct)

    def av_open(self, attr: AvAttr | None = None, context: Context | None = None) -> LibfabricAddressVector:
        """Open an address vector."""
        asked = attr or AvAttr()
        struct = roomy("struct fi_av_attr")
        name = ffi.new("char[]", asked.name.encode()) if asked.name else NULL
        struct.type, struct.rx_ctx_bits, struct.count = int(asked.type), asked.rx_ctx_bits, asked.count
        struct.ep_per_node, struct.name, struct.flags = asked.ep_per_node, name, int(asked.flags)
        it = self._open("av_open", "fi_av_open", "struct fid_av", struct, context)
        return LibfabricAddressVector(self._library, it, context, self, asked, struct)

    # -- memory --------------------------------------------------------------------------------------------------------
    def mr_reg(
        self,
        buf: Source,
        access: Flags,
        *,
        offset: int = 0,
        requested_key: int = 0,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> LibfabricMemoryRegion:
        """Register one buffer; it stays alive as long as the region does."""
        (cbuf,) = _memory((buf,), access)
        out = ffi.new("struct fid_mr **")
        register = slot(self._it.mr, "reg", "fi_mr_reg")
        user = context_pointer(context)
        code = register(self._base, cbuf, len(cbuf), int(access), offset, requested_key, int(flags), out, user)
        done(code, "fi_mr_reg")
        return LibfabricMemoryRegion(self._library, out[0], context, self, (cbuf,))

    def mr_regv(
        self,
        bufs: Sequence[Source],
        access: Flags,
        *,
        offset: int = 0,
        requested_key: int = 0,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> LibfabricMemoryRegion:
        """Register several buffers under one key."""
        cbufs = _memory(bufs, access)
        vector = iovec(cbufs)
        out = ffi.new("struct fid_mr **")
        register = slot(self._it.mr, "regv", "fi_mr_regv")
        user = context_pointer(context)
        code = register(self._base, vector, len(cbufs), int(access), offset, requested_key, int(flags), out, user)
        done(code, "fi_mr_regv")
        return LibfabricMemoryRegion(self._library, out[0], context, self, cbufs)

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
    ) -> LibfabricMemoryRegion:
        """Register with the attribute structure."""
        cbufs = _memory(bufs, access)
        vector = iovec(cbufs)
        key = ffi.new("uint8_t[]", auth_key or b"\0")
        struct = roomy("struct fi_mr_attr")
        struct.mr_iov, struct.iov_count = vector, len(cbufs)
        struct.access, struct.offset, struct.requested_key = int(access), offset, requested_key
        struct.context = context_pointer(context)
        struct.auth_key_size, struct.auth_key = len(auth_key), key if auth_key else NULL
        out = ffi.new("struct fid_mr **")
        register = slot(self._it.mr, "regattr", "fi_mr_regattr")
        done(register(self._base, struct, int(flags), out), "fi_mr_regattr")
        return LibfabricMemoryRegion(self._library, out[0], context, self, cbufs)

    def map_raw(self, base_address: int, raw_key: bytes, flags: Flags = 0) -> int:
        """Return the key that names a peer's region of mr_mode RAW here."""
        key = ffi.new("uint64_t *")
        raw = ffi.new("uint8_t[]", raw_key or b"\0")
        struct = ffi.new("struct fi_mr_map_raw *")
        struct.flags, struct.base_addr, struct.raw_key = int(flags), base_address, raw
        struct.key_size, struct.key = len(raw_key), key
        self._control(MAP_RAW_MR, struct)
        return int(key[0])

    def unmap_key(self, key: int) -> None:
        """Give back a key that ``map_raw`` made."""
        self._control(UNMAP_KEY, ffi.new("uint64_t *", key))

    # -- the rest ------------------------------------------------------------------------------------------------------
    def query_atomic(self, datatype: Datatype | int, op: AtomicOp | int, flags: Flags = 0) -> AtomicAttr:
        """Return what the domain supports. Raises FabricError(EOPNOTSUPP), or ENOSYS where nobody can say."""
        struct = roomy("struct fi_atomic_attr")
        query = slot(self._it.ops, "query_atomic", "fi_query_atomic")
        done(query(self._it, int(datatype), int(op), struct, int(flags)), "fi_query_atomic")
        return AtomicAttr(struct.count, struct.size)

    def _open(self, name: str, call: str, kind: str, arg: Any, context: Context | None) -> Any:
        return opened(self._it.ops, name, call, kind, self._it, arg, context=context)


def _memory(bufs: Sequence[Source], access: Flags) -> tuple[Any, ...]:
    """Buffers to register: they must be writable unless the rights only let them be read."""
    if int(access) & ~int(_ONLY_READ):
        return tuple(target(buf) for buf in bufs)  # type: ignore[arg-type]
    return tuple(source(buf) for buf in bufs)
