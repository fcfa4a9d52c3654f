# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""``@isolated`` passes on what became of a body: passed, skipped, failed, crashed, late."""

from __future__ import annotations

import os
import time
from typing import NoReturn

import pytest

from kfabric._native import ffi
from tests.backends.child import isolated


@isolated()
def passes(number: int, parent: int) -> None:
    assert number == 7
    assert os.getppid() == parent


@isolated()
def skips() -> NoReturn:
    pytest.skip("nothing to see")


@isolated()
def fails() -> None:
    seen = "the value at that time"
    raise AssertionError(seen[:9])


@isolated()
def crashes() -> None:
    _ = ffi.cast("char *", 8)[0]


@isolated(timeout=1)
def sleeps() -> None:
    time.sleep(30)


def test_a_body_runs_elsewhere_with_its_arguments() -> None:
    passes(number=7, parent=os.getpid())


def test_a_skip_keeps_its_reason() -> None:
    with pytest.raises(pytest.skip.Exception, match="nothing to see"):
        skips()


def test_a_failure_shows_the_values_at_that_time() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"(?s)fails in a child: status 1.*the value at that time"):
        fails()


def test_a_crash_shows_where() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"(?s)signal 11.*in crashes"):
        crashes()


def test_a_body_that_does_not_end_is_ended() -> None:
    began = time.monotonic()
    with pytest.raises(pytest.fail.Exception, match=r"(?s)Timeout.*in sleeps"):
        sleeps()
    assert time.monotonic() - began < 20
