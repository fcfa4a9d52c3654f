# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the words of the command line do. Prints; decides nothing but exit codes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from kfabric.model import notation
from kfabric.model.evidence import Evidence
from kfabric.model.verdict import Finding, Judgement

from . import everything, litmus, offline, schemas
from . import replay as again
from .catalogue import SelectionError, collect, select
from .cli import settings_of
from .configuration import NothingToJudge, matrix, survey
from .faults.show import perform as show_faults
from .report.console import Reporter, begin, make_console, show, target_line
from .report.html import ICONS
from .report.machine import tool
from .report.timeline import timeline
from .report.words import attributes
from .requirements import Requirement, all_requirements
from .run import Refusal, Run
from .settings import Settings, cases_directory
from .target import Target, TargetError
from .verdicts import Exit


def run(words: argparse.Namespace) -> Exit:
    """Judge."""
    if words.all:
        return everything.run(words)
    if not words.words:
        raise Refusal(
            "run wants a target, as libfabric:tcp; 'ofi-conform providers' names those of this machine", Exit.USAGE
        )
    target, *selection = words.words
    code = run_one(settings_of(words, target, [*selection, *words.area]), verbose=words.verbose)
    return completed(code) if words.complete else code


def completed(code: Exit) -> Exit:
    """What ``--complete`` makes of it: only our own errors, interruption and misuse count."""
    return Exit.PASS if code in (Exit.FAIL, Exit.INCONCLUSIVE) else code


def run_one(settings: Settings, *, verbose: bool = False) -> Exit:
    """Judge one target."""
    console = make_console()
    one = Run(settings)
    stored = len({path.parent.parent for path in settings.database.rglob("*") if path.is_file()})
    begin(console, tool(), one.requirements.spec_version, settings.seed, stored)
    one.open()
    if one.configurations:
        end = one.result.end
        kinds = " ".join(dict.fromkeys(item.target.ep_type for item in one.configurations))
        library = f"{one.result.backend} {'.'.join(map(str, end.version))}"
        target_line(console, library, end.provider, kinds, len(one.configurations))
    reporter = Reporter(console)
    try:
        record = one.judge(reporter)
    finally:
        reporter.end()
    show(console, record, verbose=verbose, out=str(settings.out))
    return Exit(record["exit"])


def faults(words: argparse.Namespace) -> Exit:
    """Planted faults: list them, or try them."""
    try:
        return Exit.FAIL if show_faults(words, make_console()) else Exit.PASS
    except LookupError as error:
        raise Refusal(f"{error.args[0]}; 'ofi-conform faults' lists them", Exit.USAGE) from error


def listing(words: argparse.Namespace) -> Exit:
    """Requirements with their cases, or cases with their requirements."""
    console = make_console()
    requirements, catalogue = all_requirements(), collect(words.cases or cases_directory())
    try:
        selection = select(words.selection, requirements, catalogue)
    except SelectionError as error:
        raise Refusal(str(error), Exit.INCONCLUSIVE) from error
    for where, text in catalogue.troubles:
        console.print(Text(f"cannot be collected: {where}: {text.splitlines()[-1] if text else ''}", "magenta"))
    if words.cases_only:
        for case in catalogue.cases:
            if selection.wants(case.name, case.ids):
                console.print(Text(f"{case.name}  {' '.join(case.ids)}"))
        return Exit.OURS if catalogue.troubles else Exit.PASS
    chosen = [case for case in catalogue.cases if selection.wants(case.name, case.ids)]
    decided = {name for case in chosen for name in case.ids}
    for item in requirements:
        if selection.reports(item.id, decided):
            console.print(
                Text(f"{item.id:<12} {item.level:<10} {item.title}  {_deciders(item, catalogue.deciding(item.id))}")
            )
    return Exit.OURS if catalogue.troubles else Exit.PASS


def _deciders(item: Requirement, cases: Sequence[object]) -> str:
    if cases:
        return f"({len(cases)} case{'s' if len(cases) > 1 else ''})"
    if not item.judged:
        return f"(binds the {item.binds})"
    return f"(no test: {item.untested})" if item.untested else "(no case)"


def explain(words: argparse.Namespace) -> Exit:
    """A requirement in words."""
    console = make_console()
    requirements, catalogue = all_requirements(), collect(words.cases or cases_directory())
    for number, name in enumerate(words.id):
        upper = name.upper()
        if upper not in requirements:
            raise Refusal(f"no requirement is called {name}{requirements.suggest(name)}", Exit.INCONCLUSIVE)
        item = requirements[upper]
        if number:
            console.print()
        console.print(Text.assemble((item.id, "bold"), f"  {item.title}"))
        console.print(Text(f"  {item.text}"))
        facts = [
            ("level", item.level),
            ("binds", item.binds),
            ("chapter", item.chapter if item.document == "shared" else f"{item.chapter} of {item.document}"),
            ("applies", str(item.when) or "always"),
            ("versions", _versions(item)),
            ("origin", item.origin),
            ("why", item.rationale),
            ("no test", item.untested),
        ]
        for label, text in facts:
            if text:
                console.print(Text(f"  {label:<9} {text}"))
        for case in catalogue.deciding(item.id):
            console.print(Text(f"  decided by {case.name}{f': {case.sentence}' if case.sentence else ''}"))
    return Exit.PASS


def _versions(item: Requirement) -> str:
    since = "{}.{}".format(*item.since) if item.since > (0, 0) else ""
    until = "{}.{}".format(*item.until) if item.until else ""
    return f"{since}-{until}" if since or until else ""


def providers(words: argparse.Namespace) -> Exit:
    """What can be judged here."""
    console = make_console()
    targets = list(words.target)
    try:
        if not targets:
            offers = survey()
            targets = list(dict.fromkeys(f"libfabric:{offer.provider}" for offer in offers))
            console.print(
                Text(
                    f"libfabric {'.'.join(map(str, offers[0].end.version))}"
                    if offers
                    else "libfabric offers nothing here",
                    "bold",
                )
            )
        for target in targets:
            _provider(target, verbose=words.verbose)
    except TargetError as error:
        raise Refusal(str(error), Exit.USAGE) from error
    except NothingToJudge as error:
        raise Refusal(str(error), Exit.USAGE) from error
    return Exit.PASS


def _provider(target: str, *, verbose: bool) -> None:
    console = make_console()
    console.print(Text(target, "bold"))
    for item in matrix(Target.parse(target)):
        hints = " ".join(f"{name}={value}" for name, value in item.hints)
        console.print(Text.assemble(f"  {item!s:<24}", (hints, "bright_black")))
        wanted = (
            attributes(item.end)
            if verbose
            else [pair for pair in attributes(item.end) if pair[0] in ("caps", "msg_order")]
        )
        for label, text in wanted:
            console.print(Text(f"      {label:<18} {text}", "bright_black"))


def judge(words: argparse.Namespace) -> Exit:
    """Decide a file again, or answer the conditions of a litmus text."""
    console = make_console()
    if litmus.is_text(words.file):
        return _litmus(litmus.decide(words.file), words.explain)
    ruling = offline.rule(words.file)
    evidence = ruling.evidence
    title = [evidence.requirement or "no requirement", f"{evidence.target} {evidence.configuration}", evidence.provider]
    console.print(Text(" · ".join(title), "bold"))
    if not isinstance(evidence, Evidence):
        told = f"a body of a case: {evidence.body} of {evidence.case}; its checks are all there is to judge"
        console.print(Text(told))
        for check in evidence.sheet.get("checks", []):
            icon = ICONS["PASS" if check["ok"] else "FAIL"]
            console.print(Text(f"  {icon} {check['id']}  {check['sentence']}  {check.get('seen', '')}"))
        for call, answer in evidence.sheet.get("calls", []) if words.explain else []:
            console.print(Text(f"    {call}  ->  {answer}", "bright_black"))
        return ruling.code
    console.print(Text(notation.render(evidence.program)))
    if words.explain:
        _tell_line(evidence, [event for each in ruling.broken if each.explanation for event in each.explanation.events])
    for each in ruling.judgements:
        if words.explain or each.finding is not Finding.KEPT:
            _judgement(each)
    for name in ruling.changed:
        console.print(Text(f"about {name} the Judge said something else when this was recorded", "yellow"))
    kept = sum(each.finding is Finding.KEPT for each in ruling.judgements)
    console.print(
        Text(f"{len(ruling.broken)} broken, {kept} kept, of {len(ruling.judgements)} put to the test", "bold")
    )
    return ruling.code


def _litmus(found: litmus.Litmus, explain: bool) -> Exit:
    """Tell what the specification says of the outcomes of a text."""
    console = make_console()
    console.print(Text(notation.render(found.program)))
    for condition, answer in found.answers:
        agreed = condition.expected is answer.outcome
        by = f" by {', '.join(answer.by)}" if answer.by else ""
        held = "" if agreed else f"  (the text holds it {condition.expected.value})"
        console.print(Text(f"  {ICONS['PASS' if agreed else 'FAIL']} {answer.outcome.name}{by}{held}"))
        if answer.explanation is not None and (explain or not agreed):
            for line in (*answer.explanation.let, answer.explanation.then, answer.explanation.however):
                console.print(Text(f"      {line}"))
        if answer.witness and explain:
            console.print(Text(f"      {answer.witness}"))
    if not found.answers:
        console.print(Text("the text names no outcome: add a line such as 'forbidden L = 0'"))
    return found.code


def _judgement(each: Judgement) -> None:
    console = make_console()
    icon = ICONS[{Finding.BROKEN: "FAIL", Finding.OPEN: "INCONCLUSIVE", Finding.KEPT: "PASS"}[each.finding]]
    console.print(
        Text(f"  {icon} {each.requirement}  {each.finding.value}", "red" if each.finding is Finding.BROKEN else "")
    )
    if each.explanation is not None:
        for let in each.explanation.let:
            console.print(Text(f"      Let   {let}"))
        if each.explanation.then:
            console.print(Text(f"      Then  {each.explanation.then}"))
        console.print(Text(f"            {each.explanation.however}"))


def _tell_line(evidence: Evidence, events: list[tuple[str, int]]) -> None:
    console = make_console()
    line = timeline(evidence.program, evidence.history, tuple(events))
    for row in line.rows:
        mark = ">" if row.marked else " "
        if row.node:
            console.print(
                Text(f"  {mark} {row.at:>9}  {row.node}  {row.text}", "bold" if row.marked else "bright_black")
            )
        else:
            console.print(Text(f"    {'':>9}  -- {row.text}", "bright_black"))


def replay(words: argparse.Namespace) -> Exit:
    """Run a file again."""
    console = make_console()
    ready = again.prepare(words.file, settings_of(words, ""), all_requirements(), target=words.target)
    name = ready.evidence.requirement
    console.print(Text(f"{name} · {ready.settings.target} · {ready.configuration}", "bold"))
    for sentence in ready.differences:
        console.print(Text(f"  {sentence}", "yellow"))
    broken, last, others = 0, None, set()
    for outcome in ready.runs(words.count):
        broken += outcome.explanation is not None
        last = outcome.explanation or last
        others.update(outcome.others)
    if last is not None:
        _judgement(Judgement(name, Finding.BROKEN, last))
    if others:
        console.print(Text(f"  also broken: {', '.join(sorted(others))}"))
    console.print(Text(f"{name} was broken in {broken} of {words.count} runs", "bold"))
    return Exit.FAIL if broken else Exit.PASS


def schema(words: argparse.Namespace) -> Exit:
    """Print a schema."""
    if words.name is None:
        print("\n".join(schemas.names()))
        return Exit.PASS
    try:
        print(json.dumps(schemas.schema(words.name), indent=1))
    except KeyError:
        raise Refusal(f"no schema is called {words.name}; there are {', '.join(schemas.names())}", Exit.USAGE) from None
    return Exit.PASS


__all__ = ["Path", "completed", "run_one"]
