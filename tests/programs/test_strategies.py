# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every Program of every strategy may be run where it was made for, can end, and survives being written and read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

from kfabric.model.guarantees import End, Guarantees
from kfabric.model.notation import parse, render
from kfabric.model.program import Program
from ofi_conformance import programs

from .ends import ENDS, promised

Make = Callable[[Guarantees], SearchStrategy[Program]]


@dataclass(frozen=True)
class Entry:
    """A strategy, where it applies, and what its Programs may do that others may not."""

    make: Make
    needs: frozenset[str] = frozenset()
    where: Callable[[End], bool] = lambda end: True
    violations: bool = False
    late: bool = False


def messages(end: End) -> bool:
    return bool({"MSG", "TAGGED"} & end.caps)


def reliable(end: End) -> bool:
    return end.ep_type != "DGRAM"


STRATEGIES: dict[str, Entry] = {
    "message_streams": Entry(programs.message_streams, frozenset({"MSG"})),
    "unexpected": Entry(programs.unexpected, frozenset({"MSG"}), programs.buffers_unexpected, late=True),
    "truncation": Entry(programs.truncation, frozenset(), messages, late=True),
    "directed": Entry(programs.directed, frozenset({"MSG"}), lambda end: end.ep_type != "MSG"),
    "tagged_matching": Entry(programs.tagged_matching, frozenset({"TAGGED"})),
    "tagged_unexpected": Entry(
        programs.tagged_unexpected, frozenset({"TAGGED"}), programs.buffers_unexpected, late=True
    ),
    "rma_byte_map": Entry(programs.rma_byte_map, frozenset({"RMA"})),
    "rma_both_ways": Entry(programs.rma_both_ways, frozenset({"RMA"})),
    "atomics": Entry(programs.atomics, frozenset({"ATOMIC"})),
    "protection": Entry(programs.protection, frozenset({"RMA"}), violations=True),
    "completions": Entry(programs.completions),
    "counted": Entry(programs.counted),
    "counted_errors": Entry(programs.counted_errors, frozenset({"RMA"}), violations=True),
    "delivery_writes": Entry(programs.delivery_writes, frozenset({"RMA"}), lambda end: "DELIVERY" in end.levels),
    "delivery_atomics": Entry(programs.delivery_atomics, frozenset({"ATOMIC"}), lambda end: "DELIVERY" in end.levels),
    "delivery_messages": Entry(
        programs.delivery_messages,
        frozenset(),
        lambda end: messages(end) and reliable(end) and "DELIVERY" in end.levels,
    ),
    "reuse_after_completion": Entry(programs.reuse_after_completion),
    "message_order": Entry(programs.message_order, frozenset(), messages),
    "send_after_write": Entry(programs.send_after_write, frozenset({"RMA"}), messages),
    "send_after_atomic": Entry(programs.send_after_atomic, frozenset({"ATOMIC"}), messages),
    "same_bytes": Entry(programs.same_bytes, frozenset({"RMA"})),
    "same_element": Entry(programs.same_element, frozenset({"ATOMIC"})),
    "fenced_writes": Entry(programs.fenced_writes, frozenset({"FENCE", "RMA"})),
    "fenced_messages": Entry(programs.fenced_messages, frozenset({"FENCE"}), messages),
    "cancelled_receives": Entry(programs.cancelled_receives, frozenset(), messages),
    "persistent_byte_map": Entry(programs.persistent_byte_map, frozenset({"RMA_PMEM"})),
    "committed_writes": Entry(programs.committed_writes, frozenset({"RMA_PMEM"})),
    "commit_to_volatile": Entry(programs.commit_to_volatile, frozenset({"RMA_PMEM"})),
}

CASES = [
    pytest.param(name, where, id=f"{name}-{where}")
    for name, entry in STRATEGIES.items()
    for where, end in ENDS.items()
    if entry.needs <= end.caps and entry.where(end)
]
QUICK = settings(
    max_examples=20, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize(("name", "where"), CASES)
def test_programs_are_sound(name: str, where: str) -> None:
    entry, guarantees = STRATEGIES[name], promised(where)

    @QUICK
    @given(entry.make(guarantees))
    def check(program: Program) -> None:
        assert programs.problems(program, guarantees, violations=entry.violations, late=entry.late) == []
        assert parse(render(program)) == program

    check()


@pytest.mark.parametrize("name", STRATEGIES)
def test_simplest_program_is_short(name: str) -> None:
    """What everything shrinks towards fits a glance."""
    from hypothesis import find

    entry = STRATEGIES[name]
    where = next(where for where, end in ENDS.items() if entry.needs <= end.caps and entry.where(end))
    simplest = find(entry.make(promised(where)), lambda program: True, settings=QUICK)
    assert sum(1 for _ in simplest.steps()) <= 12, render(simplest)


@pytest.mark.parametrize("where", ENDS)
def test_sweeps_are_sound(where: str) -> None:
    guarantees, end = promised(where), ENDS[where]
    plain = [*programs.completion_sweep(guarantees), *programs.injection_sweep(guarantees)]
    plain += programs.atomic_sweep(guarantees)
    late: list[Program] = []
    refused: list[Program] = []
    if "MSG" in end.caps:
        plain += programs.message_sweep(guarantees)
    if "TAGGED" in end.caps:
        plain += programs.message_sweep(guarantees, tagged=True)
        plain += programs.tagged_classics(guarantees)
    if messages(end):
        plain += [programs.overtaking(guarantees), programs.batch(guarantees)]
        late += [*programs.truncation_sweep(guarantees), *programs.early(guarantees)]
    if end.ep_type == "DGRAM":
        late.append(programs.unwanted(guarantees))
    if "RMA" in end.caps:
        plain += [*programs.rma_sweep(guarantees), programs.segments(guarantees)]
        refused += programs.protection_sweep(guarantees)
    if "RMA" in end.caps and messages(end) and end.cq_data_size:
        plain += programs.told_by_data(guarantees)
    assert len(plain) > 2
    for program in plain:
        assert programs.problems(program, guarantees) == [], program.name
    for program in late:
        assert programs.problems(program, guarantees, late=True) == [], program.name
    for program in refused:
        assert programs.problems(program, guarantees, violations=True) == [], program.name
        assert programs.problems(program, guarantees) != [], "a violation is one"
