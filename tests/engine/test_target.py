# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Targets: written and read back, demands in the hints, one clear sentence for what is no target."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfabric.api import Flag, Info, Order, Progress
from ofi_conformance.nodes import NodeSpec
from ofi_conformance.target import BACKENDS, EP_TYPES, Target, TargetError, apply_hints, spell

SPELLINGS = [
    "libfabric:tcp",
    "libfabric:tcp;ofi_rxm/rdm?msg_order=sas+saw&data_progress=manual",
    "libfabric:/opt/vendor/libfoo-fi.so",
    "libfabric:./libfoo-fi.so.1/msg?inject_size=0x40",
    "kfabric:sockets",
]

providers = st.text("abcdefgh_;123", min_size=1).filter(lambda name: ".so" not in name)
hints = st.lists(
    st.sampled_from([("msg_order", "sas"), ("op_flags", "delivery_complete"), ("threading", "domain"), ("mode", "0")])
)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_round_trip(spelling: str) -> None:
    assert str(Target.parse(spelling)) == spelling


@given(st.sampled_from(BACKENDS), providers, st.sampled_from(["", *EP_TYPES]), hints)
def test_every_target_is_read_back(backend: str, provider: str, ep_type: str, pairs: list[tuple[str, str]]) -> None:
    target = Target(backend, provider, ep_type, tuple(pairs))
    assert Target.parse(str(target)) == target


def test_a_shared_object_tells_its_directory() -> None:
    target = Target.parse("libfabric:/opt/vendor/libfoo-fi.so/rdm")
    assert (target.library, target.directory, target.provider) == ("/opt/vendor/libfoo-fi.so", "/opt/vendor", "")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("tcp", "write backend:provider"),
        ("foo:tcp", "unknown backend 'foo'"),
        ("libfabric:", "not a target"),
        ("libfabric:tcp/fast", "unknown endpoint type 'fast'"),
        ("libfabric:tcp?speed=1", "unknown hint 'speed'"),
        ("libfabric:tcp?msg_order=first", "'first' is not one of"),
        ("libfabric:tcp?threading=safe+domain", "takes one value"),
        ("libfabric:tcp?inject_size=many", "is not a number"),
        ("libfabric:tcp?msg_order", "is not hint=value"),
    ],
)
def test_what_is_no_target_is_told_in_one_sentence(text: str, part: str) -> None:
    with pytest.raises(TargetError, match=r"^[^\n]*$") as refused:
        Target.parse(text)
    assert part in str(refused.value)


def test_demands_reach_the_hints() -> None:
    info = Info()
    apply_hints(info, Target.parse("libfabric:x?msg_order=sas+raw&data_progress=manual&caps=msg+0x4").hints)
    assert info.tx_attr.msg_order == info.rx_attr.msg_order == Order.SAS | Order.RAW
    assert info.domain_attr.data_progress == Progress.MANUAL
    assert info.caps == Flag.MSG | Flag.RMA


def test_flags_are_spelled_as_they_are_read() -> None:
    value = Flag.MSG | Flag.DELIVERY_COMPLETE | Flag(1 << 62)
    info = Info()
    apply_hints(info, (("caps", spell(value)),))
    assert info.caps == value


def test_node_specification() -> None:
    far = "ssh=me@far//python=/usr/bin/python3"
    assert NodeSpec.parse(far) == NodeSpec(far, "far")
    assert NodeSpec.parse("ssh=far//address=192.0.2.7") == NodeSpec("ssh=far", "192.0.2.7")
    assert NodeSpec().local
    assert not NodeSpec.parse("ssh=far").local
