# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a completion tells (chapter CMP).

The buffer is the application's again; with FI_DELIVERY_COMPLETE the data is where it belongs, as the target's own loads
and reads of a third node must show.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from kfabric.model.datatypes import encode
from kfabric.model.guarantees import End, Guarantees
from kfabric.model.program import Atomic, AtomicKind, Form, OpMark, Program, Send, Write

from .atomics import offers, values
from .draft import Draft, place, whole
from .messages import Message, post_receive, post_sends
from .parts import MODEST, Shape, cuts, depth, level_marks, node_names, rarely, recv_shapes, shapes, sizes
from .rma import verbs


def _delivering(end: End) -> bool:
    """Plain calls already complete at delivery."""
    return "DELIVERY_COMPLETE" in end.tx_op_flags


@st.composite
def _delivered(draw: DrawFn, end: End, size: int) -> Shape:
    """A way to post that completes at delivery: by the mark, or by the endpoint's default where that says so."""
    if _delivering(end) and draw(st.booleans()):
        return Shape(draw(st.sampled_from([Form.PLAIN, Form.VECTOR])) if end.iov_limit > 1 else Form.PLAIN)
    return Shape(Form.MSG, frozenset({OpMark.DELIVERY_COMPLETE}), draw(cuts(size, end.iov_limit)))


@st.composite
def delivery_writes(draw: DrawFn, guarantees: Guarantees) -> Program:
    """Writes with delivery complete; after the wait the target loads them and a third node reads them."""
    end = guarantees.default
    third = "read" in verbs(end) and draw(st.booleans())
    draft = Draft("delivery_writes", guarantees, node_names(3 if third else 2))
    size = draw(sizes(end, least=1, cap=MODEST))
    count = draw(st.integers(1, depth(end, 3)))
    region = draft.region("B", size * count)
    alike = draw(rarely())
    for index in range(count):
        at = place(region, 0 if alike else index * size, size)
        shape = draw(_delivered(end, size))
        draft.write("A", at, form=shape.form, marks=shape.marks, iov=shape.iov)
        if alike:
            draft.wait("A")
    draft.wait("A")
    draft.barrier()
    edge = min(8, region.size)
    for at in dict.fromkeys((place(region, 0, edge), place(region, region.size - edge, edge))):
        draft.load(at)
    if third:
        draft.read("C", whole(end, region))
        draft.wait("C")
    return draft.program()


@st.composite
def delivery_atomics(draw: DrawFn, guarantees: Guarantees) -> Program:
    """A base atomic with delivery complete; after the wait the target loads its result."""
    end = guarantees.default
    offer = draw(st.sampled_from([offer for offer in offers(end) if offer.kind is AtomicKind.BASE]))
    draft = Draft("delivery_atomics", guarantees, node_names(2))
    old, operand = (draw(st.sampled_from(values(offer.datatype))) for _ in range(2))
    region = draft.region("B", offer.width, init=int.from_bytes(encode(offer.datatype, (old,)), "little"))
    shape = draw(_delivered(end, offer.width))
    form = Form.PLAIN if shape.form is Form.VECTOR else shape.form
    step = Atomic("", offer.kind, offer.op, offer.datatype, place(region), 1, (operand,), (), form, shape.marks)
    draft.post("A", step)
    draft.wait("A")
    draft.barrier()
    draft.load(place(region))
    return draft.program()


@st.composite
def delivery_messages(draw: DrawFn, guarantees: Guarantees) -> Program:
    """Messages with delivery complete; B's receives have completed once A's barrier says that the sends have."""
    end = guarantees.default
    draft = Draft("delivery_messages", guarantees, node_names(2))
    tag = draw(st.sampled_from([tag for tag, cap in ((None, "MSG"), (1, "TAGGED")) if cap in end.caps]))
    lengths = draw(st.lists(sizes(end, cap=MODEST), min_size=1, max_size=depth(end, 3)))
    stream = [Message("A", "B", size, draw(_delivered(end, size)), tag) for size in lengths]
    for message in stream:
        post_receive(draft, message, max(lengths), draw(recv_shapes(end, max(lengths))))
    draft.barrier()
    owed = post_sends(draft, stream)
    draft.wait("A", *owed["A"])
    draft.barrier()
    draft.wait("B")
    return draft.program()


@st.composite
def reuse_after_completion(draw: DrawFn, guarantees: Guarantees) -> Program:
    """Sends and writes at any level; each buffer is overwritten as soon as it is the application's again."""
    end = guarantees.default
    draft = Draft("reuse_after_completion", guarantees, node_names(2))
    kinds = [word for word, caps in (("send", {"MSG"}), ("tagged", {"TAGGED"})) if caps <= end.caps]
    if "RMA" in end.caps and "write" in verbs(end):
        kinds.append("write")
    todo = draw(
        st.lists(st.tuples(st.sampled_from(kinds), sizes(end, least=1, cap=MODEST)), min_size=1, max_size=depth(end, 5))
    )
    marks = [frozenset[OpMark](), *(frozenset({mark}) for mark in level_marks(end))]
    largest = max(size for _, size in todo)
    for kind, _ in todo:
        if kind != "write":
            draft.recv("B", largest, tag=1 if kind == "tagged" else None)
    written = [size for kind, size in todo if kind == "write"]
    region = draft.region("B", sum(written)) if written else None
    draft.barrier()
    at = 0
    for kind, size in todo:
        shape = draw(shapes(end, size, with_data=False))
        if shape.form is Form.MSG and not shape.injects:
            shape = Shape(Form.MSG, draw(st.sampled_from(marks)), shape.iov)
        if kind == "write":
            assert region is not None
            step = draft.write("A", place(region, at, size), form=shape.form, marks=shape.marks, iov=shape.iov)
            at += size
            _reuse(draft, step, shape)
        else:
            tag = 1 if kind == "tagged" else None
            _reuse(draft, draft.send("A", "B", size, form=shape.form, marks=shape.marks, iov=shape.iov, tag=tag), shape)
    if region is not None and "read" in verbs(end):
        draft.read("A", whole(end, region))
        draft.wait("A")
    if len(written) < len(todo):
        draft.wait("B")
    return draft.program()


def _reuse(draft: Draft, step: Write | Send, shape: Shape) -> None:
    if not shape.injects:
        draft.wait("A", step)
    draft.reuse("A", step)
