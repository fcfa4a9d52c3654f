# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Guarded buffers and memory regions for case bodies.

A buffer lies between guard bytes, page aligned, so that a byte too far is seen; a region knows how a peer addresses it
under the negotiated registration mode. Knows no queue and no endpoint type.
"""

from __future__ import annotations

import ctypes
import mmap
from itertools import count

from kfabric.api import Flag, Info, MemoryRegion, MrMode
from kfabric.model.data import MESSAGE, pattern

GUARD = 256
_GUARD_BYTES = bytes((0xA5 ^ (7 * place)) & 0xFF for place in range(GUARD))
_writers = count(1)


class Guarded:
    """``size`` bytes between two guards. ``view`` is what calls take."""

    def __init__(self, size: int, fill: int | bytes | None) -> None:
        self.size = size
        self.memory = mmap.mmap(-1, size + 2 * GUARD)
        self.memory[:GUARD] = _GUARD_BYTES
        self.memory[GUARD + size :] = _GUARD_BYTES
        self.view = memoryview(self.memory)[GUARD : GUARD + size]
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory)) + GUARD
        self.fill(fill)

    def fill(self, fill: int | bytes | None) -> None:
        """An integer: that byte everywhere; bytes: those; None: bytes that tell their place and this filling."""
        if fill is None:
            content = pattern(next(_writers) % 255 + 1, MESSAGE, 0, self.size)
        else:
            content = bytes([fill]) * self.size if isinstance(fill, int) else fill
        self.memory[GUARD : GUARD + self.size] = content

    @property
    def data(self) -> bytes:
        """A copy of the content."""
        return bytes(self.view)

    def part(self, offset: int, size: int) -> memoryview:
        """A segment of it."""
        return self.view[offset : offset + size]

    @property
    def intact(self) -> bool:
        """Neither guard was touched."""
        return bytes(self.memory[:GUARD]) == _GUARD_BYTES and bytes(self.memory[GUARD + self.size :]) == _GUARD_BYTES


def remote_access(info: Info) -> Flag:
    """Every access right that an endpoint opened with ``info`` can use."""
    access = Flag.SEND | Flag.RECV
    if info.caps & (Flag.RMA | Flag.ATOMIC):
        access |= Flag.READ | Flag.WRITE | Flag.REMOTE_READ | Flag.REMOTE_WRITE
    return access


class Region:
    """A registration of (part of) a buffer, as its owner and its peers name it."""

    def __init__(self, mr: MemoryRegion, buffer: Guarded, info: Info) -> None:
        self.mr = mr
        self.buffer = buffer
        self._virtual = bool(info.domain_attr.mr_mode & (MrMode.VIRT_ADDR | MrMode.BASIC))

    @property
    def key(self) -> int:
        """What a peer names it by."""
        return self.mr.key

    @property
    def desc(self) -> int:
        """What its owner names it by."""
        return self.mr.desc

    def remote(self, offset: int = 0) -> int:
        """The address by which a peer reaches byte ``offset``: virtual, or relative to the start, as mr_mode says."""
        return (self.mr.address if self._virtual else 0) + offset

    def close(self) -> None:
        """Close the registration."""
        self.mr.close()
