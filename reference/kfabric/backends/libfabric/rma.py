# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Remote memory access: ``struct fi_ops_rma``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kfabric._native import ffi
from kfabric.api import ADDR_UNSPEC, Buffer, Context, Flags, RmaIov, Source

from .calls import NULL, done, slot
from .memory import desc_pointer, iovec, rma_iov, source, target
from .memory import descs as desc_list
from .posting import Posting


class RmaCalls(Posting):
    """Read and write remote memory."""

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
        call = slot(self._it.rma, "read", "fi_read")
        cbuf = target(buf)
        user = self._kept.operation(context, cbuf)
        done(call(self._it, cbuf, len(cbuf), desc_pointer(desc), src, addr, key, user), "fi_read")

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
        call = slot(self._it.rma, "readv", "fi_readv")
        cbufs = [target(buf) for buf in bufs]
        vector, local = iovec(cbufs), desc_list(descs, len(cbufs))
        user = self._kept.operation(context, *(cbufs or [NULL]), vector, local)
        done(call(self._it, vector, local, len(cbufs), src, addr, key, user), "fi_readv")

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
        call = slot(self._it.rma, "readmsg", "fi_readmsg")
        msg = self._access([target(buf) for buf in bufs], remote, descs, src, 0, context)
        done(call(self._it, msg, int(flags)), "fi_readmsg")

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
        call = slot(self._it.rma, "write", "fi_write")
        cbuf = source(buf)
        user = self._kept.operation(context, cbuf)
        done(call(self._it, cbuf, len(cbuf), desc_pointer(desc), dest, addr, key, user), "fi_write")

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
        call = slot(self._it.rma, "writev", "fi_writev")
        cbufs = [source(buf) for buf in bufs]
        vector, local = iovec(cbufs), desc_list(descs, len(cbufs))
        user = self._kept.operation(context, *(cbufs or [NULL]), vector, local)
        done(call(self._it, vector, local, len(cbufs), dest, addr, key, user), "fi_writev")

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
        call = slot(self._it.rma, "writemsg", "fi_writemsg")
        msg = self._access([source(buf) for buf in bufs], remote, descs, dest, data, context)
        done(call(self._it, msg, int(flags)), "fi_writemsg")

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
        call = slot(self._it.rma, "writedata", "fi_writedata")
        cbuf = source(buf)
        user = self._kept.operation(context, cbuf)
        done(call(self._it, cbuf, len(cbuf), desc_pointer(desc), data, dest, addr, key, user), "fi_writedata")

    def inject_write(self, buf: Source, *, addr: int, key: int, dest: int = ADDR_UNSPEC) -> None:
        """Write at most ``inject_size`` bytes; the buffer is free on return."""
        call = slot(self._it.rma, "inject", "fi_inject_write")
        cbuf = source(buf)
        done(call(self._it, cbuf, len(cbuf), dest, addr, key), "fi_inject_write")

    def inject_writedata(self, buf: Source, data: int, *, addr: int, key: int, dest: int = ADDR_UNSPEC) -> None:
        """Inject a write and deliver remote CQ data."""
        call = slot(self._it.rma, "injectdata", "fi_inject_writedata")
        cbuf = source(buf)
        done(call(self._it, cbuf, len(cbuf), data, dest, addr, key), "fi_inject_writedata")

    def _access(
        self,
        cbufs: list[Any],
        remote: Sequence[RmaIov],
        descs: Sequence[int],
        peer: int,
        data: int,
        context: Context | None,
    ) -> Any:
        """A ``struct fi_msg_rma``, with what it points to kept for the operation."""
        msg = ffi.new("struct fi_msg_rma *")
        msg.msg_iov = vector = iovec(cbufs)
        msg.desc = local = desc_list(descs, len(cbufs))
        msg.rma_iov = segments = rma_iov(remote)
        msg.iov_count, msg.rma_iov_count, msg.addr, msg.data = len(cbufs), len(remote), peer, data
        msg.context = self._kept.operation(context, *(cbufs or [NULL]), vector, local, segments)
        return msg
