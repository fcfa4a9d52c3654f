# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Entries of completion queues: what each field says about its operation. The queue as an object: test_cq."""

from __future__ import annotations

from ofi_conformance import Road, programs, requirement


@requirement(
    "OFI-CQ-003", "OFI-CQ-004", "OFI-CQ-005", "OFI-CQ-006", "OFI-CQ-007", "OFI-CQ-008", "OFI-CQ-009", "OFI-CQ-010",
    "OFI-CQ-011", "OFI-CQ-012", "OFI-CQ-013", "OFI-CQ-014", "OFI-CQ-015", "OFI-CQ-016", "OFI-CQ-017", "OFI-CQ-018",
    "OFI-CQ-019", "OFI-CQ-021", "OFI-CQ-037",
)  # fmt: skip
def test_entries(road: Road) -> None:
    """An application knows what happened by its entries alone."""
    for program in programs.completion_sweep(road.guarantees):
        road.run(program)
    road.check(programs.completions(road.guarantees))


@requirement("OFI-CQ-026", "OFI-CQ-027", "OFI-CQ-028", "OFI-CQ-029")
def test_error_entries(road: Road) -> None:
    """Who is told of an error must be told which operation it hit."""
    for program in programs.protection_sweep(road.guarantees):
        if "badkey" in program.name:
            road.run(program)
    if programs.attempts(road.end):
        road.check(programs.protection(road.guarantees), share=0.5)
    if programs.speaks(road.end):
        road.check(programs.truncation(road.guarantees), share=0.5)
