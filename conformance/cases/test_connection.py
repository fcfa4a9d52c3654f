# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Connections: request, acceptance, rejection, user data, shutdown, names."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from kfabric.api import EpOption, EpType, EqEvent, EqEventKind, Errno, FabricError, Info, PassiveEndpoint
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Bound, Kit, Listener, Pair, Side


@dataclass
class Knock:
    """A connection attempt that reached the listener."""

    listener: Listener
    side: Side
    request: EqEvent


def knock(kit: Kit, param: bytes = b"", listener: Listener | None = None) -> Knock:
    """Connect to a listener and take the request."""
    listener = listener or kit.listener()
    side = kit.side()
    side.ep.connect(listener.address, param)
    return Knock(listener, side, kit.connreq(listener))


def accept(kit: Kit, attempt: Knock, param: bytes = b"") -> Pair:
    """Accept a request; both ends' CONNECTED events are still to be read."""
    assert attempt.request.info is not None
    side = kit.side(attempt.request.info, name="b")
    side.ep.accept(param)
    return Pair(attempt.side, side)


def exchange(kit: Kit, source: Side, target: Side, text: bytes) -> bytes:
    """Send ``text``; what arrived."""
    into, out = kit.buffer(len(text) + 8), kit.buffer(len(text), text)
    received, sent = kit.context(), kit.context()
    kit.post(target.ep.recv, into.view, desc=kit.desc(target, into), context=received)
    kit.post(source.ep.send, out.view, desc=kit.desc(source, out), dest=source.peer, context=sent)
    kit.completion(target, received)
    kit.completion(source, sent)
    return into.data[: len(text)]


def event_or_none(kit: Kit, side: Side, kind: EqEventKind) -> EqEvent | None:
    assert side.eq is not None
    try:
        return kit.event(side.eq, kind, bound=1.0)
    except Bound:
        return None


@requirement("OFI-CM-001", "OFI-CM-002", "OFI-CM-003", "OFI-CM-008", "OFI-PRG-008")
def test_accepted_connection(local: Local) -> None:
    """One request, one event on each side, each naming its own endpoint."""
    local.run(accepted_connection)


def accepted_connection(kit: Kit) -> None:
    attempt = knock(kit)
    request = attempt.request
    kit.check("OFI-CM-001", request.fid == attempt.listener.pep.fid, "fid of FI_CONNREQ is the passive endpoint")
    kit.check(
        "OFI-CM-001",
        request.info is not None and request.info.handle,
        "info.handle identifies the request",
        seen=request.info and request.info.handle,
    )
    pair = accept(kit, attempt)
    for side in (pair.a, pair.b):
        event = event_or_none(kit, side, EqEventKind.CONNECTED)
        kit.check(
            "OFI-PRG-008", event is not None, "the connection comes about while both sides only read their event queues"
        )
        kit.require("OFI-CM-002", event is not None, f"side {side.name} gets FI_CONNECTED")
        assert event is not None
        kit.check("OFI-CM-003", event.fid == side.ep.fid, f"fid of side {side.name}'s FI_CONNECTED is its endpoint")
        if side is pair.b:
            kit.check(
                "OFI-CM-008",
                not event.data,
                "the accepting side's FI_CONNECTED carries no user data",
                seen=event.data.hex(),
            )
    kit.quiet()
    for side in (pair.a, pair.b):
        more = event_or_none_now(kit, side, EqEventKind.CONNECTED)
        kit.check("OFI-CM-002", more is None, f"side {side.name} gets FI_CONNECTED once")
    more_requests = [e for e in kit.events(attempt.listener.eq) if e.kind == EqEventKind.CONNREQ]
    kit.check("OFI-CM-001", not more_requests, "the request is reported once", seen=len(more_requests))


def event_or_none_now(kit: Kit, side: Side, kind: EqEventKind) -> EqEvent | None:
    assert side.eq is not None
    return next((event for event in kit.events(side.eq) if event.kind == kind), None)


@requirement("OFI-CM-023")
def test_the_right_endpoints_meet(local: Local) -> None:
    """Requests accepted in another order than they came still join the ends that belong together."""
    local.run(right_endpoints_meet)


def right_endpoints_meet(kit: Kit) -> None:
    listener = kit.listener()
    attempts = {bytes([65 + number]): knock(kit, bytes([65 + number]), listener) for number in range(3)}
    pairs = []
    for name, attempt in reversed(list(attempts.items())):
        pair = accept(kit, attempt)
        for side in (pair.a, pair.b):
            assert side.eq is not None
            kit.event(side.eq, EqEventKind.CONNECTED)
        pairs.append((name, pair))
    for name, pair in pairs:
        got = exchange(kit, pair.a, pair.b, name * 16)
        kit.check(
            "OFI-CM-023",
            got == name * 16,
            "what the requester sends arrives at the endpoint that accepted it",
            seen=got,
            wanted=name * 16,
        )


@requirement("OFI-CM-006", "OFI-CM-007", "OFI-CM-009", "OFI-CM-010", "OFI-CM-004", "OFI-EP-014")
def test_user_data(local: Local) -> None:
    """User data of connection messages arrives as far as there is room, and never fails the call."""
    local.check(user_data, st.integers(0, 120), share=0.4)


def user_data(kit: Kit, percent: int) -> None:
    side = kit.side()
    try:
        room = side.ep.getopt(EpOption.CM_DATA_SIZE)
    except FabricError as error:
        kit.check("OFI-EP-014", False, "FI_OPT_CM_DATA_SIZE can be asked for", seen=str(error))
        return
    kit.check("OFI-EP-014", True, "FI_OPT_CM_DATA_SIZE can be asked for", seen=room)
    size = room * percent // 100 if room else percent
    sent = bytes((7 * i + 1) & 0xFF for i in range(size))
    fits = sent[:room]
    over = size > room
    try:
        attempt = knock(kit, sent)
    except FabricError as error:
        kit.check(
            "OFI-CM-010" if over else "OFI-CM-006",
            False,
            f"fi_connect takes {size} bytes of user data",
            seen=str(error),
            wanted=f"room {room}",
        )
        return
    got = attempt.request.data
    kit.check(
        "OFI-CM-006",
        got[: len(fits)] == fits,
        "user data of fi_connect arrives",
        seen=got[: len(fits)].hex(),
        wanted=fits.hex(),
    )
    try:
        pair = accept(kit, attempt, sent)
        assert pair.a.eq is not None
        connected = kit.event(pair.a.eq, EqEventKind.CONNECTED)
    except FabricError as error:
        kit.check(
            "OFI-CM-010" if over else "OFI-CM-007",
            False,
            f"fi_accept takes {size} bytes of user data",
            seen=str(error),
            wanted=f"room {room}",
        )
        return
    kit.check(
        "OFI-CM-007",
        connected.data[: len(fits)] == fits,
        "user data of fi_accept arrives",
        seen=connected.data[: len(fits)].hex(),
        wanted=fits.hex(),
    )
    second = knock(kit, listener=attempt.listener)
    try:
        second.listener.pep.reject(second.request, sent)
    except FabricError as error:
        kit.check(
            "OFI-CM-010" if over else "OFI-CM-009",
            False,
            f"fi_reject takes {size} bytes of user data",
            seen=str(error),
            wanted=f"room {room}",
        )
        return
    assert second.side.eq is not None
    try:
        refusal = kit.eq_error(second.side.eq)
    except Bound:
        kit.check("OFI-CM-004", False, "a rejection arrives as an error event", seen="nothing within the bound")
        return
    kit.check("OFI-CM-004", refusal.fid == second.side.ep.fid, "the error event names the connecting endpoint")
    kit.check(
        "OFI-CM-009",
        refusal.err_data[: len(fits)] == fits[: len(refusal.err_data)] and len(refusal.err_data) >= len(fits),
        "user data of fi_reject arrives",
        seen=refusal.err_data.hex(),
        wanted=fits.hex(),
    )
    if over:
        kit.check("OFI-CM-010", True, "user data that does not fit fails no call")


@requirement("OFI-CM-004")
def test_rejection(local: Local) -> None:
    """A refused peer learns so."""
    local.run(rejection)


def rejection(kit: Kit) -> None:
    attempt = knock(kit)
    attempt.listener.pep.reject(attempt.request)
    assert attempt.side.eq is not None
    try:
        error = kit.eq_error(attempt.side.eq)
    except Bound:
        kit.check("OFI-CM-004", False, "a rejection arrives as an error event", seen="nothing within the bound")
        return
    kit.check("OFI-CM-004", error.fid == attempt.side.ep.fid, "the error event names the connecting endpoint")


@requirement("OFI-CM-005")
def test_nobody_there(local: Local) -> None:
    """Connecting to where nobody listens fails, by the call or by an event."""
    local.run(nobody_there)


def nobody_there(kit: Kit) -> None:
    listener = kit.listener()
    address = listener.address
    listener.pep.close()
    side = kit.side()
    try:
        side.ep.connect(address)
    except FabricError as error:
        kit.check("OFI-CM-005", True, "fi_connect itself refuses", seen=str(error))
        return
    assert side.eq is not None
    try:
        failure = kit.eq_error(side.eq, bound=10.0)
    except Bound:
        kit.inconclusive("OFI-CM-005", "no error event within ten seconds")
        return
    kit.check("OFI-CM-005", failure.fid == side.ep.fid, "the error event names the connecting endpoint")


@requirement("OFI-CM-011", "OFI-CM-013", "OFI-CM-014")
def test_shutdown(local: Local) -> None:
    """A shutdown is told to the peer once, and takes nothing away that was already there."""
    local.run(shutdown)


def shutdown(kit: Kit) -> None:
    pair = kit.pair(cq_size=64)
    into, out = kit.buffer(64), kit.buffer(32, 0x21)
    received, sent, pending = kit.context(), kit.context(), kit.context()
    kit.post(pair.b.ep.recv, into.view, desc=kit.desc(pair.b, into), context=received)
    kit.post(pair.a.ep.send, out.view, desc=kit.desc(pair.a, out), context=sent)
    kit.completion(pair.a, sent)
    kit.completion(pair.b, received)
    more = kit.buffer(64)
    kit.post(pair.a.ep.recv, more.view, desc=kit.desc(pair.a, more), context=pending)
    kit.quiet()
    pair.a.ep.shutdown()
    after_return = _drain(pair.a)
    event = event_or_none(kit, pair.b, EqEventKind.SHUTDOWN)
    kit.check("OFI-CM-011", event is not None, "the peer gets FI_SHUTDOWN")
    kit.quiet(200)
    kit.check(
        "OFI-CM-011", event_or_none_now(kit, pair.b, EqEventKind.SHUTDOWN) is None, "the peer gets FI_SHUTDOWN once"
    )
    late = [entry for entry in _drain(pair.a) if entry == pending.address]
    kit.check(
        "OFI-CM-014",
        not late,
        "no completion of a cancelled operation is written after fi_shutdown returned",
        seen=f"{len(late)} late, {len(after_return)} at once",
    )


def _drain(side: Side) -> list[int]:
    """Contexts of everything that a side's queues hold, read without waiting."""
    for watch in side.watches:
        while watch.poll():
            pass
    entries = [e.op_context for e in side.completions] + [e.op_context for e in side.errors]
    for watch in side.watches:
        watch.completions.clear()
        watch.errors.clear()
    return entries


@requirement("OFI-CM-013")
def test_completions_outlive_the_connection(local: Local) -> None:
    """What completed before the shutdown can still be read after it."""
    local.run(completions_outlive)


def completions_outlive(kit: Kit) -> None:
    pair = kit.pair(cq_size=64, split=True, counters=("send",) if kit.info.domain_attr.cntr_cnt else ())
    into, out = kit.buffer(64), kit.buffer(32, 0x21)
    received, sent = kit.context(), kit.context()
    kit.post(pair.b.ep.recv, into.view, desc=kit.desc(pair.b, into), context=received)
    kit.post(pair.a.ep.send, out.view, desc=kit.desc(pair.a, out), context=sent)
    kit.completion(pair.b, received)
    if "send" not in pair.a.cntrs:
        kit.inconclusive("OFI-CM-013", "without a counter it cannot be known that the entry is in the queue unread")
        return
    if pair.a.completions:  # already read while waiting for the receive: it was in the queue before, nothing to show
        kit.inconclusive("OFI-CM-013", "the completion had been read before the shutdown")
        return
    counter = pair.a.cntrs["send"]
    if not kit.drive(lambda: counter.read() >= 1):
        kit.inconclusive("OFI-CM-013", "the send was not counted within the bound")
        return
    pair.a.ep.shutdown()
    entry = kit.outcome(pair.a, sent)
    kit.check("OFI-CM-013", entry is not None, "the completion is readable after fi_shutdown")


@requirement("OFI-CM-012")
def test_closing_an_end_is_noticed(local: Local) -> None:
    """A peer that closes its endpoint does not just fall silent."""
    local.run(peer_closes)


def peer_closes(kit: Kit) -> None:
    pair = kit.pair()
    exchange(kit, pair.a, pair.b, b"before the end")
    pair.a.ep.close()
    event = event_or_none(kit, pair.b, EqEventKind.SHUTDOWN)
    kit.check("OFI-CM-012", event is not None, "the other end gets FI_SHUTDOWN when its peer closed the endpoint")


@requirement("OFI-CM-015", "OFI-CM-016", "OFI-CM-017")
def test_names(local: Local) -> None:
    """Addresses are told whole, or with the room they need."""
    local.run(names)


def names(kit: Kit) -> None:
    if kit.info.ep_attr.type == EpType.MSG:
        pair = kit.pair()
        passive = kit.listener().pep
        ends: list[tuple[str, Side | PassiveEndpoint]] = [
            ("passive endpoint", passive),
            ("endpoint", pair.a),
            ("accepted endpoint", pair.b),
        ]
        for one, other in ((pair.a, pair.b), (pair.b, pair.a)):
            peer = kit.accepted("OFI-CM-017", one.ep.getpeer, sentence="a connected endpoint tells its peer")[0]
            own = other.ep.getname()[0]
            same = peer == own or other is pair.b  # a listener may stand in front of the endpoint that it made
            kit.check(
                "OFI-CM-017",
                same and len(peer) == len(own),
                "the peer is the other end",
                seen=peer.hex(),
                wanted=own.hex(),
            )
    else:
        side = kit.side()
        ends = [("endpoint", side)]
    for name, end in ends:
        getname = end.ep.getname if isinstance(end, Side) else end.getname
        address, needed = kit.accepted("OFI-CM-015", getname, sentence=f"an enabled {name} tells its address")
        kit.check(
            "OFI-CM-015", len(address) == needed and any(address), "addrlen is the length of the address", seen=needed
        )
        for room in (0, 1, needed - 1):
            try:
                getname(room)
            except FabricError as error:
                kit.check(
                    "OFI-CM-016",
                    error.code == Errno.ETOOSMALL,
                    f"room for {room} of {needed} bytes is ETOOSMALL",
                    seen=str(error),
                )
                told = getattr(error, "needed", None)
                if told is not None:
                    kit.check("OFI-CM-016", told == needed, "addrlen says what is needed", seen=told, wanted=needed)
            else:
                kit.check("OFI-CM-016", False, f"room for {room} of {needed} bytes is ETOOSMALL", seen="accepted")


@requirement("OFI-CM-018")
def test_setname(local: Local) -> None:
    """An address that was set is the address."""
    local.run(setname)


def setname(kit: Kit) -> None:
    scout = kit.side()
    address = scout.ep.getname()[0]
    scout.ep.close()
    side = kit.side(enable=False)
    try:
        side.ep.setname(address)
    except FabricError as error:
        kit.inconclusive("OFI-CM-018", f"the address could not be assigned ({error})")
        return
    side.ep.enable()
    seen = side.ep.getname()[0]
    kit.check(
        "OFI-CM-018",
        seen == address,
        "fi_getname returns what fi_setname assigned",
        seen=seen.hex(),
        wanted=address.hex(),
    )


@requirement("OFI-EP-010", "OFI-EP-011")
def test_receives_before_the_connection(local: Local) -> None:
    """A receive posted before the connection is there for the first message."""
    local.run(early_receive)


def early_receive(kit: Kit) -> None:
    listener = kit.listener()
    side = kit.side()
    early, context = kit.buffer(64), kit.context()
    kit.accepted(
        "OFI-EP-011",
        side.ep.recv,
        early.view,
        desc=kit.desc(side, early),
        context=context,
        sentence="a receive is taken before the connection",
    )
    side.ep.connect(listener.address)
    request = kit.connreq(listener)
    pair = accept(kit, Knock(listener, side, request))
    for end in (pair.a, pair.b):
        assert end.eq is not None
        kit.event(end.eq, EqEventKind.CONNECTED)
    out, sent = kit.buffer(32, 0x42), kit.context()
    kit.post(pair.b.ep.send, out.view, desc=kit.desc(pair.b, out), context=sent)
    kit.completion(side, context)
    kit.check("OFI-EP-011", early.data[:32] == out.data, "the first message is in the early receive")
    lazy = _connect_without_enable(kit)
    kit.check("OFI-EP-010", lazy, "an endpoint that was not enabled is so after fi_connect or fi_accept")


def _connect_without_enable(kit: Kit) -> bool:
    listener = kit.listener()
    side = kit.side(enable=False)
    side.ep.connect(listener.address)
    request = kit.connreq(listener)
    info: Info | None = request.info
    assert info is not None
    other = kit.side(info, name="b", enable=False)
    other.ep.accept()
    for end in (side, other):
        assert end.eq is not None
        kit.event(end.eq, EqEventKind.CONNECTED)
    return exchange(kit, side, other, b"never enabled by hand") == b"never enabled by hand"
