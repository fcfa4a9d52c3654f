# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Remote memory access: the right bytes at the right place, and nothing beside them."""

from __future__ import annotations

from ofi_conformance import Road, programs, requirement


@requirement(
    "OFI-RMA-001", "OFI-RMA-002", "OFI-RMA-003", "OFI-RMA-004", "OFI-RMA-005", "OFI-RMA-006", "OFI-RMA-007",
    "OFI-RMA-012", "OFI-RMA-013", "OFI-RMA-014",
)  # fmt: skip
def test_byte_map(road: Road) -> None:
    """Whoever keeps data in a peer's memory must be able to say at any time what is in it."""
    road.check(programs.rma_byte_map(road.guarantees))


@requirement("OFI-RMA-001", "OFI-RMA-002", "OFI-RMA-003")
def test_both_ways(road: Road) -> None:
    """Two nodes that write to each other must not get in each other's way."""
    road.check(programs.rma_both_ways(road.guarantees), share=0.5)


@requirement("OFI-RMA-001", "OFI-RMA-003", "OFI-RMA-010", "OFI-RMA-011", "OFI-RMA-016")
def test_every_size_by_every_call(road: Road) -> None:
    """A size at which the protocol changes, or a call that few use, is where a provider is wrong first."""
    for program in programs.rma_sweep(road.guarantees):
        road.run(program)


@requirement("OFI-RMA-008", "OFI-RMA-009")
def test_segments(road: Road) -> None:
    """Scattered data must come together in the order in which the segments were named."""
    road.run(programs.segments(road.guarantees))
