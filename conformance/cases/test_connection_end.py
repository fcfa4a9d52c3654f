# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The end of connections: shutdown, and what it leaves readable."""

from __future__ import annotations

from kfabric.api import Completion, EqEventKind, ErrorCompletion
from ofi_conformance import Local, requirement
from ofi_conformance.kit import (
    Bound,
    Kit,
    Side,
    counters,
    event_or_none,
    message,
    post_receive,
    post_send,
    waiting_event,
)


@requirement("OFI-CM-011")
def test_shutdown_is_told(local: Local) -> None:
    """A shutdown is told to the peer, once."""
    local.run(shutdown_is_told)


def shutdown_is_told(kit: Kit) -> None:
    pair = kit.pair()
    message(kit, pair.a, pair.b, b"before the end")
    pair.a.ep.shutdown()
    if event_or_none(kit, pair.b, EqEventKind.SHUTDOWN, bound=3.0) is None:
        raise Bound("no FI_SHUTDOWN at the peer within the bound")
    kit.quiet(200)
    again = waiting_event(kit, pair.b, EqEventKind.SHUTDOWN)
    kit.check("OFI-CM-011", again is None, "the peer gets FI_SHUTDOWN once")


@requirement("OFI-CM-014")
def test_shutdown_ends_operations_at_once(local: Local) -> None:
    """When fi_shutdown has returned, every operation that it cancelled has been reported."""
    local.run(shutdown_ends_operations)


def shutdown_ends_operations(kit: Kit) -> None:
    pair = kit.pair(cq_size=64)
    pending = {post_receive(kit, pair.a, kit.buffer(64)).address for _ in range(4)}
    kit.quiet()
    pair.a.ep.shutdown()
    at_once = drain(pair.a) & pending
    kit.quiet(200)
    late = drain(pair.a) & pending
    text = "no completion of a cancelled operation is written after fi_shutdown returned"
    kit.check("OFI-CM-014", not late, text, seen=f"{len(at_once)} at once, {len(late)} later")


def drain(side: Side) -> set[int]:
    """Contexts of everything that a side's queues hold, read without waiting, and of what had been read before."""
    for watch in side.watches:
        while watch.poll():
            pass
    found = {entry.op_context for entry in side.completions} | {entry.op_context for entry in side.errors}
    for watch in side.watches:
        watch.completions.clear()
        watch.errors.clear()
    return found


@requirement("OFI-CM-013")
def test_completions_outlive_the_connection(local: Local) -> None:
    """What completed before the shutdown can still be read after it."""
    local.run(completions_outlive)


def completions_outlive(kit: Kit) -> None:
    """Messages have been received and nothing was read but one completion; the others wait when the end comes."""
    counted = counters(kit, "recv")
    pair = kit.pair(cq_size=64, split=True, counters=counted)
    buffers = [kit.buffer(32, 0) for _ in range(3)]
    contexts = [post_receive(kit, pair.b, buffer) for buffer in buffers]
    queue = pair.b.rx_cq
    watch = next(watch for watch in pair.b.watches if watch.queue is queue)
    sources = [kit.buffer(32, 0x21 + number) for number in range(3)]
    kit.unpolled(queue)
    for source in sources:
        post_send(kit, pair.a, source)

    def placed() -> bool:
        queue.read(0)  # progress without taking an entry
        enough = not counted or pair.b.cntrs["recv"].read() >= 3
        return enough and all(into.data == out.data for into, out in zip(buffers, sources, strict=True))

    if not kit.drive(placed):
        raise Bound("the messages were not received within the bound")
    for _ in range(100):
        queue.read(0)
    pair.b.ep.shutdown()
    seen: list[Completion | ErrorCompletion] = []
    while watch.poll():
        pass
    seen += [*watch.completions, *watch.errors]
    whole = sorted(entry.op_context for entry in watch.completions) == sorted(c.address for c in contexts)
    if counted or whole:
        kit.check("OFI-CM-013", whole, "completions of received messages are readable after fi_shutdown", seen=seen)
    else:
        kit.inconclusive("OFI-CM-013", "without a counter it cannot be known that the entries had been written before")


@requirement("OFI-CM-012")
def test_closing_an_end_is_noticed(local: Local) -> None:
    """A peer that closes its endpoint does not just fall silent."""
    local.run(peer_closes)


def peer_closes(kit: Kit) -> None:
    pair = kit.pair()
    message(kit, pair.a, pair.b, b"before the end")
    pair.a.ep.close()
    if event_or_none(kit, pair.b, EqEventKind.SHUTDOWN, bound=3.0) is None:
        raise Bound("no FI_SHUTDOWN at the peer within the bound")
    kit.check("OFI-CM-012", True, "the other end gets FI_SHUTDOWN when its peer closed the endpoint")
