# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The HTML builds without a warning, and every requirement can be linked to."""

import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
import source

pytest.importorskip("sphinx_needs", reason="the specification's tools are the extra 'spec'")
pytest.importorskip("furo")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("html")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    built = subprocess.run([*command, str(source.SPEC), str(out)], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return out


def page(pages: Path, requirement: source.Requirement) -> str:
    folder = pages / "shared" if requirement.document == "shared" else pages
    return (folder / requirement.file).with_suffix(".html").read_text(encoding="utf-8")


def test_every_requirement_has_its_anchor_and_its_sentence(pages: Path) -> None:
    for requirement in source.read():
        text = page(pages, requirement)
        assert text.count(f'id="{requirement.id}"') == 1, requirement.id
        seen = re.sub(r"\W", "", unescape(re.sub(r"<[^>]+>", "", text)))
        assert re.sub(r"\W", "", requirement.text) in seen, requirement.id


def test_links_between_requirements_and_chapters_lead_somewhere(pages: Path) -> None:
    anchors = {
        path: set(re.findall(r'id="([^"]+)"', path.read_text(encoding="utf-8"))) for path in pages.rglob("*.html")
    }
    for path in anchors:
        for link in re.findall(r'href="([^"]*)"', path.read_text(encoding="utf-8")):
            target, _, anchor = link.partition("#")
            if "://" in link or not anchor:
                continue
            home = (path.parent / target).resolve() if target else path
            assert anchor in anchors.get(home, set()), f"{path.name}: {link}"


def test_nothing_is_fetched_from_elsewhere(pages: Path) -> None:
    for path in pages.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        fetched = re.findall(r'(?:<script[^>]+src|<link[^>]+stylesheet[^>]+href)="(https?://[^"]+)"', text)
        assert fetched == [], path.name
