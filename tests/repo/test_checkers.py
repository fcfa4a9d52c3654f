# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The checkers agree: what ``make lint`` runs, each as a test, with its words in the failure."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import pytest


def run(root: Path, *command: str) -> None:
    tool = Path(sysconfig.get_path("scripts")) / command[0]
    assert tool.is_file(), f"{command[0]} is not installed: make test sets up everything"
    done = subprocess.run(
        [tool, *command[1:]], cwd=root, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.fail(f"{' '.join(command[:3])}\n{done.stdout}{done.stderr}", pytrace=False)


def test_ruff_has_no_complaint(root: Path) -> None:
    run(root, "ruff", "check", "--output-format", "concise")


def test_python_is_formatted(root: Path) -> None:
    run(root, "ruff", "format", "--check")


def test_types_hold(root: Path) -> None:
    run(root, "mypy")


def test_c_is_formatted(root: Path, tracked: list[Path]) -> None:
    files = [str(path) for path in tracked if path.suffix in {".c", ".h"}]
    assert files
    run(root, "clang-format", "--dry-run", "--Werror", *files)
