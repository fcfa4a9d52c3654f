# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What queues report (chapters CQ and CMP): operations of every kind together, some of which ask for no completion.

One side acts, the other has posted what it needs. Where the queues were bound with selective completion, each operation
asks or not. What nobody reports is followed by something that is reported and cannot overtake it in practice (a read of
the same bytes, a last message), so that a Program leaves nothing behind; nothing is claimed from that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from kfabric.model.guarantees import End, Guarantees
from kfabric.model.program import (
    Atomic,
    AtomicKind,
    EndpointRef,
    Form,
    Location,
    Operation,
    OpMark,
    Program,
    Read,
    Recv,
    Send,
    WaitBy,
    Write,
)

from .atomics import offers, values
from .draft import Draft, reports
from .parts import Shape, depth, every_shape, node_names, plain_tag, recv_shapes, shapes, sizes
from .rma import verbs
from .tagged import tags

ROOM = 64
"""Bytes of the region that remote operations address; its last 16 are for atomics."""


@dataclass(frozen=True)
class Act:
    """One operation of A towards B; a message comes with its receive. ``ask`` decides where there is a choice."""

    step: Operation
    recv: Shape | None = None
    ask: bool = True
    recv_ask: bool = True
    wait: bool = False
    reuse: bool = False


def _asked(step: Operation, ask: bool) -> Operation:
    """The step with FI_COMPLETION or without; a call that takes no flags stays as it is."""
    if ask and step.form is not Form.INJECT:
        return replace(step, form=Form.MSG, marks=step.marks | {OpMark.COMPLETION})
    return step


@st.composite
def _message(draw: DrawFn, end: End) -> Act:
    size = draw(sizes(end, cap=65537))
    kinds = [kind for kind, cap in (("plain", "MSG"), ("tagged", "TAGGED")) if cap in end.caps]
    tag = draw(tags(end)) if draw(st.sampled_from(kinds)) == "tagged" else None
    shape = draw(shapes(end, size))
    step = Send("", EndpointRef("B"), size, tag=tag, data=shape.data, form=shape.form, marks=shape.marks, iov=shape.iov)
    return Act(step, draw(recv_shapes(end, size)))


@st.composite
def _remote(draw: DrawFn, end: End) -> Act:
    verb = draw(st.sampled_from(verbs(end)))
    size = draw(st.integers(0, ROOM - 16))
    at = (Location("B", "data", draw(st.integers(0, ROOM - 16 - size)), size),)
    if verb == "read":
        shape = draw(shapes(end, size, reading=True))
        return Act(Read("", at, form=shape.form, marks=shape.marks, iov=shape.iov))
    shape = draw(shapes(end, size, with_data="RX_CQ_DATA" not in end.mode))
    return Act(Write("", at, data=shape.data, form=shape.form, marks=shape.marks, iov=shape.iov))


@st.composite
def _atomic(draw: DrawFn, end: End) -> Act:
    offer = draw(st.sampled_from([offer for offer in offers(end) if offer.width <= 16]))
    pool = st.sampled_from(values(offer.datatype))
    operand = () if offer.op == "ATOMIC_READ" else (draw(pool),)
    compare = (draw(pool),) if offer.kind.value == "compare" else ()
    at = Location("B", "data", ROOM - 16, offer.width)
    return Act(Atomic("", offer.kind, offer.op, offer.datatype, at, 1, operand, compare))


@st.composite
def acts(draw: DrawFn, end: End) -> Act:
    """Any operation that the end offers, with its choices."""
    kinds: list[SearchStrategy[Act]] = []
    if {"MSG", "TAGGED"} & end.caps:
        kinds.append(_message(end))
    if "RMA" in end.caps and verbs(end):
        kinds.append(_remote(end))
    if offers(end):
        kinds.append(_atomic(end))
    act = draw(st.one_of(kinds))
    ask = draw(st.booleans()) or not end.selective
    recv_ask = draw(st.booleans()) or not end.selective
    if end.selective:
        act = replace(act, step=_asked(act.step, ask))
    return replace(act, ask=ask, recv_ask=recv_ask, wait=draw(st.booleans()), reuse=draw(st.booleans()))


def _is_quiet(end: End, act: Act) -> bool:
    """A message whose send or receive nobody reports."""
    return isinstance(act.step, Send) and not (reports(end, act.step) and (act.recv_ask or not end.selective))


def _post_receives(draft: Draft, todo: Sequence[Act], closing: bool) -> None:
    """One receive per message, each as large as the largest of its class, and one for the closing message."""
    sent = [act.step for act in todo if isinstance(act.step, Send)]
    room = max((step.size for step in sent), default=0)
    if closing:  # without order the closing message, of one byte, may come first
        room = max(1, room)
    for act in todo:
        if not isinstance(act.step, Send) or act.recv is None:
            continue
        iov = (*act.recv.iov[:-1], act.recv.iov[-1] + room - act.step.size) if act.recv.iov else ()
        recv = Recv("", size=room, tag=act.step.tag, form=act.recv.form, iov=iov)
        if act.recv_ask or not draft.end("B").selective:
            draft.post("B", recv)
        else:
            draft.add("B", recv)
    if closing:
        draft.recv("B", room, tag=plain_tag(draft.end("B")))


def _post(draft: Draft, todo: Sequence[Act]) -> None:
    end = draft.end("A")
    for act in todo:
        step = draft.add("A", act.step)
        told = reports(end, step)
        if act.wait and told:
            draft.wait("A", step)
        source = isinstance(step, Send | Write | Atomic)
        injected = step.form is Form.INJECT or OpMark.INJECT in step.marks
        if act.reuse and source and (injected or (act.wait and told)):
            draft.reuse("A", step)


def account(name: str, guarantees: Guarantees, todo: Sequence[Act], by: WaitBy = WaitBy.POLL) -> Program:
    """The Program in which A does all that, and B has posted what it takes."""
    end = guarantees.default
    draft = Draft(name, guarantees, node_names(2))
    closing = any(_is_quiet(end, act) for act in todo)
    region = draft.region("B", ROOM) if any(not isinstance(act.step, Send) for act in todo) else None
    _post_receives(draft, todo, closing)
    draft.barrier()
    _post(draft, todo)
    changed = [act.step for act in todo if isinstance(act.step, Write | Atomic) and not reports(end, act.step)]
    if region is not None and changed and "read" in verbs(end):
        draft.read("A", Location("B", region.name, 0, region.size))
    if closing:
        draft.send("A", "B", 1, tag=plain_tag(end))
    for node in ("A", "B"):
        if any(isinstance(step, Operation) and reports(end, step) for step in draft.column(node)):
            draft.wait(node, by=by)
    return draft.program()


@st.composite
def completions(draw: DrawFn, guarantees: Guarantees, *, by: WaitBy = WaitBy.POLL) -> Program:
    """Operations of every kind from A to B; every completion is accounted for."""
    end = guarantees.default
    todo = draw(st.lists(acts(end), min_size=1, max_size=depth(end, 6)))
    return account("completions", guarantees, todo, by)


def completion_sweep(guarantees: Guarantees) -> Iterator[Program]:
    """Every kind of operation by every call, asked to report or not where there is a choice."""
    end = guarantees.default
    todo: list[Act] = []
    for tag, cap in ((None, "MSG"), (5, "TAGGED")):
        if cap in end.caps:
            todo += [
                Act(
                    Send("", EndpointRef("B"), 24, tag=tag, data=s.data, form=s.form, marks=s.marks, iov=s.iov), Shape()
                )
                for s in every_shape(end, 24)
            ]
    at = (Location("B", "data", 8, 24),)
    if "RMA" in end.caps and "write" in verbs(end):
        todo += [
            Act(Write("", at, data=s.data, form=s.form, marks=s.marks, iov=s.iov))
            for s in every_shape(end, 24)
            if s.data is None or "RX_CQ_DATA" not in end.mode
        ]
    if "RMA" in end.caps and "read" in verbs(end):
        todo += [Act(Read("", at, form=s.form, marks=s.marks, iov=s.iov)) for s in every_shape(end, 24, reading=True)]
    todo += [Act(step) for step in _one_of_each(end)]
    if end.selective:
        todo = [
            replace(act, step=_asked(act.step, ask), ask=ask, recv_ask=ask) for act in todo for ask in (True, False)
        ]
    most = depth(end, 8)
    for start in range(0, len(todo), most):
        yield account(f"completion_sweep{start // most + 1}", guarantees, todo[start : start + most])


def _one_of_each(end: End) -> Iterator[Atomic]:
    """An atomic of each kind."""
    for kind in AtomicKind:
        offer = next((offer for offer in offers(end) if offer.kind is kind and offer.width in (4, 8)), None)
        if offer is not None:
            value = values(offer.datatype)[0]
            operand = () if offer.op == "ATOMIC_READ" else (value,)
            compare = (value,) if kind is AtomicKind.COMPARE else ()
            at = Location("B", "data", ROOM - 16, offer.width)
            for form in (Form.PLAIN, Form.MSG, Form.INJECT):
                if form is not Form.INJECT or (kind is AtomicKind.BASE and 0 < end.inject_size >= offer.width):
                    yield Atomic("", kind, offer.op, offer.datatype, at, 1, operand, compare, form)
