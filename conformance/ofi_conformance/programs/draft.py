# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A Program while it is being written: columns of steps that name themselves.

Decides names (S1, R1, W1, ...), barrier numbers and how a step asks for its completion where the queues were bound with
selective completion. Strategies say what happens; nothing here is random and nothing here knows a requirement.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TypeVar

from kfabric.model.guarantees import End, Guarantees
from kfabric.model.notation import auto_name
from kfabric.model.program import (
    ALL_ACCESS,
    Access,
    AnyStep,
    Atomic,
    Barrier,
    Bytes,
    Cancel,
    CloseRegion,
    EndpointRef,
    Form,
    Load,
    Location,
    Operation,
    OpMark,
    Pattern,
    Program,
    Read,
    Recv,
    Region,
    Reuse,
    Send,
    Step,
    Store,
    Thread,
    Wait,
    WaitBy,
    Write,
)

_LETTER: dict[type[Step], str] = {
    Send: "S",
    Recv: "R",
    Write: "W",
    Read: "G",
    Atomic: "T",
    Load: "L",
    Store: "P",
}
"""W write, G get (a read; R is a receive), T an atomic (A is a node), P put by the processor, L load. Other steps are
named by their place, which the text form leaves out."""

S = TypeVar("S", bound=AnyStep)


def reports(end: End, step: Operation) -> bool:
    """Whether the operation, posted at ``end``, is owed a success entry in a completion queue."""
    if step.form is Form.INJECT:
        return False
    if not end.selective:
        return True
    if step.form is Form.MSG:
        return OpMark.COMPLETION in step.marks
    flags = end.rx_op_flags if isinstance(step, Recv) else end.tx_op_flags
    return "COMPLETION" in flags


class Draft:
    """Collects the columns of one Program."""

    def __init__(self, name: str, guarantees: Guarantees, nodes: tuple[str, ...]) -> None:
        self.name = name
        self.guarantees = guarantees
        self.nodes = nodes
        self._columns: dict[str, list[AnyStep]] = {node: [] for node in nodes}
        self._regions: list[Region] = []
        self._count: Counter[str] = Counter()
        self._barriers = 0

    def end(self, node: str) -> End:
        """What the node opened."""
        return self.guarantees.end(node)

    def names_source(self, node: str) -> bool:
        """Whether a receive says from whom: connected endpoints among more than two nodes are one endpoint per peer."""
        return self.end(node).ep_type == "MSG" and len(self.nodes) > 2

    # -- memory -----------------------------------------------------------------------------------------------------

    def region(
        self,
        node: str,
        size: int,
        *,
        name: str = "",
        access: frozenset[Access] = ALL_ACCESS,
        init: int | None = None,
        persistent: bool = False,
    ) -> Region:
        """A new region; its initial content identifies itself unless ``init`` gives a number."""
        if not name:
            taken = sum(1 for region in self._regions if region.node == node)
            name = "data" if taken == 0 else f"data{taken + 1}"
        region = Region(node, name, size, persistent=persistent, access=access, init=init)
        self._regions.append(region)
        return region

    # -- steps ------------------------------------------------------------------------------------------------------

    def add(self, node: str, step: S) -> S:
        """Append a step (its name is chosen here) to the node's column."""
        letter = _LETTER.get(type(step))
        name = auto_name(node, len(self._columns[node]) + 1)
        if letter is not None:
            self._count[letter] += 1
            name = f"{letter}{self._count[letter]}"
        named: S = replace(step, name=name)
        self._columns[node].append(named)
        return named

    def post(self, node: str, step: S) -> S:
        """Append a data operation that reports: marks it for a completion where only marked ones report."""
        assert isinstance(step, Send | Recv | Write | Read | Atomic)
        if not reports(self.end(node), step) and step.form is not Form.INJECT:
            step = replace(step, form=Form.MSG, marks=step.marks | {OpMark.COMPLETION})
        return self.add(node, step)

    def send(self, node: str, to: str, size: int, **fields: object) -> Send:
        """A message that reports, as all operations below do; ``fields`` are those of the step."""
        return self.post(node, Send("", to=EndpointRef(to), size=size, **fields))  # type: ignore[arg-type]

    def recv(self, node: str, size: int, source: str | None = None, **fields: object) -> Recv:
        """A receive from anybody, or from ``source`` (for whoever honours it: see ``names_source``)."""
        ref = None if source is None else EndpointRef(source)
        return self.post(node, Recv("", size=size, source=ref, **fields))  # type: ignore[arg-type]

    def write(self, node: str, *target: Location, **fields: object) -> Write:
        """A write of the places given, in their order."""
        return self.post(node, Write("", target=target, **fields))  # type: ignore[arg-type]

    def read(self, node: str, *target: Location, **fields: object) -> Read:
        """A read of the places given, in their order."""
        return self.post(node, Read("", target=target, **fields))  # type: ignore[arg-type]

    def wait(self, node: str, *ops: Step, by: WaitBy = WaitBy.POLL) -> Wait:
        """Wait for the operations named, or for all that are outstanding and report."""
        return self.add(node, Wait("", ops=tuple(op.name for op in ops), by=by))

    def barrier(self, *nodes: str) -> None:
        """A barrier over the nodes (all of them when none is named)."""
        for node in nodes or self.nodes:
            self.add(node, Barrier("", index=self._barriers))
        self._barriers += 1

    def load(self, place: Location) -> Load:
        """The owner looks at its memory."""
        return self.add(place.node, Load("", place=place))

    def store(self, place: Location, value: int | None = None) -> Store:
        """The owner changes its memory: to a number, or to content that identifies itself."""
        return self.add(place.node, Store("", place=place, value=Pattern() if value is None else Bytes(value)))

    def reuse(self, node: str, op: Step) -> Reuse:
        """Overwrite the source buffer of an operation of this node."""
        return self.add(node, Reuse("", op=op.name))

    def cancel(self, node: str, op: Step) -> Cancel:
        """Ask to cancel an operation of this node."""
        return self.add(node, Cancel("", op=op.name))

    def close(self, region: Region) -> CloseRegion:
        """Close the registration of a region, at its owner."""
        return self.add(region.node, CloseRegion("", region=region.name))

    def column(self, node: str) -> tuple[AnyStep, ...]:
        """The steps of a node so far."""
        return tuple(self._columns[node])

    # -- result -----------------------------------------------------------------------------------------------------

    def program(self) -> Program:
        """The Program; columns without steps are left out."""
        threads = tuple(Thread(node, tuple(steps)) for node, steps in self._columns.items() if steps)
        return Program(self.name, threads, tuple(self._regions))


def place(region: Region, offset: int = 0, size: int | None = None) -> Location:
    """Bytes of a region; all from ``offset`` on when no size is given."""
    return Location(region.node, region.name, offset, region.size - offset if size is None else size)


def whole(end: End, region: Region) -> Location:
    """The whole region, or as much of it as one operation of this end may move."""
    return place(region, 0, min(region.size, end.max_msg_size))
