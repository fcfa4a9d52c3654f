# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The command line: what can be asked without a provider, and one sentence for every mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ofi_conformance import evidence as files
from ofi_conformance.cli import main

from . import samples
from .conftest import Conform

HEADER = files.Header("libfabric:tcp", "tcp 117.0", "libfabric 1.17", "0.1.0", 4711)


def test_list_names_requirements_and_how_many_cases_decide_them(conform: Conform) -> None:
    done = conform("list", "OFI-RMA-001", "OFI-AV-019")
    assert done.code == 0
    lines = done.out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("OFI-AV-019")
    assert "(binds the application)" in lines[0]
    assert lines[1].startswith("OFI-RMA-001")


def test_explain_tells_the_words_and_where_they_come_from(conform: Conform) -> None:
    done = conform("explain", "ofi-rma-001")
    assert done.code == 0
    for words in ("OFI-RMA-001", "The provider MUST", "cap:RMA cap:WRITE cap:REMOTE_WRITE", "man fi_rma(3)"):
        assert words in done.out


@pytest.mark.parametrize("name", ["waivers", "report", "program", "history", "guarantees", "evidence"])
def test_schema_prints_a_schema(conform: Conform, name: str) -> None:
    done = conform("schema", name)
    assert done.code == 0
    assert "$schema" in json.loads(done.out)


def test_schema_lists_its_names(conform: Conform) -> None:
    assert {"waivers", "report", "body", "program"} <= set(conform("schema").out.split())


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["run"], 254, "run wants a target, as libfabric:tcp"),
        (["run", "tcp"], 254, "'tcp' is not a target"),
        (["run", "quux:tcp"], 254, "unknown backend 'quux'"),
        (["run", "libfabric:tcp/stream"], 254, "unknown endpoint type 'stream'"),
        (["run", "libfabric:tcp?color=red"], 254, "unknown hint 'color'"),
        (["run", "libfabric:tcp", "OFI-RMA-O01"], 2, "did you mean OFI-RMA-0"),
        (["run", "libfabric:tcp", "--seed", "x"], 254, "argument --seed"),
        (["run", "libfabric:tcp", "--examples", "0"], 254, "argument --examples"),
        (["run", "libfabric:tcp", "--waivers", "none.toml"], 254, "cannot read waivers none.toml: No such file"),
        (["run", "libfabric:tcp", "--out", "/proc/nothing"], 254, "cannot write the report to /proc/nothing"),
        (
            ["run", "libfabric:tcp", "--fault", "nothing-of-the-kind"],
            254,
            "there is no fault called 'nothing-of-the-kind'",
        ),
        (["explain", "OFI-RMA-O01"], 2, "no requirement is called OFI-RMA-O01; did you mean OFI-RMA-"),
        (["list", "nothing"], 2, "nothing is called 'nothing'"),
        (["schema", "nothing"], 254, "no schema is called nothing; there are"),
        (["judge", "none.json"], 254, "cannot read none.json: No such file"),
        (["replay", "none.json"], 254, "cannot read none.json: No such file"),
        (["fly"], 254, "invalid choice: 'fly'"),
        ([], 254, "COMMAND"),
    ],
)
def test_a_mistake_is_one_sentence(
    words: list[str],
    code: int,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == code
    told = capsys.readouterr().err
    lines = [line for line in told.splitlines() if line.startswith("ofi-conform: ")]
    assert len(lines) == 1
    assert sentence in lines[0]
    assert "Traceback" not in told


def test_a_library_that_is_not_there_is_named_with_what_to_install(conform: Conform) -> None:
    done = conform("run", "libfabric:tcp", KFABRIC_LIBFABRIC="/nowhere/libfabric.so.1")
    assert done.code == 254
    assert "/nowhere/libfabric.so.1" in done.err
    assert "Traceback" not in done.err


def test_run_all_without_libfabric_says_what_was_not_judged(conform: Conform) -> None:
    done = conform("run", "--all", "--complete", KFABRIC_LIBFABRIC="/nowhere/libfabric.so.1")
    assert done.code == 0, done.err
    assert "kfabric:sockets" in done.out
    assert "libfabric:tcp, libfabric:sockets" in done.out
    assert "install libfabric1" in done.out
    assert "libfabric:tcp, libfabric:sockets" in (done.report / "index.html").read_text(encoding="utf-8")


def written(place: Path) -> Path:
    """A failure file of the constructed run."""
    path = place / "f.json"
    stamped = files.stamped(samples.evidence("OFI-CQ-001"), HEADER, "OFI-CQ-001", "msg-default")
    path.write_text(json.dumps(files.encode(stamped)), encoding="utf-8")
    return path


def test_judge_decides_a_file_offline(conform: Conform, tmp_path: Path) -> None:
    done = conform("judge", written(tmp_path), "--explain", KFABRIC_LIBFABRIC="/nowhere/libfabric.so.1")
    assert done.code in (0, 1, 2), done.err
    assert "OFI-CQ-001 · libfabric:tcp msg-default · tcp 117.0" in done.out
    assert "barrier 1" in done.out
    assert "put to the test" in done.out


@pytest.mark.usefixtures("libfabric")
def test_a_file_of_another_provider_cannot_be_replayed_in_silence(conform: Conform, tmp_path: Path) -> None:
    path = written(tmp_path)
    done = conform("replay", path, "--target", "libfabric:udp")
    assert done.code == 254
    assert "was recorded in configuration msg-default, which is not here" in done.err
    done = conform("replay", path, "--target", "libfabric:sockets", "--count", "1")
    assert "recorded with provider tcp 117.0, run with sockets" in done.out


@pytest.mark.usefixtures("libfabric")
def test_a_provider_that_nobody_offers(conform: Conform) -> None:
    done = conform("run", "libfabric:quux")
    assert done.code == 254
    assert "quux" in done.err
    assert "Traceback" not in done.err


@pytest.mark.usefixtures("libfabric")
def test_a_shared_object_that_is_no_provider(conform: Conform, tmp_path: Path) -> None:
    path = tmp_path / "libnothing-fi.so"
    path.write_bytes(b"not an object")
    done = conform("run", f"libfabric:{path}")
    assert done.code == 254
    assert "cannot be loaded" in done.err


@pytest.mark.usefixtures("libfabric")
def test_a_configuration_that_is_not_there(conform: Conform) -> None:
    done = conform("run", "libfabric:udp", "--config", "nothing")
    assert done.code == 2
    assert "no configuration is called nothing; there are dgram-default" in done.err


@pytest.mark.usefixtures("libfabric")
def test_providers_tells_configurations_and_attributes(conform: Conform) -> None:
    done = conform("providers", "libfabric:udp")
    assert done.code == 0, done.err
    assert "dgram-default" in done.out
    assert "msg_order" in done.out
