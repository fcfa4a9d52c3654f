# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The Judge against the machine of dice: never a false alarm, the right alarm for a promise broken on purpose."""

from __future__ import annotations

import pytest

from kfabric.model.judge import judge
from kfabric.model.notation import render
from kfabric.model.verdict import Finding, Judgement

from .drawing import FOCUSED, draw
from .machine import Machine

TASTES = ("", *FOCUSED)
EVERYDAY, RELEASE = 40, 3000
RUNS = 150

BREAKS = {
    "byte past the message": "OFI-MSG-004",
    "completion before data": "OFI-CMP-007",
    "completion twice": "OFI-CQ-003",
    "counter off": "OFI-CNT-001",
    "damaged byte": "OFI-MSG-002",
    "guard byte": "OFI-RMA-002",
    "inject reports": "OFI-CMP-016",
    "last receive first": "OFI-ORD-001",
    "leaked flag": "OFI-CQ-012",
    "lost completion": "OFI-CQ-003",
    "lost message": "OFI-MSG-001",
    "misplaced write": "OFI-RMA-001",
    "negative error": "OFI-CQ-026",
    "no SAS": "OFI-ORD-001",
    "no SAW": "OFI-ORD-008",
    "no WAW": "OFI-ORD-005",
    "no RAW": "OFI-ORD-003",
    "no WAR": "OFI-ORD-004",
    "no fence": "OFI-ORD-013",
    "read completes early": "OFI-RMA-004",
    "received twice": "OFI-MSG-001",
    "remote context": "OFI-CQ-005",
    "stale read": "OFI-ORD-003",
    "wrong context": "OFI-CQ-004",
    "wrong flags": "OFI-CQ-013",
    "wrong length": "OFI-CQ-014",
    "wrong remote length": "OFI-CQ-015",
    "wrong source": "OFI-CQ-019",
    "wrong tag": "OFI-CQ-018",
}
"""Fault of the machine -> the requirement that it breaks first of all."""


def broken(seed: int, fault: str = "") -> tuple[str, list[Judgement]]:
    program, promised = draw(seed, TASTES[seed % len(TASTES)])
    history = Machine(program, promised, seed, fault=fault, patient=bool(fault)).run()
    found = [each for each in judge(program, history, promised) if each.finding is Finding.BROKEN]
    return render(program), found


@pytest.mark.parametrize("block", range(7))
def test_a_weak_provider_is_never_blamed(block: int) -> None:
    for seed in range(block, EVERYDAY * 7, 7):
        text, found = broken(seed)
        assert not found, f"seed {seed}\n{text}\n{found[0]}"


@pytest.mark.release
@pytest.mark.parametrize("block", range(8))
def test_a_weak_provider_is_never_blamed_in_the_long_run(block: int) -> None:
    for seed in range(1_000_000 + block, 1_000_000 + RELEASE * 8, 8):
        text, found = broken(seed)
        assert not found, f"seed {seed}\n{text}\n{found[0]}"


@pytest.mark.parametrize("fault", sorted(BREAKS))
def test_a_broken_promise_is_named(fault: str) -> None:
    for seed in range(RUNS):
        _, found = broken(seed, fault)
        named = [each for each in found if each.requirement == BREAKS[fault]]
        if named:
            explanation = named[0].explanation
            assert explanation is not None
            assert explanation.however.startswith("However")
            return
    pytest.fail(f"{fault}: nothing in {RUNS} runs broke {BREAKS[fault]}")
