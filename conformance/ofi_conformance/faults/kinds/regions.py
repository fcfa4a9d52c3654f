# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Registered memory that is open to more than it should be, or for longer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kfabric.api import Completion, Domain, Errno, ErrorCompletion, FabricError, Flag, Flags, MemoryRegion

from ..call import REMOTE, Call, address_of, outside
from ..fault import Entry, Fault, on, plants

_READABLE, _WRITABLE = Flag.REMOTE_READ, Flag.REMOTE_WRITE
_BEYOND = 64
"""Bytes that a region is too long. Buffers under test have guard bytes there."""
_KEPT_OPEN = 64


class RightsIgnored(Fault):
    """Gives regions a right that they were not registered with."""

    right: Flag

    @on(Domain, "mr_reg", "mr_regv", "mr_regattr")
    def register(self, domain: Any, proceed: Any, buf: Any, access: Flags, **more: Any) -> Any:
        """Add the right."""
        if not int(access) & self.right:
            self.hit()
        return proceed(buf, int(access) | int(self.right), **more)


@plants("write-right-ignored")
class WriteRightIgnored(RightsIgnored):
    """A region that was registered without FI_REMOTE_WRITE can be written."""

    right = _WRITABLE


@plants("read-right-ignored")
class ReadRightIgnored(RightsIgnored):
    """A region that was registered without FI_REMOTE_READ can be read."""

    right = _READABLE


@plants("bounds-ignored")
class BoundsIgnored(Fault):
    """A region reaches a few bytes further than it was registered."""

    @on(Domain, "mr_reg")
    def register(self, domain: Any, proceed: Any, buf: Any, access: Flags, **more: Any) -> Any:
        """Register more."""
        start = address_of(buf)
        if start:
            self.hit()
            buf = outside([buf], start, len(buf) + _BEYOND)
        return proceed(buf, access, **more)


@plants("key-ignored")
class KeyIgnored(Fault):
    """An access with a key of nothing goes to the region that was accessed before."""

    filters_errors = True

    def __init__(self, provider: Any) -> None:
        super().__init__(provider)
        self._good: dict[Any, tuple[int, int]] = {}
        self._again: set[int] = set()

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """Learn a key that works."""
        if call is not None and call.verb in REMOTE and call.size:
            self._good[call.endpoint] = (call.remote[0][2], call.remote[0][0])
        self._again.discard(entry.op_context)
        return (entry,)

    def error(self, queue: Any, entry: ErrorCompletion, call: Call | None) -> Iterable[Entry]:
        """Try again with it."""
        if (
            call is None
            or call.verb not in REMOTE
            or call.endpoint not in self._good
            or entry.op_context in self._again
        ):
            return (entry,)
        key, addr = self._good[call.endpoint]
        if key == call.remote[0][2]:
            return (entry,)
        self.hit()
        self._again.add(entry.op_context)
        remote = call.arguments.get("remote")
        other = (
            call.but(key=key, addr=addr)
            if remote is None
            else call.but(remote=[_with(one, key, addr) for one in remote])
        )
        return () if self.quietly(other) else (entry,)


def _with(segment: Any, key: int, addr: int) -> Any:
    return type(segment)(addr, segment.len if hasattr(segment, "len") else segment.count, key)


@plants("closed-region-open")
class ClosedRegionOpen(Fault):
    """A region that was closed goes on to be accessible."""

    def __init__(self, provider: Any) -> None:
        super().__init__(provider)
        self._open: list[MemoryRegion] = []

    @on(MemoryRegion, "close")
    def close(self, region: Any, proceed: Any) -> None:
        """Not yet."""
        self.hit()
        self._open.append(region.inner)
        while len(self._open) > _KEPT_OPEN:
            self._open.pop(0).close()

    @on(Domain, "close")
    def close_domain(self, domain: Any, proceed: Any) -> None:
        """Now at last."""
        for region in self._open:
            if not region.closed:
                region.close()
        self._open.clear()
        proceed()


@plants("key-clash-code-wrong")
class KeyClashCodeWrong(Fault):
    """A registration whose key is in use is refused with FI_EINVAL."""

    @on(Domain, "mr_reg", "mr_regv", "mr_regattr")
    def register(self, domain: Any, proceed: Any, buf: Any, access: Flags, **more: Any) -> Any:
        """Another code."""
        try:
            return proceed(buf, access, **more)
        except FabricError as refused:
            if refused.code != Errno.ENOKEY:
                raise
            self.hit()
            raise FabricError(Errno.EINVAL, refused.call) from None
