# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Parts that every chapter's strategies draw from: sizes at the boundaries, segments, call forms, marks.

Simple and small comes first everywhere, because that is what a failure shrinks to. Limits come from the ``End`` that
was opened; nothing beyond them is drawn here.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from kfabric.model.guarantees import End
from kfabric.model.program import Form, OpMark

EAGER_LIMITS = (4096, 16384, 65536)
"""Where providers usually change protocol; one byte less and more is drawn too."""
MODEST = 65537
"""Sizes go up to here as a rule, and to ``LARGE`` rarely: bytes cost time and rarely tell more."""
LARGE = 256 * 1024 + 1
_LEVELS = {
    "INJECT": OpMark.INJECT_COMPLETE,
    "TRANSMIT": OpMark.TRANSMIT_COMPLETE,
    "DELIVERY": OpMark.DELIVERY_COMPLETE,
}


def boundaries(end: End, cap: int = LARGE) -> list[int]:
    """Sizes where something changes, smallest first: 0, 1, words, the inject size, eager limits, the largest."""
    around = [end.inject_size, *EAGER_LIMITS]
    values = {0, 1, 2, 8, 64, 256, 1024, 128 * 1024, 256 * 1024}
    values.update(edge + delta for edge in around for delta in (-1, 0, 1) if edge + delta > 0)
    if end.max_msg_size <= LARGE:
        values.update((end.max_msg_size - 1, end.max_msg_size))
    top = min(cap, end.max_msg_size)
    return sorted(value for value in values if 0 <= value <= top)


def sizes(end: End, *, least: int = 0, cap: int = LARGE) -> SearchStrategy[int]:
    """Message sizes: mostly small, often at a boundary, rarely beyond ``MODEST``. The simplest is 1 (or ``least``)."""
    top = min(cap, end.max_msg_size)
    edges = [size for size in boundaries(end, cap) if size >= least]
    modest = [size for size in edges if size <= min(MODEST, top)]
    small = [size for size in (1, 8, 0, 2, 3, 64) if least <= size <= top] or [least]
    choices: list[SearchStrategy[int]] = [
        st.sampled_from(small),
        st.integers(max(least, 1), max(least, min(256, top))),
        st.sampled_from(modest or [least]),
        st.sampled_from(modest or [least]),
    ]
    if edges and edges[-1] > MODEST:
        choices.append(st.one_of(st.sampled_from(modest), st.sampled_from(edges)))
    return st.one_of(choices)


@st.composite
def cuts(draw: DrawFn, size: int, limit: int) -> tuple[int, ...]:
    """``size`` bytes cut into at most ``limit`` segments, none empty; () means one segment."""
    if size < 2 or limit < 2:
        return ()
    points = draw(st.sets(st.integers(1, size - 1), max_size=min(limit, size) - 1))
    if not points:
        return ()
    edges = [0, *sorted(points), size]
    return tuple(b - a for a, b in pairwise(edges))


@dataclass(frozen=True)
class Shape:
    """How an operation is posted: call form, marks, local segments, remote CQ data."""

    form: Form = Form.PLAIN
    marks: frozenset[OpMark] = frozenset()
    iov: tuple[int, ...] = ()
    data: int | None = None

    @property
    def injects(self) -> bool:
        """The buffer is the application's again when the call returns."""
        return self.form is Form.INJECT or OpMark.INJECT in self.marks


def level_marks(end: End) -> list[OpMark]:
    """Completion levels that a call may ask for at this end."""
    return [mark for level, mark in _LEVELS.items() if level in end.levels]


def cq_data(end: End) -> SearchStrategy[int | None]:
    """Remote CQ data within the width that the provider carries, or none."""
    if end.cq_data_size == 0:
        return st.none()
    bits = 8 * min(end.cq_data_size, 8)
    return st.one_of(st.none(), st.integers(0, 255), st.sampled_from([1 << (bits - 1), (1 << bits) - 1]))


@st.composite
def msg_marks(draw: DrawFn, end: End, *, inject: bool) -> frozenset[OpMark]:
    """Marks for a send or write by the call that takes flags. ``inject``: the size allows FI_INJECT."""
    kind = draw(st.sampled_from(["none", "level", *(["inject"] if inject else [])]))
    if kind == "level":
        return frozenset({draw(st.sampled_from(level_marks(end)))}) if level_marks(end) else frozenset()
    return frozenset({OpMark.INJECT}) if kind == "inject" else frozenset()


@st.composite
def shapes(draw: DrawFn, end: End, size: int, *, with_data: bool = True, reading: bool = False) -> Shape:
    """Any legal way to post ``size`` bytes from this end; ``reading``: into it, where no data and no level go along.

    The INJECT mark is drawn below the inject size only: texts differ on whether the flag includes the limit itself.
    """
    forms = [Form.PLAIN, Form.MSG]
    if end.iov_limit > 1 and size > 1:
        forms.append(Form.VECTOR)
    if not reading and end.inject_size > 0 and size <= end.inject_size:
        forms.append(Form.INJECT)
    form = draw(st.sampled_from(forms))
    data = draw(cq_data(end)) if with_data and not reading and form is not Form.VECTOR else None
    if form is Form.VECTOR:
        return Shape(form, iov=draw(cuts(size, end.iov_limit)))
    if form is Form.MSG:
        marks = frozenset[OpMark]() if reading else draw(msg_marks(end, inject=size < end.inject_size))
        return Shape(form, marks, draw(cuts(size, end.iov_limit)), data)
    return Shape(form, data=data)


@st.composite
def recv_shapes(draw: DrawFn, end: End, size: int) -> Shape:
    """Any legal way to post a receive of ``size`` bytes."""
    form = draw(st.sampled_from([Form.PLAIN, Form.MSG, Form.VECTOR] if end.iov_limit > 1 else [Form.PLAIN, Form.MSG]))
    if form is Form.PLAIN:
        return Shape()
    return Shape(form, iov=draw(cuts(size, end.iov_limit)))


def rarely() -> SearchStrategy[bool]:
    """True about once in eight; shrinks to False."""
    return st.integers(0, 7).map(lambda value: value == 7)


def often() -> SearchStrategy[bool]:
    """True about three times in four; shrinks to False."""
    return st.integers(0, 3).map(bool)


def node_names(count: int) -> tuple[str, ...]:
    """A, B, ..."""
    return ("A", "B", "C", "D")[:count]


def depth(end: End, most: int) -> int:
    """How many operations one end may have outstanding in one direction, at most ``most``."""
    return max(1, min(most, end.tx_size or most, end.rx_size or most))


def speaks(end: End) -> bool:
    """Whether there are messages of any kind."""
    return bool({"MSG", "TAGGED"} & end.caps)


def plain_tag(end: End) -> int | None:
    """What an ordinary message carries for a tag: nothing, or a fixed one where there are only tagged messages."""
    return None if "MSG" in end.caps else 1


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
