# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Completion queues.

Owns: how entries are laid out, and the memory they are read into: a pool of buffers per queue, so that a read allocates
nothing and two threads may read the same queue.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from struct import Struct
from typing import Any

from kfabric._native import ffi
from kfabric.api import (
    ADDR_NOTAVAIL,
    Completion,
    CompletionQueue,
    Context,
    CqAttr,
    CqFormat,
    Errno,
    ErrorCompletion,
    FabricError,
    Flags,
    WaitObj,
)

from .._loader import Library, roomy
from .calls import EAGAIN, NULL, address_of, member, pointer_to, slot, text_of
from .fid import FidObject, must_wait
from .room import Room

_LAYOUT = {
    CqFormat.UNSPEC: Struct("@P"),
    CqFormat.CONTEXT: Struct("@P"),
    CqFormat.MSG: Struct("@PQN"),
    CqFormat.DATA: Struct("@PQNPQ"),
    CqFormat.TAGGED: Struct("@PQNPQQ"),
}
_LARGEST = _LAYOUT[CqFormat.TAGGED].size
_POOLED = 64
"""Entries of a pooled buffer; a larger read gets memory of its own."""
_NOTHING_THERE = frozenset((EAGAIN, int(Errno.EINTR), int(Errno.ETIMEDOUT), int(Errno.ECANCELED)))
"""How a blocking read says that time ran out or somebody signalled."""
_TEXT_SIZE = 256


class _Room:
    """Memory for the entries of one read, with the addresses that ``readfrom`` adds."""

    __slots__ = ("addresses", "entries", "view")

    def __init__(self, count: int) -> None:
        self.entries = ffi.new("char[]", (count or 1) * _LARGEST)
        self.addresses = ffi.new("fi_addr_t[]", count or 1)
        self.view = ffi.buffer(self.entries)


class LibfabricCompletionQueue(FidObject, CompletionQueue):
    """``struct fid_cq``. A format left UNSPEC is read as CONTEXT where the provider does not say what it chose."""

    def __init__(
        self, library: Library, it: Any, context: Context | None, domain: FidObject, attr: CqAttr, struct: Any
    ) -> None:
        super().__init__(library, it, context, domain)
        self.attr = dataclasses.replace(
            attr, size=struct.size, format=member(CqFormat)(struct.format), wait_obj=member(WaitObj)(struct.wait_obj)
        )
        self.format = self.attr.format
        self._layout = _LAYOUT.get(self.attr.format, _LAYOUT[CqFormat.CONTEXT])
        self._free: list[_Room] = []
        self._last_code = 0

    @property
    def last_code(self) -> int:
        """The C return value of the latest read of any kind on this queue."""
        return self._last_code

    def read(self, count: int = 1) -> list[Completion]:
        """Up to ``count`` entries; empty when there is none. Raises EAVAIL while an error entry is at the head."""
        call = slot(self._it.ops, "read", "fi_cq_read")
        room = self._room(count)
        code = self._last_code = call(self._it, room.entries, count)
        return self._entries(code, count, room, None, "fi_cq_read", code == -EAGAIN)

    def readfrom(self, count: int = 1) -> list[Completion]:
        """Like ``read``, with ``src_addr`` of every entry."""
        call = slot(self._it.ops, "readfrom", "fi_cq_readfrom")
        room = self._room(count)
        code = self._last_code = call(self._it, room.entries, count, room.addresses)
        return self._entries(code, count, room, room.addresses, "fi_cq_readfrom", code == -EAGAIN)

    def sread(self, count: int = 1, *, timeout: int = -1, threshold: int | None = None) -> list[Completion]:
        """Like ``read``, but waits. Empty after a timeout or a signal: ``last_code`` holds the C return value.

        The interpreter is free for other threads meanwhile, but a wait for ever also holds back Ctrl-C.
        """
        call = slot(self._it.ops, "sread", "fi_cq_sread")
        must_wait(self.attr.wait_obj, "the queue")
        room = self._room(count)
        code = self._last_code = call(self._it, room.entries, count, _condition(threshold), timeout)
        return self._entries(code, count, room, None, "fi_cq_sread", -code in _NOTHING_THERE)

    def sreadfrom(self, count: int = 1, *, timeout: int = -1, threshold: int | None = None) -> list[Completion]:
        """Like ``sread``, with ``src_addr`` of every entry."""
        call = slot(self._it.ops, "sreadfrom", "fi_cq_sreadfrom")
        must_wait(self.attr.wait_obj, "the queue")
        room = self._room(count)
        code = self._last_code = call(self._it, room.entries, count, room.addresses, _condition(threshold), timeout)
        return self._entries(code, count, room, room.addresses, "fi_cq_sreadfrom", -code in _NOTHING_THERE)

    def readerr(self, flags: Flags = 0, err_data_size: int = 0) -> ErrorCompletion | None:
        """The error entry at the head, or None when there is none.

        ``err_data_size`` makes room for that many bytes of error data (API 1.5 and later); with 0 the data that the
        provider points to is copied, where it says how long that is.
        """
        call = slot(self._it.ops, "readerr", "fi_cq_readerr")
        entry = roomy("struct fi_cq_err_entry")
        entry.src_addr = ADDR_NOTAVAIL
        room = Room(err_data_size)
        data = room.data if err_data_size else NULL
        entry.err_data, entry.err_data_size = data, err_data_size
        code = self._last_code = call(self._it, entry, int(flags))
        if code < 0 and code != -EAGAIN:
            raise FabricError(-code, "fi_cq_readerr")
        if code <= 0:
            return None
        size = entry.err_data_size if entry.err_data else 0
        room.content("fi_cq_readerr")
        if entry.err_data == data:
            size = min(size, err_data_size)
        return ErrorCompletion(
            op_context=address_of(entry.op_context),
            flags=entry.flags,
            len=entry.len,
            buf=address_of(entry.buf),
            data=entry.data,
            tag=entry.tag,
            olen=entry.olen,
            err=entry.err,
            prov_errno=entry.prov_errno,
            err_data=bytes(ffi.buffer(entry.err_data, size)) if size else b"",
            src_addr=None if entry.src_addr == ADDR_NOTAVAIL else entry.src_addr,
        )

    def signal(self) -> None:
        """Wake the threads that wait in ``sread``."""
        call = slot(self._it.ops, "signal", "fi_cq_signal")
        must_wait(self.attr.wait_obj, "the queue")
        code = call(self._it)
        if code < 0:
            raise FabricError(-code, "fi_cq_signal")

    def strerror(self, prov_errno: int, err_data: bytes = b"") -> str:
        """The provider's words for its own error code."""
        return provider_text(self._it, "fi_cq_strerror", prov_errno, err_data)

    def wait_fd(self) -> int:
        """File descriptor of a queue opened with WaitObj.FD."""
        must_wait(self.attr.wait_obj, "the queue")
        return self._wait_fd()

    def _room(self, count: int) -> _Room:
        if count > _POOLED:
            return _Room(count)
        try:
            return self._free.pop()
        except IndexError:
            return _Room(_POOLED)

    def _entries(
        self, code: int, count: int, room: _Room, addresses: Any, call: str, nothing: bool
    ) -> list[Completion]:
        """Turn a read's answer into entries and give the memory back."""
        entries: list[Completion] = []
        if code > 0:
            unpack: Callable[..., tuple[int, ...]] = self._layout.unpack_from
            size, view = self._layout.size, room.view
            if addresses is None:
                entries = [Completion(*unpack(view, i * size)) for i in range(min(code, count))]
            else:
                entries = [
                    Completion(*unpack(view, i * size), src_addr=addresses[i])  # type: ignore[misc]
                    for i in range(min(code, count))
                ]
        if count <= _POOLED:
            self._free.append(room)
        if code < 0 and not nothing:
            raise FabricError(-code, call)
        return entries


def _condition(threshold: int | None) -> Any:
    """The ``cond`` argument of a blocking read: a threshold travels by value, in the pointer's place."""
    return NULL if threshold is None else pointer_to(threshold)


def provider_text(queue: Any, call: str, prov_errno: int, err_data: bytes) -> str:
    """``strerror`` of a completion or event queue."""
    function = slot(queue.ops, "strerror", call)
    text = ffi.new("char[]", _TEXT_SIZE)
    data = ffi.new("char[]", err_data) if err_data else pointer_to(0)
    return text_of(function(queue, prov_errno, data, text, _TEXT_SIZE))
