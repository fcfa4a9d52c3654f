# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The specification keeps its own rules, and what was exported of it is what the suite gets."""

import json
from collections import Counter

import export
import jsonschema
import lint
import pytest
import source

from ofi_conformance import conditions, requirements

REQUIREMENTS = source.read()
BOUND = [each for each in REQUIREMENTS if each.binds == "provider"]
AT_LEAST = 130
"""Fewer than this and a chapter has been lost on the way, not rewritten."""


def test_the_sources_keep_the_rules() -> None:
    assert lint.lint() == []


def test_the_committed_export_is_fresh() -> None:
    assert export.TARGET.read_text(encoding="utf-8") == export.render(), (
        "stale: run python spec/tools/export.py and commit"
    )


def test_the_export_is_valid() -> None:
    schema = json.loads(export.SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(export.TARGET.read_text(encoding="utf-8")), schema)


def test_the_schema_names_every_chapter() -> None:
    schema = json.loads(export.SCHEMA.read_text(encoding="utf-8"))
    properties = schema["$defs"]["requirement"]["properties"]
    assert properties["chapter"]["enum"] == list(source.AREAS.values())
    assert properties["document"]["enum"] == list(source.DOCUMENTS.values())


def test_every_chapter_holds_requirements_that_bind_a_provider() -> None:
    held = Counter(each.area for each in BOUND if each.prefix == "OFI")
    assert set(held) == set(source.AREAS)
    assert sum(held.values()) >= AT_LEAST


def test_no_two_requirements_say_the_same() -> None:
    said = Counter((each.text, each.document) for each in REQUIREMENTS)
    assert [text for (text, _), times in said.items() if times > 1] == []


@pytest.mark.parametrize("condition", sorted({each.when for each in REQUIREMENTS if each.when}))
def test_the_suite_reads_every_condition(condition: str) -> None:
    assert str(conditions.parse(condition)) == condition


def test_the_suite_knows_the_keys_that_editors_may_write() -> None:
    from when import KEYS

    assert set(conditions.TERMS) == set(KEYS)


def test_the_suite_loads_what_was_exported() -> None:
    loaded = requirements.load(export.TARGET)
    assert {each.id for each in loaded} == {each.id for each in REQUIREMENTS}


def test_what_only_kfabric_owes_says_why_no_case_decides_it() -> None:
    """No kfabric provider can be reached from here yet."""
    assert [each.id for each in BOUND if each.prefix == "KFI" and not each.untested] == []
