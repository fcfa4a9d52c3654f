# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a completion tells, which operations have one, and when a buffer is the application's again."""

from __future__ import annotations

from ofi_conformance import Road, programs, requirement


@requirement("OFI-CMP-001", "OFI-CMP-017", "OFI-CMP-018")
def test_buffers_given_back(road: Road) -> None:
    """An application reuses its buffers as soon as it may; what it writes then must not travel."""
    road.check(programs.reuse_after_completion(road.guarantees))


@requirement("OFI-CMP-004", "OFI-CMP-005", "OFI-CMP-022")
def test_delivered_writes(road: Road) -> None:
    """A delivered write is seen by everybody, whichever way they look."""
    if programs.verbs(road.end):
        road.check(programs.delivery_writes(road.guarantees))


@requirement("OFI-CMP-006", "OFI-CMP-022")
def test_delivered_atomics(road: Road) -> None:
    """So is a delivered update."""
    if programs.offers(road.end):
        road.check(programs.delivery_atomics(road.guarantees))


@requirement("OFI-CMP-003", "OFI-CMP-007", "OFI-CMP-022")
def test_delivered_messages(road: Road) -> None:
    """A delivered message is in the receiver's buffer."""
    if road.applies("OFI-CMP-003"):
        road.check(programs.delivery_messages(road.guarantees))


@requirement("OFI-CMP-007", "OFI-CMP-008")
def test_told_and_visible(road: Road) -> None:
    """Whatever tells the target of data, the data is there."""
    if programs.speaks(road.end):
        road.check(programs.message_streams(road.guarantees), share=0.25)
    if programs.speaks(road.end) and programs.verbs(road.end) and road.end.cq_data_size:
        for program in programs.told_by_data(road.guarantees):
            road.run(program, repeat=3)


@requirement(
    "OFI-CMP-010", "OFI-CMP-011", "OFI-CMP-012", "OFI-CMP-016", "OFI-CMP-019", "OFI-CQ-003", "OFI-CQ-004",
)  # fmt: skip
def test_who_reports(road: Road) -> None:
    """A completion too many is as bad as one too few: it ends an operation that is still running."""
    for program in programs.completion_sweep(road.guarantees):
        road.run(program)
    road.check(programs.completions(road.guarantees))


@requirement("OFI-CMP-016", "OFI-CMP-020")
def test_injection(road: Road) -> None:
    """What fits the inject size can be sent and forgotten."""
    for program in programs.injection_sweep(road.guarantees):
        road.run(program)
