# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Stub."""

from __future__ import annotations

from ..guarantees import Guarantees
from ..program import Condition, Outcome, Program
from ..verdict import Answer


def answer(program: Program, condition: Condition, guarantees: Guarantees) -> Answer:
    """Stub."""
    return Answer(Outcome.UNSPECIFIED)
