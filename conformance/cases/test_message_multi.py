# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Multi-receive buffers: many messages in one buffer, which is given back once."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from kfabric.api import Completion, Context, EpOption, EpType, ErrorCompletion, Flag
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Bound, Guarded, Kit, Side

LEAST = 64
"""The shortest length that a message of full size has here; else it is as long as the room below which a buffer is
released, so that each message fits where there is room."""


@dataclass
class Packed:
    """A multi-receive buffer and what became of it."""

    buffer: Guarded
    context: Context
    messages: list[Completion] = field(default_factory=list)
    releases: int = 0
    late: int = 0
    """Messages that were reported after the release."""

    def take(self, entry: Completion) -> None:
        """Note an entry with this buffer's context."""
        flags = entry.flags or 0
        if flags & Flag.RECV:
            self.late += bool(self.releases)
            self.messages.append(entry)
        self.releases += bool(flags & Flag.MULTI_RECV)

    @property
    def used(self) -> int:
        """Bytes of messages in it."""
        return sum(entry.len or 0 for entry in self.messages)


def ends(kit: Kit, *, selective: bool = False) -> tuple[Side, Side, int]:
    """Sender, receiver, and the room below which the receiver's buffers are to be released."""
    pair = kit.pair(selective=selective)
    return pair.a, pair.b, pair.b.ep.getopt(EpOption.MIN_MULTI_RECV)


def post(kit: Kit, side: Side, size: int) -> Packed:
    """A multi-receive buffer of ``size`` bytes, posted."""
    packed = Packed(kit.buffer(size, 0xEE), kit.context())
    descs = [kit.desc(side, packed.buffer)]
    kit.post(side.ep.recvmsg, [packed.buffer.view], descs=descs, flags=Flag.MULTI_RECV, context=packed.context)
    return packed


def send(kit: Kit, side: Side, content: bytes) -> None:
    """Send, and wait until the send is done."""
    out, context = kit.buffer(len(content), content), kit.context()
    kit.post(side.ep.send, out.view, desc=kit.desc(side, out), dest=side.peer, context=context)
    kit.completion(side, context)


def collect(side: Side, all_packed: list[Packed]) -> None:
    """Hand every entry that was read to its buffer."""
    for packed in all_packed:
        while isinstance(entry := side.take(packed.context.address), Completion):
            packed.take(entry)


@requirement("OFI-MSG-016", "OFI-MSG-017", "OFI-MSG-018", "OFI-MSG-019", "OFI-MSG-020")
def test_packing(local: Local) -> None:
    """Servers take small requests into one large buffer and free it when it is given back."""
    local.run(packing, parts=[24, 64, 1, 60, 33, 64, 8, 50, 64, 64, 40, 40])
    local.check(packing, st.lists(st.integers(1, 64), min_size=1, max_size=16), share=0.25)


def packing(kit: Kit, parts: list[int]) -> None:
    """Messages of so many 64ths of the full size, one after another, into three buffers of four full sizes each."""
    a, b, least = ends(kit)
    full = max(least, LEAST)
    buffers = [post(kit, b, 4 * full) for _ in range(3)]
    sent: list[bytes] = []
    for index, part in enumerate(parts):
        content = bytes((index * 37 + place) % 251 for place in range(max(1, full * part // 64)))
        send(kit, a, content)
        sent.append(content)

        def arrived() -> bool:
            collect(b, buffers)
            return sum(len(packed.messages) for packed in buffers) >= len(sent)

        if not kit.drive(arrived):
            raise Bound("a message to a multi-receive buffer did not arrive within the bound")
        if all(packed.releases for packed in buffers[:-1]):
            break
    kit.quiet()
    collect(b, buffers)
    places(kit, buffers, sent)
    for packed in buffers:
        free = packed.buffer.size - packed.used
        kit.check("OFI-MSG-018", packed.releases <= 1, "a buffer is released once", seen=packed.releases, wanted=1)
        kit.check("OFI-MSG-019", not packed.late, "nothing is placed in a buffer after its release", seen=packed.late)
        if free < least:
            kit.check("OFI-MSG-020", packed.releases == 1, f"released when {free} bytes are left", seen=packed.releases)
    if sum(packed.used for packed in buffers) < least or not any(packed.releases for packed in buffers):
        kit.unreached("OFI-MSG-020", "no buffer was filled")


def places(kit: Kit, buffers: list[Packed], sent: list[bytes]) -> None:
    """Where the messages are, and what is there."""
    order = iter(sent)
    for packed in buffers:
        taken: list[tuple[int, int]] = []
        for entry in packed.messages:
            wanted = next(order, b"")
            start = (entry.buf or 0) - packed.buffer.address
            length = entry.len or 0
            inside = start >= 0 and start + length <= packed.buffer.size
            apart = all(start + length <= low or high <= start for low, high in taken)
            kit.check("OFI-MSG-016", inside, "a message lies inside its buffer", seen=(start, length))
            kit.check("OFI-MSG-016", apart, "messages do not overlap", seen=(start, length, taken))
            found = packed.buffer.data[max(start, 0) : max(start, 0) + length]
            kit.check(
                "OFI-MSG-017", found == wanted, "buf is where the message is", seen=found[:16], wanted=wanted[:16]
            )
            taken.append((start, start + length))
        kit.check("OFI-MSG-016", packed.buffer.intact, "nothing is written beside the buffer")


@requirement("OFI-MSG-021")
def test_release_with_selective_completion(local: Local) -> None:
    """A buffer whose release nobody reports is lost to the application."""
    local.run(release_with_selective_completion)


def release_with_selective_completion(kit: Kit) -> None:
    a, b, least = ends(kit, selective=True)
    packed = post(kit, b, 2 * max(least, LEAST))
    length = max(least, LEAST)
    for index in range(2):
        content = bytes([index + 1]) * length
        out, context = kit.buffer(length, content), kit.context()
        descs = [kit.desc(a, out)]
        kit.post(a.ep.sendmsg, [out.view], descs=descs, dest=a.peer, flags=Flag.COMPLETION, context=context)
        if a.info.ep_attr.type != EpType.DGRAM:
            kit.quiet()

    def released() -> bool:
        collect(b, [packed])
        return packed.releases > 0

    there = kit.drive(released)
    full = packed.buffer.data.count(0xEE) == 0
    if there or full:
        kit.check("OFI-MSG-021", there, "the release is reported although receives are silent", seen=packed.releases)
    else:
        kit.inconclusive("OFI-MSG-021", "the messages did not arrive within the bound")


@requirement("OFI-MSG-022")
def test_cancelled_buffer(local: Local) -> None:
    """Who cancels a buffer must learn that it is his again."""
    local.run(cancelled_buffer)


def cancelled_buffer(kit: Kit) -> None:
    _, b, _ = ends(kit)
    packed = post(kit, b, 512)
    code = b.ep.cancel(packed.context)
    if code < 0:
        kit.inconclusive("OFI-MSG-022", f"fi_cancel answered {code}")
        return
    entry = kit.outcome(b, packed.context)
    if isinstance(entry, ErrorCompletion):
        seen = Flag(entry.flags)
        kit.check(
            "OFI-MSG-022", bool(seen & Flag.MULTI_RECV), "the error entry says that it was released", seen=str(seen)
        )
    else:
        kit.inconclusive("OFI-MSG-022", "the receive ended before it was cancelled")
