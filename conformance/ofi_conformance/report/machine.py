# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a report says about the machine and about this tool."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import lru_cache
from importlib import metadata
from pathlib import Path


@lru_cache(maxsize=1)
def machine() -> dict[str, str]:
    """Host, system, processors."""
    return {
        "host": platform.node(),
        "system": _system(),
        "kernel": platform.release(),
        "processor": f"{_processor()}, {os.cpu_count()} processors",
        "python": platform.python_version(),
    }


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


@lru_cache(maxsize=1)
def tool() -> dict[str, str]:
    """Version and, in a git tree, revision."""
    return {"name": "ofi-conform", "version": _version(), "revision": _revision()}


def _version() -> str:
    try:
        return metadata.version("kfabric")
    except metadata.PackageNotFoundError:
        return "unknown"


def _revision() -> str:
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return ""

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=20, check=True)
        return done.stdout.strip()

    try:
        return (
            f"{git('rev-parse', '--short', 'HEAD')}, {'modified' if git('status', '--porcelain', '-uno') else 'clean'}"
        )
    except (OSError, subprocess.SubprocessError):
        return ""
