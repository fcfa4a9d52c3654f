# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The stage: one configuration with its session, as ``road`` and ``local`` use it.

The only module of the suite's upper half that knows the engine. Opens the session at first use, so that a configuration
in which nothing applies costs nothing.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any, TypeVar

from kfabric.model.guarantees import Guarantees
from kfabric.model.history import Died, History
from kfabric.model.program import Program

from .configuration import Configuration
from .executor import Bounds
from .nodes import NodeDied, NodeSpec
from .session import Session
from .settings import Settings

T = TypeVar("T")


class Stage:
    """Opens and closes the session of one configuration."""

    def __init__(self, configuration: Configuration, settings: Settings, specs: tuple[NodeSpec, ...] = ()) -> None:
        self.configuration = configuration
        self.seed = settings.seed
        self.fault = settings.fault
        self.reruns = settings.profile.reruns
        self.local_bound = settings.profile.local_bound
        self.address = specs[0].address if specs else NodeSpec().address
        self.incidents: list[str] = []
        self._specs = specs
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """The session, opened when it is asked for first."""
        if self._session is None:
            self._session = Session(self.configuration, fault=self.fault or None, specs=self._specs).__enter__()
        return self._session

    @property
    def guarantees(self) -> Guarantees:
        """What was opened at each end."""
        return self.session.guarantees

    def run(self, program: Program, *, full: bool) -> History:
        """Run a Program, with the bounds that decide or with the short ones for searching."""
        return self.session.run(program, bounds=Bounds() if full else Bounds.short())

    def call(self, function: Callable[..., T], *args: Any, timeout: float) -> T:
        """Call a function in a node; raises NodeDied, and the next call gets a fresh node."""
        return self.session.call(function, *args, timeout=timeout)

    def retire(self, reason: str) -> None:
        """What ran last left something behind: start afresh before the next."""
        self.incidents.append(reason)
        self.close()

    def close(self) -> None:
        """End the session's nodes."""
        if self._session is not None:
            session, self._session = self._session, None
            session.__exit__(None, None, None)


def obituary(death: NodeDied) -> str:
    """A sentence about a node that died while a body ran."""
    return describe_death(death.how, death.signal, death.status, str(death.intent or ""))


def epitaph(died: Died) -> str:
    """A sentence about a node that died while a Program ran."""
    return f"node {died.node}: " + describe_death(died.how, died.signal, died.status, died.intent)


def describe_death(how: str, number: int, status: int, intent: str) -> str:
    """How a node ended, and inside which call."""
    inside = f" inside {intent}" if intent else ""
    if how == "crash":
        try:
            name = signal.Signals(abs(number)).name
        except ValueError:
            name = f"signal {number}"
        return f"the process died of {name}{inside}"
    if how == "exit":
        return f"the process ended with status {status}{inside}"
    if how == "hang":
        return f"the process did not come back{inside}"
    return f"the process could not be reached any more ({how}){inside}"
