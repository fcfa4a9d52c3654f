# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A session: nodes and endpoints of one configuration, opened once, on which many Programs run.

Endpoints are used again while runs leave them clean; after one that does not (something owed, an error, a message
nobody received) they are closed and opened afresh, and after a death so are the nodes. Closing happens at the end of
the run that made it necessary, so that a provider that dies of it dies in that run's history. Provider misbehaviour
is never raised.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from kfabric.model.guarantees import End, Guarantees
from kfabric.model.history import History
from kfabric.model.program import Program

from .configuration import Configuration, end_from_plain, environment_of
from .executor.bounds import Bounds
from .executor.legality import check
from .executor.run import Run, epitaph
from .nodes import Mailbox, Node, NodeDied, NodeSpec, RemoteFailure

NAMES = "ABCDEFGH"
_AGENT = "ofi_conformance.executor.node"


class SessionError(RuntimeError):
    """The configuration cannot be opened (any more): the provider refuses or dies before anything was asked of it."""


class ExecutorError(RuntimeError):
    """The executor failed: a mistake of ours, with the node's traceback."""


@dataclass
class Statistics:
    """What a session has done."""

    programs: int = 0
    spawned: int = 0
    opened: int = 0
    retired: int = 0
    deaths: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    """Why endpoints were retired, and how often."""


class Session:
    """A context manager; nothing is started before it is needed."""

    def __init__(
        self,
        configuration: Configuration,
        bounds: Bounds | None = None,
        *,
        nodes: int = 2,
        fault: str | None = None,
        specs: Sequence[NodeSpec] = (),
    ) -> None:
        self.configuration = configuration
        self.bounds = bounds or Bounds()
        self.fault = fault
        self.drive = False
        """Set once automatic progress was promised and seen not kept: one finding is enough, every further one costs a
        bound. A case about progress itself passes ``drive=False`` to ``run``."""
        self.statistics = Statistics()
        self.incidents: list[str] = []
        """Deaths outside of a Program: while opening, closing, or leaving."""
        self._limit = nodes
        self._specs = list(specs) or [NodeSpec()]
        self._mailbox = Mailbox()
        self._nodes: dict[str, Node] = {}
        self._ends: dict[str, End] = {}
        self._ports: dict[str, int] = {}
        self._inserted: dict[str, set[tuple[str, int]]] = {}
        self._connected: set[tuple[tuple[str, int], tuple[str, int]]] = set()
        self._case_node: Node | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    # -- what was promised ------------------------------------------------------------------------------------------
    @property
    def guarantees(self) -> Guarantees:
        """What was opened at each end; before anything is opened, what the probe of the configuration found."""
        ends = dict(self._ends)
        default = ends.get(NAMES[0], self.configuration.end)
        same = all(
            dataclasses.replace(end, extra=()) == dataclasses.replace(default, extra=()) for end in ends.values()
        )
        return Guarantees(default, () if same else tuple(sorted(ends.items())))

    # -- programs ---------------------------------------------------------------------------------------------------
    def run(self, program: Program, bounds: Bounds | None = None, *, drive: bool | None = None) -> History:
        """Run a Program.

        Raises ``ProgramError`` for one that this configuration cannot run, ``SessionError`` when the configuration
        cannot be opened, ``ExecutorError`` for a mistake of ours.

        Args:
            program: what to run.
            bounds: instead of the session's.
            drive: whether nodes that wait for others drive progress even where it is automatic. True: always;
                False: never; None: when ``self.drive`` says so, or as soon as a node is stuck.
        """
        check(program, self.guarantees, self._limit)
        bounds = bounds or self.bounds
        roles = dict(zip(program.nodes, NAMES, strict=False))
        self._prepare(program, roles)
        self.statistics.programs += 1
        nodes = {name: self._nodes[role] for name, role in roles.items()}
        try:
            outcome = Run(
                program,
                nodes,
                self._mailbox,
                bounds,
                dgram=self.configuration.target.ep_type == "dgram",
                connected=self.configuration.target.ep_type == "msg",
                automatic=self.guarantees.default.data_progress == "AUTO",
                drive=drive if drive is not None else (True if self.drive else None),
            ).go()
        except RemoteFailure as failure:
            self._drop_nodes()
            raise ExecutorError(f"{program.name} on {self.configuration}: {failure}\n{failure.traceback}") from failure
        self.statistics.deaths += len(outcome.deaths)
        self.drive = self.drive or outcome.stalled
        history = outcome.history
        if outcome.deaths:
            self._drop_nodes()
        elif not outcome.clean:
            for loss in self._retire(outcome.reasons):
                name = next(name for name, role in roles.items() if role == loss.node)
                seq = len(history.of(name))
                event = epitaph(name, seq, history.of(name)[-1].at if seq else 0, loss)
                history = dataclasses.replace(history, events=(*history.events, event), finished=False)
        return history

    def call(self, function: Callable[..., Any] | str, *args: Any, timeout: float = 60.0, **kwargs: Any) -> Any:
        """Call a function in a node of its own, for cases that use the API themselves. A fresh one after a death.

        Raises ``RemoteFailure`` and ``NodeDied``, which are the case's evidence.
        """
        if self._case_node is None:
            self._case_node = self._spawn("K")
        try:
            return self._case_node.call(function, *args, timeout=timeout, **kwargs)
        except NodeDied:
            self.statistics.deaths += 1
            self._case_node = None
            raise

    def logs(self) -> dict[str, str]:
        """The end of what the provider has logged so far, by node."""
        return {name: node.log() for name, node in self._nodes.items()}

    def close(self) -> None:
        """Close endpoints and nodes. Never raises."""
        self._retire([], closing=True)
        for node in (*self._nodes.values(), self._case_node):
            if node is not None:
                node.close()
                if node.died is not None:
                    self._incident(node.died)
        self._nodes.clear()
        self._case_node = None
        self._forget()

    # -- nodes and endpoints ----------------------------------------------------------------------------------------
    def _spawn(self, name: str) -> Node:
        index = NAMES.index(name) if name in NAMES else 0
        spec = self._specs[index % len(self._specs)]
        self.statistics.spawned += 1
        return Node(name, spec, environment_of(self.configuration.target), self._mailbox)

    def _address(self, name: str) -> str:
        return self._specs[NAMES.index(name) % len(self._specs)].address

    def _prepare(self, program: Program, roles: dict[str, str]) -> None:
        """Have everything ready, at the second attempt with fresh nodes."""
        for attempt in (1, 2):
            try:
                self._ready(program, roles)
                return
            except (NodeDied, RemoteFailure) as trouble:
                self._drop_nodes()
                self.incidents.append(str(trouble))
                self.statistics.deaths += isinstance(trouble, NodeDied)
                if attempt == 2:
                    trace = f"\n{trouble.traceback}" if isinstance(trouble, RemoteFailure) else ""
                    raise SessionError(f"{self.configuration}: cannot be opened: {trouble}{trace}") from trouble

    def _ready(self, program: Program, roles: dict[str, str]) -> None:
        """Have nodes, ports, addresses and connections for a Program."""
        wanted = {role: max(program.endpoint_count(name), self._ports.get(role, 0)) for name, role in roles.items()}
        bound = self.bounds.connect
        self._open_nodes([role for role in wanted if role not in self._nodes])
        enough = all(self._ports.get(role, 0) >= count for role, count in wanted.items())
        if enough and self._linked(program, roles):
            return
        calls = {role: self._nodes[role].start(f"{_AGENT}:open_ports", n, timeout=bound) for role, n in wanted.items()}
        addresses = {role: call.result() for role, call in calls.items()}
        self._ports.update(wanted)
        self.statistics.opened += 1
        if self.configuration.target.ep_type == "msg":
            self._connect(program, roles, addresses)
        else:
            self._insert(addresses)

    def _open_nodes(self, names: list[str]) -> None:
        if not names:
            return
        with ThreadPoolExecutor(len(names)) as pool:
            starting = {name: pool.submit(self._spawn, name) for name in names}
        started = {name: future for name, future in starting.items() if future.exception() is None}
        self._nodes.update({name: future.result() for name, future in started.items()})
        for name in names:
            starting[name].result()
        plain = self.configuration.to_plain()
        calls = {
            name: self._nodes[name].start(
                f"{_AGENT}:open_station", plain, name, self._address(name), self.fault, timeout=60.0
            )
            for name in names
        }
        for name, call in calls.items():
            self._ends[name] = end_from_plain(call.result())

    def _linked(self, program: Program, roles: dict[str, str]) -> bool:
        if self.configuration.target.ep_type != "msg":
            everybody = {(role, i) for role in roles.values() for i in range(self._ports[role])}
            return all(everybody <= self._inserted.get(role, set()) for role in roles.values())
        return all(pair in self._connected for pair in self._pairs(program, roles))

    def _insert(self, addresses: dict[str, list[bytes]]) -> None:
        peers = [(role, index, address) for role, all_of in addresses.items() for index, address in enumerate(all_of)]
        bound = self.bounds.connect
        calls = [self._nodes[role].start(f"{_AGENT}:insert", peers, timeout=bound) for role in addresses]
        for call in calls:
            call.result()
        for role in addresses:
            self._inserted.setdefault(role, set()).update((peer[0], peer[1]) for peer in peers)

    def _pairs(self, program: Program, roles: dict[str, str]) -> list[tuple[tuple[str, int], tuple[str, int]]]:
        ports = [(role, index) for name, role in roles.items() for index in range(program.endpoint_count(name))]
        return [(one, other) for i, one in enumerate(ports) for other in ports[i + 1 :] if one[0] != other[0]]

    def _connect(self, program: Program, roles: dict[str, str], addresses: dict[str, list[bytes]]) -> None:
        """Connect every pair of ports of different nodes, one after the other so that a listener knows who comes."""
        bound = self.bounds.connect
        for one, other in self._pairs(program, roles):
            if (one, other) in self._connected:
                continue
            accepting = self._nodes[other[0]].start(f"{_AGENT}:accept", other[1], one, bound, timeout=bound * 2)
            listener = addresses[other[0]][other[1]]
            self._nodes[one[0]].call(f"{_AGENT}:connect", one[1], other, listener, bound, timeout=bound * 2)
            accepting.result()
            self._connected.add((one, other))

    def _retire(self, reasons: list[str], closing: bool = False) -> list[NodeDied]:
        """Close the endpoints of all nodes; deaths on the way are returned, and then all nodes are dropped."""
        deaths: list[NodeDied] = []
        calls = []
        if not self._nodes:
            return deaths
        if not closing:
            self.statistics.retired += 1
            for reason in reasons:
                self.statistics.reasons[reason] = self.statistics.reasons.get(reason, 0) + 1
        what = "close_station" if closing else "retire"
        for node in self._nodes.values():
            try:
                calls.append(node.start(f"{_AGENT}:{what}", timeout=self.bounds.connect))
            except NodeDied as death:
                deaths.append(death)
        told: list[str] = []
        for call in calls:
            try:
                told += call.result()
            except NodeDied as death:
                deaths.append(death)
            except RemoteFailure as failure:
                told.append(str(failure))
        self._forget()
        if closing:
            for loss in deaths:
                self._incident(loss)
        elif deaths or told:
            self.incidents += told
            self.statistics.deaths += len(deaths)
            self._drop_nodes()
        return deaths

    def _forget(self) -> None:
        self._ports.clear()
        self._inserted.clear()
        self._connected.clear()

    def _drop_nodes(self) -> None:
        """All nodes go: one has died, or refuses to give up its endpoints."""
        for node in self._nodes.values():
            node.close(timeout=2.0)
        self._nodes.clear()
        self._forget()

    def _incident(self, death: NodeDied) -> None:
        self.statistics.deaths += 1
        self.incidents.append(str(death))
