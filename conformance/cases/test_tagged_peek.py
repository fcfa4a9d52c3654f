# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Looking at messages before taking them: peek, claim, discard."""

from __future__ import annotations

from kfabric.api import Completion, Context, Errno, ErrorCompletion, Flag, OpFlag
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Bound, Guarded, Kit, Pair

TAG = 0x17
DATA = 0x2A2B
TRIES = 400
"""Looks before a message that was sent counts as not arriving."""


def tsend(kit: Kit, pair: Pair, content: bytes, tag: int = TAG) -> Context:
    """A tagged message from a to b, with remote CQ data where the provider carries some."""
    out, context = kit.buffer(len(content), content), kit.context()
    desc = kit.desc(pair.a, out)
    if kit.info.domain_attr.cq_data_size:
        kit.post(pair.a.ep.tsenddata, out.view, DATA, tag, desc=desc, dest=pair.a.peer, context=context)
    else:
        kit.post(pair.a.ep.tsend, out.view, tag, desc=desc, dest=pair.a.peer, context=context)
    return context


def trecv(kit: Kit, pair: Pair, tag: int = TAG, size: int = 64) -> tuple[Guarded, Context]:
    """An ordinary tagged receive at b."""
    into, context = kit.buffer(size, 0xEE), kit.context()
    kit.post(pair.b.ep.trecv, into.view, tag, desc=kit.desc(pair.b, into), context=context)
    return into, context


def look(kit: Kit, pair: Pair, flags: int = 0, tag: int = TAG) -> tuple[Context, Completion | ErrorCompletion]:
    """One look for a message."""
    context = kit.context()
    kit.post(pair.b.ep.trecvmsg, [], tag, flags=int(Flag.PEEK) | flags, context=context)
    return context, kit.outcome(pair.b, context)


def until_found(kit: Kit, pair: Pair, flags: int = 0, tag: int = TAG) -> tuple[Context, Completion | ErrorCompletion]:
    """Look until the message is there, or until looking fails in another way."""
    for _ in range(TRIES):
        context, entry = look(kit, pair, flags, tag)
        if isinstance(entry, Completion):
            return context, entry
        if entry.err != Errno.ENOMSG:
            return context, entry
        kit.poll()
    raise Bound(f"{TRIES} looks did not find the message that was sent")


def found(kit: Kit, pair: Pair, flags: int) -> Context:
    """Look until the message is there; the context of the look that found it."""
    context, entry = until_found(kit, pair, flags)
    if isinstance(entry, ErrorCompletion):
        raise Bound(f"looking failed with {entry.err}")
    return context


@requirement("OFI-TAG-006", "OFI-TAG-010")
def test_looking_for_nothing(local: Local) -> None:
    """Polling for requests must neither block nor take what comes later."""
    local.run(looking_for_nothing)


def looking_for_nothing(kit: Kit) -> None:
    pair = kit.pair()
    context, entry = look(kit, pair)
    told = isinstance(entry, ErrorCompletion) and entry.err == Errno.ENOMSG
    kit.check("OFI-TAG-006", told, "a look that finds nothing fails with ENOMSG", seen=entry)
    into, received = trecv(kit, pair)
    sent = tsend(kit, pair, b"later")
    kit.completion(pair.b, received)
    kit.completion(pair.a, sent)
    kit.quiet()
    again = pair.b.take(context.address)
    kit.check(
        "OFI-TAG-010",
        again is None and into.data[:5] == b"later",
        "a look that has completed takes no message",
        seen=again,
    )


@requirement("OFI-TAG-007", "OFI-TAG-008", "OFI-TAG-009")
def test_looking(local: Local) -> None:
    """Who looks learns how large a buffer it needs, and finds the message still there."""
    local.run(looking, size=24)
    local.run(looking, size=0)
    local.run(looking, size=40000)


def looking(kit: Kit, size: int) -> None:
    pair = kit.pair()
    content = bytes(index % 253 for index in range(size))
    sent = tsend(kit, pair, content)
    _, entry = until_found(kit, pair)
    kit.require("OFI-TAG-007", isinstance(entry, Completion), "a look that finds a message succeeds", seen=entry)
    assert isinstance(entry, Completion)
    kit.check("OFI-TAG-008", entry.len == size, "its length is told", seen=entry.len, wanted=size)
    kit.check("OFI-TAG-008", entry.tag == TAG, "its tag is told", seen=entry.tag, wanted=TAG)
    if kit.info.domain_attr.cq_data_size:
        kit.check("OFI-TAG-008", entry.data == DATA, "its data is told", seen=entry.data, wanted=DATA)
    into, received = trecv(kit, pair, size=max(size, 1))
    done = kit.completion(pair.b, received)
    kit.completion(pair.a, sent)
    same = done.len == size and into.data[:size] == content
    kit.check("OFI-TAG-009", same, "a message that was looked at can be received", seen=done.len, wanted=size)


@requirement("OFI-TAG-011", "OFI-TAG-012")
def test_claiming(local: Local) -> None:
    """A thread that claimed a message must get that one, and nobody else may."""
    local.run(claiming)


def claiming(kit: Kit) -> None:
    pair = kit.pair()
    first, second = b"first message", b"second"
    sent = [tsend(kit, pair, first)]
    claim = found(kit, pair, int(OpFlag.CLAIM))
    into, received = trecv(kit, pair)
    sent.append(tsend(kit, pair, second))
    other = kit.completion(pair.b, received)
    kit.check(
        "OFI-TAG-011",
        other.len == len(second) and into.data.startswith(second),
        "an ordinary receive passes over a claimed message",
        seen=into.data[: other.len or 0],
        wanted=second,
    )
    mine = kit.buffer(64, 0xEE)
    descs = [kit.desc(pair.b, mine)]
    kit.post(pair.b.ep.trecvmsg, [mine.view], TAG, descs=descs, flags=OpFlag.CLAIM, context=claim)
    done = kit.completion(pair.b, claim)
    kit.check(
        "OFI-TAG-012",
        done.len == len(first) and mine.data.startswith(first),
        "the claim gets its message",
        seen=mine.data[: done.len or 0],
        wanted=first,
    )
    for context in sent:
        kit.completion(pair.a, context)


@requirement("OFI-TAG-013")
def test_discarding(local: Local) -> None:
    """A message that was thrown away must not come back."""
    local.run(discarding, size=16)
    local.run(discarding, size=0)


def discarding(kit: Kit, size: int) -> None:
    pair = kit.pair()
    sent = [tsend(kit, pair, b"x" * size)]
    found(kit, pair, int(OpFlag.DISCARD))
    into, received = trecv(kit, pair)
    sent.append(tsend(kit, pair, b"kept"))
    done = kit.completion(pair.b, received)
    kept = done.len == 4 and into.data.startswith(b"kept")
    kit.check("OFI-TAG-013", kept, "a discarded message is gone", seen=into.data[: done.len or 0], wanted=b"kept")
    for context in sent:
        kit.completion(pair.a, context)


@requirement("OFI-TAG-013", "OFI-TAG-014")
def test_discarding_a_claim(local: Local) -> None:
    """Who claimed a message may still refuse it."""
    local.run(discarding_a_claim)


def discarding_a_claim(kit: Kit) -> None:
    pair = kit.pair()
    sent = [tsend(kit, pair, b"unwanted")]
    claim = found(kit, pair, int(OpFlag.CLAIM))
    mine = kit.buffer(64, 0xEE)
    flags = int(OpFlag.CLAIM) | int(OpFlag.DISCARD)
    kit.post(pair.b.ep.trecvmsg, [mine.view], TAG, descs=[kit.desc(pair.b, mine)], flags=flags, context=claim)
    kit.completion(pair.b, claim)
    untouched = mine.data == b"\xee" * 64
    kit.check("OFI-TAG-014", untouched, "the buffer given with it is not touched", seen=mine.data[:8])
    into, received = trecv(kit, pair)
    sent.append(tsend(kit, pair, b"kept"))
    done = kit.completion(pair.b, received)
    kept = done.len == 4 and into.data.startswith(b"kept")
    kit.check("OFI-TAG-013", kept, "a discarded message is gone", seen=into.data[: done.len or 0], wanted=b"kept")
    for context in sent:
        kit.completion(pair.a, context)
