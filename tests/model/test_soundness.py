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
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ofi_conformance import programs

from kfabric.model.codec import dumps
from kfabric.model.evidence import Evidence
from kfabric.model.guarantees import LITMUS, UNLIMITED, End, Guarantees
from kfabric.model.judge import judge
from kfabric.model.program import Program
from kfabric.model.verdict import Finding, Judgement

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
}
PAIRS = [
    *((end, chapter) for end in ("unordered", "ordered", "connected", "selective") for chapter in CHAPTERS),
    *(("delivering", chapter) for chapter in ("bytes", "levels", "notices", "accounting")),
    *(("counted", chapter) for chapter in ("bytes", "accounting", "messages")),
    *(("persistent", chapter) for chapter in ("committed", "volatile")),
]


def strategy(name: str, promised: Guarantees) -> st.SearchStrategy[Program]:
    """The Programs of a chapter."""
    special = {"committed": programs.committed_writes, "volatile": programs.commit_to_volatile}
    return (CHAPTERS | special)[name](promised)


def drawing(count: int) -> Any:
    """Settings for examples that are only drawn, the same in every run."""
    return settings(
        max_examples=count * SOAK,
        deadline=None,
        database=None,
        derandomize=SOAK == 1,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def objections(program: Program, promised: Guarantees, seed: int, fault: str = "") -> tuple[int, list[Judgement]]:
    """How often the fault struck, and what the Judge says is broken."""
    simulator = Simulator(program, promised, seed, fault)
    history = simulator.run()
    found = judge(program, history, promised)
    broken = [each for each in found if each.finding is Finding.BROKEN]
    if broken and not fault and os.environ.get("OFI_KEEP"):
        with open(os.environ["OFI_KEEP"], "w", encoding="utf-8") as out:
            out.write(dumps(Evidence(program, promised, history, tuple(found))))
    return simulator.struck, broken


@pytest.mark.parametrize(("end", "chapter"), PAIRS)
def test_no_objection_to_what_is_allowed(end: str, chapter: str) -> None:
    promised = Guarantees(ENDS[end])

    @drawing(12)
    @given(strategy(chapter, promised), st.integers(0, 1 << 32))
    def run(program: Program, seed: int) -> None:
        _, broken = objections(program, promised, seed)
        assert not broken, [(each.requirement, each.explanation) for each in broken]

    run()
