# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the calls of atomic operations accept, and what they say they accept. What they compute: ``test_atomic``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from kfabric.api import AtomicOp, Context, Datatype, Errno, FabricError, OpFlag
from kfabric.model.datatypes import SIZES
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Guarded, Kit, Pair, Region

KINDS = ("base", "fetch", "compare")
_COMPARING = frozenset(op for op in AtomicOp if "SWAP" in op.name)
ROOM = 1 << 20
"""Bytes that a buffer for too many elements may take."""


def valid(pair: Pair, kind: str, datatype: int, op: int) -> int | None:
    """The count that the valid call returns; None when it refuses."""
    try:
        return pair.a.ep.atomic_valid(kind, datatype, op)
    except FabricError:
        return None


def sensible(kind: str, op: AtomicOp) -> bool:
    """Whether an operation is of the kind at all."""
    if kind == "compare":
        return op in _COMPARING
    return op not in _COMPARING and (op != AtomicOp.ATOMIC_READ or kind == "fetch")


def every() -> Iterator[tuple[str, Datatype, AtomicOp]]:
    """All that can be asked for."""
    for kind in KINDS:
        for datatype in Datatype:
            for op in AtomicOp:
                if sensible(kind, op) and datatype.name in SIZES:
                    yield kind, datatype, op


@requirement("OFI-ATM-010", "OFI-ATM-018")
def test_what_is_called_valid(local: Local) -> None:
    """An application asks first, and sizes its operations by the answer."""
    local.run(what_is_called_valid)


def what_is_called_valid(kit: Kit) -> None:
    pair = kit.pair()
    for kind, datatype, op in every():
        count = valid(pair, kind, datatype, op)
        if count is None:
            continue
        name = f"{kind} {op.name} {datatype.name}"
        kit.check("OFI-ATM-010", count >= 1, f"a valid {name} takes at least one element", seen=count)
        if not kit.applies("OFI-ATM-018"):
            continue
        flag = {"base": 0, "fetch": OpFlag.FETCH_ATOMIC, "compare": OpFlag.COMPARE_ATOMIC}[kind]
        attr = kit.accepted(
            "OFI-ATM-018", kit.domain.query_atomic, datatype, op, flag, sentence=f"a valid {name} can be queried"
        )
        kit.check("OFI-ATM-018", attr.count == count, f"both calls agree on {name}", seen=attr.count, wanted=count)
        size = SIZES[datatype.name]
        kit.check("OFI-ATM-018", attr.size == size, f"the size of {datatype.name} is told", seen=attr.size, wanted=size)


@requirement("OFI-ATM-019")
def test_outside_the_enumerations(local: Local) -> None:
    """A number from a newer header must not read past the provider's tables."""
    local.run(outside_the_enumerations)


def outside_the_enumerations(kit: Kit) -> None:
    pair = kit.pair()
    kit.spoils()
    for kind in KINDS:
        for datatype, op in ((200, 0), (0, 200), (1 << 16, 1 << 16), (97, 99)):
            kit.refused(
                "OFI-ATM-019",
                None,
                pair.a.ep.atomic_valid,
                kind,
                datatype,
                op,
                sentence=f"datatype {datatype}, operation {op} is not valid ({kind})",
            )


def call(kit: Kit, pair: Pair, target: Region, kind: str, datatype: Datatype, op: AtomicOp, count: int) -> Context:
    """Post an atomic of ``count`` elements; raises what the call answers."""
    size = max(1, count * SIZES[datatype.name])
    operand, compare, result = (kit.buffer(size, 0) for _ in range(3))
    context = kit.context()

    def desc(buffer: Guarded) -> int:
        return kit.desc(pair.a, buffer)

    ep, addr, key, dest = pair.a.ep, target.remote(), target.key, pair.a.peer
    if kind == "base":
        kit.post(
            partial(ep.atomic, operand.view, count, datatype, op, addr=addr, key=key, dest=dest, context=context),
            desc=desc(operand),
        )
    elif kind == "fetch":
        bufs = (operand.view, result.view)
        kit.post(
            partial(ep.fetch_atomic, *bufs, count, datatype, op, addr=addr, key=key, dest=dest, context=context),
            desc=desc(operand),
            result_desc=desc(result),
        )
    else:
        bufs3 = (operand.view, compare.view, result.view)
        kit.post(
            partial(ep.compare_atomic, *bufs3, count, datatype, op, addr=addr, key=key, dest=dest, context=context),
            desc=desc(operand),
            compare_desc=desc(compare),
            result_desc=desc(result),
        )
    return context


@requirement("OFI-ATM-011")
def test_what_is_not_valid(local: Local) -> None:
    """What was not called valid is refused before it does anything."""
    local.run(what_is_not_valid)


def what_is_not_valid(kit: Kit) -> None:
    pair = kit.pair()
    target = kit.register(pair.b, kit.buffer(64, 0))
    tried = 0
    for kind in KINDS:
        for datatype in (Datatype.UINT64, Datatype.DOUBLE, Datatype.FLOAT_COMPLEX):
            for op in AtomicOp:
                if valid(pair, kind, datatype, op) is not None:
                    continue
                tried += 1
                kit.refused(
                    "OFI-ATM-011",
                    Errno.EOPNOTSUPP,
                    call,
                    kit,
                    pair,
                    target,
                    kind,
                    datatype,
                    op,
                    1,
                    sentence=f"{kind} {op.name} {datatype.name}, which is not valid, is refused",
                )
    if not tried:
        kit.unreached("OFI-ATM-011", "everything that was tried is valid")


@requirement("OFI-ATM-012")
def test_too_many_elements(local: Local) -> None:
    """One element more than the valid call allows is refused."""
    local.run(too_many_elements)


def too_many_elements(kit: Kit) -> None:
    pair = kit.pair()
    target = kit.register(pair.b, kit.buffer(64, 0))
    tried = 0
    for kind in KINDS:
        for datatype in (Datatype.UINT8, Datatype.UINT64, Datatype.DOUBLE):
            op = AtomicOp.CSWAP if kind == "compare" else AtomicOp.SUM
            most = valid(pair, kind, datatype, op)
            if most is None or (most + 1) * SIZES[datatype.name] > ROOM:
                continue
            tried += 1
            kit.refused(
                "OFI-ATM-012",
                Errno.EMSGSIZE,
                call,
                kit,
                pair,
                target,
                kind,
                datatype,
                op,
                most + 1,
                sentence=f"{most + 1} elements of {kind} {op.name} {datatype.name} are refused, {most} are valid",
            )
    if not tried:
        kit.unreached("OFI-ATM-012", "the counts are larger than a buffer of this case, or nothing is valid")
