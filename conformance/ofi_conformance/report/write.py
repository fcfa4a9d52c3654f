# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Writing a report into a directory: checked before anything runs, every file replaced in one step."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from .. import evidence as files
from .build import Result, build, header
from .html import html
from .junit import junit


class OutputError(OSError):
    """The directory cannot be written: one sentence."""


def prepare(out: Path) -> None:
    """Make sure that a report can be written; raises OutputError."""
    try:
        (out / "failures").mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise OutputError(f"cannot write the report to {out}: {error.strerror}") from error


def replace(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old or the new content, nothing between."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def write(result: Result) -> dict[str, Any]:
    """Write all forms; returns the record."""
    out = result.settings.out
    record = build(result)
    top = header(result)
    documents = []
    reported = {row["id"] for row in record["requirements"]}
    failures = [item for item in result.ledger.failures if item.requirement in reported]
    for failure, entry in zip(failures, record["failures"], strict=True):
        stamped = files.stamped(failure.evidence, top, failure.requirement, failure.configuration)
        documents.append(stamped)
        replace(out / entry["file"], json.dumps(files.encode(stamped), indent=1) + "\n")
    _sweep(out / "failures", {Path(entry["file"]).name for entry in record["failures"]})
    replace(out / "report.json", json.dumps(record, indent=1) + "\n")
    replace(out / "junit.xml", junit(record))
    replace(out / "report.html", html(record, documents))
    return record


def _sweep(directory: Path, keep: set[str]) -> None:
    """Failure files of an earlier run would be taken for this one's."""
    for path in directory.glob("*.json"):
        if path.name not in keep:
            path.unlink()
