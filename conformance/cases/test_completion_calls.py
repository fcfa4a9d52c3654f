# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Completions seen from one process that owns both ends: default flags, contexts, counters, notices at the target.

Both ends in one process allow what Programs cannot do: look at the target's memory at the very moment at which
something tells of it. Programs about completions: ``test_completion``.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable

from kfabric.api import Completion, Context, FabricError, Flag, RmaIov
from kfabric.model.guarantees import End
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Bound, Guarded, Kit, Pair, Region, Side
from ofi_conformance.kit.common import counters

SIZES = (8, 4097, 65537)
"""On both sides of the usual changes of protocol."""


def end(kit: Kit) -> End:
    """What this configuration promised."""
    return kit.guarantees


def fitting(kit: Kit, *lengths: int) -> list[int]:
    """Those that a message may have here."""
    return [size for size in lengths if size <= end(kit).max_msg_size]


def post_receive(kit: Kit, side: Side, room: int) -> tuple[Guarded, Context]:
    """A receive of the kind that the configuration has."""
    into, context = kit.buffer(room, 0xEE), kit.context()
    if "MSG" in end(kit).caps:
        kit.post(side.ep.recv, into.view, desc=kit.desc(side, into), context=context)
    else:
        kit.post(side.ep.trecv, into.view, 1, desc=kit.desc(side, into), context=context)
    return into, context


def post_flagged(kit: Kit, side: Side, out: Guarded, flags: Flag, context: Context | None) -> None:
    """A message by the call that takes flags."""
    descs = [kit.desc(side, out)]
    if "MSG" in end(kit).caps:
        kit.post(side.ep.sendmsg, [out.view], descs=descs, dest=side.peer, flags=flags, context=context)
    else:
        kit.post(side.ep.tsendmsg, [out.view], 1, descs=descs, dest=side.peer, flags=flags, context=context)


def post_plain(kit: Kit, side: Side, out: Guarded, context: Context | None) -> None:
    """A message by the call without flags."""
    if "MSG" in end(kit).caps:
        kit.post(side.ep.send, out.view, desc=kit.desc(side, out), dest=side.peer, context=context)
    else:
        kit.post(side.ep.tsend, out.view, 1, desc=kit.desc(side, out), dest=side.peer, context=context)


def watch(kit: Kit, told: Callable[[], object]) -> None:
    """Drive both ends until something is told; nothing is looked at in between."""
    if not kit.drive(told):
        raise Bound("what is to be told was not told within the bound")


# -- a sender that goes away ---------------------------------------------------------------------------------


@requirement("OFI-CMP-002")
def test_sender_goes_away(local: Local) -> None:
    """A client that was told that its request is out may exit."""
    for size in SIZES:
        local.run(sender_goes_away, size=size)


def sender_goes_away(kit: Kit, size: int) -> None:
    pair = kit.pair()
    into, received = post_receive(kit, pair.b, size)
    out, sent = kit.buffer(size), kit.context()
    post_flagged(kit, pair.a, out, Flag.TRANSMIT_COMPLETE, sent)
    deadline = time.monotonic() + 0.2
    while pair.a.take(sent.address) is None:
        if time.monotonic() > deadline:  # it needs the receiver's help: this is no race then
            kit.completion(pair.a, sent)
            break
        for queue in pair.a.watches:
            queue.poll()
    content = out.data
    pair.a.ep.close()
    done = kit.drive(lambda: any(entry.op_context == received.address for entry in pair.b.completions))
    whole = done and into.data == content
    sentence = f"a message of {size} bytes arrives although its sender closed the endpoint after the completion"
    kit.check("OFI-CMP-002", whole, sentence, seen=into.data[:16], wanted=content[:16])


# -- default flags and silent operations ---------------------------------------------------------------------


@requirement("OFI-CMP-014")
def test_flags_replace_defaults(local: Local) -> None:
    """A call that takes flags says everything: what it does not ask for it does not get."""
    local.run(flags_replace_defaults)


def flags_replace_defaults(kit: Kit) -> None:
    try:
        pair = kit.pair(selective=True, tx_op_flags=Flag.COMPLETION)
    except FabricError as error:
        kit.unreached("OFI-CMP-014", f"FI_COMPLETION is refused as a default flag ({error})")
        return
    silent, told = kit.context(), kit.context()
    for flags, context in ((Flag.NONE, silent), (Flag.COMPLETION, told)):
        post_receive(kit, pair.b, 16)
        post_flagged(kit, pair.a, kit.buffer(16), flags, context)
    kit.completion(pair.a, told)
    kit.quiet()
    entry = pair.a.take(silent.address)
    kit.check("OFI-CMP-014", entry is None, "a call without FI_COMPLETION among its flags is silent", seen=entry)


@requirement("OFI-CMP-015")
def test_contexts_of_silent_operations(local: Local) -> None:
    """Who asks for no completion need not keep a context, nor give one."""
    local.run(contexts_of_silent_operations)


def contexts_of_silent_operations(kit: Kit) -> None:
    pair = kit.pair(selective=True)
    watched = kit.context()
    ctypes.memset(watched.address, 0xA5, 64)
    arrived = []
    for context in (watched, None):
        for size in fitting(kit, 8, 4097):
            into, _ = post_receive(kit, pair.b, size)
            out = kit.buffer(size)
            post_flagged(kit, pair.a, out, Flag.NONE, context)
            arrived.append((into, out))
    if not kit.drive(lambda: all(into.data == out.data for into, out in arrived)):
        kit.inconclusive("OFI-CMP-015", "the messages did not arrive within the bound")
        return
    kit.quiet()
    now = ctypes.string_at(watched.address, 64)
    kit.check("OFI-CMP-015", now == b"\xa5" * 64, "the context of a silent operation is not written", seen=now)


@requirement("OFI-CMP-021")
def test_injecting_too_much(local: Local) -> None:
    """A message that is too long for injection is refused or sent: cut it must not be."""
    local.run(injecting_too_much, more=1)
    local.run(injecting_too_much, more=5000)


def injecting_too_much(kit: Kit, more: int) -> None:
    pair = kit.pair()
    size = end(kit).inject_size + more
    into, received = post_receive(kit, pair.b, size)
    out = kit.buffer(size)
    content = out.data
    refused: FabricError | None = None
    try:
        if "MSG" in end(kit).caps:
            kit.post(pair.a.ep.inject, out.view, dest=pair.a.peer)
        else:
            kit.post(pair.a.ep.tinject, out.view, 1, dest=pair.a.peer)
    except FabricError as error:
        refused = error
    out.fill(0)
    if refused is None:
        entry = kit.completion(pair.b, received)
        whole = entry.len == size and into.data == content
        kit.check("OFI-CMP-021", whole, f"{size} bytes that were accepted arrive whole", seen=entry.len, wanted=size)
        return
    small, sent = kit.buffer(4), kit.context()
    post_plain(kit, pair.a, small, sent)
    entry = kit.completion(pair.b, received)
    kit.check(
        "OFI-CMP-021",
        entry.len == 4 and into.data[:4] == small.data,
        f"{size} bytes that were refused ({refused.name}) have no effect",
        seen=entry.len,
        wanted=4,
    )


# -- counters ------------------------------------------------------------------------------------------------


@requirement("OFI-CMP-023")
def test_counted_and_done(local: Local) -> None:
    """Who only counts reuses buffers by the count."""
    for size in SIZES:
        local.run(counted_and_done, size=size)


def counted_and_done(kit: Kit, size: int) -> None:
    if "MSG" not in end(kit).caps and "TAGGED" not in end(kit).caps:
        kit.unreached("OFI-CMP-023", "no messages here")
        return
    bound = counters(kit, "send")
    if not bound or size > end(kit).max_msg_size:
        kit.unreached("OFI-CMP-023", "no counter opens" if not bound else f"no message of {size} bytes")
        return
    pair = kit.pair(selective=True, counters=bound)
    into, _ = post_receive(kit, pair.b, size)
    out = kit.buffer(size)
    content = out.data
    post_flagged(kit, pair.a, out, Flag.NONE, None)
    watch(kit, lambda: pair.a.cntrs["send"].read() == 1)
    out.fill(0)
    if not kit.drive(lambda: into.data != b"\xee" * size and b"\xee" * 8 not in into.data[-8:]):
        kit.inconclusive("OFI-CMP-023", "the message did not arrive within the bound")
        return
    kit.quiet()
    seen = into.data
    kit.check("OFI-CMP-023", seen == content, "what is written after the count is not sent", seen=seen[:16])


# -- notices at the target -----------------------------------------------------------------------------------


def exposed(kit: Kit, side: Side, size: int, flags: Flag = Flag.NONE) -> tuple[Guarded, Region]:
    """Memory that the peer may write."""
    memory = kit.buffer(size, 0)
    return memory, kit.register(side, memory, flags=flags)


def write(kit: Kit, pair: Pair, region: Region, out: Guarded, flags: Flag, data: int = 0, offset: int = 0) -> Context:
    """A write from a to b by the call that takes flags."""
    context = kit.context()
    remote = [RmaIov(region.remote(offset), out.size, region.key)]
    descs = [kit.desc(pair.a, out)]
    kit.post(
        pair.a.ep.writemsg,
        [out.view],
        remote,
        descs=descs,
        dest=pair.a.peer,
        data=data,
        flags=flags,
        context=context,
    )
    return context


def told_of(side: Side, data: int) -> bool:
    """Whether the side has the entry of a write with this data."""
    return any((entry.flags or 0) & Flag.REMOTE_CQ_DATA and entry.data == data for entry in side.completions)


@requirement("OFI-CMP-008", "OFI-ORD-010")
def test_data_tells_of_writes(local: Local) -> None:
    """Remote CQ data is the doorbell of one-sided protocols."""
    for size in SIZES:
        local.run(data_tells_of_writes, size=size)


def data_tells_of_writes(kit: Kit, size: int) -> None:
    pair = kit.pair()
    memory, region = exposed(kit, pair.b, 2 * size)
    first, second = kit.buffer(size), kit.buffer(size)
    posted = [
        write(kit, pair, region, first, Flag.NONE),
        write(kit, pair, region, second, Flag.REMOTE_CQ_DATA, data=0x77, offset=size),
    ]
    watch(kit, lambda: told_of(pair.b, 0x77))
    seen = memory.data
    kit.check("OFI-CMP-008", seen[size:] == second.data, "the write that carries the data is there", seen=seen[-16:])
    if kit.applies("OFI-ORD-010"):
        kit.check("OFI-ORD-010", seen[:size] == first.data, "so is the write before it", seen=seen[:16])
    for context in posted:
        kit.completion(pair.a, context)


@requirement("OFI-RMA-015")
def test_data_takes_a_receive(local: Local) -> None:
    """Where the mode says so, each write with data uses up a receive."""
    local.run(data_takes_a_receive)


def data_takes_a_receive(kit: Kit) -> None:
    pair = kit.pair()
    _, region = exposed(kit, pair.b, 16)
    _, received = post_receive(kit, pair.b, 16)
    sent = write(kit, pair, region, kit.buffer(16), Flag.REMOTE_CQ_DATA, data=0x77)
    entry = kit.completion(pair.b, received)
    flagged = bool((entry.flags or 0) & Flag.REMOTE_CQ_DATA)
    kit.check("OFI-RMA-015", flagged and entry.data == 0x77, "the receive completes with the data", seen=entry.data)
    kit.completion(pair.a, sent)


@requirement("OFI-CMP-009")
def test_counter_tells_of_writes(local: Local) -> None:
    """Who waits by a counter for what is put into his memory must find it there."""
    for size in SIZES:
        local.run(counter_tells_of_writes, size=size)


def counter_tells_of_writes(kit: Kit, size: int) -> None:
    bound = counters(kit, "remote_write")
    if not bound or "RMA" not in end(kit).caps:
        kit.unreached("OFI-CMP-009", "no counter opens, or no remote memory access")
        return
    pair = kit.pair(counters=bound)
    memory, region = exposed(kit, pair.b, size)
    out = kit.buffer(size)
    sent = write(kit, pair, region, out, Flag.NONE)
    watch(kit, lambda: pair.b.cntrs["remote_write"].read() >= 1)
    seen = memory.data
    kit.check("OFI-CMP-009", seen == out.data, "what was counted is there", seen=seen[-16:], wanted=out.data[-16:])
    kit.completion(pair.a, sent)


# -- committed writes ----------------------------------------------------------------------------------------


@requirement("FPM-CMP-003")
def test_data_tells_of_committed_writes(local: Local) -> None:
    """The doorbell rings after the data is safe, and so after it is there."""
    for size in SIZES:
        local.run(data_tells_of_committed_writes, size=size)


def data_tells_of_committed_writes(kit: Kit, size: int) -> None:
    pair = kit.pair()
    memory, region = exposed(kit, pair.b, size, Flag.RMA_PMEM)
    out = kit.buffer(size)
    sent = write(kit, pair, region, out, Flag.REMOTE_CQ_DATA | Flag.COMMIT_COMPLETE, data=0x78)
    watch(kit, lambda: told_of(pair.b, 0x78))
    seen = memory.data
    kit.check("FPM-CMP-003", seen == out.data, "the committed write is there", seen=seen[-16:], wanted=out.data[-16:])
    kit.completion(pair.a, sent)


@requirement("FPM-CMP-004")
def test_committing_by_default(local: Local) -> None:
    """A default that is ignored loses data without a word."""
    for size in SIZES:
        local.run(committing_by_default, size=size)


def committing_by_default(kit: Kit, size: int) -> None:
    hints = kit.hints()
    hints.tx_attr.op_flags |= Flag.COMMIT_COMPLETE
    offers = kit.offers(hints)
    if not offers:
        kit.unreached("FPM-CMP-004", "FI_COMMIT_COMPLETE is not offered as a default")
        return
    pair = kit.pair(tx_op_flags=Flag.COMMIT_COMPLETE)
    memory, region = exposed(kit, pair.b, size, Flag.RMA_PMEM)
    out, sent = kit.buffer(size), kit.context()
    kit.post(
        pair.a.ep.write,
        out.view,
        addr=region.remote(),
        key=region.key,
        desc=kit.desc(pair.a, out),
        dest=pair.a.peer,
        context=sent,
    )
    done: list[bytes] = []

    def told() -> bool:
        if not done and isinstance(pair.a.take(sent.address), Completion):
            done.append(memory.data)
        return bool(done)

    watch(kit, told)
    seen = done[0]
    kit.check("FPM-CMP-004", seen == out.data, "a plain write is there when it completes", seen=seen[-16:])


# -- a message that was delivered ----------------------------------------------------------------------------


@requirement("OFI-CMP-003")
def test_delivered_message_is_in_the_buffer(local: Local) -> None:
    """Whoever is told that a message was delivered may tell others that it is there."""
    for size in SIZES:
        local.run(delivered_message_is_in_the_buffer, size=size)


def delivered_message_is_in_the_buffer(kit: Kit, size: int) -> None:
    pair = kit.pair()
    into, _ = post_receive(kit, pair.b, size)
    out, sent = kit.buffer(size), kit.context()
    post_flagged(kit, pair.a, out, Flag.DELIVERY_COMPLETE, sent)
    done: list[bytes] = []

    def told() -> bool:
        if not done and isinstance(pair.a.take(sent.address), Completion):
            done.append(into.data)
        return bool(done)

    watch(kit, told)
    kit.check("OFI-CMP-003", done[0] == out.data, "the message is in the buffer", seen=done[0][-16:])
