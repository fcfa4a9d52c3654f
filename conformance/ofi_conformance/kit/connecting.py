# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Connecting step by step, for bodies that look at what happens between the steps."""

from __future__ import annotations

from dataclasses import dataclass

from kfabric.api import EqEvent, EqEventKind

from .body import Kit
from .sheet import Bound
from .sides import Listener, Pair, Side


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


def connected(kit: Kit, pair: Pair) -> Pair:
    """Read both CONNECTED events."""
    for side in pair:
        assert side.eq is not None
        kit.event(side.eq, EqEventKind.CONNECTED)
    return pair


def event_or_none(kit: Kit, side: Side, kind: EqEventKind, *, bound: float = 1.0) -> EqEvent | None:
    """The next event of this kind; None when the bound came first."""
    assert side.eq is not None
    try:
        return kit.event(side.eq, kind, bound=bound)
    except Bound:
        return None


def waiting_event(kit: Kit, side: Side, kind: EqEventKind) -> EqEvent | None:
    """An event of this kind that was read already and not taken."""
    assert side.eq is not None
    return next((event for event in kit.events(side.eq) if event.kind == kind), None)
