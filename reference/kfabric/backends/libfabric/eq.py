# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Event queues.

Owns: which events have which layout, and the ``fi_info`` that comes with a connection request: the reader owns it,
so it is freed when the event's ``Info`` goes (a peeked event carries a copy).
"""

from __future__ import annotations

import dataclasses
from typing import Any

from kfabric._native import ffi
from kfabric.api import (
    Context,
    EqAttr,
    EqError,
    EqEvent,
    EqEventKind,
    Errno,
    EventQueue,
    FabricError,
    Flag,
    Flags,
    Info,
    WaitObj,
)

from .._loader import Library, roomy
from .calls import EAGAIN, NULL, address_of, check, member, pointer_to, slot
from .cq import provider_text
from .fid import FidObject, must_wait
from .info import owned
from .room import Room

_CONNECTION = frozenset((EqEventKind.CONNREQ, EqEventKind.CONNECTED, EqEventKind.SHUTDOWN))
_ENTRY_SIZE = ffi.sizeof("struct fi_eq_entry")
_CM_SIZE = ffi.offsetof("struct fi_eq_cm_entry", "data")
_NOTHING_THERE = frozenset((EAGAIN, int(Errno.EINTR), int(Errno.ETIMEDOUT), int(Errno.ECANCELED)))


class LibfabricEventQueue(FidObject, EventQueue):
    """``struct fid_eq``."""

    def __init__(
        self, library: Library, it: Any, context: Context | None, fabric: FidObject, attr: EqAttr, struct: Any
    ) -> None:
        super().__init__(library, it, context, fabric)
        self.attr = dataclasses.replace(attr, size=struct.size, wait_obj=member(WaitObj)(struct.wait_obj))
        self._last_code = 0

    @property
    def last_code(self) -> int:
        """The C return value of the latest read of any kind on this queue."""
        return self._last_code

    def read(self, *, flags: Flags = 0, size: int = 1024) -> EqEvent | None:
        """The next event or None. Flag PEEK leaves it. ``size``: room given, in bytes. Raises EAVAIL, ETOOSMALL."""
        kind, room = ffi.new("uint32_t *"), _room(size)
        call = slot(self._it.ops, "read", "fi_eq_read")
        code = self._last_code = call(self._it, kind, room, size, int(flags))
        if code == -EAGAIN:
            return None
        return self._event(check(code, "fi_eq_read"), kind[0], room, flags)

    def sread(self, *, timeout: int = -1, flags: Flags = 0, size: int = 1024) -> EqEvent | None:
        """Like ``read``, but waits at most ``timeout`` milliseconds; None after a timeout or a signal."""
        kind, room = ffi.new("uint32_t *"), _room(size)
        call = slot(self._it.ops, "sread", "fi_eq_sread")
        code = self._last_code = call(self._it, kind, room, size, timeout, int(flags))
        if -code in _NOTHING_THERE:
            return None
        return self._event(check(code, "fi_eq_sread"), kind[0], room, flags)

    def readerr(self, flags: Flags = 0, err_data_size: int = 256) -> EqError | None:
        """The error event at the head, or None. ``err_data_size`` bytes of error data are made room for."""
        entry = roomy("struct fi_eq_err_entry")
        room = Room(err_data_size)
        data = room.data if err_data_size else NULL
        entry.err_data, entry.err_data_size = data, err_data_size
        code = self._last_code = slot(self._it.ops, "readerr", "fi_eq_readerr")(self._it, entry, int(flags))
        if code < 0 and code != -EAGAIN:
            raise FabricError(-code, "fi_eq_readerr")
        if code <= 0:
            return None
        length = entry.err_data_size if entry.err_data else 0
        room.content("fi_eq_readerr")
        if entry.err_data == data:
            length = min(length, err_data_size)
        return EqError(
            fid=address_of(entry.fid),
            context=address_of(entry.context),
            data=entry.data,
            err=entry.err,
            prov_errno=entry.prov_errno,
            err_data=bytes(ffi.buffer(ffi.cast("char *", entry.err_data), length)) if length else b"",
        )

    def write(self, kind: EqEventKind | int, *, fid: int = 0, context: int = 0, data: int = 0, flags: Flags = 0) -> int:
        """Insert an event of the application's own; returns the bytes written. Needs Flag.WRITE at open."""
        entry = ffi.new("struct fi_eq_entry *")
        entry.fid, entry.context, entry.data = ffi.cast("struct fid *", fid), pointer_to(context), data
        call = slot(self._it.ops, "write", "fi_eq_write")
        return check(call(self._it, int(kind), entry, _ENTRY_SIZE, int(flags)), "fi_eq_write")

    def strerror(self, prov_errno: int, err_data: bytes = b"") -> str:
        """The provider's words for its own error code."""
        return provider_text(self._it, "fi_eq_strerror", prov_errno, err_data)

    def wait_fd(self) -> int:
        """File descriptor of a queue opened with WaitObj.FD."""
        must_wait(self.attr.wait_obj, "the queue")
        return self._wait_fd()

    def _event(self, length: int, number: int, room: Any, flags: Flags) -> EqEvent:
        kind = EqEventKind(number) if number in EqEventKind._value2member_map_ else number
        if kind not in _CONNECTION:
            entry = ffi.cast("struct fi_eq_entry *", room)
            return EqEvent(
                kind=kind,
                fid=address_of(entry.fid),
                context=address_of(entry.context),
                entry_data=entry.data,
                data=bytes(ffi.buffer(room, length))[_ENTRY_SIZE:],
            )
        entry = ffi.cast("struct fi_eq_cm_entry *", room)
        return EqEvent(
            kind=kind,
            fid=address_of(entry.fid),
            info=self._request(entry.info, flags) if kind is EqEventKind.CONNREQ else None,
            data=bytes(ffi.buffer(room, length))[_CM_SIZE:],
        )

    def _request(self, record: Any, flags: Flags) -> Info | None:
        """The Info of a connection request, ours from here on."""
        if not record:
            return None
        if int(flags) & Flag.PEEK:
            handle, record = record.handle, self._library.calls.dupinfo(record)
            record.handle = handle
        return owned(record, self._library)


def _room(size: int) -> Any:
    """Zeroed memory for an event; never less than an entry, whatever length the provider is told."""
    return ffi.new("char[]", max(size, _ENTRY_SIZE))
