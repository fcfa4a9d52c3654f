# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reads and writes of remote memory that go astray: wrong bytes, wrong place, too much, too little, too old."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kfabric.api import Completion, RmaIov

from ..call import Call, Verb, address_of, poke
from ..fault import Entry, Fault, plants
from .messages import BRIEF, SHORT

_EXTRA = 0xE7


def _where(call: Call) -> dict[str, Any]:
    peer = call.peer
    return {} if peer is None else {"dest": peer}


class Straying(Fault):
    """Writes bytes of its own at the target."""

    def stray(self, call: Call, content: bytes, addr: int, key: int) -> None:
        """A secret write behind the call's own."""
        self.hit()
        arguments = {"buf": content, "addr": addr, "key": key, "context": self.secret()} | _where(call)
        self.quietly(Call(call.endpoint, "write", arguments))


@plants("write-overrun")
class WriteOverrun(Straying):
    """A write changes one byte more at the target."""

    def post(self, call: Call) -> None:
        """Write it."""
        call.go()
        if call.verb is Verb.WRITE and call.size > 0:
            addr, length, key = call.remote[-1]
            self.stray(call, bytes([_EXTRA]), addr + length, key)


@plants("read-writes")
class ReadWrites(Straying):
    """A read changes the memory that it reads."""

    def post(self, call: Call) -> None:
        """Write its first byte."""
        call.go()
        if call.verb is Verb.READ and call.size > 0:
            addr, _, key = call.remote[0]
            self.stray(call, bytes([_EXTRA]), addr, key)


@plants("write-damaged")
class WriteDamaged(Fault):
    """The last byte of a write is another one at the target."""

    def post(self, call: Call) -> None:
        """Write a copy with the last byte complemented."""
        if call.verb is Verb.WRITE and call.size > SHORT:
            self.hit()
            content = bytearray(call.content())
            content[-1] ^= 0xFF
            call = call.on(bytes(content))
        call.go()


@plants("write-cut")
class WriteCut(Fault):
    """The last byte of a write is not written."""

    def post(self, call: Call) -> None:
        """Write all but the last byte."""
        if call.verb is Verb.WRITE and call.size > SHORT:
            self.hit()
            call = _shortened(call)
        call.go()


def _shortened(call: Call) -> Call:
    content = call.content()[:-1]
    remote = call.arguments.get("remote")
    if remote is None:
        return call.on(content)
    kept: list[RmaIov] = [one for one in remote if one.len]
    last = kept[-1]
    return call.on(content).but(remote=[*kept[:-1], RmaIov(last.addr, last.len - 1, last.key)])


@plants("write-displaced")
class WriteDisplaced(Fault):
    """A write begins one byte before the address that was given, where there is one."""

    def post(self, call: Call) -> None:
        """Move it."""
        if call.verb is Verb.WRITE and call.size and min(addr for addr, _, _ in call.remote) > 0:
            self.hit()
            call = call.moved(-1)
        call.go()


@plants("remote-segments-reversed")
class RemoteSegmentsReversed(Fault):
    """The local bytes are mapped to the remote segments in the other order."""

    def post(self, call: Call) -> None:
        """Reverse them."""
        remote = call.arguments.get("remote", ())
        if call.verb in (Verb.WRITE, Verb.READ) and len(remote) > 1:
            self.hit()
            call = call.but(remote=list(reversed(remote)))
        call.go()


@plants("read-overrun")
class ReadOverrun(Fault):
    """The byte behind the local buffer of a read is changed."""

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """Change it."""
        if call is not None and call.verb is Verb.READ and call.size:
            last = call.buffers[-1]
            place = address_of(last)
            if place:
                self.hit()
                poke(place + len(last))
        return (entry,)


@plants("read-early")
class ReadEarly(Fault):
    """A read completes before its bytes are in the local buffer."""

    def __init__(self, provider: Any) -> None:
        super().__init__(provider)
        self._rooms: dict[int, bytearray] = {}

    def post(self, call: Call) -> None:
        """Read into memory of our own."""
        if call.verb is Verb.READ and call.size and call.context is not None:
            room = self._rooms[call.context.address] = bytearray(call.content())
            call = call.on(room)
        call.go()

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """Copy after the application has looked."""
        room = self._rooms.pop(entry.op_context, None)
        if call is not None and room is not None:
            self.hit()
            self.later(call.endpoint, lambda: call.fill(bytes(room)), BRIEF, polls=3)
        return (entry,)


@plants("read-stale")
class ReadStale(Fault):
    """A read returns what the memory held before the latest write that this process made there."""

    def __init__(self, provider: Any) -> None:
        super().__init__(provider)
        self._old: dict[tuple[int, int], bytearray] = {}

    def post(self, call: Call) -> None:
        """Before each write, see what is there."""
        if call.verb is Verb.WRITE and call.size:
            for addr, length, key in call.remote:
                if length and (key, addr) not in self._old:
                    room = bytearray(length)
                    arguments = {"buf": room, "addr": addr, "key": key, "context": self.secret()}
                    arguments |= {"src": call.peer} if call.peer is not None else {}
                    if self.quietly(Call(call.endpoint, "read", arguments)):
                        self._old[key, addr] = room
        call.go()

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """Give a read what was there."""
        if call is None or call.verb is not Verb.READ or not call.size:
            return (entry,)
        content, done, stale = bytearray(call.content()), 0, False
        for addr, length, key in call.remote:
            old = self._old.get((key, addr))
            if old is not None and length:
                part = min(length, len(old))
                stale = stale or content[done : done + part] != old[:part]
                content[done : done + part] = old[:part]
            done += length
        if stale:
            self.hit()
            call.fill(bytes(content))
        return (entry,)


@plants("empty-write-refused")
class EmptyWriteRefused(Fault):
    """A write of no bytes is refused."""

    def post(self, call: Call) -> None:
        """Refuse it."""
        from kfabric.api import Errno, FabricError

        if call.verb is Verb.WRITE and call.size == 0:
            self.hit()
            raise FabricError(Errno.EINVAL, f"fi_{call.name}")
        call.go()
