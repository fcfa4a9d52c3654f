# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Program: what the nodes do, as a plain value.

Decides the vocabulary of everything that is generated, run, judged, shrunk, stored and replayed. A Program says what
is asked of a provider, never what must come of it (the Judge's business) nor how it is run (the Executor's). Its text
form is ``notation``, its JSON form ``codec``. Nothing here knows providers, clocks or randomness.

Values. Bytes written by an operation are self-identifying unless the Program gives integers: see ``data``.
Addresses. ``Location`` names bytes of a region; one that leaves its region is a deliberate violation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, ClassVar

FORMAT = 1
"""Version of the Program format, of its text and of its JSON form."""

Wide = Annotated[int, "wide"]
"""An integer that may be as wide as a region: beyond 64 bits it is written in hexadecimal."""


def _digits(number: int) -> str:
    """Decimal digits of very wide numbers are slow, and Python limits them."""
    return str(number) if abs(number) < 1 << 64 else hex(number)


class Access(Enum):
    """What a region may be used for."""

    SEND = "send"
    RECV = "recv"
    READ = "read"
    WRITE = "write"
    REMOTE_READ = "remote_read"
    REMOTE_WRITE = "remote_write"


ALL_ACCESS = frozenset(Access)


class OpMark(Enum):
    """Marks on a data operation: per-call flags, written ``!mark`` in the text form."""

    COMPLETION = "completion"
    INJECT = "inject"
    """The FI_INJECT flag on a call that takes flags (the inject calls are ``Form.INJECT``)."""
    INJECT_COMPLETE = "injected"
    TRANSMIT_COMPLETE = "transmit"
    DELIVERY_COMPLETE = "deliver"
    COMMIT_COMPLETE = "commit"
    FENCE = "fence"
    MORE = "more"


class Form(Enum):
    """Which call posts a data operation: the plain call, the vector call, the one with flags, or the inject call."""

    PLAIN = "plain"
    VECTOR = "vector"
    MSG = "msg"
    INJECT = "inject"


class KeyFault(Enum):
    """A deliberate mistake in the key of a remote access."""

    NONE = ""
    WRONG = "badkey"
    """A key that no region of the target has."""
    CLOSED = "closedkey"
    """The key of a region that was closed before the operation was posted."""


@dataclass(frozen=True, order=True)
class EndpointRef:
    """Endpoint ``index`` of a node; written ``B`` for index 0, ``B/1`` otherwise."""

    node: str
    index: int = 0

    def __str__(self) -> str:
        return self.node if self.index == 0 else f"{self.node}/{self.index}"


@dataclass(frozen=True, order=True)
class Location:
    """``size`` bytes at ``offset`` of a region; written ``B.data[offset:offset+size]``."""

    node: str
    region: str
    offset: int
    size: int


@dataclass(frozen=True)
class Region:
    """A memory region of a node, registered before the Program starts. Size in bytes.

    ``init`` None: self-identifying initial content; an integer: that value, little endian, over the whole region.
    """

    node: str
    name: str
    size: int
    persistent: bool = False
    access: frozenset[Access] = ALL_ACCESS
    init: Wide | None = 0

    def __repr__(self) -> str:
        init = "None" if self.init is None else _digits(self.init)
        access = "ALL_ACCESS" if self.access == ALL_ACCESS else repr(self.access)
        return f"Region({self.node!r}, {self.name!r}, {self.size}, {self.persistent}, {access}, {init})"


@dataclass(frozen=True)
class Bytes:
    """Literal content: an integer, little endian, over the bytes written."""

    value: Wide

    def __repr__(self) -> str:
        return f"Bytes({_digits(self.value)})"


@dataclass(frozen=True)
class Pattern:
    """Self-identifying content, which tells operation and place (``data.pattern``)."""


Value = Bytes | Pattern


@dataclass(frozen=True)
class Step:
    """Anything a node does. ``name`` is unique in the Program and names the step in histories and explanations."""

    name: str
    word: ClassVar[str] = "?"


@dataclass(frozen=True)
class Send(Step):
    """A message of ``size`` bytes; tagged when ``tag`` is set; with remote CQ data when ``data`` is set."""

    to: EndpointRef
    size: int
    value: Value = Pattern()
    tag: int | None = None
    data: int | None = None
    form: Form = Form.PLAIN
    marks: frozenset[OpMark] = frozenset()
    iov: tuple[int, ...] = ()
    """Local segment lengths (sum: size); empty: one segment."""
    via: int = 0
    """Index of the node's own endpoint."""
    word: ClassVar[str] = "send"


@dataclass(frozen=True)
class Recv(Step):
    """A posted receive of ``size`` bytes. ``source`` None: any. Tagged when ``tag`` is set."""

    size: int
    source: EndpointRef | None = None
    tag: int | None = None
    ignore: int = 0
    form: Form = Form.PLAIN
    marks: frozenset[OpMark] = frozenset()
    iov: tuple[int, ...] = ()
    via: int = 0
    word: ClassVar[str] = "recv"


@dataclass(frozen=True)
class Write(Step):
    """RMA write to one or more locations of one node."""

    target: tuple[Location, ...]
    value: Value = Pattern()
    data: int | None = None
    form: Form = Form.PLAIN
    marks: frozenset[OpMark] = frozenset()
    iov: tuple[int, ...] = ()
    key: KeyFault = KeyFault.NONE
    via: int = 0
    to: int = 0
    """Index of the target node's endpoint."""
    word: ClassVar[str] = "write"

    @property
    def size(self) -> int:
        """Bytes moved."""
        return sum(place.size for place in self.target)


@dataclass(frozen=True)
class Read(Step):
    """RMA read of one or more locations of one node, into a buffer that is the step's value."""

    target: tuple[Location, ...]
    form: Form = Form.PLAIN
    marks: frozenset[OpMark] = frozenset()
    iov: tuple[int, ...] = ()
    key: KeyFault = KeyFault.NONE
    via: int = 0
    to: int = 0
    word: ClassVar[str] = "read"

    @property
    def size(self) -> int:
        """Bytes moved."""
        return sum(place.size for place in self.target)


class AtomicKind(Enum):
    """What an atomic operation gives back: nothing, the old value, the old value and a comparison with it first."""

    BASE = "atomic"
    FETCH = "fetch"
    COMPARE = "compare"


@dataclass(frozen=True)
class Atomic(Step):
    """An atomic over ``len(operand)`` elements (``count`` for a fetching read, which has no operand).

    ``op`` and ``datatype`` are the names of ``kfabric.api.AtomicOp`` and ``Datatype``. Elements are Python numbers:
    int, float, or complex as (re, im) pairs. ``target.size`` is count x element size.
    """

    kind: AtomicKind
    op: str
    datatype: str
    target: Location
    count: int
    operand: tuple[int | float | tuple[float, float], ...] = ()
    compare: tuple[int | float | tuple[float, float], ...] = ()
    form: Form = Form.PLAIN
    marks: frozenset[OpMark] = frozenset()
    key: KeyFault = KeyFault.NONE
    via: int = 0
    to: int = 0
    word: ClassVar[str] = "atomic"


class WaitBy(Enum):
    """How a node waits: polling reads, blocking reads, or the counters bound to the endpoint."""

    POLL = "poll"
    SREAD = "sread"
    COUNTER = "counter"


@dataclass(frozen=True)
class Wait(Step):
    """Wait until the named operations of this thread have completed (empty: all that are outstanding and reported)."""

    ops: tuple[str, ...] = ()
    by: WaitBy = WaitBy.POLL
    word: ClassVar[str] = "wait"


@dataclass(frozen=True)
class Barrier(Step):
    """Out-of-band: every thread that has barrier ``index`` reaches it before any leaves it."""

    index: int = 0
    word: ClassVar[str] = "barrier"


@dataclass(frozen=True)
class Load(Step):
    """An aligned native load (1, 2, 4 or 8 bytes) or, for other sizes, a byte-wise read, of the node's own region."""

    place: Location
    word: ClassVar[str] = "load"


@dataclass(frozen=True)
class Store(Step):
    """An aligned native store, or byte-wise for other sizes, to the node's own region."""

    place: Location
    value: Value = Pattern()
    word: ClassVar[str] = "store"


@dataclass(frozen=True)
class Reuse(Step):
    """Overwrite the source buffer of an earlier operation of this thread; legal once it is the application's."""

    op: str = ""
    word: ClassVar[str] = "reuse"


@dataclass(frozen=True)
class Cancel(Step):
    """Ask to cancel an earlier operation of this thread."""

    op: str = ""
    word: ClassVar[str] = "cancel"


@dataclass(frozen=True)
class CloseRegion(Step):
    """Close the registration of the node's own region: its key is no longer valid."""

    region: str = ""
    word: ClassVar[str] = "close"


Operation = Send | Recv | Write | Read | Atomic
"""The steps that a provider completes."""

AnyStep = Send | Recv | Write | Read | Atomic | Wait | Barrier | Load | Store | Reuse | Cancel | CloseRegion


@dataclass(frozen=True)
class Thread:
    """One column of the text form: the steps of one thread of one node, in program order."""

    node: str
    steps: tuple[AnyStep, ...]
    index: int = 0


class Outcome(Enum):
    """What the specification says about an outcome."""

    FORBIDDEN = "forbidden"
    ALLOWED = "allowed"
    UNSPECIFIED = "unspecified"


@dataclass(frozen=True)
class Condition:
    """A statement about an outcome, for litmus programs.

    Values observed by named loads, reads and receives, and final content of locations. ``expected`` is what the author
    holds, ``by`` the requirement ids said to decide it.
    """

    expected: Outcome
    observed: tuple[tuple[str, Wide], ...] = ()
    final: tuple[tuple[Location, Wide], ...] = ()
    by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Program:
    """The whole: regions, threads, how many endpoints a node has, and, for a litmus program, guarantees and conditions.

    ``guarantees`` holds ``key=value`` texts in the vocabulary of ``Guarantees.assume``; empty: those of the
    configuration under test.
    """

    name: str
    threads: tuple[Thread, ...]
    regions: tuple[Region, ...] = ()
    endpoints: tuple[tuple[str, int], ...] = ()
    guarantees: tuple[tuple[str, str], ...] = ()
    conditions: tuple[Condition, ...] = ()

    @property
    def nodes(self) -> tuple[str, ...]:
        """Node names in column order, then those that only own regions."""
        names = dict.fromkeys(thread.node for thread in self.threads)
        names.update(dict.fromkeys(region.node for region in self.regions))
        return tuple(names)

    def endpoint_count(self, node: str) -> int:
        """How many endpoints a node has."""
        return dict(self.endpoints).get(node, 1)

    def steps(self) -> Iterator[tuple[Thread, AnyStep]]:
        """Every step with its thread, column by column."""
        for thread in self.threads:
            for step in thread.steps:
                yield thread, step

    def operations(self) -> Iterator[tuple[Thread, Operation]]:
        """The steps that a provider completes."""
        for thread, step in self.steps():
            if isinstance(step, Send | Recv | Write | Read | Atomic):
                yield thread, step

    def region(self, node: str, name: str) -> Region:
        """The region of that name; ``KeyError`` if there is none."""
        for region in self.regions:
            if (region.node, region.name) == (node, name):
                return region
        raise KeyError(f"{node}.{name}")
