# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The JSON form: everything comes back, everything generated fits the committed schemas, everything else is refused."""

from __future__ import annotations

import json
from functools import lru_cache

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfabric.model.codec import DOCUMENTS, CodecError, Document, decode, dumps, encode, loads
from kfabric.model.notation import parse

from . import strategies
from .write_schemas import FOLDER, text

ANY = st.one_of(
    strategies.programs(),
    strategies.histories(),
    strategies.guarantees(),
    strategies.judgements(),
    strategies.evidence(),
)
NAME_OF = {kind: name for name, kind in DOCUMENTS.items()}


@lru_cache(maxsize=8)
def validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((FOLDER / f"{name}.schema.json").read_text("utf-8")))


@given(ANY)
@settings(max_examples=300, deadline=None)
def test_round_trip_and_schema(value: Document) -> None:
    written = dumps(value)
    assert loads(written) == value
    validator(NAME_OF[type(value)]).validate(json.loads(written))


@given(strategies.evidence(), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_a_field_that_nobody_knows_is_refused(value: Document, random: object) -> None:
    document = encode(value)
    records: list[dict[str, object]] = []

    def visit(item: object) -> None:
        if isinstance(item, dict):
            records.append(item)
            item = list(item.values())
        if isinstance(item, list):
            for each in item:
                visit(each)

    visit(document)
    records[random.randrange(len(records))]["surprise"] = 1  # type: ignore[attr-defined]
    assert not validator("evidence").is_valid(document)
    with pytest.raises(CodecError, match="surprise"):
        decode(document)


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_committed_schemas_are_fresh(name: str) -> None:
    assert (FOLDER / f"{name}.schema.json").read_text("utf-8") == text(name), "run tests/model/write_schemas.py"


def _bad(change: dict[str, object]) -> dict[str, object]:
    return {**encode(parse("program x\nA | B\nsend B 8 | recv 8")), **change}


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({}, "schema"),
        ([], "schema"),
        (_bad({"schema": "kfabric.program/99"}), "schema"),
        (_bad({"name": 5}), "name"),
        (_bad({"threads": {}}), "threads"),
        (_bad({"threads": [{"node": "A", "steps": [{"step": "fly", "name": "s"}]}]}), "threads[0].steps[0]"),
        (_bad({"threads": [{"node": "A", "steps": [{"step": "recv", "name": "s"}]}]}), "threads[0].steps[0]"),
        (_bad({"threads": [{"node": "A", "steps": [{"step": "recv", "name": "s", "size": True}]}]}), "size"),
        (_bad({"endpoints": [["B"]]}), "endpoints[0]"),
    ],
)
def test_errors_name_their_place(document: object, path: str) -> None:
    with pytest.raises(CodecError) as caught:
        decode(document)
    assert path in caught.value.path


def test_text_that_is_no_json() -> None:
    with pytest.raises(CodecError, match="line 1"):
        loads("{")
