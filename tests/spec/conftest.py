# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The specification's tools are scripts beside the specification, not a package."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "spec"

sys.path.insert(0, str(SPEC / "tools"))


@pytest.fixture(scope="session")
def spec() -> Path:
    return SPEC


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """An empty specification to which a test adds what it wants to be read."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "VERSION").write_text("0.0.1\n")
    return tmp_path
