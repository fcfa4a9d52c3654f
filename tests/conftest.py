# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What every test of the project runs under.

Decides three things. Time never decides a test: Hypothesis has no deadline, and draws the same examples every day.
What is long is marked ``release`` and runs with ``--release``, which also draws more and at random; without it such a
test is deselected, not skipped. And a skip is a promise that the machine lacks something: where all was installed on
purpose (``KFABRIC_NO_SKIPS=1``, as CI does) a skip is a failure, unless ``MAY_SKIP`` names what no package installs.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import hypothesis
import pytest

MAY_SKIP: dict[str, str] = {}
"""Words of a skip's reason -> why CI cannot have that part."""

# A library that libfabric brings along would answer a crash with exit status 1 and a file in the current directory.
os.environ.setdefault("IPATH_NO_BACKTRACE", "1")

hypothesis.settings.register_profile("tests", deadline=None, derandomize=True)
hypothesis.settings.register_profile("release", deadline=None, print_blob=True, max_examples=500)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--release", action="store_true", help="also run the tests marked release (long)")


def pytest_configure(config: pytest.Config) -> None:
    # Not --hypothesis-seed: it would also reach the searches of the suite under test, which have seeds of their own.
    hypothesis.settings.load_profile("release" if config.getoption("--release") else "tests")
    config.addinivalue_line("markers", "release: too long for every day; runs with --release (make release)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--release"):
        return
    long = [item for item in items if item.get_closest_marker("release")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker("release")]


def _judge_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure where nothing may be missing."""
    if os.environ.get("KFABRIC_NO_SKIPS") != "1" or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not any(words in reason for words in MAY_SKIP):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be skipped (KFABRIC_NO_SKIPS=1): {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _judge_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _judge_skip(report)
    return report
