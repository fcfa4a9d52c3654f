# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Keys, rights and bounds of registered memory (chapter MR): accesses that must be refused, each beside a legal twin.

The twin is the same operation made right; it runs first, so that a refusal proves something. The violation comes last,
because on a connected endpoint it may end the connection; on a connectionless one a further legal access may follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from kfabric.model.guarantees import End, Guarantees
from kfabric.model.program import (
    ALL_ACCESS,
    Access,
    Atomic,
    AtomicKind,
    Form,
    KeyFault,
    Location,
    OpMark,
    Program,
    Read,
    Write,
)

from .atomics import Offer, offers, values
from .draft import Draft
from .parts import node_names, often, rarely
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
    whole = ("right", "badkey", "closedkey", "byte", "far")
    return found + [Violation(word, kind) for word in whole for kind in kinds if kind != "compare"]


@st.composite
def _access(draw: DrawFn, end: End, verb: str, at: Location) -> Remote:
    """The access, legal so far, of the bytes given."""
    if verb == "write":
        form = draw(st.sampled_from([Form.PLAIN, Form.MSG]))
        return Write("", target=(at,), form=form)
    if verb == "read":
        return Read("", target=(at,), form=draw(st.sampled_from([Form.PLAIN, Form.MSG])))
    some: Sequence[Offer] = [offer for offer in offers(end) if offer.kind.value == verb and offer.width <= at.size]
    return _plain(draw(st.sampled_from(some)), at)


def _moved(step: Remote, at: Location) -> Remote:
    if isinstance(step, Atomic):
        return replace(step, target=replace(at, size=step.target.size))
    return replace(step, target=(at,))


@st.composite
def _lacking(draw: DrawFn, step: Remote) -> frozenset[Access]:
    """Rights that do not suffice for the step: the needed ones, or more, are missing."""
    gone = draw(st.sampled_from(sorted(needed(step), key=lambda right: right.value)))
    if isinstance(step, Atomic) and step.kind is not AtomicKind.BASE:
        gone = Access.REMOTE_READ
    others = sorted(ALL_ACCESS - {gone}, key=lambda right: right.value)
    more = draw(st.sets(st.sampled_from(others), max_size=len(others) - 1))
    return ALL_ACCESS - {gone} - more


@dataclass(frozen=True)
class Attempt:
    """A violation with all its particulars: the region's size, the legal twin, the rights left where rights are it."""

    wrong: Violation
    size: int
    legal: Remote
    access: frozenset[Access] = ALL_ACCESS
    before: bool = True
    """The region that will be closed is used before."""
    after: bool = True
    """The legal access is made again, where the endpoint must survive the refusal."""
    silent: bool = False
    """The wrong access is injected, so that nothing but its error is reported."""


def violate(guarantees: Guarantees, attempt: Attempt) -> Program:
    """A legal access, then the same one made wrong, then (where the endpoint must survive) a legal one again."""
    end, wrong, size, legal = guarantees.default, attempt.wrong, attempt.size, attempt.legal
    draft = Draft(f"protection {wrong.word} {wrong.verb}", guarantees, node_names(2))
    at = legal.target if isinstance(legal, Atomic) else legal.target[0]
    fault, bad = KeyFault.NONE, legal
    home = draft.region("B", size)
    other = draft.region("B", size, name="other", access=attempt.access)
    if wrong.word in ("right", "closedkey"):
        bad = _moved(legal, replace(at, region=other.name))
    elif wrong.word != "badkey":
        bad = _moved(legal, _outside(wrong.word, at, size))
    if wrong.word in ("badkey", "closedkey"):
        fault = KeyFault.WRONG if wrong.word == "badkey" else KeyFault.CLOSED
    draft.wait("A", draft.post("A", legal))
    if wrong.word == "closedkey":
        if _certain(end, bad) and attempt.before:
            draft.wait("A", draft.post("A", _delivered(bad)))
        draft.barrier()
        draft.close(other)
    draft.barrier()
    if attempt.silent:
        draft.add("A", replace(bad, key=fault, form=Form.INJECT, marks=frozenset()))
    else:
        draft.wait("A", draft.post("A", replace(bad, key=fault)))
    if end.ep_type == "RDM" and attempt.after:
        draft.wait("A", draft.post("A", legal))
    draft.barrier()
    draft.load(Location("B", home.name, 0, size))
    return draft.program()


@st.composite
def protection(draw: DrawFn, guarantees: Guarantees) -> Program:
    """Any violation beside its legal twin."""
    end = guarantees.default
    wrong = draw(st.sampled_from(attempts(end)))
    size = draw(st.sampled_from([16, 64, 4096]))
    length = draw(st.sampled_from([8, 1, size])) if wrong.verb in ("write", "read") else 16
    legal = draw(_access(end, wrong.verb, Location("B", "data", 0, length)))
    access = draw(_lacking(legal)) if wrong.word == "right" else ALL_ACCESS
    silent = _can_inject(end, legal) and draw(rarely())
    return violate(guarantees, Attempt(wrong, size, legal, access, draw(often()), draw(st.booleans()), silent))


def protection_sweep(guarantees: Guarantees) -> Iterator[Program]:
    """Every violation once, plainly."""
    end = guarantees.default
    for wrong in attempts(end):
        legal: Remote
        at = Location("B", "data", 0, 8)
        if wrong.verb == "write":
            legal = Write("", target=(at,))
        elif wrong.verb == "read":
            legal = Read("", target=(at,))
        else:
            offer = max((o for o in offers(end) if o.kind.value == wrong.verb), key=lambda o: (o.width <= 8, o.width))
            legal = _plain(offer, at)
        lost = Access.REMOTE_READ if Access.REMOTE_READ in needed(legal) else Access.REMOTE_WRITE
        attempt = Attempt(wrong, 64, legal, ALL_ACCESS - {lost})
        yield violate(guarantees, attempt)
        if wrong.word == "badkey" and _can_inject(end, legal):
            yield violate(guarantees, replace(attempt, silent=True))


def _can_inject(end: End, step: Remote) -> bool:
    """Whether an inject call does the same."""
    size = step.target.size if isinstance(step, Atomic) else step.size
    injects = isinstance(step, Write) or (isinstance(step, Atomic) and step.kind is AtomicKind.BASE)
    return injects and 0 < end.inject_size >= size


def _plain(offer: Offer, at: Location) -> Atomic:
    value = values(offer.datatype)[0]
    operand = () if offer.op == "ATOMIC_READ" else (value,)
    return Atomic("", offer.kind, offer.op, offer.datatype, replace(at, size=offer.width), 1, operand)


def _certain(end: End, step: Remote) -> bool:
    """Whether the step's completion can tell that the target is done with it, so that its region may be closed."""
    return isinstance(step, Read) or (isinstance(step, Write) and "DELIVERY" in end.levels)


def _delivered(step: Remote) -> Remote:
    if isinstance(step, Write):
        return replace(step, form=Form.MSG, marks=frozenset({OpMark.DELIVERY_COMPLETE}))
    return step


def _outside(word: str, at: Location, size: int) -> Location:
    """Where a violation of the bounds lands: sizes of atomics stay, so that they stay aligned."""
    if word == "byte":
        return replace(at, offset=size, size=1)
    if word == "far":
        return replace(at, offset=size + _FAR)
    return replace(at, offset=size - at.size + 1)
