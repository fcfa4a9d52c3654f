# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Writes that completed and are nowhere at the end: OFI-RMA-001, or the order by which they should have come last.

A completion of a weak level says nothing about the target, so a look in between may miss the write. At the very end it
is owed, as a completion is: broken if a later message went both ways on the same endpoints after empty progress calls,
open otherwise. A byte speaks against a write only if nothing that may have come after the write explains it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..history import Event, Probed
from ..program import Region, Write
from .arrivals import _ranges
from .ledger import Ledger
from .scene import Scene

if TYPE_CHECKING:
    from .memory import Glance, Memory, Piece, Verdict


def judge_landing(
    memory: Memory, region: Region, glance: Glance, run: tuple[int, int], verdict: Verdict, ledger: Ledger
) -> None:
    """One run of bytes at the end, which holds what it may hold."""
    scene = memory.scene
    if not scene.history.finished or scene.died:
        return
    first, end = run
    seen = glance.content[first - glance.first : end - glance.first]
    for piece in verdict.allowed:
        step = piece.update
        if not isinstance(step, Write) or not piece.certain or piece.at(*run) == seen:
            continue
        if not scene.known_done(step.name):
            continue
        wrong = [at for at, column in enumerate(_later(memory, piece, run, verdict)) if seen[at] not in column]
        if wrong:
            where = f"bytes {_ranges([first + at for at in wrong])} of {region.node}.{region.name}"
            _missing(scene, step, _broken_by(memory, piece, run, verdict, seen, wrong), where, glance, ledger)


def _broken_by(
    memory: Memory, piece: Piece, run: tuple[int, int], verdict: Verdict, seen: bytes, wrong: list[int]
) -> tuple[str, ...]:
    """The order that an earlier operation broke whose bytes are there instead, or that the write is not there."""
    for other in verdict.allowed:
        reason = memory.visibility.older(other.update, piece.update) if other is not piece else None
        content = other.at(*run)
        if reason is not None and reason.ordering and content and any(content[at] == seen[at] for at in wrong):
            return reason.ids
    return ("OFI-RMA-001",)


def _later(memory: Memory, piece: Piece, run: tuple[int, int], verdict: Verdict) -> list[set[int]]:
    """By byte, what the write or anything that may come after it left."""
    columns: list[set[int]] = [set() for _ in range(run[1] - run[0])]
    for other in verdict.allowed:
        if other is piece or memory.visibility.older(other.update, piece.update) is None:
            for column, byte in zip(columns, other.at(*run) or b"", strict=False):
                column.add(byte)
    return columns


def _missing(scene: Scene, step: Write, ids: tuple[str, ...], where: str, glance: Glance, ledger: Ledger) -> None:
    ends = {scene.node(step.name), step.target[0].node}
    probes = [probe for probe in scene.probed if {probe.node, probe.peer} == ends]
    let = [scene.say(step.name)]
    then = f"{step.name} completed without error, so its bytes come to where they were addressed."
    events: list[Event | None] = [scene.posted.get(step.name), scene.succeeded(step.name), *probes, *glance.events]
    if probes and all(probe.arrived for probe in probes) and _before(scene, probes, glance):
        however = f"However {where} are older at the end, after a later message went through."
        ledger.broken(ids, let, then, however, events)
    else:
        ledger.open(ids, let, then, f"However {where} were older when the run ended.", events)


def _before(scene: Scene, probes: list[Probed], glance: Glance) -> bool:
    """The probe at the target was over before memory was looked at."""
    here = [probe for probe in probes if probe.node == glance.look.node]
    return any(scene.order.before(scene.order.point(probe), glance.look.begin) for probe in here)
