# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The object tree: what refuses to close while others depend on it, and what closing ends."""

from __future__ import annotations

from contextlib import suppress

from kfabric.api import (
    AvAttr,
    AvType,
    CntrAttr,
    CqAttr,
    EpType,
    EqAttr,
    Errno,
    FabricError,
    FabricObject,
    Flag,
)
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Kit, Pair


@requirement("OFI-OBJ-001", "OFI-OBJ-007", "OFI-OBJ-008")
def test_domain_stays_while_something_is_open_in_it(local: Local) -> None:
    """A domain that goes away under an open object leaves that object hanging in the air."""
    local.run(domain_busy)


def domain_busy(kit: Kit) -> None:
    def dependents(name: str) -> FabricObject:
        if name == "completion queue":
            return domain.cq_open(CqAttr())
        if name == "counter":
            return domain.cntr_open(CntrAttr())
        if name == "address vector":
            return domain.av_open(AvAttr(type=kit.info.domain_attr.av_type or AvType.MAP))
        if name == "memory region":
            return kit.register(domain, kit.buffer(64)).mr
        return domain.endpoint(kit.info)

    names = ["completion queue", "endpoint"]
    if kit.info.ep_attr.type != EpType.MSG:
        names.append("address vector")
    if kit.info.domain_attr.cntr_cnt:
        names.append("counter")
    if kit.info.caps & (Flag.RMA | Flag.ATOMIC):
        names.append("memory region")
    for name in names:
        domain = kit.keep(kit.fabric.domain(kit.info))
        child = kit.keep(dependents(name))
        stays = kit.refused(
            "OFI-OBJ-001", Errno.EBUSY, domain.close, sentence=f"a domain with an open {name} does not close"
        )
        if stays:
            kit.keep(
                kit.accepted("OFI-OBJ-007", domain.cq_open, CqAttr(), sentence="a domain that was busy opens a queue")
            ).close()
            kit.accepted("OFI-OBJ-008", child.close, sentence=f"the {name}, on which nothing depends, closes")
            kit.accepted("OFI-OBJ-008", domain.close, sentence=f"the domain closes after its {name}")


def exchange(kit: Kit, pair: Pair, text: bytes = b"still here") -> bool:
    """A message from a to b, with both completions; False when the bound came first."""
    into, out = kit.buffer(64), kit.buffer(len(text), text)
    received, sent = kit.context(), kit.context()
    kit.post(pair.b.ep.recv, into.view, desc=kit.desc(pair.b, into), context=received)
    kit.post(pair.a.ep.send, out.view, desc=kit.desc(pair.a, out), dest=pair.a.peer, context=sent)
    kit.completion(pair.b, received)
    kit.completion(pair.a, sent)
    return into.data[: len(text)] == text


@requirement("OFI-OBJ-002", "OFI-OBJ-003", "OFI-OBJ-004", "OFI-OBJ-005", "OFI-OBJ-007", "OFI-OBJ-008")
def test_bound_objects_stay(local: Local) -> None:
    """Closing a queue, counter or vector that an endpoint still uses is refused, and the endpoint goes on working."""
    local.run(bound_objects_stay)


def bound_objects_stay(kit: Kit) -> None:
    counters = ("send", "recv") if kit.info.domain_attr.cntr_cnt else ()
    pair = kit.pair(counters=counters)
    side = pair.a
    kit.refused("OFI-OBJ-002", Errno.EBUSY, side.cq.close, sentence="a bound completion queue does not close")
    if side.av is not None:
        kit.refused("OFI-OBJ-003", Errno.EBUSY, side.av.close, sentence="a bound address vector does not close")
    if side.eq is not None:
        kit.refused("OFI-OBJ-004", Errno.EBUSY, side.eq.close, sentence="a bound event queue does not close")
    else:
        event_queue_of_a_domain(kit)
    if counters:
        kit.refused("OFI-OBJ-005", Errno.EBUSY, side.cntrs["send"].close, sentence="a bound counter does not close")
    else:
        kit.inconclusive("OFI-OBJ-005", "the provider offers no counters (cntr_cnt is 0)")
    still = not (side.cq.closed or (side.av is not None and side.av.closed) or (side.eq is not None and side.eq.closed))
    if still:
        kit.check("OFI-OBJ-007", exchange(kit, pair), "a message still goes through after every refused close")
    for end in (pair.a, pair.b):
        kit.accepted("OFI-OBJ-008", end.ep.close, sentence="an endpoint closes")
    for end in (pair.a, pair.b):
        for item in (*{id(q): q for q in (end.tx_cq, end.rx_cq)}.values(), end.av, end.eq, *end.cntrs.values()):
            if item is not None and not item.closed:
                kit.accepted("OFI-OBJ-008", item.close, sentence=f"the {type(item).__name__} closes after its endpoint")


def event_queue_of_a_domain(kit: Kit) -> None:
    """Connectionless endpoints need no event queue; a domain can be bound to one."""
    queue = kit.eq(EqAttr())
    domain = kit.keep(kit.fabric.domain(kit.info))
    try:
        domain.bind(queue)
    except FabricError as error:
        kit.inconclusive("OFI-OBJ-004", f"nothing of this type takes an event queue ({error})")
        return
    kit.refused("OFI-OBJ-004", Errno.EBUSY, queue.close, sentence="an event queue bound to a domain does not close")


@requirement("OFI-OBJ-006")
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


@requirement("OFI-OBJ-010", "OFI-OBJ-011")
def test_closing_an_endpoint_ends_its_operations(local: Local) -> None:
    """After the close, buffers are the application's again and no completion names a context that is gone."""
    local.run(close_with_receives_outstanding)


def close_with_receives_outstanding(kit: Kit) -> None:
    pair = kit.pair(split=True)
    buffers = [kit.buffer(256, 0x5A) for _ in range(4)]
    contexts = [kit.context() for _ in buffers]
    for buffer, context in zip(buffers, contexts, strict=True):
        kit.post(pair.b.ep.recv, buffer.view, desc=kit.desc(pair.b, buffer), context=context)
    kit.quiet()
    pair.b.ep.close()
    before = [(c.op_context) for c in pair.b.completions]
    shot = kit.buffer(128, 0x33)
    with suppress(FabricError):  # an endpoint whose peer is gone may refuse; what counts is the closed side
        pair.a.ep.send(shot.view, desc=kit.desc(pair.a, shot), dest=pair.a.peer, context=kit.context())
    kit.quiet(200)
    addresses = {context.address for context in contexts}
    late = [c.op_context for c in pair.b.completions if c.op_context in addresses and c.op_context not in before]
    late += [e.op_context for e in pair.b.errors if e.op_context in addresses and e.err != Errno.ECANCELED]
    kit.check(
        "OFI-OBJ-010", not late, "no completion of an outstanding receive is reported after the close", seen=len(late)
    )
    untouched = all(buffer.data == bytes([0x5A]) * 256 for buffer in buffers)
    kit.check("OFI-OBJ-011", untouched, "the buffers of outstanding receives keep their content after the close")


@requirement("OFI-OBJ-013")
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
    holds("completion queue", kit.domain.cq_open(CqAttr(), context), context.address)
    context = kit.context()
    holds("event queue", kit.fabric.eq_open(EqAttr(), context), context.address)
    if kit.info.domain_attr.cntr_cnt:
        context = kit.context()
        holds("counter", kit.domain.cntr_open(CntrAttr(), context), context.address)
    context = kit.context()
    holds("endpoint", kit.domain.endpoint(kit.info, context), context.address)
    if kit.info.ep_attr.type == EpType.MSG:
        context = kit.context()
        holds("passive endpoint", kit.fabric.passive_ep(kit.info, context), context.address)
    else:
        context = kit.context()
        holds(
            "address vector",
            kit.domain.av_open(AvAttr(type=kit.info.domain_attr.av_type or AvType.MAP), context),
            context.address,
        )


@requirement("OFI-OBJ-014")
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
        if kit.info.ep_attr.type == EpType.MSG:
            ep.bind(kit.eq(EqAttr()))
        else:
            ep.bind(kit.keep(kit.domain.av_open(AvAttr(type=kit.info.domain_attr.av_type or AvType.MAP))))
        kit.accepted("OFI-OBJ-014", ep.enable, sentence=f"endpoint {number} is enabled with the shared queue")
