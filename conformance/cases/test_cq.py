# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Completion queues as objects: reading, formats, sources, errors. Waiting: test_cq_waiting."""

from __future__ import annotations

from functools import partial

from hypothesis import strategies as st

from kfabric.api import ADDR_NOTAVAIL, AvType, Completion, CompletionQueue, CqFormat, Errno, FabricError
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Bound, Kit, Pair, Side, message, post_receive, post_send


def send_one(kit: Kit, pair: Pair, size: int = 16) -> int:
    """One message from a to b; the context of its receive."""
    received = post_receive(kit, pair.b, kit.buffer(size + 16))
    post_send(kit, pair.a, kit.buffer(size, 0x37))
    return received.address


@requirement("OFI-CQ-001", "OFI-CQ-002", "OFI-CQ-036")
def test_reading(local: Local) -> None:
    """A queue gives every completion once, in portions of at most the size asked for, and says when it is empty."""
    local.run(reading, counts=[0, 2])
    local.check(reading, st.lists(st.integers(0, 5), min_size=1, max_size=6), share=0.5)


def reading(kit: Kit, counts: list[int]) -> None:
    """Ten messages, read with these counts over and over."""
    total = min(10, kit.info.rx_attr.size or 10, kit.info.tx_attr.size or 10)
    pair = kit.pair(split=True, cq_size=16)
    queue = kit.unpolled(pair.b.rx_cq)
    empty = queue.read() == [] and queue.last_code == -Errno.EAGAIN
    kit.check("OFI-CQ-001", empty, "an empty queue answers EAGAIN", seen=queue.last_code)
    expected = sorted(send_one(kit, pair) for _ in range(total))
    found: list[int] = []

    def take(count: int) -> None:
        entries = queue.read(count)
        kit.check("OFI-CQ-002", len(entries) <= count, "a read returns at most count entries", seen=len(entries))
        found.extend(entry.op_context for entry in entries)

    def round_of_reads() -> bool:
        for count in [*counts, 1]:
            take(count)
        return len(found) >= total

    kit.drive(round_of_reads)
    kit.quiet()
    take(4)
    if len(found) < total:
        raise Bound(f"{len(found)} of {total} completions within the bound")
    for id_ in ("OFI-CQ-002", "OFI-CQ-036"):
        kit.check(id_, sorted(found) == expected, "every completion is returned once", seen=len(found), wanted=total)


@requirement("OFI-CQ-002", once=True)
def test_every_format(local: Local) -> None:
    """An entry has the layout of the queue's format."""
    local.run(every_format)


def every_format(kit: Kit) -> None:
    for kind in (CqFormat.CONTEXT, CqFormat.MSG, CqFormat.DATA, CqFormat.TAGGED):
        pair = kit.pair(cq_format=kind, split=True)
        received = send_one(kit, pair)
        if not kit.drive(partial(has_completions, pair.b)):
            raise Bound("no completion within the bound")
        got = [entry.op_context for entry in pair.b.completions]
        text = f"a queue of format {kind.name} gives one entry with its context"
        kit.check("OFI-CQ-002", got == [received], text, seen=len(got))


def has_completions(side: Side) -> bool:
    return bool(side.completions)


@requirement("OFI-CQ-019", "OFI-CQ-021", once=True)
def test_sources(local: Local) -> None:
    """The sender is named where that was asked for, and only there."""
    local.run(sources)


def sources(kit: Kit) -> None:
    pair = kit.pair(with_source=True)
    entry = entry_of(kit, pair.b, send_one(kit, pair))
    if kit.applies("OFI-CQ-019"):
        text = "the source is the sender's handle"
        kit.check("OFI-CQ-019", entry.src_addr == pair.b.peer, text, seen=entry.src_addr, wanted=pair.b.peer)
    if kit.applies("OFI-CQ-021"):
        text = "without FI_SOURCE the source is FI_ADDR_NOTAVAIL"
        kit.check("OFI-CQ-021", entry.src_addr == ADDR_NOTAVAIL, text, seen=entry.src_addr)


def entry_of(kit: Kit, side: Side, address: int) -> Completion:
    if not kit.drive(lambda: any(entry.op_context == address for entry in side.completions)):
        raise Bound(f"no completion on side {side.name} within the bound")
    return next(entry for entry in side.completions if entry.op_context == address)


@requirement("OFI-CQ-020", "OFI-CQ-022", once=True)
def test_unknown_source(local: Local) -> None:
    """A sender that the vector does not hold is not named, and not inserted either."""
    local.run(unknown_source)


def unknown_source(kit: Kit) -> None:
    target = kit.side(name="target", av_type=AvType.TABLE, with_source=True)
    stranger = kit.side(name="stranger", av_type=AvType.TABLE)
    friend = kit.side(name="friend", av_type=AvType.TABLE)
    received = post_receive(kit, target, kit.buffer(32))
    post_send(kit, stranger, kit.buffer(16, 0x38), dest=kit.insert(stranger, target.address))
    source = entry_of(kit, target, received.address).src_addr
    if kit.applies("OFI-CQ-020"):
        kit.check("OFI-CQ-020", source == ADDR_NOTAVAIL, "an unknown sender is FI_ADDR_NOTAVAIL", seen=source)
    handle = kit.insert(target, friend.address)
    kit.check("OFI-CQ-022", handle == 0, "the first insertion finds the vector empty", seen=handle)
    if target.av is not None:
        known = target.av.lookup(handle)[0]
        kit.check("OFI-CQ-022", known == friend.address, "and its handle is of the address inserted", seen=known.hex())


@requirement("OFI-CQ-023", once=True)
def test_unknown_source_as_error(local: Local) -> None:
    """With FI_SOURCE_ERR the address of an unknown sender comes with an error, fit to be inserted."""
    local.run(unknown_source_as_error)


def unknown_source_as_error(kit: Kit) -> None:
    target = kit.side(name="target", with_source=True)
    stranger = kit.side(name="stranger")
    queue = kit.unpolled(target.rx_cq)
    context = post_receive(kit, target, kit.buffer(32))
    post_send(kit, stranger, kit.buffer(16, 0x38), dest=kit.insert(stranger, target.address))
    codes: list[int] = []

    def ended() -> bool:
        try:
            codes.extend(0 for _ in queue.readfrom(1))
        except FabricError as error:
            codes.append(error.code)
        return bool(codes)

    if not kit.drive(ended):
        raise Bound("no entry for the message within the bound")
    text = "the message of an unknown sender is an error entry"
    kit.require("OFI-CQ-023", codes[0] == Errno.EAVAIL, text, seen=codes[0])
    error = queue.readerr(err_data_size=256)
    kit.require("OFI-CQ-023", error is not None, "which can be read")
    assert error is not None
    kit.check("OFI-CQ-023", error.op_context == context.address, "it is that of the receive")
    kit.check("OFI-CQ-023", error.err == Errno.EADDRNOTAVAIL, "err is FI_EADDRNOTAVAIL", seen=error.err)
    handle = kit.accepted("OFI-CQ-023", kit.insert, target, error.err_data, sentence="err_data can be inserted")
    back = message(kit, target, stranger, b"and back", dest=handle)
    kit.check("OFI-CQ-023", back == b"and back", "and is the address of the sender")


def provoke(kit: Kit, pair: Pair) -> int | None:
    """Leave an error entry in b's receive queue by cancelling a receive; its context, None where that is refused."""
    context = post_receive(kit, pair.b, kit.buffer(32))
    code = pair.b.ep.cancel(context)
    return context.address if code >= 0 else None


def await_error(kit: Kit, queue: CompletionQueue) -> int:
    """The code with which reading the queue is refused."""
    codes: list[int] = []

    def refused() -> bool:
        try:
            queue.read()
        except FabricError as error:
            codes.append(error.code)
        return bool(codes)

    if not kit.drive(refused):
        raise Bound("no error entry within the bound")
    return codes[0]


@requirement("OFI-CQ-024", "OFI-CQ-025", "OFI-CQ-026", "OFI-CQ-030", "OFI-CQ-039", once=True)
def test_error_entries(local: Local) -> None:
    """An error stands at the head of the queue until it is taken, once."""
    local.run(error_entries)


def error_entries(kit: Kit) -> None:
    pair = kit.pair(split=True)
    queue = kit.unpolled(pair.b.rx_cq)
    none = queue.readerr() is None and queue.last_code == -Errno.EAGAIN
    kit.check("OFI-CQ-025", none, "readerr of a queue without error answers EAGAIN", seen=queue.last_code)
    context = provoke(kit, pair)
    if context is None:
        for id_ in ("OFI-CQ-024", "OFI-CQ-026", "OFI-CQ-030", "OFI-CQ-039"):
            kit.unreached(id_, "no receive can be cancelled, so no error entry is provoked")
        return
    code = await_error(kit, queue)
    kit.check("OFI-CQ-024", code == Errno.EAVAIL, "a read answers EAVAIL", seen=code)
    kit.refused("OFI-CQ-024", Errno.EAVAIL, queue.read, sentence="and again, until the error is taken")
    entry = kit.accepted("OFI-CQ-030", queue.readerr, err_data_size=4, sentence="readerr keeps to the room it is given")
    kit.require("OFI-CQ-025", entry is not None and queue.last_code == 1, "readerr returns 1", seen=queue.last_code)
    assert entry is not None
    kit.check("OFI-CQ-026", entry.err > 0, "err is positive", seen=entry.err)
    size = len(entry.err_data)
    kit.check("OFI-CQ-030", size <= 4, "no more error data than there was room for", seen=size)
    right = entry.op_context == context and queue.readerr() is None
    kit.check("OFI-CQ-025", right, "the entry is the one that was due, and is consumed")
    for number in (entry.prov_errno, 0, -1, 1 << 30):
        kit.trying("OFI-CQ-039")
        text = queue.strerror(number, entry.err_data)
        kit.check("OFI-CQ-039", isinstance(text, str), f"fi_cq_strerror of {number} returns a string", seen=text)


@requirement("OFI-CQ-035", "OFI-RM-004")
def test_queue_holds_its_size(local: Local) -> None:
    """As many completions as were asked for wait in the queue for a slow reader, and none is lost."""
    local.run(queue_holds)


def queue_holds(kit: Kit) -> None:
    size = min(32, kit.info.rx_attr.size or 32, kit.info.tx_attr.size or 32)
    pair = kit.pair(split=True, cq_size=size)
    queue = kit.unpolled(pair.b.rx_cq)
    expected = sorted(send_one(kit, pair) for _ in range(size))
    found: list[int] = []
    kit.drive(lambda: len(pair.a.completions) >= size, bound=1.0)

    def collected() -> bool:
        found.extend(entry.op_context for entry in queue.read(4))
        return len(found) >= size

    if not kit.drive(collected) and len(pair.a.completions) < size:
        raise Bound(f"{len(pair.a.completions)} of {size} sends completed within the bound")
    for id_ in ("OFI-CQ-035", "OFI-RM-004"):
        if kit.applies(id_):
            text = "every completion is there for the reader who comes late"
            kit.check(id_, sorted(found) == expected, text, seen=len(found), wanted=size)
