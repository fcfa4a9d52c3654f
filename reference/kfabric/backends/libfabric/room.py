# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Memory that a provider is lent with a size, and that shows when it wrote past it."""

from __future__ import annotations

from typing import Any

from kfabric._native import ffi
from kfabric.api import Errno, FabricError

_GUARD = b"\xa5" * 64


class Room:
    """``size`` zero bytes and a guard behind them; ``data`` and ``length`` (a ``size_t *``) go into the call."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.data = ffi.new("char[]", size + len(_GUARD))
        self.length: Any = ffi.new("size_t *", size)
        ffi.memmove(self.data + size, _GUARD, len(_GUARD))

    @property
    def needed(self) -> int:
        """What the call left in ``length``."""
        return int(self.length[0])

    def content(self, call: str, count: int | None = None) -> bytes:
        """The first ``count`` bytes (as many as ``length`` says), no more than there was room for.

        Raises EOVERFLOW when the provider wrote past the room.
        """
        if bytes(ffi.buffer(self.data + self.size, len(_GUARD))) != _GUARD:
            raise FabricError(Errno.EOVERFLOW, call, f"wrote past the {self.size} bytes it was given")
        return bytes(ffi.buffer(self.data, min(self.size, self.needed if count is None else count)))
