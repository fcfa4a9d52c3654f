# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Tagged messages (chapter TAG): who gets which message, when several receives would take it.

From one sender in order, the matching is the same whenever receives and messages meet (both sides prefer the earlier
one), so a Program can be completed until every receive gets a message and every message a receive. Otherwise receives
come in groups with disjoint sets of tags, each with as many receives as messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from kfabric.model.guarantees import End, Guarantees
from kfabric.model.program import Program

from .draft import Draft
from .messages import Message, buffers_unexpected, finish, messages, post_sends
from .parts import MODEST, depth, node_names, often, recv_shapes

MOST = 8


@dataclass(frozen=True)
class Slot:
    """A receive to be: tagged, or not."""

    tag: int | None
    ignore: int = 0

    def takes(self, tag: int | None) -> bool:
        """Whether the receive accepts a message with this tag (None: without one)."""
        if self.tag is None or tag is None:
            return self.tag is None and tag is None
        return (self.tag ^ tag) & ~self.ignore == 0


def usable(end: End) -> int:
    """The bits that a tag may use."""
    return (1 << min(end.mem_tag_format.bit_length(), 64)) - 1


def tags(end: End) -> SearchStrategy[int]:
    """Few different tags, so that they meet; some in the upper bits."""
    bits = usable(end)
    top = (bits + 1) >> 1
    return st.sampled_from(list(dict.fromkeys([1, 2, 3 & bits, 0, top, top | 1, bits])))


def masks(end: End) -> SearchStrategy[int]:
    """Ignore masks: none, low bits, the top bit, all."""
    bits = usable(end)
    return st.sampled_from([0, 0, 1, 3, bits, bits, (bits + 1) >> 1, bits & ~1])


def complete(slots: Sequence[Slot], wanted: Sequence[int | None]) -> tuple[list[Slot], list[int | None]]:
    """Add receives for messages that none takes, then messages for receives that none filled."""
    all_slots, sent = list(slots), list(wanted)
    free = list(range(len(all_slots)))
    for tag in sent:
        match = next((index for index in free if all_slots[index].takes(tag)), None)
        if match is None:
            all_slots.append(Slot(tag))
        else:
            free.remove(match)
    while free:
        tag = all_slots[free[0]].tag
        sent.append(tag)
        free.remove(next(index for index in free if all_slots[index].takes(tag)))
    return all_slots, sent


@st.composite
def _overlapping(draw: DrawFn, guarantees: Guarantees) -> tuple[list[Message], list[Slot]]:
    """One sender in order; receives that compete for messages."""
    end = guarantees.default
    most = depth(end, MOST) // 2 or 1
    tag: SearchStrategy[int | None] = tags(end)
    slot = st.builds(Slot, tags(end), masks(end))
    if "MSG" in end.caps:
        tag = st.one_of(tags(end), tags(end), st.none())
        slot = st.one_of(slot, slot, st.just(Slot(None)))
    wanted = draw(st.lists(tag, min_size=1, max_size=most))
    slots, wanted = complete(draw(st.lists(slot, min_size=1 if most > 1 else 0, max_size=most)), wanted)
    body = messages(guarantees, ("A", "B"), cap=MODEST)
    stream = [replace(draw(body), src="A", dst="B", tag=value) for value in wanted]
    return stream, slots


def _groups(end: End) -> list[Slot]:
    """Receives whose sets of tags do not meet: the low three bits tell them apart."""
    bits = usable(end)
    return [Slot(3), Slot(1, bits & ~3), Slot(2 & bits, 0xC & bits), Slot(7 & bits)]


@st.composite
def _grouped(draw: DrawFn, guarantees: Guarantees, names: Sequence[str]) -> tuple[list[Message], list[Slot]]:
    """Any senders, any order: groups of tags with as many receives as messages."""
    end = guarantees.default
    chosen = draw(st.lists(st.sampled_from(_groups(end)), min_size=1, max_size=depth(end, MOST)))
    body = messages(guarantees, names, cap=MODEST)
    stream = []
    for slot in chosen:
        message, noise = draw(body), draw(tags(end))
        tag = None if slot.tag is None else slot.tag & ~slot.ignore | noise & slot.ignore
        stream.append(replace(message, src="A" if message.src == "B" else message.src, dst="B", tag=tag))
    return stream, list(draw(st.permutations(chosen)))


@st.composite
def _program(draw: DrawFn, guarantees: Guarantees, late: bool) -> Program:
    end = guarantees.default
    ordered = end.ep_type != "DGRAM" and "SAS" in guarantees.order("A", "B")
    names = node_names(2)
    if ordered and draw(often()):
        stream, slots = draw(_overlapping(guarantees))
    else:
        if end.ep_type != "MSG" and draw(st.booleans()):
            names = node_names(3)
        stream, slots = draw(_grouped(guarantees, names))
    draft = Draft("tagged_unexpected" if late else "tagged_matching", guarantees, names)
    largest = max(message.size for message in stream)
    forms = [draw(recv_shapes(draft.end("B"), largest)) for _ in slots]

    def post(first: int, last: int) -> None:
        for slot, shape in list(zip(slots, forms, strict=True))[first:last]:
            draft.recv("B", largest, form=shape.form, iov=shape.iov, tag=slot.tag, ignore=slot.ignore)

    early = draw(st.integers(0, len(slots) - 1)) if late else len(slots)
    post(0, early)
    draft.barrier()
    if late:
        post_sends(draft, [replace(message, pause=False) for message in stream])
        draft.barrier()
        post(early, len(slots))
    else:
        post_sends(draft, stream)
    finish(draft, stream)
    return draft.program()


def tagged_matching(guarantees: Guarantees) -> SearchStrategy[Program]:
    """Tagged (and some untagged) messages to receives whose tags and ignore bits overlap."""
    return _program(guarantees, late=False)


def tagged_unexpected(guarantees: Guarantees) -> SearchStrategy[Program]:
    """The same, with receives posted after the messages were sent."""
    assert buffers_unexpected(guarantees.default)
    return _program(guarantees, late=True)


def tagged_classics(guarantees: Guarantees) -> Iterator[Program]:
    """Small Programs whose matching is the same in any order of arrival, one for each rule of matching."""
    end = guarantees.default
    bits = usable(end)
    top = (bits + 1) >> 1
    yield _classic("first of several", guarantees, [Slot(2), Slot(0, bits), Slot(1)], [1, 2, 1])
    yield _classic("ignored bits", guarantees, [Slot(0x10, 0xF), Slot(0x11)], [0x11, 0x11])
    yield _classic("any tag", guarantees, [Slot(0, bits), Slot(bits, bits)], [top | 1, 0])
    yield _classic("upper bits", guarantees, [Slot(1), Slot(top | 1)], [top | 1, 1])
    if "MSG" in end.caps:
        yield _classic("tagged and not", guarantees, [Slot(0, bits), Slot(None)], [None, 1])


def _classic(name: str, guarantees: Guarantees, slots: Sequence[Slot], wanted: Sequence[int | None]) -> Program:
    room = depth(guarantees.default, len(slots))
    draft = Draft(f"tagged {name}", guarantees, node_names(2))
    if room < len(slots):
        slots, wanted = slots[:1], [slots[0].tag]
    for slot in slots:
        draft.recv("B", 64, tag=slot.tag, ignore=slot.ignore)
    draft.barrier()
    for index, tag in enumerate(wanted):
        draft.send("A", "B", 8 + index, tag=tag)
    draft.wait("A")
    draft.wait("B")
    return draft.program()
