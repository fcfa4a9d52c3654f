# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Persistent regions and FI_COMMIT_COMPLETE (libfabric-pm): what can be seen of them without a power failure.

A committed write is visible before its completion; with a fence, so are those before it. Whether it would survive is
not decided here: a Program on a living machine proves nothing about that.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from kfabric.model.guarantees import End, Guarantees
from kfabric.model.program import Form, OpMark, Program

from .draft import Draft, place, whole
from .parts import MODEST, cuts, node_names, sizes
from .rma import rma_byte_map, verbs

COMMIT = OpMark.COMMIT_COMPLETE


def commits(end: End) -> bool:
    """Whether writes can be committed to persistent regions."""
    return "RMA_PMEM" in end.caps and "COMMIT" in end.levels


def persistent_byte_map(guarantees: Guarantees) -> SearchStrategy[Program]:
    """The byte map of the RMA chapter on a persistent region."""
    return rma_byte_map(guarantees, persistent=True)


@st.composite
def committed_writes(draw: DrawFn, guarantees: Guarantees) -> Program:
    """Writes to a persistent region, the last or each of them committed; after the wait the target loads them."""
    end = guarantees.default
    third = "read" in verbs(end) and draw(st.booleans())
    draft = Draft("committed_writes", guarantees, node_names(3 if third else 2))
    size = draw(sizes(end, least=1, cap=MODEST))
    count = draw(st.integers(1, 3))
    region = draft.region("B", size * count, persistent=True)
    fence = "FENCE" in end.caps and draw(st.booleans())
    for index in range(count):
        last = index == count - 1
        marks = frozenset({COMMIT}) if last or not fence else frozenset[OpMark]()
        if fence and last:
            marks |= {OpMark.FENCE}
        iov = draw(cuts(size, end.iov_limit))
        draft.write("A", place(region, index * size, size), form=Form.MSG, marks=marks, iov=iov)
    draft.wait("A")
    draft.barrier()
    draft.load(place(region, region.size - min(8, region.size)))
    draft.load(place(region))
    if third:
        draft.read("C", whole(end, region))
        draft.wait("C")
    return draft.program()


@st.composite
def commit_to_volatile(draw: DrawFn, guarantees: Guarantees) -> Program:
    """A committed write to a region that was not registered as persistent."""
    draft = Draft("commit_to_volatile", guarantees, node_names(2))
    size = draw(st.sampled_from([8, 1, 4096]))
    region = draft.region("B", size)
    draft.write("A", place(region), form=Form.MSG, marks=frozenset({COMMIT}))
    draft.wait("A")
    draft.barrier()
    draft.load(place(region))
    return draft.program()
