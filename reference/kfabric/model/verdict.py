# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the Judge answers: for each requirement, whether a History shows it kept, broken, or says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .program import Outcome


class Finding(Enum):
    """One requirement, one History."""

    KEPT = "kept"
    """The requirement applied to something that happened, and held."""
    BROKEN = "broken"
    OPEN = "open"
    """The requirement applied, but the bound was met or the evidence does not decide."""


@dataclass(frozen=True)
class Explanation:
    """Why, in the manner of Let / Then / However. ``events`` are (node, seq) of the events it rests on."""

    let: tuple[str, ...]
    then: str
    however: str
    events: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Judgement:
    """A finding about one requirement in one History, with its reason."""

    requirement: str
    finding: Finding
    explanation: Explanation | None = None
    weight: int = 1
    """How many times the requirement was put to the test in this History."""


@dataclass(frozen=True)
class Answer:
    """For a litmus condition: FORBIDDEN / ALLOWED / UNSPECIFIED, with the requirements that forbid it or a witness."""

    outcome: Outcome
    by: tuple[str, ...] = ()
    explanation: Explanation | None = None
    witness: str = ""
