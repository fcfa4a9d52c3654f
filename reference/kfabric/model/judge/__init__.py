# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The Judge: what a History shows of the requirements, under the guarantees of what was opened.

``judge`` looks at a whole run; the rule families are modules of their own: ``arrivals`` and ``matching`` (messages).
``RULES`` lists what is decided, in words. Nothing here runs, waits or draws lots.
"""

from __future__ import annotations

from ..guarantees import Guarantees
from ..history import History
from ..program import Program
from ..verdict import Judgement
from .arrivals import Arrivals, judge_contents
from .ledger import Ledger
from .matching import judge_matching
from .rules import KNOWN, RULES, Rule, rules_for
from .scene import Scene

__all__ = ["KNOWN", "RULES", "Rule", "judge", "rules_for"]


def judge(program: Program, history: History, guarantees: Guarantees) -> list[Judgement]:
    """Judge a History. Requirements that did not apply to anything that happened are absent from the answer."""
    scene = Scene(program, history, guarantees)
    arrivals = Arrivals(scene)
    scene.order.learn(
        (scene.order.begin(arrival.message.name), scene.order.point(arrival.entry))
        for arrival in arrivals.found.values()
        if arrival.entry is not None and arrival.message is not None
    )
    ledger = Ledger()
    judge_contents(scene, arrivals, ledger)
    judge_matching(scene, arrivals, ledger)
    return ledger.judgements()
