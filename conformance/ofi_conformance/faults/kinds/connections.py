# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Connections and event queues: events that are lost, doubled, cut or out of order."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

from kfabric.api import EqEvent, EqEventKind, Errno, EventQueue, Flag, Flags, PassiveEndpoint

from ..fault import Fault, on, plants

_CARRIERS = (EqEventKind.CONNREQ, EqEventKind.CONNECTED)


class Doubling(Fault):
    """Delivers events of one kind twice."""

    kind: EqEventKind

    def __init__(self, provider: Any) -> None:
        super().__init__(provider)
        self._again: dict[Any, deque[EqEvent]] = {}

    @on(EventQueue, "read")
    def read(self, queue: Any, proceed: Any, *, flags: Flags = 0, size: int = 1024) -> EqEvent | None:
        """Once more."""
        again = self._again.setdefault(queue, deque())
        if again and not int(flags) & Flag.PEEK:
            return again.popleft()
        event: EqEvent | None = proceed(flags=flags, size=size)
        if event is not None and event.kind == self.kind and not int(flags) & Flag.PEEK:
            self.hit()
            again.append(event)
        return event


@plants("connected-twice")
class ConnectedTwice(Doubling):
    """FI_CONNECTED is delivered twice."""

    kind = EqEventKind.CONNECTED


@plants("shutdown-twice")
class ShutdownTwice(Doubling):
    """FI_SHUTDOWN is delivered twice."""

    kind = EqEventKind.SHUTDOWN


@plants("user-data-cut")
class UserDataCut(Fault):
    """The last byte of the user data of connection messages is lost."""

    @on(EventQueue, "read")
    def read(self, queue: Any, proceed: Any, **more: Any) -> EqEvent | None:
        """Cut it off."""
        event: EqEvent | None = proceed(**more)
        if event is None or event.kind not in _CARRIERS or not event.data:
            return event
        self.hit()
        return replace(event, data=event.data.rstrip(b"\0")[:-1])


@plants("reject-silent")
class RejectSilent(Fault):
    """A rejected request is not told to whoever asked."""

    @on(PassiveEndpoint, "reject")
    def reject(self, pep: Any, proceed: Any, request: EqEvent, param: bytes = b"") -> None:
        """Say nothing."""
        self.hit()


@plants("shutdown-lost")
class ShutdownLost(Fault):
    """The end of a connection is not told to the peer."""

    @on(EventQueue, "read")
    def read(self, queue: Any, proceed: Any, **more: Any) -> EqEvent | None:
        """Drop the event."""
        event: EqEvent | None = proceed(**more)
        if event is not None and event.kind == EqEventKind.SHUTDOWN:
            self.hit()
            return None
        return event


@plants("event-names-no-object")
class EventNamesNoObject(Fault):
    """Connection events do not name their object."""

    @on(EventQueue, "read")
    def read(self, queue: Any, proceed: Any, **more: Any) -> EqEvent | None:
        """NULL."""
        event: EqEvent | None = proceed(**more)
        if event is None or event.kind not in _CARRIERS:
            return event
        self.hit()
        return replace(event, fid=0)


@plants("event-peek-takes")
class EventPeekTakes(Fault):
    """Peeking at an event takes it away."""

    @on(EventQueue, "read")
    def read(self, queue: Any, proceed: Any, *, flags: Flags = 0, size: int = 1024) -> EqEvent | None:
        """Without the flag."""
        if int(flags) & Flag.PEEK:
            self.hit()
        event: EqEvent | None = proceed(flags=int(flags) & ~int(Flag.PEEK), size=size)
        return event


@plants("events-reversed")
class EventsReversed(Fault):
    """Of events that the application wrote, the latest is read first."""

    def __init__(self, provider: Any) -> None:
        super().__init__(provider)
        self._written: dict[Any, list[tuple[Any, dict[str, Any]]]] = {}

    @on(EventQueue, "write")
    def write(self, queue: Any, proceed: Any, kind: Any, **more: Any) -> int:
        """Keep them until somebody reads."""
        self._written.setdefault(queue, []).append((kind, more))
        return 24

    @on(EventQueue, "read", "sread")
    def read(self, queue: Any, proceed: Any, **more: Any) -> EqEvent | None:
        """Write them now, the latest first."""
        kept = self._written.pop(queue, [])
        if len(kept) > 1:
            self.hit()
        for kind, fields in reversed(kept):
            queue.inner.write(kind, **fields)
        event: EqEvent | None = proceed(**more)
        return event


@plants("event-timeout-code-wrong")
class EventTimeoutCodeWrong(Fault):
    """A wait for an event whose time ends answers FI_ETIMEDOUT."""

    @on(EventQueue, "sread")
    def sread(self, queue: Any, proceed: Any, **more: Any) -> EqEvent | None:
        """Another code."""
        event: EqEvent | None = proceed(**more)
        if event is None and queue.inner.last_code == -Errno.EAGAIN:
            self.hit()
            queue.code = -int(Errno.ETIMEDOUT)
        else:
            queue.code = None
        return event
