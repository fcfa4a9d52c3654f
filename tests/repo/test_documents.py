# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The documents hold: they build without a warning, and what they tell a reader to type exists.

Commands are read out of console blocks (``code-block:: console``, lines that begin with ``$``): ``make`` is held
against the Makefile, ``ofi-conform`` is parsed by its own parser, a target by the suite. Others are the reader's.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from ofi_conformance import cli
from ofi_conformance.target import Target
from ofi_conformance.waivers import load_waivers

DOCUMENTS = ("README.rst", "CONTRIBUTING.rst", "docs")
BLOCK = re.compile(r"^( *)\.\. code-block:: console\n\n((?:\1   .*\n|\n)+)", re.MULTILINE)


def commands(text: str) -> Iterator[list[str]]:
    """What follows each ``$`` of each console block, continued lines joined, comments dropped."""
    for block in BLOCK.finditer(text):
        lines = re.sub(r"\\\n\s*", "", block[2])
        for line in re.findall(r"^\s*\$ (.*)$", lines, re.MULTILINE):
            yield shlex.split(line, comments=True)


def documents(root: Path) -> Iterator[Path]:
    for name in DOCUMENTS:
        yield from sorted((root / name).rglob("*.rst")) if (root / name).is_dir() else [root / name]


@pytest.fixture(scope="module")
def typed(root: Path) -> list[tuple[str, list[str]]]:
    """(document, command) of every console block."""
    found = [
        (str(path.relative_to(root)), words)
        for path in documents(root)
        for words in commands(path.read_text(encoding="utf-8"))
    ]
    assert len(found) > 10
    return found


def targets_of_make(text: str) -> set[str]:
    return set(re.findall(r"^([a-z]+):(?!=)", text, re.MULTILINE))


def test_make_has_the_targets_that_the_documents_name(root: Path, typed: list[tuple[str, list[str]]]) -> None:
    there = targets_of_make((root / "Makefile").read_text(encoding="utf-8"))
    assert {"conform", "test", "help", "release", "spec", "docs", "lint", "export", "clean"} <= there
    for document, words in typed:
        if words[0] == "make":
            assert {word for word in words[1:] if "=" not in word} <= there, document


def test_the_readme_begins_with_its_two_commands(root: Path) -> None:
    first = (root / "README.rst").read_text(encoding="utf-8").split("\n\n.. code-block:: console\n", 1)[0]
    assert len(first.splitlines()) < 12
    text = (root / "README.rst").read_text(encoding="utf-8")
    assert list(commands(text))[:2] == [["make", "conform"], ["make", "test"]]


def test_make_help_tells_every_target(root: Path) -> None:
    told = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=root, capture_output=True, text=True, check=True
    )
    for target in targets_of_make((root / "Makefile").read_text(encoding="utf-8")):
        assert re.search(rf"^  {target}\s+\S", told.stdout, re.MULTILINE), f"make help is silent about {target}"


def test_what_the_documents_type_is_understood(typed: list[tuple[str, list[str]]]) -> None:
    ours = [(document, words[1:]) for document, words in typed if words[0] == "ofi-conform"]
    assert len(ours) > 5
    for document, words in ours:
        if "|" in words:
            words = words[: words.index("|")]
        try:
            understood = cli._parser().parse_args(words)
        except Exception as error:
            pytest.fail(f"{document}: ofi-conform {shlex.join(words)}: {error}", pytrace=False)
        if understood.command == "run" and not understood.all:
            Target.parse(understood.words[0])


def test_every_command_is_documented(root: Path) -> None:
    guide = (root / "docs" / "vendors.rst").read_text(encoding="utf-8")
    for command in ("run", "list", "explain", "providers", "judge", "replay", "schema"):
        assert f"ofi-conform {command}" in guide, f"the vendor's guide is silent about {command}"


def test_the_waivers_in_the_guide_can_be_used(root: Path, tmp_path: Path) -> None:
    guide = (root / "docs" / "vendors.rst").read_text(encoding="utf-8")
    example = re.search(r"code-block:: toml\n\n((?:   .*\n|\n)+)", guide)
    assert example is not None
    (tmp_path / "waivers.toml").write_text(textwrap.dedent(example[1]), encoding="utf-8")
    assert load_waivers(tmp_path / "waivers.toml")


def test_the_guides_build_without_a_warning(root: Path, tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", str(tmp_path / "html")],
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    page = (tmp_path / "html" / "index.html").read_text(encoding="utf-8")
    fetched = re.findall(r"""<(?:script|link|img)[^>]+(?:src|href)=["'](https?:[^"']+)""", page)
    assert fetched == [], "a page that fetches something is not readable offline"
