# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""``judge``: decide a failure file again, from what it holds. Needs no provider, no node and no time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kfabric.model.evidence import Evidence
from kfabric.model.judge import judge
from kfabric.model.verdict import Finding, Judgement

from .evidence import AnyEvidence, BodyEvidence, load
from .verdicts import Exit


@dataclass(frozen=True)
class Ruling:
    """What the Judge says about a file now, and what it had said when the file was written."""

    evidence: AnyEvidence
    judgements: tuple[Judgement, ...]

    @property
    def broken(self) -> list[Judgement]:
        """What is broken."""
        return [each for each in self.judgements if each.finding is Finding.BROKEN]

    @property
    def changed(self) -> list[str]:
        """Requirements about which the Judge says something else than it said then."""
        if not isinstance(self.evidence, Evidence) or not self.evidence.judgements:
            return []
        then = {each.requirement: each.finding for each in self.evidence.judgements}
        now = {each.requirement: each.finding for each in self.judgements}
        return sorted(name for name in then.keys() | now.keys() if then.get(name) is not now.get(name))

    @property
    def code(self) -> Exit:
        """FAIL when something is broken, INCONCLUSIVE when nothing was put to the test."""
        if isinstance(self.evidence, BodyEvidence):
            return Exit.FAIL
        if self.broken:
            return Exit.FAIL
        return Exit.PASS if any(each.finding is Finding.KEPT for each in self.judgements) else Exit.INCONCLUSIVE


def rule(path: Path) -> Ruling:
    """Judge a file; raises EvidenceError."""
    evidence = load(path)
    if isinstance(evidence, BodyEvidence):
        return Ruling(evidence, ())
    return Ruling(evidence, tuple(judge(evidence.program, evidence.history, evidence.guarantees)))
