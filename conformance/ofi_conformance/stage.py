# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The stage: one configuration with its sessions, as ``road`` and ``local`` use it.

The only module of the suite's upper half that knows the engine. Sessions are opened at first use, so that a
configuration in which nothing applies costs nothing; bodies of cases have one of their own, because what they leave
behind must not touch the road.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from typing import Any

from kfabric.model.guarantees import Guarantees
from kfabric.model.history import Died, History
from kfabric.model.program import Program

from .configuration import Configuration
from .executor import Bounds
from .nodes import NodeSpec
from .session import Session
from .settings import Settings

NODES = 3
"""Nodes that a Program may have: a third one sees what two of them claim."""


class Stage:
    """Opens and closes the sessions of one configuration."""

    def __init__(self, configuration: Configuration, settings: Settings, specs: Sequence[NodeSpec] = ()) -> None:
        self.configuration = configuration
        self.seed = settings.seed
        self.fault = settings.fault
        self.reruns = settings.profile.reruns
        self.local_bound = settings.profile.local_bound
        self.body_bound = settings.profile.body_bound
        self.address = specs[0].address if specs else NodeSpec().address
        self.incidents: list[str] = []
        self._specs = specs
        self._bounds = Bounds(wait=settings.profile.wait)
        self._road: Session | None = None
        self._bodies: Session | None = None

    def _open(self) -> Session:
        return Session(self.configuration, self._bounds, nodes=NODES, fault=self.fault or None, specs=self._specs)

    @property
    def guarantees(self) -> Guarantees:
        """What was opened at each end."""
        return self._road.guarantees if self._road is not None else Guarantees(default=self.configuration.end)

    def run(self, program: Program, *, full: bool) -> History:
        """Run a Program, with the bounds that decide or with the short ones for searching."""
        if self._road is None:
            self._road = self._open()
        return self._road.run(program, self._bounds if full else self._bounds.short())

    def call(self, function: Callable[..., Any], *args: Any, timeout: float) -> Any:
        """Call a function in a node of its own; raises NodeDied, and the next call gets a fresh node."""
        if self._bodies is None:
            self._bodies = self._open()
        return self._bodies.call(function, *args, timeout=timeout)

    def retire(self, reason: str = "") -> None:
        """A body left something behind, or may have: the next one starts afresh."""
        if reason:
            self.incidents.append(reason)
        if self._bodies is not None:
            bodies, self._bodies = self._bodies, None
            self.incidents.extend(bodies.incidents)
            bodies.close()

    def close(self) -> None:
        """End all nodes."""
        for session in (self._road, self._bodies):
            if session is not None:
                session.close()
                self.incidents.extend(session.incidents)
        self._road = self._bodies = None


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
