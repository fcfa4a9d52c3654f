# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A waiver covers what it says, until it says, and nothing else."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from ofi_conformance.verdicts import Mark, Verdict
from ofi_conformance.waivers import Waiver, WaiverError, Waiving, load_waivers

TODAY = datetime.date(2026, 11, 20)
FAIL = Mark(Verdict.FAIL, "broken")
TOML = """
schema = 1
[[waivers]]
requirement = "OFI-RMA-001"
owner = "a. person"
reason = "fixed in 1.18"
target = "libfabric:tcp;ofi_rxm*"
until = 2026-12-31
"""


def waiving(**more: object) -> Waiving:
    return Waiving([Waiver("OFI-RMA-001", "o", "r", **more)], "libfabric:tcp;ofi_rxm", TODAY)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("more", "covered"),
    [
        ({}, True),
        ({"target": "libfabric:tcp;ofi_rxm"}, True),
        ({"target": "libfabric:*"}, True),
        ({"target": "libfabric:tcp"}, False),
        ({"configuration": "rdm-*"}, True),
        ({"configuration": "msg-*"}, False),
        ({"until": TODAY}, True),
        ({"until": TODAY - datetime.timedelta(days=1)}, False),
    ],
)
def test_scope_and_date(more: dict[str, object], covered: bool) -> None:
    applied = waiving(**more)
    verdict = applied.apply("OFI-RMA-001", "rdm-default", FAIL).verdict
    assert verdict is (Verdict.WAIVED if covered else Verdict.FAIL)
    assert bool(applied.unused) is not covered


@pytest.mark.parametrize("verdict", [each for each in Verdict if each is not Verdict.FAIL])
def test_only_a_failure_is_waived(verdict: Verdict) -> None:
    assert waiving().apply("OFI-RMA-001", "rdm-default", Mark(verdict)).verdict is verdict


def test_another_requirement_is_not_covered() -> None:
    assert waiving().apply("OFI-RMA-002", "rdm-default", FAIL) is FAIL


def test_a_toml_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text(TOML, encoding="utf-8")
    assert load_waivers(path) == [
        Waiver("OFI-RMA-001", "a. person", "fixed in 1.18", "libfabric:tcp;ofi_rxm*", until=datetime.date(2026, 12, 31))
    ]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("w.toml", "schema = ", "is not TOML"),
        ("w.json", "{", "is not JSON"),
        ("w.json", '{"schema": 2, "waivers": []}', "schema: 1 was expected"),
        ("w.json", '{"schema": 1, "waivers": [{"requirement": "OFI-RMA-001"}]}', "waivers/0: 'owner' is a required"),
        ("w.json", '{"schema": 1, "waivers": [{"requirement": "RMA", "owner": "o", "reason": "r"}]}', "does not match"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(WaiverError, match=sentence) as caught:
        load_waivers(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WaiverError, match="No such file"):
        load_waivers(tmp_path / "none.toml")
