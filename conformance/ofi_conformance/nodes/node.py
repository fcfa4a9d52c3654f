# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A node as its coordinator sees it: a process behind an execnet gateway that calls functions and may die.

Every death becomes ``NodeDied`` with what is known: the signal or exit status, the provider call that was announced
and had not come back, the trace that the process wrote of itself, the end of its log. Whoever waits for a node gives
a bound; a node that meets it is stopped by its process id. Works alike for ``popen`` and for ``ssh`` gateways.
"""

from __future__ import annotations

import contextlib
import inspect
import queue
import shlex
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import execnet

from . import evidence
from .intent import Intent, pulse, read_intents

_GROUP = execnet.Group()
_BOOT = "from ofi_conformance.nodes.agent import serve; serve(channel, *channel.receive())"
_GRACE = 10.0
"""Seconds after a call's bound at which the node ends itself, should nobody else be there to do so."""


@dataclass(frozen=True)
class NodeSpec:
    """Where a node runs: an execnet specification, the address its provider is bound to, its environment."""

    gateway: str = "popen"
    address: str = "127.0.0.1"
    environment: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> NodeSpec:
        """As on the command line: ``ssh=host//python=/path//address=192.0.2.7``; by default the host's own name."""
        parts = text.split("//")
        address = [part.removeprefix("address=") for part in parts if part.startswith("address=")]
        rest = [part for part in parts if not part.startswith("address=")]
        host = [part.removeprefix("ssh=").split()[-1].split("@")[-1] for part in rest if part.startswith("ssh=")]
        return cls("//".join(rest), (address or host or ["127.0.0.1"])[0])

    @property
    def local(self) -> bool:
        """Whether the node's files are this machine's."""
        return self.gateway.split("//")[0] == "popen"

    @property
    def execnet_spec(self) -> str:
        """The execnet specification, with this interpreter for a local node that names none."""
        if self.local and "python=" not in self.gateway:
            return f"{self.gateway}//python={shlex.quote(sys.executable)}"
        return self.gateway


class NodeDied(Exception):
    """The process is gone, or was stopped because it met its bound.

    ``how``: ``crash`` (a signal), ``exit`` (left by itself), ``hang`` (stopped), ``lost`` (the connection ended),
    ``start``.
    """

    def __init__(
        self,
        node: str,
        how: str,
        *,
        signal: int = 0,
        status: int = 0,
        intents: list[Intent] | None = None,
        trace: str = "",
        log: str = "",
    ) -> None:
        self.node = node
        self.how = how
        self.signal = signal
        self.status = status
        self.intents = intents or []
        self.trace = trace
        self.log = log
        self.intent = next((str(intent) for intent in self.intents if intent.inside), "")
        self.last = str(self.intents[0]) if self.intents else ""
        super().__init__(str(self))

    def __str__(self) -> str:
        what = {
            "crash": f"died of {_signal_name(self.signal)}",
            "exit": f"left with status {self.status}",
            "hang": "met its bound and was stopped",
            "lost": "is lost",
            "start": "could not be started",
        }[self.how]
        where = f" inside {self.intent}" if self.intent else f" after {self.last}" if self.last else ""
        tail = f": {self.log.strip().splitlines()[-1]}" if self.how == "start" and self.log.strip() else ""
        return f"node {self.node} {what}{where}{tail}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class RemoteFailure(Exception):
    """A called function raised. ``type`` is the exception's full name, ``types`` those of its bases too."""

    def __init__(self, node: str, failure: Mapping[str, Any]) -> None:
        self.node = node
        self.types = tuple(failure["types"])
        self.type: str = self.types[0]
        self.message: str = failure["message"]
        self.traceback: str = failure["traceback"]
        self.state: dict[str, Any] = dict(failure["state"])
        super().__init__(f"{self.type.rpartition('.')[2]} in node {node}: {self.message}")

    def is_a(self, kind: type[BaseException]) -> bool:
        """Whether the exception was of that class."""
        return f"{kind.__module__}.{kind.__qualname__}" in self.types


Word = tuple[str, Any]
"""("done", (number, value)), ("failed", (number, failure)), ("said", value), ("ended", None)."""


class Mailbox:
    """What nodes send, in order of arrival; one may serve several nodes."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[Node, Word]] = queue.SimpleQueue()
        self._kept: deque[tuple[Node, Word]] = deque()

    def put(self, node: Node, word: Word) -> None:
        """Called in the receiver thread."""
        self._queue.put((node, word))

    def take(self, timeout: float | None, wanted: Callable[[Node, Word], bool]) -> tuple[Node, Word] | None:
        """The first word that is wanted, or None when the time is over; others are kept for later."""
        for index, item in enumerate(self._kept):
            if wanted(*item):
                del self._kept[index]
                return item
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                item = self._queue.get(timeout=left)
            except queue.Empty:
                return None
            if wanted(*item):
                return item
            self._kept.append(item)

    def forget(self, node: Node) -> None:
        """Drop what a node has sent."""
        self._kept = deque(item for item in self._kept if item[0] is not node)


_sources: dict[str, tuple[float, str]] = {}


def _reference(function: Callable[..., Any] | str) -> dict[str, str]:
    """How the node finds the function: by name in our packages, otherwise by the text of its file."""
    if isinstance(function, str):
        module, _, name = function.partition(":")
        return {"module": module, "function": name}
    module, name = function.__module__, function.__qualname__
    if "<" in name:
        raise ValueError(f"{name} of {module} is not a module-level function; a node cannot call it")
    if module.split(".")[0] in ("ofi_conformance", "kfabric"):
        return {"module": module, "function": name}
    path = inspect.getsourcefile(function)
    if path is None:
        raise ValueError(f"{name} of {module} has no source file; a node cannot call it")
    changed = Path(path).stat().st_mtime
    known = _sources.get(path)
    if known is None or known[0] != changed:
        known = _sources[path] = (changed, Path(path).read_text(encoding="utf-8"))
    return {"path": path, "source": known[1], "function": name, "version": str(changed)}


@dataclass(eq=False)
class Call:
    """A call that is under way in a node."""

    node: Node
    number: int
    bound: float

    def result(self, timeout: float | None = None) -> Any:
        """The function's value. Raises ``RemoteFailure`` or ``NodeDied``; the node is stopped when the bound is met."""
        return self.node._await(self, self.bound if timeout is None else timeout)


@dataclass(eq=False)
class Node:
    """One node. Starts at once; ``close`` when done."""

    name: str
    spec: NodeSpec = field(default_factory=NodeSpec)
    environment: Mapping[str, str] = field(default_factory=dict)
    mailbox: Mailbox = field(default_factory=Mailbox)
    start_bound: float = 30.0

    def __post_init__(self) -> None:
        self.died: NodeDied | None = None
        self.closed = False
        self.pid = 0
        self._session = 0
        self._directory = ""
        self._number = 0
        self._sent: dict[str, str] = {}
        self._ended = False
        self._wanted_end = False
        try:
            self._gateway = _GROUP.makegateway(self.spec.execnet_spec)
        except Exception as reason:
            raise NodeDied(
                self.name, "start", log=f"{self.spec.gateway}: {reason or type(reason).__name__}"
            ) from reason
        environment = {**dict(self.spec.environment), **self.environment}
        path = [entry for entry in sys.path if entry] if self.spec.local else []
        self._channel = self._gateway.remote_exec(_BOOT)
        self._channel.send((self.name, environment, path))
        try:
            _, self.pid, self._session, self._directory = self._channel.receive(timeout=self.start_bound)
        except Exception as reason:
            self._finish()
            raise NodeDied(self.name, "start", log=str(reason) or type(reason).__name__) from reason
        self._channel.setcallback(self._receive, endmarker=None)

    def _receive(self, item: Any) -> None:
        """In execnet's receiver thread."""
        if item is None:
            self._ended = True
            self.mailbox.put(self, ("ended", None))
        elif item[0] == "said":
            self.mailbox.put(self, ("said", item[1]))
        else:
            self.mailbox.put(self, (item[0], item[1:]))

    # -- calling ----------------------------------------------------------------------------------------------------
    def start(self, function: Callable[..., Any] | str, *args: Any, timeout: float = 30.0, **kwargs: Any) -> Call:
        """Begin to call a module-level function in the node's main thread. One call at a time."""
        if self.died is not None:
            raise self.died
        if self.closed:
            raise ValueError(f"node {self.name} is closed")
        self._number += 1
        reference = _reference(function)
        if "source" in reference and self._sent.get(reference["path"]) == reference["version"]:
            reference = {**reference, "source": ""}
        self._send(("call", self._number, reference, args, kwargs, timeout + _GRACE))
        if "source" in reference:
            self._sent[reference["path"]] = reference["version"]
        return Call(self, self._number, timeout)

    def call(self, function: Callable[..., Any] | str, *args: Any, timeout: float = 30.0, **kwargs: Any) -> Any:
        """Call a module-level function in the node's main thread and return its value."""
        return self.start(function, *args, timeout=timeout, **kwargs).result()

    def tell(self, value: Any) -> None:
        """A word to the function that is being called."""
        self._send(("tell", value))

    def _send(self, item: Any) -> None:
        try:
            self._channel.send(item)
        except OSError:
            raise self.bury() from None

    def _await(self, call: Call, timeout: float) -> Any:
        def mine(node: Node, word: Word) -> bool:
            return node is self and (
                word[0] == "ended" or (word[0] in ("done", "failed") and word[1][0] == call.number)
            )

        found = self.mailbox.take(timeout, mine)
        if found is None:
            raise self.bury(hang=True)
        kind, content = found[1]
        if kind == "ended":
            raise self.bury()
        if kind == "failed":
            raise RemoteFailure(self.name, content[1])
        return content[1]

    def pulse(self) -> bytes | None:
        """Something that changes with every provider call; None while the node is inside none, or far away."""
        if not self.spec.local:
            return None
        return pulse(evidence.read_file(self._directory, evidence.INTENTS))

    # -- ending -----------------------------------------------------------------------------------------------------
    def bury(self, hang: bool = False) -> NodeDied:
        """Collect the evidence of a node that has ended, or that hangs and is now stopped; sweep up behind it."""
        if self.died is not None:
            return self.died
        how = "hang" if hang and not self._ended else ""
        if how:
            self._on_its_machine(evidence.stop, self.pid, self._session)
        status = self._exit_status(5.0)
        number = -status if status is not None and status < 0 else 0
        if not self.spec.local and status is not None and status > 128 and status != 255:
            number, status = status - 128, 0
        found = self._on_its_machine(evidence.read, self._directory) or {}
        if not how:
            how = "crash" if number else "lost" if status is None or (status == 255 and not self.spec.local) else "exit"
        self.died = NodeDied(
            self.name,
            how,
            signal=number,
            status=max(status or 0, 0),
            intents=read_intents(found.get(evidence.INTENTS, b"")),
            trace=found.get(evidence.TRACE, b"").decode(errors="replace"),
            log=found.get(evidence.LOG, b"").decode(errors="replace"),
        )
        self._on_its_machine(evidence.sweep, self.pid)
        self._on_its_machine(evidence.remove, self._directory)
        self._finish()
        return self.died

    def close(self, timeout: float = 5.0) -> None:
        """Let the node leave; stop it when it does not within the bound. Never raises; ``died`` tells if it crashed."""
        if self.closed or self.died is not None:
            return
        self._wanted_end = True
        with contextlib.suppress(OSError):
            self._channel.send(("exit",))
            self._gateway.exit()
        status = self._exit_status(timeout)
        if status is None or status < 0:
            self.bury(hang=status is None)
            return
        self._on_its_machine(evidence.sweep, self.pid)
        self._on_its_machine(evidence.remove, self._directory)
        self._finish()

    def log(self) -> str:
        """The end of what the node's provider has logged so far."""
        found = self._on_its_machine(evidence.read, self._directory) or {}
        return found.get(evidence.LOG, b"").decode(errors="replace")  # type: ignore[no-any-return]

    def _exit_status(self, timeout: float) -> int | None:
        try:
            return _process(self._gateway).wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def _on_its_machine(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run an evidence function where the node's files and process are."""
        if self.spec.local:
            return function(*args)
        try:
            gateway = _GROUP.makegateway(self.spec.execnet_spec)
        except Exception:
            return None
        try:
            channel = gateway.remote_exec(
                "from ofi_conformance.nodes import evidence\n"
                "name, args = channel.receive()\n"
                "channel.send(getattr(evidence, name)(*args))"
            )
            channel.send((function.__name__, args))
            return channel.receive(timeout=10.0)
        except Exception:
            return None
        finally:
            _let_go(gateway)

    def _finish(self) -> None:
        """Let go of the gateway and reap its process."""
        self.closed = True
        self.mailbox.forget(self)
        _let_go(self._gateway)


def _process(gateway: execnet.Gateway) -> subprocess.Popen[bytes]:
    """The local end of a gateway: the node itself, or its ssh. execnet has no public name for it."""
    io: Any = gateway._io
    return io.popen  # type: ignore[no-any-return]


def _let_go(gateway: execnet.Gateway) -> None:
    """End a gateway and wait for its process, so that neither a process nor a zombie stays."""
    process = _process(gateway)
    with contextlib.suppress(OSError):
        gateway.exit()
    try:
        process.wait(1.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with contextlib.suppress(ValueError):
        _GROUP._gateways_to_join.remove(gateway)
