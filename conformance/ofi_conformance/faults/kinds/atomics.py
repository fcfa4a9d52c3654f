# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Atomic operations that compute, compare or return something else, or touch other elements."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kfabric.api import AtomicAttr, AtomicOp, Completion, Datatype, Domain, Endpoint, Errno, FabricError, Flags, RmaIoc

from ..call import ATOMICS, Call, Verb, address_of, poke
from ..fault import Entry, Fault, on, plants
from .messages import BRIEF

_REVERSED = {
    AtomicOp.CSWAP_LT: AtomicOp.CSWAP_GT,
    AtomicOp.CSWAP_GT: AtomicOp.CSWAP_LT,
    AtomicOp.CSWAP_LE: AtomicOp.CSWAP_GE,
    AtomicOp.CSWAP_GE: AtomicOp.CSWAP_LE,
}
_UNSIGNED = {
    Datatype.INT8: Datatype.UINT8,
    Datatype.INT16: Datatype.UINT16,
    Datatype.INT32: Datatype.UINT32,
    Datatype.INT64: Datatype.UINT64,
}
_INTEGERS = frozenset({*_UNSIGNED, *_UNSIGNED.values()})


def _op(call: Call) -> int:
    return int(call.arguments["op"])


def _fetched(call: Call | None) -> Call | None:
    """The call, when it fetches into one buffer and has an operand."""
    if call is None or call.verb not in (Verb.FETCH, Verb.COMPARE) or "results" in call.arguments:
        return None
    return call if call.arguments.get("operand") is not None else None


@plants("fetch-returns-new")
class FetchReturnsNew(Fault):
    """A fetching atomic returns the value that it left, not the one that it found."""

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """For what is simply computed: sums of integers and plain writes."""
        found = _fetched(call)
        if found is None or int(found.arguments["datatype"]) not in _INTEGERS:
            return (entry,)
        width, old, operand = found.element, found.content(), bytes(found.arguments["operand"])
        if _op(found) == AtomicOp.ATOMIC_WRITE:
            new = operand
        elif _op(found) == AtomicOp.SUM:
            parts = [slice(at, at + width) for at in range(0, len(old), width)]
            sums = [int.from_bytes(old[p], "little") + int.from_bytes(operand[p], "little") for p in parts]
            new = b"".join((value % (1 << 8 * width)).to_bytes(width, "little") for value in sums)
        else:
            return (entry,)
        self.hit()
        found.fill(new)
        return (entry,)


@plants("compare-returns-operand")
class CompareReturnsOperand(Fault):
    """A comparing atomic returns its operand in place of the old value."""

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """Fill it in."""
        found = _fetched(call)
        if found is not None and found.verb is Verb.COMPARE:
            self.hit()
            found.fill(bytes(found.arguments["operand"]))
        return (entry,)


@plants("comparison-reversed")
class ComparisonReversed(Fault):
    """Comparing swaps compare the other way round."""

    def post(self, call: Call) -> None:
        """Less for greater."""
        if call.verb is Verb.COMPARE and _op(call) in _REVERSED:
            self.hit()
            call = call.but(op=_REVERSED[AtomicOp(_op(call))])
        call.go()


@plants("sign-ignored")
class SignIgnored(Fault):
    """Minimum and maximum of signed integers treat them as unsigned."""

    def post(self, call: Call) -> None:
        """Another type of the same width."""
        if (
            call.verb in ATOMICS
            and _op(call) in (AtomicOp.MIN, AtomicOp.MAX)
            and call.arguments["datatype"] in _UNSIGNED
        ):
            self.hit()
            call = call.but(datatype=_UNSIGNED[call.arguments["datatype"]])
        call.go()


def _part(call: Call, skip: int, count: int) -> Call:
    """The same base operation on ``count`` elements from element ``skip`` on."""
    width = call.element
    operand = bytes(call.arguments["operand"])[skip * width : (skip + count) * width]
    if "remote" in call.arguments:
        (one,) = call.arguments["remote"]
        return call.but(operand=operand, count=count, remote=[RmaIoc(one.addr + skip * width, count, one.key)])
    return call.but(operand=operand, count=count, addr=call.arguments["addr"] + skip * width)


def _several(call: Call) -> int:
    """Elements of a base operation with one operand and one remote segment; 0 for others."""
    if call.verb is not Verb.ATOMIC or "operands" in call.arguments or len(call.arguments.get("remote", (0,))) > 1:
        return 0
    return int(call.arguments["count"])


@plants("first-element-skipped")
class FirstElementSkipped(Fault):
    """An atomic operation on an array leaves its first element alone."""

    def post(self, call: Call) -> None:
        """Begin with the second."""
        count = _several(call)
        if count > 1:
            self.hit()
            call = _part(call, 1, count - 1)
        call.go()


@plants("last-element-skipped")
class LastElementSkipped(Fault):
    """An atomic operation on an array leaves its last element alone."""

    def post(self, call: Call) -> None:
        """End before it."""
        count = _several(call)
        if count > 1:
            self.hit()
            call = _part(call, 0, count - 1)
        call.go()


@plants("atomic-overrun")
class AtomicOverrun(Fault):
    """An atomic operation also changes the element behind those that it addresses."""

    def post(self, call: Call) -> None:
        """Overwrite that one, in secret."""
        call.go()
        if not _several(call):
            return
        addr, length, key = call.remote[0]
        where = {} if call.peer is None else {"dest": call.peer}
        what = {"buf": b"\xe7" * call.element, "addr": addr + length, "key": key, "context": self.secret()}
        self.hit()
        self.quietly(Call(call.endpoint, "write", what | where))


@plants("operand-changed")
class OperandChanged(Fault):
    """The operand of an atomic operation is changed by the time it has completed."""

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """Change it."""
        if call is not None and call.verb in ATOMICS and call.arguments.get("operand") is not None:
            place = address_of(call.arguments["operand"])
            if place:
                self.hit()
                poke(place)
        return (entry,)


@plants("result-early")
class ResultEarly(Fault):
    """A fetching atomic completes before its result is in the result buffer."""

    def __init__(self, provider: Any) -> None:
        super().__init__(provider)
        self._rooms: dict[int, bytearray] = {}

    def post(self, call: Call) -> None:
        """Fetch into memory of our own."""
        if call.verb in (Verb.FETCH, Verb.COMPARE) and "results" not in call.arguments and call.context is not None:
            room = self._rooms[call.context.address] = bytearray(call.content())
            call = call.on(room)
        call.go()

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """Copy after the application has looked."""
        room = self._rooms.pop(entry.op_context, None)
        if call is not None and room is not None:
            self.hit()
            self.later(call.endpoint, lambda: call.fill(bytes(room)), BRIEF, polls=3)
        return (entry,)


@plants("atomic-refusal-wrong")
class AtomicRefusalWrong(Fault):
    """An atomic call that is not supported, or too long, is refused with FI_EINVAL."""

    def post(self, call: Call) -> None:
        """Another code."""
        try:
            call.go()
        except FabricError as refused:
            if call.verb in ATOMICS and refused.code in (Errno.EOPNOTSUPP, Errno.EMSGSIZE):
                self.hit()
                raise FabricError(Errno.EINVAL, refused.call) from None
            raise


@plants("atomic-count-wrong")
class AtomicCountWrong(Fault):
    """The query of an atomic operation reports twice the size of the datatype."""

    @on(Domain, "query_atomic")
    def query_atomic(self, domain: Any, proceed: Any, datatype: int, op: int, flags: Flags = 0) -> AtomicAttr:
        """Double it."""
        found: AtomicAttr = proceed(datatype, op, flags)
        self.hit()
        return AtomicAttr(found.count, found.size * 2)


@plants("atomic-validity-unbounded")
class AtomicValidityUnbounded(Fault):
    """A datatype or operation outside the enumeration is called valid."""

    @on(Endpoint, "atomic_valid")
    def atomic_valid(self, endpoint: Any, proceed: Any, kind: str, datatype: int, op: int) -> int:
        """Anything goes."""
        try:
            count: int = proceed(kind, datatype, op)
        except FabricError:
            if int(datatype) in set(Datatype) and int(op) in set(AtomicOp):
                raise
            self.hit()
            return 1
        return count
