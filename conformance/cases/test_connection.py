# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Connections: request, acceptance, rejection, and when an endpoint may be used."""

from __future__ import annotations

from kfabric.api import EqEventKind, FabricError
from ofi_conformance import Local, requirement
from ofi_conformance.kit import (
    Bound,
    Kit,
    accept,
    connected,
    event_or_none,
    knock,
    message,
    post_receive,
    post_send,
    waiting_event,
)


@requirement("OFI-CM-001", "OFI-CM-002", "OFI-CM-003", "OFI-CM-008", "OFI-PRG-008", once=True)
def test_accepted_connection(local: Local) -> None:
    """One request, one event on each side, each naming its own endpoint."""
    local.run(accepted_connection)


def accepted_connection(kit: Kit) -> None:
    attempt = knock(kit)
    request = attempt.request
    kit.check("OFI-CM-001", request.fid == attempt.listener.pep.fid, "fid of FI_CONNREQ is the passive endpoint")
    handle = request.info.handle if request.info is not None else 0
    kit.check("OFI-CM-001", handle, "info.handle identifies the request", seen=handle)
    pair = accept(kit, attempt, b"for the connecting side")
    for side in pair:
        event = event_or_none(kit, side, EqEventKind.CONNECTED, bound=3.0)
        if event is None:
            raise Bound(f"no FI_CONNECTED on side {side.name} within the bound")
        kit.check("OFI-PRG-008", True, "the connection comes about while both sides only read their event queues")
        kit.check("OFI-CM-003", event.fid == side.ep.fid, f"fid of side {side.name}'s FI_CONNECTED is its endpoint")
        if side is pair.b:
            text = "the accepting side's FI_CONNECTED carries no user data"
            kit.check("OFI-CM-008", not event.data, text, seen=event.data.hex())
    kit.quiet()
    for side in pair:
        more = waiting_event(kit, side, EqEventKind.CONNECTED)
        kit.check("OFI-CM-002", more is None, f"side {side.name} gets FI_CONNECTED once")
    again = [event for event in kit.events(attempt.listener.eq) if event.kind == EqEventKind.CONNREQ]
    kit.check("OFI-CM-001", not again, "the request is reported once", seen=len(again))


@requirement("OFI-CM-023", once=True)
def test_the_right_endpoints_meet(local: Local) -> None:
    """Requests accepted in another order than they came still join the ends that belong together."""
    local.run(right_endpoints_meet)


def right_endpoints_meet(kit: Kit) -> None:
    listener = kit.listener()
    attempts = {bytes([65 + number]): knock(kit, bytes([65 + number]), listener) for number in range(3)}
    pairs = [(name, connected(kit, accept(kit, attempt))) for name, attempt in reversed(list(attempts.items()))]
    for name, pair in pairs:
        got = message(kit, pair.a, pair.b, name * 16)
        text = "what the requester sends arrives at the endpoint that accepted it"
        kit.check("OFI-CM-023", got == name * 16, text, seen=got, wanted=name * 16)


@requirement("OFI-CM-004", once=True)
def test_rejection(local: Local) -> None:
    """A refused peer learns so."""
    local.run(rejection)


def rejection(kit: Kit) -> None:
    attempt = knock(kit)
    attempt.listener.pep.reject(attempt.request)
    assert attempt.side.eq is not None
    error = kit.eq_error(attempt.side.eq)
    kit.check("OFI-CM-004", error.fid == attempt.side.ep.fid, "the error event names the connecting endpoint")


@requirement("OFI-CM-005", once=True)
def test_nobody_there(local: Local) -> None:
    """Connecting to where nobody listens fails, by the call or by an event."""
    local.run(nobody_there)


def nobody_there(kit: Kit) -> None:
    listener = kit.listener()
    listener.pep.close()
    side = kit.side()
    try:
        side.ep.connect(listener.address)
    except FabricError as error:
        kit.unreached("OFI-CM-005", f"fi_connect itself refuses ({error})")
        return
    assert side.eq is not None
    failure = kit.eq_error(side.eq, bound=10.0)
    kit.check("OFI-CM-005", failure.fid == side.ep.fid, "the error event names the connecting endpoint")


@requirement("OFI-EP-011", once=True)
def test_receives_before_the_connection(local: Local) -> None:
    """A receive posted before the connection is there for the first message."""
    local.run(early_receive)


def early_receive(kit: Kit) -> None:
    listener = kit.listener()
    side = kit.side()
    early = kit.buffer(64)
    context = kit.accepted("OFI-EP-011", post_receive, kit, side, early, sentence="a receive is taken on either side")
    side.ep.connect(listener.address)
    request = kit.connreq(listener)
    other = kit.side(request.info, name="b")
    too = kit.buffer(64)
    before = kit.accepted("OFI-EP-011", post_receive, kit, other, too, sentence="a receive is taken on either side")
    other.ep.accept()
    for end in (side, other):
        assert end.eq is not None
        kit.event(end.eq, EqEventKind.CONNECTED)
    for source, out, target, into, wanted in (
        (other, kit.buffer(32, 0x42), side, early, context),
        (side, kit.buffer(32, 0x43), other, too, before),
    ):
        post_send(kit, source, out)
        kit.completion(target, wanted)
        kit.check("OFI-EP-011", into.data[:32] == out.data, "the first message is in the early receive")


@requirement("OFI-EP-010", once=True)
def test_connecting_enables(local: Local) -> None:
    """An endpoint that was not enabled is so after fi_connect or fi_accept."""
    local.run(connecting_enables)


def connecting_enables(kit: Kit) -> None:
    listener = kit.listener()
    side = kit.side(enable=False)
    kit.accepted("OFI-EP-010", side.ep.connect, listener.address, sentence="fi_connect takes a new endpoint")
    request = kit.connreq(listener)
    other = kit.side(request.info, name="b", enable=False)
    kit.accepted("OFI-EP-010", other.ep.accept, sentence="fi_accept takes a new endpoint")
    for end in (side, other):
        assert end.eq is not None
        kit.event(end.eq, EqEventKind.CONNECTED)
    for source, target in ((side, other), (other, side)):
        text = f"side {source.name} sends though nobody called fi_enable"
        got = kit.accepted("OFI-EP-010", message, kit, source, target, b"unasked", sentence=text)
        kit.check("OFI-EP-010", got == b"unasked", "and the message arrives")
