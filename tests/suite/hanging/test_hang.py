# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A case that finds something, and one that does not come back."""

from __future__ import annotations

import time

from ofi_conformance import Local, requirement
from ofi_conformance.kit import Kit


@requirement("OFI-CQ-038")
def test_a_failure_before(local: Local) -> None:
    local.run(a_failure_before)


def a_failure_before(kit: Kit) -> None:
    kit.check("OFI-CQ-038", False, "there is an answer")


@requirement("OFI-CQ-039")
def test_a_hang(local: Local) -> None:
    local.run(a_hang)


def a_hang(kit: Kit) -> None:
    time.sleep(3600)
