# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Failure files come back as they were written, and a wrong one is told in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kfabric.model import codec
from ofi_conformance import evidence as files

from . import samples

HEADER = files.Header("libfabric:tcp", "tcp 117.0", "libfabric 1.17", "0.1.0", 4711, "drop-a-completion")


def test_a_program_with_its_history_comes_back() -> None:
    written = files.stamped(samples.evidence(), HEADER, "OFI-RMA-002", "rdm-default")
    assert files.decode(json.loads(json.dumps(files.encode(written)))) == written


def test_a_body_with_bytes_in_its_input_comes_back() -> None:
    body = files.BodyEvidence("test_a.py::test_b", "body", {"n": 1}, {"checks": []}, [b"\x00", {"k": [1, None]}], True)
    written = files.stamped(body, HEADER, "OFI-RMA-002", "rdm-default")
    assert files.decode(json.loads(json.dumps(files.encode(written)))) == written


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is no JSON"),
        ("[]", "is no failure file"),
        ('{"schema": "ofi-conform.body/2"}', "ofi-conform.body/2"),
        ('{"schema": "kfabric.evidence/99"}', "kfabric.evidence/99"),
        ('{"schema": "ofi-conform.body/1", "case": "c"}', "case or body is missing"),
        ('{"schema": "ofi-conform.body/1", "case": "c", "body": "b", "other": 1}', "other"),
    ],
)
def test_a_file_that_is_none_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "f.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(files.EvidenceError, match=sentence) as caught:
        files.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_program_alone_is_no_failure(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_text(codec.dumps(samples.evidence().program), encoding="utf-8")
    with pytest.raises(files.EvidenceError, match="is no failure"):
        files.load(path)
