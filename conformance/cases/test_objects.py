# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The object tree: what refuses to close while others depend on it, and what closing ends."""

from __future__ import annotations

from contextlib import suppress

from kfabric.api import (
    AvAttr,
    AvType,
    CntrAttr,
    CqAttr,
    Domain,
    EpType,
    EqAttr,
    Errno,
    FabricError,
    FabricObject,
    Flag,
)
from ofi_conformance import Local, requirement
from ofi_conformance.kit import (
    Bound,
    Kit,
    Side,
    bind_address,
    counters,
    message,
    post_receive,
    post_send,
    unless_refused,
)


@requirement("OFI-OBJ-001", "OFI-OBJ-007", once=True)
def test_domain_stays_while_something_is_open_in_it(local: Local) -> None:
    """A domain that goes away under an open object leaves that object hanging in the air."""
    for kind in ("completion queue", "endpoint", "address vector", "counter", "memory region"):
        local.run(domain_busy, kind=kind)


def child_of(kit: Kit, domain: Domain, kind: str) -> FabricObject | None:
    """An object of the domain; None where the configuration has none of this kind."""
    if kind == "completion queue":
        return domain.cq_open(CqAttr())
    if kind == "endpoint":
        return domain.endpoint(kit.info)
    if kind == "address vector" and kit.info.ep_attr.type != EpType.MSG:
        return domain.av_open(AvAttr(type=kit.info.domain_attr.av_type or AvType.MAP))
    if kind == "counter" and counters(kit, "send"):
        return domain.cntr_open(CntrAttr())
    if kind == "memory region" and kit.info.caps & (Flag.RMA | Flag.ATOMIC):
        return kit.register(domain, kit.buffer(64)).mr
    return None


def domain_busy(kit: Kit, kind: str) -> None:
    domain = kit.keep(kit.fabric.domain(kit.info))
    child = child_of(kit, domain, kind)
    if child is None:
        return
    kit.keep(child)
    if kit.refused("OFI-OBJ-001", Errno.EBUSY, domain.close, sentence=f"a domain with an open {kind} does not close"):
        queue = kit.accepted("OFI-OBJ-007", domain.cq_open, CqAttr(), sentence="a domain that was busy opens a queue")
        kit.accepted("OFI-OBJ-007", queue.close, sentence="and closes it")
        kit.accepted("OFI-OBJ-007", child.close, sentence=f"the {kind} closes")
        kit.accepted("OFI-OBJ-007", domain.close, sentence=f"the domain closes after its {kind}")


@requirement("OFI-OBJ-002", "OFI-OBJ-007", once=True)
def test_bound_completion_queue_stays(local: Local) -> None:
    """Completions need a place to go as long as an endpoint may produce them."""
    local.run(bound_object_stays, kind="completion queue", requirement_id="OFI-OBJ-002")


@requirement("OFI-OBJ-003", "OFI-OBJ-007", once=True)
def test_bound_address_vector_stays(local: Local) -> None:
    """Handles keep their meaning as long as an endpoint may use them."""
    local.run(bound_object_stays, kind="address vector", requirement_id="OFI-OBJ-003")


@requirement("OFI-OBJ-004", "OFI-OBJ-007", once=True)
def test_bound_event_queue_stays(local: Local) -> None:
    """Events need a place to go as long as something may produce them."""
    local.run(bound_object_stays, kind="event queue", requirement_id="OFI-OBJ-004")


@requirement("OFI-OBJ-005", "OFI-OBJ-007", once=True)
def test_bound_counter_stays(local: Local) -> None:
    """Operations need their counter as long as an endpoint may start them."""
    local.run(bound_object_stays, kind="counter", requirement_id="OFI-OBJ-005")


def bound_object_stays(kit: Kit, kind: str, requirement_id: str) -> None:
    names = counters(kit, "send") if kind == "counter" else ()
    if kind == "counter" and not names:
        kit.unreached(requirement_id, "no counter opens (cntr_cnt is 0)")
        return
    if kind == "address vector" and kit.info.ep_attr.type == EpType.MSG:
        return
    if kind == "event queue" and kit.info.ep_attr.type != EpType.MSG:
        event_queue_of_a_domain(kit)
        return
    pair = kit.pair(counters=names)
    bound = {"completion queue": pair.a.cq, "address vector": pair.a.av, "event queue": pair.a.eq}
    item: FabricObject | None = pair.a.cntrs["send"] if kind == "counter" else bound[kind]
    assert item is not None
    if not kit.refused(requirement_id, Errno.EBUSY, item.close, sentence=f"a bound {kind} does not close"):
        return
    kit.trying("OFI-OBJ-007")
    kit.spoils()
    through = message(kit, pair.a, pair.b, b"still here")
    kit.check("OFI-OBJ-007", through == b"still here", f"a message goes through after a refused close of a {kind}")
    pair.b.ep.close()
    pair.a.ep.close()
    kit.accepted("OFI-OBJ-007", item.close, sentence=f"the {kind} closes once nothing is bound to it")


def event_queue_of_a_domain(kit: Kit) -> None:
    """Connectionless endpoints need no event queue; a domain can be bound to one."""
    queue = kit.eq(EqAttr())
    domain = kit.keep(kit.fabric.domain(kit.info))
    with unless_refused(kit, "OFI-OBJ-004", "OFI-OBJ-007", why="nothing of this type takes an event queue"):
        domain.bind(queue)
        text = "an event queue bound to a domain does not close"
        if kit.refused("OFI-OBJ-004", Errno.EBUSY, queue.close, sentence=text):
            domain.close()
            kit.accepted("OFI-OBJ-007", queue.close, sentence="the event queue closes after the domain")


@requirement("OFI-OBJ-008", once=True)
def test_unused_objects_close(local: Local) -> None:
    """What nothing depends on any more goes away when told to, used or not."""
    for kind in ("completion queue", "endpoint", "address vector", "counter", "memory region"):
        local.run(unused_object_closes, kind=kind)
    local.run(used_objects_close)


def unused_object_closes(kit: Kit, kind: str) -> None:
    domain = kit.fabric.domain(kit.info)
    child = child_of(kit, domain, kind)
    if child is not None:
        kit.accepted("OFI-OBJ-008", child.close, sentence=f"the {kind}, just opened, closes")
    kit.accepted("OFI-OBJ-008", domain.close, sentence=f"the domain closes after its {kind}")


def used_objects_close(kit: Kit) -> None:
    pair = kit.pair(counters=counters(kit, "send", "recv"))
    message(kit, pair.a, pair.b, b"in use")
    for end in (pair.a, pair.b):
        kit.accepted("OFI-OBJ-008", end.ep.close, sentence="an endpoint closes after use")
    for end in (pair.a, pair.b):
        for item in (end.cq, end.av, end.eq, *end.cntrs.values()):
            if item is not None:
                name = type(item).__name__.removeprefix("Telling")
                kit.accepted("OFI-OBJ-008", item.close, sentence=f"the {name} closes after its endpoint")


@requirement("OFI-OBJ-006", once=True)
def test_scalable_endpoint_stays_while_a_context_is_open(local: Local) -> None:
    """Contexts of a scalable endpoint live in it."""
    local.run(scalable_busy)


def scalable_busy(kit: Kit) -> None:
    info = kit.provider.dupinfo(kit.info)
    info.ep_attr.tx_ctx_cnt = info.ep_attr.rx_ctx_cnt = 2
    sep = kit.accepted(
        "OFI-OBJ-006", kit.domain.scalable_ep, info, sentence="a scalable endpoint opens, as max_ep_tx_ctx promises"
    )
    context = kit.keep(sep.tx_context(0))
    if kit.refused(
        "OFI-OBJ-006", Errno.EBUSY, sep.close, sentence="a scalable endpoint with an open context does not close"
    ):
        context.close()
        kit.accepted("OFI-OBJ-006", sep.close, sentence="it closes once the context is closed")


@requirement("OFI-OBJ-010", once=True)
def test_closing_an_endpoint_ends_its_operations(local: Local) -> None:
    """Operations that were outstanding end in silence: no completion names a context that is gone."""
    local.run(close_with_receives_outstanding)
    local.run(close_with_a_send_outstanding)


def close_with_receives_outstanding(kit: Kit) -> None:
    pair = kit.pair(split=True)
    outstanding = {post_receive(kit, pair.b, kit.buffer(256)).address for _ in range(4)}
    closed_in_silence(kit, pair.b, outstanding, "receive")


def close_with_a_send_outstanding(kit: Kit) -> None:
    """A message that nobody receives may stay outstanding; where it completes at once there is nothing to see."""
    pair = kit.pair(split=True)
    size = min(1 << 20, kit.info.ep_attr.max_msg_size)
    closed_in_silence(kit, pair.a, {post_send(kit, pair.a, kit.buffer(size, 0x44)).address}, "send")


def closed_in_silence(kit: Kit, side: Side, outstanding: set[int], what: str) -> None:
    kit.quiet()
    before = [c.op_context for c in side.completions] + [e.op_context for e in side.errors]
    side.ep.close()
    kit.quiet(200)
    late = [c for c in side.completions if c.op_context in outstanding and c.op_context not in before]
    failed = [e for e in side.errors if e.op_context in outstanding and e.op_context not in before]
    seen = f"{len(late)} completions, {len(failed)} error entries {sorted({Errno(e.err).name for e in failed})}"
    kit.check("OFI-OBJ-010", not late and not failed, f"an outstanding {what} ends without any entry", seen=seen)


@requirement("OFI-OBJ-011", once=True)
def test_closed_endpoint_leaves_buffers_alone(local: Local) -> None:
    """Once the close has returned, the buffers of outstanding receives are the application's again."""
    local.run(message_after_close)


def message_after_close(kit: Kit) -> None:
    pair = kit.pair(split=True)
    buffers = [kit.buffer(256, 0x5A) for _ in range(4)]
    for buffer in buffers:
        post_receive(kit, pair.b, buffer)
    kit.quiet()
    pair.b.ep.close()
    kit.inconclusive("OFI-OBJ-011", "the process ended while a message went to the closed endpoint")
    with suppress(FabricError, Bound):  # an endpoint whose peer is gone may refuse; what counts is the closed side
        post_send(kit, pair.a, kit.buffer(128, 0x33))
        kit.quiet(200)
    untouched = all(buffer.data == bytes([0x5A]) * 256 for buffer in buffers)
    kit.check("OFI-OBJ-011", untouched, "the buffers of outstanding receives keep their content after the close")


@requirement("OFI-OBJ-013", once=True)
def test_context_of_an_object_is_kept(local: Local) -> None:
    """An application finds its own data again from an object pointer that an event names."""
    local.run(object_contexts)


def object_contexts(kit: Kit) -> None:
    def holds(name: str, item: FabricObject, wanted: int) -> None:
        kit.keep(item)
        kit.check(
            "OFI-OBJ-013",
            item.fid_context == wanted,
            f"fid.context of a {name} is the context given",
            seen=hex(item.fid_context),
            wanted=hex(wanted),
        )

    context = kit.context()
    holds("fabric", kit.provider.fabric(kit.info, context), context.address)
    context = kit.context()
    holds("domain", kit.fabric.domain(kit.info, context), context.address)
    context = kit.context()
    holds("completion queue", kit.domain.cq_open(CqAttr(), context), context.address)
    context = kit.context()
    holds("event queue", kit.fabric.eq_open(EqAttr(), context), context.address)
    if counters(kit, "send"):
        context = kit.context()
        holds("counter", kit.domain.cntr_open(CntrAttr(), context), context.address)
    context = kit.context()
    ep = kit.domain.endpoint(kit.info, context)
    holds("endpoint", ep, context.address)
    ep.bind(kit.cq(), Flag.TRANSMIT | Flag.RECV)
    bind_address(kit, ep)
    ep.enable()
    context = kit.context()
    if kit.info.ep_attr.type == EpType.MSG:
        holds("passive endpoint", kit.fabric.passive_ep(kit.info, context), context.address)
    else:
        kind = kit.info.domain_attr.av_type or AvType.MAP
        holds("address vector", kit.domain.av_open(AvAttr(type=kind), context), context.address)


@requirement("OFI-OBJ-014", once=True)
def test_one_queue_serves_several_endpoints(local: Local) -> None:
    """A server polls one queue for all its endpoints."""
    local.run(shared_queue)


def shared_queue(kit: Kit) -> None:
    queue = kit.cq(CqAttr())
    for number in range(3):
        ep = kit.keep(kit.domain.endpoint(kit.info))
        kit.accepted(
            "OFI-OBJ-014",
            ep.bind,
            queue,
            Flag.TRANSMIT | Flag.RECV,
            sentence=f"endpoint {number} takes the shared queue",
        )
        bind_address(kit, ep)
        kit.accepted("OFI-OBJ-014", ep.enable, sentence=f"endpoint {number} is enabled with the shared queue")
