# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Endpoints: states, what must be bound, options, default flags, aliases, shared contexts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from kfabric.api import (
    SHARED_CONTEXT,
    AvAttr,
    AvType,
    CqAttr,
    Endpoint,
    EpOption,
    EpType,
    EqAttr,
    Errno,
    FabricError,
    Flag,
    RxAttr,
)
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Kit, Pair, Side

LEVELS = Flag.INJECT_COMPLETE | Flag.TRANSMIT_COMPLETE | Flag.DELIVERY_COMPLETE
NO_OPTION = 0x7FFF
"""An option number that nobody defines."""


def bind_address(kit: Kit, ep: Endpoint) -> None:
    """Bind what an endpoint of this type needs besides a completion queue."""
    if kit.info.ep_attr.type == EpType.MSG:
        ep.bind(kit.keep(kit.fabric.eq_open(EqAttr())))
    else:
        ep.bind(kit.keep(kit.domain.av_open(AvAttr(type=kit.info.domain_attr.av_type or AvType.MAP))))


@requirement("OFI-EP-001", "OFI-EP-002")
def test_calls_before_enable(local: Local) -> None:
    """An endpoint that was never enabled takes no work: not silently, not by crashing."""
    local.run(calls_before_enable)


def calls_before_enable(kit: Kit) -> None:
    side = kit.side(enable=False)
    buffer = kit.buffer(16)
    calls: list[tuple[str, Callable[[], None]]] = []
    if kit.info.caps & Flag.MSG:
        calls.append(("fi_recv", lambda: side.ep.recv(buffer.view, context=kit.context())))
        calls.append(("fi_send", lambda: side.ep.send(buffer.view, dest=0, context=kit.context())))
    if kit.info.caps & Flag.TAGGED:
        calls.append(("fi_trecv", lambda: side.ep.trecv(buffer.view, 1, context=kit.context())))
        calls.append(("fi_tsend", lambda: side.ep.tsend(buffer.view, 1, dest=0, context=kit.context())))
    if kit.info.caps & Flag.RMA:
        calls.append(("fi_write", lambda: side.ep.write(buffer.view, addr=0, key=0, dest=0, context=kit.context())))
        calls.append(("fi_read", lambda: side.ep.read(buffer.view, addr=0, key=0, src=0, context=kit.context())))
    for name, call in calls:
        try:
            call()
        except FabricError as error:
            kit.check("OFI-EP-001", True, f"{name} before fi_enable fails", seen=str(error))
            kit.check(
                "OFI-EP-002",
                error.code == Errno.EOPBADSTATE,
                f"{name} before fi_enable answers EOPBADSTATE",
                seen=str(error),
            )
        else:
            kit.check("OFI-EP-001", False, f"{name} before fi_enable fails", seen="accepted")


@requirement("OFI-EP-004", "OFI-EP-005", "OFI-EP-006")
def test_what_must_be_bound(local: Local) -> None:
    """An endpoint that could report nothing, or reach nobody, is not enabled."""
    local.run(what_must_be_bound)


def what_must_be_bound(kit: Kit) -> None:
    ep = kit.keep(kit.domain.endpoint(kit.info))
    bind_address(kit, ep)
    kit.refused("OFI-EP-004", Errno.ENOCQ, ep.enable, sentence="fi_enable without a completion queue answers ENOCQ")
    ep = kit.keep(kit.domain.endpoint(kit.info))
    ep.bind(kit.keep(kit.domain.cq_open(CqAttr())), Flag.TRANSMIT | Flag.RECV)
    if kit.info.ep_attr.type != EpType.MSG:
        kit.refused("OFI-EP-005", None, ep.enable, sentence="fi_enable without an address vector fails")
        return
    try:
        ep.enable()
    except FabricError:
        kit.check("OFI-EP-006", True, "fi_enable without an event queue fails")
        return
    listener = kit.listener()
    kit.refused("OFI-EP-006", None, ep.connect, listener.address, sentence="fi_connect without an event queue fails")


@requirement("OFI-EP-008", "OFI-EP-009")
def test_what_must_not_be_bound(local: Local) -> None:
    """A second queue for the same work, or an object of another domain, is not taken."""
    local.run(what_must_not_be_bound)


def what_must_not_be_bound(kit: Kit) -> None:
    ep = kit.keep(kit.domain.endpoint(kit.info))
    ep.bind(kit.keep(kit.domain.cq_open(CqAttr())), Flag.TRANSMIT | Flag.RECV)
    second = kit.keep(kit.domain.cq_open(CqAttr()))
    kit.refused("OFI-EP-008", None, ep.bind, second, Flag.TRANSMIT, sentence="a second transmit queue is refused")
    kit.refused("OFI-EP-008", None, ep.bind, second, Flag.RECV, sentence="a second receive queue is refused")
    other = kit.keep(kit.fabric.domain(kit.info))
    ep = kit.keep(kit.domain.endpoint(kit.info))
    kit.refused(
        "OFI-EP-009",
        None,
        ep.bind,
        kit.keep(other.cq_open(CqAttr())),
        Flag.TRANSMIT | Flag.RECV,
        sentence="a queue of another domain is refused",
    )
    if kit.info.ep_attr.type != EpType.MSG:
        vector = kit.keep(other.av_open(AvAttr(type=kit.info.domain_attr.av_type or AvType.MAP)))
        kit.refused("OFI-EP-009", None, ep.bind, vector, sentence="an address vector of another domain is refused")


@requirement("OFI-EP-012", "OFI-EP-013", "OFI-EP-014", "OFI-EP-015")
def test_options(local: Local) -> None:
    """Options that are set are kept; unknown ones and read-only ones are refused."""
    local.run(options)


def options(kit: Kit) -> None:
    side = kit.side(enable=False)
    if kit.applies("OFI-EP-012"):
        for value in (64, 4096, 100):
            try:
                side.ep.setopt(EpOption.MIN_MULTI_RECV, value)
            except FabricError as error:
                kit.check("OFI-EP-012", False, "FI_OPT_MIN_MULTI_RECV can be set", seen=str(error))
                break
            seen = side.ep.getopt(EpOption.MIN_MULTI_RECV)
            kit.check("OFI-EP-012", seen == value, "fi_getopt returns what fi_setopt set", seen=seen, wanted=value)
    kit.refused("OFI-EP-013", Errno.ENOPROTOOPT, side.ep.getopt, NO_OPTION, sentence="fi_getopt of an unknown option")
    kit.refused(
        "OFI-EP-013", Errno.ENOPROTOOPT, side.ep.setopt, NO_OPTION, 1, sentence="fi_setopt of an unknown option"
    )
    if kit.info.ep_attr.type == EpType.MSG:
        kit.accepted(
            "OFI-EP-014", side.ep.getopt, EpOption.CM_DATA_SIZE, sentence="FI_OPT_CM_DATA_SIZE can be asked for"
        )
        kit.refused(
            "OFI-EP-015", None, side.ep.setopt, EpOption.CM_DATA_SIZE, 16, sentence="FI_OPT_CM_DATA_SIZE cannot be set"
        )


@requirement("OFI-EP-016", "OFI-EP-017", "OFI-EP-025", "OFI-CMP-013")
def test_default_flags(local: Local) -> None:
    """The flags of calls that have no flags argument are what the application set last."""
    local.run(default_flags)


def default_flags(kit: Kit) -> None:
    side = kit.side(tx_op_flags=Flag.COMPLETION)
    try:
        seen = side.ep.get_ops_flags(Flag.TRANSMIT)
    except FabricError as error:
        for id_ in ("OFI-EP-016", "OFI-EP-017", "OFI-EP-025"):
            kit.inconclusive(id_, f"FI_GETOPSFLAG is not offered ({error})")
    else:
        kit.check(
            "OFI-EP-017",
            seen & Flag.COMPLETION,
            "FI_GETOPSFLAG tells the flags that the endpoint was opened with",
            seen=hex(seen),
        )
        flags_can_be_replaced(kit, side)
    defaults_decide_reporting(kit)


def flags_can_be_replaced(kit: Kit, side: Side) -> None:
    try:
        side.ep.set_ops_flags(Flag.TRANSMIT | Flag.TRANSMIT_COMPLETE)
    except FabricError as error:
        kit.inconclusive("OFI-EP-016", f"FI_SETOPSFLAG is not offered ({error})")
        kit.inconclusive("OFI-EP-025", f"FI_SETOPSFLAG is not offered ({error})")
        return
    seen = side.ep.get_ops_flags(Flag.TRANSMIT)
    right = seen & (LEVELS | Flag.COMPLETION) == Flag.TRANSMIT_COMPLETE
    kit.check(
        "OFI-EP-016", right, "FI_SETOPSFLAG replaces the flags", seen=hex(seen), wanted="FI_TRANSMIT_COMPLETE alone"
    )
    try:
        twin = kit.keep(side.ep.alias(Flag.TRANSMIT | Flag.TRANSMIT_COMPLETE))
        twin.set_ops_flags(Flag.TRANSMIT | Flag.COMPLETION | Flag.INJECT_COMPLETE)
    except FabricError as error:
        kit.inconclusive("OFI-EP-025", f"aliases are not offered ({error})")
        return
    after = side.ep.get_ops_flags(Flag.TRANSMIT)
    kit.check(
        "OFI-EP-025",
        after == seen,
        "flags set on an alias leave the endpoint's alone",
        seen=hex(after),
        wanted=hex(seen),
    )


def defaults_decide_reporting(kit: Kit) -> None:
    """With selective completion, op_flags decide whether a plain call is reported."""
    for flags, reported in ((Flag.COMPLETION, True), (Flag.NONE, False)):
        pair = kit.pair(selective=True, tx_op_flags=flags, rx_op_flags=Flag.COMPLETION)
        came = plain_send_is_reported(kit, pair)
        sentence = f"a plain send with {flags.name or 'no flags'} in op_flags is {'' if reported else 'not '}reported"
        kit.check("OFI-CMP-013", came == reported, sentence)


def plain_send_is_reported(kit: Kit, pair: Pair) -> bool:
    into, out = kit.buffer(32), kit.buffer(16, 0x61)
    received, sent = kit.context(), kit.context()
    kit.post(pair.b.ep.recv, into.view, desc=kit.desc(pair.b, into), context=received)
    kit.post(pair.a.ep.send, out.view, desc=kit.desc(pair.a, out), dest=pair.a.peer, context=sent)
    kit.completion(pair.b, received)
    kit.quiet()
    return any(entry.op_context == sent.address for entry in pair.a.completions)


@requirement("OFI-EP-024")
def test_shared_receive_context(local: Local) -> None:
    """A receive that several endpoints share is reported where its message came in."""
    local.run(shared_receive_context)


def shared_receive_context(kit: Kit) -> None:
    info = kit.provider.dupinfo(kit.info)
    info.ep_attr.rx_ctx_cnt = SHARED_CONTEXT
    try:
        shared = kit.keep(kit.domain.srx_ctx(RxAttr()))
        ends = []
        for number in range(2):
            ep = kit.keep(kit.domain.endpoint(info))
            queue = kit.cq()
            ep.bind(queue, Flag.TRANSMIT | Flag.RECV)
            ep.bind(shared)
            bind_address(kit, ep)
            ep.enable()
            ends.append((number, ep, queue))
    except FabricError as error:
        kit.check("OFI-EP-024", False, "max_ep_srx_ctx is not 0, so endpoints share a receive context", seen=str(error))
        return
    if kit.info.ep_attr.type == EpType.MSG:
        kit.inconclusive("OFI-EP-024", "shared contexts of connected endpoints are not reached by this case yet")
        return
    hub = kit.side(name="hub")
    for number, ep, queue in ends:
        into, context = kit.buffer(32), kit.context()
        shared.recv(into.view, context=context)
        handle = kit.insert(hub, ep.getname()[0])
        out, sent = kit.buffer(16, 0x70 + number), kit.context()
        kit.post(hub.ep.send, out.view, dest=handle, context=sent)
        kit.drive(partial(_holder, kit, context.address))
        kit.check(
            "OFI-EP-024",
            _holder(kit, context.address) is queue,
            "the completion is in the queue of the endpoint that received",
            seen=number,
        )


def _holder(kit: Kit, address: int) -> object | None:
    """The queue in which an entry with this context was found."""
    for watch in kit.watches:
        if any(entry.op_context == address for entry in watch.completions):
            return watch.queue
    return None
