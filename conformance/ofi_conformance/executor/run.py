# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Running one Program on several nodes: what the coordinator does between the first key and the last event.

Hands out keys, lets barriers go, and when all steps are done settles, probes what is owed (decision 8: progress calls
on both nodes, then a message on the same endpoints) and collects. A node that dies ends the run for all; what was
seen until then is kept. Knows no provider; never raises for one that misbehaves.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kfabric.model import codec
from kfabric.model.history import AnyEvent, Died, History, Waited
from kfabric.model.program import Atomic, AtomicKind, Barrier, OpMark, Program, Read, Recv, Send, Write

from ..nodes import Call, Mailbox, Node, NodeDied, RemoteFailure
from ..nodes.node import Word
from .bounds import Bounds
from .events import build
from .legality import connected_ports, peers_of, violates

_LOOK = 0.5
"""Seconds of silence after which to look whether a node still makes calls."""
Pair = tuple[tuple[str, int], tuple[str, int]]
"""Two ports of different nodes of the Program."""


@dataclass
class Outcome:
    """What a run leaves: the history, and whether the endpoints can be used again."""

    history: History
    clean: bool = True
    reasons: list[str] = field(default_factory=list)
    deaths: list[NodeDied] = field(default_factory=list)
    stalled: bool = False
    """Progress was automatic, a node was stuck, and it went on once the others read their queues."""


class Run:
    """One run. ``nodes`` by the Program's names; all share one mailbox."""

    def __init__(
        self,
        program: Program,
        nodes: dict[str, Node],
        mailbox: Mailbox,
        bounds: Bounds,
        *,
        dgram: bool,
        connected: bool,
        automatic: bool,
        drive: bool | None,
    ) -> None:
        self._program = program
        self._nodes = nodes
        self._mailbox = mailbox
        self._bounds = bounds
        self._silence = bounds.silence + bounds.wait
        self._dgram = dgram
        self._connected = connected
        self._automatic = automatic
        self._drive = bool(drive)
        self._may_help = automatic and drive is None
        self._helped = False
        self._owing = False
        self._events: dict[str, list[tuple[Any, ...]]] = {name: [] for name in nodes}
        self._died: dict[str, NodeDied] = {}
        self._notes: list[str] = []
        self._calls: dict[str, Call] = {}
        self._finished: set[str] = set()
        self._reports: dict[str, dict[str, Any]] = {}
        self._reasons: list[str] = []
        self._failed: list[str] = []
        self._pulses: dict[str, tuple[bytes | None, float]] = {}
        """The provider call that each node is in, and since when it has been seen there."""
        self._receives = {step.name for _, step in program.operations() if isinstance(step, Recv)}

    def go(self) -> Outcome:
        """Run it."""
        document = codec.dumps(self._program)
        roles = {name: node.name for name, node in self._nodes.items()}
        bounds = self._bounds.to_plain()
        whole = self._bounds.silence * 1000
        try:
            for name, node in self._nodes.items():
                self._calls[name] = node.start(
                    "ofi_conformance.executor.node:run", document, name, roles, bounds, self._drive, timeout=whole
                )
            self._steps()
            self._settle()
            self._finish()
        except NodeDied as death:
            self._buried(death)
        except RemoteFailure as failure:
            self._abandon(failure.node)
            raise
        return self._outcome()

    # -- words of the nodes -----------------------------------------------------------------------------------------
    def _tell(self, names: Iterable[str], word: Any) -> None:
        for name in names:
            self._nodes[name].tell(word)

    def _name(self, node: Node) -> str:
        return next(name for name, each in self._nodes.items() if each is node)

    def _hear(self, waiting: set[str], kinds: set[str]) -> tuple[str, Any]:
        """The next word of any of the nodes that owe one. A node that is silent too long is stopped."""
        node, (kind, content) = self._take(waiting)
        name = self._name(node)
        if kind == "said" and content[0] == "stuck":
            if self._may_help and not self._helped:
                self._helped = True
                self._tell(self._nodes, ("drive",))
            return self._hear(waiting, kinds)
        if kind == "ended":
            raise node.bury()
        if kind == "failed":
            raise RemoteFailure(node.name, content[1])
        if kind == "said":
            assert content[0] in kinds, f"{name} said {content[0]}, expected one of {kinds}"
            return name, content
        raise AssertionError(f"{name} ended its run too early")

    def _take(self, waiting: set[str], nodes: set[Node] | None = None) -> tuple[Node, Word]:
        """The next word of the nodes; one that hangs in a provider call, or is silent too long, is stopped."""
        wanted = nodes or set(self._nodes.values())
        began = time.monotonic()
        while True:
            found = self._mailbox.take(_LOOK, lambda node, word: node in wanted)
            if found is not None:
                return found
            now = time.monotonic()
            for name in sorted(waiting):
                pulse = self._nodes[name].pulse()
                before, since = self._pulses.get(name, (None, now))
                if pulse is None or pulse != before:
                    since = now
                self._pulses[name] = pulse, since
                if now - since > self._bounds.hang or now - began > self._silence:
                    raise self._nodes[name].bury(hang=True)

    def _gather(self, kind: str) -> dict[str, Any]:
        """One word of that kind from every node."""
        waiting, found = set(self._nodes), {}
        while waiting:
            name, word = self._hear(waiting, {kind})
            waiting.discard(name)
            found[name] = word
        return found

    # -- steps ------------------------------------------------------------------------------------------------------
    def _steps(self) -> None:
        regions = [
            (name, region, base, keys)
            for name, word in self._gather("ready").items()
            for region, (base, keys) in word[1].items()
        ]
        self._tell(self._nodes, ("start", regions))
        expected = self._barriers()
        arrived: dict[int, set[tuple[str, int]]] = {index: set() for index in expected}
        waiting = set(self._nodes)
        at_barrier: dict[str, int] = dict.fromkeys(self._nodes, 0)
        while waiting:
            busy = {name for name in waiting if not at_barrier[name]} or waiting
            name, word = self._hear(busy, {"at", "done"})
            self._events[name] += word[-1]
            if word[0] == "done":
                self._failed += word[1]
                waiting.discard(name)
                continue
            _, thread, index, _ = word
            arrived[index].add((name, thread))
            at_barrier[name] += 1
            if arrived[index] == expected[index]:
                involved = sorted({node for node, _ in expected[index]})
                self._tell(involved, ("go", index))
                for node, _ in expected[index]:
                    at_barrier[node] -= 1

    def _barriers(self) -> dict[int, set[tuple[str, int]]]:
        found: dict[int, set[tuple[str, int]]] = {}
        for thread, step in self._program.steps():
            if isinstance(step, Barrier):
                found.setdefault(step.index, set()).add((thread.node, thread.index))
        return found

    # -- the end ----------------------------------------------------------------------------------------------------
    def _settle(self) -> None:
        self._tell(self._nodes, ("settle", self._failed))
        for name, (_, report, events) in self._gather("settled").items():
            self._events[name] += events
            self._reports[name] = report
        owed = self._owed()
        self._owing = bool(owed)
        if owed:
            self._reasons += owed
            self._probe(self._pairs(), recorded=True)
        elif self._base_atomics() and not any(report["open"] for report in self._reports.values()):
            self._probe(self._pairs(), recorded=False)

    def _all(self, key: str) -> set[str]:
        return {name for report in self._reports.values() for name in report[key]}

    def _owed(self) -> list[str]:
        """What should have come and has not, as sentences."""
        found = [f"no completion of {name}" for name in sorted(self._all("owed"))]
        for name, report in self._reports.items():
            if report["expected"] and self._unreceived(name) > 0 and not self._dgram:
                found.append(f"{name} still waits for {report['expected']} messages that were sent")
            if report["lacking"]:
                found.append(f"{name} lacks bytes written to {', '.join(report['lacking'])}")
        failed, posted = self._all("failed"), self._all("posted")
        for name, report in self._reports.items():
            sent = [
                step.name
                for _, step in self._program.operations()
                if isinstance(step, Write) and step.data is not None and step.target[0].node == name
                if step.name in posted and step.name not in failed
            ]
            if sent and report["data"] > 0:
                found.append(f"{name} lacks {report['data']} entries of remote data")
        return found

    def _unreceived(self, node: str) -> int:
        """Messages sent to a node beyond those it has received."""
        posted = self._all("posted")
        sends = [
            s for _, s in self._program.operations() if isinstance(s, Send) and s.to.node == node and s.name in posted
        ]
        return len(sends) - len(self._reports[node]["received"])

    def _base_atomics(self) -> bool:
        return any(
            isinstance(step, Atomic) and step.kind is AtomicKind.BASE and OpMark.DELIVERY_COMPLETE not in step.marks
            for _, step in self._program.operations()
        )

    def _pairs(self) -> list[Pair]:
        """Ports that the Program uses with each other, each pair once, ports of one node left out."""
        found: dict[Pair, None] = {}
        for thread, op in self._program.operations():
            mine = (thread.node, op.via)
            peers = list(peers_of(self._program, op))
            if isinstance(op, Recv) and op.source is None:
                peers = connected_ports(self._program, thread.node)[:1]
            for peer in peers:
                if peer.node != thread.node:
                    one, other = sorted([mine, (peer.node, peer.index)])
                    found[one, other] = None
        return list(found)

    def _probe(self, pairs: list[Pair], recorded: bool) -> None:
        involved: dict[str, list[tuple[int, str, int]]] = {name: [] for name in self._nodes}
        for one, other in pairs:
            involved[one[0]].append((one[1], other[0], other[1]))
            involved[other[0]].append((other[1], one[0], one[1]))
        bound = self._bounds.settle if self._connected and self._all("failed") else self._bounds.probe
        for name, mine in involved.items():
            self._nodes[name].tell(("probe", mine, recorded, bound))
        for name, word in self._gather("polled").items():
            self._events[name] += word[-1]
        self._tell(self._nodes, ("go", -1))
        for name, (_, arrived, events) in self._gather("probed").items():
            self._events[name] += events
            if not arrived:
                self._reasons.append(f"a probe of {name} did not arrive")

    def _finish(self) -> None:
        reusable = not self._reasons and self._reusable()
        self._tell(self._nodes, ("finish", reusable))
        for name, call in self._calls.items():
            result = call.result(self._silence)
            self._events[name] += result["events"]
            self._notes += result["notes"]
            if reusable and not result["reusable"]:
                self._reasons.append(f"{name} could not take back its receives")

    def _reusable(self) -> bool:
        """Whether nothing of this Program can show up in the next one."""
        for _, step in self._program.operations():
            if isinstance(step, Write | Read | Atomic) and violates(self._program, step):
                self._reasons.append("deliberate mistakes")
                break
        for name, report in self._reports.items():
            if report["failed"]:
                self._reasons.append(f"operations of {name} failed")
            if report["shutdown"]:
                self._reasons.append(f"a connection of {name} was shut down")
            if report["strays"]:
                self._reasons.append(f"{name} saw entries that were nobody's")
            if set(report["unknown"]) - self._receives:
                self._reasons.append(f"{name} has operations whose end nobody tells")
            if self._unreceived(name) > 0:
                self._reasons.append(f"messages to {name} were not received")
        return not self._reasons

    # -- what came of it --------------------------------------------------------------------------------------------
    def _buried(self, death: NodeDied) -> None:
        """A node is gone: let the others stop, keep what they saw, bury those that do not answer."""
        name = next(name for name, node in self._nodes.items() if node.name == death.node)
        self._died[name] = death
        self._reasons.append(str(death))
        self._abandon(death.node)

    def _abandon(self, gone: str) -> None:
        """Let the other nodes stop."""
        for other, node in self._nodes.items():
            if node.name == gone or other in self._died or node.died is not None:
                continue
            try:
                node.tell(("abort",))
                self._drain(other, node)
            except NodeDied as another:
                self._died[other] = another

    def _drain(self, name: str, node: Node) -> None:
        """Words of a node that was told to stop, up to its answer."""
        while True:
            _, (kind, content) = self._take({name}, {node})
            if kind == "ended":
                raise node.bury()
            if kind == "said" and isinstance(content[-1], list | tuple):
                if content[0] in ("at", "done", "settled", "polled", "probed"):
                    self._events[name] += content[-1]
            elif kind == "done":
                self._events[name] += content[1]["events"]
                self._notes += content[1]["notes"]
                return
            elif kind == "failed":
                raise RemoteFailure(node.name, content[1])

    def _outcome(self) -> Outcome:
        events: list[AnyEvent] = []
        for name, plain in self._events.items():
            mine = [build(name, seq, event) for seq, event in enumerate(plain)]
            death = self._died.get(name)
            if death is not None:
                at = mine[-1].at if mine else 0
                mine.append(epitaph(name, len(mine), at, death))
            events += mine
        if (self._drive or self._helped) and self._automatic:
            self._notes.append(DRIVEN)
        history = History(tuple(events), finished=not self._died, note="\n".join(dict.fromkeys(self._notes)))
        waits = [event for event in events if isinstance(event, Waited)]
        stalled = self._helped and not self._owing and not any(wait.bounded for wait in waits)
        return Outcome(history, not self._reasons, self._reasons, list(self._died.values()), stalled)


DRIVEN = "progress was driven at barriers although the configuration promises automatic progress"
"""The note of a History in which an automatic-progress configuration was helped."""


def epitaph(name: str, seq: int, at: int, death: NodeDied) -> Died:
    """A death as an event of the node's history."""
    return Died(
        name, seq, at, death.how, death.intent or death.last, death.signal, death.status, death.trace or death.log
    )
