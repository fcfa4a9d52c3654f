# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""``judge`` on a litmus text: what the specification says of the outcomes that the text names. Runs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kfabric.model.guarantees import Guarantees
from kfabric.model.judge.answer import answer
from kfabric.model.notation import NotationError, parse
from kfabric.model.program import Condition, Program
from kfabric.model.verdict import Answer

from .evidence import EvidenceError
from .verdicts import Exit


@dataclass(frozen=True)
class Litmus:
    """A text, and for each of its conditions what the Judge answers."""

    program: Program
    answers: tuple[tuple[Condition, Answer], ...]

    @property
    def code(self) -> Exit:
        """FAIL when an answer is not what the text's author holds; INCONCLUSIVE when the text asks nothing."""
        if not self.answers:
            return Exit.INCONCLUSIVE
        agreed = all(condition.expected is found.outcome for condition, found in self.answers)
        return Exit.PASS if agreed else Exit.FAIL


def is_text(path: Path) -> bool:
    """Whether a file is a Program's text rather than a failure file (which is a JSON object)."""
    try:
        head = path.read_text(encoding="utf-8", errors="replace").lstrip()
    except OSError:
        return False
    return bool(head) and not head.startswith(("{", "["))


def decide(path: Path) -> Litmus:
    """Answer every condition of a text under the guarantees that it assumes; raises EvidenceError."""
    try:
        program = parse(path.read_text(encoding="utf-8"))
        guarantees = Guarantees.assume(program.guarantees)
    except (NotationError, ValueError) as error:
        raise EvidenceError(f"{path} is neither a failure file nor a Program: {error}") from error
    return Litmus(program, tuple((each, answer(program, each, guarantees)) for each in program.conditions))
