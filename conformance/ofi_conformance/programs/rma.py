# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Remote memory as a byte map (chapter RMA): overlapping writes and reads of one or two nodes, with loads and stores.

A Program is a few phases. In a phase any initiator posts, with waits where it likes; at its end all wait, then pass a
barrier or send a message to the owner of the memory, who looks at it or changes it. The initiators race with each other
as much as they like: the Judge knows what may come of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from kfabric.model.guarantees import End, Guarantees
from kfabric.model.program import Form, Location, Program, Read, Recv, Region, Write

from .draft import Draft, place
from .parts import MODEST, Shape, cuts, depth, node_names, plain_tag, rarely, shapes, sizes

PHASE = 5
"""Remote operations of one phase, at most."""


@dataclass(frozen=True)
class Move:
    """One thing an initiator does: write or read some spans (offset, size), then perhaps wait."""

    src: str
    verb: str
    spans: tuple[tuple[int, int], ...]
    shape: Shape = field(default_factory=Shape)
    wait: bool = False
    reuse: bool = False

    @property
    def size(self) -> int:
        """Bytes moved."""
        return sum(size for _, size in self.spans)


@dataclass(frozen=True)
class Phase:
    """What the initiators do, then what the owner does: spans it loads, spans it stores."""

    moves: tuple[Move, ...]
    loads: tuple[tuple[int, int], ...] = ()
    stores: tuple[tuple[int, int], ...] = ()


def verbs(end: End) -> list[str]:
    """What the capabilities allow, the simplest first."""
    return [
        word
        for word, caps in (("write", {"WRITE", "REMOTE_WRITE"}), ("read", {"READ", "REMOTE_READ"}))
        if caps <= end.caps
    ]


@st.composite
def spans(draw: DrawFn, room: int, limit: int, size: int | None = None) -> tuple[tuple[int, int], ...]:
    """Up to ``limit`` disjoint spans inside ``room`` bytes, in any order; one span as a rule."""
    if size is None and limit > 1 and room >= 4 and draw(st.integers(0, 3)) >= 2:
        edges = sorted(draw(st.sets(st.integers(0, room), min_size=4, max_size=2 * limit)))
        pairs = list(zip(edges[::2], edges[1::2], strict=False))
        return tuple((a, b - a) for a, b in draw(st.permutations(pairs)))
    if size is None:
        size = draw(st.one_of(st.sampled_from([min(8, room), room, 1]), st.integers(0, room)))
    return ((draw(st.one_of(st.just(0), st.integers(0, room - size))), size),)


@st.composite
def moves(draw: DrawFn, end: End, sources: Sequence[str], room: int, size: int | None) -> Move:
    """A write or a read inside ``room`` bytes, of ``size`` bytes when that is given."""
    src = draw(st.sampled_from(sources))
    verb = draw(st.sampled_from(verbs(end)))
    target = draw(spans(room, end.rma_iov_limit, size))
    total = sum(count for _, count in target)
    if len(target) > 1:
        shape = Shape(Form.MSG, iov=draw(cuts(total, end.iov_limit)))
    elif verb == "read":
        shape = draw(shapes(end, total, reading=True))
    else:
        shape = draw(shapes(end, total, with_data="RX_CQ_DATA" not in end.mode))
    return Move(src, verb, target, shape, wait=draw(st.booleans()), reuse=draw(st.booleans()))


def perform(draft: Draft, move: Move, region: Region) -> Write | Read:
    """Post the move, then wait and reuse as it says."""
    target = tuple(place(region, offset, size) for offset, size in move.spans)
    shape = move.shape
    op: Write | Read
    if move.verb == "read":
        op = draft.read(move.src, *target, form=shape.form, marks=shape.marks, iov=shape.iov)
    else:
        op = draft.write(move.src, *target, form=shape.form, marks=shape.marks, iov=shape.iov, data=shape.data)
    inject_call = shape.form is Form.INJECT
    if move.wait and not inject_call:
        draft.wait(move.src, op)
    if move.reuse and isinstance(op, Write) and (shape.injects or (move.wait and not inject_call)):
        draft.reuse(move.src, op)
    return op


@st.composite
def _phases(draw: DrawFn, end: End, sources: Sequence[str], room: int, size: int | None) -> Phase:
    most = depth(end, PHASE)
    todo = draw(st.lists(moves(end, sources, room, size), min_size=1, max_size=most))
    local = spans(room, 1) if room <= 256 else st.sampled_from([((0, 8),), ((0, room),), ((room - 8, 8),)])
    loads = [span for (span,) in draw(st.lists(local, max_size=2))]
    stores = [span for (span,) in draw(st.lists(local, max_size=1))]
    return Phase(tuple(todo), tuple(loads), tuple(stores))


def settle(draft: Draft, src: str, done: Sequence[Move], region: Region) -> None:
    """The initiator waits for what it did; an injected write at the end is followed by a read of its bytes first."""
    mine = [move for move in done if move.src == src]
    if mine and mine[-1].shape.form is Form.INJECT and "read" in verbs(draft.end(src)):
        draft.read(src, *(place(region, offset, size) for offset, size in mine[-1].spans))
        draft.wait(src)
    elif any(move.shape.form is not Form.INJECT for move in mine):
        draft.wait(src)


def notices(
    draft: Draft, sources: Sequence[str], todo: Sequence[Sequence[Move]], told: Sequence[bool]
) -> list[list[Recv]]:
    """For each phase that is told of, one receive at B per initiator; posted before anything else happens."""
    tag = plain_tag(draft.end("B"))
    found: list[list[Recv]] = []
    for moved, tell in zip(todo, told, strict=True):
        acting = [src for src in sources if tell and any(move.src == src for move in moved)]
        named = draft.names_source("B")
        found.append([draft.recv("B", 1, source=src if named else None, tag=tag) for src in acting])
    if any(found):
        draft.barrier()
    return found


def _end_of_phase(
    draft: Draft, sources: Sequence[str], phase: Phase, region: Region, told: Sequence[Recv], last: bool
) -> None:
    tag = plain_tag(draft.end("B"))
    for src in sources:
        settle(draft, src, phase.moves, region)
        if told and any(move.src == src for move in phase.moves):
            draft.wait(src, draft.send(src, "B", 1, tag=tag))
    if told:
        draft.wait("B", *told)
    elif phase.loads or phase.stores or not last:
        draft.barrier()
    for offset, size in phase.loads:
        draft.load(Location(region.node, region.name, offset, size))
    for offset, size in phase.stores:
        if size:
            draft.store(Location(region.node, region.name, offset, size))
    if not last:
        draft.barrier()


def _rooms(end: End) -> SearchStrategy[tuple[int, int | None]]:
    """(region size, size of every operation or None): mostly tiny regions where everything overlaps."""
    exact = sizes(end, least=1, cap=MODEST).map(lambda size: (size + min(size, 64), size))
    return st.one_of(st.sampled_from([(8, None), (16, None), (64, None)]), st.just((40, None)), exact)


@st.composite
def rma_byte_map(draw: DrawFn, guarantees: Guarantees, *, persistent: bool = False) -> Program:
    """Overlapping writes and reads of one region, from one or two nodes, in phases."""
    end = guarantees.default
    names = node_names(3 if draw(rarely()) else 2)
    sources = [name for name in names if name != "B"]
    room, size = draw(_rooms(end))
    phases = draw(st.lists(_phases(end, sources, room, size), min_size=1, max_size=3))
    draft = Draft("rma_byte_map", guarantees, names)
    region = draft.region("B", room, persistent=persistent)
    speaks = bool({"MSG", "TAGGED"} & end.caps)
    told = [speaks and bool(phase.loads) and draw(st.booleans()) for phase in phases]
    posted = notices(draft, sources, [phase.moves for phase in phases], told)
    for index, phase in enumerate(phases):
        for move in phase.moves:
            perform(draft, move, region)
        _end_of_phase(draft, sources, phase, region, posted[index], last=index == len(phases) - 1)
    return draft.program()


@st.composite
def rma_both_ways(draw: DrawFn, guarantees: Guarantees) -> Program:
    """Two nodes that write to and read from each other at the same time."""
    end = guarantees.default
    names = node_names(2)
    draft = Draft("rma_both_ways", guarantees, names)
    room = draw(st.sampled_from([16, 64, 4096]))
    regions = {name: draft.region(name, room) for name in names}
    todo = draw(st.lists(moves(end, names, room, None), min_size=1, max_size=2 * depth(end, PHASE)))
    for move in todo:
        perform(draft, move, regions["B" if move.src == "A" else "A"])
    for name in names:
        settle(draft, name, todo, regions["B" if name == "A" else "A"])
    return draft.program()
