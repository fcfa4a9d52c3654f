# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Atomic operations: what they compute, what they return, and that they are atomic."""

from __future__ import annotations

from ofi_conformance import Road, programs, requirement


@requirement(
    "OFI-ATM-001", "OFI-ATM-002", "OFI-ATM-003", "OFI-ATM-004", "OFI-ATM-005", "OFI-ATM-006", "OFI-ATM-007",
    "OFI-ATM-008", "OFI-ATM-009", "OFI-ATM-014", "OFI-ATM-016", "OFI-ATM-017",
)  # fmt: skip
def test_every_operation_on_every_type(road: Road) -> None:
    """What a provider calls valid has to compute what the table of operations says."""
    for program in programs.atomic_sweep(road.guarantees):
        road.run(program)


@requirement(
    "OFI-ATM-001", "OFI-ATM-002", "OFI-ATM-003", "OFI-ATM-007", "OFI-ATM-013", "OFI-ATM-015", "OFI-ATM-020",
)  # fmt: skip
def test_mixtures(road: Road) -> None:
    """Counters, locks and lists in remote memory break when two updates interleave or one gets lost."""
    if programs.offers(road.end):
        road.check(programs.atomics(road.guarantees))


@requirement("OFI-ATM-020")
def test_told_by_a_message(road: Road) -> None:
    """Who is told of an update must be able to see it."""
    if programs.offers(road.end):
        road.check(programs.send_after_atomic(road.guarantees, wait=True), share=0.5)


@requirement("OFI-ATM-021")
def test_told_by_a_fenced_message(road: Road) -> None:
    """A fence stands in for waiting."""
    if programs.offers(road.end):
        road.check(programs.send_after_atomic(road.guarantees, wait=False, fence=True), share=0.5)
