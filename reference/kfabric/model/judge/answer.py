# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Litmus: may a Program end with these values? FORBIDDEN, ALLOWED or UNSPECIFIED, by the rules that judge Histories.

An outcome is forbidden if every History that the Program can have, with these values in it, breaks a requirement. It is
unspecified where the text leaves the values to nobody: a source buffer reused too early, overlapping writes that
nothing puts in order, atomic and plain accesses that meet, two operations of exactly the size up to which data order
holds. Final values are those when everything has come to rest.
"""

from __future__ import annotations

from dataclasses import replace

from .. import data
from ..guarantees import UNLIMITED, End, Guarantees
from ..history import Content
from ..notation import show_location
from ..program import Atomic, Condition, Location, Outcome, Program, Recv
from ..verdict import Answer, Explanation, Finding, Judgement
from .arrivals import Arrivals
from .atomics import Element, judge_atomics
from .entries import notices
from .ledger import Ledger
from .matching import judge_matching
from .memory import Glance, Memory, Piece, judge_memory
from .scenarios import Scenario, complete, scenarios
from .scene import Scene
from .visibility import Look, Visibility


def answer(program: Program, condition: Condition, guarantees: Guarantees) -> Answer:
    """What the specification says of an outcome, under guarantees (``Guarantees.assume(program.guarantees)``, say)."""
    found = _answer(program, condition, guarantees)
    if found.outcome is Outcome.ALLOWED:
        larger = _boundary(guarantees)
        if larger is not None and _answer(program, condition, larger).outcome is Outcome.FORBIDDEN:
            however = "However two operations are of exactly the size up to which data order holds."
            return Answer(Outcome.UNSPECIFIED, (), Explanation((), "Smaller operations would be in order.", however))
    return found


def _boundary(guarantees: Guarantees) -> Guarantees | None:
    """The same with every order size one larger; None if there is none to enlarge."""

    def enlarge(end: End) -> End:
        fields = ("max_order_raw_size", "max_order_war_size", "max_order_waw_size")
        more = {name: getattr(end, name) + 1 for name in fields if 0 < getattr(end, name) < UNLIMITED}
        return replace(end, **more)

    larger = Guarantees(enlarge(guarantees.default), tuple((node, enlarge(end)) for node, end in guarantees.ends))
    return larger if larger != guarantees else None


def _answer(program: Program, condition: Condition, guarantees: Guarantees) -> Answer:
    refusals: list[list[Judgement]] = []
    open_reason = ""
    ended = False
    for scenario in scenarios(program, condition, guarantees):
        trial = _Trial(program, condition, guarantees, scenario)
        if trial.scene.order.contradiction:
            continue
        ended = True
        broken = trial.broken()
        if broken:
            refusals.append(broken)
            continue
        reason = trial.unspecified()
        if not reason:
            return Answer(Outcome.ALLOWED, witness=trial.witness())
        open_reason = open_reason or reason
    if open_reason:
        return Answer(Outcome.UNSPECIFIED, (), Explanation((), "The text leaves this open.", f"However {open_reason}."))
    if not complete(program, guarantees):
        however = "However there are more ways for it to run than are looked at."
        return Answer(Outcome.UNSPECIFIED, (), Explanation((), "No way was found.", however))
    if not refusals:
        however = "However no message brings these values." if ended or condition.observed else "However it never ends."
        return Answer(Outcome.FORBIDDEN, (), Explanation((), "The Program ends.", however))
    shortest = min(refusals, key=len)
    ids = tuple(dict.fromkeys(judgement.requirement for judgement in shortest))
    return Answer(Outcome.FORBIDDEN, ids, shortest[0].explanation)


class _Trial:
    """One scenario under judgement."""

    def __init__(self, program: Program, condition: Condition, guarantees: Guarantees, scenario: Scenario) -> None:
        self.condition = condition
        self.scenario = scenario
        self.scene = Scene(program, scenario.history, guarantees)
        self.arrivals = Arrivals(self.scene)
        known = notices(self.scene, self.arrivals)
        order = self.scene.order
        order.learn((order.begin(name), order.point(entry)) for name, entry in known.items())
        self.memory = Memory(self.scene, Visibility(self.scene, known))
        for place, value in condition.final:
            self._final(place, value)
        self.elements: list[Element] = []

    def _final(self, place: Location, value: int) -> None:
        event = self.scene.contents[place.node, "rest"]
        assert isinstance(event, Content)
        name = f"the end of {show_location(place, self.scene.regions)}"
        look = Look(name, "final", place.node, self.scene.order.point(event), rest=True)
        content = data.literal(value, place.size)
        glance = Glance(look, place.offset, place.offset + place.size, content, (event,))
        self.memory.glances.setdefault((place.node, place.region), []).append(glance)

    def broken(self) -> list[Judgement]:
        """The requirements that this scenario breaks."""
        ledger = Ledger()
        judge_matching(self.scene, self.arrivals, ledger)
        judge_memory(self.memory, ledger)
        self.elements = judge_atomics(self.memory, self.memory.visibility, ledger)
        return [judgement for judgement in ledger.judgements() if judgement.finding is Finding.BROKEN]

    def unspecified(self) -> str:
        """Why the values that were looked at are left open, if they are."""
        for name, _ in self.condition.observed:
            step = self.scene.steps[name]
            message = self.scenario.holds.get(name)
            if isinstance(step, Recv) and message is not None:
                send = self.scene.steps[message]
                if self.scene.wild(send):  # type: ignore[arg-type]
                    return f"the source buffer of {message} was overwritten before it was given back"
        for key, glances in self.memory.glances.items():
            for glance in glances:
                for first, end, covering in self.memory.runs(self.memory.pieces.get(key, []), glance):
                    allowed = self.memory.candidates(glance.look, covering).allowed
                    reason = self._open(key, glance.look, (first, end), allowed)
                    if reason:
                        return reason
        return ""

    def _open(self, key: tuple[str, str], look: Look, run: tuple[int, int], allowed: list[Piece]) -> str:
        for piece in allowed:
            step = piece.update
            if isinstance(step, Atomic):
                if not self._judged(key, look, run):
                    return f"atomic and other accesses meet unordered in {key[0]}.{key[1]}"
            elif piece.content is None:
                return f"the source buffer of {step.name} was overwritten before it was given back"
        older = self.memory.visibility.older
        for at, a in enumerate(allowed):
            for b in allowed[at + 1 :]:
                if isinstance(a.update, Atomic) or isinstance(b.update, Atomic) or a.at(*run) == b.at(*run):
                    continue
                if older(a.update, b.update) is None and older(b.update, a.update) is None:
                    return f"nothing puts {a.update.name} and {b.update.name}, which overlap, in order"
        return ""

    def _judged(self, key: tuple[str, str], look: Look, run: tuple[int, int]) -> bool:
        """The atomics rule had the look's bytes in its order."""
        size = run[1]
        for element in self.elements:
            inside = element.offset <= run[0] and size <= element.offset + len(element.start)
            if element.region == f"{key[0]}.{key[1]}" and inside:
                return look.name in element.looks or (look.kind == "final" and element.final is not None)
        return False

    def witness(self) -> str:
        """An execution with this outcome, in words."""
        words = [f"{recv} takes {message}" for recv, message in sorted(self.scenario.holds.items())]
        for key, glances in self.memory.glances.items():
            for glance in glances:
                for first, end, covering in self.memory.runs(self.memory.pieces.get(key, []), glance):
                    words.append(self._seen(glance, first, end, covering))
        for element in self.elements:
            words.append(f"byte {element.offset} of {element.region}: {', then '.join(element.path)}")
        return "; ".join(dict.fromkeys(word for word in words if word))

    def _seen(self, glance: Glance, first: int, end: int, covering: tuple[Piece, ...]) -> str:
        seen = glance.content[first - glance.first : end - glance.first]
        verdict = self.memory.candidates(glance.look, covering)
        for piece in verdict.allowed:
            if piece.at(first, end) == seen:
                return f"{glance.look.name} sees {piece.update.name}"
        late = [piece.update.name for piece in verdict.allowed]
        if verdict.initial and late:
            return f"{glance.look.name} is before {', '.join(late)}"
        return ""
