# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What active, passive and scalable endpoints share: options and addresses.

These calls take the fid, and go through the tables of whatever endpoint the fid is of.
"""

from __future__ import annotations

import sys
from typing import Any

from kfabric._native import ffi
from kfabric.api import EpOption, Errno, FabricError, UsageError

from .calls import done, slot
from .fid import FidObject
from .room import Room

_LEVEL = 0  # FI_OPT_ENDPOINT
_ETOOSMALL = int(Errno.ETOOSMALL)


class Named(FidObject):
    """An endpoint of any kind."""

    def getopt(self, option: EpOption | int, size: int = 8) -> int:
        """An option's value; ``size`` is its width in bytes. Raises ENOPROTOOPT for an unknown one."""
        room, length = ffi.new("char[]", size), ffi.new("size_t *", size)
        call = slot(self._it.ops, "getopt", "fi_getopt")
        done(call(self._base, _LEVEL, int(option), room, length), "fi_getopt")
        return int.from_bytes(bytes(ffi.buffer(room, min(size, length[0]))), sys.byteorder)

    def setopt(self, option: EpOption | int, value: int, size: int = 8) -> None:
        """Set an option; ``size`` is its width in bytes. Raises ENOPROTOOPT for an unknown one."""
        try:
            room = ffi.new("char[]", value.to_bytes(size, sys.byteorder))
        except OverflowError as reason:
            raise UsageError(f"{value} does not fit: {reason}") from None
        call = slot(self._it.ops, "setopt", "fi_setopt")
        done(call(self._base, _LEVEL, int(option), room, size), "fi_setopt")

    def getname(self, size: int = 256) -> tuple[bytes, int]:
        """At most ``size`` bytes of the local address, and the length needed. Raises ETOOSMALL (see ``needed``)."""
        return self._address("getname", "fi_getname", self._base, size)

    def setname(self, address: bytes) -> None:
        """Choose the local address, while the endpoint has none yet."""
        raw = ffi.new("char[]", address or b"\0")
        done(slot(self._it.cm, "setname", "fi_setname")(self._base, raw, len(address)), "fi_setname")

    def _address(self, name: str, call: str, subject: Any, size: int) -> tuple[bytes, int]:
        room = Room(size)
        code = slot(self._it.cm, name, call)(subject, room.data, room.length)
        content = room.content(call)
        if code == -_ETOOSMALL:
            raise FabricError(_ETOOSMALL, call, f"{room.needed} bytes needed", needed=room.needed)
        done(code, call)
        return content, room.needed
