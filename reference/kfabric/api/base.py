# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What all objects share: closing, control, named extension tables; and the small types that calls take.

Conventions of the whole interface. A refused call raises ``FabricError``; in particular a full queue raises it with
``EAGAIN``, but reading an empty queue returns an empty answer. Memory that a provider may write is a ``Buffer``
(writable, contiguous); what it only reads may also be ``bytes`` (``Source``). A backend keeps a buffer alive until its
endpoint is closed or its context is used again, never copies it, and passes its address to the provider; two operations
in flight on one endpoint therefore need two contexts. ``desc`` is ``MemoryRegion.desc`` or 0. Addresses of peers are
integers (``fi_addr_t``). Timeouts are milliseconds, negative for ever. Every object closes once (``close``), is a
context manager, and raises ``UsageError`` when used after that. ``fid`` is the raw object pointer.
"""

from __future__ import annotations

import mmap
from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeAlias

from .constants import ControlCommand, Errno, Flag, OpFlag
from .errors import FabricError

Flags: TypeAlias = Flag | OpFlag | int
"""Where a call takes flags, any of the flag words."""

Buffer: TypeAlias = bytearray | memoryview | mmap.mmap
"""Memory that a provider may read and write."""

Source: TypeAlias = bytes | bytearray | memoryview | mmap.mmap
"""Memory that a provider only reads."""


@dataclass(frozen=True)
class RmaIov:
    """A remote segment: ``addr`` (offset or virtual address by mr_mode), ``len`` bytes, ``key``."""

    addr: int
    len: int
    key: int


@dataclass(frozen=True)
class RmaIoc:
    """A remote atomic segment: ``count`` elements at ``addr`` under ``key``."""

    addr: int
    count: int
    key: int


class FabricObject(ABC):
    """Anything that can be closed."""

    @property
    @abstractmethod
    def fid(self) -> int:
        """Raw object pointer, as events report it. Raises UsageError once closed."""

    @property
    def fid_context(self) -> int:
        """The context pointer that the object holds, as the application gave it when it was opened (0: NULL)."""
        raise FabricError(Errno.ENOSYS, "fid.context")

    @abstractmethod
    def close(self) -> None:
        """Release the object. Raises FabricError(EBUSY) while others depend on it; it then stays usable."""

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether ``close`` has succeeded."""

    def control(self, command: ControlCommand | int, arg: Buffer | int | None = None) -> int:
        """Raw control call. Returns the non-negative result.

        Args:
            command: what to do.
            arg: an int is passed as the address of a 64-bit word holding it, a buffer as its own address, None as NULL.
        """
        raise FabricError(Errno.ENOSYS, "fi_control")

    def open_ops(self, name: str, flags: Flags = 0) -> object:
        """Open a provider's named extension table; returns the backend's opaque pointer. Raises ENOSYS when absent."""
        raise FabricError(Errno.ENOSYS, "fi_open_ops")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if not self.closed:
            self.close()
