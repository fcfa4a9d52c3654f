# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A case on the road: one message."""

from __future__ import annotations

from ofi_conformance import Road, requirement

MESSAGE = """
program one-message
A                 | B
                  | recv 64
                  | barrier 1
barrier 1         |
send B 64         |
wait              | wait
"""


@requirement("OFI-MSG-001", "OFI-MSG-002")
def test_one_message(road: Road) -> None:
    road.run(MESSAGE, repeat=3)
