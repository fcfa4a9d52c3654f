# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Programs that nobody draws: every size at a boundary, every call, every way to report, once each.

They make sure that the plain cases are tried in every run, however few examples it has; the strategies look for what is
not plain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle

from kfabric.model.guarantees import Guarantees
from kfabric.model.program import Form, OpMark, Program, Recv

from .draft import Draft, place, reports, whole
from .messages import Message, buffers_unexpected, finish, post_receive, post_sends, truncated
from .parts import MODEST, Shape, boundaries, depth, even, every_shape, node_names, plain_tag
from .rma import verbs


def message_sweep(guarantees: Guarantees, *, tagged: bool = False) -> Iterator[Program]:
    """Every boundary size, by every call in turn, from A to B; each receive about as large as its message."""
    end = guarantees.default
    plain = plain_tag(end) is None
    lengths = boundaries(end)
    chosen = [(size, shape) for size in lengths if size <= 256 for shape in every_shape(end, size)]
    turns = cycle(range(12))
    chosen += [(size, _turn(every_shape(end, size), next(turns))) for size in lengths if size > 256]
    most = depth(end, 16)
    for start in range(0, len(chosen), most):
        name = f"{'tagged' if tagged else 'message'}_sweep{start // most + 1}"
        yield _messages(name, guarantees, chosen[start : start + most], 0x11 if tagged or not plain else None)


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


def injection_sweep(guarantees: Guarantees) -> Iterator[Program]:
    """The inject calls at their limits, every buffer overwritten as soon as the call returns."""
    end = guarantees.default
    lengths = sorted({size for size in (0, 1, 8, end.inject_size - 1, end.inject_size) if size >= 0})
    if not end.inject_size:
        return
    lengths = [size for size in lengths if size <= end.max_msg_size][-depth(end, 8) :]
    for tag, cap in ((None, "MSG"), (9, "TAGGED")):
        if cap in end.caps:
            yield _injected_messages(guarantees, lengths, tag)
    if "RMA" in end.caps and "write" in verbs(end):
        draft = Draft("inject_writes", guarantees, node_names(2))
        region = draft.region("B", sum(lengths) + 1)
        for index, size in enumerate(lengths):
            step = draft.write("A", place(region, sum(lengths[:index]), size), form=Form.INJECT)
            draft.reuse("A", step)
        if "read" in verbs(end):
            draft.read("A", whole(end, region))
            draft.wait("A")
        yield draft.program()


def _injected_messages(guarantees: Guarantees, lengths: Sequence[int], tag: int | None) -> Program:
    draft = Draft("inject_messages", guarantees, node_names(2))
    for _ in lengths:
        draft.recv("B", max(lengths), tag=tag)
    draft.barrier()
    for size in lengths:
        draft.reuse("A", draft.send("A", "B", size, form=Form.INJECT, tag=tag))
    draft.wait("B")
    return draft.program()


def truncation_sweep(guarantees: Guarantees) -> Iterator[Program]:
    """Messages on both sides of every usual change of protocol that are longer than their receive."""
    end = guarantees.default
    for tag, cap in ((None, "MSG"), (3, "TAGGED")):
        for size, room in ((16, 8), (1, 0), (end.inject_size + 1, end.inject_size), (4097, 100), (65537, 16384)):
            if cap in end.caps and size <= end.max_msg_size:
                yield truncated(guarantees, Message("A", "B", size, tag=tag), Shape(), room, Shape(), after=True)


def early(guarantees: Guarantees) -> Iterator[Program]:
    """Messages that are sure to have arrived before their receive is posted: one behind them was received already.

    Only message order makes sure of that, and only tags let the second one be received first.
    """
    end = guarantees.default
    if "TAGGED" not in end.caps or "SAS" not in guarantees.order("A", "B") or not buffers_unexpected(end):
        return
    for size in sorted({8, max(1, min(end.inject_size, MODEST)), 4097, 65537}):
        if size > end.max_msg_size:
            continue
        draft = Draft(f"early {size}", guarantees, node_names(2))
        behind = draft.recv("B", 8, tag=2)
        draft.barrier()
        draft.send("A", "B", size, tag=1)
        draft.send("A", "B", 8, tag=2)
        draft.wait("B", behind)
        draft.recv("B", size, tag=1)
        draft.wait("A")
        draft.wait("B")
        yield draft.program()


def batch(guarantees: Guarantees) -> Program:
    """Three messages, the first two of which say that more is to come."""
    draft = Draft("batch", guarantees, node_names(2))
    tag = plain_tag(guarantees.default)
    for _ in range(min(3, depth(guarantees.default, 3))):
        draft.recv("B", 64, tag=tag)
    draft.barrier()
    for index in range(min(3, depth(guarantees.default, 3))):
        marks = frozenset({OpMark.MORE}) if index < 2 and depth(guarantees.default, 3) == 3 else frozenset[OpMark]()
        draft.send("A", "B", 8 + index, tag=tag, form=Form.MSG, marks=marks)
    draft.wait("A")
    draft.wait("B")
    return draft.program()


def overtaking(guarantees: Guarantees) -> Program:
    """A large message, then small ones by every call, then a large one again."""
    end = guarantees.default
    draft = Draft("overtaking", guarantees, node_names(2))
    tag = plain_tag(end)
    wanted = [65537, 0, 8, 16385, 1, min(end.inject_size, 4096), 4097, 2]
    lengths = [size for size in wanted if size <= end.max_msg_size][: depth(end, 8)]
    for _ in lengths:
        draft.recv("B", max(lengths), tag=tag)
    draft.barrier()
    for index, size in enumerate(lengths):
        inject = 0 < end.inject_size >= size and index % 2 == 1
        draft.send("A", "B", size, tag=tag, form=Form.INJECT if inject else Form.PLAIN)
    draft.wait("A")
    draft.wait("B")
    return draft.program()


def unwanted(guarantees: Guarantees) -> Program:
    """Datagrams that nobody waits for, then one that somebody does."""
    draft = Draft("unwanted", guarantees, node_names(2))
    tag = plain_tag(guarantees.default)
    for _ in range(2):
        draft.send("A", "B", 8, tag=tag)
    draft.wait("A")
    draft.barrier()
    taken: Recv = draft.recv("B", 8, tag=tag)
    draft.barrier()
    draft.send("A", "B", 8, tag=tag)
    draft.wait("A")
    draft.wait("B", taken)
    return draft.program()


def told_by_data(guarantees: Guarantees) -> Iterator[Program]:
    """A write, then one with remote CQ data, then a message for whose receiver the data's entry lies before it."""
    end = guarantees.default
    for size in (8, 4097, 65537):
        draft = Draft(f"told_by_data {size}", guarantees, node_names(2))
        tag = plain_tag(end)
        region = draft.region("B", 2 * size)
        recv = draft.recv("B", 1, tag=tag)
        draft.barrier()
        draft.write("A", place(region, 0, size))
        draft.write("A", place(region, size, size), data=size % 200 + 1)
        draft.wait("A")
        draft.send("A", "B", 1, tag=tag)
        draft.wait("A")
        draft.wait("B", recv)
        draft.load(place(region, size - 8, 8))
        draft.load(place(region, 2 * size - 8, 8))
        yield draft.program()
