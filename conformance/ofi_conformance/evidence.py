# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Failure files: what is written for each failure, and how such a file is read again.

Two kinds of document. A failure on the road is the model's ``Evidence`` (a Program with its History: judged offline,
run again). A failure of a case body is a ``BodyEvidence``: which body with which input, and the sheet it left.
Decides the names of the files and says in one sentence why a file cannot be read.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kfabric.model import codec
from kfabric.model.evidence import Evidence

BODY_SCHEMA = "ofi-conform.body/1"


@dataclass(frozen=True)
class BodyEvidence:
    """A run of a case body that broke a requirement."""

    case: str
    body: str
    options: dict[str, Any] = field(default_factory=dict)
    sheet: dict[str, Any] = field(default_factory=dict)
    value: Any = None
    has_value: bool = False
    ids: list[str] = field(default_factory=list)
    """The ids that the case decides."""
    target: str = ""
    configuration: str = ""
    provider: str = ""
    library: str = ""
    suite: str = ""
    requirement: str = ""
    fault: str = ""
    seed: int | None = None
    note: str = ""


AnyEvidence = Evidence | BodyEvidence


class EvidenceError(ValueError):
    """The file cannot be used: one sentence."""


@dataclass(frozen=True)
class Header:
    """What every failure file of a run says about the run."""

    target: str
    provider: str
    library: str
    suite: str
    seed: int
    fault: str = ""


def stamped(evidence: AnyEvidence, header: Header, requirement: str, configuration: str) -> AnyEvidence:
    """The evidence with the run's header."""
    known = {item.name for item in dataclasses.fields(evidence)}
    values = {**dataclasses.asdict(header), "requirement": requirement, "configuration": configuration}
    return dataclasses.replace(evidence, **{name: value for name, value in values.items() if name in known})


def file_name(requirement: str, configuration: str) -> str:
    """``OFI-RMA-014-rdm-default.json``."""
    return f"{requirement}-{configuration}.json"


def encode(evidence: AnyEvidence) -> dict[str, Any]:
    """As it is written."""
    if isinstance(evidence, Evidence):
        return codec.encode(evidence)
    return {"schema": BODY_SCHEMA, **_jsonable(dataclasses.asdict(evidence))}


def decode(document: Any) -> AnyEvidence:
    """The inverse; raises EvidenceError."""
    if not isinstance(document, dict) or "schema" not in document:
        raise EvidenceError("is no failure file: it names no schema")
    name = document["schema"]
    if name == BODY_SCHEMA:
        fields = {item.name for item in dataclasses.fields(BodyEvidence)}
        unknown = document.keys() - fields - {"schema"}
        if unknown or not {"case", "body"} <= document.keys():
            raise EvidenceError(f"is no {BODY_SCHEMA}: {', '.join(sorted(unknown)) or 'case or body is missing'}")
        return BodyEvidence(**{key: _plain(value) for key, value in document.items() if key != "schema"})
    try:
        value = codec.decode(document)
    except codec.CodecError as error:
        raise EvidenceError(str(error)) from error
    if not isinstance(value, Evidence):
        raise EvidenceError(f"holds {name}, which is no failure: judge and replay want evidence")
    return value


def load(path: Path) -> AnyEvidence:
    """Read a failure file; raises EvidenceError with the path in it."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EvidenceError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise EvidenceError(f"{path} is no JSON: {error}") from error
    try:
        return decode(document)
    except EvidenceError as error:
        raise EvidenceError(f"{path} {error}") from error


def _jsonable(value: Any) -> Any:
    """Bytes become ``{"bytes": hex}``; tuples lists."""
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"bytes"}:
            return bytes.fromhex(value["bytes"])
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
