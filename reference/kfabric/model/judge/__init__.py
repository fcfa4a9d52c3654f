# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The Judge: which requirements a History shows kept, which broken, which it leaves open.

Start with ``order`` (what certainly happened before what), ``visibility`` (what is certainly seen) and ``rules`` (the
table of what is decided). Every rule computes what *may* have happened and objects only to what cannot have; nothing
here simulates a schedule, and nothing knows a provider. The page for people is docs/model.rst.
"""

from __future__ import annotations

from ..guarantees import Guarantees
from ..history import History
from ..program import Program
from ..verdict import Judgement
from .accounting import judge_accounting, judge_cancel
from .answer import answer
from .arrivals import Arrivals, judge_contents
from .atomics import judge_atomics
from .bounds import judge_fences, judge_guards, judge_limits, judge_protection
from .counters import judge_counters
from .delivery import judge_delivery
from .entries import judge_fields, judge_flags, judge_queues, judge_targets, notices
from .ledger import Ledger
from .matching import judge_matching
from .memory import Memory, judge_memory
from .rules import KNOWN, RULES, Rule, rules_for
from .scene import Scene
from .visibility import Visibility


def judge(program: Program, history: History, guarantees: Guarantees) -> list[Judgement]:
    """What a History shows about every requirement that applied to something that happened.

    At most one Judgement per requirement and finding: one that broke has that one only; one of which some occasions
    were kept and others stayed open has both. Requirements that did not apply are absent.
    """
    scene = Scene(program, history, guarantees)
    ledger = Ledger()
    arrivals = Arrivals(scene)
    known = notices(scene, arrivals)
    scene.order.learn((scene.order.begin(name), scene.order.point(entry)) for name, entry in known.items())
    judge_contents(scene, arrivals, ledger)
    judge_matching(scene, arrivals, ledger)
    owing = judge_accounting(scene, arrivals, ledger)
    judge_delivery(scene, arrivals, owing, ledger)
    judge_cancel(scene, owing, ledger)
    judge_flags(scene, arrivals, ledger)
    judge_fields(scene, arrivals, ledger)
    judge_targets(scene, ledger)
    judge_queues(scene, ledger)
    judge_counters(scene, arrivals, ledger)
    judge_guards(scene, arrivals, ledger)
    judge_protection(scene, ledger)
    judge_limits(scene, ledger)
    visibility = Visibility(scene, known)
    judge_fences(scene, visibility, ledger)
    memory = Memory(scene, visibility)
    judge_memory(memory, ledger)
    judge_atomics(memory, visibility, ledger)
    return ledger.judgements()


__all__ = ["KNOWN", "RULES", "Rule", "answer", "judge", "rules_for"]
