# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Tagged messages: ``struct fi_ops_tagged``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kfabric._native import ffi
from kfabric.api import ADDR_UNSPEC, Buffer, Context, Flags, Source

from .calls import NULL, done, slot
from .memory import desc_pointer, iovec, source, target
from .memory import descs as desc_list
from .posting import Posting


class TaggedCalls(Posting):
    """Send and receive by tag."""

    def tsend(
        self, buf: Source, tag: int, *, desc: int = 0, dest: int = ADDR_UNSPEC, context: Context | None = None
    ) -> None:
        """Send a tagged message."""
        call = slot(self._it.tagged, "send", "fi_tsend")
        cbuf = source(buf)
        user = self._kept.operation(context, cbuf)
        done(call(self._it, cbuf, len(cbuf), desc_pointer(desc), dest, tag, user), "fi_tsend")

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
        call = slot(self._it.tagged, "sendv", "fi_tsendv")
        cbufs = [source(buf) for buf in bufs]
        vector, local = iovec(cbufs), desc_list(descs, len(cbufs))
        user = self._kept.operation(context, *(cbufs or [NULL]), vector, local)
        done(call(self._it, vector, local, len(cbufs), dest, tag, user), "fi_tsendv")

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
        call = slot(self._it.tagged, "sendmsg", "fi_tsendmsg")
        msg = self._tagged([source(buf) for buf in bufs], tag, ignore, descs, dest, data, context)
        done(call(self._it, msg, int(flags)), "fi_tsendmsg")

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
        call = slot(self._it.tagged, "senddata", "fi_tsenddata")
        cbuf = source(buf)
        user = self._kept.operation(context, cbuf)
        done(call(self._it, cbuf, len(cbuf), desc_pointer(desc), data, dest, tag, user), "fi_tsenddata")

    def tinject(self, buf: Source, tag: int, *, dest: int = ADDR_UNSPEC) -> None:
        """Inject a tagged message."""
        call = slot(self._it.tagged, "inject", "fi_tinject")
        cbuf = source(buf)
        done(call(self._it, cbuf, len(cbuf), dest, tag), "fi_tinject")

    def tinjectdata(self, buf: Source, data: int, tag: int, *, dest: int = ADDR_UNSPEC) -> None:
        """Inject a tagged message with remote CQ data."""
        call = slot(self._it.tagged, "injectdata", "fi_tinjectdata")
        cbuf = source(buf)
        done(call(self._it, cbuf, len(cbuf), data, dest, tag), "fi_tinjectdata")

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
        call = slot(self._it.tagged, "recv", "fi_trecv")
        cbuf = target(buf)
        user = self._kept.operation(context, cbuf)
        done(call(self._it, cbuf, len(cbuf), desc_pointer(desc), src, tag, ignore, user), "fi_trecv")

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
        call = slot(self._it.tagged, "recvv", "fi_trecvv")
        cbufs = [target(buf) for buf in bufs]
        vector, local = iovec(cbufs), desc_list(descs, len(cbufs))
        user = self._kept.operation(context, *(cbufs or [NULL]), vector, local)
        done(call(self._it, vector, local, len(cbufs), src, tag, ignore, user), "fi_trecvv")

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
        call = slot(self._it.tagged, "recvmsg", "fi_trecvmsg")
        msg = self._tagged([target(buf) for buf in bufs], tag, ignore, descs, src, data, context)
        done(call(self._it, msg, int(flags)), "fi_trecvmsg")

    def _tagged(
        self,
        cbufs: list[Any],
        tag: int,
        ignore: int,
        descs: Sequence[int],
        peer: int,
        data: int,
        context: Context | None,
    ) -> Any:
        """A ``struct fi_msg_tagged``, with what it points to kept for the operation."""
        msg = ffi.new("struct fi_msg_tagged *")
        msg.msg_iov = vector = iovec(cbufs)
        msg.desc = local = desc_list(descs, len(cbufs))
        msg.iov_count, msg.addr, msg.data, msg.tag, msg.ignore = len(cbufs), peer, data, tag, ignore
        msg.context = self._kept.operation(context, *(cbufs or [NULL]), vector, local)
        return msg
