# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Messages that come early, or are too long for their buffer. Queues that are full: test_resource."""

from __future__ import annotations

from ofi_conformance import Road, programs, requirement


@requirement("OFI-RM-005")
def test_early_messages(road: Road) -> None:
    """With resource management a sender may be faster than the receiver's buffers."""
    for program in programs.early(road.guarantees):
        road.run(program)
    if programs.buffers_unexpected(road.end):
        road.check(programs.unexpected(road.guarantees))


@requirement("OFI-RM-006", "OFI-RM-007", "OFI-RM-008", "OFI-RM-009")
def test_long_messages(road: Road) -> None:
    """A message that does not fit is a security hole if it is placed all the same, and a trap if nobody is told."""
    for program in programs.truncation_sweep(road.guarantees):
        road.run(program)
    road.check(programs.truncation(road.guarantees))


@requirement("OFI-RM-011")
def test_unwanted_datagrams(road: Road) -> None:
    """A datagram that nobody waits for is nobody's error."""
    road.run(programs.unwanted(road.guarantees), repeat=3)
