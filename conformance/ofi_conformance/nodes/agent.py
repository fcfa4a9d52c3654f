# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The agent: what runs inside a node. It calls the functions it is told to, in the main thread, and answers.

Words on the channel: ("call", id, reference, args, kwargs), ("tell", value), ("exit",) to the node; ("hello", ...),
("done", id, value), ("failed", id, failure), ("said", value) from it. A function that is being called exchanges words
with the coordinator through ``say`` and ``hear``. The agent knows no provider and no Program.

It never outlives its coordinator: when the channel closes it leaves, even from inside a provider call; should that
call keep the interpreter from running, an alarm a while after the call's bound ends the process.
"""

from __future__ import annotations

import collections
import contextlib
import faulthandler
import importlib
import linecache
import os
import queue
import signal
import sys
import tempfile
import time
import traceback
import types
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import evidence
from .intent import Intents

_END = object()
_PREFIX = "ofi-conform-"


class Agent:
    """State of the node's process: there is one."""

    def __init__(self, channel: Any, name: str, directory: str) -> None:
        self.name = name
        self.directory = directory
        self.intents = Intents(str(Path(directory, evidence.INTENTS)))
        self.heard: collections.deque[Any] = collections.deque()
        self._channel = channel
        self._calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._modules: dict[str, types.ModuleType] = {}

    def serve(self) -> None:
        """Answer calls until told to leave."""
        self._channel.setcallback(self._receive, endmarker=_END)
        self._channel.send(("hello", os.getpid(), os.getsid(0), self.directory))
        while (item := self._calls.get()) is not None:
            self._answer(*item)

    def _receive(self, item: Any) -> None:
        """In execnet's receiver thread."""
        if item is _END:
            evidence.remove(self.directory)
            evidence.sweep(os.getpid())
            os._exit(0)
        elif item[0] == "tell":
            self.heard.append(item[1])
            self._wake.put(None)
        elif item[0] == "call":
            self._calls.put(item[1:])
        else:
            self._calls.put(None)

    def _answer(self, number: int, reference: dict[str, str], args: Any, kwargs: dict[str, Any], limit: float) -> None:
        signal.setitimer(signal.ITIMER_REAL, limit)
        try:
            value = self._find(reference)(*args, **kwargs)
            answer: tuple[Any, ...] = ("done", number, value)
        except BaseException as failure:
            answer = ("failed", number, describe(failure))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        try:
            self._channel.send(answer)
        except TypeError as failure:
            self._channel.send(("failed", number, describe(failure)))
        except Exception as failure:
            sentence = f"{reference['function']} returned what cannot travel: {failure}"
            self._channel.send(("failed", number, describe(TypeError(sentence))))

    def _find(self, reference: dict[str, str]) -> Callable[..., Any]:
        if "source" in reference:
            found: Any = self._loaded(reference["path"], reference["source"])
        else:
            found = importlib.import_module(reference["module"])
        for part in reference["function"].split("."):
            found = getattr(found, part)
        return found  # type: ignore[no-any-return]

    def _loaded(self, path: str, source: str) -> types.ModuleType:
        """The module of a file that is not importable by name, from its text; without text as last sent.

        On the coordinator's machine it can also import its neighbours, relatively.
        """
        if not source:
            return self._modules[path]
        folder = str(Path(path).parent)
        package = f"ofi_cases_{zlib.crc32(folder.encode()):08x}"
        if package not in sys.modules:
            sys.modules[package] = types.ModuleType(package)
            sys.modules[package].__path__ = [folder]
        module = types.ModuleType(f"{package}.{Path(path).stem}")
        module.__file__ = path
        module.__package__ = package
        sys.modules[module.__name__] = module
        linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
        exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)
        self._modules[path] = module
        return module

    # -- for the function that is being called ----------------------------------------------------------------------
    def say(self, value: Any) -> None:
        """A word to the coordinator, out of band."""
        self._channel.send(("said", value))

    def hear(self, timeout: float | None = None) -> Any:
        """The next word of the coordinator, or None after ``timeout`` seconds. ``heard`` may be looked at instead."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.heard:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            with contextlib.suppress(queue.Empty):
                self._wake.get(timeout=left)
        return self.heard.popleft()


def describe(failure: BaseException) -> dict[str, Any]:
    """An exception as plain data: type, message, traceback, and its plain attributes."""
    kinds = [f"{cls.__module__}.{cls.__qualname__}" for cls in type(failure).__mro__[:-1]]
    state = {
        key: value if type(value) in (str, int, float, bool, bytes, type(None)) else repr(value)
        for key, value in vars(failure).items()
        if not key.startswith("_")
    }
    text = "".join(traceback.format_exception(failure))
    return {"types": kinds, "message": str(failure), "traceback": text, "state": state}


_agent: Agent | None = None


def current() -> Agent:
    """The agent of this process; only inside a node."""
    if _agent is None:
        raise RuntimeError("not inside a node")
    return _agent


def intents() -> Intents:
    """Where to announce provider calls: the node's file, or plain memory outside a node."""
    return _agent.intents if _agent is not None else Intents()


def serve(channel: Any, name: str, environment: dict[str, str], path: list[str]) -> None:
    """Entry point of the process, called by execnet in the main thread."""
    global _agent
    with contextlib.suppress(PermissionError):
        os.setsid()
    # A library that libfabric brings along answers fatal signals itself: exit status 1, no stack of ours, a file in the
    # current directory. Its own word keeps it from that, if said before it is loaded.
    os.environ.setdefault("IPATH_NO_BACKTRACE", "1")
    os.environ.update(environment)
    sys.path.extend(entry for entry in path if entry not in sys.path)
    directory = tempfile.mkdtemp(prefix=f"{_PREFIX}{name}-")
    log = os.open(Path(directory, evidence.LOG), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 2)
    os.close(log)
    trace = os.open(Path(directory, evidence.TRACE), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    faulthandler.enable(file=trace, all_threads=True)
    faulthandler.register(signal.SIGUSR2, file=trace, all_threads=True)
    faulthandler.register(signal.SIGALRM, file=trace, all_threads=True, chain=True)
    _agent = Agent(channel, name, directory)
    _agent.serve()
