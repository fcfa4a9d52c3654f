# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The time line of a failure: one column per node, one row per event, barriers across.

Events of a node stay in their order; between barriers the nodes' own clocks decide which row comes first, which is a
picture and no claim. Events on which the explanation rests are marked.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from kfabric.model.history import AnyEvent, Content, Counted, Died, Failed, History, Passed, Probed, Waited
from kfabric.model.program import Program

from .words import Teller

ROWS = 120
"""Rows at most; the middle is left out."""


@dataclass
class Row:
    """One event, or a barrier (``node`` empty), or a gap."""

    node: str
    text: str
    kind: str = "event"
    at: str = ""
    marked: bool = False


@dataclass
class Timeline:
    """What the HTML and the console draw."""

    nodes: list[str]
    rows: list[Row] = field(default_factory=list)


def _segments(history: History, node: str) -> list[list[AnyEvent]]:
    segments: list[list[AnyEvent]] = [[]]
    for event in sorted(history.of(node), key=lambda each: each.seq):
        if isinstance(event, Passed):
            segments.append([])
        else:
            segments[-1].append(event)
    return segments


def _barriers(history: History, node: str) -> list[int]:
    return [event.index for event in sorted(history.of(node), key=lambda e: e.seq) if isinstance(event, Passed)]


def _kind(event: AnyEvent) -> str:
    if isinstance(event, Failed | Died) or (isinstance(event, Waited) and event.bounded):
        return "bad"
    if isinstance(event, Content) and not (event.before and event.after):
        return "bad"
    return "event"


def _interesting(event: AnyEvent, marked: bool) -> bool:
    if isinstance(event, Content | Counted):
        return marked or _kind(event) == "bad"
    return not isinstance(event, Probed) or marked or event.arrived


def timeline(program: Program, history: History, named: tuple[tuple[str, int], ...]) -> Timeline:
    """Lay out a History. Barrier numbers need not be the same on all nodes; only those of one index stand in line."""
    teller = Teller(program)
    nodes = list(dict.fromkeys([*program.nodes, *(event.node for event in history.events)]))
    start = min((event.at for event in history.events), default=0)
    marks = set(named)
    line = Timeline(nodes)
    queues = {node: _segments(history, node) for node in nodes}
    barriers = {node: _barriers(history, node) for node in nodes}
    left_out: Counter[str] = Counter()
    while any(queues.values()):
        front = [event for node in nodes if queues[node] for event in queues[node].pop(0)]
        for event in sorted(front, key=lambda each: (each.at, nodes.index(each.node), each.seq)):
            marked = (event.node, event.seq) in marks
            if not _interesting(event, marked):
                left_out[event.node] += 1
                continue
            line.rows.append(Row(event.node, teller(event), _kind(event), _since(event.at - start), marked))
        reached = {node: barriers[node].pop(0) for node in nodes if barriers[node]}
        if reached:
            line.rows.append(Row("", f"barrier {min(reached.values())}", "barrier"))
    if left_out:
        line.rows.append(
            Row("", f"and {sum(left_out.values())} contents and counters that are as they should be", "note")
        )
    if len(line.rows) > ROWS:
        half = ROWS // 2
        gap = Row("", f"{len(line.rows) - ROWS} events left out here; they are in the failure file", "note")
        line.rows = [*line.rows[:half], gap, *line.rows[-half:]]
    return line


def _since(nanoseconds: int) -> str:
    micro = nanoseconds / 1000
    return (
        f"{micro:.0f} µs"
        if micro < 10_000
        else f"{micro / 1000:.1f} ms"
        if micro < 10_000_000
        else f"{micro / 1e6:.2f} s"
    )
