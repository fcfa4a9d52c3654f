# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Keys, rights and bounds of registered memory (chapter MR): accesses that must be refused, each beside a legal twin.

The twin is the same operation made right; it runs first, so that a refusal proves something. The violation comes last,
because on a connected endpoint it may end the connection; on a connectionless one a further legal access may follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from kfabric.model.guarantees import End, Guarantees
from kfabric.model.program import ALL_ACCESS, Access, Atomic, AtomicKind, Form, KeyFault, Location, Program, Read, Write

from .atomics import Offer, offers, values
from .draft import Draft
from .parts import node_names, often
from .rma import verbs

Remote = Write | Read | Atomic
_FAR = 1 << 20
"""Well outside any region of a Program, yet an address that fits."""


@dataclass(frozen=True)
class Violation:
    """What is wrong with an access: ``word`` names it, ``verb`` is what it tries."""

    word: str
    verb: str


_WORDS = ("right", "badkey", "closedkey", "byte", "far", "inside-out")
"""No right, key of nothing, key of a closed region, one byte too many, far outside, begins inside and ends outside."""


def needed(step: Remote) -> frozenset[Access]:
    """The rights of the target region that an access needs."""
    if isinstance(step, Write) or (isinstance(step, Atomic) and step.kind is AtomicKind.BASE):
        return frozenset({Access.REMOTE_WRITE})
    if isinstance(step, Read) or step.op == "ATOMIC_READ":
        return frozenset({Access.REMOTE_READ})
    return frozenset({Access.REMOTE_READ, Access.REMOTE_WRITE})


def attempts(end: End) -> list[Violation]:
    """Every violation that the configuration's requirements speak of."""
    found = [Violation(word, verb) for word in _WORDS for verb in verbs(end) if "RMA" in end.caps]
    kinds = dict.fromkeys(offer.kind.value for offer in offers(end))
    return found + [Violation("right", kind) for kind in kinds if kind in ("atomic", "fetch")]


@st.composite
def _access(draw: DrawFn, end: End, verb: str, at: Location) -> Remote:
    """The access, legal so far, of the bytes given."""
    if verb == "write":
        form = draw(st.sampled_from([Form.PLAIN, Form.MSG]))
        return Write("", target=(at,), form=form)
    if verb == "read":
        return Read("", target=(at,), form=draw(st.sampled_from([Form.PLAIN, Form.MSG])))
    some: Sequence[Offer] = [offer for offer in offers(end) if offer.kind.value == verb and offer.width <= at.size]
    offer = draw(st.sampled_from(some))
    value = values(offer.datatype)[0]
    operand = () if offer.op == "ATOMIC_READ" else (value,)
    target = replace(at, size=offer.width)
    return Atomic("", offer.kind, offer.op, offer.datatype, target, 1, operand)


def _moved(step: Remote, at: Location) -> Remote:
    if isinstance(step, Atomic):
        return replace(step, target=replace(at, size=step.target.size))
    return replace(step, target=(at,))


@st.composite
def _lacking(draw: DrawFn, step: Remote) -> frozenset[Access]:
    """Rights that do not suffice for the step: the needed ones, or more, are missing."""
    gone = draw(st.sampled_from(sorted(needed(step), key=lambda right: right.value)))
    if step.__class__ is Atomic and isinstance(step, Atomic) and step.kind is not AtomicKind.BASE:
        gone = Access.REMOTE_READ
    others = sorted(ALL_ACCESS - {gone}, key=lambda right: right.value)
    more = draw(st.sets(st.sampled_from(others), max_size=len(others) - 1))
    return ALL_ACCESS - {gone} - more


@st.composite
def protection(draw: DrawFn, guarantees: Guarantees) -> Program:
    """A legal access, then the same one made wrong, then (where the endpoint must survive) a legal one again."""
    end = guarantees.default
    wrong = draw(st.sampled_from(attempts(end)))
    draft = Draft("protection", guarantees, node_names(2))
    size = draw(st.sampled_from([16, 64, 4096]))
    length = draw(st.sampled_from([8, 1, size])) if wrong.verb in ("write", "read") else 16
    at = Location("B", "data", 0, length)
    legal = draw(_access(end, wrong.verb, at))
    fault = KeyFault.NONE
    home = draft.region("B", size)
    if wrong.word == "right":
        other = draft.region("B", size, name="locked", access=draw(_lacking(legal)))
        bad = _moved(legal, replace(at, region=other.name))
    elif wrong.word == "closedkey":
        other = draft.region("B", size, name="gone")
        bad, fault = _moved(legal, replace(at, region=other.name)), KeyFault.CLOSED
    elif wrong.word == "badkey":
        bad, fault = legal, KeyFault.WRONG
    else:
        draft.region("B", size, name="next")
        bad = _moved(legal, _outside(wrong.word, at, size))
    illegal = bad if isinstance(bad, Atomic) and fault is KeyFault.NONE else replace(bad, key=fault)
    draft.wait("A", draft.post("A", legal))
    if wrong.word == "closedkey":
        if draw(often()):
            draft.wait("A", draft.post("A", replace(illegal, key=KeyFault.NONE)))
        draft.barrier()
        draft.close(other)
    draft.barrier()
    draft.wait("A", draft.post("A", illegal))
    if end.ep_type == "RDM" and draw(st.booleans()):
        draft.wait("A", draft.post("A", legal))
    draft.barrier()
    draft.load(Location("B", home.name, 0, size))
    return draft.program()


def _outside(word: str, at: Location, size: int) -> Location:
    if word == "byte":
        return replace(at, offset=size, size=1)
    if word == "far":
        return replace(at, offset=size + _FAR)
    return replace(at, offset=max(0, size - at.size + 1) if at.size < size else 1)
