# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Searching: every key gets its smallest input, nothing that failed is lost, and our own errors come through."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import strategies as st

from ofi_conformance.search import Found, Plan, Search, Trial

NUMBERS = st.lists(st.integers(0, 1000), max_size=8)
Numbers = list[int]


def broken_by(value: Numbers) -> frozenset[str]:
    """Two independent faults and one that always comes with the first."""
    found = set()
    if any(number >= 100 for number in value):
        found |= {"BIG", "BIG-TOO"}
    if len(value) >= 3:
        found.add("LONG")
    return frozenset(found)


def trial(value: Numbers) -> Trial[Numbers, str]:
    return Trial(value, "record", broken_by(value), (len(value), sum(value)))


def search(plan: Plan, run: object = trial) -> tuple[Search[Numbers, str], list[Found[Numbers, str]]]:
    looking: Search[Numbers, str] = Search(NUMBERS, run, plan)  # type: ignore[arg-type]
    return looking, list(looking.found())


def test_every_key_gets_its_smallest_input() -> None:
    _, found = search(Plan(examples=200, seed=1))
    smallest = {each.key: each.trial.value for each in found}
    assert smallest == {"BIG": [100], "BIG-TOO": [100], "LONG": [0, 0, 0]}


def test_the_same_seed_tries_the_same_inputs() -> None:
    tried: list[list[Numbers]] = []
    for _ in range(2):
        inputs: list[Numbers] = []

        def run(value: Numbers, inputs: list[Numbers] = inputs) -> Trial[Numbers, str]:
            inputs.append(value)
            return Trial(value, "", frozenset(), (0, 0))

        search(Plan(examples=50, seed=7), run)
        tried.append(inputs)
    assert tried[0] == tried[1]
    assert len(tried[0]) >= 40


def test_a_failure_that_does_not_come_again_is_kept() -> None:
    calls = 0

    def once(value: Numbers) -> Trial[Numbers, str]:
        nonlocal calls
        calls += 1
        return Trial(value, f"call {calls}", frozenset({"RACE"} if calls == 3 else ()), (len(value), 0))

    _, found = search(Plan(examples=30, seed=1), once)
    assert [(each.key, each.trial.record) for each in found] == [("RACE", "call 3")]


def test_a_failure_is_stored_and_tried_first(tmp_path: Path) -> None:
    plan = Plan(examples=200, seed=1, database=tmp_path / "db")
    _, first = search(plan)
    assert not any(each.stored for each in first)
    again: Search[Numbers, str] = Search(NUMBERS, trial, Plan(examples=1, seed=99, database=tmp_path / "db"))
    found = list(again.found())
    assert [(each.key, each.stored) for each in found if each.key == "BIG"] == [("BIG", True)]
    assert {each.key for each in found} == {"BIG", "BIG-TOO", "LONG"}


def test_our_own_error_is_raised_and_not_shrunk() -> None:
    calls = 0

    def wrong(value: Numbers) -> Trial[Numbers, str]:
        nonlocal calls
        calls += 1
        raise ZeroDivisionError("ours")

    with pytest.raises(ZeroDivisionError, match="ours"):
        search(Plan(examples=50, seed=1), wrong)
    assert calls == 1


def test_a_fatal_trial_ends_the_search() -> None:
    calls = 0

    def deadly(value: Numbers) -> Trial[Numbers, str]:
        nonlocal calls
        calls += 1
        return Trial(value, "", frozenset({"DEAD"}), (len(value), 0), fatal=True)

    _, found = search(Plan(examples=50, seed=1), deadly)
    assert [each.key for each in found] == ["DEAD"]
    assert calls == 1


def test_shrinking_has_an_end() -> None:
    looking, found = search(Plan(examples=200, seed=1, shrink_seconds=0.0))
    assert {each.key for each in found} >= {"BIG"}
    assert looking.ran < 500
