# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Cases that the suite must refuse."""

from __future__ import annotations

from ofi_conformance import Local, requirement


@requirement("OFI-CQ-999")
def test_an_id_that_does_not_exist(local: Local) -> None:
    """Nobody has retired it either."""


def test_no_id(local: Local) -> None:
    """Decides nothing."""


@requirement("OFI-CQ-001")
def test_no_fixture() -> None:
    """Runs nothing."""


@requirement("OFI-CQ-002")
def test_a_body_inside_a_case(local: Local) -> None:
    def body(kit: object) -> None:
        """A node cannot find it."""

    local.run(body)
