# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Ends of different character, as the providers of Debian's libfabric open them, and a few narrow ones."""

from __future__ import annotations

from dataclasses import replace

from kfabric.model.datatypes import OPS, SIZES, is_integer
from kfabric.model.guarantees import UNLIMITED, End, Guarantees

_MSG = {"MSG", "SEND", "RECV"}
_RMA = {"RMA", "READ", "WRITE", "REMOTE_READ", "REMOTE_WRITE"}
_ALL_ORDER = frozenset({"RAR", "RAW", "RAS", "WAR", "WAW", "WAS", "SAR", "SAW", "SAS"})
_TCP_ORDER = _ALL_ORDER - {"WAR", "SAR"}
_ALL_LEVELS = frozenset({"INJECT", "TRANSMIT", "DELIVERY"})


def table(*, most: int = 8) -> frozenset[tuple[str, str, str, int]]:
    """Every operation that makes sense for a type."""
    found = set()
    for datatype in SIZES:
        for op in OPS:
            bitwise = op in ("BOR", "BAND", "BXOR", "MSWAP")
            ordered = op in ("MIN", "MAX", "CSWAP_LE", "CSWAP_LT", "CSWAP_GE", "CSWAP_GT")
            if (bitwise and not is_integer(datatype)) or (ordered and "COMPLEX" in datatype):
                continue
            kinds = ("compare",) if "SWAP" in op else ("fetch",) if op == "ATOMIC_READ" else ("base", "fetch")
            found |= {(kind, op, datatype, most) for kind in kinds}
    return frozenset(found)


TCP = End(
    ep_type="MSG",
    caps=frozenset(_MSG | _RMA | {"TAGGED", "MULTI_RECV"}),
    tx_order=_TCP_ORDER,
    rx_order=_TCP_ORDER,
    levels=_ALL_LEVELS,
    max_msg_size=UNLIMITED,
    max_order_raw_size=UNLIMITED,
    max_order_waw_size=UNLIMITED,
    inject_size=128,
    iov_limit=4,
    rma_iov_limit=4,
    tx_size=256,
    rx_size=256,
    cq_data_size=8,
)
RXM = replace(TCP, ep_type="RDM", inject_size=64, caps=TCP.caps | {"ATOMIC"}, atomics=table(), tx_size=2048)
SHM = replace(
    RXM,
    caps=RXM.caps | {"SOURCE", "DIRECTED_RECV", "RMA_EVENT"},
    tx_order=frozenset({"SAS"}),
    rx_order=_ALL_ORDER,
    max_order_raw_size=0,
    max_order_waw_size=0,
    inject_size=4096,
    mr_mode=frozenset({"VIRT_ADDR"}),
)
SOCKETS = replace(
    SHM,
    caps=SHM.caps | {"FENCE", "RMA_PMEM"},
    tx_order=_ALL_ORDER,
    max_order_raw_size=1 << 62,
    max_order_war_size=1 << 62,
    max_order_waw_size=1 << 62,
    inject_size=255,
    iov_limit=8,
    rma_iov_limit=8,
    levels=_ALL_LEVELS | {"COMMIT"},
    mr_mode=frozenset(),
)
UDP = End(
    ep_type="DGRAM",
    caps=frozenset(_MSG),
    max_msg_size=1472,
    inject_size=1472,
    iov_limit=4,
    tx_size=1024,
    rx_size=1024,
)
TINY = replace(
    RXM, inject_size=0, iov_limit=1, rma_iov_limit=1, cq_data_size=0, tx_size=2, rx_size=2, max_msg_size=4096,
    tx_order=frozenset(), rx_order=frozenset(), levels=frozenset({"INJECT", "TRANSMIT"}), mem_tag_format=0xFF,
    atomics=table(most=1),
)  # fmt: skip
"""A provider that offers the least of everything."""

ENDS: dict[str, End] = {
    "tcp": TCP,
    "rxm": RXM,
    "rxm-selective": replace(RXM, selective=True),
    "rxm-delivery": replace(RXM, tx_op_flags=frozenset({"DELIVERY_COMPLETE"})),
    "shm": SHM,
    "shm-counted": replace(SHM, counters=frozenset({"send", "recv", "read", "write"})),
    "sockets": SOCKETS,
    "sockets-dgram": replace(SOCKETS, ep_type="DGRAM", caps=frozenset(_MSG | {"TAGGED", "FENCE", "DIRECTED_RECV"})),
    "udp": UDP,
    "tiny": TINY,
    "tagged-only": replace(RXM, caps=frozenset({"TAGGED", "SEND", "RECV"}), atomics=frozenset()),
    "rma-only": replace(TCP, caps=frozenset(_RMA)),
}


def promised(name: str) -> Guarantees:
    """The guarantees of a configuration whose both ends are alike."""
    return Guarantees(default=ENDS[name])
