# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The ``when`` of a requirement says exactly in which configurations it applies."""

from __future__ import annotations

import pytest

from kfabric.model.guarantees import End, Guarantees
from ofi_conformance.conditions import ConditionError, parse

PLAIN = End(
    ep_type="RDM",
    caps=frozenset({"MSG", "RMA", "ATOMIC"}),
    mode=frozenset({"CONTEXT"}),
    mr_mode=frozenset({"VIRT_ADDR"}),
    tx_order=frozenset({"SAS", "WAW", "RAW"}),
    rx_order=frozenset({"SAS", "WAW"}),
    levels=frozenset({"INJECT", "TRANSMIT"}),
    max_order_waw_size=0,
    max_order_raw_size=64,
    inject_size=64,
    cq_data_size=0,
    iov_limit=4,
    data_progress="MANUAL",
    threading="SAFE",
    resource_mgmt="ENABLED",
    av_type="UNSPEC",
    atomics=frozenset({("base", "SUM", "INT64", 8), ("fetch", "MIN", "INT8", 0)}),
    extra=(("max_ep_tx_ctx", "16"),),
)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", True),
        ("cap:MSG", True),
        ("cap:TAGGED", False),
        ("!cap:TAGGED", True),
        ("cap:MSG|TAGGED", True),
        ("!cap:MSG|TAGGED", False),
        ("cap:MSG cap:TAGGED", False),
        ("ep:RDM|MSG", True),
        ("ep:DGRAM", False),
        ("order:SAS", True),
        ("order:RAW", False),  # promised by the transmitter only
        ("dataorder:WAW", False),  # the order holds, over no bytes
        ("dataorder:RAW", False),  # bytes, but no order
        ("level:DELIVERY", False),
        ("mr:VIRT_ADDR", True),
        ("mode:CONTEXT", True),
        ("progress:MANUAL", True),
        ("threading:SAFE", True),
        ("rm:ENABLED", True),
        ("limit:inject_size", True),
        ("limit:cq_data_size", False),
        ("limit:iov_limit>1", True),
        ("limit:iov_limit>4", False),
        ("limit:max_ep_tx_ctx>1", True),
        ("limit:max_ep_srx_ctx>0", False),
        ("atomic:base", True),
        ("atomic:fetch", False),  # valid for no element
        ("atomic:fetch|base", True),
        ("atomic:base/SUM/INT64", True),
        ("atomic:base/SUM/INT8", False),
        ("av:TABLE", True),  # the domain leaves the choice
    ],
)
def test_a_condition_is_evaluated_on_what_both_ends_opened(text: str, holds: bool) -> None:
    missing = parse(text).missing(Guarantees(default=PLAIN))
    assert (missing == "") is holds
    assert missing in text


def test_every_end_has_to_bring_it() -> None:
    other = End(caps=frozenset({"MSG"}), tx_order=frozenset({"SAS"}), rx_order=frozenset())
    both = Guarantees(default=PLAIN, ends=(("A", PLAIN), ("B", other)))
    assert parse("cap:MSG").missing(both) == ""
    assert parse("cap:RMA").missing(both) == "cap:RMA"
    assert parse("order:SAS").missing(both) == "order:SAS"  # B does not receive in order


@pytest.mark.parametrize(
    "text", ["cap", "caps:MSG", "cap:", "limit:nothing", "limit:inject_size>>3", "dataorder:SAS", "MSG"]
)
def test_what_can_never_be_evaluated_is_refused_when_it_is_read(text: str) -> None:
    with pytest.raises(ConditionError):
        parse(text)


def test_a_condition_reads_as_it_was_written() -> None:
    text = "cap:MSG|TAGGED !mode:CONTEXT limit:iov_limit>1"
    assert str(parse(text)) == text
