# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Cancelled receives (chapter EP): the one that was named ends, the others get the messages.

No message is under way when a receive is cancelled, so that the outcome is sure and nothing is left behind.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from kfabric.model.guarantees import Guarantees
from kfabric.model.program import Program

from .draft import Draft
from .messages import Message, post_sends
from .parts import depth, node_names, recv_shapes, shapes, sizes


@st.composite
def cancelled_receives(draw: DrawFn, guarantees: Guarantees) -> Program:
    """Several receives that would take the same messages; some are cancelled, then the messages come."""
    end = guarantees.default
    kinds = [tag for tag, cap in ((None, "MSG"), (1, "TAGGED")) if cap in end.caps]
    tag = draw(st.sampled_from(kinds))
    count = draw(st.integers(1, depth(end, 5)))
    doomed = draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=count))
    lengths = draw(st.lists(sizes(end, cap=16385), min_size=count - len(doomed), max_size=count - len(doomed)))
    room = max([8, *lengths])
    draft = Draft("cancelled_receives", guarantees, node_names(2))
    receives = []
    for _ in range(count):
        shape = draw(recv_shapes(end, room))
        receives.append(draft.recv("B", room, form=shape.form, iov=shape.iov, tag=tag))
    for index in draw(st.permutations(sorted(doomed))):
        draft.cancel("B", receives[index])
    draft.wait("B", *(receives[index] for index in sorted(doomed)))
    draft.barrier()
    stream = [Message("A", "B", size, draw(shapes(end, size)), tag) for size in lengths]
    post_sends(draft, stream)
    if stream:
        draft.wait("A")
        draft.wait("B")
    return draft.program()
