# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Tagged messages: which receive gets which message."""

from __future__ import annotations

from ofi_conformance import Road, programs, requirement


@requirement("OFI-TAG-001", "OFI-TAG-002", "OFI-TAG-004", "OFI-TAG-005")
def test_matching(road: Road) -> None:
    """Tags are how an upper layer keeps its conversations apart."""
    for program in programs.tagged_classics(road.guarantees):
        road.run(program)
    road.check(programs.tagged_matching(road.guarantees))


@requirement("OFI-TAG-001", "OFI-TAG-002", "OFI-TAG-003")
def test_matching_late(road: Road) -> None:
    """A message that waited for its receive is matched as if the receive had been there first."""
    if programs.buffers_unexpected(road.end):
        road.check(programs.tagged_unexpected(road.guarantees))


@requirement("OFI-TAG-001", "OFI-CQ-018")
def test_every_size_by_every_call(road: Road) -> None:
    """The tagged calls are other calls: each has to work at every size too."""
    for program in programs.message_sweep(road.guarantees, tagged=True):
        road.run(program)


@requirement("OFI-TAG-017")
def test_sources(road: Road) -> None:
    """A tag may be used by many senders; a receive that names one of them is for that one."""
    if road.end.ep_type != "MSG":
        road.check(programs.directed(road.guarantees, tag=7))
