# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""tools/set_up.py says what is missing before it does anything, and what to do about it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def set_up(root: Path, *words: str, path: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "CC"} | {"PATH": path}
    return subprocess.run(
        [sys.executable, str(root / "tools" / "set_up.py"), *words], env=environment, capture_output=True, text=True
    )


def test_a_missing_compiler_is_named_with_its_remedy(root: Path, tmp_path: Path) -> None:
    done = set_up(root, "run", path=str(tmp_path))
    assert done.returncode == 1
    assert "C compiler is missing" in done.stderr
    assert "apt-get install gcc" in done.stderr
    assert done.stdout == "", "nothing was begun"


def test_an_unknown_stage_is_a_usage_error(root: Path) -> None:
    done = set_up(root, "everything", path=os.environ["PATH"])
    assert done.returncode == 254
    assert "set_up.py run" in done.stderr
