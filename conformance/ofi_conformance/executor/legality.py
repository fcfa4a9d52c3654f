# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Which Programs a configuration can run at all: checked by the coordinator before anything is posted.

A Program may violate rights and bounds of regions on purpose; it may not ask for what the configuration does not have
(a bigger message, an atomic that is not valid, a tagged send where there are none). What makes no sense in any
configuration is ``kfabric.model.wellformed``'s business.
"""

from __future__ import annotations

from collections.abc import Iterator

from kfabric.model.guarantees import End, Guarantees
from kfabric.model.program import (
    Access,
    Atomic,
    AtomicKind,
    CloseRegion,
    EndpointRef,
    Form,
    KeyFault,
    Location,
    Operation,
    OpMark,
    Program,
    Read,
    Recv,
    Send,
    Write,
)
from kfabric.model.wellformed import problems

_KINDS = {"atomic": "base", "fetch": "fetch", "compare": "compare"}
_LEVELS = {
    OpMark.INJECT_COMPLETE: "INJECT",
    OpMark.TRANSMIT_COMPLETE: "TRANSMIT",
    OpMark.DELIVERY_COMPLETE: "DELIVERY",
    OpMark.COMMIT_COMPLETE: "COMMIT",
}


class ProgramError(ValueError):
    """The Program cannot be run under this configuration; the message says why, one reason per line."""


def check(program: Program, guarantees: Guarantees, nodes: int) -> None:
    """Raise ``ProgramError`` unless the Program can be run on ``nodes`` nodes under these guarantees."""
    found = list(problems(program))
    if len(program.nodes) > nodes:
        found.append(f"it has {len(program.nodes)} nodes, the session {nodes}")
    if not found:
        for thread, op in program.operations():
            found += [
                f"{op.name}: {reason}" for reason in _reasons(program, thread.node, op, guarantees.end(thread.node))
            ]
    if found:
        raise ProgramError(f"program {program.name!r} cannot be run here:\n" + "\n".join(f"  {line}" for line in found))


def _reasons(program: Program, node: str, op: Operation, end: End) -> Iterator[str]:
    if op.via >= program.endpoint_count(node):
        yield f"{node} has no endpoint {op.via}"
    yield from _peer_reasons(program, node, op, end)
    yield from _call_reasons(op, end)
    if isinstance(op, Send | Recv):
        wanted = "MSG" if op.tag is None else "TAGGED"
        if wanted not in end.caps:
            yield f"the configuration has no {wanted}"
        if op.size > end.max_msg_size:
            yield f"{op.size} bytes, max_msg_size is {end.max_msg_size}"
    elif isinstance(op, Atomic):
        valid = {entry[:3]: entry[3] for entry in end.atomics}
        limit = valid.get((_KINDS[op.kind.value], op.op, op.datatype))
        if limit is None:
            yield f"{op.kind.value} {op.op} on {op.datatype} is not valid here"
        elif op.count > limit:
            yield f"{op.count} elements, at most {limit} are valid"
    else:
        if "RMA" not in end.caps:
            yield "the configuration has no RMA"
        if op.size > end.max_msg_size:
            yield f"{op.size} bytes, max_msg_size is {end.max_msg_size}"
        if len(op.target) > end.rma_iov_limit:
            yield f"{len(op.target)} remote segments, rma_iov_limit is {end.rma_iov_limit}"


def _call_reasons(op: Operation, end: End) -> Iterator[str]:
    iov: tuple[int, ...] = getattr(op, "iov", ())
    if len(iov) > end.iov_limit:
        yield f"{len(iov)} local segments, iov_limit is {end.iov_limit}"
    injects = op.form is Form.INJECT or OpMark.INJECT in op.marks
    if injects and isinstance(op, Send | Write) and op.size > end.inject_size:
        yield f"{op.size} bytes injected, inject_size is {end.inject_size}"
    if injects and isinstance(op, Atomic) and op.target.size > end.inject_size:
        yield f"{op.target.size} bytes injected, inject_size is {end.inject_size}"
    if OpMark.FENCE in op.marks and "FENCE" not in end.caps:
        yield "the configuration has no FENCE"
    for mark, level in _LEVELS.items():
        if mark in op.marks and level not in end.levels:
            yield f"the provider does not offer completion level {level}"
    data = getattr(op, "data", None)
    if data is not None and data >= 1 << (8 * end.cq_data_size):
        yield f"remote CQ data {data:#x}, cq_data_size is {end.cq_data_size}"
    if data is not None and isinstance(op, Write) and "RX_CQ_DATA" in end.mode:
        yield "in mode RX_CQ_DATA a write with data would consume a receive, which Programs cannot say"


def _peer_reasons(program: Program, node: str, op: Operation, end: End) -> Iterator[str]:
    peers = list(peers_of(program, op))
    for peer in peers:
        if peer.node not in program.nodes:
            yield f"there is no node {peer.node}"
        elif peer.index >= program.endpoint_count(peer.node):
            yield f"{peer.node} has no endpoint {peer.index}"
        elif end.ep_type == "MSG" and peer.node == node:
            yield "a connected endpoint does not reach its own node"
    if isinstance(op, Recv) and op.source is None and end.ep_type == "MSG":
        reach = connected_ports(program, node)
        if len(reach) > 1:
            yield f"a connected endpoint receives from one peer, and this one has {len(reach)}: say which"


def peers_of(program: Program, op: Operation) -> Iterator[EndpointRef]:
    """The ports that an operation names."""
    if isinstance(op, Send):
        yield op.to
    elif isinstance(op, Recv):
        if op.source is not None:
            yield op.source
    else:
        places: tuple[Location, ...] = op.target if isinstance(op, Write | Read) else (op.target,)
        yield from dict.fromkeys(EndpointRef(place.node, op.to) for place in places)


def connected_ports(program: Program, node: str) -> list[EndpointRef]:
    """Every port of the other nodes: those that a connected port of ``node`` is connected to."""
    return [
        EndpointRef(other, index)
        for other in program.nodes
        if other != node
        for index in range(program.endpoint_count(other))
    ]


def violates(program: Program, step: Write | Read | Atomic) -> bool:
    """Whether a remote operation is wrong on purpose: its key, its bounds, the rights or the life of its region."""
    if step.key is not KeyFault.NONE:
        return True
    wanted = {Access.REMOTE_READ} if isinstance(step, Read) else {Access.REMOTE_WRITE}
    if isinstance(step, Atomic) and step.kind is not AtomicKind.BASE:
        wanted = {Access.REMOTE_READ} if step.op == "ATOMIC_READ" else {Access.REMOTE_READ, Access.REMOTE_WRITE}
    closed = {(thread.node, each.region) for thread, each in program.steps() if isinstance(each, CloseRegion)}
    for place in (step.target,) if isinstance(step, Atomic) else step.target:
        region = program.region(place.node, place.region)
        beyond = place.offset + place.size > region.size
        if beyond or not wanted <= region.access or (place.node, place.region) in closed:
            return True
    return False
