# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Runs of small cases against a real provider: every way in which a case can end, and what is kept of it."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ofi_conformance.ledger import Entry
from ofi_conformance.run import Run
from ofi_conformance.schemas import schema
from ofi_conformance.settings import PROFILES, Settings

from .conftest import Conform

HERE = Path(__file__).parent
TARGET = "libfabric:udp"
pytestmark = pytest.mark.usefixtures("libfabric")


class Quiet:
    """A listener that says nothing."""

    def plan(self, cases: int) -> None:
        """So many."""

    def configuration(self, name: str, number: int, count: int) -> None:
        """One of them."""

    def case(self, name: str, entries: Sequence[Entry]) -> None:
        """That one."""


def judged(
    tmp_path: Path, cases: Path, *selection: str, times: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """The record of a run in this process; ``times`` are bounds of its profile."""
    profile = dataclasses.replace(PROFILES["quick"], local_bound=0.5, examples=30, reruns=2, **(times or {}))
    more = {"seed": 1, "profile": profile, "cases": cases, "configurations": ("default",), **more}
    settings = Settings(TARGET, tmp_path / "result", selection, **more)
    run = Run(settings)
    run.open()
    return run.judge(Quiet())


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    place = tmp_path_factory.mktemp("made-up")
    return {**judged(place, HERE / "made_up"), "place": place / "result"}


def rows(record: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {row["id"]: (row["verdict"], row["why"]) for row in record["requirements"]}


@pytest.mark.parametrize(
    ("name", "verdict", "why"),
    [
        ("OFI-CQ-001", "PASS", ""),
        ("OFI-CQ-002", "FAIL", "it did not hold that two is three; seen: 2"),
        ("OFI-EQ-010", "INCONCLUSIVE", "never exercised"),
        ("OFI-CQ-024", "PASS", ""),
        ("OFI-CQ-025", "FAIL", "[Errno 12] fi_made_up: ENOMEM."),
        ("OFI-CQ-026", "INCONCLUSIVE", "no completion on side a within the bound"),
        ("OFI-CQ-027", "INCONCLUSIVE", "there is no such state"),
        ("OFI-CQ-031", "PASS", ""),
        ("OFI-CQ-032", "FAIL", "node K died of SIGSEGV"),
        ("OFI-CQ-033", "INCONCLUSIVE", "not reached: node K died of SIGSEGV"),
        ("OFI-CQ-034", "FAIL", "it did not hold that every number is small; seen: [100]"),
        ("OFI-CQ-035", "ERROR", "ZeroDivisionError: ours"),
        ("OFI-CQ-036", "ERROR", "the case checks OFI-CQ-001 but does not name it"),
        ("OFI-CQ-038", "FAIL", "it did not hold that there is an answer"),
        ("OFI-CQ-039", "INCONCLUSIVE", "no case decides it"),
        ("OFI-TAG-001", "NOT-SUPPORTED", "needs cap:TAGGED"),
        ("OFI-RMA-012", "NOT-SUPPORTED", "needs cap:RMA"),
    ],
)
def test_every_way_in_which_a_body_can_end(record: dict[str, Any], name: str, verdict: str, why: str) -> None:
    found = rows(record)[name]
    assert found[0] == verdict
    assert why in found[1]


def test_our_mistakes_end_the_run_with_our_code_and_a_trace(record: dict[str, Any]) -> None:
    assert record["exit"] == 255
    assert {trouble["where"].partition(" ")[0] for trouble in record["troubles"]} == {
        "test_bodies.py::test_our_own_mistake",
        "test_bodies.py::test_a_check_of_an_id_that_is_not_named",
    }
    assert "in our_own_mistake" in record["troubles"][0]["trace"]


def test_a_hang_decides_nothing_and_the_run_goes_on(tmp_path: Path) -> None:
    found = rows(judged(tmp_path, HERE / "hanging", "OFI-CQ-039", times={"body_bound": 3.0}))
    assert found["OFI-CQ-039"][0] == "INCONCLUSIVE"
    assert "met its bound and was stopped" in found["OFI-CQ-039"][1]


def test_a_crash_leaves_its_last_calls(record: dict[str, Any]) -> None:
    path = record["place"] / "failures" / "OFI-CQ-032-dgram-default.json"
    sheet = json.loads(path.read_text(encoding="utf-8"))["sheet"]
    assert sheet["calls"][-1][0].startswith("Fabric 1.domain(")
    assert sheet["checks"] == [{"id": "OFI-CQ-031", "ok": True, "sentence": "checked before"}]


def test_the_smallest_input_is_kept_and_the_record_keeps_its_schema(record: dict[str, Any]) -> None:
    failure = next(item for item in record["failures"] if item["requirement"] == "OFI-CQ-034")
    assert failure["program"] == "large_values_break(kit, [100])"
    place = record["place"]
    jsonschema.validate(json.loads((place / "report.json").read_text(encoding="utf-8")), schema("report"))
    for path in (place / "failures").iterdir():
        document = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.validate(document, schema("body" if document["schema"].startswith("ofi-conform") else "evidence"))


def test_programs_are_run_on_two_nodes(record: dict[str, Any]) -> None:
    found = next(row for row in record["requirements"] if row["id"] == "OFI-MSG-002")
    assert found["examples"] == 3
    assert found["verdict"] != "FAIL"


def test_a_failed_body_is_replayed(conform: Conform, record: dict[str, Any]) -> None:
    path = record["place"] / "failures" / "OFI-CQ-034-dgram-default.json"
    done = conform("replay", path, "--count", "2", "--cases", HERE / "made_up")
    assert done.code == 1, done.err
    assert "OFI-CQ-034 was broken in 2 of 2 runs" in done.out
    done = conform("judge", path)
    assert done.code == 1
    assert "every number is small" in done.out


def test_cases_that_the_suite_refuses_are_errors_and_are_told(tmp_path: Path) -> None:
    found = judged(tmp_path, HERE / "broken")
    assert found["exit"] == 255
    told = {trouble["where"].partition(" ")[0]: trouble["text"] for trouble in found["troubles"]}
    assert told.keys() == {
        "test_import.py",
        "test_names.py::test_an_id_that_does_not_exist",
        "test_names.py::test_no_id",
        "test_names.py::test_no_fixture",
        "test_names.py::test_a_body_inside_a_case",
    }
    assert "OFI-CQ-999" in told["test_names.py::test_an_id_that_does_not_exist"]
    assert "is not a module-level function" in told["test_names.py::test_a_body_inside_a_case"]


def test_a_failure_can_be_waived(tmp_path: Path) -> None:
    path = tmp_path / "waivers.json"
    waiver = {"requirement": "OFI-CQ-034", "owner": "us", "reason": "made up"}
    path.write_text(json.dumps({"schema": 1, "waivers": [waiver]}), encoding="utf-8")
    found = judged(tmp_path, HERE / "made_up", "OFI-CQ-034", waivers=path)
    assert rows(found) == {"OFI-CQ-034": ("WAIVED", "us: made up")}
    assert found["exit"] == 0


def test_the_second_run_tries_what_failed_in_the_first(tmp_path: Path) -> None:
    judged(tmp_path, HERE / "made_up", "OFI-CQ-034")
    again = judged(tmp_path, HERE / "made_up", "OFI-CQ-034", examples=1)
    assert [failure["stored"] for failure in again["failures"]] == [True]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_reports_what_it_learned(tmp_path: Path, number: int) -> None:
    words = ["run", TARGET, "--config", "default", "--out", "result", "--seed", "1", "--cases", str(HERE / "hanging")]
    command = [sys.executable, "-m", "ofi_conformance.cli", *words]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if "OFI-CQ-038" in line:  # the next case hangs
                break
        time.sleep(0.5)
        os.kill(child.pid, number)
        out, err = child.communicate(timeout=60)
    assert "interrupted: this is what was learned so far" in out, err
    record = json.loads((tmp_path / "result" / "report.json").read_text(encoding="utf-8"))
    assert record["interrupted"]
    assert rows(record)["OFI-CQ-038"][0] == "FAIL"
    assert rows(record)["OFI-CQ-039"] == ("INCONCLUSIVE", "interrupted")
    assert child.returncode == 130


def test_strict_fails_what_stayed_open(conform: Conform) -> None:
    words = ["run", TARGET, "OFI-CQ-026", "--config", "default", "--cases", str(HERE / "made_up")]
    assert conform(*words).code == 0
    assert conform(*words, "--strict").code == 2
