# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Messages (chapter MSG, and RM where messages meet receives that are late or short).

Receives are posted, then a barrier, then sends, so that nothing relies on buffering; ``unexpected`` turns that round on
purpose. Every wait names what must complete: as many receives as messages, large enough for any of them unless delivery
order is promised and each receive knows its message.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from kfabric.model.guarantees import End, Guarantees
from kfabric.model.program import Form, OpMark, Program, Recv, Send

from .draft import Draft, reports
from .parts import MODEST, Shape, depth, node_names, often, plain_tag, rarely, recv_shapes, shapes, sizes

MOST = 8
"""Messages of one Program."""


@dataclass(frozen=True)
class Message:
    """One message and what its sender does around it."""

    src: str
    dst: str
    size: int
    shape: Shape = field(default_factory=Shape)
    tag: int | None = None
    pause: bool = False
    """The sender first waits for its earlier sends."""
    reuse: bool = False
    """The sender overwrites the buffer as soon as it may."""


@st.composite
def routes(draw: DrawFn, names: Sequence[str]) -> tuple[str, str]:
    """A sender and another node. The simplest is from the first to the second."""
    src = draw(st.sampled_from(names))
    dst = draw(st.sampled_from([name for name in (*names[1:], names[0]) if name != src]))
    return src, dst


@st.composite
def messages(draw: DrawFn, guarantees: Guarantees, names: Sequence[str], *, cap: int = 256 * 1024) -> Message:
    """Any message between the nodes: untagged, or with one tag where there are only tagged ones."""
    src, dst = draw(routes(names))
    end = guarantees.end(src)
    size = draw(sizes(end, cap=cap))
    shape = draw(shapes(end, size))
    return Message(src, dst, size, shape, plain_tag(end), pause=draw(rarely()), reuse=draw(st.booleans()))


def in_order(guarantees: Guarantees, stream: Sequence[Message], dst: str) -> bool:
    """Whether the i-th receive of ``dst`` is sure to get the i-th message to it."""
    senders = {message.src for message in stream if message.dst == dst}
    if len(senders) != 1 or guarantees.end(dst).ep_type == "DGRAM":
        return False
    return "SAS" in guarantees.order(senders.pop(), dst)


def with_more(stream: Sequence[Message], wanted: Sequence[bool]) -> list[Message]:
    """Put FI_MORE where wanted and where the sender's next message goes the same way without it."""
    result = list(stream)
    for index in range(len(stream) - 1):
        message, later = stream[index], stream[index + 1 :]
        following = next((other for other in later if other.src == message.src), None)
        if wanted[index] and message.shape.form is Form.MSG and following is not None and following.dst == message.dst:
            result[index] = replace(
                message, shape=replace(message.shape, marks=message.shape.marks | {OpMark.MORE}), reuse=False
            )
    return _last_without_more(result)


def _last_without_more(stream: list[Message]) -> list[Message]:
    """The operation after one with MORE is a plain one to the same peer, posted without a wait between."""
    for index, message in enumerate(stream):
        if OpMark.MORE not in message.shape.marks:
            continue
        after = next(i for i in range(index + 1, len(stream)) if stream[i].src == message.src)
        stream[after] = replace(
            stream[after],
            pause=False,
            shape=replace(stream[after].shape, marks=stream[after].shape.marks - {OpMark.MORE}),
        )
    return stream


def post_receive(draft: Draft, message: Message, size: int, shape: Shape, source: str | None = None) -> Recv:
    """The receive for a message, at its destination."""
    if source is None and draft.names_source(message.dst):
        source = message.src
    return draft.recv(message.dst, size, source, form=shape.form, marks=shape.marks, iov=shape.iov, tag=message.tag)


def post_sends(draft: Draft, stream: Sequence[Message]) -> dict[str, list[Send]]:
    """The sends in order, with pauses and reuse; gives each sender's sends that still owe a completion."""
    owed: dict[str, list[Send]] = defaultdict(list)
    for message in stream:
        src = message.src
        if message.pause and owed[src]:
            draft.wait(src, *owed[src])
            owed[src].clear()
        shape = message.shape
        send = draft.send(
            src,
            message.dst,
            message.size,
            form=shape.form,
            marks=shape.marks,
            iov=shape.iov,
            data=shape.data,
            tag=message.tag,
        )
        if message.reuse and shape.injects:
            draft.reuse(src, send)
        if reports(draft.end(src), send):
            owed[src].append(send)
    return owed


def finish(draft: Draft, stream: Sequence[Message]) -> None:
    """Every node waits for all it has posted."""
    for node in draft.nodes:
        if any(node in (message.src, message.dst) for message in stream):
            draft.wait(node)


@st.composite
def message_streams(draw: DrawFn, guarantees: Guarantees) -> Program:
    """Messages of all sizes and calls, in both directions, between two or three nodes."""
    names = node_names(3 if draw(rarely()) else 2)
    most = depth(guarantees.default, MOST)
    stream = draw(st.lists(messages(guarantees, names), min_size=1, max_size=most))
    stream = with_more(stream, draw(st.lists(st.booleans(), min_size=len(stream), max_size=len(stream))))
    draft = Draft("message_streams", guarantees, names)
    exact = draw(st.booleans())
    draw(_receives(draft, stream, exact))
    draft.barrier()
    post_sends(draft, stream)
    finish(draft, stream)
    return draft.program()


@st.composite
def _receives(draw: DrawFn, draft: Draft, stream: Sequence[Message], exact: bool) -> None:
    """One receive per message. With ``exact`` as large as the message where its order is sure; else as the largest."""
    for message in stream:
        largest = max(other.size for other in stream if other.dst == message.dst)
        known = exact and in_order(draft.guarantees, stream, message.dst)
        size = message.size if known else largest
        post_receive(draft, message, size, draw(recv_shapes(draft.end(message.dst), size)))


def buffers_unexpected(end: End) -> bool:
    """Whether a message may be sent before its receive is posted and must arrive all the same."""
    return end.resource_mgmt == "ENABLED" and end.ep_type != "DGRAM"


@st.composite
def unexpected(draw: DrawFn, guarantees: Guarantees) -> Program:
    """Messages sent before (some of) their receives are posted."""
    assert buffers_unexpected(guarantees.default)
    names = node_names(2)
    most = depth(guarantees.default, 5)
    one_way = messages(guarantees, names, cap=MODEST).map(
        lambda message: replace(message, src="A", dst="B", pause=False)
    )
    stream = draw(st.lists(one_way, min_size=1, max_size=most))
    early = draw(st.integers(0, len(stream) - 1))
    draft = Draft("unexpected", guarantees, names)
    largest = max(message.size for message in stream)
    for message in stream[:early]:
        post_receive(draft, message, largest, draw(recv_shapes(draft.end("B"), largest)))
    draft.barrier()
    post_sends(draft, stream)
    draft.barrier()
    for message in stream[early:]:
        post_receive(draft, message, largest, draw(recv_shapes(draft.end("B"), largest)))
    finish(draft, stream)
    return draft.program()


@st.composite
def truncation(draw: DrawFn, guarantees: Guarantees) -> Program:
    """One message longer than its receive; on connectionless endpoints followed by one that fits."""
    end = guarantees.default
    tag = draw(st.sampled_from([tag for tag, cap in ((None, "MSG"), (1, "TAGGED")) if cap in end.caps]))
    size = draw(sizes(end, least=1, cap=MODEST))
    room = draw(st.sampled_from(sorted({0, 1, size // 2, size - 1} - {size})))
    long = Message("A", "B", size, draw(shapes(end, size)), tag)
    fits = draw(st.integers(0, min(room, 64)))
    return truncated(
        guarantees, long, draw(recv_shapes(end, room)), room, draw(shapes(end, fits)), fits, after=draw(often())
    )


def truncated(
    guarantees: Guarantees, long: Message, into: Shape, room: int, shape: Shape, fits: int = 0, *, after: bool
) -> Program:
    """The message into ``room`` bytes. ``after``: where that may, another of ``fits`` bytes follows.

    A datagram that does not fit may be dropped, so that the one after it must follow and takes the same receive then.
    """
    end = guarantees.default
    draft = Draft("truncation", guarantees, node_names(2))
    post_receive(draft, long, room, into)
    stream = [long]
    if end.ep_type == "DGRAM" or (end.ep_type == "RDM" and after):
        stream.append(Message("A", "B", fits, shape, long.tag))
    if len(stream) > 1 and end.ep_type == "RDM":
        post_receive(draft, stream[1], long.size, Shape())
    draft.barrier()
    post_sends(draft, stream)
    finish(draft, stream)
    return draft.program()


@st.composite
def directed(draw: DrawFn, guarantees: Guarantees, *, tag: int | None = None) -> Program:
    """Receives that name a source, next to receives for anybody.

    Those that name one are posted first, so that every message finds its receive whoever comes first. Without
    FI_DIRECTED_RECV the name must make no difference.
    """
    names = node_names(3)
    end = guarantees.end("B")
    most = depth(end, 6)
    choices = messages(guarantees, names, cap=1024).map(
        lambda message: replace(message, src="A" if message.src == "B" else message.src, dst="B", tag=tag)
    )
    stream = draw(st.lists(choices, min_size=1, max_size=most))
    largest = max(message.size for message in stream)
    named = draw(st.lists(st.booleans(), min_size=len(stream), max_size=len(stream)))
    draft = Draft("directed", guarantees, names)
    ordered = sorted(zip(stream, named, strict=True), key=lambda pair: not pair[1])
    swap = draw(st.booleans()) if "DIRECTED_RECV" not in end.caps else False
    for message, naming in ordered:
        source = {"A": "C", "C": "A"}[message.src] if swap else message.src
        post_receive(draft, message, largest, draw(recv_shapes(end, largest)), source if naming else None)
    draft.barrier()
    post_sends(draft, stream)
    finish(draft, stream)
    return draft.program()
