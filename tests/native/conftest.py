# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Where the native tests find their ground truth, and what they say when it is not here.

``KFABRIC_LIBFABRIC`` names a libfabric.so.1 to load instead of the system's. ``KFABRIC_LIBFABRIC_HEADERS`` names
include directories (several, separated as in PATH) that hold ``rdma/fabric.h``; without it the compiler's own are
taken. So one run compares any number of releases.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kfabric.api.errors import BackendUnavailable
from kfabric.backends._loader import ENVIRONMENT, load
from tests.native import abi_facts

NATIVE = Path(__file__).resolve().parents[2] / "reference" / "native"
HEADERS = "KFABRIC_LIBFABRIC_HEADERS"
INSTALL_HEADERS = f"no rdma/fabric.h: on Debian, apt install libfabric-dev; or set {HEADERS}"


def _system_headers() -> list[Path]:
    """The include directory that the compiler finds libfabric in, if any."""
    try:
        command = [abi_facts.compiler(), "-E", "-"]
    except abi_facts.NoCompiler:
        return []
    text = "#include <rdma/fabric.h>\n"
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    found = [line.split('"')[1] for line in done.stdout.splitlines() if "rdma/fabric.h" in line and '"' in line]
    return [Path(found[0]).parents[1]] if found else []


def header_dirs() -> list[Path]:
    """Every include directory with libfabric headers that this run is to look at."""
    given = os.environ.get(HEADERS)
    return [Path(part).resolve() for part in given.split(os.pathsep)] if given else _system_headers()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that asks for ``libfabric_headers`` once per release; once, to be skipped, where there is none."""
    if "libfabric_headers" in metafunc.fixturenames:
        metafunc.parametrize("libfabric_headers", header_dirs() or [None], ids=str, indirect=True)


@pytest.fixture
def libfabric_headers(request: pytest.FixtureRequest) -> Path:
    """An include directory that holds ``rdma/fabric.h``."""
    if request.param is None:
        pytest.skip(INSTALL_HEADERS)
    directory: Path = request.param
    assert (directory / "rdma" / "fabric.h").is_file(), f"{HEADERS} names {directory}, which has no rdma/fabric.h"
    return directory


@pytest.fixture(scope="session")
def cc() -> str:
    """The C compiler."""
    try:
        return abi_facts.compiler()
    except abi_facts.NoCompiler as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def libfabric() -> str:
    """The file of the libfabric that this run loads."""
    try:
        return load().path
    except BackendUnavailable as missing:
        if os.environ.get(ENVIRONMENT):
            raise
        pytest.skip(str(missing))
