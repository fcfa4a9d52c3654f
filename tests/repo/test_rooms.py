# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The arrows of docs/architecture.rst: which room may import from which.

Decides by reading every import statement (also those inside functions and under TYPE_CHECKING: an arrow is an arrow)
and every #include of the C. A file in no room of the table is an error, so that a new folder has to find its place.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = {"kfabric": "reference/kfabric", "ofi_conformance": "conformance/ofi_conformance"}
"""Import name -> folder. Everything else that is imported is not ours."""

FOUNDATION = frozenset({"kfabric"})
"""Importable by all: the bare package, which holds a docstring."""

ROOMS: dict[str, tuple[str, frozenset[str]]] = {
    # room: (folder or file, what it may import besides itself)
    "kfabric": ("reference/kfabric/__init__.py", frozenset()),
    "kfabric.model": ("reference/kfabric/model", frozenset()),
    "kfabric.api": ("reference/kfabric/api", frozenset()),
    "kfabric._native": ("reference/kfabric/_native.pyi", frozenset()),
    "kfabric.backends": ("reference/kfabric/backends", frozenset({"kfabric.api", "kfabric._native"})),
    "kfabric.pm": ("reference/kfabric/pm", frozenset({"kfabric._native"})),
    "kfabric.ulp": ("reference/kfabric/ulp", frozenset({"kfabric.api", "kfabric.pm"})),
    "ofi_conformance": (
        "conformance/ofi_conformance",
        frozenset({"kfabric.api", "kfabric.backends", "kfabric.model", "kfabric.pm"}),
    ),
    "cases": ("conformance/cases", frozenset({"ofi_conformance", "kfabric.api", "kfabric.model"})),
    "native": ("reference/native", frozenset()),
    "spec": ("spec", frozenset()),
}

OPEN = ("tests", "bench", "docs", "tools")
"""Folders that may import every room; nothing imports them."""


def room_of(module: str) -> str | None:
    """The room that an imported module is in; None when it is not ours."""
    if module.partition(".")[0] not in PACKAGES:
        return None
    named = [room for room in ROOMS if module == room or module.startswith(room + ".")]
    return max(named, key=len, default=module)


def modules_named(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Line and full module name of everything that a file imports; ``package`` resolves the relative ones."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            # `from kfabric import model` names the room in its second half.
            yield from ((node.lineno, f"{base}.{alias.name}" if base in PACKAGES else base) for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            first = node.args[0] if node.args else None
            if (
                called in {"import_module", "__import__", "importorskip"}
                and isinstance(first, ast.Constant)
                and isinstance(first.value, str)
            ):
                yield node.lineno, first.value


def package_of(path: Path) -> str:
    """The package that relative imports of the file start from."""
    for name, folder in PACKAGES.items():
        if path.is_relative_to(folder):
            return ".".join([name, *path.relative_to(folder).parent.parts])
    return ""


def violations(root: Path) -> list[str]:
    """Every import that no arrow allows, and every Python file that is in no room."""
    found = []
    for path in sorted(root.rglob("*.py*")):
        relative = path.relative_to(root)
        hidden = any(part.startswith(".") or part in {"build", "__pycache__"} for part in relative.parts)
        if path.suffix not in {".py", ".pyi"} or hidden or relative.parts[0] in OPEN:
            continue
        homes = [room for room, (place, _) in ROOMS.items() if relative.is_relative_to(place)]
        if not homes:
            found.append(f"{relative}: in no room of the table")
            continue
        home = max(homes, key=lambda room: len(ROOMS[room][0]))
        allowed = ROOMS[home][1] | FOUNDATION | {home}
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        for line, module in modules_named(tree, package_of(relative)):
            goal = room_of(module)
            if goal is not None and goal not in allowed:
                found.append(f"{relative}:{line}: {home} may not import {module}")
    return found


def test_every_import_follows_an_arrow(root: Path) -> None:
    if found := violations(root):
        pytest.fail("\n".join(found), pytrace=False)


def test_the_search_finds_the_rooms(root: Path) -> None:
    """A misspelt folder would make the test above hold over nothing."""
    needed = ("kfabric.model", "kfabric.api", "kfabric.backends", "ofi_conformance", "cases", "native", "spec")
    empty = [room for room in needed if not any((root / ROOMS[room][0]).rglob("*.py"))]
    assert empty == []


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("reference/kfabric/model/judge.py", "from kfabric.api import Flag"),
        ("reference/kfabric/model/judge.py", "from kfabric import api"),
        ("reference/kfabric/model/rules/order.py", "from ...api import constants"),
        ("reference/kfabric/api/objects.py", "if TYPE_CHECKING:\n    from kfabric.model.program import Program"),
        ("reference/kfabric/backends/libfabric/calls.py", "import kfabric.model.history"),
        ("reference/kfabric/pm/file.py", "from kfabric.api import MemoryRegion"),
        ("conformance/ofi_conformance/session.py", "def f():\n    import kfabric._native"),
        ("conformance/ofi_conformance/session.py", "importlib.import_module('kfabric._native')"),
        ("conformance/cases/test_mr.py", "from kfabric.backends import libfabric"),
        ("reference/native/cdef.py", "import kfabric.api"),
        ("reference/elsewhere/module.py", "import os"),
    ],
)
def test_a_planted_arrow_is_seen(tmp_path: Path, place: str, line: str) -> None:
    file = tmp_path / place
    file.parent.mkdir(parents=True)
    file.write_text(line + "\n", encoding="utf-8")
    assert len(violations(tmp_path)) == 1


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (
            "reference/kfabric/model/rules/order.py",
            "from ..program import Program\nfrom kfabric.model import data",
        ),
        ("reference/kfabric/backends/libfabric/calls.py", "from kfabric._native import ffi\nfrom ...api import attr"),
        ("conformance/cases/test_mr.py", "from ofi_conformance import requirement\nfrom kfabric.api import Errno"),
        ("tests/test_any.py", "import kfabric._native"),
    ],
)
def test_an_arrow_of_the_table_is_allowed(tmp_path: Path, place: str, line: str) -> None:
    file = tmp_path / place
    file.parent.mkdir(parents=True)
    file.write_text(line + "\n", encoding="utf-8")
    assert violations(tmp_path) == []


def drawn(text: str) -> dict[str, frozenset[str]]:
    """The table of docs/architecture.rst: room -> what it may import."""
    rows = re.findall(r"^   \* - ``([\w.]+)``\n(.*?)^     - ([^-]*?)(?=^   \*|\Z|\n\n)", text, re.MULTILINE | re.DOTALL)
    return {room: frozenset(re.findall(r"``([\w.]+)``", last)) for room, _, last in rows}


def test_the_table_in_the_documents_is_this_one(root: Path) -> None:
    shown = drawn((root / "docs" / "architecture.rst").read_text(encoding="utf-8"))
    assert len(shown) >= 7
    assert shown == {room: ROOMS[room][1] for room in shown}
    unseen = {room for room, (place, _) in ROOMS.items() if room not in shown and any((root / place).rglob("*.py"))}
    assert unseen == set(), "a room that exists and is not in docs/architecture.rst"


# --- the C ---

SYSTEM_HEADERS = frozenset({
    # the C library and Linux; whatever else is included would be a system package to build with
    "assert.h", "ctype.h", "dlfcn.h", "errno.h", "fcntl.h", "inttypes.h", "limits.h", "link.h", "poll.h", "pthread.h",
    "sched.h", "signal.h", "stdarg.h", "stdalign.h", "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h",
    "stdlib.h", "string.h", "time.h", "unistd.h",
})  # fmt: skip

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)


def test_native_includes_only_itself_and_the_system(root: Path) -> None:
    native = root / "reference" / "native"
    strangers = []
    for path in sorted([*native.rglob("*.c"), *native.rglob("*.h")]):
        for _, name in INCLUDE.findall(path.read_text(encoding="utf-8")):
            own = (native / "include" / name).is_file() or (path.parent / name).is_file()
            if not own and name not in SYSTEM_HEADERS and not name.startswith(("sys/", "linux/", "netinet/", "arpa/")):
                strangers.append(f"{path.relative_to(root)}: {name}")
    if strangers:
        pytest.fail("\n".join(strangers), pytrace=False)
