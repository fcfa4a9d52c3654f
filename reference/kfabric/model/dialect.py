# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What differs between the spellings of the object model, as data: the Judge reads it, cases do not branch.

Only behaviour, not names: libfabric and kfabric share the numbers of their flags. A test compares the bits below with
those of ``kfabric.api``, which this package must not import.
"""

from __future__ import annotations

from dataclasses import dataclass

BITS: dict[str, int] = {
    "MSG": 1 << 1,
    "RMA": 1 << 2,
    "TAGGED": 1 << 3,
    "ATOMIC": 1 << 4,
    "MULTICAST": 1 << 5,
    "COLLECTIVE": 1 << 6,
    "READ": 1 << 8,
    "WRITE": 1 << 9,
    "RECV": 1 << 10,
    "SEND": 1 << 11,
    "REMOTE_READ": 1 << 12,
    "REMOTE_WRITE": 1 << 13,
    "MULTI_RECV": 1 << 16,
    "REMOTE_CQ_DATA": 1 << 17,
    "MORE": 1 << 18,
    "CLAIM": 1 << 59,
}
"""Bits that a completion's flags may hold."""

NOTAVAIL = (1 << 64) - 1
"""The address of a source that is not known."""

CANCELED = 125
"""The error of a cancelled operation's entry."""


def bits(*names: str) -> int:
    """Flags as a number."""
    return sum(BITS[name] for name in names)


def names(flags: int) -> str:
    """Flags as words; what has no name as a number."""
    words = [name for name, bit in BITS.items() if flags & bit]
    rest = flags & ~sum(BITS.values())
    return "|".join(words + ([f"{rest:#x}"] if rest else [])) or "no flags"


COMPLETION_FLAGS = sum(BITS.values())
KIND_FLAGS = bits("MSG", "RMA", "TAGGED", "ATOMIC", "READ", "WRITE", "RECV", "SEND", "REMOTE_READ", "REMOTE_WRITE")
"""Class and direction."""


@dataclass(frozen=True)
class Dialect:
    """How one spelling behaves where they differ."""

    rma_flags_certain: bool
    """Completions of reads, writes and atomics carry class and direction flags."""
    cancel_returns: frozenset[int]
    """What the cancel call may return when there is nothing to cancel."""
    wait_timeout: int
    """What a blocking read of a queue returns when its time is up."""


DIALECTS: dict[str, Dialect] = {
    "libfabric": Dialect(True, frozenset({0, 2}), 11),
    "kfabric": Dialect(False, frozenset({2}), 110),
}
"""By backend. kfabric's page for queues names no flags for RMA, its cancel says ENOENT, its blocking read ETIMEDOUT."""
