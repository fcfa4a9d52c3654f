# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The Histories that a litmus Program can have, each telling its application as little as possible.

Operations succeed. Completions come as late as waits allow, since whatever is known earlier only forbids more. What
is left open is which message is in which receive, and how the threads of one node interleave; both are enumerated. No
value is chosen here: a History holds the values that a condition names, and those of messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from .. import data
from ..guarantees import End, Guarantees
from ..history import AnyEvent, Completed, Content, Did, History, Observed, Passed, Posted, Waited
from ..program import (
    AnyStep,
    Atomic,
    Barrier,
    Condition,
    EndpointRef,
    Load,
    Operation,
    Program,
    Read,
    Recv,
    Send,
    Thread,
    Wait,
    Write,
)
from . import calls

MATCHINGS = 400
INTERLEAVINGS = 600
Draft = tuple[type[AnyEvent], tuple[object, ...]]


@dataclass(frozen=True)
class Scenario:
    """One History with the matching it stands for (receive -> message)."""

    history: History
    holds: dict[str, str]


def sizes(program: Program) -> dict[str, int]:
    """Bytes that each observing step sees."""
    result: dict[str, int] = {}
    for _, step in program.steps():
        if isinstance(step, Load):
            result[step.name] = step.place.size
        elif isinstance(step, Read | Recv):
            result[step.name] = step.size
        elif isinstance(step, Atomic):
            result[step.name] = step.target.size
    return result


def scenarios(program: Program, condition: Condition, guarantees: Guarantees) -> Iterator[Scenario]:
    """All of them, up to bounds; ``complete`` tells whether the bounds were met."""
    wanted = {name: data.literal(value, sizes(program)[name]) for name, value in condition.observed}
    for holds in islice(_matchings(program, guarantees), MATCHINGS):
        if not _waits_end(program, guarantees, holds):
            continue
        values = _values(program, holds, wanted)
        if values is None:
            continue
        columns = {node: [t for t in program.threads if t.node == node] for node in program.nodes}
        drafts = [[_thread(thread, guarantees, values) for thread in threads] for threads in columns.values()]
        merged = [list(islice(_merge(threads), INTERLEAVINGS)) for threads in drafts]
        for choice in islice(_product(merged), INTERLEAVINGS):
            yield Scenario(_history(dict(zip(columns, choice, strict=True))), holds)


def complete(program: Program, guarantees: Guarantees) -> bool:
    """Whether ``scenarios`` gives all there are."""
    if len(list(islice(_matchings(program, guarantees), MATCHINGS + 1))) > MATCHINGS:
        return False
    total = 1
    for node in program.nodes:
        threads = [_thread(t, guarantees, {}) for t in program.threads if t.node == node]
        total *= len(list(islice(_merge(threads), INTERLEAVINGS + 1)))
    return total <= INTERLEAVINGS


# -- matchings --------------------------------------------------------------------------------------------------------


def _matchings(program: Program, guarantees: Guarantees) -> Iterator[dict[str, str]]:
    """Receives to messages that they may take, each message once."""
    recvs: list[tuple[EndpointRef, Recv]] = []
    sends: list[tuple[EndpointRef, Send]] = []
    for thread, step in program.operations():
        if isinstance(step, Recv):
            recvs.append((EndpointRef(thread.node, step.via), step))
        elif isinstance(step, Send):
            sends.append((EndpointRef(thread.node, step.via), step))

    def extend(at: int, holds: dict[str, str]) -> Iterator[dict[str, str]]:
        if at == len(recvs):
            yield dict(holds)
            return
        place, recv = recvs[at]
        for source, send in sends:
            if (
                send.to == place
                and send.name not in holds.values()
                and _accepts(guarantees.end(place.node), recv, source, send)
            ):
                holds[recv.name] = send.name
                yield from extend(at + 1, holds)
                del holds[recv.name]
        yield from extend(at + 1, holds)

    yield from extend(0, {})


def _accepts(end: End, recv: Recv, source: EndpointRef, send: Send) -> bool:
    if (recv.tag is None) != (send.tag is None) or send.size > recv.size:
        return False
    if recv.tag is not None and send.tag is not None and (recv.tag ^ send.tag) & ~recv.ignore:
        return False
    directed = "DIRECTED_RECV" in end.caps or end.ep_type == "MSG"
    return recv.source is None or not directed or recv.source == source


def _waits_end(program: Program, guarantees: Guarantees, holds: dict[str, str]) -> bool:
    """Every receive that is waited for has a message."""
    for thread in program.threads:
        posted: list[Operation] = []
        for step in thread.steps:
            if isinstance(step, Send | Recv | Write | Read | Atomic):
                posted.append(step)
            elif isinstance(step, Wait):
                for op in posted:
                    waited = op.name in step.ops or (not step.ops and calls.reports(op, guarantees.end(thread.node)))
                    if waited and isinstance(op, Recv) and op.name not in holds:
                        return False
    return True


def _values(program: Program, holds: dict[str, str], wanted: dict[str, bytes]) -> dict[str, bytes] | None:
    """The bytes in the buffers of receives and of steps in the condition; None if a message contradicts it."""
    numbers = data.Numbering(program)
    steps = {step.name: step for _, step in program.steps()}
    values = {name: content for name, content in wanted.items() if not isinstance(steps[name], Recv)}
    for name, message in holds.items():
        send = steps[message]
        recv = steps[name]
        assert isinstance(send, Send)
        assert isinstance(recv, Recv)
        payload = data.payload(numbers, send)
        if name in wanted and wanted[name][: send.size] != payload:
            return None
        values[name] = payload + data.fill(name, recv.size)[send.size :]
    if any(isinstance(steps[name], Recv) and name not in holds for name in wanted):
        return None
    return values


# -- events -----------------------------------------------------------------------------------------------------------


def _thread(thread: Thread, guarantees: Guarantees, values: dict[str, bytes]) -> list[list[Draft]]:
    """The events of a thread, step by step; those of a wait stay together."""
    end = guarantees.end(thread.node)
    groups: list[list[Draft]] = []
    due: dict[str, Operation] = {}
    for step in thread.steps:
        if isinstance(step, Send | Recv | Write | Read | Atomic):
            due[step.name] = step
            groups.append([(Posted, (step.name,))])
        elif isinstance(step, Wait):
            names = [name for name in (step.ops or tuple(due)) if name in due]
            group: list[Draft] = []
            for name in names:
                op = due[name]
                if calls.reports(op, end) and (not isinstance(op, Recv) or name in values):
                    group.extend(_completed(due.pop(name), values))
            groups.append([*group, (Waited, (step.name,))])
        else:
            groups.append([_local(step, values)])
    groups.append([event for op in due.values() if _ends(op, end, values) for event in _completed(op, values)])
    return [group for group in groups if group]


def _ends(op: Operation, end: End, values: dict[str, bytes]) -> bool:
    return calls.reports(op, end) and (not isinstance(op, Recv) or op.name in values)


def _completed(op: Operation, values: dict[str, bytes]) -> Iterator[Draft]:
    queue = calls.direction(op) + (f"/{op.via}" if op.via else "")
    yield Completed, (op.name, queue)
    if op.name in values:
        yield Observed, (op.name, values[op.name])


def _local(step: AnyStep, values: dict[str, bytes]) -> Draft:
    if isinstance(step, Load):
        return (Observed, (step.name, values[step.name])) if step.name in values else (Waited, (step.name,))
    return (Passed, (step.name, step.index)) if isinstance(step, Barrier) else (Did, (step.name,))


def _merge(threads: list[list[list[Draft]]]) -> Iterator[list[Draft]]:
    """Interleavings of the threads of a node."""
    left = [thread for thread in threads if thread]
    if not left:
        yield []
        return
    for at, thread in enumerate(left):
        rest = [*left[:at], thread[1:], *left[at + 1 :]]
        for tail in _merge(rest):
            yield [*thread[0], *tail]


def _product(choices: list[list[list[Draft]]]) -> Iterator[list[list[Draft]]]:
    if not choices:
        yield []
        return
    for first in choices[0]:
        for rest in _product(choices[1:]):
            yield [first, *rest]


def _history(drafts: dict[str, list[Draft]]) -> History:
    events: list[AnyEvent] = []
    for node, mine in drafts.items():
        for seq, (kind, fields) in enumerate([*mine, (Content, ("rest", b""))]):
            events.append(kind(node, seq, 0, *fields))  # type: ignore[arg-type]
    return History(tuple(events))
