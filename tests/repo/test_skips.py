# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""tests/conftest.py keeps its word: where nothing may be missing, no skip passes unseen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SKIPS = {
    "in the body": "import pytest\ndef test_a():\n    pytest.skip('no libfabric')\n",
    "by a mark": "import pytest\n@pytest.mark.skipif(True, reason='no libfabric')\ndef test_a(): pass\n",
    "at import": "import pytest\npytest.skip('no libfabric', allow_module_level=True)\n",
    "in a fixture": "import pytest\n@pytest.fixture\ndef f(): pytest.skip('no libfabric')\ndef test_a(f): pass\n",
}
XFAIL = "import pytest\n@pytest.mark.xfail\ndef test_a(): assert False\n"
RELEASE = "import pytest\n@pytest.mark.release\ndef test_a(): pass\ndef test_b(): pass\n"


def pytest_over(root: Path, folder: Path, test: str, *words: str, strict: bool) -> tuple[int, str]:
    """Run one test file under a copy of the project's conftest; exit status and the closing line."""
    shutil.copy(root / "tests" / "conftest.py", folder / "conftest.py")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (folder / "test_it.py").write_text(test, encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "KFABRIC_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder), *words],
        cwd=folder,
        env=environment | ({"KFABRIC_NO_SKIPS": "1"} if strict else {}),
        capture_output=True,
        text=True,
    )
    assert done.stdout, done.stderr
    return done.returncode, done.stdout.splitlines()[-1]


@pytest.mark.parametrize("how", SKIPS)
def test_a_skip_fails_where_nothing_may_be_missing(root: Path, tmp_path: Path, how: str) -> None:
    status, closing = pytest_over(root, tmp_path, SKIPS[how], strict=True)
    assert status in {1, 2}
    assert "skipped" not in closing
    status, closing = pytest_over(root, tmp_path, SKIPS[how], strict=False)
    assert "skipped" in closing


def test_an_expected_failure_is_no_skip(root: Path, tmp_path: Path) -> None:
    assert pytest_over(root, tmp_path, XFAIL, strict=True)[0] == 0


def test_release_is_left_out_unless_asked_for(root: Path, tmp_path: Path) -> None:
    assert "1 passed, 1 deselected" in pytest_over(root, tmp_path, RELEASE, strict=True)[1]
    assert "2 passed" in pytest_over(root, tmp_path, RELEASE, "--release", strict=True)[1]
