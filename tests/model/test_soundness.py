# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The Judge never objects to a provider that keeps its promises, and notices one that breaks a promise.

The Programs are the suite's own (``ofi_conformance.programs``), the provider is ``simulator``, the promises are those
of several kinds of provider. ``OFI_SOAK=n`` runs n times as much. Missed faults are not all the Judge's: many a strike
changes nothing that anybody sees; the floors below are what was measured, less a margin.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kfabric.model.codec import dumps
from kfabric.model.evidence import Evidence
from kfabric.model.guarantees import LITMUS, UNLIMITED, End, Guarantees
from kfabric.model.judge import judge
from kfabric.model.program import Program
from kfabric.model.verdict import Finding, Judgement
from ofi_conformance import programs

from .flows import FAULTS
from .simulator import Simulator

SOAK = int(os.environ.get("OFI_SOAK", "1"))
EVERY_ORDER = frozenset({"RAR", "RAW", "RAS", "WAR", "WAW", "WAS", "SAR", "SAW", "SAS"})
PLAIN = replace(LITMUS, caps=LITMUS.caps - {"ATOMIC"} | {"SOURCE", "DIRECTED_RECV"}, inject_size=64)
ORDERED = replace(
    PLAIN,
    tx_order=EVERY_ORDER,
    rx_order=EVERY_ORDER,
    max_order_raw_size=UNLIMITED,
    max_order_war_size=4096,
    max_order_waw_size=UNLIMITED,
)
ENDS: dict[str, End] = {
    "unordered": PLAIN,
    "ordered": ORDERED,
    "connected": replace(ORDERED, ep_type="MSG"),
    "delivering": replace(PLAIN, tx_op_flags=frozenset({"DELIVERY_COMPLETE"})),
    "selective": replace(ORDERED, selective=True, rx_order=frozenset({"SAS", "SAW"})),
    "counted": replace(PLAIN, counters=frozenset({"send", "recv", "read", "write"})),
    "persistent": replace(ORDERED, caps=ORDERED.caps | {"RMA_PMEM"}, levels=ORDERED.levels | {"COMMIT"}),
}
CHAPTERS: dict[str, Callable[[Guarantees], st.SearchStrategy[Program]]] = {
    "bytes": programs.rma_byte_map,
    "both ways": programs.rma_both_ways,
    "order": programs.same_bytes,
    "notices": programs.send_after_write,
    "levels": programs.delivery_writes,
    "fences": programs.fenced_writes,
    "fenced messages": programs.fenced_messages,
    "reuse": programs.reuse_after_completion,
    "protection": programs.protection,
    "messages": programs.message_streams,
    "message order": programs.message_order,
    "tags": programs.tagged_matching,
    "accounting": programs.completions,
    "cancelling": programs.cancelled_receives,
    "told by data": lambda promised: st.sampled_from(list(programs.told_by_data(promised))),
}
PAIRS = [
    *((end, chapter) for end in ("unordered", "ordered", "connected", "selective") for chapter in CHAPTERS),
    *(("delivering", chapter) for chapter in ("bytes", "levels", "notices", "accounting")),
    *(("counted", chapter) for chapter in ("bytes", "accounting", "messages")),
    *(("persistent", chapter) for chapter in ("committed", "volatile")),
]
ENOUGH = 24
"""Runs in which a fault showed that suffice for a share."""


def strategy(name: str, promised: Guarantees) -> st.SearchStrategy[Program]:
    """The Programs of a chapter."""
    special = {"committed": programs.committed_writes, "volatile": programs.commit_to_volatile}
    return (CHAPTERS | special)[name](promised)


def draw(programs_: st.SearchStrategy[Program], count: int, use: Callable[[Program, int], None]) -> None:
    """Call ``use`` with Programs and seeds that are only drawn, the same in every run unless it is a soak."""

    def each(program: Program, seed: int) -> None:
        use(program, seed)

    fixed = settings(
        max_examples=count * SOAK,
        deadline=None,
        database=None,
        derandomize=SOAK == 1,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    fixed(given(programs_, st.integers(0, 1 << 32))(each))()


def objections(program: Program, promised: Guarantees, seed: int, fault: str = "") -> tuple[int, list[Judgement]]:
    """How often the fault struck, and what the Judge says is broken."""
    simulator = Simulator(program, promised, seed, fault)
    history = simulator.run()
    found = judge(program, history, promised)
    broken = [each for each in found if each.finding is Finding.BROKEN]
    if broken and not fault and os.environ.get("OFI_KEEP"):
        Path(os.environ["OFI_KEEP"]).write_text(dumps(Evidence(program, promised, history, tuple(found))))
    return simulator.struck, broken


@pytest.mark.parametrize(("end", "chapter"), PAIRS)
def test_no_objection_to_what_is_allowed(end: str, chapter: str) -> None:
    promised = Guarantees(ENDS[end])

    def use(program: Program, seed: int) -> None:
        _, broken = objections(program, promised, seed)
        assert not broken, [(each.requirement, each.explanation) for each in broken]

    draw(strategy(chapter, promised), 8, use)


NOTICED = {
    "early delivery": ("unordered", "levels", "OFI-CMP-004 OFI-CMP-005", 0.2),
    "no RAW": ("ordered", "order", "OFI-ORD-003", 0.8),
    "no WAR": ("ordered", "order", "OFI-ORD-004", 0.8),
    "no WAW": ("ordered", "order", "OFI-ORD-005", 0.5),
    "no fence": ("unordered", "fences", "OFI-ORD-012 OFI-ORD-015", 0.3),
    "early fence": ("unordered", "fences", "OFI-ORD-013 OFI-ORD-014", 0.6),
    "no SAW": ("ordered", "notices", "OFI-ORD-008", 0.1),
    "early notice": ("unordered", "told by data", "OFI-CMP-008", 0.04),
    "stale read": ("unordered", "bytes", "OFI-RMA-003 OFI-CMP-008", 0.35),
    "damaged": ("unordered", "bytes", "OFI-RMA-001", 0.85),
    "misplaced": ("unordered", "bytes", "OFI-RMA-001 OFI-RMA-002", 0.8),
    "right ignored": ("unordered", "protection", "OFI-MR-005 OFI-MR-009 OFI-MR-012", 0.25),
    "late source": ("unordered", "reuse", "OFI-CMP-001 OFI-CMP-017 OFI-CMP-018", 0.2),
    "lost write": ("unordered", "bytes", "OFI-RMA-001", 0.25),
    "no SAS": ("ordered", "message order", "OFI-ORD-001", 0.4),
    "early read": ("unordered", "bytes", "OFI-RMA-004", 0.6),
}
"""By fault: what is promised, which Programs, the ids one of which must be named, the share noticed at least."""


@pytest.mark.parametrize("fault", NOTICED)
def test_a_broken_promise_is_noticed(fault: str) -> None:
    end, chapter, ids, floor = NOTICED[fault]
    promised = Guarantees(ENDS[end])
    struck: list[set[str]] = []

    def use(program: Program, seed: int) -> None:
        for turn in range(6 if len(struck) < ENOUGH * SOAK else 0):
            strikes, broken = objections(program, promised, seed + turn, fault)
            if strikes:
                struck.append({each.requirement for each in broken})

    draw(strategy(chapter, promised), 15, use)
    assert len(struck) >= 4, "the fault hardly shows in these Programs"
    caught = [found for found in struck if found]
    assert len(caught) >= floor * len(struck), f"{len(caught)} of {len(struck)}"
    assert any(found & set(ids.split()) for found in caught), caught


def test_every_fault_is_tried() -> None:
    assert NOTICED.keys() == set(FAULTS)
