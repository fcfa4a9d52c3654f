# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Cases are collected without a provider, and a selection never turns into an empty run by itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ofi_conformance.catalogue import Catalogue, SelectionError, collect, runnable, select
from ofi_conformance.requirements import all_requirements
from ofi_conformance.settings import cases_directory

CASES = '''
from ofi_conformance import requirement

@requirement("OFI-RMA-001", "OFI-RMA-002")
def test_bytes(road):
    """Bytes land where they should."""

@requirement("OFI-CQ-001")
def test_empty(local):
    raise AssertionError("nothing runs while cases are collected")
'''


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    (tmp_path / "rma").mkdir()
    (tmp_path / "rma" / "test_rma.py").write_text(CASES, encoding="utf-8")
    return collect(tmp_path)


def chosen(catalogue: Catalogue, *words: str) -> set[str]:
    selection = select(words, all_requirements(), catalogue)
    return {case.function for case in catalogue.cases if selection.wants(case.name, case.ids)}


def test_cases_are_known_by_file_function_ids_and_sentence(catalogue: Catalogue) -> None:
    assert [(case.name, case.ids, case.sentence) for case in catalogue.cases] == [
        ("rma/test_rma.py::test_bytes", ("OFI-RMA-001", "OFI-RMA-002"), "Bytes land where they should."),
        ("rma/test_rma.py::test_empty", ("OFI-CQ-001",), ""),
    ]
    assert catalogue.troubles == []


@pytest.mark.parametrize(
    ("word", "functions"),
    [
        ("OFI-RMA-001", {"test_bytes"}),
        ("ofi-rma-001", {"test_bytes"}),
        ("OFI-RMA", {"test_bytes"}),
        ("RMA", {"test_bytes"}),
        ("rma", {"test_bytes"}),
        ("cq", {"test_empty"}),
        ("OFI", {"test_bytes", "test_empty"}),
        ("test_rma.py", {"test_bytes", "test_empty"}),
        ("rma/test_rma.py::test_bytes", {"test_bytes"}),
        ("test_rma.py::test_bytes", {"test_bytes"}),
        ("test_bytes", {"test_bytes"}),
        ("rma/bytes", {"test_bytes"}),
    ],
)
def test_a_word_selects(catalogue: Catalogue, word: str, functions: set[str]) -> None:
    assert chosen(catalogue, word) == functions


def test_no_word_selects_everything(catalogue: Catalogue) -> None:
    assert chosen(catalogue) == {"test_bytes", "test_empty"}


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("OFI-RMA-00I", r"did you mean OFI-RMA-0\d\d\?"),
        ("test_byte", r"did you mean .*test_bytes\?"),
        ("zzz", "no requirement, area, chapter or case$"),
        ("OFI-TAG-001", "no case decides OFI-TAG-001"),
    ],
)
def test_a_word_that_selects_nothing_is_an_error(catalogue: Catalogue, word: str, sentence: str) -> None:
    with pytest.raises(SelectionError, match=sentence):
        runnable([word], all_requirements(), catalogue)


def test_a_selected_case_brings_its_ids_and_no_others(catalogue: Catalogue) -> None:
    selection = select(["test_bytes"], all_requirements(), catalogue)
    assert selection.reports("OFI-RMA-001", {"OFI-RMA-001"})
    assert not selection.reports("OFI-CQ-001", {"OFI-RMA-001"})


def test_a_file_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "test_good.py").write_text(CASES, encoding="utf-8")
    (tmp_path / "test_bad.py").write_text("import nothing_of_that_name\n", encoding="utf-8")
    found = collect(tmp_path)
    assert len(found.cases) == 2
    assert [where for where, _ in found.troubles] == ["test_bad.py"]


def test_nobody_elses_pytest_configuration_has_a_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n", encoding="utf-8")
    (tmp_path / "test_it.py").write_text(CASES, encoding="utf-8")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    monkeypatch.chdir(tmp_path)
    assert len(collect(tmp_path).cases) == 2
    assert os.environ["PYTEST_ADDOPTS"] == "--no-such-option"


def test_the_projects_own_cases_are_found() -> None:
    found = collect(cases_directory())
    assert found.troubles == []
    assert found.cases
    known = {item.id for item in all_requirements()}
    for case in found.cases:
        assert case.ids, case.name
        assert known.issuperset(case.ids), case.name
