# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The text form: everything written is read back the same; what is wrong is named with its place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from kfabric.model.codec import dumps, loads
from kfabric.model.notation import NotationError, parse, render
from kfabric.model.program import (
    Form,
    Location,
    OpMark,
    Pattern,
    Program,
    Read,
    Recv,
    Region,
    Send,
    Wait,
    WaitBy,
    Write,
)

from .strategies import programs

MP = """
program MP+saw+third-node
guarantees msg_order=saw max_order_waw_size=inf
memory B.data[8] B.flag[8]* C.big[64]=#
# data first, then the message
A                            | C
W1: write B.data = 1         | m: recv 8 from A
write B.flag = 1  !deliver   | wait m by sread
send C 8 tag=0x5 data=7      | read B.data -> r
forbidden C.r = 0 & B.flag = 1  by OFI-ORD-008
"""


@given(programs())
@settings(max_examples=300, deadline=None)
def test_round_trip(program: Program) -> None:
    text = render(program)
    again = parse(text)
    assert again == program
    assert render(again) == text


def test_what_a_text_means() -> None:
    program = parse(MP)
    first, second, third = program.threads[0].steps
    assert first == Write("W1", (Location("B", "data", 0, 8),), program.threads[0].steps[0].value)  # type: ignore[union-attr]
    assert isinstance(second, Write)
    assert second.name == "A.2"
    assert second.marks == {OpMark.DELIVERY_COMPLETE}
    assert second.form is Form.MSG, "marks are flags, and only the call with flags takes them"
    assert isinstance(third, Send)
    assert (third.tag, third.data, third.value) == (5, 7, Pattern())
    receive, wait, read = program.threads[1].steps
    assert isinstance(receive, Recv)
    assert receive.source is not None
    assert wait == Wait("C.2", ("m",), WaitBy.SREAD)
    assert isinstance(read, Read)
    assert read.name == "r", "-> names the step"
    assert program.conditions[0].observed == (("r", 0),)
    assert program.conditions[0].final == ((Location("B", "flag", 0, 8), 1),)
    assert program.region("B", "flag").persistent
    assert program.region("C", "big").init is None


@pytest.mark.parametrize(
    ("text", "line", "column", "expected"),
    [
        ("", 1, 1, "program NAME"),
        ("program x\nformat 9", 2, 8, "format 1"),
        ("program x\nA | A", 2, 5, "column that is not there yet"),
        ("program x\nA | by", 2, 5, "no reserved word"),
        ("program x\nA | B\nsend B 1 | load B.x", 3, 17, "memory line declares"),
        ("program x\nmemory B.x[8]\nA | B\nload B.x | ", 4, 6, "node's own (A)"),
        ("program x\nmemory B.x[8]\nA\nwrite B.x[4:2]", 4, 13, "at least 4"),
        ("program x\nmemory B.x[8] B.x[8]", 2, 15, "not declared yet"),
        ("program x\nmemory B.x[8]!fly", 2, 8, "access rights"),
        ("program x\nA\nsend B", 3, 7, "message's size"),
        ("program x\nA | B\nsend B 8 !fly", 3, 10, "mark"),
        ("program x\nA | B\nsend B 8 via=x", 3, 14, "number for via"),
        ("program x\nA | B\nsend B 8 ignore=1", 3, 10, "tag, data, iov, via"),
        ("program x\nA\nfly", 3, 1, "a step: send"),
        ("program x\nA\nmsg wait", 3, 5, "a step: atomic"),
        ("program x\nA\nwait q", 3, 1, "step of the same column"),
        ("program x\nA\nsend Q 8", 3, 1, "node of this program"),
        ("program x\nA\nR: recv 8\nR: recv 8", 4, 1, "no other step"),
        ("program x\nA\nrecv 8 | recv 8", 3, 10, "no more than 1"),
        ("program x\nmemory B.x[8]\nA\natomic fly uint64 B.x = 1", 4, 8, "atomic operation"),
        ("program x\nmemory B.x[8]\nA\natomic sum uint64 B.x = 1.5", 4, 25, "element of uint64"),
        ("program x\nA\nR: recv 8\nforbidden Q = 1", 4, 11, "step of this program"),
        ("program x\nA\nR: recv 8\nforbidden R = 1 by nobody", 4, 20, "requirement's id"),
        ("program x\nA\nR: recv 8\nforbidden R = 1\nrecv 8", 5, 1, "condition line"),
    ],
)
def test_errors_name_their_place(text: str, line: int, column: int, expected: str) -> None:
    with pytest.raises(NotationError) as caught:
        parse(text)
    assert (caught.value.line, caught.value.column) == (line, column), str(caught.value)
    assert expected in caught.value.expected
    assert str(caught.value).startswith(f"line {line}, column {column}: expected ")


def test_a_barrier_of_several_columns_is_one_row() -> None:
    text = render(parse("program x\nA | B\nrecv 8 | barrier 0\nrecv 8 | recv 4\nbarrier 0 |"))
    assert any(row.split("|")[0].strip() == row.split("|")[1].strip() == "barrier 0" for row in text.splitlines()[3:])


def test_names_that_cannot_be_written_are_refused() -> None:
    program = parse("program x\nA\nrecv 8")
    thread = program.threads[0]
    bad = Program("x", (type(thread)("A", (Recv("by", 8),)),))
    with pytest.raises(NotationError, match="step's name"):
        render(bad)


def test_numbers_as_wide_as_a_region() -> None:
    """Python refuses decimal digits of such numbers; hexadecimal ones have no limit."""
    wide = (1 << 20000) + 5
    program = Program("x", (), (Region("B", "big", 2501, init=wide),))
    assert parse(render(program)) == program
    assert loads(dumps(program)) == program
    assert len(repr(program)) > 5000
    with pytest.raises(NotationError, match="hexadecimal"):
        parse("program x\nmemory B.x[8]\nB\nstore B.x = " + "9" * 5000)
