# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Time lines keep each node's order, stand barriers across, and mark what an explanation rests on."""

from __future__ import annotations

import dataclasses

from kfabric.model.history import AnyEvent, Content, Did, History, Passed
from ofi_conformance.report.timeline import ROWS, timeline

from . import samples

FOUND = samples.evidence()


def test_a_history_is_laid_out() -> None:
    line = timeline(FOUND.program, FOUND.history, (("A", 1), ("B", 1)))
    assert line.nodes == ["A", "B"]
    assert [(row.node, row.kind, row.marked) for row in line.rows] == [
        ("A", "event", False),
        ("A", "event", True),
        ("A", "event", False),
        ("A", "bad", False),
        ("A", "bad", False),
        ("", "barrier", False),
        ("B", "bad", True),
        ("B", "event", False),
    ]
    assert [row.at for row in line.rows][:2] == ["0 µs", "4 µs"]


def test_clocks_that_disagree_cannot_turn_a_nodes_order_or_cross_a_barrier() -> None:
    program = FOUND.program
    ahead = tuple(
        dataclasses.replace(event, at=event.at - 10**12) if event.node == "B" else event
        for event in FOUND.history.events
    )
    texts = [row.text for row in timeline(program, History(ahead), ()).rows]
    assert texts.index("barrier 1") < next(number for number, text in enumerate(texts) if "saw" in text)
    assert texts.index("barrier 1") > next(number for number, text in enumerate(texts) if "ETRUNC" in text)


def test_what_is_as_it_should_be_at_the_end_is_only_counted() -> None:
    quiet: tuple[AnyEvent, ...] = (Content("A", 9, 1, "region:x", b""), Content("B", 9, 1, "buffer:S1", b""))
    line = timeline(FOUND.program, History((*FOUND.history.events, *quiet)), ())
    assert line.rows[-1].text == "and 2 contents and counters that are as they should be"


def test_a_long_history_is_cut_in_the_middle() -> None:
    events = tuple(Did("A", number, number, f"L{number}") for number in range(1000))
    line = timeline(FOUND.program, History(events), ())
    assert len(line.rows) == ROWS + 1
    assert line.rows[ROWS // 2].text == "880 events left out here; they are in the failure file"


def test_a_node_without_the_barrier_goes_on() -> None:
    events: tuple[AnyEvent, ...] = (
        Passed("A", 0, 1, "b", 1),
        Did("A", 1, 2, "x"),
        Did("B", 0, 1, "y"),
        Did("B", 1, 3, "z"),
    )
    assert [row.text for row in timeline(FOUND.program, History(events), ()).rows] == ["y", "z", "barrier 1", "x"]
