# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Atomic operations, element by element: OFI-ATM-001..009, 013, 014, 016, OFI-ORD-006, 007.

The elements that only atomics of one size and alignment touch, and other accesses only at certain times, are judged;
where plain and atomic accesses meet unordered, or elements overlap, nothing is promised. What an order, a fence or a
completion puts in sequence stays in sequence; the rest may have happened in any order (``linear`` looks for one).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from .. import data
from ..datatypes import SIZES, encode
from ..history import Event
from ..program import Atomic, AtomicKind
from . import arithmetic, calls, linear
from .ledger import Ledger
from .linear import Answer, Item
from .memory import Glance, Key, Memory, Piece
from .scene import Scene
from .visibility import Look, Reason, Visibility


@dataclass(slots=True)
class Edge:
    """Item ``first`` certainly is done before item ``second``, and why."""

    first: int
    second: int
    reason: Reason


@dataclass(slots=True)
class Element:
    """One element of a region with everything that touches it."""

    region: str
    offset: int
    start: bytes
    steps: list[Atomic] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    final: bytes | None = None
    events: list[Event | None] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)
    path: tuple[str, ...] = ()
    """An order that explains everything."""

    def solve(
        self, skip: frozenset[int] = frozenset(), dull: frozenset[int] = frozenset(), final: bool = True
    ) -> linear.Outcome:
        """Search without some edges, with the results of some items ignored, with or without the final content."""
        items = [Item(i.name, i.apply, None, i.must, None) if at in dull else i for at, i in enumerate(self.items)]
        pairs = [(edge.first, edge.second) for at, edge in enumerate(self.edges) if at not in skip]
        return linear.search(self.start, items, pairs, self.final if final else None)


def judge_atomics(memory: Memory, visibility: Visibility, ledger: Ledger) -> list[Element]:
    """All elements that atomics touch; those that could be judged are returned."""
    scene = memory.scene
    broken: dict[str, set[int]] = {}
    tested: list[tuple[Element, linear.Outcome]] = []
    for key, pieces in memory.pieces.items():
        region = scene.regions[key]
        for (offset, size), own in _elements(pieces).items():
            element = _element(memory, visibility, key, offset, size, own, pieces)
            if element is None:
                continue
            element.start = data.initial(region)[offset : offset + size]
            outcome = element.solve()
            if outcome.answer is Answer.YES:
                element.path = outcome.path
                tested.append((element, outcome))
            elif outcome.answer is Answer.NO:
                _blame(scene, element, broken, ledger)
            else:
                names = sorted({name for step in element.steps for name in _own_ids(step)})
                ledger.open(names, [], "", f"The orders of {len(element.items)} operations are too many to look at.")
    for element, outcome in tested:
        _keep(scene, element, outcome, ledger)
    for name in sorted(broken):
        _partly(scene, name, broken[name], ledger)
    return [element for element, _ in tested]


def _elements(pieces: list[Piece]) -> dict[tuple[int, int], list[Piece]]:
    """Elements (offset, size) of all atomics, with the pieces that touch each."""
    result: dict[tuple[int, int], list[Piece]] = {}
    for piece in pieces:
        step = piece.update
        if isinstance(step, Atomic):
            size = SIZES[step.datatype]
            for at in range(step.count):
                offset = step.target.offset + at * size
                if piece.first <= offset and offset + size <= piece.end:
                    result.setdefault((offset, size), []).append(piece)
    return result


def _element(
    memory: Memory,
    visibility: Visibility,
    key: Key,
    offset: int,
    size: int,
    own: list[Piece],
    pieces: list[Piece],
) -> Element | None:
    """The element as items and edges, or None where nothing is promised."""
    scene = memory.scene
    element = Element(f"{key[0]}.{key[1]}", offset, b"")
    touching = [piece for piece in pieces if piece.first < offset + size and piece.end > offset]
    members: list[Piece] = []
    for piece in touching:
        if piece in own:
            members.append(piece)
            continue
        content = piece.at(offset, offset + size) if piece.first <= offset and piece.end >= offset + size else None
        if isinstance(piece.update, Atomic) or content is None or not piece.certain:
            return None
        members.append(piece)
    glances = [g for g in memory.glances.get(key, ()) if g.first <= offset and g.end >= offset + size]
    end = next((g for g in glances if g.look.kind == "final"), None)
    for piece in members:
        element.items.append(_item(scene, visibility, element, piece, offset, size, end.look if end else None))
    for i, a in enumerate(members):
        for j, b in enumerate(members):
            if i == j:
                continue
            reason = _sequence(scene, visibility, a, b)
            if reason is not None:
                element.edges.append(Edge(i, j, reason))
            elif (a not in own or b not in own) and _sequence(scene, visibility, b, a) is None:
                return None  # a plain write and an atomic, or two plain writes, in no order
    if end is not None:
        element.final = end.content[offset - end.first : offset - end.first + size]
        element.events.extend(end.events)
    for glance in glances:
        if glance is not end:
            _look(scene, visibility, element, members, glance, offset, size)
    return element


def _item(
    scene: Scene,
    visibility: Visibility,
    element: Element,
    piece: Piece,
    offset: int,
    size: int,
    end: Look | None,
) -> Item:
    step = piece.update
    if not isinstance(step, Atomic):
        content = piece.at(offset, offset + size)
        must = end is not None and bool(visibility.shown(step, end))
        return Item(step.name, partial(_put, content), None, must)
    element.steps.append(step)
    at = (offset - step.target.offset) // size
    operand = encode(step.datatype, step.operand[at : at + 1])
    compare = encode(step.datatype, step.compare[at : at + 1])
    result = None
    performed = False
    if step.kind is not AtomicKind.BASE:
        seen = scene.observed.get(step.name)
        if seen is not None and scene.succeeded(step.name) and piece.certain:
            element.events.append(seen)
            result = seen.content[at * size : (at + 1) * size]
            result = result if len(result) == size else None
        performed = piece.certain and bool(scene.known_done(step.name))
    if not performed and end is not None and piece.certain:
        performed = bool(visibility.shown(step, end))
    apply = partial(_apply, step.op, step.datatype, operand, compare)
    if scene.wild(step):
        apply = partial(_put, None)
    twin = (step.kind, step.op, step.datatype, operand, compare) if result is None else None
    return Item(step.name, apply, result, performed or result is not None, twin)


def _put(content: bytes | None, _: bytes) -> bytes | None:
    return content


def _apply(op: str, datatype: str, operand: bytes, compare: bytes, target: bytes) -> bytes | None:
    return arithmetic.apply(op, datatype, target, operand, compare)


def _sequence(scene: Scene, visibility: Visibility, a: Piece, b: Piece) -> Reason | None:
    """Why ``a`` certainly takes place before ``b``; only what certainly takes place comes before anything."""
    first, second = a.update, b.update
    if not a.certain:
        return None
    if isinstance(first, Atomic) and calls.reads(first):
        begin = scene.order.begin(second.name)
        if any(scene.order.before(point, begin) for point in scene.known_done(first.name)):
            name = "OFI-ATM-002" if first.kind is AtomicKind.FETCH else "OFI-ATM-007"
            return Reason(f"{first.name} had returned its result before {second.name} was posted", (name,))
    if isinstance(first, Atomic) and isinstance(second, Atomic):
        channel = visibility.same_channel(first, second)
        if channel is not None and scene.later(first, second):
            words = visibility.in_order(first, second)
            if words is not None:
                ids = ("OFI-ORD-006",) if calls.writes(second) and calls.writes(first) else ("OFI-ORD-007",)
                if calls.reads(first):
                    ids = ("OFI-ORD-004",)
                return Reason(words, ids, ordering=True)
    elif not isinstance(second, Atomic) and isinstance(first, Atomic) and calls.reads(first):
        return visibility.older(first, second)
    elif isinstance(second, Atomic) and calls.reads(second) and not isinstance(first, Atomic):
        channel = visibility.same_channel(first, second)
        if channel is not None and scene.later(first, second):  # type: ignore[arg-type]  # a store has no channel
            words = visibility.in_order(first, second)  # type: ignore[arg-type]
            if words is not None:
                return Reason(words, ("OFI-ORD-007",), ordering=True)
    return visibility.older(first, second)


def _look(
    scene: Scene,
    visibility: Visibility,
    element: Element,
    members: list[Piece],
    glance: Glance,
    offset: int,
    size: int,
) -> None:
    """A load or read joins as an item if everything is certainly before or after it."""
    edges: list[Edge] = []
    place = len(element.items)
    for at, piece in enumerate(members):
        shown = visibility.shown(piece.update, glance.look) if piece.certain else []
        if shown:
            edges.append(Edge(at, place, shown[0]))
            continue
        unseen = visibility.unseen(glance.look, piece.update)
        if unseen is None:
            return
        edges.append(Edge(place, at, unseen))
    seen = glance.content[offset - glance.first : offset - glance.first + size]
    element.items.append(Item(glance.look.name, _same, seen, must=True))
    element.edges.extend(edges)
    element.events.extend(glance.events)
    element.looks.append(glance.look.name)


def _same(value: bytes) -> bytes:
    return value


# -- what it means ----------------------------------------------------------------------------------------------------


def _own_ids(step: Atomic) -> list[str]:
    """The requirements on results of an operation, the returned value first."""
    if step.kind is AtomicKind.BASE:
        return ["OFI-ATM-001"]
    if step.op == "ATOMIC_READ":
        return ["OFI-ATM-002", "OFI-ATM-008"]
    return ["OFI-ATM-002", "OFI-ATM-003"] if step.kind is AtomicKind.FETCH else ["OFI-ATM-007", "OFI-ATM-006"]


def _initiators(scene: Scene, element: Element) -> set[str]:
    return {scene.node(step.name) for step in element.steps}


def _keep(scene: Scene, element: Element, outcome: linear.Outcome, ledger: Ledger) -> None:
    """Walk the order found: what each operation did and returned was as the table says."""
    by_name = {step.name: step for step in element.steps}
    items = {item.name: item for item in element.items}
    value, values = element.start, {}
    for name in outcome.path:
        values[name] = value
        after = items[name].apply(value)
        assert after is not None
        value = after
    checked = element.final is not None or bool(element.looks)
    for name in outcome.path:
        step = by_name.get(name)
        if step is None:
            continue
        ids: set[str] = set()
        if items[name].result is not None:
            ids.update(("OFI-ATM-016", _own_ids(step)[0]))
        if items[name].must and checked:
            ids.update(_left(step, items[name], values[name], element))
        if ids:
            ids.add("OFI-ATM-009")
            if step.count > 1:
                ids.add("OFI-ATM-014")
            if len(_initiators(scene, element)) > 1:
                ids.add("OFI-ATM-013")
        ledger.kept(*sorted(ids))
    for edge in element.edges:
        first, second = element.items[edge.first], element.items[edge.second]
        if first.name in values and second.name in values and _matters(first, second, values[first.name]):
            ledger.kept(*edge.reason.ids)


def _left(step: Atomic, item: Item, old: bytes, element: Element) -> set[str]:
    if step.op == "ATOMIC_READ":
        return {"OFI-ATM-008"}
    if step.kind is AtomicKind.BASE:
        return {"OFI-ATM-001"}
    if step.kind is AtomicKind.FETCH:
        return {"OFI-ATM-003"}
    new = item.apply(old)
    size = len(element.start)
    at = (element.offset - step.target.offset) // size
    compare = encode(step.datatype, step.compare[at : at + 1])
    holds = arithmetic.holds(step.op, step.datatype, old, compare)
    ids = {"OFI-ATM-006"} if holds is not False else {"OFI-ATM-005"}
    reverse = arithmetic.holds(step.op, step.datatype, compare, old)
    if holds is not None and reverse is not holds and new is not None:
        ids.add("OFI-ATM-004")
    return ids


def _matters(first: Item, second: Item, value: bytes) -> bool:
    """Whether the other order would have shown."""
    one, other = first.apply(value), second.apply(value)
    if one is None or other is None:
        return False
    if second.result is not None and one != value:
        return True
    if first.result is not None and other != value:
        return True
    return second.apply(one) != first.apply(other)


def _blame(scene: Scene, element: Element, broken: dict[str, set[int]], ledger: Ledger) -> None:
    """Find the smallest thing to give up so that an order exists, and name it."""
    let = [scene.say(step.name) for step in element.steps] + [scene.say(name) for name in element.looks]
    place = f"the element at byte {element.offset} of {element.region}"
    promises = "; ".join(dict.fromkeys(edge.reason.words for edge in element.edges if edge.reason.words))
    then = f"The operations on {place} take effect one after another."
    then += f" In order: {promises}." if promises else ""
    seen = [f"{item.name} returned {item.result.hex()}" for item in element.items if item.result is not None]
    if element.final is not None:
        seen.append(f"{element.final.hex()} is left")
    however = f"However no order from {element.start.hex()} explains that {', '.join(seen)} (bytes as in memory)."
    events = [*element.events, *(scene.succeeded(step.name) for step in element.steps)]
    ledger.broken(_suspects(scene, element, broken), let, then, however, events)


def _suspects(scene: Scene, element: Element, broken: dict[str, set[int]]) -> list[str]:
    reasons = list(dict.fromkeys(edge.reason.ids for edge in element.edges if edge.reason.ids))
    for ids in sorted(reasons, key=lambda ids: ids[0].startswith("OFI-ATM-00")):
        skip = frozenset(at for at, edge in enumerate(element.edges) if edge.reason.ids == ids)
        if element.solve(skip=skip).answer is Answer.YES:
            return list(ids)
    steps = {step.name: step for step in element.steps}
    for at, item in enumerate(element.items):
        step = steps.get(item.name)
        if item.result is None or step is None:
            continue
        if element.solve(dull=frozenset({at})).answer is Answer.YES:
            size = len(element.start)
            first = element.offset - step.target.offset
            fill = data.fill(step.name, step.target.size)[first : first + size]
            broken.setdefault(step.name, set()).add(element.offset)
            return ["OFI-ATM-016"] if item.result == fill else _own_ids(step)[:1]
    if element.final is not None and element.solve(final=False).answer is Answer.YES:
        return _left_wrong(scene, element, broken)
    if len(_initiators(scene, element)) > 1:
        return ["OFI-ATM-013"]
    return sorted({name for step in element.steps for name in _own_ids(step)})


def _left_wrong(scene: Scene, element: Element, broken: dict[str, set[int]]) -> list[str]:
    """Every result can be explained, the value left cannot: look for one operation that did something else."""
    steps = {step.name: step for step in element.steps}
    for at, item in enumerate(element.items):
        step = steps.get(item.name)
        if step is None or step.op == "ATOMIC_READ":
            continue
        for ids, variant in _variants(element, step):
            items = list(element.items)
            items[at] = Item(item.name, variant, item.result, item.must)
            pairs = [(edge.first, edge.second) for edge in element.edges]
            if linear.search(element.start, items, pairs, element.final).answer is Answer.YES:
                broken.setdefault(step.name, set()).add(element.offset)
                return ["OFI-ATM-013"] if len(_initiators(scene, element)) > 1 and "OFI-ATM-004" not in ids else ids
    if len(_initiators(scene, element)) > 1:
        return ["OFI-ATM-013"]
    kinds = {step.kind for step in element.steps if step.op != "ATOMIC_READ"}
    return sorted(_CHANGES[kind] for kind in kinds) or ["OFI-ATM-008"]


_CHANGES = {AtomicKind.BASE: "OFI-ATM-001", AtomicKind.FETCH: "OFI-ATM-003", AtomicKind.COMPARE: "OFI-ATM-006"}


def _variants(element: Element, step: Atomic) -> list[tuple[list[str], Callable[[bytes], bytes | None]]]:
    """Ways in which an operation may have gone wrong, with the requirements they break."""
    size = len(element.start)
    at = (element.offset - step.target.offset) // size
    operand = encode(step.datatype, step.operand[at : at + 1])
    compare = encode(step.datatype, step.compare[at : at + 1])

    def swapped(target: bytes) -> bytes | None:
        """Compare and target exchanged: the operand where it should not be."""
        holds = arithmetic.holds(step.op, step.datatype, target, compare)
        reverse = arithmetic.holds(step.op, step.datatype, compare, target)
        return None if holds is None else operand if holds or reverse else target

    def forced(target: bytes) -> bytes | None:
        return operand if arithmetic.holds(step.op, step.datatype, target, compare) is False else target

    variants: list[tuple[list[str], Callable[[bytes], bytes | None]]] = []
    if step.kind is AtomicKind.COMPARE and step.op != "MSWAP":
        variants.append((["OFI-ATM-004", "OFI-ATM-005"], swapped))
        variants.append((["OFI-ATM-005"], forced))
    variants.append(([_CHANGES[step.kind]], _same))
    return variants


def _partly(scene: Scene, name: str, offsets: set[int], ledger: Ledger) -> None:
    """An array operation that went wrong in some elements only."""
    step = scene.steps[name]
    assert isinstance(step, Atomic)
    if step.count < 2 or len(offsets) == step.count:
        return
    size = SIZES[step.datatype]
    places = ", ".join(str((offset - step.target.offset) // size) for offset in sorted(offsets))
    then = f"{name} is applied to each of its {step.count} elements."
    however = f"However it went wrong for element {places} only."
    ledger.broken(["OFI-ATM-014"], [scene.say(name)], then, however, [scene.succeeded(name)])
