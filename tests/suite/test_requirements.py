# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The exported requirements can all be read, and apply where they should."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from kfabric.model.guarantees import End, Guarantees
from ofi_conformance.requirements import Requirement, all_requirements, applicability, load

SOME = Requirement("OFI-MSG-001", "title", "The provider MUST.", "MUST", "provider", "message")
HERE = Guarantees(default=End(version=(1, 17)))


def test_every_requirement_of_the_export_can_be_read() -> None:
    requirements = all_requirements()
    assert len(requirements) > 100
    assert "OFI-RMA-001" in requirements
    assert {item.level for item in requirements} <= {"MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"}


@pytest.mark.parametrize(
    ("change", "applies"),
    [
        ({}, True),
        ({"since": (1, 17)}, True),
        ({"since": (1, 18)}, False),
        ({"until": (1, 17)}, True),
        ({"until": (1, 16)}, False),
        ({"document": "kfabric"}, False),
        ({"document": "libfabric-pm"}, True),
    ],
)
def test_versions_and_documents_decide(change: dict[str, object], applies: bool) -> None:
    assert applicability(dataclasses.replace(SOME, **change), HERE, "libfabric").applies is applies  # type: ignore[arg-type]


def test_what_the_project_decided_does_not_bind_others() -> None:
    own = dataclasses.replace(SOME, origin="project")
    assert not applicability(own, HERE, "libfabric").binding
    assert applicability(own, HERE, "kfabric").binding
    assert applicability(SOME, HERE, "libfabric").binding


def test_only_what_binds_a_provider_is_judged() -> None:
    assert SOME.judged
    assert not dataclasses.replace(SOME, binds="application").judged


def test_a_name_that_is_nearly_right_gets_a_suggestion() -> None:
    assert "OFI-RMA-012" in all_requirements().suggest("OFI-RMA-O12")
    assert all_requirements().suggest("nothing like it at all") == ""


def test_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "requirements.json"
    path.write_text(json.dumps({"schema": 99, "requirements": [], "spec_version": "9"}), encoding="utf-8")
    with pytest.raises(ValueError, match="schema 99"):
        load(path)
