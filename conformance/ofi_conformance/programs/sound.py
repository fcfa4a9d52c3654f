# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Whether a Program is one that an application may run in a configuration: what it must keep before it may accuse.

Beyond being well formed (``kfabric.model.wellformed``) it keeps the limits, capabilities and rights that were opened,
touches no buffer that is the provider's, and can end under every schedule of the rehearsal. Deliberate violations
(wrong keys, missing rights, bytes outside) are reported only when the caller does not expect them. The tests of the
strategies and of the litmus files stand on this; so may anybody who writes a Program by hand.
"""

from __future__ import annotations

from collections.abc import Iterator

from kfabric.model import wellformed
from kfabric.model.datatypes import SIZES
from kfabric.model.guarantees import End, Guarantees
from kfabric.model.program import (
    Atomic,
    Form,
    KeyFault,
    Load,
    Location,
    Operation,
    OpMark,
    Program,
    Read,
    Recv,
    Reuse,
    Send,
    Store,
    Thread,
    Wait,
    Write,
)

from .draft import reports
from .protection import needed
from .rehearsal import rehearse

_LEVEL = {
    OpMark.INJECT_COMPLETE: "INJECT",
    OpMark.TRANSMIT_COMPLETE: "TRANSMIT",
    OpMark.DELIVERY_COMPLETE: "DELIVERY",
    OpMark.COMMIT_COMPLETE: "COMMIT",
}
SCHEDULES = 6


def problems(program: Program, guarantees: Guarantees, *, violations: bool = False, late: bool = False) -> list[str]:
    """Everything wrong with the Program, in words.

    ``violations``: remote accesses may break the rules on purpose. ``late``: messages may arrive before their receive.
    """
    found = list(wellformed.problems(program))
    if found:
        return found
    for thread, step in program.operations():
        found += [f"{step.name}: {text}" for text in _limits(guarantees.end(thread.node), step)]
        if not isinstance(step, Send | Recv):
            found += [f"{step.name}: {text}" for text in _remote(program, thread, step, guarantees, violations)]
    for thread in program.threads:
        found += _thread(program, thread, guarantees.end(thread.node))
    return found or list(_running(program, guarantees, late))


def _size(step: Operation) -> int:
    return step.target.size if isinstance(step, Atomic) else step.size


def _limits(end: End, step: Operation) -> Iterator[str]:
    """Marks, sizes and the class of the operation against what the end offers."""
    for mark in step.marks:
        if mark in _LEVEL and _LEVEL[mark] not in end.levels:
            yield f"no completion level {_LEVEL[mark]}"
    if sum(mark in _LEVEL for mark in step.marks) > 1:
        yield "two completion levels"
    if OpMark.FENCE in step.marks and "FENCE" not in end.caps:
        yield "no FENCE capability"
    injects = step.form is Form.INJECT or OpMark.INJECT in step.marks
    if injects and _size(step) > end.inject_size:
        yield f"injects {_size(step)} > {end.inject_size} bytes"
    if isinstance(step, Send | Write) and step.data is not None and step.data >> (8 * end.cq_data_size):
        yield f"data wider than {end.cq_data_size} bytes"
    if _size(step) > end.max_msg_size:
        yield f"{_size(step)} bytes > {end.max_msg_size}"
    if not isinstance(step, Atomic) and len(step.iov) > end.iov_limit:
        yield f"{len(step.iov)} segments > {end.iov_limit}"
    yield from (f"no capability {cap}" for cap in _wanted(step) if cap not in end.caps)


def _wanted(step: Operation) -> tuple[str, ...]:
    if isinstance(step, Send | Recv):
        return ("MSG" if step.tag is None else "TAGGED", "SEND" if isinstance(step, Send) else "RECV")
    if isinstance(step, Atomic):
        return ("ATOMIC",)
    return ("RMA", "WRITE" if isinstance(step, Write) else "READ")


def places(step: Write | Read | Atomic) -> tuple[Location, ...]:
    """The remote bytes that an operation addresses."""
    return (step.target,) if isinstance(step, Atomic) else step.target


def _remote(
    program: Program, thread: Thread, step: Write | Read | Atomic, guarantees: Guarantees, violations: bool
) -> Iterator[str]:
    end = guarantees.end(thread.node)
    if thread.node == places(step)[0].node:
        yield "addresses its own node"
    if isinstance(step, Atomic):
        yield from _atomic(end, step)
    elif len(step.target) > end.rma_iov_limit:
        yield f"{len(step.target)} remote segments > {end.rma_iov_limit}"
    if violations:
        return
    if step.key is not KeyFault.NONE:
        yield "uses a wrong key"
    for place in places(step):
        region = program.region(place.node, place.region)
        if place.offset + place.size > region.size:
            yield f"leaves region {place.node}.{place.region}"
        if not needed(step) <= region.access:
            yield f"has no right to {place.node}.{place.region}"


def _atomic(end: End, step: Atomic) -> Iterator[str]:
    if step.target.offset % SIZES[step.datatype]:
        yield "is not aligned"
    call = (step.kind.name.lower(), step.op, step.datatype)
    limits = [most for *offered, most in end.atomics if tuple(offered) == call]
    if not limits:
        yield f"{' '.join(call)} is not offered"
    elif not 0 < step.count <= limits[0]:
        yield f"{step.count} elements > {limits[0]}"


def _thread(program: Program, thread: Thread, end: End) -> Iterator[str]:
    """Waits name what reports, a source buffer is touched only when it may be, memory is touched where it is."""
    ops: dict[str, Operation] = {}
    free: set[str] = set()
    for step in thread.steps:
        if isinstance(step, Send | Recv | Write | Read | Atomic):
            ops[step.name] = step
            if step.form is Form.INJECT or OpMark.INJECT in step.marks:
                free.add(step.name)
        elif isinstance(step, Wait):
            for name in step.ops:
                if not reports(end, ops[name]):
                    yield f"{step.name}: {name} reports no completion"
            free.update(step.ops or [name for name, op in ops.items() if reports(end, op)])
        elif isinstance(step, Reuse) and step.op not in free:
            yield f"{step.name}: the buffer of {step.op} is still the provider's"
        elif isinstance(step, Load | Store):
            region = program.region(step.place.node, step.place.region)
            if step.place.offset + step.place.size > region.size:
                yield f"{step.name}: leaves its region"


def _running(program: Program, guarantees: Guarantees, late: bool) -> Iterator[str]:
    for seed in range(SCHEDULES):
        run = rehearse(program, guarantees, seed)
        yield from (f"schedule {seed}: {text}" for text in run.stuck)
        yield from (f"schedule {seed}: receive {name} is left behind" for name in run.left_receives)
        yield from (f"schedule {seed}: message {name} is left behind" for name in run.left_messages)
        if run.unexpected and not late:
            yield f"schedule {seed}: no receive was posted for {', '.join(sorted(run.unexpected))}"
        for (node, index), most in run.most_sending.items():
            if most > guarantees.end(node).tx_size:
                yield f"schedule {seed}: {most} operations outstanding at {node}/{index}"
        for (node, index), most in run.most_receiving.items():
            if most > guarantees.end(node).rx_size:
                yield f"schedule {seed}: {most} receives posted at {node}/{index}"
        if run.stuck:
            return
