# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What is in memory, what is not touched, what is refused and what never landed: histories told by hand."""

from __future__ import annotations

import pytest

from kfabric.model.guarantees import LITMUS

from .tale import Tale

# -- content and bounds -----------------------------------------------------------------------------------------------


LOADS = "program x\nmemory B.x[16]=#\nA | B\nW: write B.x[4:12] {} |\nwait |\nbarrier | barrier\n | L: load B.x"


def test_content() -> None:
    tale = Tale(LOADS.format("!deliver")).posted("W").done("W").passed()
    old, new = tale.old("B", "x"), tale.by("W")
    good = old[:4] + new + old[12:]
    assert {"OFI-RMA-001", "OFI-RMA-002", "OFI-RMA-011", "OFI-MR-001"} <= tale.saw("L", good).kept
    for content, expected in (
        (old[:4] + new[:4] + b"\0\0\0\0" + old[12:], "OFI-RMA-001"),
        (good[:3] + b"\0" + good[4:], "OFI-RMA-002"),
        (good[:12] + b"\0\0" + good[14:], "OFI-RMA-002"),
        (old[:2] + new + old[10:], "OFI-RMA-002"),
    ):
        tale = Tale(LOADS.format("!deliver")).posted("W").done("W").passed()
        assert expected in tale.saw("L", content).broken, content


def test_out_of_thin_air() -> None:
    text = "program x\nmemory B.x[8]=#\nA | B | C\nW1: write B.x | | W2: write B.x\n | L: load B.x |"
    tale = Tale(text).posted("W1", "W2")
    assert tale.saw("L", bytes(8)).broken == {"OFI-RMA-012"}


def test_several_segments() -> None:
    text = """
    program x
    memory B.x[16]=#
    A | B
    W: write B.x[8:12],B.x[0:4] !deliver iov=3+5 |
    wait |
    barrier | barrier
     | L: load B.x
    """
    tale = Tale(text).posted("W").done("W").passed()
    old, new = tale.old("B", "x"), tale.by("W")
    assert {"OFI-RMA-008", "OFI-RMA-009"} <= tale.saw("L", new[4:] + old[4:8] + new[:4] + old[12:]).kept


def test_guards() -> None:
    for guards in ({"before": False}, {"after": False}):
        tale = Tale(LOADS.format("")).posted("W").done("W")
        assert tale.final("B", "x", tale.old("B", "x"), **guards).broken == {"OFI-RMA-002"}
    text = "program x\nmemory B.x[8]=#\nA | B\nR: read B.x |\nwait |"
    tale = Tale(text).posted("R")
    content = tale.old("B", "x")
    assert tale.done("R", content).kept_buffer("R", content, after=False).broken == {"OFI-RMA-006"}
    tale = Tale(text).posted("R").done("R", content)
    assert tale.final("B", "x", content[:7] + b"\0").broken == {"OFI-RMA-005"}
    tale = Tale(LOADS.format("")).posted("W").done("W")
    assert tale.source("W", bytes(8)).broken == {"OFI-RMA-007"}


def test_reads() -> None:
    text = "program x\nmemory B.x[8]=#\nA | B\nR: read B.x |\nwait |"
    old = Tale(text).old("B", "x")
    assert {"OFI-RMA-003", "OFI-RMA-004"} <= Tale(text).posted("R").done("R", old).kept
    assert Tale(text).posted("R").done("R", bytes(8)).broken == {"OFI-RMA-003"}
    tale = Tale(text).posted("R")
    assert tale.done("R", old[:4] + tale.unread("R")[4:]).broken == {"OFI-RMA-004"}
    tale = Tale(text).posted("R").done("R", old)
    assert tale.kept_buffer("R", bytes(8)).broken == {"OFI-RMA-004"}


def test_a_read_sees_what_was_there_while_it_ran() -> None:
    text = """
    program x
    memory B.x[8]=#
    A | B
    barrier | P1: store B.x
    R: read B.x | barrier 0
    wait | P2: store B.x
    barrier 1 | barrier 1
     | P3: store B.x
    """
    for seen, broken in (("P1", set()), ("P2", set()), ("old", {"OFI-RMA-003"}), ("P3", {"OFI-RMA-003"})):
        tale = Tale(text).did("P1").passed(0).posted("R").did("P2")
        tale.done("R", tale.old("B", "x") if seen == "old" else tale.by(seen)).passed(1).did("P3")
        assert tale.broken == broken, seen


def test_a_store_and_a_write_at_the_same_time() -> None:
    text = "program x\nmemory B.x[8]=#\nA | B\nW: write B.x | P: store B.x\nwait | L: load B.x"
    for seen in ("W", "P"):
        tale = Tale(text).posted("W").did("P")
        assert not tale.saw("L", tale.by(seen)).broken
    tale = Tale(text).posted("W").did("P")
    assert tale.saw("L", tale.old("B", "x")).broken == {"OFI-RMA-002"}


def test_atomics_among_plain_writes_are_left_alone() -> None:
    text = "program x\nmemory B.x[8]=#\nA | B | C\nT: atomic sum uint64 B.x = 1 | | W: write B.x\n | L: load B.x |"
    tale = Tale(text).posted("T", "W").saw("L", bytes(8))
    assert not {"OFI-RMA-001", "OFI-RMA-002", "OFI-RMA-012"} & tale.broken


# -- source buffers ---------------------------------------------------------------------------------------------------


def test_reuse() -> None:
    text = "program x\nmemory B.x[8]=#\nA | B\n{} |\n{} |\nU: reuse W |\n | L: load B.x"
    new = bytes(255 - byte for byte in Tale(text.format("W: write B.x", "wait")).by("W"))
    tale = Tale(text.format("W: write B.x", "V: wait")).posted("W").done("W").waited("V").did("U")
    assert tale.saw("L", new).broken == {"OFI-CMP-001"}
    tale = Tale(text.format("W: inject write B.x", "V: wait")).posted("W").waited("V").did("U")
    assert tale.saw("L", new).broken == {"OFI-CMP-017", "OFI-RMA-016"}
    tale = Tale(text.format("W: write B.x !inject", "V: wait")).posted("W").waited("V").did("U")
    assert tale.saw("L", new).broken == {"OFI-CMP-018"}
    wild = Tale(text.format("W: write B.x", "V: wait S").replace("V: wait S |\n", "")).posted("W").did("U").done("W")
    assert not wild.saw("L", new).broken, "the application was too early"


# -- protection -------------------------------------------------------------------------------------------------------


ACCESS = "program x\nmemory B.x[8]=#{}\nA | B\n{} |\nwait |"


@pytest.mark.parametrize(
    ("rights", "step", "expected"),
    [
        ("!remote_read", "W: write B.x !deliver", "OFI-MR-005"),
        ("!remote_write", "W: read B.x", "OFI-MR-006"),
        ("!remote_read", "W: atomic sum uint64 B.x = 1 !deliver", "OFI-MR-007"),
        ("!remote_write", "W: fetch sum uint64 B.x = 1", "OFI-MR-008"),
        ("", "W: write B.x !deliver !badkey", "OFI-MR-009"),
        ("", "W: write B.x[4:12] !deliver", "OFI-MR-011"),
        ("", "W: read B.x[8:9]", "OFI-MR-011"),
        ("", "W: fetch sum uint64 B.x = 1 !badkey", "OFI-MR-032"),
        ("", "W: fetch sum uint64 B.x[8:16] = 1", "OFI-MR-032"),
    ],
)
def test_what_must_fail(rights: str, step: str, expected: str) -> None:
    text = ACCESS.format(rights, step)
    assert {expected, "OFI-MR-012"} <= Tale(text).posted("W").failed("W").kept
    assert {expected, "OFI-MR-012"} <= Tale(text).posted("W", code=22).kept
    assert Tale(text).posted("W").done("W").broken >= {expected, "OFI-MR-012"}
    if "deliver" in step:
        weak = Tale(text.replace("!deliver", "")).posted("W").done("W")
        assert not weak.broken, "a weak level says nothing about the target"
        assert {expected, "OFI-MR-012"} <= weak.open


def test_what_was_refused_changes_nothing() -> None:
    text = ACCESS.format("", "W: write B.x !badkey")
    tale = Tale(text).posted("W").failed("W")
    assert tale.final("B", "x", tale.by("W")).broken == {"OFI-MR-013"}
    tale = Tale(text).posted("W").failed("W")
    assert "OFI-MR-013" in tale.final("B", "x", tale.old("B", "x")).kept
    tale = Tale(text).posted("W").done("W")
    assert tale.final("B", "x", tale.by("W")).broken == {"OFI-MR-009"}, "it was not refused, it was carried out"
    text = ACCESS.format("", "W: atomic atomic_write uint64 B.x = 5 !badkey")
    tale = Tale(text).posted("W").failed("W")
    assert tale.final("B", "x", (5).to_bytes(8, "little")).broken == {"OFI-MR-033"}
    text = ACCESS.format("", "W: read B.x !badkey")
    tale = Tale(text).posted("W").failed("W")
    assert tale.kept_buffer("W", tale.old("B", "x")).broken == {"OFI-MR-015"}
    tale = Tale(text).posted("W").failed("W")
    assert "OFI-MR-015" in tale.kept_buffer("W", tale.unread("W")).kept


def test_a_write_partly_outside_may_change_what_is_inside() -> None:
    text = ACCESS.format("", "W: write B.x[4:12]")
    for inside in (True, False):
        tale = Tale(text).posted("W").failed("W")
        old = tale.old("B", "x")
        tale.final("B", "x", old[:4] + (tale.by("W")[:4] if inside else old[4:]))
        assert not tale.broken
    tale = Tale(text).posted("W").failed("W")
    assert tale.final("B", "x", tale.old("B", "x"), after=False).broken == {"OFI-MR-014"}
    text = ACCESS.format("", "T: atomic sum uint64 B.x[0:16] = 1,1")
    tale = Tale(text).posted("T").failed("T")
    added = int.from_bytes(tale.old("B", "x"), "little") + 1
    assert not tale.final("B", "x", (added % (1 << 64)).to_bytes(8, "little")).broken


CLOSED = """
program x
memory B.x[8]=#
A | B
{} | C: close B.x
W: write B.x !deliver !closedkey | {}
wait |
S: send B 4 | R: recv 4
"""


def test_closed_regions() -> None:
    tale = Tale(CLOSED.format("barrier", "barrier")).did("C").passed().posted("W")
    assert tale.done("W").broken == {"OFI-MR-010", "OFI-MR-012"}
    tale = Tale(CLOSED.format("barrier", "barrier")).did("C").passed().posted("W").failed("W").waited("A.3")
    assert {"OFI-MR-010", "OFI-MR-016"} <= tale.posted("S").done("S").kept
    open_ = Tale(CLOSED.format("", "")).posted("W").did("C").done("W")
    open_.final("B", "x", open_.by("W"))
    assert not open_.broken, "nobody knows which came first"
    assert not Tale(CLOSED.format("", "")).posted("W").did("C").failed("W").broken


@pytest.mark.parametrize(
    "step", ["W: write B.x[0:0] !badkey", "W: write B.x[9:9]", "W: fetch sum uint64 B.x = 1", "W: write B.x !commit"]
)
@pytest.mark.parametrize("ending", ["failed", "refused", "done"])
def test_where_the_text_is_silent(step: str, ending: str) -> None:
    rights = "!remote_read" if "fetch" in step else ""
    promised = {"caps": LITMUS.caps | {"RMA_PMEM"}, "levels": frozenset({"COMMIT", "DELIVERY"})}
    tale = Tale(ACCESS.format(rights, step), **promised).posted("W", code=22 if ending == "refused" else 0)
    if ending != "refused":
        tale = tale.failed("W") if ending == "failed" else tale.done("W")
    assert tale.broken <= {"FPM-CMP-007"}, "a project's own requirement, which speaks of commits"
    assert ("FPM-CMP-007" in tale.broken) == (ending == "done" and "commit" in step)


def test_a_buffer_that_was_cleared_discloses_nothing() -> None:
    text = "program x\nmemory B.x[8]\nA | B\nR: read B.x !badkey |\nwait |"
    assert not Tale(text).posted("R").failed("R").kept_buffer("R", bytes(8)).broken


def test_what_follows_a_refusal_on_a_connection() -> None:
    text = """
    program x
    memory B.x[8]=#
    A | B
    W: write B.x !badkey |
    wait |
    S: send B 8 |
    I: inject send B 8 |
    N: write B.x |
    """
    tale = Tale(text, ep_type="MSG").posted("W").failed("W").posted("S", "I", "N", code=107)
    assert not tale.broken


def test_what_is_permitted_succeeds() -> None:
    for step, expected in (("W: write B.x", "OFI-RMA-011"), ("W: write B.x[0:0]", "OFI-RMA-010")):
        text = ACCESS.format("", step)
        assert expected in Tale(text).posted("W").done("W").kept
        assert expected in Tale(text).posted("W").failed("W").broken
        assert expected in Tale(text).posted("W", code=22).broken


# -- the end ----------------------------------------------------------------------------------------------------------


def test_a_write_that_completed_and_never_landed() -> None:
    text = "program x\nmemory B.x[8]=#\nA | B\nW: write B.x |\nV: wait |"

    def tale() -> Tale:
        return Tale(text).posted("W").done("W").waited("V")

    there = tale()
    assert "OFI-RMA-001" in there.final("B", "x", there.by("W")).kept
    unprobed = tale()
    assert unprobed.final("B", "x", there.old("B", "x")).open == {"OFI-RMA-001"}
    assert not unprobed.broken
    for arrived, expected in ((True, {"OFI-RMA-001"}), (False, set())):
        probed = tale().probed("A", "B", arrived=arrived)
        assert probed.final("B", "x", there.old("B", "x")).broken == expected
    late = tale().final("B", "x", there.old("B", "x")).probed("A", "B")
    assert not late.broken, "memory was looked at before the probe"


def test_a_write_that_something_else_may_have_replaced() -> None:
    text = "program x\nmemory B.x[8]=#\nA | B | C\nW: write B.x | | X: write B.x\nV: wait | | wait"
    tale = Tale(text).posted("W", "X").done("W").done("X").waited("V").probed("A", "B").probed("B", "C")
    assert not tale.final("B", "x", tale.by("X")).broken
    text = "program x\nmemory B.x[8]=#\nA | B\nW: write B.x | P: store B.x\nV: wait |"
    tale = Tale(text).posted("W").done("W").did("P").waited("V").probed("A", "B")
    assert not tale.final("B", "x", tale.by("P")).broken


def test_completions_read_at_the_very_end_are_not_before_the_contents_of_others() -> None:
    text = "program x\nmemory B.x[8]=#\nA | B\nW: write B.x !deliver |"
    tale = Tale(text).posted("W").done("W")
    assert not tale.final("B", "x", tale.old("B", "x")).broken
    text += "\nV: wait |"
    tale = Tale(text).posted("W").done("W").waited("V")
    assert tale.final("B", "x", tale.old("B", "x")).broken == {"OFI-CMP-004", "OFI-RMA-001"}


def test_notices_are_not_put_to_the_test_by_final_contents() -> None:
    text = "program x\nmemory B.x[8]=#\nA | B\nW: write B.x !deliver |\nV: wait |"
    tale = Tale(text).posted("W").done("W").waited("V")
    assert "OFI-CMP-004" not in tale.final("B", "x", tale.by("W")).kept


def test_a_node_that_died_owes_nothing() -> None:
    text = "program x\nmemory B.x[8]=#\nA | B\nW: write B.x |\nV: wait |"
    tale = Tale(text).posted("W").done("W").died("A").probed("A", "B")
    assert not tale.final("B", "x", tale.old("B", "x")).broken
