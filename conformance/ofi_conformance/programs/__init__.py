# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Hypothesis strategies that produce Programs, one module per chapter of the specification.

Every strategy takes the ``Guarantees`` of the configuration and gives Programs that are legal there and that end by
construction: receives come before sends (unless lateness is what is tried), every wait names what must complete, and
nothing is left behind for the next Program. What may come of a Program is the Judge's business; ``sound.problems`` says
whether one keeps the rules above.
"""

from __future__ import annotations

from .atomics import atomic_sweep, atomics, offers
from .cancelling import cancelled_receives
from .completions import completion_sweep, completions
from .counters import counted, counted_errors
from .draft import Draft, place, reports
from .fence import fenced_messages, fenced_writes
from .levels import delivery_atomics, delivery_messages, delivery_writes, reuse_after_completion
from .messages import buffers_unexpected, directed, message_streams, truncation, unexpected
from .ordering import message_order, same_bytes, same_element, send_after_atomic, send_after_write
from .parts import speaks
from .persistence import commit_to_volatile, commits, committed_writes, persistent_byte_map
from .protection import attempts, protection, protection_sweep
from .rma import rma_both_ways, rma_byte_map, verbs
from .sound import problems
from .sweeps import (
    batch,
    early,
    injection_sweep,
    message_sweep,
    overtaking,
    rma_sweep,
    segments,
    told_by_data,
    truncation_sweep,
    unwanted,
)
from .tagged import tagged_classics, tagged_matching, tagged_unexpected

__all__ = [
    "Draft",
    "atomic_sweep",
    "atomics",
    "attempts",
    "batch",
    "buffers_unexpected",
    "cancelled_receives",
    "commit_to_volatile",
    "commits",
    "committed_writes",
    "completion_sweep",
    "completions",
    "counted",
    "counted_errors",
    "delivery_atomics",
    "delivery_messages",
    "delivery_writes",
    "directed",
    "early",
    "fenced_messages",
    "fenced_writes",
    "injection_sweep",
    "message_order",
    "message_streams",
    "message_sweep",
    "offers",
    "overtaking",
    "persistent_byte_map",
    "place",
    "problems",
    "protection",
    "protection_sweep",
    "reports",
    "reuse_after_completion",
    "rma_both_ways",
    "rma_byte_map",
    "rma_sweep",
    "same_bytes",
    "same_element",
    "segments",
    "send_after_atomic",
    "send_after_write",
    "speaks",
    "tagged_classics",
    "tagged_matching",
    "tagged_unexpected",
    "told_by_data",
    "truncation",
    "truncation_sweep",
    "unexpected",
    "unwanted",
    "verbs",
]
