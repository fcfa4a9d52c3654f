# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The fixture ``road``: Programs are run, Histories judged, and what broke is shrunk, confirmed and kept.

Decides when a Judgement becomes a verdict. BROKEN is FAIL once it is confirmed: the smallest Program is run again
with full bounds; where it does not break again, its recorded History is evidence by itself unless it rests on a bound
that was met. A node that crashed inside a call fails the ids the case was exercising; one that hung decides nothing.
Must not know what a Program is for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis.strategies import SearchStrategy

from kfabric.model import notation
from kfabric.model.evidence import Evidence
from kfabric.model.guarantees import End, Guarantees
from kfabric.model.history import Died, History, Probed, Waited
from kfabric.model.judge import judge
from kfabric.model.program import Program
from kfabric.model.verdict import Explanation, Finding, Judgement

from .casebook import Tally
from .ledger import Failure, reason
from .search import Plan, Search, Trial
from .stage import Stage, epitaph


@dataclass
class Run:
    """One Program that was run and judged. A death counts as a Judgement about every id the case decides."""

    program: Program
    history: History
    judgements: list[Judgement]
    broken: dict[str, Judgement] = field(default_factory=dict)
    died: Died | None = None

    def timed(self, judgement: Judgement) -> bool:
        """Whether the Judgement rests on a bound that was met, so that time had a say."""
        named = set(judgement.explanation.events) if judgement.explanation else set()
        met = {(event.node, event.seq) for event in self.history.events if isinstance(event, Waited) and event.bounded}
        probes = {(event.node, event.seq) for event in self.history.events if isinstance(event, Probed)}
        return bool(named & (met | probes)) if named else bool(met)


class Road:
    """One per case and configuration."""

    def __init__(self, stage: Stage, tally: Tally, plan: Callable[[float], Plan]) -> None:
        self._stage = stage
        self._tally = tally
        self._plan = plan
        self._hangs = 0

    # -- what a case sees -----------------------------------------------------------------------------------------
    @property
    def guarantees(self) -> Guarantees:
        """What this configuration promises at each end."""
        return self._stage.guarantees

    @property
    def end(self) -> End:
        """What both ends promise."""
        return self._stage.guarantees.default

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self._stage.seed

    def applies(self, requirement: str) -> bool:
        """Whether an id applies in this configuration."""
        return requirement in self._tally.applicable

    def check(self, strategy: SearchStrategy[Program], *, share: float = 1.0) -> None:
        """Run Programs of the strategy; ``share`` is the part of the example budget to spend."""
        search = Search(strategy, self._trial, self._plan(share))
        for found in search.found():
            self._settle(found.key, found.trial.record, stored=found.stored)
        self._tally.examples += search.ran

    def run(self, program: Program | str, *, repeat: int = 1) -> None:
        """Run one Program, a number of times."""
        parsed = notation.parse(program) if isinstance(program, str) else program
        for _ in range(repeat):
            run = self.perform(parsed, full=True)
            self._tally.examples += 1
            for key in sorted(run.broken):
                self._settle(key, run, stored=False)
            if run.died is not None or self._hangs > 1:
                return

    # -- running and judging --------------------------------------------------------------------------------------
    def perform(self, program: Program, *, full: bool) -> Run:
        """Run and judge once."""
        history = self._stage.run(program, full=full)
        judgements = judge(program, history, self.guarantees)
        run = Run(program, history, judgements)
        run.died = next((event for event in history.events if isinstance(event, Died)), None)
        for judgement in judgements:
            if judgement.requirement not in self._tally.applicable:
                continue
            if judgement.finding is Finding.BROKEN:
                run.broken[judgement.requirement] = judgement
            elif judgement.finding is Finding.KEPT:
                self._tally.kept(judgement.requirement, judgement.weight)
            else:
                why = reason(judgement.explanation) if judgement.explanation else "the evidence does not decide"
                self._tally.unsettled(judgement.requirement, why)
        if run.died is not None:
            self._mourn(run, run.died)
        return run

    def _mourn(self, run: Run, died: Died) -> None:
        text = epitaph(died)
        if died.how in ("crash", "exit"):
            explanation = Explanation((), "The call returns, whatever it answers.", f"However, {text}.")
            for name in self._at_stake(run):
                run.broken.setdefault(name, Judgement(name, Finding.BROKEN, explanation))
            return
        self._hangs += 1
        for name in self._tally.deciding:
            self._tally.unsettled(name, text)

    def _at_stake(self, run: Run) -> tuple[str, ...]:
        """What a crash breaks: ids that it left open, else those never seen to hold, else all that the case decides."""
        deciding = self._tally.deciding
        open_ = {each.requirement for each in run.judgements if each.finding is Finding.OPEN}
        left = tuple(name for name in deciding if name in open_)
        return left or tuple(name for name in deciding if not self._tally.weights[name]) or deciding

    def _trial(self, program: Program) -> Trial[Program, Run]:
        run = self.perform(program, full=False)
        steps = sum(1 for _ in program.steps())
        size = (steps, len(notation.render(program)))
        return Trial(program, run, frozenset(run.broken), size, fatal=self._hangs > 1)

    # -- from a broken run to a failure ---------------------------------------------------------------------------
    def _settle(self, key: str, run: Run, *, stored: bool) -> None:
        """Confirm with full bounds, and keep the evidence."""
        if key in self._tally.failed:
            return
        again = [self.perform(run.program, full=True) for _ in range(self._stage.reruns)]
        confirmed = [other for other in again if key in other.broken]
        if not confirmed and run.died is None and run.timed(run.broken[key]):
            self._tally.unsettled(key, "a completion was owed within a short bound, and came with the full one")
            return
        chosen = confirmed[0] if confirmed else run
        judgement = chosen.broken[key]
        explanation = judgement.explanation or Explanation((), "", "However, the History contradicts it.")
        rate = (len(confirmed), len(again))
        failure = Failure(
            key,
            self._tally.configuration,
            self._tally.case,
            "crash" if chosen.died is not None else "program",
            explanation,
            Evidence(chosen.program, self.guarantees, chosen.history, tuple(chosen.judgements)),
            program=notation.render(chosen.program),
            rate=rate if rate[0] < rate[1] else None,
            stored=stored,
            note="" if confirmed else "seen once; the recorded History is the evidence",
        )
        self._tally.fail(failure, reason(explanation))
