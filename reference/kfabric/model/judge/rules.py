# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The table of rules: what the Judge decides, under which requirement ids, in a sentence each.

The words of a requirement are the specification's; the sentence here says how a History shows it kept or broken.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One way of deciding, and the requirements it decides."""

    name: str
    ids: tuple[str, ...]
    sentence: str


def _rule(name: str, ids: str, sentence: str) -> Rule:
    return Rule(name, tuple(ids.split()), sentence)


RULES: tuple[Rule, ...] = (
    # messages
    _rule(
        "message-content",
        "OFI-MSG-002 OFI-MSG-006 OFI-MSG-009 OFI-MSG-010 OFI-MSG-011 OFI-MSG-023 OFI-CMP-007",
        "When a receive has completed, its buffer holds the bytes of one message that was sent to this endpoint.",
    ),
    _rule(
        "message-bounds",
        "OFI-MSG-003 OFI-MSG-004 OFI-MSG-005",
        "Guard bytes, the bytes of a receive buffer past the length reported, and source buffers are as they were.",
    ),
    _rule(
        "message-once",
        "OFI-MSG-001 OFI-MSG-008",
        "No message is in two receives, none is at an endpoint that was not addressed; one that was sent and can be "
        "taken is missing only while it can still be on its way.",
    ),
    _rule(
        "matching",
        "OFI-MSG-007 OFI-TAG-002 OFI-TAG-003 OFI-ORD-001 OFI-ORD-002 OFI-ORD-018 OFI-CMP-003",
        "There is an order of arrival, respecting what message order, fences and completions tell, in which each "
        "message takes the earliest posted receive that accepts it.",
    ),
    _rule(
        "tags",
        "OFI-TAG-001 OFI-TAG-004 OFI-TAG-005",
        "The message in a tagged receive is tagged and agrees in all bits that are not ignored.",
    ),
    _rule(
        "sources",
        "OFI-MSG-012 OFI-MSG-013 OFI-MSG-014 OFI-TAG-017",
        "A receive that names a source holds a message of that source, where directed receives are offered.",
    ),
    _rule(
        "truncation",
        "OFI-RM-006 OFI-RM-007 OFI-RM-008 OFI-RM-009",
        "A receive smaller than its message fails, says how much did not fit, and keeps the bytes around its buffer.",
    ),
    _rule(
        "unexpected",
        "OFI-RM-005 OFI-RM-011",
        "A message that was sent before a receive for it was posted is in that receive, or may be lost (datagrams).",
    ),
    _rule("batches", "OFI-MSG-015", "An operation with FI_MORE completes once one without it was posted behind."),
    # completions
    _rule(
        "one-completion",
        "OFI-CQ-003 OFI-CQ-004 OFI-CQ-027 OFI-CQ-028 OFI-CQ-037 OFI-RM-002",
        "Each accepted operation that asks for it has one entry, with its own context, on the queue of its direction; "
        "no other operation has any. A missing one counts as broken only if the peer is done and a probe went through.",
    ),
    _rule(
        "suppression",
        "OFI-CMP-010 OFI-CMP-011 OFI-CMP-012 OFI-CMP-013 OFI-CMP-014 OFI-CMP-016 OFI-CMP-019",
        "Selective completion, default flags and inject calls decide which operations report success.",
    ),
    _rule("injection", "OFI-CMP-020", "An inject call of at most inject_size bytes is accepted."),
    _rule(
        "completion-flags",
        "OFI-CQ-006 OFI-CQ-007 OFI-CQ-008 OFI-CQ-009 OFI-CQ-010 OFI-CQ-012 OFI-CQ-013 OFI-CQ-017",
        "The flags of an entry are those of its operation's class and direction, and nothing that is no such flag.",
    ),
    _rule(
        "completion-fields",
        "OFI-CQ-014 OFI-CQ-016 OFI-CQ-018 OFI-CQ-019 OFI-CQ-021",
        "Length, remote data, tag and source in an entry are those of the message in the buffer.",
    ),
    _rule(
        "target-completions",
        "OFI-CQ-005 OFI-CQ-011 OFI-CQ-015 OFI-RMA-013 OFI-RMA-014",
        "A write with remote data has one entry at the target, without context, flagged as such; other writes and "
        "reads have none.",
    ),
    _rule("error-entries", "OFI-CQ-026 OFI-CQ-029", "An error entry has a positive code and its operation's flags."),
    _rule(
        "cancel",
        "OFI-EP-018 OFI-EP-019 OFI-EP-020 OFI-EP-021 OFI-EP-022 OFI-EP-023",
        "A cancelled receive is reported once; if as cancelled, then with FI_ECANCELED and an untouched buffer.",
    ),
    _rule(
        "counters",
        "OFI-CNT-001 OFI-CNT-002 OFI-CNT-003 OFI-CNT-004 OFI-CNT-005 OFI-CNT-006 OFI-CNT-007 OFI-CNT-008 OFI-CNT-009 "
        "OFI-CNT-010",
        "A counter shows at least the operations of its kinds known to be complete and at most those accepted.",
    ),
    _rule(
        "reuse",
        "OFI-CMP-001 OFI-CMP-017 OFI-CMP-018 OFI-RMA-016",
        "What was written over a source buffer after it was given back is seen nowhere.",
    ),
    # memory
    _rule(
        "write-content",
        "OFI-RMA-001 OFI-RMA-008 OFI-RMA-009 OFI-RMA-010 OFI-RMA-011 OFI-RMA-012 OFI-MR-001 OFI-MR-002 OFI-MR-004",
        "A byte that writes addressed holds the value of one of them that nothing has certainly overwritten.",
    ),
    _rule(
        "write-bounds",
        "OFI-RMA-002 OFI-RMA-005 OFI-RMA-006 OFI-RMA-007 OFI-ATM-015 OFI-ATM-017",
        "A byte that no operation addressed holds what it held; so do guard bytes and source buffers.",
    ),
    _rule(
        "read-content",
        "OFI-RMA-003 OFI-RMA-004",
        "A byte that was read is one that memory can have held while the read was in progress.",
    ),
    _rule(
        "levels",
        "OFI-CMP-004 OFI-CMP-005 OFI-CMP-006 OFI-CMP-008 OFI-CMP-022 OFI-CMP-023 FPM-CMP-001 FPM-CMP-003 FPM-CMP-004",
        "What starts after a completion of delivery level, or after a target's completion, does not see older bytes.",
    ),
    _rule(
        "later-notices",
        "OFI-ORD-008 OFI-ORD-009 OFI-ORD-010 OFI-ORD-011 OFI-ORD-014 OFI-ORD-015 OFI-ATM-020 OFI-ATM-021 FPM-CMP-006",
        "What starts after the notice of a later, ordered or fenced operation does not see bytes from before the "
        "operations it was ordered behind.",
    ),
    _rule(
        "data-order",
        "OFI-ORD-003 OFI-ORD-004 OFI-ORD-005 OFI-ORD-012",
        "Same bytes, same pair of endpoints: ordered or fenced operations see and leave them in the order of posting.",
    ),
    _rule(
        "fence-completion",
        "OFI-ORD-013",
        "The entry of a fenced operation is not read before those of the operations posted before it to the peer.",
    ),
    _rule(
        "protection",
        "OFI-MR-005 OFI-MR-006 OFI-MR-007 OFI-MR-008 OFI-MR-009 OFI-MR-010 OFI-MR-011 OFI-MR-012 OFI-MR-013 "
        "OFI-MR-014 OFI-MR-015 OFI-MR-016 OFI-MR-031 OFI-MR-032 OFI-MR-033 FPM-CMP-007 FPM-MR-004",
        "An access without right, with a wrong key or outside its region fails at the initiator and changes nothing.",
    ),
    # atomics
    _rule(
        "atomic-results",
        "OFI-ATM-001 OFI-ATM-002 OFI-ATM-003 OFI-ATM-004 OFI-ATM-005 OFI-ATM-006 OFI-ATM-007 OFI-ATM-008 OFI-ATM-009 "
        "OFI-ATM-013 OFI-ATM-014 OFI-ATM-016",
        "Element by element there is an order of the operations, one after another, that gives every value returned "
        "and the value left.",
    ),
    _rule(
        "atomic-order",
        "OFI-ORD-006 OFI-ORD-007",
        "That order also keeps operations that message order, data order, fences and completions put in order.",
    ),
)
"""Every rule, in the order of the chapters."""

KNOWN = frozenset(name for rule in RULES for name in rule.ids)
"""Every requirement id that the Judge decides."""


def rules_for(requirement: str) -> tuple[Rule, ...]:
    """The rules that decide a requirement, for ``explain``."""
    return tuple(rule for rule in RULES if requirement in rule.ids)
