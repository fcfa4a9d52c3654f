# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The command line as a user has it, and cases small enough to know every verdict in advance."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kfabric.api import BackendUnavailable
from kfabric.backends.libfabric import open_provider

Conform = Callable[..., "Done"]
collect_ignore = ["made_up", "broken", "hanging"]
"""Cases for the suite to run, not tests."""


@dataclass
class Done:
    """A finished command."""

    code: int
    out: str
    err: str
    report: Path

    @property
    def record(self) -> dict[str, Any]:
        """The record that it wrote."""
        record: dict[str, Any] = json.loads((self.report / "report.json").read_text(encoding="utf-8"))
        return record

    @property
    def verdicts(self) -> dict[str, str]:
        """Verdict by id."""
        return {row["id"]: row["verdict"] for row in self.record["requirements"]}

    @property
    def why(self) -> dict[str, str]:
        """Reason by id."""
        return {row["id"]: row["why"] for row in self.record["requirements"]}


@pytest.fixture
def conform(tmp_path: Path) -> Conform:
    """Run ``ofi-conform`` in a process of its own."""

    def run(*words: str | Path, timeout: float = 600.0, **environment: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "ofi_conformance.cli", *map(str, words)],
            cwd=tmp_path,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        return Done(done.returncode, done.stdout, done.stderr, tmp_path / "result")

    return run


@pytest.fixture(scope="session")
def libfabric() -> None:
    """Skip where there is no libfabric to judge."""
    try:
        open_provider()
    except BackendUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def no_forced_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite seeds its own searches; ``--hypothesis-seed`` would also switch their example database off."""
    monkeypatch.setattr("hypothesis.core.global_force_seed", None)
