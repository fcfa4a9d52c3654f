# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""From an operation of a Program to the call that posts it: buffers, flags, addresses, and which C call it is.

Everything is prepared before the Program starts, so that posting is one Python call. Runs inside a node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kfabric.api import ADDR_UNSPEC, AtomicOp, Context, Datatype, Endpoint, Flag, MrMode, RmaIoc, RmaIov
from kfabric.model import data
from kfabric.model.program import (
    Atomic,
    AtomicKind,
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

from .legality import connected_ports
from .memory import Block
from .opening import Peer, Port, Station

FLAGS = {
    OpMark.COMPLETION: Flag.COMPLETION,
    OpMark.INJECT: Flag.INJECT,
    OpMark.INJECT_COMPLETE: Flag.INJECT_COMPLETE,
    OpMark.TRANSMIT_COMPLETE: Flag.TRANSMIT_COMPLETE,
    OpMark.DELIVERY_COMPLETE: Flag.DELIVERY_COMPLETE,
    OpMark.COMMIT_COMPLETE: Flag.COMMIT_COMPLETE,
    OpMark.FENCE: Flag.FENCE,
    OpMark.MORE: Flag.MORE,
}


@dataclass(frozen=True)
class RemoteRegion:
    """A peer's region as its node told it: base address and one key per port of that node."""

    base: int
    keys: tuple[int, ...]


@dataclass(eq=False)
class Op:
    """An operation under way on this node."""

    step: Operation
    port: Port
    context: Context
    counter: str
    """The counter that counts it."""
    reported: bool
    """Whether a completion queue owes an entry when it succeeds."""
    receives: bool
    source: Block | None = None
    """What the provider only reads."""
    target: Block | None = None
    """What the provider fills."""
    compare: Block | None = None
    endpoint: Endpoint | None = None
    call: str = ""
    post: Callable[[], None] = field(default=lambda: None)
    posted: bool = False
    ended: bool = False
    failed: int = 0

    @property
    def name(self) -> str:
        """The step's name."""
        return self.step.name

    @property
    def outstanding(self) -> bool:
        """Posted, and a completion is still to come."""
        return self.posted and not self.ended


class Posting:
    """Prepares the operations of one node for one Program."""

    def __init__(self, station: Station, program: Program, me: str, roles: Mapping[str, str]) -> None:
        self._station = station
        self._program = program
        self._me = me
        self._roles = roles
        self.numbers = data.Numbering(program)
        self._remote: Mapping[tuple[str, str], RemoteRegion] = {}

    def know(self, remote: Mapping[tuple[str, str], RemoteRegion]) -> None:
        """Learn keys and addresses of all nodes' regions, by (node, region) of the Program."""
        self._remote = remote

    def peer(self, node: str, index: int) -> Peer:
        """A port of the Program as the station names it."""
        return self._roles[node], index

    # -- before the Program starts ----------------------------------------------------------------------------------
    def prepare(self, step: Operation, context: Context) -> Op:
        """Take the buffers of an operation and fill them."""
        station = self._station
        op = Op(
            step,
            station.ports[step.via],
            context,
            counter=_counter(step),
            reported=self._reported(step),
            receives=isinstance(step, Recv),
        )
        take = station.memory.take
        if isinstance(step, Send | Write):
            op.source = take(step.size, data.payload(self.numbers, step))
        elif isinstance(step, Recv | Read):
            op.target = take(step.size, data.fill(step.name, step.size))
        else:
            if step.operand:
                op.source = take(step.target.size, data.operand(step))
            if step.kind is not AtomicKind.BASE:
                op.target = take(step.target.size, data.fill(step.name, step.target.size))
            if step.kind is AtomicKind.COMPARE:
                op.compare = take(step.target.size, data.compare(step))
        return op

    def _reported(self, step: Operation) -> bool:
        if step.form is Form.INJECT:
            return False
        if not self._station.binding.selective:
            return True
        if step.form is Form.MSG:
            return OpMark.COMPLETION in step.marks
        attr = self._station.info.rx_attr if isinstance(step, Recv) else self._station.info.tx_attr
        return bool(attr.op_flags & Flag.COMPLETION)

    # -- when keys are known ----------------------------------------------------------------------------------------
    def bind(self, op: Op) -> None:
        """Choose the call and its arguments."""
        step = op.step
        if isinstance(step, Send):
            self._send(op, step)
        elif isinstance(step, Recv):
            self._recv(op, step)
        elif isinstance(step, Atomic):
            self._atomic(op, step)
        else:
            self._rma(op, step)

    def _choose(self, op: Op, call: str, *args: Any, **kwargs: Any) -> None:
        assert op.endpoint is not None
        op.call = f"fi_{call}"
        op.post = partial(getattr(op.endpoint, call), *args, **kwargs)

    def _segments(self, block: Block, iov: tuple[int, ...]) -> tuple[list[memoryview], dict[str, Any]]:
        views, start = [], 0
        for length in iov or (block.size,):
            views.append(block.view[start : start + length])
            start += length
        desc = self._station.desc(block)
        return views, {"descs": [desc] * len(views)} if desc else {}

    def _flags(self, step: Operation) -> int:
        flags = 0
        for mark in step.marks:
            flags |= FLAGS[mark]
        return flags

    def _send(self, op: Op, step: Send) -> None:
        assert op.source is not None
        peer = self.peer(step.to.node, step.to.index)
        op.endpoint = op.port.endpoint(peer)
        tagged = step.tag is not None
        t = "t" if tagged else ""
        tag = (step.tag,) if tagged else ()
        dest = {"dest": self._station.handle(peer)}
        view = op.source.view
        if step.form is Form.INJECT:
            if step.data is None:
                self._choose(op, f"{t}inject", view, *tag, **dest)
            else:
                self._choose(op, f"{t}injectdata", view, step.data, *tag, **dest)
        elif step.form is Form.PLAIN:
            desc = {"desc": self._station.desc(op.source)}
            if step.data is None:
                self._choose(op, f"{t}send", view, *tag, **desc, **dest, context=op.context)
            else:
                self._choose(op, f"{t}senddata", view, step.data, *tag, **desc, **dest, context=op.context)
        else:
            views, descs = self._segments(op.source, step.iov)
            if step.form is Form.VECTOR:
                self._choose(op, f"{t}sendv", views, *tag, **descs, **dest, context=op.context)
            else:
                flags = self._flags(step) | (Flag.REMOTE_CQ_DATA if step.data is not None else 0)
                more = {"data": step.data or 0, "flags": flags, "context": op.context}
                self._choose(op, f"{t}sendmsg", views, *tag, **descs, **dest, **more)

    def _recv(self, op: Op, step: Recv) -> None:
        assert op.target is not None
        peer = None if step.source is None else self.peer(step.source.node, step.source.index)
        op.endpoint = op.port.endpoint(peer or self._only_peer())
        tagged = step.tag is not None
        t = "t" if tagged else ""
        tag = (step.tag,) if tagged else ()
        where: dict[str, Any] = {
            "src": ADDR_UNSPEC if peer is None else self._station.handle(peer),
            "context": op.context,
        }
        if tagged:
            where["ignore"] = step.ignore
        if step.form is Form.PLAIN:
            self._choose(op, f"{t}recv", op.target.view, *tag, desc=self._station.desc(op.target), **where)
            return
        views, descs = self._segments(op.target, step.iov)
        if step.form is Form.VECTOR:
            self._choose(op, f"{t}recvv", views, *tag, **descs, **where)
        else:
            self._choose(op, f"{t}recvmsg", views, *tag, **descs, **where, flags=self._flags(step))

    def _only_peer(self) -> Peer | None:
        """Whom a connected port of this Program receives from; ``legality`` has seen to it that there is one."""
        if not self._station.connected:
            return None
        ports = connected_ports(self._program, self._me)
        return self.peer(ports[0].node, ports[0].index) if ports else None

    def _key(self, place: Location, to: int, fault: KeyFault) -> int:
        keys = self._remote[place.node, place.region].keys
        key = keys[to] if len(keys) > 1 else keys[0]
        if fault is not KeyFault.WRONG:
            return key
        width = 8 * (self._station.info.domain_attr.mr_key_size or 8)
        used = {each for region in self._remote.values() for each in region.keys}
        wrong = key
        while wrong in used:
            wrong = (wrong ^ 0x5A5A) + 1 & (1 << min(width, 64)) - 1
        return wrong

    def _address(self, place: Location) -> int:
        virtual = self._station.mr_mode & MrMode.VIRT_ADDR
        return (self._remote[place.node, place.region].base if virtual else 0) + place.offset

    def _rma(self, op: Op, step: Write | Read) -> None:
        block = op.source if isinstance(step, Write) else op.target
        assert block is not None
        place = step.target[0]
        peer = self.peer(place.node, step.to)
        op.endpoint = op.port.endpoint(peer)
        verb = "write" if isinstance(step, Write) else "read"
        where: dict[str, Any] = {"dest" if verb == "write" else "src": self._station.handle(peer)}
        number = step.data if isinstance(step, Write) else None
        if step.form is Form.MSG:
            views, descs = self._segments(block, step.iov)
            remote = [RmaIov(self._address(p), p.size, self._key(p, step.to, step.key)) for p in step.target]
            more: dict[str, Any] = {"flags": self._flags(step), "context": op.context}
            if number is not None:
                more.update(data=number, flags=more["flags"] | Flag.REMOTE_CQ_DATA)
            self._choose(op, f"{verb}msg", views, remote, **descs, **where, **more)
            return
        where.update(addr=self._address(place), key=self._key(place, step.to, step.key))
        if step.form is Form.INJECT:
            if number is None:
                self._choose(op, "inject_write", block.view, **where)
            else:
                self._choose(op, "inject_writedata", block.view, number, **where)
        elif step.form is Form.VECTOR:
            views, descs = self._segments(block, step.iov)
            self._choose(op, f"{verb}v", views, **descs, **where, context=op.context)
        elif number is not None:
            desc = self._station.desc(block)
            self._choose(op, "writedata", block.view, number, desc=desc, **where, context=op.context)
        else:
            self._choose(op, verb, block.view, desc=self._station.desc(block), **where, context=op.context)

    def _atomic(self, op: Op, step: Atomic) -> None:
        place = step.target
        peer = self.peer(place.node, step.to)
        op.endpoint = op.port.endpoint(peer)
        desc = self._station.desc
        what = (step.count, Datatype[step.datatype], AtomicOp[step.op])
        address, key = self._address(place), self._key(place, step.to, step.key)
        more: dict[str, Any] = {"dest": self._station.handle(peer)}
        if step.form is not Form.INJECT:
            more["context"] = op.context
        message = step.form is Form.MSG
        if message:
            more["flags"] = self._flags(step)
            what = (*what, [RmaIoc(address, step.count, key)])  # type: ignore[assignment]
        else:
            more.update(addr=address, key=key)
        operand = op.source.view if op.source is not None else None
        if op.source is not None and step.form is not Form.INJECT:
            more["desc"] = desc(op.source)
        suffix = "msg" if message else ""
        if step.kind is AtomicKind.BASE:
            self._choose(op, "inject_atomic" if step.form is Form.INJECT else f"atomic{suffix}", operand, *what, **more)
            return
        assert op.target is not None
        more["result_desc"] = desc(op.target)
        if step.kind is AtomicKind.FETCH:
            self._choose(op, f"fetch_atomic{suffix}", operand, op.target.view, *what, **more)
            return
        assert op.compare is not None
        more["compare_desc"] = desc(op.compare)
        self._choose(op, f"compare_atomic{suffix}", operand, op.compare.view, op.target.view, *what, **more)


def _counter(step: Operation) -> str:
    if isinstance(step, Send | Recv | Write | Read):
        return step.word
    return "write" if step.kind is AtomicKind.BASE else "read"
