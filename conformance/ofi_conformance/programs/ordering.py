# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Order (chapter ORD): what is posted one after another, without a wait between, where both ends promised an order.

Small, large and injected operations are mixed, because that is where protocols overtake each other. Data order is tried
on the same bytes with sizes below the promised one.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from kfabric.model.datatypes import Element, encode
from kfabric.model.guarantees import End, Guarantees
from kfabric.model.program import Atomic, AtomicKind, Form, Location, OpMark, Program

from .atomics import Offer, offers, values
from .draft import Draft, place
from .messages import Message, finish, post_receive, post_sends
from .parts import LARGE, MODEST, Shape, depth, node_names, plain_tag, shapes, sizes
from .rma import verbs

MOST = 8


def mixed_sizes(end: End, *, least: int = 0, cap: int = LARGE) -> SearchStrategy[int]:
    """Sizes on both sides of every usual change of protocol."""
    top = min(cap, end.max_msg_size)
    small = [size for size in (1, 8, 0, 64) if least <= size <= top] or [least]
    around = [end.inject_size, end.inject_size + 1, 4096, 4097, 16385, 65537, 128 * 1024]
    large = [size for size in around if least <= size <= top] or [least]
    return st.one_of(st.sampled_from(small), st.sampled_from(large), sizes(end, least=least, cap=cap))


@st.composite
def message_order(draw: DrawFn, guarantees: Guarantees) -> Program:
    """Messages of very different sizes from A to B, one after another, to receives that would take any of them."""
    end = guarantees.default
    kinds: list[int | None] = [tag for tag, cap in ((None, "MSG"), (1, "TAGGED")) if cap in end.caps]
    names = node_names(2)
    lengths = draw(st.lists(mixed_sizes(end), min_size=2, max_size=depth(end, MOST)))
    tag = draw(st.sampled_from(kinds))
    mix = len(kinds) == 2 and draw(st.booleans())
    stream = [
        Message("A", "B", size, draw(shapes(end, size)), draw(st.sampled_from(kinds)) if mix else tag)
        for size in lengths
    ]
    draft = Draft("message_order", guarantees, names)
    for message in stream:
        draft.recv("B", max(lengths), tag=message.tag)
    draft.barrier()
    post_sends(draft, stream)
    finish(draft, stream)
    return draft.program()


@st.composite
def send_after_write(draw: DrawFn, guarantees: Guarantees) -> Program:
    """Message passing: writes, then a message, with no wait; who received the message loads what was written."""
    end = guarantees.default
    kinds = [kind for kind, cap in (("plain", "MSG"), ("tagged", "TAGGED")) if cap in end.caps]
    rounds = draw(st.integers(1, depth(end, 6) // 2))
    size = draw(mixed_sizes(end, least=1, cap=128 * 1024))
    draft = Draft("send_after_write", guarantees, node_names(2))
    again = draw(st.booleans())
    region = draft.region("B", size if again else size * rounds)
    plan = []
    for _ in range(rounds):
        length = draw(mixed_sizes(end, cap=MODEST))
        tag = 1 if draw(st.sampled_from(kinds)) == "tagged" else None
        plan.append(Message("A", "B", length, draw(shapes(end, length)), tag))
    room = max(message.size for message in plan)
    posted = [post_receive(draft, message, room, Shape()) for message in plan]
    draft.barrier()
    spots = []
    for index, message in enumerate(plan):
        at = place(region, 0 if again else index * size, size)
        shape = draw(shapes(end, size, with_data=False))
        draft.write("A", at, form=shape.form, marks=shape.marks, iov=shape.iov)
        post_sends(draft, [message])
        spots.append(at)
    draft.wait("A")
    for recv, at in zip(posted, spots, strict=True):
        draft.wait("B", recv)
        draft.load(replace(at, offset=at.offset + at.size - min(8, at.size), size=min(8, at.size)))
        if at.size <= MODEST:
            draft.load(at)
    return draft.program()


@st.composite
def send_after_atomic(draw: DrawFn, guarantees: Guarantees, *, wait: bool = False, fence: bool = False) -> Program:
    """An atomic update, then a message: with a wait between, or fenced, or on the strength of message order alone."""
    end = guarantees.default
    offer = draw(st.sampled_from([offer for offer in offers(end) if offer.op != "ATOMIC_READ"]))
    draft = Draft("send_after_atomic", guarantees, node_names(2))
    old = draw(st.sampled_from(values(offer.datatype)))
    region = draft.region("B", offer.width, init=int.from_bytes(encode(offer.datatype, (old,)), "little"))
    tag = plain_tag(end)
    length = draw(mixed_sizes(end, cap=MODEST))
    message = Message("A", "B", length, draw(shapes(end, length)), tag)
    recv = draft.recv("B", length, tag=tag)
    draft.barrier()
    number = st.sampled_from(values(offer.datatype))
    atomic = draft.post("A", _atomic(draw(number), draw(number), offer, place(region)))
    if wait:
        draft.wait("A", atomic)
    if fence:
        shape = Shape(Form.MSG, frozenset({OpMark.FENCE}))
        message = replace(message, shape=shape)
    post_sends(draft, [message])
    draft.wait("A")
    draft.wait("B", recv)
    draft.load(place(region))
    return draft.program()


def _atomic(value: Element, comparand: Element, offer: Offer, at: Location) -> Atomic:
    operand = () if offer.op == "ATOMIC_READ" else (value,)
    compare = (comparand,) if offer.kind is AtomicKind.COMPARE else ()
    return Atomic("", offer.kind, offer.op, offer.datatype, at, 1, operand, compare)


def ordered_sizes(end: End, limit: int) -> SearchStrategy[int]:
    """Sizes for two operations on the same bytes, below the size up to which their order holds."""
    top = min(limit - 1, MODEST, end.max_msg_size)
    return mixed_sizes(end, least=1, cap=top) if top >= 1 else st.just(1)


@st.composite
def same_bytes(draw: DrawFn, guarantees: Guarantees) -> Program:
    """Writes and reads of the same bytes, one after another, with no wait between."""
    end = guarantees.default
    limits = [size for size in (end.max_order_raw_size, end.max_order_war_size, end.max_order_waw_size) if size]
    size = draw(ordered_sizes(end, min(limits, default=MODEST)))
    draft = Draft("same_bytes", guarantees, node_names(2))
    region = draft.region("B", size)
    todo = draw(st.lists(st.sampled_from(verbs(end)), min_size=2, max_size=depth(end, 5)))
    for verb in todo:
        part = draw(st.sampled_from([size, size, min(size, 8), max(1, size // 2)]))
        at = place(region, draw(st.sampled_from([0, size - part])), part)
        shape = draw(shapes(end, part, with_data=False, reading=verb == "read"))
        if verb == "write":
            draft.write("A", at, form=shape.form, marks=shape.marks, iov=shape.iov)
        else:
            draft.read("A", at, form=shape.form, marks=shape.marks, iov=shape.iov)
    if "read" in verbs(end) and draw(st.booleans()):
        draft.read("A", place(region))
    draft.wait("A")
    return draft.program()


@st.composite
def same_element(draw: DrawFn, guarantees: Guarantees) -> Program:
    """Atomics (and, with RMA, a write) on one element, one after another, with no wait between."""
    end = guarantees.default
    every = offers(end)
    datatype = draw(st.sampled_from(list(dict.fromkeys(offer.datatype for offer in every))))
    among = [offer for offer in every if offer.datatype == datatype]
    draft = Draft("same_element", guarantees, node_names(2))
    numbers = st.sampled_from(values(datatype))
    region = draft.region("B", among[0].width, init=int.from_bytes(encode(datatype, (draw(numbers),)), "little"))
    writes = "RMA" in end.caps and "write" in verbs(end)
    count = draw(st.integers(2, depth(end, 5)))
    for _ in range(count):
        if writes and draw(st.integers(0, 4)) == 4:
            draft.write("A", place(region))
        else:
            offer = draw(st.sampled_from(among))
            draft.post("A", _atomic(draw(numbers), draw(numbers), offer, place(region)))
    draft.wait("A")
    draft.barrier()
    draft.load(place(region))
    return draft.program()
