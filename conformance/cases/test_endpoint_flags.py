# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Default flags of endpoints, their aliases, and receive contexts that endpoints share."""

from __future__ import annotations

from functools import partial

from kfabric.api import SHARED_CONTEXT, Endpoint, EpType, EqEventKind, Flag, Info, RxAttr
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Bound, Kit, Pair, Side, bind_address, post_receive, post_send, unless_refused


def offer_with(kit: Kit, flags: Flag) -> Info | None:
    """An entry like the configuration's with these default flags for transmit operations; None where none is given."""
    hints = kit.hints()
    hints.tx_attr.op_flags = flags
    found = [info for info in kit.offers(hints) if info.tx_attr.op_flags & flags == flags]
    ours = [info for info in found if info.domain_attr.name == kit.info.domain_attr.name]
    return ours[0] if ours else None


def reported(kit: Kit, pair: Pair) -> bool:
    """Whether a plain send of a, whose queue is bound for selective completion, is reported."""
    into, out = kit.buffer(16, 0), kit.buffer(16, 0x61)
    post_receive(kit, pair.b, into)
    sent = post_send(kit, pair.a, out)
    if not kit.drive(lambda: into.data == out.data):
        raise Bound("the message did not arrive within the bound")
    kit.quiet()
    return any(entry.op_context == sent.address for entry in pair.a.completions)


@requirement("OFI-CMP-013", once=True)
def test_default_flags_decide_reporting(local: Local) -> None:
    """A call without flags argument behaves as if the default flags had been passed."""
    local.run(default_flags_decide)


def default_flags_decide(kit: Kit) -> None:
    for flags, wanted in ((Flag.COMPLETION, True), (Flag.NONE, False)):
        info = offer_with(kit, flags)
        if info is None:
            kit.unreached("OFI-CMP-013", f"no entry has {flags.name} in op_flags")
            continue
        came = reported(kit, kit.pair(info, selective=True))
        text = f"a plain send with {flags.name or 'nothing'} in op_flags is {'' if wanted else 'not '}reported"
        kit.check("OFI-CMP-013", came == wanted, text)


@requirement("OFI-EP-016", "OFI-EP-017", "OFI-EP-025", once=True)
def test_default_flags_can_be_replaced(local: Local) -> None:
    """The flags of calls that have no flags argument are what the application set last."""
    local.run(default_flags_replaced)


def default_flags_replaced(kit: Kit) -> None:
    info = offer_with(kit, Flag.COMPLETION)
    pair = kit.pair(info, selective=True)
    with unless_refused(kit, "OFI-EP-017", why="FI_GETOPSFLAG is not offered"):
        seen = pair.a.ep.get_ops_flags(Flag.TRANSMIT)
        if info is not None:
            text = "FI_GETOPSFLAG tells the flags that the endpoint was opened with"
            kit.check("OFI-EP-017", seen & Flag.COMPLETION, text, seen=hex(seen))
    with unless_refused(kit, "OFI-EP-016", "OFI-EP-025", why="FI_SETOPSFLAG is not offered"):
        for flags, wanted in ((Flag.NONE, False), (Flag.COMPLETION, True)):
            pair.a.ep.set_ops_flags(Flag.TRANSMIT | flags)
            text = (
                f"after FI_SETOPSFLAG with {flags.name or 'nothing'} a plain send is {'' if wanted else 'not '}reported"
            )
            kit.check("OFI-EP-016", reported(kit, pair) == wanted, text)
        alias_is_separate(kit, pair.a.ep)


def alias_is_separate(kit: Kit, ep: Endpoint) -> None:
    with unless_refused(kit, "OFI-EP-025", why="aliases are not offered"):
        before = ep.get_ops_flags(Flag.TRANSMIT)
        twin = kit.keep(ep.alias(Flag.TRANSMIT | Flag.TRANSMIT_COMPLETE))
        twin.set_ops_flags(Flag.TRANSMIT | Flag.INJECT_COMPLETE)
        after = ep.get_ops_flags(Flag.TRANSMIT)
        text = "flags set on an alias leave the endpoint's alone"
        kit.check("OFI-EP-025", after == before, text, seen=hex(after), wanted=hex(before))


@requirement("OFI-EP-024", once=True)
def test_shared_receive_context(local: Local) -> None:
    """A receive that several endpoints share is reported where its message came in."""
    local.run(shared_receive_context)


def shared_receive_context(kit: Kit) -> None:
    shared = kit.accepted("OFI-EP-024", kit.domain.srx_ctx, RxAttr(), sentence="max_ep_srx_ctx is not 0: one opens")
    receivers: list[tuple[Side, int, object]] = []
    if kit.info.ep_attr.type == EpType.MSG:
        receivers = [connected_to_shared(kit, shared) for _ in range(2)]
    else:
        hub = kit.side(name="hub")
        for _ in range(2):
            ep, queue = sharing(kit, kit.info, shared)
            ep.enable()
            receivers.append((hub, kit.insert(hub, ep.getname()[0]), queue))
    for number, (source, handle, queue) in enumerate(receivers):
        into, context = kit.buffer(32), kit.context()
        shared.recv(into.view, context=context)
        post_send(kit, source, kit.buffer(16, 0x70 + number), dest=handle)
        kit.drive(partial(holder, kit, context.address))
        text = "the completion is in the queue of the endpoint that received"
        kit.check("OFI-EP-024", holder(kit, context.address) is queue, text, seen=number)


def sharing(kit: Kit, base: Info, shared: Endpoint) -> tuple[Endpoint, object]:
    """An endpoint, not enabled yet, that takes its receives from the shared context; and its queue."""
    info = kit.provider.dupinfo(base)
    info.ep_attr.rx_ctx_cnt = SHARED_CONTEXT
    ep = kit.accepted("OFI-EP-024", kit.domain.endpoint, info, sentence="an endpoint with a shared context opens")
    queue = kit.cq()
    ep.bind(queue, Flag.TRANSMIT | Flag.RECV)
    kit.accepted("OFI-EP-024", ep.bind, shared, sentence="an endpoint takes the shared context")
    bind_address(kit, ep)
    return ep, queue


def connected_to_shared(kit: Kit, shared: Endpoint) -> tuple[Side, int, object]:
    """A connection whose accepting end takes its receives from the shared context."""
    listener = kit.listener()
    source = kit.side(name="source")
    source.ep.connect(listener.address)
    request = kit.connreq(listener)
    assert request.info is not None
    assert source.eq is not None
    ep, queue = sharing(kit, request.info, shared)
    ep.enable()
    ep.accept()
    kit.event(source.eq, EqEventKind.CONNECTED)
    return source, source.peer, queue


def holder(kit: Kit, address: int) -> object | None:
    """The queue in which an entry with this context was found."""
    for watch in kit.watches:
        if any(entry.op_context == address for entry in watch.completions):
            return watch.queue
    return None
