# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""``ofi-conform judge`` on a litmus text."""

from __future__ import annotations

from pathlib import Path

import pytest

from ofi_conformance import litmus
from ofi_conformance.evidence import EvidenceError
from ofi_conformance.verdicts import Exit

MESSAGE_PASSING = """\
program MP
guarantees msg_order={order}
memory B.data[8]
A                 | B
write B.data = 1  | R: recv 8
send B 8          | wait R
                  | L: load B.data
{held} L = 0
"""


@pytest.mark.parametrize(
    ("order", "held", "code"),
    [
        ("saw", "forbidden", Exit.PASS),
        ("saw", "allowed", Exit.FAIL),
        ("sas", "allowed", Exit.PASS),
        ("sas", "forbidden", Exit.FAIL),
    ],
)
def test_one_order_bit_decides(tmp_path: Path, order: str, held: str, code: Exit) -> None:
    file = tmp_path / "mp.litmus"
    file.write_text(MESSAGE_PASSING.format(order=order, held=held))
    assert litmus.is_text(file)
    assert litmus.decide(file).code is code


def test_a_text_without_conditions_decides_nothing(tmp_path: Path) -> None:
    file = tmp_path / "nothing.litmus"
    file.write_text("program nothing\nA\nbarrier\n")
    assert litmus.decide(file).code is Exit.INCONCLUSIVE


def test_what_is_no_program_is_refused_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    file.write_text("hello\n")
    with pytest.raises(EvidenceError, match="line 1, column 1"):
        litmus.decide(file)
