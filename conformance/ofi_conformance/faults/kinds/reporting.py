# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Completion entries that are lost, doubled, sent to the wrong queue or wrong in one field."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, ClassVar

from kfabric.api import ADDR_NOTAVAIL, ADDR_UNSPEC, Completion, CompletionQueue, Flag

from ..call import ATOMICS, Call, Verb
from ..fault import Entry, Fault, on, plants
from .messages import LONG, SHORT, plain_receive

_TARGET = int(Flag.REMOTE_WRITE | Flag.REMOTE_READ)


def changed(entry: Completion, **fields: Any) -> Completion:
    """The entry with other fields, where the queue's format carries them."""
    return replace(entry, **{name: value for name, value in fields.items() if getattr(entry, name) is not None})


@plants("completion-lost")
class CompletionLost(Fault):
    """A long transmit operation is carried out and never reported."""

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """Drop it."""
        if call is not None and call.verb in (Verb.SEND, Verb.WRITE, Verb.READ) and call.size >= LONG:
            self.hit()
            return ()
        return (entry,)


@plants("completion-doubled")
class CompletionDoubled(Fault):
    """A send of more than a few bytes is reported twice."""

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """Double it."""
        if call is not None and call.verb is Verb.SEND and call.size > SHORT:
            self.hit()
            return (entry, entry)
        return (entry,)


@plants("completion-in-wrong-queue")
class CompletionInWrongQueue(Fault):
    """A send is reported in the queue for receives."""

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """Move it."""
        if call is None or call.verb is not Verb.SEND or call.endpoint.rx_queue in (None, queue):
            return (entry,)
        self.hit()
        assert call.endpoint.rx_queue is not None
        call.endpoint.rx_queue.add(entry)
        return ()


@plants("context-of-another")
class ContextOfAnother(Fault):
    """Of two receives that complete one after the other, the second is reported with the context of the first."""

    def __init__(self, provider: Any) -> None:
        super().__init__(provider)
        self._last: dict[Any, Call] = {}

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """Use the one before."""
        if call is None or not plain_receive(call):
            return (entry,)
        before = self._last.get(queue)
        self._last[queue] = call
        if before is None or before.context is None or before is call:
            return (entry,)
        self.hit()
        return (replace(entry, op_context=before.context.address),)


class Rewriting(Fault):
    """Changes entries by a function of the entry and its call; None: nothing to change."""

    rewrite: ClassVar[Callable[[Completion, Call | None], Completion | None]]

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """Apply it."""
        new = type(self).rewrite(entry, call)
        if new is None or new == entry:
            return (entry,)
        self.hit()
        return (new,)


def _rewriting(name: str, words: str, rewrite: Callable[[Completion, Call | None], Completion | None]) -> None:
    plants(name)(type(name, (Rewriting,), {"__doc__": words, "rewrite": staticmethod(rewrite)}))


def _flags(
    verbs: frozenset[Verb], change: Callable[[int, Call], int]
) -> Callable[[Completion, Call | None], Completion | None]:
    def rewrite(entry: Completion, call: Call | None) -> Completion | None:
        if call is None or call.verb not in verbs or entry.flags is None:
            return None
        return changed(entry, flags=change(entry.flags, call))

    return rewrite


_TRANSMITS = frozenset(Verb) - {Verb.RECV}
_MESSAGES = frozenset({Verb.SEND, Verb.RECV})
_CLASSES = int(Flag.MSG | Flag.TAGGED | Flag.RMA | Flag.ATOMIC)
_DIRECTIONS = int(Flag.SEND | Flag.RECV | Flag.READ | Flag.WRITE)

_rewriting(
    "operation-flag-leaked",
    "The operation flag FI_COMPLETION shows among the completion flags.",
    _flags(_TRANSMITS, lambda flags, call: flags | int(Flag.COMPLETION)),
)
_rewriting(
    "message-flags-missing",
    "Sends and receives are reported without their direction.",
    _flags(_MESSAGES, lambda flags, call: flags & ~_DIRECTIONS),
)
_rewriting(
    "remote-flags-missing",
    "Reads, writes and atomic operations are reported without class and direction.",
    _flags(_TRANSMITS - {Verb.SEND}, lambda flags, call: flags & ~(_CLASSES | _DIRECTIONS)),
)
_rewriting(
    "read-reported-as-write",
    "A read is reported as if it had been a write too.",
    _flags(frozenset({Verb.READ}), lambda flags, call: flags | int(Flag.WRITE)),
)


_rewriting(
    "atomic-reported-as-rma",
    "An atomic operation is reported as a write or read of memory.",
    _flags(ATOMICS, lambda flags, call: (flags & ~int(Flag.ATOMIC)) | int(Flag.RMA)),
)


def _length(entry: Completion, call: Call | None) -> Completion | None:
    return changed(entry, len=call.size) if call is not None and plain_receive(call) else None


def _tag(entry: Completion, call: Call | None) -> Completion | None:
    if call is None or not plain_receive(call) or not call.tagged:
        return None
    return changed(entry, tag=call.arguments["tag"])


def _source(entry: Completion, call: Call | None) -> Completion | None:
    if call is None or call.verb is not Verb.RECV or entry.src_addr in (None, ADDR_NOTAVAIL, ADDR_UNSPEC):
        return None
    assert entry.src_addr is not None
    return changed(entry, src_addr=entry.src_addr ^ 1)


def _data(entry: Completion, call: Call | None) -> Completion | None:
    if not (entry.flags or 0) & Flag.REMOTE_CQ_DATA or entry.data is None:
        return None
    return changed(entry, data=entry.data & 0x7F)


def _no_data(entry: Completion, call: Call | None) -> Completion | None:
    if call is None or not plain_receive(call) or entry.flags is None:
        return None
    return changed(entry, flags=entry.flags | int(Flag.REMOTE_CQ_DATA))


def _target_context(entry: Completion, call: Call | None) -> Completion | None:
    remote = (entry.flags or 0) & _TARGET and (entry.flags or 0) & Flag.REMOTE_CQ_DATA
    return replace(entry, op_context=0x1000) if remote and entry.op_context == 0 else None


_rewriting("length-of-the-buffer", "A receive reports the size of its buffer, not the length of the message.", _length)
_rewriting("tag-of-the-receive", "A receive reports the tag it was posted with, not the one that was sent.", _tag)
_rewriting("source-of-another", "A receive reports the handle of another sender.", _source)
_rewriting("data-cut", "Remote CQ data arrives without its upper bits.", _data)
_rewriting("data-flag-invented", "A receive says that it carried remote CQ data when there was none.", _no_data)
_rewriting("target-context-invented", "The target's entry of a write with CQ data has a context.", _target_context)


@plants("data-lost-by-inject")
class DataLostByInject(Fault):
    """Messages that are injected lose their remote CQ data."""

    def post(self, call: Call) -> None:
        """Inject without."""
        if call.injects and call.verb is Verb.SEND and call.data is not None:
            self.hit()
            arguments = {name: value for name, value in call.arguments.items() if name != "data"}
            call = Call(call.endpoint, call.name.removesuffix("data"), arguments)
        call.go()


@plants("target-entry-lost")
class TargetEntryLost(Fault):
    """The target is not told of a write with remote CQ data."""

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """Drop it."""
        if (entry.flags or 0) & Flag.REMOTE_WRITE and (entry.flags or 0) & Flag.REMOTE_CQ_DATA:
            self.hit()
            return ()
        return (entry,)


@plants("too-many-entries")
class TooManyEntries(Fault):
    """A read of a queue returns one entry more than was asked for."""

    @on(CompletionQueue, "read")
    def read(self, queue: Any, proceed: Any, count: int = 1) -> list[Completion]:
        """Read one more."""
        found: list[Completion] = proceed(count + 1 if count else 0)
        if len(found) > count:
            self.hit()
        return found


@plants("empty-read-consumes")
class EmptyReadConsumes(Fault):
    """A read with a count of 0 takes an entry away."""

    @on(CompletionQueue, "read")
    def read(self, queue: Any, proceed: Any, count: int = 1) -> list[Completion]:
        """Take one."""
        if count == 0 and proceed(1):
            self.hit()
        found: list[Completion] = proceed(count)
        return found
