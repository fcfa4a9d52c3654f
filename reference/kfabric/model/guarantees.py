# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Guarantees: what a configuration promised, as plain data; the Judge and the requirements' ``when`` read nothing else.

One ``End`` per node, taken from the ``fi_info`` opened there (the suite does that) or assumed by a litmus text. Flags and
orders are sets of names without ``FI_``/``FI_ORDER_``, so that this package knows no backend and no bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

UNLIMITED = (1 << 64) - 1


@dataclass(frozen=True)
class End:
    """What one end opened. Sizes in bytes, limits in segments, ``version`` of the library's API."""

    ep_type: str = "RDM"
    caps: frozenset[str] = frozenset()
    mode: frozenset[str] = frozenset()
    mr_mode: frozenset[str] = frozenset()
    tx_order: frozenset[str] = frozenset()
    rx_order: frozenset[str] = frozenset()
    tx_op_flags: frozenset[str] = frozenset()
    rx_op_flags: frozenset[str] = frozenset()
    levels: frozenset[str] = frozenset({"INJECT", "TRANSMIT"})
    """Completion levels that the provider accepts when asked by hints: subset of INJECT TRANSMIT DELIVERY COMMIT."""
    max_msg_size: int = 1 << 20
    max_order_raw_size: int = 0
    max_order_war_size: int = 0
    max_order_waw_size: int = 0
    inject_size: int = 0
    iov_limit: int = 1
    rma_iov_limit: int = 1
    tx_size: int = 64
    rx_size: int = 64
    cq_data_size: int = 0
    mr_key_size: int = 8
    mr_iov_limit: int = 1
    mem_tag_format: int = UNLIMITED
    data_progress: str = "AUTO"
    control_progress: str = "AUTO"
    threading: str = "SAFE"
    resource_mgmt: str = "ENABLED"
    av_type: str = "TABLE"
    cq_format: str = "TAGGED"
    selective: bool = False
    """The queues were bound with SELECTIVE_COMPLETION."""
    counters: frozenset[str] = frozenset()
    """Counters bound: send recv read write remote_read remote_write."""
    atomics: frozenset[tuple[str, str, str, int]] = frozenset()
    """(kind, op, datatype, max count) that the provider calls valid."""
    provider: str = ""
    version: tuple[int, int] = (1, 17)
    extra: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Guarantees:
    """Ends by node name; ``default`` stands for nodes not named."""

    default: End = field(default_factory=End)
    ends: tuple[tuple[str, End], ...] = ()

    def end(self, node: str) -> End:
        return dict(self.ends).get(node, self.default)

    def order(self, initiator: str, target: str) -> frozenset[str]:
        """Message order that holds from ``initiator`` to ``target``: promised by both ends."""
        return self.end(initiator).tx_order & self.end(target).rx_order
