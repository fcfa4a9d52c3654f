# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Persistent regions and committed writes, as far as they show while the power is on."""

from __future__ import annotations

from ofi_conformance import Road, programs, requirement


@requirement("FPM-MR-004")
def test_byte_map(road: Road) -> None:
    """A persistent region is a region first."""
    road.check(programs.persistent_byte_map(road.guarantees))


@requirement("FPM-CMP-001", "FPM-CMP-006")
def test_committed_writes(road: Road) -> None:
    """What is durable is visible too."""
    if programs.commits(road.end):
        road.check(programs.committed_writes(road.guarantees))


@requirement("FPM-CMP-007")
def test_commit_to_volatile_memory(road: Road) -> None:
    """A commit that is not one loses data without a word."""
    if programs.commits(road.end):
        road.check(programs.commit_to_volatile(road.guarantees), share=0.25)
