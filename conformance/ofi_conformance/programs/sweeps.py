# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Programs that nobody draws: every size at a boundary, every call, every way to report, once each.

They make sure that the plain cases are tried in every run, however few examples it has; the strategies look for what is
not plain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle

from kfabric.model.guarantees import End, Guarantees
from kfabric.model.program import Form, OpMark, Program

from .draft import Draft, place, reports, whole
from .messages import Message, finish, post_receive, post_sends
from .parts import MODEST, Shape, boundaries, depth, node_names
from .rma import verbs


def every_shape(end: End, size: int, *, reading: bool = False) -> list[Shape]:
    """Every call that posts ``size`` bytes, with the marks that make a difference."""
    found = [Shape(), Shape(Form.MSG)]
    if end.iov_limit > 1 and size > 1:
        found.append(Shape(Form.VECTOR, iov=even(size, end.iov_limit)))
    if reading:
        return found
    if 0 < end.inject_size >= size:
        found.append(Shape(Form.INJECT))
    if size < end.inject_size:
        found.append(Shape(Form.MSG, frozenset({OpMark.INJECT})))
    if "DELIVERY" in end.levels:
        found.append(Shape(Form.MSG, frozenset({OpMark.DELIVERY_COMPLETE})))
    if end.cq_data_size:
        data = (1 << 8 * min(end.cq_data_size, 8)) - 2
        found.append(Shape(data=data))
        found.append(Shape(Form.MSG, data=data - 1))
        if 0 < end.inject_size >= size:
            found.append(Shape(Form.INJECT, data=data - 2))
    return found


def even(size: int, limit: int) -> tuple[int, ...]:
    """As many segments as the limit allows, nearly alike; () for one."""
    count = min(limit, size)
    if count < 2:
        return ()
    return tuple(size // count + (1 if index < size % count else 0) for index in range(count))


def message_sweep(guarantees: Guarantees, *, tagged: bool = False) -> Iterator[Program]:
    """Every boundary size, by every call in turn, from A to B; each receive about as large as its message."""
    end = guarantees.default
    lengths = boundaries(end)
    chosen = [(size, shape) for size in lengths if size <= 256 for shape in every_shape(end, size)]
    turns = cycle(range(12))
    chosen += [(size, _turn(every_shape(end, size), next(turns))) for size in lengths if size > 256]
    most = depth(end, 16)
    for start in range(0, len(chosen), most):
        name = f"{'tagged' if tagged else 'message'}_sweep{start // most + 1}"
        yield _messages(name, guarantees, chosen[start : start + most], 0x11 if tagged else None)


def _turn(shapes: Sequence[Shape], turn: int) -> Shape:
    return shapes[turn % len(shapes)]


def _messages(name: str, guarantees: Guarantees, chosen: Sequence[tuple[int, Shape]], tag: int | None) -> Program:
    draft = Draft(name, guarantees, node_names(2))
    end = guarantees.default
    stream = [
        Message("A", "B", size, shape, None if tag is None else tag + index, reuse=shape.injects)
        for index, (size, shape) in enumerate(chosen)
    ]
    for index, message in enumerate(stream):
        known = tag is not None or (end.ep_type != "DGRAM" and "SAS" in guarantees.order("A", "B"))
        room = message.size + index % 3 if known else max(size for size, _ in chosen)
        form = (Form.PLAIN, Form.MSG, Form.VECTOR)[index % (3 if end.iov_limit > 1 else 2)]
        iov = even(room, end.iov_limit) if form is Form.VECTOR else ()
        post_receive(draft, message, room, Shape(form, iov=iov))
    draft.barrier()
    post_sends(draft, stream)
    finish(draft, stream)
    return draft.program()


def rma_sweep(guarantees: Guarantees) -> Iterator[Program]:
    """Every boundary size by every call, each write (and each read) of bytes of its own."""
    end = guarantees.default
    lengths = boundaries(end, MODEST)
    for verb in verbs(end):
        reading = verb == "read"
        data = not reading and "RX_CQ_DATA" not in end.mode
        chosen = [
            (size, shape)
            for size in lengths
            for turn, shape in enumerate(every_shape(end, size, reading=reading))
            if (data or shape.data is None) and (size <= 256 or turn == size % 3)
        ]
        most = depth(end, 16)
        for start in range(0, len(chosen), most):
            yield _remote(f"{verb}_sweep{start // most + 1}", guarantees, verb, chosen[start : start + most])


def _remote(name: str, guarantees: Guarantees, verb: str, chosen: Sequence[tuple[int, Shape]]) -> Program:
    end = guarantees.default
    draft = Draft(name, guarantees, node_names(2))
    region = draft.region("B", sum(size + 1 for size, _ in chosen))
    at = 0
    for size, shape in chosen:
        target = place(region, at, size)
        if verb == "read":
            draft.read("A", target, form=shape.form, marks=shape.marks, iov=shape.iov)
        else:
            step = draft.write("A", target, form=shape.form, marks=shape.marks, iov=shape.iov, data=shape.data)
            if shape.injects:
                draft.reuse("A", step)
            if not reports(end, step) and "read" in verbs(end):
                draft.read("A", target)
        at += size + 1
    draft.wait("A")
    if verb == "write" and "read" in verbs(end):
        draft.read("A", whole(end, region))
        draft.wait("A")
    return draft.program()


def segments(guarantees: Guarantees) -> Program:
    """As many local and remote segments as the limits allow, the remote ones out of order."""
    end = guarantees.default
    draft = Draft("segments", guarantees, node_names(2))
    count = max(1, min(end.rma_iov_limit, 8))
    region = draft.region("B", count * 16)
    order = [*range(1, count, 2), *range(0, count, 2)]
    target = tuple(place(region, index * 16 + index % 3, 8) for index in order)
    iov = even(count * 8, end.iov_limit)
    for verb in verbs(end):
        if verb == "write":
            draft.write("A", *target, form=Form.MSG, iov=iov)
        else:
            draft.read("A", *target, form=Form.MSG, iov=iov)
        draft.wait("A")
    if "read" in verbs(end):
        draft.read("A", whole(end, region))
        draft.wait("A")
    return draft.program()
