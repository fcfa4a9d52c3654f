# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Running a test's body in a process of its own.

Why: providers keep global state, install signal handlers and may crash; a test must neither see another's provider nor
take the test run down. ``@isolated()`` on a test function sends the call (module, name, arguments) to a fresh
interpreter and turns what became of it into pass, skip or failure. In that interpreter a crash prints the Python stack,
and so does running out of time.
"""

from __future__ import annotations

import faulthandler
import functools
import importlib
import inspect
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = 77
FAILED = 1

Test = Callable[..., None]


def isolated(timeout: float = 60) -> Callable[[Test], Test]:
    """Mark a test whose body runs in a child process, for at most ``timeout`` seconds. Arguments must be JSON-able."""

    def decorate(function: Test) -> Test:
        @functools.wraps(function)
        def run(**arguments: Any) -> None:
            __tracebackhide__ = True
            module = Path(inspect.getfile(function)).relative_to(ROOT).with_suffix("")
            call(".".join(module.parts), function.__name__, arguments, timeout)

        return run

    return decorate


def call(module: str, name: str, arguments: dict[str, Any], timeout: float) -> None:
    """Run one test body in a child and pass on how it ended."""
    __tracebackhide__ = True
    order = json.dumps({"module": module, "name": name, "arguments": arguments, "timeout": timeout})
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.backends.child", order],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout + 10,
        )
    except subprocess.TimeoutExpired as late:
        pytest.fail(f"no end after {late.timeout} s\n{late.stdout!r}\n{late.stderr!r}", pytrace=False)
    if done.returncode == SKIPPED:
        pytest.skip(done.stdout.strip().splitlines()[-1])
    if done.returncode != 0:
        ended = f"signal {-done.returncode}" if done.returncode < 0 else f"status {done.returncode}"
        pytest.fail(f"{name} in a child: {ended}\n{done.stdout}{done.stderr}", pytrace=False)


def main(order: str) -> int:
    """The child's side."""
    wanted = json.loads(order)
    faulthandler.enable()
    faulthandler.dump_traceback_later(wanted["timeout"], exit=True)
    function = inspect.unwrap(getattr(importlib.import_module(wanted["module"]), wanted["name"]))
    try:
        function(**wanted["arguments"])
    except pytest.skip.Exception as skipped:
        print(skipped.msg)
        return SKIPPED
    except BaseException as failure:
        traceback.TracebackException.from_exception(failure, capture_locals=True).print()
        return FAILED
    return 0


if __name__ == "__main__":
    status = main(sys.argv[1])
    sys.stdout.flush()
    sys.stderr.flush()
    # Providers leave threads and exit handlers behind; how they end is not what a test asked.
    os._exit(status)
