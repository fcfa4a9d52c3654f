# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Memory regions: registered buffers, which live as long as their region."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kfabric._native import ffi
from kfabric.api import Buffer, Context, ControlCommand, Errno, FabricError, Flags, MemoryRegion

from .._loader import Library, roomy
from .calls import NULL, address_of
from .fid import ENABLE, FidObject
from .memory import iovec, target

_GET_RAW_MR = int(ControlCommand.GET_RAW_MR)
_REFRESH = int(ControlCommand.REFRESH)
_RAW_KEY_SIZE = 64


class LibfabricMemoryRegion(FidObject, MemoryRegion):
    """``struct fid_mr``."""

    def __init__(
        self, library: Library, it: Any, context: Context | None, domain: FidObject, cbufs: Sequence[Any]
    ) -> None:
        super().__init__(library, it, context, domain, *cbufs)
        self._address = address_of(cbufs[0]) if cbufs else 0

    @property
    def desc(self) -> int:
        """Local descriptor (0: NULL)."""
        return address_of(self._it.mem_desc)

    @property
    def key(self) -> int:
        """What peers name the region by; KEY_NOTAVAIL while it has none."""
        return int(self._it.key)

    @property
    def address(self) -> int:
        """Virtual address of the first byte."""
        return self._address

    def enable(self) -> None:
        """Make the region usable, where mr_mode RMA_EVENT or ENDPOINT ask for that."""
        self._control(ENABLE, NULL)

    def raw_attr(self, flags: Flags = 0) -> tuple[int, bytes]:
        """Return base address and raw key (mr_mode RAW). Raises ENOSYS where the provider has none."""
        base, size = ffi.new("uint64_t *"), ffi.new("size_t *", _RAW_KEY_SIZE)
        while True:
            room = size[0]
            key = ffi.new("uint8_t[]", room)
            struct = ffi.new("struct fi_mr_raw_attr *")
            struct.flags, struct.base_addr, struct.raw_key, struct.key_size = int(flags), base, key, size
            try:
                self._control(_GET_RAW_MR, struct)
            except FabricError as refused:
                if refused.code != Errno.ETOOSMALL or size[0] <= room:
                    raise
            else:
                return int(base[0]), bytes(ffi.buffer(key, min(size[0], room)))

    def refresh(self, bufs: Sequence[Buffer], flags: Flags = 0) -> None:
        """Tell the provider that the pages behind parts of the region changed (mr_mode MMU_NOTIFY)."""
        cbufs = [target(buf) for buf in bufs]
        vector = iovec(cbufs)
        struct = roomy("struct fi_mr_modify")
        struct.flags, struct.attr.mr_iov, struct.attr.iov_count = int(flags), vector, len(cbufs)
        self._control(_REFRESH, struct)
