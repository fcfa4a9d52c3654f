# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Nodes: what a call brings back, and that every way to die is told with its evidence. Real processes throughout."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ofi_conformance.nodes import Node, NodeDied, NodeSpec, RemoteFailure
from ofi_conformance.nodes.agent import current
from ofi_conformance.nodes.evidence import left_behind

pytestmark = pytest.mark.usefixtures("clean")


# -- what nodes are asked to do ---------------------------------------------------------------------------------------
class TroubleError(ValueError):
    """An exception with an attribute."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"trouble {code}")


def add(one: int, other: int, *, factor: int = 1) -> int:
    return (one + other) * factor


def echo(value: Any) -> Any:
    return value


def trouble() -> None:
    raise TroubleError(7)


def unsendable() -> object:
    return object()


def crash_in_a_call() -> None:
    slot = current().intents.slot
    slot.step("w1")
    slot.announce(b"Endpoint.write".ljust(64, b"\0"))
    ctypes.string_at(0)


def crash_after_a_call() -> None:
    slot = current().intents.slot
    slot.announce(b"Endpoint.write".ljust(64, b"\0"))
    slot.returned()
    os.kill(os.getpid(), signal.SIGABRT)


def leave(status: int) -> None:
    print("last words", file=sys.stderr, flush=True)
    os._exit(status)


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def hold_the_interpreter(seconds: int) -> None:
    ctypes.PyDLL(None).sleep(seconds)


def talk() -> list[str]:
    agent = current()
    agent.say("hello")
    return [agent.hear(5), agent.hear(5)]


def leave_shared_memory() -> str:
    path = Path(f"/dev/shm/ofi-test-{os.getpid()}-x")
    path.write_bytes(b"x")
    os.kill(os.getpid(), signal.SIGKILL)
    return str(path)


def environment(name: str) -> str | None:
    return os.environ.get(name)


# -- calls ------------------------------------------------------------------------------------------------------------
@pytest.fixture
def node() -> Iterator[Node]:
    node = Node("A")
    yield node
    node.close()


def test_call(node: Node) -> None:
    assert node.call(add, 2, 3, factor=10) == 50
    value = {"a": [1, -2, 2**63, None, True], "b": b"\0\xff", "c": (1.5, "ä")}
    assert node.call(echo, value) == value
    assert node.call("os.path:basename", "/a/b") == "b"


def test_exceptions_come_back_with_their_type(node: Node) -> None:
    with pytest.raises(RemoteFailure, match="trouble 7") as raised:
        node.call(trouble)
    assert raised.value.is_a(ValueError)
    assert raised.value.type.endswith("TroubleError")
    assert raised.value.state == {"code": 7}
    assert "raise TroubleError(7)" in raised.value.traceback
    assert node.call(add, 1, 1) == 2


def test_what_cannot_travel_is_told(node: Node) -> None:
    with pytest.raises(RemoteFailure, match="unsendable returned what cannot travel"):
        node.call(unsendable)
    with pytest.raises(ValueError, match="not a module-level function"):
        node.call(lambda: 1)


def test_words_out_of_band(node: Node) -> None:
    call = node.start(talk)
    assert node.mailbox.take(5, lambda _, word: word[0] == "said") == (node, ("said", "hello"))
    node.tell("one")
    node.tell("two")
    assert call.result() == ["one", "two"]


def test_environment() -> None:
    node = Node("A", environment={"OFI_TEST": "yes"})
    assert node.call(environment, "OFI_TEST") == "yes"
    node.close()


# -- deaths -----------------------------------------------------------------------------------------------------------
def test_crash_inside_a_call(node: Node) -> None:
    with pytest.raises(NodeDied) as died:
        node.call(crash_in_a_call)
    assert (died.value.how, died.value.signal) == ("crash", signal.SIGSEGV)
    assert died.value.intent == "Endpoint.write in w1"
    assert "crash_in_a_call" in died.value.trace
    assert str(died.value) == "node A died of SIGSEGV inside Endpoint.write in w1"
    with pytest.raises(NodeDied):
        node.call(add, 1, 1)


def test_crash_after_a_call(node: Node) -> None:
    with pytest.raises(NodeDied) as died:
        node.call(crash_after_a_call)
    assert died.value.signal == signal.SIGABRT
    assert (died.value.intent, died.value.last) == ("", "Endpoint.write")


def test_exit(node: Node) -> None:
    with pytest.raises(NodeDied) as died:
        node.call(leave, 3)
    assert (died.value.how, died.value.status) == ("exit", 3)
    assert "last words" in died.value.log


@pytest.mark.parametrize("body", [sleep, hold_the_interpreter])
def test_hang(node: Node, body: Any) -> None:
    assert node.call(add, 1, 1) == 2
    began = time.monotonic()
    with pytest.raises(NodeDied) as died:
        node.call(body, 60, timeout=0.5)
    assert time.monotonic() - began < 10
    assert died.value.how == "hang"
    assert body.__name__ in died.value.trace


def test_killed_from_outside(node: Node) -> None:
    os.kill(node.pid, signal.SIGKILL)
    with pytest.raises(NodeDied) as died:
        node.call(add, 1, 1)
    assert died.value.signal == signal.SIGKILL


def test_shared_memory_is_swept(node: Node) -> None:
    with pytest.raises(NodeDied):
        node.call(leave_shared_memory)
    assert left_behind(node.pid) == []


def test_no_such_machine() -> None:
    with pytest.raises(NodeDied, match="could not be started") as died:
        Node("A", NodeSpec("popen//python=/no/such/python"))
    assert died.value.how == "start"


COORDINATOR = """
import os, sys, time
from ofi_conformance.nodes import Node
nodes = [Node("A"), Node("B")]
nodes[0].start("time:sleep", 600)
nodes[1].start("ctypes:PyDLL", None)
print(*[node.pid for node in nodes], flush=True)
time.sleep(600)
"""


def test_nodes_leave_with_their_coordinator() -> None:
    with subprocess.Popen([sys.executable, "-c", COORDINATOR], stdout=subprocess.PIPE, text=True) as coordinator:
        assert coordinator.stdout is not None
        pids = [int(pid) for pid in coordinator.stdout.readline().split()]
        coordinator.kill()
    assert len(pids) == 2
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


SSH = """#!/bin/sh
# What ssh does for execnet, on this machine: run the last word of the command line in a shell.
for command; do :; done
exec sh -c "$command"
"""


def test_the_ssh_road(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The road of a remote node, with a stand-in for the network: evidence is fetched through a second gateway."""
    program = tmp_path / "ssh"
    program.write_text(SSH)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    spec = NodeSpec.parse(f"ssh=far.example//python={sys.executable}")
    assert (spec.local, spec.address) == (False, "far.example")
    node = Node("A", spec)
    assert node.call(add, 2, 3) == 5
    with pytest.raises(NodeDied) as died:
        node.call(crash_in_a_call)
    assert (died.value.how, died.value.signal) == ("crash", signal.SIGSEGV)
    assert died.value.intent == "Endpoint.write in w1"
    assert "crash_in_a_call" in died.value.trace
    hung = Node("B", spec)
    with pytest.raises(NodeDied) as died:
        hung.call(sleep, 60, timeout=0.5)
    assert died.value.how == "hang"
    assert "sleep" in died.value.trace
