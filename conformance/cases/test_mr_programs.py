# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Protection: who may touch which memory. Registration itself: test_mr."""

from __future__ import annotations

from ofi_conformance import Road, programs, requirement

IDS = (
    "OFI-MR-005", "OFI-MR-006", "OFI-MR-007", "OFI-MR-008", "OFI-MR-009", "OFI-MR-010", "OFI-MR-011", "OFI-MR-012",
    "OFI-MR-013", "OFI-MR-014", "OFI-MR-015", "OFI-MR-016", "OFI-MR-032", "OFI-MR-033",
)  # fmt: skip


@requirement(*IDS)
def test_every_violation(road: Road) -> None:
    """A key is a promise to the owner of the memory: no right, no byte, no moment more than was given."""
    for program in programs.protection_sweep(road.guarantees):
        road.run(program)


@requirement(*IDS)
def test_violations(road: Road) -> None:
    """The same with other sizes, rights and operations."""
    if programs.attempts(road.end):
        road.check(programs.protection(road.guarantees))
