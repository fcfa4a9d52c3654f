# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The terms that a condition may use: what editors may write, as the conventions chapter defines it.

Nothing is evaluated here; that is the suite's business, and a test holds the two readings together.
"""

from __future__ import annotations

import re


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PAIRS = ("RAR", "RAW", "WAR", "WAW")

KEYS: dict[str, frozenset[str]] = {
    "cap": _names(
        "MSG RMA TAGGED ATOMIC COLLECTIVE READ WRITE SEND RECV REMOTE_READ REMOTE_WRITE MULTI_RECV DIRECTED_RECV "
        "SOURCE SOURCE_ERR FENCE RMA_EVENT RMA_PMEM NAMED_RX_CTX SHARED_AV TRIGGER LOCAL_COMM REMOTE_COMM "
        "MULTICAST HMEM TAGGED_RMA"
    ),
    "ep": _names("MSG RDM DGRAM"),
    "order": _names("RAR RAW RAS WAR WAW WAS SAR SAW SAS").union(
        f"{kind}_{pair}" for kind in ("RMA", "ATOMIC") for pair in _PAIRS
    ),
    "dataorder": _names("RAW WAR WAW"),
    "level": _names("INJECT TRANSMIT DELIVERY COMMIT"),
    "mr": _names("LOCAL RAW VIRT_ADDR ALLOCATED PROV_KEY MMU_NOTIFY RMA_EVENT ENDPOINT HMEM COLLECTIVE"),
    "mode": _names(
        "CONTEXT CONTEXT2 MSG_PREFIX ASYNC_IOV RX_CQ_DATA NOTIFY_FLAGS_ONLY RESTRICTED_COMP BUFFERED_RECV LOCAL_MR"
    ),
    "progress": _names("AUTO MANUAL"),
    "threading": _names("SAFE FID DOMAIN COMPLETION ENDPOINT"),
    "rm": _names("ENABLED DISABLED"),
    "av": _names("TABLE MAP"),
    "limit": _names(
        "inject_size cq_data_size iov_limit rma_iov_limit mr_iov_limit mr_key_size max_msg_size tx_size rx_size "
        "max_ep_tx_ctx max_ep_rx_ctx max_ep_stx_ctx max_ep_srx_ctx cntr_cnt"
    ),
    "atomic": _names("base fetch compare"),
}

_TERM = re.compile(r"^!?(?P<key>[a-z]+):(?P<values>[^\s:|]+(?:\|[^\s:|]+)*)$")
_COMPARISON = re.compile(r"^(?P<name>[a-z_]+)(?:(?:>=|<=|!=|>|<|=)[0-9]+)?$")


def complaints(condition: str) -> list[str]:
    """What is wrong with a condition, term by term; an empty list if nothing is."""
    wrong = []
    terms = condition.split()
    for term in terms:
        match = _TERM.match(term)
        if not match:
            wrong.append(f"{term!r} is not [!]key:value[|value]")
        elif match["key"] not in KEYS:
            wrong.append(f"{term!r}: no key {match['key']!r}; there are {', '.join(KEYS)}")
        else:
            for value in match["values"].split("|"):
                if not _known(match["key"], value):
                    wrong.append(f"{term!r}: no value {value!r} of {match['key']!r}")
    if len(set(terms)) != len(terms):
        wrong.append(f"a term is given twice in {condition!r}")
    return wrong


def _known(key: str, value: str) -> bool:
    if key == "limit":
        match = _COMPARISON.match(value)
        return bool(match and match["name"] in KEYS[key])
    return value in KEYS[key]
