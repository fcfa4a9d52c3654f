# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Makes the environment in .venv that every ``make`` target runs in.

    set_up.py run        what a conformance run needs
    set_up.py develop    and what the tests, the documents and the checks need

Decides what must be on the machine beforehand (Python with venv and headers, a C compiler: nothing else) and says, for
each thing that is missing, how to get it. Uses the standard library only, since nothing else is there yet. pip's own
words go to build/set-up.log; what is on the screen is one line per step. Make decides *when* this runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import time
import tomllib
from collections import deque
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOG = ROOT / "build" / "set-up.log"

EXTRAS = ("spec", "test")
"""The optional dependencies of pyproject.toml that make up `develop`."""


class SetUpError(Exception):
    """A step cannot be done; the text says what to do."""


def missing_parts() -> list[str]:
    """What the machine lacks, each as a sentence with its remedy."""
    lacks = []
    if sys.version_info < (3, 11):  # noqa: UP036 - the very thing that is checked
        have = ".".join(map(str, sys.version_info[:3]))
        lacks.append(f"Python 3.11 or later is needed, this is {have}: make PYTHON=/path/to/python3.11 ...")
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        lacks.append("Python's venv module is missing: apt-get install python3-venv (dnf: part of python3)")
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        lacks.append("Python's C headers are missing: apt-get install python3-dev (dnf install python3-devel)")
    if not any(
        shutil.which(compiler)
        for compiler in (os.environ.get("CC", "").split(" ")[0], "cc", "gcc", "clang")
        if compiler
    ):
        lacks.append("a C compiler is missing: apt-get install gcc libc6-dev (dnf install gcc)")
    return lacks


def say(text: str, end: str = "\n") -> None:
    """Print at once: the next step may take a minute."""
    print(text, end=end, flush=True)


def run(title: str, command: list[str], remedy: str) -> None:
    """Run one step; its output goes to the log, and to the screen only when it fails."""
    started = time.monotonic()
    say(f"  {title} ... ", end="" if sys.stdout.isatty() else "\n")
    tail: deque[str] = deque(maxlen=25)
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(command)}\n")
        log.flush()
        step = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert step.stdout is not None
        for line in step.stdout:
            log.write(line)
            tail.append(line.rstrip())
        code = step.wait()
    if code:
        say("failed")
        raise SetUpError("\n".join([*tail, "", f"{title}: exit status {code}. {remedy}", f"The whole log is in {LOG}"]))
    if sys.stdout.isatty():
        say(f"{time.monotonic() - started:.0f} s")


def usable(python: Path) -> bool:
    """Whether an environment is there, starts, and is of a version that will do."""
    probe = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    return python.is_file() and subprocess.run([python, "-c", probe], capture_output=True, check=False).returncode == 0


def set_up_run(python: Path) -> None:
    """The environment, and this project in it (which compiles the C)."""
    if not usable(python):
        shutil.rmtree(VENV, ignore_errors=True)
        run(
            "environment in .venv",
            [sys.executable, "-m", "venv", str(VENV)],
            "Is python3-venv installed, and is there space on the disk?",
        )
    run(
        "this project and what it imports (compiles a little C)",
        [str(python), "-m", "pip", "install", "--editable", "."],
        "If packages could not be fetched: pip uses the settings of this machine (proxy, index, certificates; see "
        "`pip config list`). If the C did not compile, the first error above says where. Then run make again.",
    )


def set_up_develop(python: Path) -> None:
    """The tools for tests, documents and checks, as pyproject.toml lists them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = sorted({name for extra in EXTRAS for name in project["optional-dependencies"][extra]})
    run(
        "tools for tests and documents",
        [str(python), "-m", "pip", "install", *wanted],
        "pip could not install these: see `pip config list` for the settings of this machine, then run make again.",
    )


def main(arguments: list[str]) -> int:
    """Do one stage; 0 when it is done."""
    stages = {"run": set_up_run, "develop": set_up_develop}
    if len(arguments) != 1 or arguments[0] not in stages:
        print(__doc__, file=sys.stderr)
        return 254
    if lacks := missing_parts():
        print("This machine lacks something that cannot be set up from here:", *lacks, sep="\n  ", file=sys.stderr)
        return 1
    LOG.parent.mkdir(exist_ok=True)
    say(f"Setting up ({arguments[0]}), log in {LOG.relative_to(ROOT)}")
    try:
        stages[arguments[0]](VENV / "bin" / "python")
    except SetUpError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
