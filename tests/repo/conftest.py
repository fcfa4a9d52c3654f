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


@pytest.fixture(scope="session")
def tracked() -> list[Path]:
    """Every file that is in git or would be added to it, relative to the root."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    files = {Path(name) for name in listed.decode().split("\0") if name}
    there = sorted(path for path in files if (ROOT / path).is_file())
    assert there, "no files found: a check over nothing proves nothing"
    return there
