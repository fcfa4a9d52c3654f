# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Messages: ``struct fi_ops_msg``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kfabric._native import ffi
from kfabric.api import ADDR_UNSPEC, Buffer, Context, Flags, Source

from .calls import NULL, done, slot
from .memory import desc_pointer, iovec, source, target
from .memory import descs as desc_list
from .posting import Posting


class MessageCalls(Posting):
    """Send and receive."""

    def send(self, buf: Source, *, desc: int = 0, dest: int = ADDR_UNSPEC, context: Context | None = None) -> None:
        """Send a message."""
        call = slot(self._it.msg, "send", "fi_send")
        cbuf = source(buf)
        user = self._kept.operation(context, cbuf)
        done(call(self._it, cbuf, len(cbuf), desc_pointer(desc), dest, user), "fi_send")

    def sendv(
        self,
        bufs: Sequence[Source],
        *,
        descs: Sequence[int] = (),
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Send one message gathered from several buffers."""
        call = slot(self._it.msg, "sendv", "fi_sendv")
        cbufs = [source(buf) for buf in bufs]
        vector, local = iovec(cbufs), desc_list(descs, len(cbufs))
        user = self._kept.operation(context, *(cbufs or [NULL]), vector, local)
        done(call(self._it, vector, local, len(cbufs), dest, user), "fi_sendv")

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
        call = slot(self._it.msg, "sendmsg", "fi_sendmsg")
        msg = self._message([source(buf) for buf in bufs], descs, dest, data, context)
        done(call(self._it, msg, int(flags)), "fi_sendmsg")

    def senddata(
        self, buf: Source, data: int, *, desc: int = 0, dest: int = ADDR_UNSPEC, context: Context | None = None
    ) -> None:
        """Send a message with remote CQ data."""
        call = slot(self._it.msg, "senddata", "fi_senddata")
        cbuf = source(buf)
        user = self._kept.operation(context, cbuf)
        done(call(self._it, cbuf, len(cbuf), desc_pointer(desc), data, dest, user), "fi_senddata")

    def inject(self, buf: Source, *, dest: int = ADDR_UNSPEC) -> None:
        """Send at most ``inject_size`` bytes; the buffer is free on return, no completion follows."""
        call = slot(self._it.msg, "inject", "fi_inject")
        cbuf = source(buf)
        done(call(self._it, cbuf, len(cbuf), dest), "fi_inject")

    def injectdata(self, buf: Source, data: int, *, dest: int = ADDR_UNSPEC) -> None:
        """Inject a message with remote CQ data."""
        call = slot(self._it.msg, "injectdata", "fi_injectdata")
        cbuf = source(buf)
        done(call(self._it, cbuf, len(cbuf), data, dest), "fi_injectdata")

    def recv(self, buf: Buffer, *, desc: int = 0, src: int = ADDR_UNSPEC, context: Context | None = None) -> None:
        """Post a buffer for one message."""
        call = slot(self._it.msg, "recv", "fi_recv")
        cbuf = target(buf)
        user = self._kept.operation(context, cbuf)
        done(call(self._it, cbuf, len(cbuf), desc_pointer(desc), src, user), "fi_recv")

    def recvv(
        self,
        bufs: Sequence[Buffer],
        *,
        descs: Sequence[int] = (),
        src: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Post several buffers for one message."""
        call = slot(self._it.msg, "recvv", "fi_recvv")
        cbufs = [target(buf) for buf in bufs]
        vector, local = iovec(cbufs), desc_list(descs, len(cbufs))
        user = self._kept.operation(context, *(cbufs or [NULL]), vector, local)
        done(call(self._it, vector, local, len(cbufs), src, user), "fi_recvv")

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
        call = slot(self._it.msg, "recvmsg", "fi_recvmsg")
        msg = self._message([target(buf) for buf in bufs], descs, src, data, context)
        done(call(self._it, msg, int(flags)), "fi_recvmsg")

    def _message(self, cbufs: list[Any], descs: Sequence[int], peer: int, data: int, context: Context | None) -> Any:
        """A ``struct fi_msg``, with what it points to kept for the operation."""
        msg = ffi.new("struct fi_msg *")
        msg.msg_iov = vector = iovec(cbufs)
        msg.desc = local = desc_list(descs, len(cbufs))
        msg.iov_count, msg.addr, msg.data = len(cbufs), peer, data
        msg.context = self._kept.operation(context, *(cbufs or [NULL]), vector, local)
        return msg
