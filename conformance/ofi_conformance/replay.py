# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""``replay``: run a failure file again on the target it came from, or on another one that is named.

Says clearly where the provider, its version or the suite is not the one that the file was recorded with; runs the
Program or the body a number of times with full bounds and tells how often the requirement broke.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kfabric.model.evidence import Evidence
from kfabric.model.verdict import Explanation

from .casebook import Tally
from .configuration import Configuration, NothingToJudge
from .evidence import AnyEvidence, BodyEvidence, load
from .ledger import Ledger
from .local import Local
from .report.build import library_text, provider_text
from .report.machine import tool
from .requirements import Requirements
from .road import Road
from .run import Refusal, check_fault, chosen, probe, specs_of
from .search import Plan
from .settings import Settings
from .stage import Stage
from .verdicts import Exit


@dataclass
class Again:
    """One more run: the explanation when the requirement broke, and what else broke."""

    explanation: Explanation | None
    others: list[str] = field(default_factory=list)
    note: str = ""


@dataclass
class Replay:
    """A file that can be run again here."""

    evidence: AnyEvidence
    configuration: Configuration
    settings: Settings
    requirements: Requirements

    @property
    def differences(self) -> list[str]:
        """Sentences about what is not as it was when the file was recorded."""
        end = self.configuration.end
        backend = self.configuration.target.backend
        pairs = (
            ("provider", self.evidence.provider, provider_text(end)),
            ("library", self.evidence.library, library_text(backend, end)),
            ("suite", self.evidence.suite, tool()["version"]),
        )
        found = [f"recorded with {what} {then}, run with {now}" for what, then, now in pairs if then and then != now]
        if isinstance(self.evidence, Evidence) and self.evidence.guarantees.default != end:
            found.append("the configuration does not promise exactly what it promised then")
        return found

    def runs(self, count: int) -> Iterator[Again]:
        """Run it, a number of times."""
        stage = Stage(self.configuration, self.settings, specs_of(self.settings))
        name = self.evidence.requirement
        case: str = "replay"
        ids: tuple[str, ...] = (name,)
        if isinstance(self.evidence, BodyEvidence):
            case, ids = self.evidence.case, tuple(self.evidence.ids) or (name,)
        everything = frozenset(item.id for item in self.requirements if item.judged)
        try:
            for _ in range(count):
                tally = Tally(case, str(self.configuration), ids, everything, Ledger())
                yield self._once(stage, tally)
        finally:
            stage.close()

    def _once(self, stage: Stage, tally: Tally) -> Again:
        def plan(share: float) -> Plan:
            return Plan(1, self.settings.seed)

        if isinstance(self.evidence, BodyEvidence):
            outcome = Local(stage, tally, plan).again(self.evidence, self.settings.cases)
            broken = outcome.broken.get(self.evidence.requirement)
            others = sorted(outcome.broken.keys() - {self.evidence.requirement})
            return Again(
                broken.explanation if broken else None, others, outcome.open.get(self.evidence.requirement, "")
            )
        run = Road(stage, tally, plan).perform(self.evidence.program, full=True)
        found = run.broken.get(self.evidence.requirement)
        others = sorted(run.broken.keys() - {self.evidence.requirement})
        explanation = (found.explanation or Explanation((), "", "")) if found else None
        return Again(explanation, others, tally.open.get(self.evidence.requirement, ""))


def prepare(path: Path, settings: Settings, requirements: Requirements, *, target: str = "") -> Replay:
    """Read the file and find its configuration here; raises EvidenceError and Refusal."""
    evidence = load(path)
    asked = target or evidence.target
    if not asked:
        raise Refusal(f"{path} names no target; give one with --target", Exit.USAGE)
    settings = settings_for(settings, evidence, asked)
    check_fault(settings.fault)
    try:
        found = probe(settings, specs_of(settings))
    except NothingToJudge as error:
        raise Refusal(str(error), Exit.FAIL) from error
    return Replay(evidence, _same(found, evidence.configuration, path), settings, requirements)


def settings_for(settings: Settings, evidence: AnyEvidence, target: str) -> Settings:
    """The settings of a replay: the target, and the fault that was planted then."""
    fault = settings.fault or getattr(evidence, "fault", "")
    return dataclasses.replace(settings, target=target, fault=fault, seed=evidence.seed or settings.seed)


def _same(found: Sequence[Configuration], name: str, path: Path) -> Configuration:
    for item in found:
        if str(item) == name:
            return item
    have = ", ".join(str(item) for item in found)
    if name:
        raise Refusal(f"{path} was recorded in configuration {name}, which is not here; there are {have}", Exit.USAGE)
    return chosen(list(found), ())[0]
