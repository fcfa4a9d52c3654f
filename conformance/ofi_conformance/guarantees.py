# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""From what was opened to what it promises: an ``Info`` and the bindings become a ``kfabric.model.guarantees.End``.

The one place where bits become names. Must not decide what a promise means (the Judge) nor which to ask for
(``configuration``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntFlag

from kfabric.api import AddrFormat, Flag, Info, MrMode, Order
from kfabric.model.guarantees import End

COUNTERS = ("send", "recv", "read", "write", "remote_read", "remote_write")
"""Counters that an endpoint can have, named as the bind flags."""

LEVELS = ("INJECT", "TRANSMIT", "DELIVERY", "COMMIT")
"""Completion levels, from the weakest."""


@dataclass(frozen=True)
class Binding:
    """How the queues and counters of an endpoint are bound; no hint says that.

    ``wait``: queues and counters are opened with a wait object of the provider's choice, so that blocking reads exist.
    """

    selective: bool = False
    counters: tuple[str, ...] = ()
    wait: bool = True
    cq_format: str = "TAGGED"


def names(value: IntFlag) -> frozenset[str]:
    """Names of the bits of a flag word; a bit without a name is called ``bit53``."""
    kind = type(value)
    found = {word.name for word in kind if word.name and word & value == word}
    left = int(value) & ~sum(int(word) for word in kind)
    found.update(f"bit{bit}" for bit in range(64) if left >> bit & 1)
    return frozenset(found)


def flags_of(kind: type[IntFlag], words: Iterable[str]) -> IntFlag:
    """The flag word of names that ``names`` gave."""
    value = kind(0)
    for word in words:
        value |= kind(1 << int(word[3:])) if word.startswith("bit") and word[3:].isdigit() else kind[word]
    return value


def end_of(
    info: Info,
    binding: Binding,
    *,
    levels: Iterable[str] = LEVELS[:2],
    atomics: Iterable[tuple[str, str, str, int]] = (),
    version: tuple[int, int] = (1, 17),
) -> End:
    """What one end promises: the attributes of the ``info`` it was opened with, and how its queues were bound."""
    tx, rx, ep, domain = info.tx_attr, info.rx_attr, info.ep_attr, info.domain_attr
    address = info.addr_format.name if isinstance(info.addr_format, AddrFormat) else str(info.addr_format)
    extra = {
        "addr_format": address,
        "domain": domain.name,
        "fabric": info.fabric_attr.name,
        "prov_version": ".".join(map(str, info.fabric_attr.prov_version)),
        "tx_comp_order": "+".join(sorted(names(tx.comp_order))),
        "rx_comp_order": "+".join(sorted(names(rx.comp_order))),
        "tx_iov_limit": str(tx.iov_limit),
        "rx_iov_limit": str(rx.iov_limit),
        "max_ep_tx_ctx": str(domain.max_ep_tx_ctx),
        "max_ep_rx_ctx": str(domain.max_ep_rx_ctx),
        "max_ep_stx_ctx": str(domain.max_ep_stx_ctx),
        "max_ep_srx_ctx": str(domain.max_ep_srx_ctx),
        "total_buffered_recv": str(rx.total_buffered_recv),
        "msg_prefix_size": str(ep.msg_prefix_size),
        "max_err_data": str(domain.max_err_data),
        "cntr_cnt": str(domain.cntr_cnt),
        "mr_cnt": str(domain.mr_cnt),
        "protocol": str(int(ep.protocol)),
    }
    return End(
        ep_type=ep.type.name,
        caps=names(Flag(info.caps)),
        mode=names(info.mode | tx.mode | rx.mode | domain.mode),
        mr_mode=names(MrMode(domain.mr_mode)),
        tx_order=names(Order(tx.msg_order)),
        rx_order=names(Order(rx.msg_order)),
        tx_op_flags=names(Flag(tx.op_flags)),
        rx_op_flags=names(Flag(rx.op_flags)),
        levels=frozenset(levels),
        max_msg_size=ep.max_msg_size,
        max_order_raw_size=ep.max_order_raw_size,
        max_order_war_size=ep.max_order_war_size,
        max_order_waw_size=ep.max_order_waw_size,
        inject_size=tx.inject_size,
        iov_limit=min(tx.iov_limit, rx.iov_limit),
        rma_iov_limit=tx.rma_iov_limit,
        tx_size=tx.size,
        rx_size=rx.size,
        cq_data_size=domain.cq_data_size,
        mr_key_size=domain.mr_key_size,
        mr_iov_limit=domain.mr_iov_limit,
        mem_tag_format=ep.mem_tag_format,
        data_progress=domain.data_progress.name,
        control_progress=domain.control_progress.name,
        threading=domain.threading.name,
        resource_mgmt=domain.resource_mgmt.name,
        av_type=domain.av_type.name,
        cq_format=binding.cq_format,
        selective=binding.selective,
        counters=frozenset(binding.counters),
        atomics=frozenset(atomics),
        provider=info.fabric_attr.prov_name,
        version=version,
        extra=tuple(sorted(extra.items())),
    )
