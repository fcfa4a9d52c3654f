# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Atomics: ``struct fi_ops_atomic``.

C counts elements where it means bytes of memory, so a count that the buffer cannot hold is refused here (UsageError)
before a provider reads or writes behind its end. Types that only the provider knows are not checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kfabric._native import ffi
from kfabric.api import ADDR_UNSPEC, AtomicOp, Buffer, Context, Datatype, Flags, RmaIoc, Source, UsageError

from .calls import NULL, done, slot
from .memory import desc_pointer, rma_ioc, source, target
from .memory import descs as desc_list
from .posting import Posting

ELEMENT_SIZE: dict[int, int] = {
    Datatype.INT8: 1,
    Datatype.UINT8: 1,
    Datatype.INT16: 2,
    Datatype.UINT16: 2,
    Datatype.INT32: 4,
    Datatype.UINT32: 4,
    Datatype.INT64: 8,
    Datatype.UINT64: 8,
    Datatype.FLOAT: 4,
    Datatype.DOUBLE: 8,
    Datatype.FLOAT_COMPLEX: 8,
    Datatype.DOUBLE_COMPLEX: 16,
    Datatype.LONG_DOUBLE: ffi.sizeof("long double"),
    Datatype.LONG_DOUBLE_COMPLEX: 2 * ffi.sizeof("long double"),
    Datatype.INT128: 16,
    Datatype.UINT128: 16,
    Datatype.FLOAT16: 2,
    Datatype.BFLOAT16: 2,
    Datatype.FLOAT8_E4M3: 1,
    Datatype.FLOAT8_E5M2: 1,
}
"""Bytes of one element."""

_VALID = {
    "base": ("writevalid", "fi_atomicvalid"),
    "fetch": ("readwritevalid", "fi_fetch_atomicvalid"),
    "compare": ("compwritevalid", "fi_compare_atomicvalid"),
}


def _fits(cbuf: Any, count: int, datatype: int) -> Any:
    """The buffer, if it holds ``count`` elements."""
    size = ELEMENT_SIZE.get(datatype)
    if size is not None and count * size > len(cbuf):
        raise UsageError(f"{count} elements of {size} bytes in a buffer of {len(cbuf)}")
    return cbuf


def _ioc(cbufs: Sequence[Any], datatype: int) -> Any:
    """``struct fi_ioc[]`` over whole buffers."""
    size = ELEMENT_SIZE.get(datatype)
    if size is None:
        raise UsageError(f"the size of datatype {datatype} is not known here")
    vector = ffi.new("struct fi_ioc[]", len(cbufs) or 1)
    for i, cbuf in enumerate(cbufs):
        entry = vector[i]
        entry.addr, entry.count = cbuf, len(cbuf) // size
    return vector


def _one(cbuf: Any, count: int) -> Any:
    """``struct fi_ioc[1]``."""
    vector = ffi.new("struct fi_ioc[1]")
    vector[0].addr, vector[0].count = cbuf, count
    return vector


def _one_desc(desc: int) -> Any:
    return ffi.new("void *[]", [desc_pointer(desc)]) if desc else NULL


class AtomicCalls(Posting):
    """Combine remote memory with operands, element by element."""

    def atomic_valid(self, kind: str, datatype: Datatype | int, op: AtomicOp | int) -> int:
        """Elements per operation the endpoint takes; ``kind``: "base", "fetch" or "compare". Raises EOPNOTSUPP."""
        if kind not in _VALID:
            raise UsageError(f"no kind of atomic is called {kind!r}")
        name, call = _VALID[kind]
        count = ffi.new("size_t *")
        done(slot(self._it.atomic, name, call)(self._it, int(datatype), int(op), count), call)
        return int(count[0])

    # -- base ----------------------------------------------------------------------------------------------------------
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
        call = slot(self._it.atomic, "write", "fi_atomic")
        cbuf = _fits(source(operand), count, datatype)
        user = self._kept.operation(context, cbuf)
        done(
            call(self._it, cbuf, count, desc_pointer(desc), dest, addr, key, int(datatype), int(op), user), "fi_atomic"
        )

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
        call = slot(self._it.atomic, "writev", "fi_atomicv")
        cbufs = [source(buf) for buf in operands]
        vector, local = _ioc(cbufs, datatype), desc_list(descs, len(cbufs))
        user = self._kept.operation(context, *(cbufs or [NULL]), vector, local)
        done(call(self._it, vector, local, len(cbufs), dest, addr, key, int(datatype), int(op), user), "fi_atomicv")

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
        call = slot(self._it.atomic, "writemsg", "fi_atomicmsg")
        cbuf = _fits(source(operand), count, datatype)
        msg = self._combination(cbuf, count, datatype, op, remote, desc, dest, data, context)
        done(call(self._it, msg, int(flags)), "fi_atomicmsg")

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
        call = slot(self._it.atomic, "inject", "fi_inject_atomic")
        cbuf = _fits(source(operand), count, datatype)
        done(call(self._it, cbuf, count, dest, addr, key, int(datatype), int(op)), "fi_inject_atomic")

    # -- fetch ---------------------------------------------------------------------------------------------------------
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
        call = slot(self._it.atomic, "readwrite", "fi_fetch_atomic")
        cres = _fits(target(result), count, datatype)
        cbuf = NULL if operand is None else _fits(source(operand), count, datatype)
        local, local_res = desc_pointer(desc), desc_pointer(result_desc)
        user = self._kept.operation(context, cres, cbuf)
        done(
            call(self._it, cbuf, count, local, cres, local_res, dest, addr, key, int(datatype), int(op), user),
            "fi_fetch_atomic",
        )

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
        call = slot(self._it.atomic, "readwritev", "fi_fetch_atomicv")
        cbufs, cress = [source(buf) for buf in operands], [target(buf) for buf in results]
        vector, local = _ioc(cbufs, datatype), desc_list(descs, len(cbufs))
        into, local_res = _ioc(cress, datatype), desc_list(result_descs, len(cress))
        user = self._kept.operation(context, *(cress or [NULL]), *cbufs, vector, local, into, local_res)
        done(
            call(
                *(self._it, vector, local, len(cbufs), into, local_res, len(cress)),
                *(dest, addr, key, int(datatype), int(op), user),
            ),
            "fi_fetch_atomicv",
        )

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
        call = slot(self._it.atomic, "readwritemsg", "fi_fetch_atomicmsg")
        cres = _fits(target(result), count, datatype)
        cbuf = NULL if operand is None else _fits(source(operand), count, datatype)
        into, local_res = _one(cres, count), _one_desc(result_desc)
        msg = self._combination(cbuf, count, datatype, op, remote, desc, dest, 0, context, cres, into, local_res)
        done(call(self._it, msg, into, local_res, 1, int(flags)), "fi_fetch_atomicmsg")

    # -- compare -------------------------------------------------------------------------------------------------------
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
        call = slot(self._it.atomic, "compwrite", "fi_compare_atomic")
        cbuf, ccmp = _fits(source(operand), count, datatype), _fits(source(compare), count, datatype)
        cres = _fits(target(result), count, datatype)
        user = self._kept.operation(context, cres, cbuf, ccmp)
        done(
            call(
                *(self._it, cbuf, count, desc_pointer(desc), ccmp, desc_pointer(compare_desc)),
                *(cres, desc_pointer(result_desc), dest, addr, key, int(datatype), int(op), user),
            ),
            "fi_compare_atomic",
        )

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
        call = slot(self._it.atomic, "compwritev", "fi_compare_atomicv")
        cbufs, ccmps = [source(buf) for buf in operands], [source(buf) for buf in compares]
        cress = [target(buf) for buf in results]
        vector, local = _ioc(cbufs, datatype), desc_list(descs, len(cbufs))
        against, local_cmp = _ioc(ccmps, datatype), desc_list(compare_descs, len(ccmps))
        into, local_res = _ioc(cress, datatype), desc_list(result_descs, len(cress))
        user = self._kept.operation(
            context, *(cress or [NULL]), *cbufs, *ccmps, vector, local, against, local_cmp, into, local_res
        )
        done(
            call(
                *(self._it, vector, local, len(cbufs), against, local_cmp, len(ccmps)),
                *(into, local_res, len(cress), dest, addr, key, int(datatype), int(op), user),
            ),
            "fi_compare_atomicv",
        )

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
        call = slot(self._it.atomic, "compwritemsg", "fi_compare_atomicmsg")
        cbuf, ccmp = _fits(source(operand), count, datatype), _fits(source(compare), count, datatype)
        cres = _fits(target(result), count, datatype)
        against, local_cmp = _one(ccmp, count), _one_desc(compare_desc)
        into, local_res = _one(cres, count), _one_desc(result_desc)
        msg = self._combination(
            *(cbuf, count, datatype, op, remote, desc, dest, 0, context),
            *(cres, ccmp, against, local_cmp, into, local_res),
        )
        done(
            call(self._it, msg, against, local_cmp, 1, into, local_res, 1, int(flags)),
            "fi_compare_atomicmsg",
        )

    def _combination(
        self,
        cbuf: Any,
        count: int,
        datatype: int,
        op: int,
        remote: Sequence[RmaIoc],
        desc: int,
        peer: int,
        data: int,
        context: Context | None,
        *more: Any,
    ) -> Any:
        """A ``struct fi_msg_atomic``, with what it and the call point to kept for the operation."""
        msg = ffi.new("struct fi_msg_atomic *")
        msg.msg_iov = vector = _one(cbuf, count)
        msg.desc = local = _one_desc(desc)
        msg.rma_iov = segments = rma_ioc(remote)
        msg.iov_count, msg.rma_iov_count, msg.addr, msg.data = 1, len(remote), peer, data
        msg.datatype, msg.op = int(datatype), int(op)
        msg.context = self._kept.operation(context, *more[:1], cbuf, *more[1:], vector, local, segments)
        return msg
