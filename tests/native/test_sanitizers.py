# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Our C under the address, undefined-behaviour and thread sanitizers, each driver with each of them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.native.conftest import NATIVE

HERE = Path(__file__).resolve().parent
SOURCES = sorted(path for folder in ("loader", "memory") for path in (NATIVE / folder).glob("*.c"))
SANITIZERS = ("address,undefined", "thread")


def build(cc: str, driver: Path, sanitizer: str, workdir: Path) -> Path:
    """Compile one driver with our C, or skip where the compiler has no such sanitizer."""
    program = workdir / "driver"
    flags = ["-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-omit-frame-pointer"]
    flags += [f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all", f"-I{NATIVE / 'include'}", "-pthread"]
    sources = [str(path) for path in (driver, *SOURCES)]
    done = subprocess.run(
        [cc, *flags, "-o", str(program), *sources, "-ldl"], capture_output=True, text=True, check=False
    )
    if "cannot find" in done.stderr:
        pytest.skip(
            f"the compiler has no {sanitizer} sanitizer: on Debian, apt install gcc (libasan, libubsan, libtsan)"
        )
    assert done.returncode == 0, done.stderr
    return program


def complaint(program: Path, *arguments: str) -> str:
    """What the program or a sanitizer had to say against it: nothing, when all is well."""
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=300)
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("this kernel places memory where the thread sanitizer cannot follow (vm.mmap_rnd_bits)")
    return "" if done.returncode == 0 else f"exit {done.returncode}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("sanitizer", SANITIZERS)
@pytest.mark.parametrize("driver", sorted(HERE.glob("driver_*.c")), ids=lambda path: path.stem)
def test_driver_is_clean(driver: Path, sanitizer: str, cc: str, tmp_path: Path) -> None:
    assert complaint(build(cc, driver, sanitizer, tmp_path)) == ""


def test_a_missing_order_is_found(cc: str, tmp_path: Path) -> None:
    """The memory driver without the order that its hand-over needs: the thread sanitizer must object."""
    text = (HERE / "driver_memory.c").read_text(encoding="ascii")
    ordered, relaxed = "KF_MEM_ORDERED, at + 1", "KF_MEM_RELAXED, at + 1"
    assert text.count(ordered) == 1
    driver = tmp_path / "unordered.c"
    driver.write_text(text.replace(ordered, relaxed), encoding="ascii")
    assert "data race" in complaint(build(cc, driver, "thread", tmp_path))


def test_loader_is_clean_with_a_real_libfabric(cc: str, libfabric: str, tmp_path: Path) -> None:
    """Without the thread sanitizer: it knows nothing of locks taken inside a library it did not build."""
    program = build(cc, HERE / "driver_loader.c", SANITIZERS[0], tmp_path)
    assert complaint(program, os.environ.get("KFABRIC_LIBFABRIC") or "system") == ""
