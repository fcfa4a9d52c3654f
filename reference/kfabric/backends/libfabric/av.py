# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Address vectors."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from kfabric._native import ffi
from kfabric.api import (
    ADDR_NOTAVAIL,
    AddressVector,
    AvAttr,
    AvType,
    Context,
    Errno,
    FabricError,
    Flag,
    Flags,
    OpFlag,
    UsageError,
)

from .._loader import Library
from .calls import NULL, c_string, check, done, member, slot, text_of
from .fid import FidObject
from .memory import context_pointer
from .room import Room

_TEXT_SIZE = 256


class LibfabricAddressVector(FidObject, AddressVector):
    """``struct fid_av``."""

    def __init__(
        self, library: Library, it: Any, context: Context | None, domain: FidObject, attr: AvAttr, struct: Any
    ) -> None:
        super().__init__(library, it, context, domain)
        self.attr = dataclasses.replace(attr, type=member(AvType)(struct.type), count=struct.count)
        self._pending: dict[int, tuple[Any, Context | None, Any]] = {}

    def insert(
        self, addresses: Sequence[bytes], flags: Flags = 0, context: Context | None = None
    ) -> tuple[int, list[int]]:
        """Insert raw addresses, all of one size. Returns the C return value and one handle each.

        The handle of an address that was refused is ADDR_NOTAVAIL. With flag EVENT the handles are valid once the event
        has come, and are then found with ``pending_handles``.
        """
        raw, handles = _joined(addresses), _handles(len(addresses))
        if int(flags) & Flag.EVENT:
            self._pending[context.address if context else 0] = (handles, context, raw)
        code = self._insert(raw, len(addresses), handles, int(flags), context_pointer(context))
        return code, list(handles)[: len(addresses)]

    def pending_handles(self, context: Context | None = None) -> list[int]:
        """Return the handles of the asynchronous insertion that ``context`` named, as they stand now."""
        key = context.address if context else 0
        if key not in self._pending:
            raise UsageError("no asynchronous insertion with this context")
        return list(self._pending[key][0])

    def insert_sync_err(self, addresses: Sequence[bytes], flags: Flags = 0) -> tuple[int, list[int], list[int]]:
        """Insert with FI_SYNC_ERR. Returns the C return value, the handles and a status each (-1: not written)."""
        handles = _handles(len(addresses))
        status = ffi.new("int[]", [-1] * (len(addresses) or 1))
        code = self._insert(
            _joined(addresses), len(addresses), handles, int(flags) | OpFlag.SYNC_ERR, ffi.cast("void *", status)
        )
        return code, list(handles)[: len(addresses)], list(status)[: len(addresses)]

    def insertsvc(self, node: str, service: str, flags: Flags = 0) -> tuple[int, int]:
        """Insert what a name and a service resolve to. Returns the C return value and the handle."""
        handles = _handles(1)
        call = slot(self._it.ops, "insertsvc", "fi_av_insertsvc")
        code = call(self._it, c_string(node), c_string(service), handles, int(flags), NULL)
        return check(code, "fi_av_insertsvc"), handles[0]

    def insertsym(self, node: str, nodecnt: int, service: str, svccnt: int, flags: Flags = 0) -> tuple[int, list[int]]:
        """Insert consecutive nodes and services, the services running fastest."""
        handles = _handles(nodecnt * svccnt)
        call = slot(self._it.ops, "insertsym", "fi_av_insertsym")
        code = call(self._it, c_string(node), nodecnt, c_string(service), svccnt, handles, int(flags), NULL)
        return check(code, "fi_av_insertsym"), list(handles)[: nodecnt * svccnt]

    def remove(self, handles: Sequence[int], flags: Flags = 0) -> None:
        """Forget addresses."""
        given = ffi.new("fi_addr_t[]", list(handles) or [0])
        done(slot(self._it.ops, "remove", "fi_av_remove")(self._it, given, len(handles), int(flags)), "fi_av_remove")

    def lookup(self, handle: int, size: int = 256) -> tuple[bytes, int]:
        """Copy at most ``size`` bytes of the address. Returns them and the length that is needed."""
        room = Room(size)
        done(slot(self._it.ops, "lookup", "fi_av_lookup")(self._it, handle, room.data, room.length), "fi_av_lookup")
        return room.content("fi_av_lookup"), room.needed

    def straddr(self, address: bytes) -> str:
        """The provider's text for a raw address."""
        raw, length = ffi.new("char[]", address or b"\0"), ffi.new("size_t *", _TEXT_SIZE)
        call = slot(self._it.ops, "straddr", "fi_av_straddr")
        text = ffi.new("char[]", _TEXT_SIZE)
        answer = call(self._it, raw, text, length)
        if length[0] > _TEXT_SIZE:
            text = ffi.new("char[]", length[0])
            answer = call(self._it, raw, text, length)
        return text_of(answer)

    def straddr_sized(self, address: bytes, size: int) -> tuple[bytes, int]:
        """The raw call with room for ``size`` bytes. Returns the bytes before the first NUL there, and ``len``."""
        room = Room(size)
        raw = ffi.new("char[]", address or b"\0")
        answer = slot(self._it.ops, "straddr", "fi_av_straddr")(self._it, raw, room.data, room.length)
        if answer != room.data:
            raise FabricError(Errno.EINVAL, "fi_av_straddr", "did not return the buffer it was given")
        return room.content("fi_av_straddr", size).split(b"\0")[0], room.needed

    def _insert(self, raw: Any, count: int, handles: Any, flags: int, context: Any) -> int:
        call = slot(self._it.ops, "insert", "fi_av_insert")
        return check(call(self._it, raw, count, handles, flags, context), "fi_av_insert")


def _handles(count: int) -> Any:
    return ffi.new("fi_addr_t[]", [ADDR_NOTAVAIL] * (count or 1))


def _joined(addresses: Sequence[bytes]) -> Any:
    """Raw addresses one behind the other, as the C call takes them. Only strings, ended by NUL, differ in size."""
    if len({len(address) for address in addresses}) > 1 and not all(address.endswith(b"\0") for address in addresses):
        raise UsageError("addresses of different sizes in one insertion")
    return ffi.new("char[]", b"".join(addresses) or b"\0")
