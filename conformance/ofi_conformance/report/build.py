# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The record of a run: the ledger folded into rows, as one JSON-able value that every form of the report renders.

Decides what a row is (a requirement that binds the provider and that somebody could decide), what counts (informative
requirements are shown and do not), and applies waivers. The record's shape is ``data/schemas/report.schema.json``.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kfabric.model.guarantees import End

from .. import evidence as files
from ..catalogue import Catalogue, Selection
from ..configuration import Configuration
from ..ledger import Cell, Failure, Ledger
from ..requirements import Requirement, Requirements, spoken_by
from ..settings import Settings
from ..verdicts import Exit, Mark, Verdict, exit_code, fold
from ..waivers import Waiving
from .machine import machine, tool
from .words import attributes, promises

SCHEMA = "ofi-conform.report/1"
NO_CASE = Mark(Verdict.INCONCLUSIVE, "no case decides it", exercised=False)
CHAPTERS = (
    ("discovery", "Discovery"),
    ("objects", "Objects"),
    ("endpoint", "Endpoints"),
    ("av", "Address vectors"),
    ("connection", "Connections"),
    ("eq", "Event queues"),
    ("cq", "Completion queues"),
    ("counter", "Counters"),
    ("mr", "Memory registration"),
    ("message", "Messages"),
    ("tagged", "Tagged messages"),
    ("rma", "Remote memory access"),
    ("atomic", "Atomics"),
    ("ordering", "Ordering"),
    ("completion", "Completion levels"),
    ("progress", "Progress"),
    ("resource", "Resource management"),
)
"""Chapters in the order of the specification; others follow."""


@dataclass
class Result:
    """One run of one target, still in the suite's own terms."""

    settings: Settings
    requirements: Requirements
    catalogue: Catalogue
    selection: Selection
    ledger: Ledger
    configurations: Sequence[Configuration]
    waiving: Waiving
    backend: str = "libfabric"
    started: datetime.datetime = field(default_factory=lambda: datetime.datetime.now(datetime.UTC))
    seconds: float = 0.0
    interrupted: bool = False
    outcome: str = ""
    """Why nothing was judged, where that is so."""

    @property
    def end(self) -> End:
        """What stands for the provider in the header."""
        return self.configurations[0].end if self.configurations else End()


def provider_text(end: End) -> str:
    """``tcp 117.0``."""
    version = dict(end.extra).get("prov_version", "")
    return f"{end.provider} {version}".strip()


def library_text(backend: str, end: End) -> str:
    """``libfabric 1.17``."""
    return f"{backend} {'.'.join(map(str, end.version))}"


def header(result: Result) -> files.Header:
    """What every failure file says about the run."""
    return files.Header(
        target=result.settings.target,
        provider=provider_text(result.end) if result.configurations else "",
        library=library_text(result.backend, result.end) if result.configurations else "",
        suite=tool()["version"],
        seed=result.settings.seed,
        fault=result.settings.fault,
    )


def build(result: Result) -> dict[str, Any]:
    """The record."""
    rows = [_row(result, requirement) for requirement in _reported(result)]
    counted = [row for row in rows if not row["informative"]]
    summary = Counter(row["verdict"] for row in counted)
    code = _exit(result, counted)
    reported = {row["id"] for row in rows}
    failures = [item for item in result.ledger.failures if item.requirement in reported]
    outside = sorted({item.requirement for item in result.ledger.failures} - reported)
    return {
        "schema": SCHEMA,
        "tool": tool(),
        "spec": result.requirements.spec_version,
        "target": result.settings.target,
        "provider": provider_text(result.end) if result.configurations else "",
        "library": library_text(result.backend, result.end) if result.configurations else "",
        "machine": machine(),
        "seed": result.settings.seed,
        "profile": result.settings.profile.name,
        "examples": result.settings.budget,
        "fault": result.settings.fault,
        "selection": list(result.settings.selection),
        "started": result.started.isoformat(timespec="seconds"),
        "seconds": round(result.seconds, 1),
        "interrupted": result.interrupted,
        "outcome": result.outcome,
        "configurations": [_configuration(item) for item in result.configurations],
        "requirements": rows,
        "failures": [_failure(item, result) for item in failures],
        "outside": outside,
        "untested": _untested(result),
        "aborts": list(result.ledger.aborts),
        "troubles": [{"where": t.where, "text": t.text, "trace": t.trace} for t in result.ledger.troubles],
        "unused_waivers": [f"{w.requirement} ({w.owner}: {w.reason})" for w in result.waiving.unused],
        "summary": {verdict.value: summary[verdict.value] for verdict in Verdict if summary[verdict.value]},
        "exit": code.value,
    }


def _exit(result: Result, counted: list[dict[str, Any]]) -> Exit:
    verdicts = [Verdict(row["verdict"]) for row in counted]
    if result.ledger.troubles:
        verdicts.append(Verdict.ERROR)
    if result.ledger.aborts:
        verdicts.append(Verdict.FAIL)
    return exit_code(verdicts, strict=result.settings.strict, interrupted=result.interrupted)


def _decided(result: Result) -> set[str]:
    chosen = [case for case in result.catalogue.cases if result.selection.wants(case.name, case.ids)]
    return {name for case in chosen for name in case.ids}


def _reported(result: Result) -> list[Requirement]:
    """Requirements that get a row, chapter by chapter."""
    decided = _decided(result)
    order = {name: number for number, (name, _) in enumerate(CHAPTERS)}
    found = [
        item
        for item in result.requirements
        if item.judged
        and spoken_by(item, result.backend)
        and result.selection.reports(item.id, decided)
        and not (item.untested and not result.catalogue.deciding(item.id))
    ]
    return sorted(found, key=lambda item: (order.get(item.chapter, len(order)), item.chapter))


def _untested(result: Result) -> list[dict[str, str]]:
    """Requirements with a written reason why no test can decide them."""
    return [
        {"id": item.id, "text": item.text, "why": item.untested}
        for item in result.requirements
        if item.judged
        and item.untested
        and spoken_by(item, result.backend)
        and result.selection.reports(item.id, ())
        and not result.catalogue.deciding(item.id)
    ]


def _row(result: Result, requirement: Requirement) -> dict[str, Any]:
    names = [str(item) for item in result.configurations]
    cells = result.ledger.cells(requirement.id, names)
    marks = {name: result.waiving.apply(requirement.id, name, cell.mark) for name, cell in cells.items()}
    if not result.catalogue.deciding(requirement.id):
        marks = {name: NO_CASE if mark.verdict is Verdict.INCONCLUSIVE else mark for name, mark in marks.items()}
    whole = fold(marks.values())
    ends = {str(item): item.end for item in result.configurations}
    entries = [entry for cell in cells.values() for entry in cell.entries]
    return {
        "id": requirement.id,
        "level": requirement.level,
        "title": requirement.title,
        "text": requirement.text,
        "chapter": requirement.chapter,
        "origin": requirement.origin,
        "when": str(requirement.when),
        "informative": requirement.id in result.ledger.informative,
        "verdict": whole.verdict.value,
        "why": whole.why,
        "cases": len({entry.case for entry in entries}),
        "examples": sum(entry.examples for entry in entries),
        "exercised": sum(entry.weight for entry in entries),
        "seconds": round(sum(entry.seconds for entry in entries), 2),
        "configurations": {name: _cell(requirement, cells[name], marks[name], ends[name]) for name in names},
    }


def _cell(requirement: Requirement, cell: Cell, mark: Mark, end: End) -> dict[str, Any]:
    supported = mark.verdict is not Verdict.NOT_SUPPORTED
    return {
        "verdict": mark.verdict.value,
        "why": mark.why,
        "promised": promises(requirement, end) if supported else [],
        "cases": [
            {
                "name": entry.case,
                "verdict": entry.mark.verdict.value,
                "why": entry.mark.why,
                "examples": entry.examples,
                "exercised": entry.weight,
                "seconds": round(entry.seconds, 2),
            }
            for entry in cell.entries
        ],
    }


def _configuration(item: Configuration) -> dict[str, Any]:
    return {
        "name": str(item),
        "target": item.spelling,
        "hints": [f"{name}={value}" for name, value in item.hints],
        "attributes": [list(pair) for pair in attributes(item.end)],
    }


def _failure(failure: Failure, result: Result) -> dict[str, Any]:
    requirement = result.requirements[failure.requirement]
    end = next((item.end for item in result.configurations if str(item) == failure.configuration), End())
    name = files.file_name(failure.requirement, failure.configuration)
    path = result.settings.out / "failures" / name
    return {
        "requirement": failure.requirement,
        "configuration": failure.configuration,
        "case": failure.case,
        "kind": failure.kind,
        "text": requirement.text,
        "promised": promises(requirement, end),
        "let": list(failure.explanation.let),
        "then": failure.explanation.then,
        "however": failure.explanation.however,
        "program": failure.program,
        "rate": list(failure.rate) if failure.rate else None,
        "stored": failure.stored,
        "note": failure.note,
        "file": f"failures/{name}",
        "replay": f"ofi-conform replay {path}",
    }
