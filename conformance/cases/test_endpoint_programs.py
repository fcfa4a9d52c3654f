# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Cancelled receives. The endpoint as an object: test_endpoint."""

from __future__ import annotations

from ofi_conformance import Road, programs, requirement


@requirement("OFI-EP-018", "OFI-EP-019", "OFI-EP-020", "OFI-EP-021", "OFI-EP-022", "OFI-EP-023")
def test_cancelled_receives(road: Road) -> None:
    """Who takes a buffer back must get it back, and only that one."""
    road.check(programs.cancelled_receives(road.guarantees))
