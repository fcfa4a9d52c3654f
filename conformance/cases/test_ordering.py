# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Order and fences: what is posted first is there first, where both ends promised it."""

from __future__ import annotations

from pathlib import Path

from ofi_conformance import Road, programs, requirement
from ofi_conformance.programs import litmus

SHELF = Path(__file__).parent / "litmus"

REPEAT = 12
"""A race shows in some runs only."""


@requirement("OFI-ORD-001", "OFI-ORD-002", "OFI-MSG-007", "OFI-TAG-002")
def test_messages(road: Road) -> None:
    """Small messages overtake large ones where a provider changes protocol in between."""
    road.run(programs.overtaking(road.guarantees), repeat=REPEAT)
    road.check(programs.message_order(road.guarantees))


@requirement("OFI-ORD-008", "OFI-ORD-010")
def test_message_behind_write(road: Road) -> None:
    """Message passing: write, then tell. Most upper-layer protocols are built on this."""
    road.check(programs.send_after_write(road.guarantees))


@requirement("OFI-ORD-009")
def test_message_behind_atomic(road: Road) -> None:
    """The same with an update instead of a write."""
    if programs.offers(road.end):
        road.check(programs.send_after_atomic(road.guarantees, wait=False), share=0.5)


@requirement("OFI-ORD-003", "OFI-ORD-004", "OFI-ORD-005")
def test_same_bytes(road: Road) -> None:
    """Whoever was promised data order need not wait between two accesses to the same bytes."""
    road.check(programs.same_bytes(road.guarantees))


@requirement("OFI-ORD-006", "OFI-ORD-007")
def test_same_element(road: Road) -> None:
    """Nor between two updates of the same element."""
    if programs.offers(road.end):
        road.check(programs.same_element(road.guarantees))


@requirement("OFI-ORD-012", "OFI-ORD-013", "OFI-ORD-014", "OFI-ORD-015")
def test_fenced_access(road: Road) -> None:
    """A fence is the way to order what nothing else orders."""
    if programs.verbs(road.end):
        road.check(programs.fenced_writes(road.guarantees))


@requirement("OFI-ORD-018")
def test_fenced_messages(road: Road) -> None:
    """A fenced message comes after everything before it, and before everything after it."""
    road.check(programs.fenced_messages(road.guarantees))


@requirement(*litmus.ids(SHELF))
def test_litmus(road: Road) -> None:
    """The smallest Programs that can show an order broken, over and over."""
    for one in litmus.shelf(SHELF):
        if any(road.applies(name) for name in one.ids) and not programs.problems(one.program, road.guarantees):
            road.run(one.program, repeat=REPEAT)
