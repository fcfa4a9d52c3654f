# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the tests about the repository share: which files it has."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


NOT_OURS = {".git", ".venv", "build", "dist", "result", ".hypothesis"}
"""What is passed over where git cannot say (no git, or no clone), besides caches."""


def _listed_by_git() -> set[Path]:
    try:
        done = subprocess.run(
            ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
        )
    except FileNotFoundError:
        return set()
    return {Path(name) for name in done.stdout.decode().split("\0") if name}


def _listed_by_walking() -> set[Path]:
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
    return {
        path
        for path in found
        if path.parts[0] not in NOT_OURS
        and not any(part.endswith(("_cache", "__pycache__", ".egg-info")) for part in path.parts)
    }


@pytest.fixture(scope="session")
def tracked() -> list[Path]:
    """Every file that is in git or would be added to it, relative to the root."""
    there = sorted(path for path in _listed_by_git() or _listed_by_walking() if (ROOT / path).is_file())
    assert len(there) > 50, "a check over nothing proves nothing"
    return there
