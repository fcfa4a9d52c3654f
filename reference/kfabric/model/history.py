# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""History: what was asked of a provider and what it answered, complete enough to be judged without it.

Events of one node are in the order in which that node's application saw them; ``at`` (nanoseconds, each node's own
clock) only draws pictures. Events of different nodes are ordered only by barriers and by what completions tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from .program import EndpointRef

FORMAT = 1


@dataclass(frozen=True)
class Event:
    """Something a node's application did or saw. ``seq`` counts from 0 on each node, over its threads."""

    node: str
    seq: int
    at: int
    word: ClassVar[str] = "?"


@dataclass(frozen=True)
class Posted(Event):
    """A call returned. ``code`` 0: posted; otherwise the positive error number; ``retries`` EAGAIN answers before."""

    op: str
    code: int = 0
    retries: int = 0
    call: str = ""
    word: ClassVar[str] = "posted"


@dataclass(frozen=True)
class Completed(Event):
    """A success entry was read. ``op`` is None when its context is no operation's of this Program.

    Fields that the queue's format does not carry are None. ``queue`` is ``tx`` or ``rx`` (and endpoint index:
    ``tx/1``). ``source_raw`` is what ``readfrom`` gave, None when it was not used; ``source`` the sender that the
    address vector names by it, None when there is none. ``stray`` is the raw context when ``op`` is None (0: NULL).
    """

    op: str | None
    queue: str
    flags: int | None = None
    len: int | None = None
    data: int | None = None
    tag: int | None = None
    buf_offset: int | None = None
    source: EndpointRef | None = None
    source_raw: int | None = None
    stray: int = 0
    word: ClassVar[str] = "completed"


@dataclass(frozen=True)
class Failed(Event):
    """An error entry was read."""

    op: str | None
    queue: str
    err: int
    prov_errno: int = 0
    flags: int = 0
    len: int = 0
    olen: int = 0
    data: int = 0
    tag: int = 0
    stray: int = 0
    word: ClassVar[str] = "failed"


@dataclass(frozen=True)
class Observed(Event):
    """Bytes seen: by a load at that moment; in the whole buffer of a read, receive or fetching atomic at completion."""

    op: str
    content: bytes
    word: ClassVar[str] = "observed"


@dataclass(frozen=True)
class Did(Event):
    """A local step took effect: store, reuse, close, cancel (``code``: what the call returned, positive)."""

    op: str
    code: int = 0
    word: ClassVar[str] = "did"


@dataclass(frozen=True)
class Waited(Event):
    """A wait ended. ``missing``: operations still without completion when the bound was reached (then ``bounded``)."""

    op: str
    missing: tuple[str, ...] = ()
    bounded: bool = False
    word: ClassVar[str] = "waited"


@dataclass(frozen=True)
class Passed(Event):
    """The node left barrier ``index``."""

    op: str
    index: int
    word: ClassVar[str] = "passed"


@dataclass(frozen=True)
class Counted(Event):
    """Counter values read when the node was quiet. ``counter``: ``send recv read write remote_read remote_write``."""

    counter: str
    value: int
    errors: int
    word: ClassVar[str] = "counted"


@dataclass(frozen=True)
class Content(Event):
    """What a region, or the whole buffer of an operation, held at the end (after the final barrier).

    ``what`` is ``region:data``, ``source:op`` (a source buffer: the provider must not change it), ``compare:op`` (the
    compare buffer of an atomic) or ``buffer:op`` (a receive, read or result buffer as posted); ``before`` and
    ``after`` are guard bytes, True while untouched.
    """

    what: str
    content: bytes
    before: bool = True
    after: bool = True
    word: ClassVar[str] = "content"


@dataclass(frozen=True)
class Probed(Event):
    """A later message on the same endpoints, tried because a completion was owed.

    ``arrived``: it completed at both ends.
    """

    peer: str
    arrived: bool
    polls: int = 0
    word: ClassVar[str] = "probed"


@dataclass(frozen=True)
class Died(Event):
    """The node crashed (``signal`` or exit ``status``) or hung; ``intent``: the call it had announced and not left."""

    how: str
    intent: str = ""
    signal: int = 0
    status: int = 0
    trace: str = ""
    word: ClassVar[str] = "died"


AnyEvent = Posted | Completed | Failed | Observed | Did | Waited | Passed | Counted | Content | Probed | Died


@dataclass(frozen=True)
class History:
    """All events of one run of one Program, node by node."""

    events: tuple[AnyEvent, ...]
    finished: bool = True
    """Every node ran its steps to the end (waits may have met their bound)."""
    note: str = ""

    def of(self, node: str) -> tuple[AnyEvent, ...]:
        """The events of one node, in its order."""
        return tuple(event for event in self.events if event.node == node)


class Closing(Enum):
    """How a run ended, for readers in a hurry."""

    CLEAN = "clean"
    BOUND = "bound"
    CRASH = "crash"
    HANG = "hang"
