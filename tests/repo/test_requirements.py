# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Ids hold the project together: every one that is named exists, and every MUST is decided or says why it cannot be.

What a case decides is what its marker says, as the suite collects it: nothing is found here that it would not run.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXPORTED = "conformance/ofi_conformance/data/requirements.json"
ID = re.compile(r"\b(?:OFI|KFI|FPM)-[A-Z]+-\d{3}\b")
SPEAKING = ("conformance", "reference", "spec", "docs", "README.rst", "CONTRIBUTING.rst", "CHANGELOG.rst")
"""Where an id is a reference. (The project's tests also use ids that must not exist.)"""

BINDING = {"MUST", "MUST NOT", "SHALL", "SHALL NOT", "REQUIRED"}


@pytest.fixture(scope="module")
def requirements(root: Path) -> dict[str, dict[str, str]]:
    found = {entry["id"]: entry for entry in json.loads((root / EXPORTED).read_text(encoding="utf-8"))["requirements"]}
    assert len(found) >= 100
    return found


@pytest.fixture(scope="module")
def decided() -> dict[str, list[str]]:
    """Id -> cases that name it, as the suite itself collects them (an id may also stand in a litmus text)."""
    listed = subprocess.run(
        [sys.executable, "-m", "ofi_conformance.cli", "list", "--cases-only"], capture_output=True, text=True
    )
    assert listed.returncode == 0, f"a file of cases cannot be collected\n{listed.stdout}{listed.stderr}"
    together: dict[str, list[str]] = {}
    for line in listed.stdout.splitlines():
        case, _, ids = line.partition("  ")
        for name in ids.split():
            together.setdefault(name, []).append(case)
    assert len(together) > 50
    return together


def test_every_id_that_is_named_exists(
    root: Path, tracked: list[Path], requirements: dict[str, dict[str, str]]
) -> None:
    strangers = set()
    for path in tracked:
        if str(path) == EXPORTED or not str(path).startswith(SPEAKING):
            continue
        data = (root / path).read_bytes()
        if b"\0" not in data:
            named = set(ID.findall(data.decode("utf-8")))
            strangers |= {f"{path}: {name}" for name in named if name not in requirements}
    if strangers:
        pytest.fail("\n".join(sorted(strangers)), pytrace=False)


def test_every_must_is_decided_or_says_why_not(
    requirements: dict[str, dict[str, str]], decided: dict[str, list[str]]
) -> None:
    open_ones = [
        f"{name}: {entry['text']}"
        for name, entry in requirements.items()
        if entry["level"] in BINDING and entry["binds"] == "provider" and name not in decided and not entry["untested"]
    ]
    if open_ones:
        title = f"{len(open_ones)} requirements that no case names and that give no reason (:untested:):"
        pytest.fail("\n".join([title, *open_ones]), pytrace=False)


def test_a_reason_is_given_only_where_nothing_decides(
    requirements: dict[str, dict[str, str]], decided: dict[str, list[str]]
) -> None:
    both = [name for name, entry in requirements.items() if entry["untested"] and name in decided]
    assert both == [], "these say that no case decides them, but a case names them"


def test_cases_decide_what_binds_a_provider(
    requirements: dict[str, dict[str, str]], decided: dict[str, list[str]]
) -> None:
    wrong = [f"{name} ({cases[0]})" for name, cases in decided.items() if requirements[name]["binds"] != "provider"]
    assert wrong == [], "nobody can hold a provider to what binds an application"
