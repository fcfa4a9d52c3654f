# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Litmus texts: what the Judge answers is what their authors hold, and the machine of dice agrees.

Every text has outcomes that some promise forbids beside twins that lack the promise and allow them. The machine, which
knows no rule of the Judge's, must never show a forbidden outcome; an allowed one it should show now and then.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kfabric.model import data
from kfabric.model.guarantees import UNLIMITED, Guarantees
from kfabric.model.history import Completed, Content, History, Observed
from kfabric.model.judge import answer
from kfabric.model.notation import parse, render
from kfabric.model.program import Condition, Outcome, Program
from kfabric.model.wellformed import problems

from .machine import Machine

TEXTS = {path.stem: path.read_text("utf-8") for path in sorted((Path(__file__).parent / "litmus").glob("*.litmus"))}
LEAST = 60
MOST = 1500
"""Runs of a text: at least so many, and more, up to a bound, until every allowed outcome was seen."""
SELDOM = {"IRIW"}
"""Texts whose allowed outcomes the machine cannot show: it has one view of a node's memory for all that read it."""


def _cases() -> list[object]:
    found = []
    for name, text in TEXTS.items():
        program = parse(text)
        found.extend(pytest.param(program, c, id=f"{name}-{at}") for at, c in enumerate(program.conditions))
    return found


def _promised(program: Program) -> Guarantees:
    return Guarantees.assume(program.guarantees)


@pytest.mark.parametrize(("program", "condition"), _cases())
def test_answers(program: Program, condition: Condition) -> None:
    found = answer(program, condition, _promised(program))
    assert found.outcome is condition.expected, found
    if condition.expected is Outcome.FORBIDDEN:
        assert set(condition.by) <= set(found.by), found
        assert found.explanation is not None
    elif condition.expected is Outcome.ALLOWED:
        assert found.witness or not condition.final, found
    else:
        assert found.explanation is not None


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_texts_are_well_formed(name: str) -> None:
    program = parse(TEXTS[name])
    assert problems(program) == []
    assert program.name == name
    assert parse(render(program)) == program


def _shows(program: Program, history: History, condition: Condition) -> bool:
    """Whether a run had the outcome."""
    seen = {event.op: event.content for event in history.events if isinstance(event, Observed)}
    done = {event.op for event in history.events if isinstance(event, Completed)}
    for name, value in condition.observed:
        content = seen.get(name)
        if content is None or content != data.literal(value, len(content)):
            return False
    final = {(e.node, e.what): e.content for e in history.events if isinstance(e, Content)}
    for place, value in condition.final:
        content = final[place.node, f"region:{place.region}"][place.offset : place.offset + place.size]
        if content != data.literal(value, place.size):
            return False
    return bool(done) or not condition.observed


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_the_machine_agrees(name: str) -> None:
    program = parse(TEXTS[name])
    promised = _promised(program)
    wanted = {c for c in program.conditions if c.expected is Outcome.ALLOWED}
    for seed in range(MOST):
        history = Machine(program, promised, seed, patient=True).run()
        shown = {condition for condition in program.conditions if _shows(program, history, condition)}
        assert all(condition.expected is not Outcome.FORBIDDEN for condition in shown), (seed, shown)
        wanted -= shown
        if seed >= LEAST and not wanted:
            return
    assert name in SELDOM, f"never seen in {MOST} runs: {wanted}"


def test_order_sizes_are_compared_strictly() -> None:
    """Below the size order holds, at it nothing is said, above it nothing is promised."""
    text = TEXTS["WAW+size"]
    for limit, expected in ((4, Outcome.UNSPECIFIED), (5, Outcome.FORBIDDEN), (UNLIMITED, Outcome.FORBIDDEN)):
        program = parse(text.replace("max_order_waw_size=8", f"max_order_waw_size={limit}"))
        assert answer(program, program.conditions[0], _promised(program)).outcome is expected


def test_a_program_that_cannot_end_has_no_outcome() -> None:
    program = parse("program x\nmemory B.x[8]\nA | B\nr: recv 8 | load B.x -> s\nwait r |\nforbidden s = 0")
    assert answer(program, program.conditions[0], _promised(program)).outcome is Outcome.FORBIDDEN
