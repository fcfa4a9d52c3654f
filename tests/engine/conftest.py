# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sessions for the engine's tests, and what must be true after each of them: nothing of ours left behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from ofi_conformance.configuration import Configuration, NothingToJudge, matrix, survey
from ofi_conformance.target import Target

BUNDLED = {
    "tcp": "msg",
    "net": "rdm",
    "sockets": "rdm",
    "shm": "rdm",
    "udp": "dgram",
    "tcp;ofi_rxm": "rdm",
    "udp;ofi_rxd": "rdm",
}
"""Providers of Debian's libfabric that need no hardware, and one endpoint type of each."""


@cache
def _offered() -> dict[str, str]:
    try:
        return {f"{offer.provider}/{offer.ep_type}": "" for offer in survey()}
    except NothingToJudge as missing:
        return {"": str(missing)}


@cache
def _matrix(spelling: str) -> tuple[Configuration, ...]:
    return tuple(matrix(Target.parse(spelling)))


def configuration(spelling: str, name: str = "default") -> Configuration:
    """A configuration of a libfabric target (without its backend); a skip that says what to install."""
    offered = _offered()
    if "" in offered:
        pytest.skip(offered[""])
    wanted = spelling.partition("?")[0]
    if not any(offer == wanted or offer.startswith(f"{wanted}/") for offer in offered):
        pytest.skip(f"this libfabric has no provider {wanted}; Debian's libfabric1 has it")
    return next(each for each in _matrix(f"libfabric:{spelling}") if each.name == name)


@pytest.fixture
def chosen() -> Callable[..., Configuration]:
    """A configuration by target and name."""
    return configuration


def _children() -> set[int]:
    tasks = Path(f"/proc/{os.getpid()}/task")
    return {int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()}


@pytest.fixture
def clean() -> Iterator[None]:
    """No process that the test starts outlives it."""
    processes = _children()
    yield
    assert _children() <= processes
