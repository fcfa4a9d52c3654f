# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Ids hold the project together: every one that is named exists, and every MUST is decided or says why it cannot be.

Reads the cases by their syntax tree, never by importing them: what a case claims is what stands in its marker.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
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


def _literals(nodes: Iterable[ast.expr], lists: dict[str, ast.expr], where: str) -> Iterator[str]:
    """Texts that stand in the file; a starred name is a list of them at the top of it."""
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Starred) and isinstance(node.value, ast.Name) and node.value.id in lists:
            listed = lists[node.value.id]
            yield from _literals(listed.elts if isinstance(listed, ast.Tuple | ast.List) else [listed], {}, where)
        else:
            raise TypeError(f"{where}:{node.lineno}: a requirement id must be written out")


def marked(source: str, where: str) -> dict[str, list[str]]:
    """Id -> cases that name it in ``@requirement(...)``. An id that is no literal is an error: nobody could find it."""
    decided: dict[str, list[str]] = {}
    tree = ast.parse(source, where)
    lists = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for decorator in function.decorator_list:
            if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "requirement":
                for name in _literals(decorator.args, lists, where):
                    decided.setdefault(name, []).append(f"{where}::{function.name}")
    return decided


@pytest.fixture(scope="module")
def decided(root: Path) -> dict[str, list[str]]:
    together: dict[str, list[str]] = {}
    for path in sorted((root / "conformance" / "cases").rglob("test_*.py")):
        for name, cases in marked(path.read_text(encoding="utf-8"), path.name).items():
            together.setdefault(name, []).extend(cases)
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


def test_the_scan_sees_markers_and_refuses_hidden_ids() -> None:
    seen = marked('@requirement("OFI-A-001", "OFI-A-002")\ndef test_x(road): ...\n', "test_a.py")
    assert seen == {"OFI-A-001": ["test_a.py::test_x"], "OFI-A-002": ["test_a.py::test_x"]}
    listed = 'IDS = ("OFI-A-001",)\n@requirement(*IDS)\ndef test_x(road): ...\n'
    assert marked(listed, "test_a.py") == {"OFI-A-001": ["test_a.py::test_x"]}
    with pytest.raises(TypeError, match=r"test_a.py:1"):
        marked("@requirement(*IDS)\ndef test_x(road): ...\n", "test_a.py")
    with pytest.raises(TypeError, match=r"test_a.py:1"):
        marked("@requirement(area + number)\ndef test_x(road): ...\n", "test_a.py")
