# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The fixture ``local``: runs a body in a node process and turns what it wrote down into verdicts.

Decides: a check that failed is FAIL; a refused call that the body did not expect is FAIL of what was not decided yet,
and so is a crash of the node; a bound or a hang decides nothing; anything else that went wrong is ours. Must not know
what bodies do.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hypothesis.strategies import SearchStrategy

from kfabric.model.verdict import Explanation

from .casebook import Tally
from .evidence import BodyEvidence
from .kit.journal import last_words
from .ledger import Failure, reason
from .local_node import perform
from .nodes import NodeDied
from .search import Plan, Search, Trial
from .stage import Stage

V = TypeVar("V")
_NOTHING = object()


class SuiteError(RuntimeError):
    """The case, or the suite, is wrong; never the provider."""


@dataclass(frozen=True)
class Broken:
    """Why an id failed in one run of a body; ``why`` for its row."""

    kind: str
    explanation: Explanation
    why: str = ""


@dataclass
class Outcome:
    """One run of a body: what the sheet says, by id."""

    broken: dict[str, Broken]
    kept: dict[str, int]
    open: dict[str, str]
    unreached: dict[str, str]
    fatal: bool
    sheet: dict[str, Any]


class Local:
    """See ``/docs`` on writing cases; one per case and configuration."""

    def __init__(self, stage: Stage, tally: Tally, plan: Callable[[float], Plan]) -> None:
        self._stage = stage
        self._tally = tally
        self._plan = plan

    def applies(self, requirement: str) -> bool:
        """Whether an id applies in this configuration."""
        return requirement in self._tally.applicable

    def run(self, body: Callable[..., object], **options: Any) -> None:
        """Run ``body(kit, **options)`` once."""
        outcome = self._perform(body, options, _NOTHING)
        self._tally.examples += 1
        for requirement, broken in outcome.broken.items():
            self._fail(requirement, broken, body, options, _NOTHING, outcome, rate=None)
        self._note(outcome)

    def check(
        self, body: Callable[..., object], strategy: SearchStrategy[V], *, share: float = 1.0, **options: Any
    ) -> None:
        """Run ``body(kit, value, **options)`` for many values and shrink what breaks."""

        def run(value: V) -> Trial[V, Outcome]:
            outcome = self._perform(body, options, value)
            self._note(outcome)
            size = len(json.dumps(value, default=repr))
            return Trial(value, outcome, frozenset(outcome.broken), (size, 0), outcome.fatal)

        search = Search(strategy, run, self._plan(share))
        for found in search.found():
            trial = found.trial
            again = [self._perform(body, options, trial.value) for _ in range(self._stage.reruns)]
            rate = (sum(found.key in outcome.broken for outcome in again), len(again))
            broken = trial.record.broken[found.key]
            self._fail(found.key, broken, body, options, trial.value, trial.record, rate=rate, stored=found.stored)
        self._tally.examples += search.ran

    def _note(self, outcome: Outcome) -> None:
        for requirement, weight in outcome.kept.items():
            self._tally.kept(requirement, weight)
        for requirement, why in outcome.open.items():
            self._tally.unsettled(requirement, why)
        for requirement, why in outcome.unreached.items():
            self._tally.unreached.setdefault(requirement, why)

    def again(self, evidence: BodyEvidence, cases: Path) -> Outcome:
        """Run what a failure file tells."""
        path = cases / evidence.case.partition("::")[0]
        return self._ask(str(path), evidence.body, evidence.options, evidence.value if evidence.has_value else _NOTHING)

    def _request(self, path: str, body: str, options: dict[str, Any], value: object) -> dict[str, Any]:
        request = {
            "path": path,
            "body": body,
            "options": options,
            "named": list(self._tally.named),
            "applicable": list(self._tally.applicable & set(self._tally.named)),
            "configuration": self._stage.configuration.to_plain(),
            "address": self._stage.address,
            "fault": self._stage.fault,
            "seed": self._stage.seed,
            "bound": self._stage.local_bound,
        }
        if value is not _NOTHING:
            request["value"] = value
        return request

    def _perform(self, body: Callable[..., object], options: dict[str, Any], value: object) -> Outcome:
        if "<locals>" in body.__qualname__:
            raise SuiteError(f"{body.__qualname__} is not a module-level function, so no node can find it")
        return self._ask(inspect.getfile(body), body.__name__, options, value)

    def _ask(self, path: str, body: str, options: dict[str, Any], value: object) -> Outcome:
        request = self._request(path, body, options, value)
        try:
            sheet = self._stage.call(perform, request, timeout=self._stage.body_bound)
        except NodeDied as death:
            return self._died(death)
        return self._read(sheet)

    def _died(self, death: NodeDied) -> Outcome:
        """What was checked before counts, but a crash breaks what was at stake; what was not reached stays open."""
        text = str(death)
        words = last_words(death.log)
        deciding = self._tally.deciding
        crashed = death.how in ("crash", "exit")
        broken = {
            name: Broken("local", _explain(entry, [entry])) for name, entry in words.broke.items() if name in deciding
        }
        stakes = {name for name in deciding if name in words.at and crashed}
        held = {name: 1 for name in deciding if words.checks.get(name, False) and name not in stakes}
        opened = words.open.items()
        unsettled = {name: why for name, why in opened if name in deciding and name not in held and name not in stakes}
        unreached = {name: why for name, why in words.unreached.items() if name in deciding}
        known = {*held, *unsettled, *broken, *unreached}
        rest = [name for name in deciding if name not in known]
        sheet: dict[str, Any] = {"died": text, "trace": death.trace[-2000:], "calls": words.calls}
        sheet["log"] = words.log[-20:]
        sheet["checks"] = [{"id": name, "ok": ok, "sentence": "checked before"} for name, ok in words.checks.items()]
        if not crashed:
            return Outcome(broken, held, unsettled | dict.fromkeys(rest, text), unreached, True, sheet)
        explanation = Explanation((), "The call returns, whatever it answers.", f"However, {text}.")
        blamed = [name for name in rest if name in stakes or not words.at]
        if not blamed and not stakes:
            self._tally.ledger.abort(f"{self._tally.case} in {self._tally.configuration}: {text}")
        unsettled.update({name: f"not reached: {text}" for name in rest if name not in blamed})
        broken.update({name: Broken("crash", explanation) for name in blamed})
        return Outcome(broken, held, unsettled, unreached, True, sheet)

    def _read(self, sheet: dict[str, Any]) -> Outcome:
        ended = sheet["ended"]
        if ended["how"] == "error":
            raise SuiteError(f"the body failed: {ended['text']}\n{ended.get('trace', '')}")
        applicable = set(self._tally.deciding)
        broken: dict[str, Broken] = {}
        kept: dict[str, int] = {}
        for check in sheet["checks"]:
            name = check["id"]
            if name not in applicable:
                continue
            if check["ok"]:
                kept[name] = kept.get(name, 0) + 1
            elif name not in broken:
                broken[name] = Broken("local", _explain(check, sheet["checks"]), _row(check))
        opened = {item["id"]: item["why"] for item in sheet["open"] if item["id"] in applicable}
        unreached = {item["id"]: item["why"] for item in sheet["unreached"] if item["id"] in applicable}
        rest = applicable - broken.keys() - kept.keys() - opened.keys() - unreached.keys()
        fatal = False
        if ended["how"] == "refused" and not broken:
            said = Explanation(_let(sheet["checks"]), "The call is accepted.", f"However, {ended['text']}.")
            broken.update({name: Broken("local", said) for name in rest})
        elif ended["how"] != "done":
            reason = ended["text"] if ended["how"] == "bound" else f"not reached: {ended['text']}"
            opened.update(dict.fromkeys(rest, reason))
        for name in broken:
            kept.pop(name, None)
        if sheet["spoilt"]:
            self._stage.retire()
        if sheet["left"]:
            self._stage.retire(f"{self._tally.case}: could not close {'; '.join(sheet['left'])}")
        return Outcome(broken, kept, opened, unreached, fatal, sheet)

    def _fail(
        self,
        requirement: str,
        broken: Broken,
        body: Callable[..., object],
        options: dict[str, Any],
        value: object,
        outcome: Outcome,
        *,
        rate: tuple[int, int] | None,
        stored: bool = False,
    ) -> None:
        given = () if value is _NOTHING else (value,)
        evidence = BodyEvidence(
            self._tally.case,
            body.__name__,
            options,
            outcome.sheet,
            *(given or (None,)),
            has_value=bool(given),
            ids=list(self._tally.named),
        )
        shown = ", ".join([*map(repr, given), *(f"{key}={item!r}" for key, item in options.items())])
        failure = Failure(
            requirement,
            self._tally.configuration,
            self._tally.case,
            broken.kind,
            broken.explanation,
            evidence,
            program=f"{body.__name__}(kit{', ' + shown if shown else ''})",
            rate=rate if rate is not None and rate[0] < rate[1] else None,
            stored=stored,
        )
        self._tally.fail(failure, broken.why or reason(broken.explanation))


def _let(checks: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(f"{check['sentence']}: held" for check in checks if check["ok"])[-3:]


def _row(check: dict[str, Any]) -> str:
    seen = f"; seen: {check['seen']}" if "seen" in check else ""
    return f"it did not hold that {check['sentence']}{seen}"


def _explain(check: dict[str, Any], checks: list[dict[str, Any]]) -> Explanation:
    before = checks[: checks.index(check)]
    wanted = f" ({check['wanted']})" if "wanted" in check and check["wanted"] not in check["sentence"] else ""
    seen = f"However, seen: {check['seen']}" if "seen" in check else "However, it did not hold."
    return Explanation(_let(before), f"{check['sentence']}{wanted}", seen)
