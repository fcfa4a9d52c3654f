# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The HTML form of a record: one file that needs nothing else, not even a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import Any

import jinja2

from kfabric.model.evidence import Evidence

from ..evidence import AnyEvidence, BodyEvidence
from .build import CHAPTERS
from .timeline import Timeline, timeline

ICONS = {"FAIL": "×", "ERROR": "!", "INCONCLUSIVE": "?", "WAIVED": "~", "NOT-SUPPORTED": "–", "PASS": "✔"}  # noqa: RUF001


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("ofi_conformance.report", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def _asset(name: str) -> str:
    return resources.files("ofi_conformance.report").joinpath("templates", name).read_text(encoding="utf-8")


def _line(document: AnyEvidence) -> Timeline | None:
    if not isinstance(document, Evidence):
        return None
    judged = [each for each in document.judgements if each.requirement == document.requirement]
    events = judged[0].explanation.events if judged and judged[0].explanation else ()
    return timeline(document.program, document.history, events)


def _calls(document: AnyEvidence) -> list[list[str]]:
    if not isinstance(document, BodyEvidence):
        return []
    calls: list[list[str]] = document.sheet.get("calls", [])
    return calls


def chapters(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows by chapter, in the record's order."""
    titles = dict(CHAPTERS)
    found: dict[str, dict[str, Any]] = {}
    for row in record["requirements"]:
        name = row["chapter"]
        chapter = found.setdefault(name, {"name": name, "title": titles.get(name, name.capitalize()), "rows": []})
        names = {case["name"] for cell in row["configurations"].values() for case in cell["cases"]}
        words = [row["id"], row["title"], row["text"], row["why"], row["verdict"], *sorted(names)]
        chapter["rows"].append({**row, "words": " ".join(words).lower()})
    for chapter in found.values():
        counts = Counter(row["verdict"] for row in chapter["rows"])
        chapter["counts"] = {name: counts[name] for name in ICONS if counts[name]}
    return list(found.values())


def html(record: dict[str, Any], documents: Sequence[AnyEvidence]) -> str:
    """The file's content. ``documents`` are the failure files in the order of ``record["failures"]``."""
    failures: dict[str, dict[str, dict[str, Any]]] = {}
    for entry, document in zip(record["failures"], documents, strict=True):
        shown = {**entry, "line": _line(document), "calls": _calls(document)}
        failures.setdefault(entry["requirement"], {})[entry["configuration"]] = shown
    return (
        _environment()
        .get_template("report.html")
        .render(
            record=record,
            chapters=chapters(record),
            failures=failures,
            icons=ICONS,
            style=_asset("report.css"),
            script=_asset("report.js"),
        )
    )


def index(entries: Sequence[dict[str, Any]], notes: Sequence[str]) -> str:
    """The page over several reports: ``{"record", "place"}`` each, and sentences about what was not judged."""
    return (
        _environment()
        .get_template("index.html")
        .render(entries=entries, notes=notes, icons=ICONS, style=_asset("report.css"))
    )
