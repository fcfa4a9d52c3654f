# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Messages: whole, once, in the right buffer, in the right order."""

from __future__ import annotations

from ofi_conformance import Road, programs, requirement


@requirement(
    "OFI-MSG-001", "OFI-MSG-002", "OFI-MSG-003", "OFI-MSG-004", "OFI-MSG-005", "OFI-MSG-006", "OFI-MSG-007",
    "OFI-MSG-008", "OFI-MSG-015", "OFI-MSG-023",
)  # fmt: skip
def test_streams(road: Road) -> None:
    """Nobody can build on messages that get lost, mixed up or spilt beside the buffer."""
    road.check(programs.message_streams(road.guarantees))


@requirement("OFI-MSG-002", "OFI-MSG-009", "OFI-MSG-010", "OFI-MSG-011")
def test_every_size_by_every_call(road: Road) -> None:
    """A size at which the protocol changes, or a call that few use, is where a provider is wrong first."""
    for program in programs.message_sweep(road.guarantees):
        road.run(program)


@requirement("OFI-MSG-012", "OFI-MSG-013", "OFI-MSG-014")
def test_sources(road: Road) -> None:
    """A receive that names a source must not be filled by another, nor an open one wait for anybody in particular."""
    if road.end.ep_type != "MSG":
        road.check(programs.directed(road.guarantees))


@requirement("OFI-MSG-015")
def test_more_to_come(road: Road) -> None:
    """A hint that more follows must not hold back what was posted once something followed."""
    road.run(programs.batch(road.guarantees), repeat=3)
