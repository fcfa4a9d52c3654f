# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The situations that requirements speak of do come up, and the litmus texts are Programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

from kfabric.model.guarantees import LITMUS, Guarantees
from kfabric.model.program import Form, OpMark, Program, Read, Recv, Send, Write
from ofi_conformance import programs
from ofi_conformance.programs import litmus
from ofi_conformance.programs.rehearsal import rehearse

from .ends import promised, table

EXAMPLES = 100
SHELF = Path(__file__).parents[2] / "conformance" / "cases" / "litmus"


def share(strategy: SearchStrategy[Program], happens: Callable[[Program], bool]) -> float:
    """How often something is in a Program."""
    seen: list[bool] = []

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(strategy)
    def look(program: Program) -> None:
        seen.append(happens(program))

    look()
    return sum(seen) / len(seen)


def overlapping_writes(program: Program) -> bool:
    spans = [p for _, step in program.operations() if isinstance(step, Write) for p in step.target if p.size]
    return any(
        a.offset < b.offset + b.size and b.offset < a.offset + a.size
        for index, a in enumerate(spans)
        for b in spans[:index]
    )


def several_candidates(program: Program) -> bool:
    """A message that more than one receive would take, with ignore bits in play."""
    receives = [step for _, step in program.operations() if isinstance(step, Recv) and step.tag is not None]
    return any(
        sum((recv.tag ^ send.tag) & ~recv.ignore == 0 for recv in receives if recv.tag is not None) > 1
        and any(recv.ignore for recv in receives)
        for _, send in program.operations()
        if isinstance(send, Send) and send.tag is not None
    )


def beyond_injection(program: Program) -> bool:
    return any(isinstance(step, Send) and step.size > 64 for _, step in program.operations())


def injected(program: Program) -> bool:
    return any(step.form is Form.INJECT or OpMark.INJECT in step.marks for _, step in program.operations())


def many_segments(program: Program) -> bool:
    return any(isinstance(step, Write | Read) and len(step.target) > 1 for _, step in program.operations())


SITUATIONS: list[tuple[str, Callable[[Guarantees], SearchStrategy[Program]], str, Callable[[Program], bool], float]] = [
    ("long messages", programs.message_streams, "rxm", beyond_injection, 0.4),
    ("injected messages", programs.message_streams, "rxm", injected, 0.2),
    ("overlapping writes", programs.rma_byte_map, "rxm", overlapping_writes, 0.15),
    ("several remote segments", programs.rma_byte_map, "rxm", many_segments, 0.2),
    ("competing receives", programs.tagged_matching, "rxm", several_candidates, 0.2),
    ("early messages", programs.unexpected, "rxm", lambda p: bool(rehearse(p, promised("rxm")).unexpected), 0.9),
    ("cut messages", programs.truncation, "rxm", lambda p: bool(rehearse(p, promised("rxm")).truncated), 0.9),
    ("cancelled", programs.cancelled_receives, "rxm", lambda p: bool(rehearse(p, promised("rxm")).cancelled), 0.9),
]


@pytest.mark.parametrize(("what", "make", "where", "happens", "least"), SITUATIONS, ids=[s[0] for s in SITUATIONS])
def test_situations_come_up(
    what: str,
    make: Callable[[Guarantees], SearchStrategy[Program]],
    where: str,
    happens: Callable[[Program], bool],
    least: float,
) -> None:
    found = share(make(promised(where)), happens)
    assert found >= least, f"{what}: in {found:.0%} of the Programs, wanted in {least:.0%}"


@pytest.mark.parametrize("one", list(litmus.shelf(SHELF)), ids=lambda one: one.name)
def test_litmus_texts_are_sound(one: litmus.Litmus) -> None:
    base = Guarantees(replace(LITMUS, atomics=table()))
    assert programs.problems(one.program, Guarantees.assume(one.program.guarantees, base)) == []
    assert one.name == one.program.name
