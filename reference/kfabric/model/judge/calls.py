# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a call asked for: its flags, its completion level, whether it reports, and what it may do at the target.

The calls with flags (``Form.MSG``) use theirs in place of the context's defaults (OFI-CMP-013, OFI-CMP-014); inject
calls report no success (OFI-CMP-016). Marks count as flags only where the capability for them was promised.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from ..guarantees import End
from ..program import (
    Access,
    Atomic,
    AtomicKind,
    Form,
    KeyFault,
    Location,
    Operation,
    OpMark,
    Read,
    Recv,
    Region,
    Send,
    Write,
)


class Level(IntEnum):
    """Completion levels by strength; NONE where neither call nor context names one."""

    NONE = 0
    INJECT = 1
    TRANSMIT = 2
    DELIVERY = 3
    COMMIT = 4


_LEVELS = {
    "INJECT_COMPLETE": Level.INJECT,
    "TRANSMIT_COMPLETE": Level.TRANSMIT,
    "DELIVERY_COMPLETE": Level.DELIVERY,
    "COMMIT_COMPLETE": Level.COMMIT,
}


def takes_flags(step: Operation) -> bool:
    """The call has a flags argument."""
    return step.form is Form.MSG or (bool(step.marks) and step.form is Form.PLAIN)


def flags(step: Operation, end: End) -> frozenset[str]:
    """The operation flags in effect, by name."""
    if takes_flags(step):
        return frozenset(mark.name for mark in step.marks)
    return end.rx_op_flags if isinstance(step, Recv) else end.tx_op_flags


def reliable(end: End) -> bool:
    """Datagrams promise no delivery."""
    return end.ep_type != "DGRAM"


def level(step: Operation, end: End) -> Level:
    """The level at which an operation's completion may be reported, as far as it was promised.

    An inject call reports no completion, and what level its counting has is not said.
    """
    if step.form is Form.INJECT:
        return Level.NONE
    asked = max((_LEVELS[name] for name in flags(step, end) if name in _LEVELS), default=Level.NONE)
    if not reliable(end):
        return min(asked, Level.TRANSMIT)
    if takes_flags(step) and asked >= Level.DELIVERY and asked.name not in end.levels:
        return Level.NONE
    return asked


def by_default(step: Operation) -> bool:
    """The level comes from the context's default flags."""
    return not takes_flags(step)


def fenced(step: Operation, end: End) -> bool:
    """The operation is fenced, on an endpoint that can fence."""
    return OpMark.FENCE in step.marks and takes_flags(step) and "FENCE" in end.caps


def direction(step: Operation) -> str:
    """The queue that reports an operation to its own node."""
    return "rx" if isinstance(step, Recv) else "tx"


def reports(step: Operation, end: End) -> bool:
    """Success is reported by an entry in a queue."""
    if step.form is Form.INJECT or direction(step) not in end.queues:
        return False
    return not end.selective or "COMPLETION" in flags(step, end)


def gives_back_at_once(step: Operation, end: End) -> bool:
    """The source buffer is the application's when the call returns (the flag: "smaller than", the call: up to)."""
    if step.form is Form.INJECT:
        return size(step) <= end.inject_size
    return takes_flags(step) and OpMark.INJECT in step.marks and size(step) < end.inject_size


def counter(step: Operation) -> str:
    """The counter that counts an operation at its initiator."""
    if isinstance(step, Send):
        return "send"
    if isinstance(step, Recv):
        return "recv"
    if isinstance(step, Write):
        return "write"
    return "read" if isinstance(step, Read) or step.kind is not AtomicKind.BASE else "write"


def reads(step: Operation) -> bool:
    """Of the class *read* for message order: reads, fetching and comparing atomics."""
    return isinstance(step, Read) or (isinstance(step, Atomic) and step.kind is not AtomicKind.BASE)


def writes(step: Operation) -> bool:
    """Of the class *write* for message order: writes and base atomics."""
    return isinstance(step, Write) or (isinstance(step, Atomic) and step.kind is AtomicKind.BASE)


def size(step: Operation) -> int:
    """Bytes moved."""
    return step.target.size if isinstance(step, Atomic) else step.size


def breach(step: Write | Read | Atomic, regions: list[Region | None]) -> tuple[str, ...] | None:
    """The requirements that say an access must fail, by its form alone; None for one that is permitted."""
    if size(step) == 0:
        return None
    nowhere = ("OFI-MR-032",) if isinstance(step, Atomic) else ("OFI-MR-009",)
    if step.key is KeyFault.WRONG:
        return nowhere
    for place, region in _aimed(step, regions):
        if region is None:
            return nowhere
        missing = _missing_right(step, region.access)
        if missing is not None:
            return missing
        if place.size and not _inside(place, region):
            return ("OFI-MR-032",) if isinstance(step, Atomic) else ("OFI-MR-011",)
    return None


def beyond(step: Write | Read | Atomic, regions: list[Region | None]) -> bool:
    """An access that must fail for its bounds alone: what becomes of the part inside is left open (OFI-MR-014)."""
    if step.key is KeyFault.WRONG or breach(step, regions) is None:
        return False
    return all(
        region is not None and _missing_right(step, region.access) is None for _, region in _aimed(step, regions)
    )


def unsaid(step: Write | Read | Atomic, regions: list[Region | None], end: End) -> bool:
    """An access of which no requirement says whether it succeeds.

    Nothing moved, but not with a valid key, right or place; an update that also fetches without the right to write; a
    commit to a region that is not persistent (OFI-RMA-010, OFI-MR-008, FPM-CMP-005).
    """
    aimed = list(_aimed(step, regions))
    if size(step) == 0:
        if step.key is not KeyFault.NONE:
            return True
        return any(
            region is None or _missing_right(step, region.access) is not None or not _inside(place, region)
            for place, region in aimed
        )
    if "COMMIT_COMPLETE" in flags(step, end) and not all(region and region.persistent for _, region in aimed):
        return True
    updates = isinstance(step, Atomic) and step.kind is not AtomicKind.BASE and step.op != "ATOMIC_READ"
    return updates and not all(region and Access.REMOTE_WRITE in region.access for _, region in aimed)


def _aimed(step: Write | Read | Atomic, regions: list[Region | None]) -> Iterator[tuple[Location, Region | None]]:
    """Each location with its region."""
    yield from zip((step.target,) if isinstance(step, Atomic) else step.target, regions, strict=True)


def _inside(place: Location, region: Region) -> bool:
    return place.offset >= 0 and place.offset + place.size <= region.size


def _missing_right(step: Write | Read | Atomic, access: frozenset[Access]) -> tuple[str, ...] | None:
    if isinstance(step, Write):
        return None if Access.REMOTE_WRITE in access else ("OFI-MR-005",)
    if isinstance(step, Read):
        return None if Access.REMOTE_READ in access else ("OFI-MR-006",)
    if step.kind is not AtomicKind.BASE and Access.REMOTE_READ not in access:
        return ("OFI-MR-008",)
    if step.kind is AtomicKind.BASE and Access.REMOTE_WRITE not in access:
        return ("OFI-MR-007",)
    return None
