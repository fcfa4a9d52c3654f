# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The comparison of a broken with an unbroken run."""

from __future__ import annotations

from ofi_conformance.faults.catalogue import Entry
from ofi_conformance.faults.trial import Budget, Record, compare

ENTRY = Entry("one", "Something.", "cq", ("A",), ("B",), "libfabric:sockets/rdm", "default")
Said = dict[tuple[str, str], str]


def record(said: Said, hits: int = 1) -> Record:
    return Record({cell: (verdict, f"why {verdict}") for cell, verdict in said.items()}, hits, 1.0, [])


BEFORE: Said = {("A", "x"): "PASS", ("B", "x"): "PASS", ("C", "x"): "PASS", ("C", "y"): "FAIL"}


def test_caught() -> None:
    found = compare(ENTRY, record(BEFORE | {("A", "x"): "FAIL", ("B", "x"): "INCONCLUSIVE"}), [record(BEFORE)])
    assert found.good
    assert (list(found.hit), list(found.may)) == (["A"], ["B"])


def test_not_caught() -> None:
    found = compare(ENTRY, record(BEFORE | {("A", "x"): "INCONCLUSIVE"}), [record(BEFORE)])
    assert not found.good
    assert found.missed == {"A": "INCONCLUSIVE in x (why INCONCLUSIVE)"}


def test_one_case_is_enough() -> None:
    before = BEFORE | {("A", "y"): "FAIL"}
    assert compare(ENTRY, record(before | {("A", "x"): "FAIL"}), [record(before)]).good


def test_failed_before() -> None:
    before = BEFORE | {("A", "x"): "FAIL"}
    assert not compare(ENTRY, record(before), [record(before)]).good


def test_something_else_changed() -> None:
    found = compare(ENTRY, record(BEFORE | {("A", "x"): "FAIL", ("C", "x"): "FAIL"}), [record(BEFORE)])
    assert not found.good
    assert list(found.extra) == ["C"]


def test_a_failure_that_went_away_is_a_change_too() -> None:
    found = compare(ENTRY, record(BEFORE | {("A", "x"): "FAIL", ("C", "y"): "PASS"}), [record(BEFORE)])
    assert list(found.extra) == ["C"]


def test_what_flickers_is_named_and_left_out() -> None:
    other = BEFORE | {("C", "x"): "INCONCLUSIVE"}
    found = compare(ENTRY, record(BEFORE | {("A", "x"): "FAIL", ("C", "x"): "FAIL"}), [record(BEFORE), record(other)])
    assert found.good
    assert found.flickering == {"C in x"}


def test_a_fault_that_never_showed_proves_nothing() -> None:
    assert not compare(ENTRY, record(BEFORE | {("A", "x"): "FAIL"}, hits=0), [record(BEFORE)]).good


def test_what_the_suite_says_of_itself_counts() -> None:
    broken = record(BEFORE | {("A", "x"): "FAIL"})
    broken.troubles.append("the suite tripped")
    assert not compare(ENTRY, broken, [record(BEFORE)]).good


def test_a_fault_may_ask_for_more_inputs() -> None:
    eager = Entry("two", "Something.", "cq", ("A",), (), "libfabric:sockets/rdm", "default", examples=40)
    assert (Budget(8).inputs(ENTRY), Budget(8).inputs(eager), Budget(16).inputs(eager)) == (8, 40, 80)
