# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What makes a Program sensible: references that lead somewhere, calls that exist, sizes that add up.

Says nothing about what a provider supports: that is for whoever chooses the Program. Deliberate violations that the
vocabulary names (places outside a region, wrong keys, missing rights, buffers reused too early) are no problems here.
"""

from __future__ import annotations

from collections.abc import Iterator

from .datatypes import SIZES
from .program import (
    Atomic,
    AtomicKind,
    Barrier,
    Cancel,
    CloseRegion,
    EndpointRef,
    Form,
    Load,
    Location,
    Operation,
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

_COMPARING = ("CSWAP", "CSWAP_NE", "CSWAP_LE", "CSWAP_LT", "CSWAP_GE", "CSWAP_GT", "MSWAP")


def _endpoint(program: Program, end: EndpointRef) -> Iterator[str]:
    if end.node not in program.nodes:
        yield f"there is no node {end.node}"
    elif end.index >= program.endpoint_count(end.node):
        yield f"node {end.node} has no endpoint {end.index}"


def _places(program: Program, places: tuple[Location, ...]) -> Iterator[str]:
    known = {(region.node, region.name) for region in program.regions}
    for place in places:
        if (place.node, place.region) not in known:
            yield f"there is no region {place.node}.{place.region}"
        if place.offset < 0 or place.size < 0:
            yield "offset and size are not negative"
    if len({place.node for place in places}) > 1:
        yield "all locations are of one node"
    if not places:
        yield "there is at least one location"


def _atomic(step: Atomic) -> Iterator[str]:
    size = SIZES.get(step.datatype)
    if size is None:
        yield f"there is no datatype {step.datatype}"
        return
    if step.target.size != step.count * size:
        yield f"{step.count} elements of {step.datatype} are {step.count * size} bytes, not {step.target.size}"
    if len(step.operand) != (0 if step.op == "ATOMIC_READ" else step.count):
        yield f"{step.op} of {step.count} elements has {len(step.operand)} operands"
    if len(step.compare) != (step.count if step.kind is AtomicKind.COMPARE else 0):
        yield f"{step.op} of {step.count} elements has {len(step.compare)} compare values"
    if (step.op in _COMPARING) != (step.kind is AtomicKind.COMPARE):
        yield f"{step.op} is not a {step.kind.value} operation"
    if step.op == "ATOMIC_READ" and step.kind is not AtomicKind.FETCH:
        yield "ATOMIC_READ is a fetch operation"


def _call(step: Operation) -> Iterator[str]:
    """Whether a call exists that posts this."""
    if step.marks and step.form is not Form.MSG:
        yield "marks need the call with flags (Form.MSG)"
    data = step.data if isinstance(step, Send | Write) else None
    if data is not None and step.form is Form.VECTOR:
        yield "no vector call carries remote CQ data"
    iov = () if isinstance(step, Atomic) else step.iov
    if iov and step.form not in (Form.VECTOR, Form.MSG):
        yield "several segments need the vector call or the one with flags"
    if iov and not isinstance(step, Atomic) and sum(iov) != step.size:
        yield f"the segments hold {sum(iov)} bytes, not {step.size}"
    if isinstance(step, Write | Read) and len(step.target) > 1 and step.form is not Form.MSG:
        yield "several remote locations need the call with flags"
    if step.form is Form.INJECT and (
        isinstance(step, Recv | Read) or (isinstance(step, Atomic) and step.kind is not AtomicKind.BASE)
    ):
        yield f"{step.word} has no inject call"


def _operation(program: Program, thread: Thread, step: Operation) -> Iterator[str]:
    yield from _call(step)
    yield from _endpoint(program, EndpointRef(thread.node, step.via))
    if isinstance(step, Send):
        yield from _endpoint(program, step.to)
    elif isinstance(step, Recv):
        if step.source is not None:
            yield from _endpoint(program, step.source)
        if step.tag is None and step.ignore:
            yield "ignore bits need a tag"
    else:
        target = (step.target,) if isinstance(step, Atomic) else step.target
        yield from _places(program, target)
        yield from _endpoint(program, EndpointRef(target[0].node, step.to) if target else EndpointRef(thread.node))
        if isinstance(step, Atomic):
            yield from _atomic(step)


def _thread(program: Program, thread: Thread) -> Iterator[str]:
    earlier: dict[str, object] = {}
    barriers: set[int] = set()
    for step in thread.steps:
        problems: list[str] = []
        if isinstance(step, Send | Recv | Write | Read | Atomic):
            problems.extend(_operation(program, thread, step))
        elif isinstance(step, Load | Store):
            problems.extend(_places(program, (step.place,)))
            if step.place.node != thread.node:
                problems.append("a load or store is of the node's own memory")
        elif isinstance(step, Wait):
            problems.extend(
                f"{name} is no earlier operation of this thread" for name in step.ops if name not in earlier
            )
        elif isinstance(step, Reuse | Cancel):
            target = earlier.get(step.op)
            if not isinstance(target, Send | Recv | Write | Read | Atomic):
                problems.append(f"{step.op} is no earlier operation of this thread")
            elif isinstance(step, Reuse) and isinstance(target, Recv | Read):
                problems.append(f"{step.op} has no source buffer")
        elif isinstance(step, CloseRegion):
            if (thread.node, step.region) not in {(region.node, region.name) for region in program.regions}:
                problems.append(f"there is no region {thread.node}.{step.region}")
        elif isinstance(step, Barrier):
            if step.index in barriers:
                problems.append(f"barrier {step.index} is in this thread already")
            barriers.add(step.index)
        earlier[step.name] = step
        yield from (f"{step.name}: {problem}" for problem in problems)


def problems(program: Program) -> list[str]:
    """One sentence for each thing that is wrong; empty for a well-formed Program."""
    found: list[str] = []
    names = [step.name for _, step in program.steps()]
    found.extend(f"{name}: two steps have this name" for name in sorted({n for n in names if names.count(n) > 1}))
    columns = [(thread.node, thread.index) for thread in program.threads]
    if len(set(columns)) != len(columns):
        found.append("two threads have the same node and index")
    declared = [(region.node, region.name) for region in program.regions]
    if len(set(declared)) != len(declared):
        found.append("two regions have the same node and name")
    for thread in program.threads:
        found.extend(_thread(program, thread))
    for condition in program.conditions:
        found.extend(f"condition: there is no step {name}" for name, _ in condition.observed if name not in names)
        for place, _ in condition.final:
            found.extend(f"condition: {problem}" for problem in _places(program, (place,)))
    return found
