# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Memory of a node: regions and buffers with guard bytes around them, and native access to it.

Everything that a provider is given lies in arenas whose gaps hold a fixed pattern. A byte written outside a buffer
shows in the gap before or after it. Arenas are used again for every Program, so a provider that writes late is seen
too.
"""

from __future__ import annotations

import ctypes
import mmap

from kfabric.pm import load, store

GUARD = 64
"""Guard bytes on each side, at least."""
_ALIGN = 64
_ARENA = 1 << 18


def _pattern(size: int) -> bytes:
    return bytes((0xA5 ^ (i * 29)) & 0xFF for i in range(256)) * (size // 256 + 1)


class Arena:
    """A piece of anonymous memory from which blocks are taken in order."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.memory = mmap.mmap(-1, size)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.view = memoryview(self.memory)
        self._clean = _pattern(size)[:size]
        self.view[:] = self._clean
        self.used = 0

    def reset(self) -> None:
        """Take everything back; the whole arena is guard again."""
        self.view[: self.used] = self._clean[: self.used]
        self.used = 0

    def room(self) -> int:
        """Bytes that ``take`` can still give as one block."""
        return self.size - self.used - 2 * GUARD - 2 * _ALIGN

    def take(self, size: int) -> Block:
        """A block of exactly ``size`` bytes, with guards on both sides."""
        start = -(-(self.used + GUARD) // _ALIGN) * _ALIGN
        end = start + size
        self.used = end + GUARD
        return Block(self, start, size)

    def guard_intact(self, start: int, end: int) -> bool:
        """Whether the bytes between still hold the pattern."""
        return self.view[start:end] == self._clean[start:end]


class Block:
    """A buffer or region: ``view`` is what a provider gets."""

    __slots__ = ("address", "arena", "size", "start", "view")

    def __init__(self, arena: Arena, start: int, size: int) -> None:
        self.arena = arena
        self.start = start
        self.size = size
        self.address = arena.address + start
        self.view = arena.view[start : start + size]

    def content(self) -> bytes:
        """What it holds now."""
        return self.view.tobytes()

    def before_intact(self) -> bool:
        """Whether the guard before it is untouched."""
        return self.arena.guard_intact(self.start - GUARD, self.start)

    def after_intact(self) -> bool:
        """Whether the guard after it is untouched."""
        end = self.start + self.size
        return self.arena.guard_intact(end, end + GUARD)

    def load(self, offset: int, size: int) -> bytes:
        """A native load where size and alignment allow one, otherwise byte by byte."""
        return load(self.address + offset, size)

    def store(self, offset: int, content: bytes) -> None:
        """A native store where size and alignment allow one, otherwise byte by byte."""
        store(self.address + offset, content)


class Memory:
    """All arenas of one node."""

    def __init__(self) -> None:
        self.arenas: list[Arena] = [Arena(_ARENA)]

    def reset(self) -> None:
        """Take all blocks back."""
        for arena in self.arenas:
            arena.reset()

    def take(self, size: int, content: bytes | None = None) -> Block:
        """A block, holding ``content`` if given."""
        for arena in self.arenas:
            if arena.room() >= size:
                break
        else:
            arena = Arena(max(_ARENA, -(-(size + 4 * GUARD + 4 * _ALIGN) // mmap.PAGESIZE) * mmap.PAGESIZE))
            self.arenas.append(arena)
        block = arena.take(size)
        if content is not None:
            block.view[:] = content
        return block
