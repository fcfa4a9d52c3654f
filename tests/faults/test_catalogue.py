# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The catalogue of planted faults agrees with the specification, the cases and the code."""

from __future__ import annotations

import pytest

from ofi_conformance.catalogue import collect
from ofi_conformance.faults import implemented
from ofi_conformance.faults.catalogue import CatalogueError, Entry, catalogue, read
from ofi_conformance.faults.fault import IMPLEMENTED
from ofi_conformance.requirements import all_requirements
from ofi_conformance.settings import cases_directory
from ofi_conformance.target import Target

ENTRIES = list(catalogue().values())
AT_LEAST = 25
HEAD = 'format = 1\n[usual]\ntarget = "libfabric:sockets/rdm"\nconfiguration = "default"\n'


def test_every_fault_can_be_planted_and_every_planted_one_is_catalogued() -> None:
    assert implemented() == set(catalogue())
    assert len(catalogue()) > AT_LEAST


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_entry(entry: Entry) -> None:
    requirements = all_requirements()
    assert Target.parse(entry.target).ep_type
    assert entry.name == "none" or entry.must
    for name in entry.concerned:
        assert requirements[name].judged, f"{name} is decided by nobody"
    if entry.name != "none":
        said = " ".join((IMPLEMENTED[entry.name].__doc__ or "").split())
        assert said == entry.breaks, "code and catalogue say different things"


def test_what_a_fault_must_turn_is_decided_by_a_case() -> None:
    book = collect(cases_directory())
    missing = {name for entry in ENTRIES for name in entry.must if not book.deciding(name)}
    assert not missing


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("format = 2\n[usual]\n", "format 1"),
        (HEAD + '[[fault]]\nname = "a"\nbreaks = ""\nwhere = "cq"\nmust = []\n', "fault a: its keys"),
        (
            HEAD + '[[fault]]\nname = "a"\nbreaks = ""\nwhere = "cq"\nmust = []\nmay = []\nx = 1\n',
            "fault a: its keys",
        ),
        (HEAD + '[[fault]]\nname = "a"\nbreaks = ""\nwhere = "moon"\nmust = []\nmay = []\n', "unknown place"),
        (HEAD + '[[fault]]\nname = "a"\nbreaks = ""\nwhere = "cq"\nmust = ["X"]\nmay = ["X"]\n', "both must and may"),
    ],
)
def test_a_broken_catalogue_names_the_fault(text: str, words: str) -> None:
    with pytest.raises(CatalogueError, match=words):
        read(text)
