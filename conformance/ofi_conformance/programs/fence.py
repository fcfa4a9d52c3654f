# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Fenced operations (chapter ORD): what was posted before has its effect first, at the fenced operation's level.

Before the fence go operations of any level and size; the fenced one is a write, a read or a message. With RMA the
target loads, behind the message or a barrier, what was written before the fence.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from kfabric.model.guarantees import Guarantees
from kfabric.model.program import Form, OpMark, Program, Recv

from .draft import Draft, place, whole
from .messages import Message, post_receive
from .ordering import mixed_sizes
from .parts import MODEST, Shape, depth, node_names, shapes
from .rma import verbs

FENCE = OpMark.FENCE
DELIVER = OpMark.DELIVERY_COMPLETE


@st.composite
def fenced_writes(draw: DrawFn, guarantees: Guarantees) -> Program:
    """Writes, then a fenced operation; its completion, or the message it is, tells that the writes are there."""
    end = guarantees.default
    draft = Draft("fenced_writes", guarantees, node_names(2))
    size = draw(mixed_sizes(end, least=1, cap=MODEST))
    count = draw(st.integers(1, depth(end, 3)))
    region = draft.region("B", size * count)
    messages = [tag for tag, cap in ((None, "MSG"), (1, "TAGGED")) if cap in end.caps]
    kinds = [*(["send"] if messages else []), "write", *(["read"] if "read" in verbs(end) else [])]
    kind = draw(st.sampled_from(kinds))
    deliver = "DELIVERY" in end.levels and draw(st.booleans())
    marks = frozenset({FENCE, DELIVER}) if deliver else frozenset({FENCE})
    tag = draw(st.sampled_from(messages)) if messages else None
    recv: Recv | None = None
    if kind == "send":
        recv = draft.recv("B", 8, tag=tag)
        draft.barrier()
    for index in range(count):
        shape = draw(shapes(end, size, with_data=False))
        draft.write("A", place(region, index * size, size), form=shape.form, marks=shape.marks, iov=shape.iov)
    if recv is not None:
        draft.send("A", "B", 8, tag=tag, form=Form.MSG, marks=marks)
        draft.wait("A")
        draft.wait("B", recv)
    else:
        at = place(region, 0 if draw(st.booleans()) else region.size - min(8, size), min(8, size))
        if kind == "write":
            draft.write("A", at, form=Form.MSG, marks=marks)
        else:
            draft.read("A", whole(end, region), form=Form.MSG, marks=marks - {DELIVER})
        draft.wait("A")
        draft.barrier()
    draft.load(place(region, 0, min(region.size, MODEST)))
    return draft.program()


@st.composite
def fenced_messages(draw: DrawFn, guarantees: Guarantees) -> Program:
    """Messages, one or two of them fenced: those are matched later than all before, and earlier than all after."""
    end = guarantees.default
    tag = draw(st.sampled_from([tag for tag, cap in ((None, "MSG"), (1, "TAGGED")) if cap in end.caps]))
    lengths = draw(st.lists(mixed_sizes(end, cap=MODEST), min_size=2, max_size=depth(end, 6)))
    stream = [Message("A", "B", size, draw(shapes(end, size)), tag) for size in lengths]
    fences = draw(st.sets(st.integers(1, len(stream) - 1), min_size=1, max_size=2))
    for index in fences:
        old = stream[index].shape
        marks = (old.marks if old.form is Form.MSG else frozenset()) | {FENCE}
        stream[index] = replace(stream[index], shape=Shape(Form.MSG, marks, data=old.data))
    draft = Draft("fenced_messages", guarantees, node_names(2))
    for message in stream:
        post_receive(draft, message, max(lengths), Shape())
    draft.barrier()
    for message in stream:
        shape = message.shape
        draft.send("A", "B", message.size, form=shape.form, marks=shape.marks, iov=shape.iov, data=shape.data, tag=tag)
    draft.wait("A")
    draft.wait("B")
    return draft.program()
