# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Messages that are lost, doubled, damaged, swapped or put where they do not belong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kfabric.api import ADDR_UNSPEC, Completion, Context, Endpoint, Flag, OpFlag

from ..call import Call, Verb, address_of, poke
from ..fault import Entry, Fault, on, plants

LONG = 1000
"""From this size on a message is a long one: nearly all that shape cases send is shorter."""
SHORT = 8
"""Up to this size a message is left alone by faults that would otherwise break everything."""
BRIEF = 0.02
"""Seconds that something is held when nobody looks for progress."""
_SPECIAL = int(Flag.MULTI_RECV | Flag.PEEK) | int(OpFlag.CLAIM | OpFlag.DISCARD)


def plain_receive(call: Call) -> bool:
    """A receive of one message into buffers of its own."""
    return call.verb is Verb.RECV and not (call.flags or 0) & _SPECIAL


@plants("message-lost")
class MessageLost(Fault):
    """A long message completes and is never sent."""

    answers = True

    def post(self, call: Call) -> None:
        """Swallow it."""
        if call.verb is Verb.SEND and call.reported and call.size >= LONG:
            self.hit()
            self.complete(call)
        else:
            call.go()


@plants("empty-message-lost")
class EmptyMessageLost(Fault):
    """A message without bytes completes and is never sent."""

    answers = True

    def post(self, call: Call) -> None:
        """Swallow it."""
        if call.verb is Verb.SEND and call.size == 0:
            self.hit()
            self.complete(call)
        else:
            call.go()


@plants("message-duplicated")
class MessageDuplicated(Fault):
    """A message of more than a few bytes arrives twice."""

    def post(self, call: Call) -> None:
        """Send it again, in secret."""
        call.go()
        if call.verb is Verb.SEND and call.reported and call.size > SHORT:
            self.hit()
            self.quietly(call.snapshot().but(context=self.secret()))


@plants("message-damaged")
class MessageDamaged(Fault):
    """The last byte of a message is another one on arrival."""

    def post(self, call: Call) -> None:
        """Send a copy with the last byte complemented."""
        if call.verb is Verb.SEND and call.size > SHORT:
            self.hit()
            content = bytearray(call.content())
            content[-1] ^= 0xFF
            call = call.on(bytes(content))
        call.go()


@plants("message-cut")
class MessageCut(Fault):
    """The last byte of a message does not arrive, and is not missed."""

    def post(self, call: Call) -> None:
        """Send all but the last byte."""
        if call.verb is Verb.SEND and call.size > SHORT:
            self.hit()
            call = call.on(call.content()[:-1])
        call.go()


@plants("segments-reversed")
class SegmentsReversed(Fault):
    """The segments of a vector are sent in the other order."""

    def post(self, call: Call) -> None:
        """Reverse them."""
        if call.verb is Verb.SEND and len(call.buffers) > 1:
            self.hit()
            call = call.but(bufs=call.buffers[::-1], descs=tuple(reversed(call.arguments.get("descs", ()))))
        call.go()


@plants("messages-swapped")
class MessagesSwapped(Fault):
    """Of two messages that are posted one after the other, the second is sent first."""

    def post(self, call: Call) -> None:
        """Hold the first until the second has gone."""
        waiting = self.held(call.endpoint)
        if waiting and call.verb is Verb.SEND and waiting[0].call is not None and waiting[0].call.peer == call.peer:
            self.hit()
            call.go()
            self.release(waiting)
            return
        self.release(waiting)
        if call.verb is Verb.SEND and call.reported:
            self.hold(call, BRIEF, polls=1)
        else:
            call.go()


@plants("receive-overrun")
class ReceiveOverrun(Fault):
    """The byte behind a receive buffer is changed when a message comes."""

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """Change it."""
        if call is not None and plain_receive(call) and call.buffers:
            last = call.buffers[-1]
            place = address_of(last)
            if place:
                self.hit()
                poke(place + len(last))
        return (entry,)


@plants("receive-early")
class ReceiveEarly(Fault):
    """A receive completes before the bytes are in its buffer."""

    filters_errors = True

    def post(self, call: Call) -> None:
        """Receive into memory of our own."""
        if not plain_receive(call) or call.size == 0:
            call.go()
            return
        room = bytearray(call.content())
        self._rooms[call.context.address if call.context else 0] = room
        call.on(room).go()

    def __init__(self, provider: Any) -> None:
        super().__init__(provider)
        self._rooms: dict[int, bytearray] = {}

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """Copy after the application has looked."""
        room = self._rooms.pop(entry.op_context, None)
        if call is not None and room is not None:
            self.hit()
            self.later(call.endpoint, lambda: call.fill(bytes(room)), BRIEF, polls=3)
        return (entry,)

    def error(self, queue: Any, entry: Any, call: Call | None) -> Iterable[Entry]:
        """What did not succeed is not touched by the fault."""
        room = self._rooms.pop(entry.op_context, None)
        if call is not None and room is not None:
            call.fill(bytes(room))
        return (entry,)


@plants("source-changed")
class SourceChanged(Fault):
    """The first byte of a source buffer is changed by the time the operation has completed."""

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """Change it."""
        if call is not None and call.verb in (Verb.SEND, Verb.WRITE) and call.size > SHORT:
            place = address_of(call.buffers[0])
            if place:
                self.hit()
                poke(place)
        return (entry,)


@plants("receives-swapped")
class ReceivesSwapped(Fault):
    """Of two receives that are posted one after the other, the second is matched first."""

    def post(self, call: Call) -> None:
        """Hold the first until the second is there."""
        waiting = self.held(call.endpoint)
        if waiting and plain_receive(call):
            self.hit()
            call.go()
            self.release(waiting)
            return
        self.release(waiting)
        if plain_receive(call):
            self.hold(call, BRIEF, polls=1)
        else:
            call.go()

    @on(Endpoint, "cancel")
    def cancel(self, endpoint: Any, proceed: Any, context: Context) -> int:
        """Nothing is held any more when a receive is cancelled."""
        with self.lock:
            self.flush(endpoint)
        code: int = proceed(context)
        return code


@plants("source-address-ignored")
class SourceAddressIgnored(Fault):
    """A receive that names a sender takes messages of any."""

    def post(self, call: Call) -> None:
        """Ask for any sender."""
        if call.verb is Verb.RECV and call.arguments.get("src", ADDR_UNSPEC) != ADDR_UNSPEC:
            self.hit()
            call = call.but(src=ADDR_UNSPEC)
        call.go()


@plants("more-forgotten")
class MoreForgotten(Fault):
    """A message posted with FI_MORE is not sent, whatever is posted after it."""

    def post(self, call: Call) -> None:
        """Forget it."""
        if call.verb is Verb.SEND and (call.flags or 0) & Flag.MORE:
            self.hit()
        else:
            call.go()
