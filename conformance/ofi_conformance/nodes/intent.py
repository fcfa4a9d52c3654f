# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Intents: what a node was about to ask of its provider, kept where the node's death does not reach.

A node announces every provider call in a small shared file before it makes it, and says when the call has come back.
The file is mapped, so an announcement is a few bytes copied; the kernel keeps it when the process is gone. One slot per
thread: state byte, number of calls so far, the call, the step of the Program (or case) it serves, the call's arguments
where they are cheap to tell.
"""

from __future__ import annotations

import mmap
import os
import threading
from dataclasses import dataclass

_SLOTS = 32
_SLOT = 512
_STATE, _COUNT, _CALL, _STEP, _ARGS = 0, 4, 8, 72, 136
_CALL_SIZE, _STEP_SIZE, _ARGS_SIZE = _STEP - _CALL, _ARGS - _STEP, _SLOT - _ARGS
_NO_ARGS = bytes(_ARGS_SIZE)


def call_text(text: str) -> bytes:
    """A call's name in the form that ``announce`` copies."""
    return text.encode()[:_CALL_SIZE].ljust(_CALL_SIZE, b"\0")


class Slot:
    """The part of the file that one thread writes."""

    __slots__ = ("_base", "_count", "_memory")

    def __init__(self, memory: mmap.mmap | bytearray, base: int) -> None:
        self._memory = memory
        self._base = base
        self._count = 0

    def announce(self, call: bytes) -> None:
        """Say that ``call`` (from ``call_text``) is about to be made."""
        base, memory = self._base, self._memory
        self._count = count = (self._count + 1) & 0xFFFFFFFF
        memory[base + _CALL : base + _STEP] = call
        memory[base + _COUNT : base + _CALL] = count.to_bytes(4, "little")
        memory[base] = 1

    def announce_with(self, call: bytes, args: str) -> None:
        """The same with a word about the arguments; for calls that are not on the data path."""
        base = self._base
        self._memory[base + _ARGS : base + _SLOT] = args.encode()[:_ARGS_SIZE].ljust(_ARGS_SIZE, b"\0")
        self.announce(call)

    def returned(self) -> None:
        """Say that the call has come back."""
        self._memory[self._base] = 0

    def forget_args(self) -> None:
        """The next calls tell no arguments."""
        self._memory[self._base + _ARGS : self._base + _SLOT] = _NO_ARGS

    def step(self, name: str) -> None:
        """Say which step of the Program, or which case, the following calls serve."""
        text = name.encode()[:_STEP_SIZE].ljust(_STEP_SIZE, b"\0")
        self._memory[self._base + _STEP : self._base + _ARGS] = text


class Intents:
    """A node's intents. Without a path they are kept in plain memory, for use outside a node."""

    def __init__(self, path: str | None = None) -> None:
        size = _SLOTS * _SLOT
        self._memory: mmap.mmap | bytearray
        if path is None:
            self._memory = bytearray(size)
        else:
            fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.ftruncate(fd, size)
                self._memory = mmap.mmap(fd, size)
            finally:
                os.close(fd)
        self._lock = threading.Lock()
        self._used = 0
        self._of_thread = threading.local()

    @property
    def slot(self) -> Slot:
        """The calling thread's slot; threads beyond the last share it."""
        try:
            return self._of_thread.slot  # type: ignore[no-any-return]
        except AttributeError:
            with self._lock:
                base = min(self._used, _SLOTS - 1) * _SLOT
                self._used += 1
            slot = self._of_thread.slot = Slot(self._memory, base)
            return slot


@dataclass(frozen=True)
class Intent:
    """What one thread had announced. ``inside``: the call had not come back."""

    call: str
    step: str
    args: str
    inside: bool

    def __str__(self) -> str:
        text = f"{self.call}({self.args})" if self.args else self.call
        return f"{text} in {self.step}" if self.step else text


def read_intents(content: bytes) -> list[Intent]:
    """Announcements in a node's file, those still inside a call first."""
    found = []
    for base in range(0, len(content) - _SLOT + 1, _SLOT):
        text = [
            content[base + start : base + end].split(b"\0", 1)[0].decode(errors="replace")
            for start, end in ((_CALL, _STEP), (_STEP, _ARGS), (_ARGS, _SLOT))
        ]
        if text[0]:
            found.append(Intent(text[0], text[1], text[2], content[base + _STATE] == 1))
    return sorted(found, key=lambda intent: not intent.inside)


def pulse(content: bytes) -> bytes | None:
    """Something that changes with every call, or None while no thread is inside one."""
    heads = [content[base : base + _CALL] for base in range(0, len(content) - _SLOT + 1, _SLOT)]
    inside = [head for head in heads if head[_STATE] == 1]
    return b"".join(inside) or None
