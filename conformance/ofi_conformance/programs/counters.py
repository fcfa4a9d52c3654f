# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Operations for the counters (chapter CNT): each kind alone and together, reported or not, and some that fail.

The values are read when all is quiet; where all counters are bound, a Program may also wait by them.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from kfabric.model.guarantees import End, Guarantees
from kfabric.model.program import Program, WaitBy

from .completions import completions
from .protection import attempts, protection

COUNTED = frozenset({"send", "recv", "read", "write"})


def can_wait(end: End) -> bool:
    """Whether every kind of operation has a counter to wait by."""
    return end.counters >= COUNTED


@st.composite
def counted(draw: DrawFn, guarantees: Guarantees) -> Program:
    """Operations of every kind; the wait at the end goes by completions or by counters."""
    ways = [WaitBy.POLL, WaitBy.COUNTER] if can_wait(guarantees.default) else [WaitBy.POLL]
    return draw(completions(guarantees, by=draw(st.sampled_from(ways))))


@st.composite
def counted_errors(draw: DrawFn, guarantees: Guarantees) -> Program:
    """An access that is refused, beside legal ones."""
    assert attempts(guarantees.default)
    return draw(protection(guarantees))
