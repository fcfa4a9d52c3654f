# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What every file of the repository owes its reader: a licence, an end, no unexpected address."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import pytest

SPDX = "SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause"
SOURCES = {".py", ".pyi", ".c", ".h", ".cmake", ".toml", ".css", ".js", ".j2", ".sh", ".ld", ".map"}
SOURCE_NAMES = {"Makefile", "CMakeLists.txt", ".ci/run", ".editorconfig"}

SOFT_LIMIT = 400
LONGER: dict[str, tuple[int, str]] = {
    # file: (its own limit, why it is better whole)
    "reference/native/include/kfabric/ofi_abi.h": (2000, "one binary interface, declared once and compared as a whole"),
    "reference/kfabric/api/constants.py": (600, "names and values, no code"),
    "conformance/ofi_conformance/faults/wrappers.py": (450, "one wrapper for every kind of object, side by side"),
    "conformance/ofi_conformance/nodes/node.py": (420, "one life, from start to burial"),
    "reference/kfabric/model/judge/atomics.py": (450, "one search over the orders of updates, and what it may assume"),
    "tests/engine/test_executor.py": (650, "one table of steps against every provider"),
    "tests/model/machine.py": (900, "an independent provider to judge: splitting it would spread its one state"),
}

KNOWN_HOSTS = {
    "json-schema.org": "the dialect that a JSON schema names",
    "www.rfc-editor.org": "BCP 14",
    "ofiwg.github.io": "where the manual pages are read",
    "github.com": "where libfabric and its issues live",
    "www.w3.org": "names of SVG and XML, never fetched",
    "www.gnu.org": "in the text of a licence",
}
"""Host -> what it is doing here. A machine may be without a network, so an address is for people to read."""

REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pypi", "python", "org"),
        ("pythonhosted", "org"),
        ("debian", "org"),
        ("ubuntu", "com"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("crates", "io"),
        ("docker", "io"),
        ("quay", "io"),
        ("ghcr", "io"),
        ("golang", "org"),
        ("maven", "org"),
    )
]
"""Where packages come from is each machine's own setting. (Spelt in parts: this file is searched too.)"""


def expect_none(found: Collection[str]) -> None:
    if found:
        pytest.fail("\n".join(sorted(found)), pytrace=False)


def text_of(path: Path) -> str | None:
    data = path.read_bytes()
    return None if b"\0" in data else data.decode("utf-8")


def is_source(path: Path) -> bool:
    return path.suffix in SOURCES or path.name in SOURCE_NAMES or str(path) in SOURCE_NAMES


def test_sources_carry_the_licence(root: Path, tracked: list[Path]) -> None:
    sources = [path for path in tracked if is_source(path)]
    assert len(sources) > 20
    bare = [
        str(path)
        for path in sources
        if SPDX not in "\n".join((root / path).read_text(encoding="utf-8").splitlines()[:3])
    ]
    expect_none(bare)


def test_both_licences_are_here(root: Path) -> None:
    for name, words in {"GPL-2.0-only": "Version 2, June 1991", "BSD-2-Clause": "Redistribution and use"}.items():
        text = (root / "LICENSES" / f"{name}.txt").read_text(encoding="utf-8")
        assert words in text
        assert name in (root / "LICENSE").read_text(encoding="utf-8")


def test_no_registry_is_named(root: Path, tracked: list[Path]) -> None:
    named = [
        f"{path}: {host}"
        for path in tracked
        if (text := text_of(root / path)) is not None
        for host in REGISTRIES
        if re.search(rf"(?<![\w-]){re.escape(host)}(?![\w-])", text)
    ]
    expect_none(named)


def test_every_address_is_expected(root: Path, tracked: list[Path]) -> None:
    strangers = {
        f"{path}: {host}"
        for path in tracked
        if (text := text_of(root / path)) is not None
        for host in re.findall(r"https?://([\w.-]+\w)", text)
        if host not in KNOWN_HOSTS
    }
    expect_none(strangers)


def test_files_are_short(root: Path, tracked: list[Path]) -> None:
    long = []
    for path in tracked:
        if path.suffix in {".py", ".pyi", ".c", ".h", ".js", ".css"}:
            lines = len((root / path).read_text(encoding="utf-8").splitlines())
            limit, _ = LONGER.get(str(path), (SOFT_LIMIT, ""))
            if lines > limit:
                long.append(f"{path}: {lines} lines, the limit is {limit}")
    expect_none(long)
    assert [path for path in LONGER if not (root / path).is_file()] == [], "an exception for a file that is gone"


def test_text_is_tidy(root: Path, tracked: list[Path]) -> None:
    untidy = []
    for path in tracked:
        text = text_of(root / path)
        if not text or path.parts[0] == "LICENSES":
            continue
        if not text.endswith("\n") or "\r" in text:
            untidy.append(f"{path}: its last line does not end, or a line ends with a carriage return")
        if path.suffix != ".diff" and re.search(r"[ \t]+$", text, re.MULTILINE):
            untidy.append(f"{path}: white space at the end of a line")
    expect_none(untidy)


def test_modules_say_what_they_decide(root: Path, tracked: list[Path]) -> None:
    """A docstring opens every Python file, a comment every C file; ours to ship says what it owns."""
    silent = []
    for path in tracked:
        head = "\n".join((root / path).read_text(encoding="utf-8").splitlines()[:30]) if is_source(path) else ""
        opening = r"^(/| )\* Owns: " if path.parts[0] == "reference" else r"^/\*"
        if path.suffix in {".c", ".h"} and not re.search(opening, head, re.MULTILINE):
            silent.append(str(path))
        if path.suffix == ".py" and not re.search(r'^r?"""\S', head, re.MULTILINE):
            silent.append(str(path))
    expect_none(silent)
