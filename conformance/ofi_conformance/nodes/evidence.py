# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A node's evidence directory: intents, trace and log, readable after the node is gone; and sweeping up behind it.

Plain functions over files, run on the machine of the node: in the coordinator for a node on the same machine, in a
fresh gateway otherwise. They use nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import time
from pathlib import Path

INTENTS, TRACE, LOG = "intents", "trace", "log"
_TAIL = 64_000
_SHM = Path("/dev/shm")


def read(directory: str) -> dict[str, bytes]:
    """Intents, and the ends of trace and log."""
    found = {name: read_file(directory, name) for name in (INTENTS, TRACE, LOG)}
    return {name: content if name == INTENTS else content[-_TAIL:] for name, content in found.items()}


def read_file(directory: str, name: str) -> bytes:
    """One of the files, empty when it is not there."""
    try:
        return Path(directory, name).read_bytes()
    except OSError:
        return b""


def remove(directory: str) -> None:
    """Forget a node's evidence."""
    shutil.rmtree(directory, ignore_errors=True)


def left_behind(pid: int) -> list[str]:
    """Names of shared memory that carry the process id of a node, as libfabric's shm provider names its regions."""
    mark = re.compile(rf"(?<!\d){pid}(?!\d)")
    try:
        entries = list(_SHM.iterdir())
    except OSError:
        return []
    mine = []
    for entry in entries:
        with contextlib.suppress(OSError):
            if mark.search(entry.name) and entry.lstat().st_uid == os.getuid():
                mine.append(str(entry))
    return mine


def sweep(pid: int) -> list[str]:
    """Remove the shared memory that a dead node left; returns what was removed."""
    removed = []
    for name in left_behind(pid):
        with contextlib.suppress(OSError):
            Path(name).unlink()
            removed.append(name)
    return removed


def stop(pid: int, session: int) -> None:
    """Kill a node that hangs, after asking it to write down where. Only if the process is still that node's."""
    if not _is(pid, session):
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGUSR2)
        time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)


def _is(pid: int, session: int) -> bool:
    """Nodes lead a session of their own, so a process id that was taken again is told apart."""
    try:
        return os.getsid(pid) == session
    except (ProcessLookupError, PermissionError):
        return False
