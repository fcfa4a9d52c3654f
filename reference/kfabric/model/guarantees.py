# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Guarantees: what a configuration promised, as plain data; the Judge and the requirements' ``when`` read nothing else.

One ``End`` per node, taken from the ``fi_info`` opened there (the suite does that) or assumed by a litmus text. Flags
and orders are sets of names without ``FI_``/``FI_ORDER_``, so that this package knows no backend and no bit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any

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
    queues: frozenset[str] = frozenset({"tx", "rx"})
    """Completion queues bound: nothing is claimed about completions that no queue reports."""
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
        """What a node's end promised."""
        return dict(self.ends).get(node, self.default)

    def order(self, initiator: str, target: str) -> frozenset[str]:
        """Message order that holds from ``initiator`` to ``target``: promised by both ends."""
        return self.end(initiator).tx_order & self.end(target).rx_order

    @staticmethod
    def assume(pairs: Iterable[tuple[str, str]], base: Guarantees | None = None) -> Guarantees:
        """Guarantees from the ``key=value`` pairs of a litmus text, on top of ``base`` (default: ``LITMUS``).

        A key is a field of ``End``, or ``msg_order`` (both directions), with ``B.`` before it for one node only. Sets
        are names joined by ``+`` (``none`` for the empty one), ``inf`` is no limit, truth is ``yes`` or ``no``.
        """
        result = base if base is not None else Guarantees(LITMUS)
        ends = dict(result.ends)
        default = result.default
        for key, value in pairs:
            node, _, name = key.rpartition(".")
            keys = ("tx_order", "rx_order") if name == "msg_order" else (name,)
            for each in keys:
                if node:
                    ends[node] = _with(ends.get(node, default), each, value)
                else:
                    default = _with(default, each, value)
                    ends = {other: _with(end, each, value) for other, end in ends.items()}
        return Guarantees(default, tuple(sorted(ends.items())))


_EVERYTHING = frozenset({"MSG", "TAGGED", "RMA", "ATOMIC", "SEND", "RECV", "READ", "WRITE", "REMOTE_READ"}) | frozenset(
    {"REMOTE_WRITE", "FENCE", "LOCAL_COMM", "REMOTE_COMM"}
)
LITMUS = End(
    caps=_EVERYTHING,
    levels=frozenset({"INJECT", "TRANSMIT", "DELIVERY"}),
    inject_size=64,
    iov_limit=4,
    rma_iov_limit=4,
    cq_data_size=8,
)
"""What a litmus text assumes where it says nothing: every operation, no order, no data order, the weakest level."""


def _with(end: End, name: str, value: str) -> End:
    """An end with one field read from text; ``ValueError`` names what is wrong."""
    known: dict[str, Any] = {each.name: getattr(end, each.name) for each in fields(End)}
    if name not in known or name in ("atomics", "extra", "version"):
        raise ValueError(f"no guarantee is called {name!r}")
    old = known[name]
    new: Any
    if isinstance(old, bool):
        if value not in ("yes", "no"):
            raise ValueError(f"{name} is yes or no, not {value!r}")
        new = value == "yes"
    elif isinstance(old, int):
        try:
            new = UNLIMITED if value == "inf" else int(value, 0)
        except ValueError:
            raise ValueError(f"{name} is a number or inf, not {value!r}") from None
    elif isinstance(old, frozenset):
        words = frozenset() if value == "none" else frozenset(value.replace(",", "+").split("+"))
        new = frozenset(words) if name in ("counters", "queues") else frozenset(word.upper() for word in words)
    else:
        new = value if name == "provider" else value.upper()
    return replace(end, **{name: new})
