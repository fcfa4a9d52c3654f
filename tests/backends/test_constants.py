# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""``kfabric.api.constants`` has the values of the C declarations, which a native test compares with the headers."""

from __future__ import annotations

import errno
from enum import Enum

import pytest

from kfabric import api
from kfabric._native import lib

PREFIXES: dict[type[Enum], tuple[str, ...]] = {
    api.Flag: ("FI_",),
    api.OpFlag: ("FI_",),
    api.Mode: ("FI_",),
    api.MrMode: ("FI_MR_",),
    api.Order: ("FI_ORDER_",),
    api.EpType: ("FI_EP_",),
    api.AvType: ("FI_AV_",),
    api.Progress: ("FI_PROGRESS_",),
    api.Threading: ("FI_THREAD_",),
    api.ResourceMgmt: ("FI_RM_",),
    api.CqFormat: ("FI_CQ_FORMAT_",),
    api.WaitObj: ("FI_WAIT_",),
    api.EqEventKind: ("FI_",),
    api.AddrFormat: ("FI_", "FI_ADDR_", "FI_FORMAT_"),
    api.Protocol: ("FI_PROTO_",),
    api.TrafficClass: ("FI_TC_",),
    api.Datatype: ("FI_",),
    api.AtomicOp: ("FI_",),
    api.EpOption: ("FI_OPT_", "FI_OPT_FI_"),
    api.ControlCommand: ("FI_",),
    api.Errno: ("FI_",),
}
NOT_OF_IT = {"FI_AV_AUTH_KEY", "FI_AV_USER_ID", "FI_AV_COMPLETE"}
"""Names that begin like an enumerator and are none."""
UNNAMED = {"NONE"}
"""Members that stand for no bit at all."""
LITERALS = {"ADDR_UNSPEC", "ADDR_NOTAVAIL", "KEY_NOTAVAIL", "SHARED_CONTEXT"}


def members() -> list[tuple[type[Enum], str, int]]:
    return [
        (kind, name, int(member.value))
        for kind in PREFIXES
        for name, member in kind.__members__.items()
        if name not in UNNAMED or kind is api.WaitObj
    ]


def test_every_enumeration_is_compared() -> None:
    enumerations = {value for value in vars(api).values() if isinstance(value, type) and issubclass(value, Enum)}
    assert enumerations == set(PREFIXES)
    assert len(members()) > 300


@pytest.mark.parametrize("kind", PREFIXES, ids=lambda kind: kind.__name__)
def test_members_have_the_values_of_c(kind: type[Enum]) -> None:
    wrong = []
    for of, name, value in members():
        if of is not kind:
            continue
        known = [getattr(lib, prefix + name) for prefix in PREFIXES[kind] if hasattr(lib, prefix + name)]
        if kind is api.Errno and not known:
            known = [getattr(errno, name, None)]
        if value not in known:
            wrong.append(f"{name} = {value:#x}, in C {known or 'unknown'}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("kind", [api.EpType, api.AvType, api.Progress, api.Threading, api.CqFormat, api.WaitObj])
def test_no_enumerator_of_c_is_left_out(kind: type[Enum]) -> None:
    (prefix,) = PREFIXES[kind]
    ours = {int(member.value) for member in kind}
    named = {name: getattr(lib, name) for name in dir(lib) if name.startswith(prefix)}
    assert {name for name, value in named.items() if value not in ours} <= NOT_OF_IT


def test_literals() -> None:
    for name in LITERALS:
        assert getattr(api, name) == getattr(lib, f"FI_{name}"), name
