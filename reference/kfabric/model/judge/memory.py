# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Regions byte by byte: every look at memory finds bytes that may have been there.

For each run of bytes that the same updates touch, the candidates are those updates, and the initial content, that are
neither certainly overwritten by something certainly shown nor certainly later than the look. A mixture of candidates is
fine: nothing is promised about order within an operation. Where an atomic operation or a source buffer that was reused
too early is among the candidates, the bytes are not judged here (see ``atomics``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from .. import data
from ..history import Event
from ..program import Atomic, Load, Location, Read, Region, Store, Write
from . import calls, diagnosis
from .landing import judge_landing
from .ledger import Ledger
from .scene import Scene, places
from .visibility import Look, Reason, Update, Visibility

Key = tuple[str, str]


@dataclass(slots=True, eq=False)
class Piece:
    """What one update does to one stretch of a region."""

    update: Update
    first: int
    end: int
    content: bytes | None
    """None: nobody can say which bytes."""
    certain: bool = True
    """It takes effect; otherwise it may, or may not."""

    def at(self, first: int, end: int) -> bytes | None:
        """The bytes for part of the stretch."""
        return None if self.content is None else self.content[first - self.first : end - self.first]


@dataclass(slots=True, eq=False)
class Glance:
    """A look at one stretch of a region, with the bytes seen."""

    look: Look
    first: int
    end: int
    content: bytes
    events: tuple[Event | None, ...]


@dataclass(slots=True)
class Verdict:
    """Candidates for one run of bytes, and why the others are none."""

    allowed: list[Piece] = field(default_factory=list)
    initial: bool = True
    hidden: list[tuple[Piece | None, Piece, Reason | None, list[Reason]]] = field(default_factory=list)
    """(what is overwritten: None for the initial content, by what, why later, why shown)"""
    future: list[tuple[Piece, Reason]] = field(default_factory=list)


class Memory:
    """All regions of a Program."""

    def __init__(self, scene: Scene, visibility: Visibility) -> None:
        self.scene = scene
        self.visibility = visibility
        self.pieces: dict[Key, list[Piece]] = {}
        self.glances: dict[Key, list[Glance]] = {}
        for step in scene.steps.values():
            if isinstance(step, Write | Atomic):
                self._remote(step)
            elif isinstance(step, Store) and step.name in scene.did:
                self._add(step, step.place, data.payload(scene.numbers, step), certain=True)
            elif isinstance(step, Load):
                self._load(step)
            elif isinstance(step, Read):
                self._read(step)
        for region in scene.program.regions:
            self._final(region)

    # -- what updates and looks there are ------------------------------------------------------------------------------

    def _add(self, update: Update, place: Location, content: bytes | None, *, certain: bool) -> None:
        region = self.scene.region(place)
        if region is None:
            return
        first, end = max(place.offset, 0), min(place.offset + place.size, region.size)
        if first >= end:
            return
        inside = None if content is None else content[first - place.offset : end - place.offset]
        self.pieces.setdefault((place.node, place.region), []).append(Piece(update, first, end, inside, certain))

    def _remote(self, step: Write | Atomic) -> None:
        scene = self.scene
        if not scene.maybe(step.name):
            return
        broken = scene.breach(step)
        if broken is not None and not scene.beyond(step):
            return
        certain = scene.accepted(step.name) and broken is None and not scene.doubtful(step)
        certain = certain and not scene.errored(step.name) and calls.reliable(scene.end(step.name))
        content = None if isinstance(step, Atomic) or scene.wild(step) else scene.payload(step)
        done = 0
        for place in places(step):
            part = None if content is None else content[done : done + place.size]
            self._add(step, place, part, certain=certain)
            done += place.size

    def _load(self, step: Load) -> None:
        seen = self.scene.observed.get(step.name)
        if seen is None:
            return
        node = self.scene.node(step.name)
        look = Look(step.name, "load", node, self.scene.order.begin(step.name))
        self._glance(look, step.place, seen.content, (seen,))

    def _read(self, step: Read) -> None:
        scene = self.scene
        seen, entry = scene.observed.get(step.name), scene.succeeded(step.name)
        if not scene.accepted(step.name) or scene.errored(step.name) or scene.breach(step) is not None:
            return
        if entry is not None and seen is not None:
            content = seen.content
        else:
            final = scene.contents.get((scene.node(step.name), f"buffer:{step.name}"))
            if final is None or not scene.known_done(step.name):
                return
            content = final.content
        look = Look(step.name, "read", scene.node(step.name), scene.order.begin(step.name), step)
        done = 0
        for place in step.target:
            self._glance(look, place, content[done : done + place.size], (entry, seen))
            done += place.size

    def _final(self, region: Region) -> None:
        event = self.scene.contents.get((region.node, f"region:{region.name}"))
        if event is None:
            return
        look = Look(
            f"final content of {region.node}.{region.name}", "final", region.node, self.scene.order.point(event)
        )
        place = Location(region.node, region.name, 0, region.size)
        self._glance(look, place, event.content, (event,))

    def _glance(self, look: Look, place: Location, content: bytes, events: tuple[Event | None, ...]) -> None:
        region = self.scene.region(place)
        if region is None or place.offset < 0 or place.offset + place.size > region.size:
            return
        key = (place.node, place.region)
        end = place.offset + min(place.size, len(content))
        if end > place.offset:
            self.glances.setdefault(key, []).append(Glance(look, place.offset, end, content, events))

    # -- candidates ----------------------------------------------------------------------------------------------------

    def runs(self, pieces: list[Piece], glance: Glance) -> Iterator[tuple[int, int, tuple[Piece, ...]]]:
        """Stretches of a glance that the same pieces touch."""
        touching = [piece for piece in pieces if piece.first < glance.end and piece.end > glance.first]
        cuts = {glance.first, glance.end}
        for piece in touching:
            cuts.add(max(piece.first, glance.first))
            cuts.add(min(piece.end, glance.end))
        ordered = sorted(cuts)
        for first, end in pairwise(ordered):
            yield first, end, tuple(p for p in touching if p.first <= first and p.end >= end)

    def candidates(self, look: Look, covering: tuple[Piece, ...]) -> Verdict:
        """Which of the covering pieces, and whether the initial content, may be seen."""
        visibility = self.visibility
        verdict = Verdict()
        gone = {id(p): reason for p in covering if (reason := visibility.unseen(look, p.update)) is not None}
        older: dict[tuple[int, int], Reason] = {}
        for a in covering:
            for b in covering:
                if a is not b and (reason := visibility.older(a.update, b.update)) is not None:
                    older[id(a), id(b)] = reason
        spread = True
        while spread and gone:  # what certainly comes after something later than the look is later too
            spread = False
            for a in covering:
                for b in covering:
                    if id(a) in gone and id(b) not in gone and (id(a), id(b)) in older:
                        gone[id(b)] = gone[id(a)]
                        spread = True
        shown = {id(p): reasons for p in covering if p.certain and (reasons := visibility.shown(p.update, look))}
        verdict.initial = not shown
        for piece in covering:
            if id(piece) in gone:
                verdict.future.append((piece, gone[id(piece)]))
                continue
            over = next((b for b in covering if id(b) in shown and (id(piece), id(b)) in older), None)
            if over is None:
                over = self._through(piece, covering, shown, older)
            if over is None:
                verdict.allowed.append(piece)
            else:
                direct = older.get((id(piece), id(over)))
                verdict.hidden.append((piece, over, direct, shown[id(over)]))
        if not verdict.initial:
            for piece in covering:
                if id(piece) in shown:
                    verdict.hidden.append((None, piece, None, shown[id(piece)]))
        return verdict

    def _through(
        self,
        piece: Piece,
        covering: tuple[Piece, ...],
        shown: dict[int, list[Reason]],
        older: dict[tuple[int, int], Reason],
    ) -> Piece | None:
        """A shown piece that comes after ``piece`` by way of others."""
        todo, seen = [piece], {id(piece)}
        while todo:
            here = todo.pop()
            for other in covering:
                if id(other) in seen or (id(here), id(other)) not in older or not other.certain:
                    continue
                if id(other) in shown:
                    return other
                seen.add(id(other))
                todo.append(other)
        return None


# -- the rule ---------------------------------------------------------------------------------------------------------


def judge_memory(memory: Memory, ledger: Ledger) -> None:
    """Every glance at every region."""
    scene = memory.scene
    for region in scene.program.regions:
        key = (region.node, region.name)
        pieces = memory.pieces.get(key, [])
        start = data.initial(region)
        cache: dict[tuple[str, tuple[int, ...]], Verdict] = {}
        for glance in memory.glances.get(key, ()):
            for first, end, covering in memory.runs(pieces, glance):
                cached = (glance.look.name, tuple(map(id, covering)))
                if cached not in cache:
                    cache[cached] = memory.candidates(glance.look, covering)
                _judge_run(memory, region, glance, (first, end), start[first:end], cache[cached], ledger)


def _judge_run(
    memory: Memory,
    region: Region,
    glance: Glance,
    run: tuple[int, int],
    start: bytes,
    verdict: Verdict,
    ledger: Ledger,
) -> None:
    first, end = run
    seen = glance.content[first - glance.first : end - glance.first]
    options: list[bytes] = [start] if verdict.initial else []
    for piece in verdict.allowed:
        content = piece.at(first, end)
        if content is None:
            return
        options.append(content)
    if not options:  # the History contradicts itself about order; whoever broke that is named elsewhere
        return
    if seen in options or _mixture(seen, options):
        _keep(memory, glance, run, seen, start, verdict, ledger)
        if glance.look.kind == "final":
            judge_landing(memory, region, glance, run, verdict, ledger)
        return
    wrong = [at for at in range(len(seen)) if all(option[at] != seen[at] for option in options)]
    diagnosis.explain(memory.scene, region, glance, run, seen, start, verdict, wrong, ledger)


def _mixture(seen: bytes, options: list[bytes]) -> bool:
    return len(options) > 1 and all(
        byte in column for byte, column in zip(seen, zip(*options, strict=True), strict=True)
    )


def _keep(
    memory: Memory,
    glance: Glance,
    run: tuple[int, int],
    seen: bytes,
    start: bytes,
    verdict: Verdict,
    ledger: Ledger,
) -> None:
    """What was put to the test and held."""
    kind = glance.look.kind
    tested: set[str] = set()
    for older, _, direct, shown in verdict.hidden:
        content = start if older is None else older.at(*run)
        if content is None or content == seen:
            continue
        if kind != "final":  # at the end everything has come to rest: what notices show is not put to the test
            for reason in shown:
                tested.update(reason.ids)
        if direct is not None and (direct.ordering or kind != "final"):
            tested.update(direct.ids)
    for piece, reason in verdict.future:
        if reason.ordering and piece.at(*run) not in (None, seen):
            tested.update(reason.ids)
    if kind == "read":
        tested.update(("OFI-RMA-003", "OFI-RMA-004"))
    writes = [piece for piece in verdict.allowed if isinstance(piece.update, Write)]
    if not verdict.allowed and kind != "read" and verdict.initial:
        tested.update(diagnosis.outside(memory.scene, glance.look.node))
    others = [start] * verdict.initial + [piece.at(*run) for piece in verdict.allowed if piece not in writes[:1]]
    if writes and seen == writes[0].at(*run) and seen not in others:
        tested.update(_placed(memory.scene, writes[0]))
    everybody = [*verdict.allowed, *(older for older, _, _, _ in verdict.hidden if older is not None)]
    if len({piece.update.name for piece in everybody if isinstance(piece.update, Write)}) > 1:
        tested.add("OFI-RMA-012")
    ledger.kept(*sorted(tested))


def _placed(scene: Scene, piece: Piece) -> set[str]:
    """A write certainly is where it belongs."""
    step = piece.update
    assert isinstance(step, Write)
    target = scene.ends[step.target[0].node]
    tested = {"OFI-RMA-001", "OFI-RMA-011"}
    if piece.first or len(step.target) > 1:
        tested.add("OFI-MR-002" if "VIRT_ADDR" in target.mr_mode else "OFI-MR-001")
    if "PROV_KEY" in target.mr_mode:
        tested.add("OFI-MR-004")
    if len(step.target) > 1:
        tested.add("OFI-RMA-008")
    if len(step.iov) > 1:
        tested.add("OFI-RMA-009")
    region = scene.region(step.target[0])
    if region is not None and region.persistent:
        tested.add("FPM-MR-004")
    if step.name in scene.reuses:
        tested.update(diagnosis.given_back(scene, step))
    return tested
