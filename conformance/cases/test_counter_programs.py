# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What counters count. The counter as an object: test_counters."""

from __future__ import annotations

from ofi_conformance import Road, programs, requirement


@requirement(
    "OFI-CNT-001", "OFI-CNT-002", "OFI-CNT-003", "OFI-CNT-004", "OFI-CNT-005", "OFI-CNT-006", "OFI-CNT-007",
    "OFI-CNT-008", "OFI-CNT-009",
)  # fmt: skip
def test_successes(road: Road) -> None:
    """Who counts completions instead of reading them relies on each being counted once."""
    if road.end.counters:
        for program in programs.completion_sweep(road.guarantees):
            road.run(program)
        road.check(programs.counted(road.guarantees))


@requirement("OFI-CNT-010")
def test_errors(road: Road) -> None:
    """A failed operation that counts as done is data believed to be there."""
    if road.end.counters and programs.attempts(road.end):
        for program in programs.protection_sweep(road.guarantees):
            road.run(program)
