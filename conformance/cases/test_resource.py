# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Resource management: full queues, refused calls without effect, peers that are not there."""

from __future__ import annotations

from kfabric.api import Context, Errno, ErrorCompletion, FabricError
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Bound, Guarded, Kit, Pair

FLOOD = 4096
"""Sends after which a sender that was never refused has shown that it hides its limits."""


def flood(kit: Kit, pair: Pair, limit: int) -> tuple[list[Context], FabricError | None]:
    """Send until the provider refuses; contexts of what was taken, and the refusal."""
    taken: list[Context] = []
    source = kit.buffer(64, 0x55)
    desc = kit.desc(pair.a, source)
    for _ in range(limit):
        context = kit.context()
        try:
            pair.a.ep.send(source.view, desc=desc, dest=pair.a.peer, context=context)
        except FabricError as error:
            return taken, error
        taken.append(context)
    return taken, None


@requirement("OFI-RM-001", "OFI-RM-002", "OFI-RM-003", "OFI-RM-004")
def test_flooded_sender(local: Local) -> None:
    """A sender that is too fast is told to wait, loses nothing, and goes on when there is room."""
    local.run(flooded_sender)


def flooded_sender(kit: Kit) -> None:
    pair = kit.pair(split=True)
    taken, refusal = flood(kit, pair, FLOOD)
    if refusal is not None:
        kit.check("OFI-RM-001", refusal.code == Errno.EAGAIN, "the refusal is EAGAIN", seen=str(refusal))
    else:
        kit.inconclusive("OFI-RM-001", f"the provider took {FLOOD} sends without refusing one")
    receives: list[tuple[Context, Guarded]] = []
    room = max(1, min(kit.info.rx_attr.size or 64, 64))

    def refill() -> None:
        while len(receives) < len(taken) and len(receives) - len(pair.b.completions) < room:
            into, context = kit.buffer(64, 0), kit.context()
            try:
                pair.b.ep.recv(into.view, desc=kit.desc(pair.b, into), context=context)
            except FabricError as error:
                if error.code != Errno.EAGAIN:
                    raise
                return
            receives.append((context, into))

    def drained() -> bool:
        refill()
        return len(pair.b.completions) >= len(taken) and len(pair.a.completions) + len(pair.a.errors) >= len(taken)

    if not kit.drive(drained, bound=10.0):
        raise Bound(
            f"{len(pair.b.completions)} messages, {len(pair.a.completions)} completions of {len(taken)} by the bound"
        )
    if refusal is not None:
        again, context = kit.buffer(64, 0x56), kit.context()
        into, received = kit.buffer(64, 0), kit.context()
        kit.post(pair.b.ep.recv, into.view, desc=kit.desc(pair.b, into), context=received)
        kit.accepted(
            "OFI-RM-003",
            kit.post,
            pair.a.ep.send,
            again.view,
            desc=kit.desc(pair.a, again),
            dest=pair.a.peer,
            context=context,
            sentence="a send is taken again once there is room",
        )
        kit.completion(pair.b, received)
        kit.check("OFI-RM-003", into.data == again.data, "and arrives")
    else:
        kit.inconclusive("OFI-RM-003", "no send was ever refused")
    kit.quiet()
    sent = sorted(entry.op_context for entry in pair.a.completions)
    wanted = sorted(context.address for context in taken)
    if refusal is not None:
        wanted = sorted([*wanted, context.address])
    kit.check(
        "OFI-RM-002",
        len(sent) <= len(wanted) and set(sent) <= set(wanted),
        "a refused send has no completion",
        seen=len(sent),
        wanted=len(wanted),
    )
    kit.check(
        "OFI-RM-004", sent == wanted, "every send that was taken is completed, once", seen=len(sent), wanted=len(wanted)
    )


@requirement("OFI-RM-010")
def test_unreachable_peer(local: Local) -> None:
    """A peer that is not there ends an operation in error, not in silence."""
    local.run(unreachable_peer)


def unreachable_peer(kit: Kit) -> None:
    gone = kit.side(name="gone")
    address = gone.address
    gone.ep.close()
    hub = kit.side(name="hub")
    handle = kit.insert(hub, address)
    out, context = kit.buffer(64, 0x57), kit.context()
    try:
        kit.post(hub.ep.send, out.view, desc=kit.desc(hub, out), dest=handle, context=context, bound=20.0)
    except FabricError as error:
        kit.check("OFI-RM-010", error.code != Errno.EAGAIN, "the call itself refuses", seen=str(error))
        return
    entry = kit.outcome(hub, context, bound=30.0)
    kit.check("OFI-RM-010", isinstance(entry, ErrorCompletion), "the send completes in error", seen=str(entry))
