# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How a body waits: every queue is polled, so that both ends make progress; bounds decide nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from kfabric.api import (
    Completion,
    CompletionQueue,
    Context,
    EqError,
    EqEvent,
    EqEventKind,
    Errno,
    ErrorCompletion,
    EventQueue,
    FabricError,
)

from .deciding import call_name
from .sheet import Bound
from .sides import CqWatch, EqWatch, Side

QUIET = 60
"""Empty polls after which a body may say that nothing more arrives."""

T = TypeVar("T")


class Waiting:
    """The part of the kit that polls."""

    bound: float
    """Seconds that a wait lasts at most, unless it says otherwise."""
    _cqs: list[CqWatch]
    _eqs: list[EqWatch]

    def poll(self) -> int:
        """One look at every queue; returns how many entries came."""
        watches: list[CqWatch | EqWatch] = [*self._cqs, *self._eqs]
        return sum(watch.poll() for watch in watches)

    def drive(self, until: Callable[[], object] | None = None, *, bound: float | None = None) -> bool:
        """Poll every queue until the predicate holds; False when the bound came first."""
        end = time.monotonic() + (self.bound if bound is None else bound)
        empty = 0
        while True:
            empty = 0 if self.poll() else empty + 1
            if until is not None and until():
                return True
            if time.monotonic() > end:
                return False
            if empty > QUIET:
                time.sleep(0.0002)

    def quiet(self, polls: int = QUIET) -> int:
        """Poll until nothing came ``polls`` times in a row; returns how many entries came before."""
        found, empty = 0, 0
        end = time.monotonic() + self.bound
        while empty < polls and time.monotonic() < end:
            new = self.poll()
            found, empty = found + new, 0 if new else empty + 1
            if not new:
                time.sleep(0.0002)
        return found

    def post(self, call: Callable[..., T], *args: Any, bound: float | None = None, **kw: Any) -> T:
        """Call, again while the answer is EAGAIN, driving all sides between; other errors escape."""
        end = time.monotonic() + (self.bound if bound is None else bound)
        while True:
            try:
                return call(*args, **kw)
            except FabricError as error:
                if error.code != Errno.EAGAIN:
                    raise
            if time.monotonic() > end:
                raise Bound(f"{call_name(call)} answered EAGAIN until the bound")
            self.poll()

    def outcome(self, side: Side, context: Context, *, bound: float | None = None) -> Completion | ErrorCompletion:
        """The entry with this context, good or bad; takes it."""
        found: list[Completion | ErrorCompletion] = []

        def arrived() -> bool:
            entry = side.take(context.address)
            if entry is not None:
                found.append(entry)
            return bool(found)

        if arrived() or self.drive(arrived, bound=bound):
            return found[0]
        raise Bound(f"no completion on side {side.name} within the bound")

    def completion(self, side: Side, context: Context, *, bound: float | None = None) -> Completion:
        """The success entry with this context; an error entry is raised as FabricError."""
        entry = self.outcome(side, context, bound=bound)
        if isinstance(entry, ErrorCompletion):
            raise FabricError(
                entry.err, "completion", f"error entry where success was due, prov_errno {entry.prov_errno}"
            )
        return entry

    def error(self, side: Side, context: Context, *, bound: float | None = None) -> ErrorCompletion | None:
        """The error entry with this context; None when a success entry came instead."""
        entry = self.outcome(side, context, bound=bound)
        return entry if isinstance(entry, ErrorCompletion) else None

    def _eq(self, queue: EventQueue) -> EqWatch:
        for watch in self._eqs:
            if watch.queue is queue:
                return watch
        self._eqs.append(EqWatch(queue))
        return self._eqs[-1]

    def unwatched(self, queue: EventQueue) -> EventQueue:
        """The same queue, which waits do not poll any more: the body reads it itself."""
        self._eqs[:] = [watch for watch in self._eqs if watch.queue is not queue]
        return queue

    def unpolled(self, queue: CompletionQueue) -> CompletionQueue:
        """The same queue, which waits do not poll any more: the body reads it itself."""
        self._cqs[:] = [watch for watch in self._cqs if watch.queue is not queue]
        return queue

    def event(self, queue: EventQueue, kind: EqEventKind, *, bound: float | None = None) -> EqEvent:
        """The next event of this kind; an error event is raised as FabricError."""
        watch = self._eq(queue)

        def first() -> EqEvent | None:
            return next((event for event in watch.events if event.kind == kind), None)

        self.drive(lambda: first() or watch.errors, bound=bound)
        event = first()
        if event is None and watch.errors:
            error = watch.errors.pop(0)
            raise FabricError(error.err, f"event {kind.name}", f"error event, prov_errno {error.prov_errno}")
        if event is None:
            raise Bound(f"no event {kind.name} within the bound")
        watch.events.remove(event)
        return event

    def events(self, queue: EventQueue) -> list[EqEvent]:
        """Events read so far and not taken."""
        return list(self._eq(queue).events)

    def eq_error(self, queue: EventQueue, *, bound: float | None = None) -> EqError:
        """The next error event."""
        watch = self._eq(queue)
        if not self.drive(lambda: watch.errors, bound=bound):
            raise Bound("no error event within the bound")
        return watch.errors.pop(0)
