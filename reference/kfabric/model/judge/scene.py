# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A Program and its History side by side: what became of every step, ready to be asked by the rules.

Holds no rule of its own. Events about steps that the Program does not have are ignored.
"""

from __future__ import annotations

from functools import cached_property

from .. import data
from ..guarantees import End, Guarantees
from ..history import (
    AnyEvent,
    Completed,
    Content,
    Counted,
    Did,
    Died,
    Failed,
    History,
    Observed,
    Posted,
    Probed,
    Waited,
)
from ..notation import render_step
from ..program import (
    AnyStep,
    Atomic,
    CloseRegion,
    EndpointRef,
    Location,
    Operation,
    Program,
    Read,
    Recv,
    Region,
    Reuse,
    Send,
    Thread,
    Wait,
    WaitBy,
    Write,
)
from . import calls
from .order import Order, Point

Channel = tuple[EndpointRef, EndpointRef]
"""From one endpoint to another: the pair between which orders and fences hold."""


class Scene:
    """Everything the rules look at."""

    def __init__(self, program: Program, history: History, guarantees: Guarantees) -> None:
        self.program = program
        self.history = history
        self.guarantees = guarantees
        self.steps: dict[str, AnyStep] = {}
        self.thread: dict[str, Thread] = {}
        for thread, step in program.steps():
            self.steps[step.name] = step
            self.thread[step.name] = thread
        self.regions = {(region.node, region.name): region for region in program.regions}
        self.numbers = data.Numbering(program)
        self.order = Order(program, history)
        self.ends: dict[str, End] = {name: guarantees.end(name) for name in self.order.nodes}
        self.posted: dict[str, Posted] = {}
        self.completed: dict[str, list[Completed]] = {}
        self.failed: dict[str, list[Failed]] = {}
        self.observed: dict[str, Observed] = {}
        self.did: dict[str, Did] = {}
        self.waited: dict[str, Waited] = {}
        self.contents: dict[tuple[str, str], Content] = {}
        self.stray_done: list[Completed] = []
        self.stray_failed: list[Failed] = []
        self.counted: list[Counted] = []
        self.probed: list[Probed] = []
        self.died: list[Died] = []
        for events in self.order.events:
            for event in events:
                self._file(event)

    def _file(self, event: AnyEvent) -> None:
        if isinstance(event, Completed | Failed):
            if event.op is not None and event.op not in self.steps:
                return
            if isinstance(event, Completed):
                into = self.stray_done if event.op is None else self.completed.setdefault(event.op, [])
                into.append(event)
            else:
                errors = self.stray_failed if event.op is None else self.failed.setdefault(event.op, [])
                errors.append(event)
        elif isinstance(event, Content):
            self.contents[event.node, event.what] = event
        elif isinstance(event, Counted):
            self.counted.append(event)
        elif isinstance(event, Probed):
            self.probed.append(event)
        elif isinstance(event, Died):
            self.died.append(event)
        elif event.op in self.steps:
            if isinstance(event, Posted):
                self.posted[event.op] = event
            elif isinstance(event, Observed):
                self.observed.setdefault(event.op, event)
            elif isinstance(event, Did):
                self.did[event.op] = event
            elif isinstance(event, Waited):
                self.waited[event.op] = event

    # -- who and where --------------------------------------------------------------------------------------------

    def node(self, name: str) -> str:
        """The node that runs a step."""
        return self.thread[name].node

    def end(self, name: str) -> End:
        """What the node of a step promised."""
        return self.ends[self.thread[name].node]

    def source(self, step: Operation) -> EndpointRef:
        """The endpoint to which an operation is posted."""
        return EndpointRef(self.node(step.name), step.via)

    def target(self, step: Operation) -> EndpointRef | None:
        """The endpoint that an operation is directed at (a receive: none)."""
        if isinstance(step, Send):
            return step.to
        if isinstance(step, Recv):
            return None
        return EndpointRef(places(step)[0].node, step.to)

    def channel(self, step: Operation) -> Channel | None:
        """Between which endpoints an operation goes."""
        if step.name not in self._channels:
            target = self.target(step)
            self._channels[step.name] = None if target is None else (self.source(step), target)
        return self._channels[step.name]

    @cached_property
    def _channels(self) -> dict[str, Channel | None]:
        return {}

    def region(self, place: Location) -> Region | None:
        """The region of a location."""
        return self.regions.get((place.node, place.region))

    def orders(self, step: Operation) -> frozenset[str]:
        """The message order bits that both ends of an operation's channel promise."""
        target = self.target(step)
        return self.guarantees.order(self.node(step.name), target.node) if target else frozenset()

    # -- what became of it ----------------------------------------------------------------------------------------

    @cached_property
    def operations(self) -> list[Operation]:
        """All steps that a provider completes."""
        return [step for _, step in self.program.operations()]

    def accepted(self, name: str) -> bool:
        """The call returned success."""
        posted = self.posted.get(name)
        return posted is not None and posted.code == 0

    def maybe(self, name: str) -> bool:
        """Accepted, or nobody knows (the node died before the call's return was recorded)."""
        posted = self.posted.get(name)
        return posted.code == 0 if posted is not None else self.began(name)

    def began(self, name: str) -> bool:
        """The call may have been entered although its return is not recorded."""
        return bool(self.died) and any(name in event.intent for event in self.died if event.node == self.node(name))

    def succeeded(self, name: str) -> Completed | None:
        """The first success entry of an operation."""
        entries = self.completed.get(name)
        return entries[0] if entries else None

    def errored(self, name: str) -> bool:
        """An error entry names the operation."""
        return bool(self.failed.get(name))

    def known_done(self, name: str) -> list[Point]:
        """Points from which on the operation's node knows of its success."""
        points = [self.order.point(entry) for entry in self.completed.get(name, ())]
        points.extend(self._counted_done.get(name, ()))
        return points

    @cached_property
    def _counted_done(self) -> dict[str, list[Point]]:
        """Operations that a wait on counters told of: it ends when all of their kinds so far are counted."""
        result: dict[str, list[Point]] = {}
        for thread in self.program.threads:
            open_ops: list[str] = []
            for step in thread.steps:
                if isinstance(step, Wait):
                    event = self.waited.get(step.name)
                    if step.by is not WaitBy.COUNTER or event is None or event.bounded or event.missing:
                        continue
                    counters = self.ends[thread.node].counters
                    operations = [each for each in self.operations if each.name in (step.ops or open_ops)]
                    if not {calls.counter(each) for each in operations} <= counters:
                        continue  # without a counter for each of them the executor waits for entries
                    for operation in operations:
                        if self.accepted(operation.name) and not self.errored(operation.name):
                            result.setdefault(operation.name, []).append(self.order.point(event))
                elif isinstance(step, Send | Recv | Write | Read | Atomic):
                    open_ops.append(step.name)
        return result

    def later(self, first: Operation, second: Operation) -> bool:
        """``second`` was certainly posted after ``first``."""
        return self.order.starts_after(self.posted.get(first.name), second.name)

    # -- source buffers -------------------------------------------------------------------------------------------

    @cached_property
    def reuses(self) -> dict[str, list[tuple[Reuse, Did]]]:
        """Overwritten source buffers by operation."""
        result: dict[str, list[tuple[Reuse, Did]]] = {}
        for name, did in self.did.items():
            step = self.steps[name]
            if isinstance(step, Reuse) and step.op in self.steps:
                result.setdefault(step.op, []).append((step, did))
        return result

    def wild(self, step: Operation) -> bool:
        """The application overwrote the source buffer while it was not its own: content is anybody's guess."""
        if calls.size(step) == 0:
            return False
        for reuse, _ in self.reuses.get(step.name, ()):
            begin = self.order.begin(reuse.name)
            if calls.gives_back_at_once(step, self.end(step.name)):
                if self.accepted(step.name) and self.order.before(self.order.point(self.posted[step.name]), begin):
                    continue
            elif any(self.order.before(point, begin) for point in self.known_done(step.name)):
                continue
            return True
        return False

    def payload(self, step: Send | Write) -> bytes:
        """The bytes in an operation's source buffer."""
        cached = self._payloads.get(step.name)
        if cached is None:
            cached = self._payloads[step.name] = data.payload(self.numbers, step)
        return cached

    @cached_property
    def _payloads(self) -> dict[str, bytes]:
        return {}

    # -- protection -----------------------------------------------------------------------------------------------

    def breach(self, step: Write | Read | Atomic) -> tuple[str, ...] | None:
        """Why an access must fail: requirement ids; None where it is permitted (or nobody can say)."""
        if step.name not in self._breaches:
            broken = calls.breach(step, self._aimed(step))
            if broken is None and self.closed(step, certainly=True):
                broken = ("OFI-MR-032",) if isinstance(step, Atomic) else ("OFI-MR-010",)
            self._breaches[step.name] = broken
        return self._breaches[step.name]

    @cached_property
    def _breaches(self) -> dict[str, tuple[str, ...] | None]:
        return {}

    def _aimed(self, step: Write | Read | Atomic) -> list[Region | None]:
        return [self.region(place) for place in places(step)]

    def beyond(self, step: Write | Read | Atomic) -> bool:
        """An access that must fail, for its bounds alone: the part inside its region may be carried out."""
        return calls.beyond(step, self._aimed(step)) and not self.closed(step, certainly=True)

    def closed(self, step: Write | Read | Atomic, *, certainly: bool) -> bool:
        """The registration of the memory was closed before the access was posted, certainly or perhaps."""
        for close in self._closes:
            place = next((p for p in places(step) if (p.node, p.region) == (self.node(close.name), close.region)), None)
            did = self.did.get(close.name)
            if place is None or (certainly and calls.size(step) == 0):
                continue
            if not certainly:
                return True
            if did is not None and did.code == 0 and self.order.starts_after(did, step.name):
                return True
        return False

    @cached_property
    def _closes(self) -> list[CloseRegion]:
        return [step for step in self.steps.values() if isinstance(step, CloseRegion)]

    def doubtful(self, step: Write | Read | Atomic) -> bool:
        """Whether it succeeds is nobody's promise: the region may have been closed under it, or the text is silent."""
        if self.breach(step) is not None:
            return False
        return self.closed(step, certainly=False) or calls.unsaid(step, self._aimed(step), self.end(step.name))

    @cached_property
    def disturbed(self) -> bool:
        """Some access may be refused: on a connected endpoint that may end the connection."""
        remote = [step for step in self.operations if isinstance(step, Write | Read | Atomic)]
        return any(self.breach(step) is not None or self.doubtful(step) for step in remote)

    # -- words ----------------------------------------------------------------------------------------------------

    def say(self, name: str) -> str:
        """A step as ``Let`` introduces it."""
        step = self.steps[name]
        return f"{name} = {self.node(name)}: {render_step(step, self.regions, self.node(name))}"


def places(step: Write | Read | Atomic) -> tuple[Location, ...]:
    """The locations that an operation addresses."""
    return (step.target,) if isinstance(step, Atomic) else step.target
