# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Error entries that are hidden, suppressed, wrong in one field or not taken away; truncation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, ClassVar

from kfabric.api import Completion, CompletionQueue, Errno, ErrorCompletion, FabricError, Flags

from ..call import Call, Verb, address_of, poke
from ..fault import Entry, Fault, on, plants
from ..machinery import default_flags
from .messages import plain_receive


class Failing(Fault):
    """Changes error entries by a function of the entry and its call; None: drop it."""

    filters_errors = True
    rewrite: ClassVar[Callable[[ErrorCompletion, Call | None], Entry | None]]

    def error(self, queue: Any, entry: ErrorCompletion, call: Call | None) -> Iterable[Entry]:
        """Apply it."""
        new = type(self).rewrite(entry, call)
        if new == entry:
            return (entry,)
        self.hit()
        if new is None:
            return ()
        return (queue.shaped(new),) if isinstance(new, Completion) else (new,)


def _failing(name: str, words: str, rewrite: Callable[[ErrorCompletion, Call | None], Entry | None]) -> None:
    plants(name)(type(name, (Failing,), {"__doc__": words, "rewrite": staticmethod(rewrite)}))


def _hidden(entry: ErrorCompletion, call: Call | None) -> Entry | None:
    if entry.err != Errno.ETRUNC or call is None:
        return entry
    return Completion(entry.op_context, default_flags(call), call.size, 0, entry.data, entry.tag)


def _of_remote(entry: ErrorCompletion, call: Call | None) -> Entry | None:
    return entry if call is None or call.verb in (Verb.SEND, Verb.RECV) else None


def _as_success(entry: ErrorCompletion, call: Call | None) -> Entry | None:
    if call is None or call.verb in (Verb.SEND, Verb.RECV):
        return entry
    return Completion(entry.op_context, default_flags(call), 0, 0, 0, 0)


def _olen(entry: ErrorCompletion, call: Call | None) -> Entry | None:
    return replace(entry, olen=entry.olen + entry.len) if entry.err == Errno.ETRUNC and entry.len else entry


def _negative(entry: ErrorCompletion, call: Call | None) -> Entry | None:
    return replace(entry, err=-entry.err)


def _no_flags(entry: ErrorCompletion, call: Call | None) -> Entry | None:
    return replace(entry, flags=0)


_failing("truncation-hidden", "A message longer than its receive completes it as if nothing had been cut off.", _hidden)
_failing(
    "error-negative",
    "The error code of an error entry is negative.",
    lambda entry, call: replace(entry, err=-entry.err),
)
_failing("error-lost", "A remote operation that was refused is not reported.", _of_remote)
_failing("error-reported-as-success", "A remote operation that was refused is reported as done.", _as_success)
_failing("error-without-context", "An error entry has no context.", lambda entry, call: replace(entry, op_context=0))
_failing(
    "error-without-flags",
    "An error entry does not tell class and direction.",
    lambda entry, call: replace(entry, flags=0),
)
_failing("overflow-length-wrong", "The overflow length of a truncated receive is that of the whole message.", _olen)


@plants("error-read-twice")
class ErrorReadTwice(Fault):
    """Reading an error entry does not take it away the first time."""

    filters_errors = True

    def error(self, queue: Any, entry: ErrorCompletion, call: Call | None) -> Iterable[Entry]:
        """There it is again."""
        self.hit()
        return (entry, entry)


@plants("error-announced-once")
class ErrorAnnouncedOnce(Fault):
    """A queue with an error at its head says so once, and then that it is empty."""

    def __init__(self, provider: Any) -> None:
        super().__init__(provider)
        self._told: set[Any] = set()

    @on(CompletionQueue, "read")
    def read(self, queue: Any, proceed: Any, count: int = 1) -> list[Completion]:
        """Say it once."""
        try:
            found: list[Completion] = proceed(count)
        except FabricError as refused:
            if refused.code != Errno.EAVAIL or queue not in self._told:
                self._told.add(queue)
                raise
            self.hit()
            queue.last_code = -int(Errno.EAGAIN)
            return []
        self._told.discard(queue)
        return found

    @on(CompletionQueue, "readerr")
    def readerr(self, queue: Any, proceed: Any, flags: Flags = 0, err_data_size: int = 0) -> ErrorCompletion | None:
        """The next error is announced again."""
        self._told.discard(queue)
        found: ErrorCompletion | None = proceed(flags, err_data_size)
        return found


@plants("truncation-overruns")
class TruncationOverruns(Fault):
    """A message longer than its receive is written past the end of the buffer."""

    filters_errors = True

    def error(self, queue: Any, entry: ErrorCompletion, call: Call | None) -> Iterable[Entry]:
        """Write a byte too far."""
        if entry.err == Errno.ETRUNC and call is not None and call.buffers:
            last = call.buffers[-1]
            place = address_of(last)
            if place:
                self.hit()
                poke(place + len(last))
        return (entry,)


@plants("truncated-message-stays")
class TruncatedMessageStays(Fault):
    """A message that was reported as truncated is matched again by the next receive."""

    filters_errors = True
    answers = True

    def __init__(self, provider: Any) -> None:
        super().__init__(provider)
        self._open: dict[int, Call] = {}
        self._filled: set[int] = set()

    def post(self, call: Call) -> None:
        """Know which receives are open."""
        if plain_receive(call) and call.context is not None:
            self._open[call.context.address] = call
        call.go()

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """One less."""
        self._open.pop(entry.op_context, None)
        return (entry,)

    def error(self, queue: Any, entry: ErrorCompletion, call: Call | None) -> Iterable[Entry]:
        """The next receive that waits is filled with the message as well."""
        self._open.pop(entry.op_context, None)
        if entry.op_context in self._filled:
            self._filled.discard(entry.op_context)
            return () if entry.err == Errno.ECANCELED else (entry,)
        if entry.err != Errno.ETRUNC or call is None:
            return (entry,)
        alike = (one for one in self._open.values() if one.tagged == call.tagged and one.endpoint is call.endpoint)
        again = next(alike, None)
        if again is None or again.context is None:
            return (entry,)
        self.hit()
        self._open.pop(again.context.address)
        self._filled.add(again.context.address)
        again.endpoint.inner.cancel(again.context)
        again.fill(call.content())
        size = min(again.size, call.size)
        extra = Completion(again.context.address, default_flags(again), size, 0, entry.data, entry.tag)
        return (entry, queue.shaped(extra))
