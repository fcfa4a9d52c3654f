# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The record of a run, and its forms: one fold, four ways to read it."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rich.console import Console

from ofi_conformance import evidence as files
from ofi_conformance.catalogue import Selection
from ofi_conformance.report import console as printing
from ofi_conformance.report.html import index
from ofi_conformance.report.write import OutputError, prepare, write
from ofi_conformance.schemas import schema

from . import samples


@pytest.fixture
def record(tmp_path: Path) -> dict[str, Any]:
    prepare(tmp_path)
    return write(samples.result(tmp_path))


def verdicts(record: dict[str, Any]) -> dict[str, str]:
    return {row["id"].removeprefix("OFI-RMA-"): row["verdict"] for row in record["requirements"]}


def test_every_requirement_gets_the_verdict_that_its_cases_found(record: dict[str, Any]) -> None:
    assert verdicts(record) == {
        "001": "PASS",
        "002": "FAIL",  # in one configuration; kept in the other
        "003": "NOT-SUPPORTED",
        "004": "INCONCLUSIVE",
        "005": "WAIVED",
        "006": "ERROR",
        "007": "INCONCLUSIVE",
        "009": "PASS",
        "010": "FAIL",
    }
    rows = {row["id"]: row for row in record["requirements"]}
    assert rows["OFI-RMA-004"]["why"] == "never exercised"
    assert rows["OFI-RMA-007"]["why"] == "no case decides it"
    assert rows["OFI-RMA-003"]["why"] == "needs cap:TAGGED"
    assert rows["OFI-RMA-005"]["why"] == "someone: known since 1.17"
    cells = rows["OFI-RMA-002"]["configurations"]
    assert [cells[name]["verdict"] for name in ("rdm-default", "rdm-delivery")] == ["FAIL", "PASS"]


def test_what_is_informative_does_not_count(record: dict[str, Any]) -> None:
    assert [row["id"] for row in record["requirements"] if row["informative"]] == ["OFI-RMA-009"]
    assert sum(record["summary"].values()) == len(record["requirements"]) - 1
    assert record["summary"]["PASS"] == 1


def test_who_cannot_be_tested_is_named_with_the_reason(record: dict[str, Any]) -> None:
    assert [(item["id"], item["why"]) for item in record["untested"]] == [
        ("OFI-RMA-008", "there is no power to fail here")
    ]


def test_our_errors_are_not_hidden(tmp_path: Path, record: dict[str, Any]) -> None:
    assert record["exit"] == 255
    assert record["troubles"][0]["text"] == "ZeroDivisionError: ours"
    prepare(tmp_path / "other")
    ledger = samples.result(tmp_path / "other", troubles=False)
    assert write(ledger)["exit"] == 255  # the row with ERROR alone


def test_a_failure_tells_spec_promise_program_rate_and_replay(tmp_path: Path, record: dict[str, Any]) -> None:
    failure = next(item for item in record["failures"] if item["requirement"] == "OFI-RMA-002")
    assert failure["promised"] == ["ep_attr.type RDM", "caps RMA", "msg_order WAW", "max_order_waw_size 65536"]
    assert failure["rate"] == [7, 10]
    assert failure["let"] == ["W1 = write <x>"]
    assert "write B.x[0:32]" in failure["program"]
    assert failure["replay"] == f"ofi-conform replay {tmp_path}/failures/OFI-RMA-002-rdm-default.json"


def test_the_record_keeps_its_schema(tmp_path: Path, record: dict[str, Any]) -> None:
    jsonschema.validate(json.loads((tmp_path / "report.json").read_text(encoding="utf-8")), schema("report"))


def test_failure_files_keep_theirs_and_can_be_read(tmp_path: Path, record: dict[str, Any]) -> None:
    paths = sorted((tmp_path / "failures").iterdir())
    assert [path.name for path in paths] == ["OFI-RMA-002-rdm-default.json", "OFI-RMA-010-rdm-default.json"]
    for path, name in zip(paths, ("evidence", "body"), strict=True):
        jsonschema.validate(json.loads(path.read_text(encoding="utf-8")), schema(name))
        read = files.load(path)
        assert (read.target, read.configuration, read.provider, read.seed) == (
            "libfabric:tcp",
            "rdm-default",
            "tcp 117.0",
            4711,
        )
    assert isinstance(read, files.BodyEvidence)
    assert read.value == [1, b"\x00\xff"]


def test_failure_files_of_an_earlier_run_go(tmp_path: Path, record: dict[str, Any]) -> None:
    old = tmp_path / "failures" / "OFI-RMA-001-rdm-default.json"
    old.write_text("{}", encoding="utf-8")
    write(samples.result(tmp_path))
    assert not old.exists()


def test_junit_has_a_case_for_every_requirement_and_configuration(tmp_path: Path, record: dict[str, Any]) -> None:
    top = ElementTree.parse(tmp_path / "junit.xml").getroot()
    suites = {suite.get("name"): suite for suite in top}
    one = suites["rdm-default"]
    counts = {key: int(one.get(key, "")) for key in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": 9, "failures": 2, "errors": 1, "skipped": 4}
    assert {case.get("classname") for case in one} == {row["id"] for row in record["requirements"]}
    failure = next(case for case in one if case.get("classname") == "OFI-RMA-002").find("failure")
    assert failure is not None
    assert "ofi-conform replay" in (failure.text or "")
    assert suites["ofi-conform"].get("errors") == "1"


class Page(HTMLParser):
    """What a browser would fetch, the ids, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.ids: set[str] = set()
        self.stack: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids.add(found.get("id") or "")
        for key in ("src", "data", "poster", "srcset"):
            if found.get(key):
                self.fetched.append(found[key] or "")
        if tag in ("link", "iframe", "object", "embed", "img", "base"):
            self.fetched.append(tag)
        if tag == "a" and not (found.get("href") or "").startswith("#"):
            self.fetched.append(found.get("href") or "")
        if tag not in ("meta", "input", "col", "br", "link", "img"):
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag


def test_the_page_needs_nothing_but_itself(tmp_path: Path, record: dict[str, Any]) -> None:
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.fetched == []
    assert page.stack == []
    assert not re.search(r"https?://|@import|url\(|fetch\(|XMLHttpRequest", text)
    for row in record["requirements"]:
        assert row["id"] in page.ids
    assert "OFI-RMA-002-rdm-default" in page.ids


def test_the_page_quotes_what_providers_say(tmp_path: Path, record: dict[str, Any]) -> None:
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "</script><b>" not in text
    assert "However, &lt;/script&gt;&lt;b&gt;." in text
    assert "is broken &lt;here&gt; &amp;" in text
    assert text.count("<script>") == 1


def test_the_page_tells_history_and_calls(tmp_path: Path, record: dict[str, Any]) -> None:
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    for words in (
        "after 3 times EAGAIN",
        "failed: ETRUNC (tx, olen 7",
        "waited until the bound",
        "barrier 1",
        "bytes after it changed",
        "Endpoint 1.read(buf[4])",
        "7 of 10 runs",
    ):
        assert words in text, words


def test_the_index_links_reports_and_names_what_was_not_judged(record: dict[str, Any]) -> None:
    text = index([{"record": record, "place": "tcp"}], ["kfabric:sockets was not judged."])
    page = Page(text)
    assert page.fetched == ["tcp/report.html", "tcp/report.html#OFI-RMA-002", "tcp/report.html#OFI-RMA-010"]
    assert "kfabric:sockets was not judged." in text


def test_the_console_tells_rows_failures_and_a_summary(record: dict[str, Any]) -> None:
    stream = io.StringIO()
    printing.show(Console(width=160, file=stream, soft_wrap=True), record, verbose=False, out="result")
    text = stream.getvalue()
    assert "OFI-RMA-003" in text
    assert 'OFI-RMA-002  spec: "The provider MUST see to this' in text
    assert "Let   W1 = write <x>" in text
    assert "Rate  7 of 10 runs" in text
    assert "error of the suite, not of the provider" in text
    assert "waiver matched nothing: OFI-RMA-001" in text
    assert "8 requirements: 1 pass, 1 not supported, 1 waived, 2 inconclusive, 1 error, 2 fail" in text


def test_what_is_broken_outside_a_selection_is_named_and_does_not_decide(tmp_path: Path) -> None:
    prepare(tmp_path)
    result = samples.result(tmp_path, troubles=False)
    result.selection = Selection(ids=frozenset({"OFI-RMA-001"}))
    record = write(result)
    assert verdicts(record) == {"001": "PASS"}
    assert record["outside"] == ["OFI-RMA-002", "OFI-RMA-010"]
    assert record["failures"] == []
    assert record["exit"] == 0


def test_a_directory_that_cannot_be_written_is_found_first(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot write the report to"):
        prepare(blocked / "result")
