# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""``fi_info`` and ``Info``: every field both ways, what is opened, how long a record lives."""

from __future__ import annotations

import copy
import dataclasses
import gc
import itertools
import pickle
import weakref
from enum import IntFlag
from typing import Any

import pytest

from kfabric._native import ffi
from kfabric.api import (
    AddrFormat,
    DomainAttr,
    EpAttr,
    EpType,
    Errno,
    FabricAttr,
    Flag,
    Info,
    Mode,
    MrMode,
    NicAttr,
    RxAttr,
    TxAttr,
    UsageError,
)
from kfabric.backends.libfabric.info import Built, RawInfo, duplicate, from_record, record_to_open
from tests.backends.child import isolated
from tests.backends.kit import LOOPBACK, MR_MODE, hints_for, offers, provider, refused

STRUCTS = {
    "struct fi_tx_attr": TxAttr,
    "struct fi_rx_attr": RxAttr,
    "struct fi_ep_attr": EpAttr,
    "struct fi_domain_attr": DomainAttr,
    "struct fi_fabric_attr": FabricAttr,
    "struct fi_info": Info,
}
LENGTHS = {"auth_key_size", "src_addrlen", "dest_addrlen", "next", "progress", ""}
"""C fields that Python says in another way: lengths beside their bytes, the list's link, a field's second name."""


@pytest.mark.parametrize("struct", STRUCTS)
def test_python_sees_every_field(struct: str) -> None:
    fields = {name for name, _ in ffi.typeof(struct).fields}
    assert fields - LENGTHS - {"data_progress"} <= {field.name for field in dataclasses.fields(STRUCTS[struct])}


def raw_of(info: Info) -> RawInfo:
    assert isinstance(info.raw, RawInfo)
    return info.raw


def distinct(kind: type[Any], numbers: Any) -> Any:
    """An attribute record with another value in every field."""
    record = kind()
    for field in dataclasses.fields(kind):
        old = getattr(record, field.name)
        new: Any
        if dataclasses.is_dataclass(old) or field.name in {"raw", "nic", "domain", "fabric", "handle"}:
            continue
        if isinstance(old, str):
            new = f"{field.name}-{next(numbers)}"
        elif isinstance(old, bytes):
            new = bytes([next(numbers) % 256]) * (next(numbers) % 50 + 1)
        elif isinstance(old, tuple):
            new = (next(numbers), next(numbers))
        elif isinstance(old, IntFlag):
            new = type(old)(next(numbers) << 20)
        else:
            new = next(numbers)
        setattr(record, field.name, new)
    return record


def distinct_info() -> Info:
    numbers = itertools.count(11)
    info: Info = distinct(Info, numbers)
    info.addr_format = AddrFormat.SOCKADDR_IN
    info.tx_attr, info.rx_attr = distinct(TxAttr, numbers), distinct(RxAttr, numbers)
    info.ep_attr, info.domain_attr = distinct(EpAttr, numbers), distinct(DomainAttr, numbers)
    info.fabric_attr = distinct(FabricAttr, numbers)
    info.domain_attr.mr_mode = MrMode(0x2C)
    return info


def test_every_field_survives_the_way_to_c_and_back() -> None:
    lib = provider()
    info = distinct_info()
    built = Built(info, lib.library)
    back = from_record(built.record, built, lib.library)
    later = ["max_ep_auth_key", "max_group_id", "max_cntr_value", "max_err_cntr_value"]
    for name in later:
        if not lib.library.has_domain_attr(name):
            setattr(info.domain_attr, name, 0)
    assert back == info

    info.handle, info.domain_attr.domain, info.fabric_attr.fabric = 0x1000, 0x2000, 0x3000
    back = from_record(duplicate(info, lib.library), None, lib.library)
    assert back == info
    assert (back.handle, back.domain_attr.domain, back.fabric_attr.fabric) == (0x1000, 0x2000, 0x3000)


def test_numbers_that_c_cannot_hold_are_a_mistake_of_the_caller() -> None:
    lib = provider()
    for record in (Info(tx_attr=TxAttr(size=-1)), Info(ep_attr=EpAttr(protocol=1 << 32))):
        with pytest.raises(UsageError, match=r"size|protocol"):
            Built(record, lib.library)


@isolated()
def test_what_is_offered() -> None:
    lib = provider()
    everything = lib.getinfo()
    assert {info.fabric_attr.prov_name for info in everything} >= {"tcp", "udp", "shm"}
    assert all(isinstance(info.raw, RawInfo) for info in everything)

    [info, *_] = offers(lib, hints_for("tcp", "MSG", Flag.MSG), service="7471")
    assert info.fabric_attr.prov_name == "tcp"
    assert info.fabric_attr.api_version == min(lib.version(), (2, 6))
    assert info.ep_attr.type is EpType.MSG
    assert info.src_addr[2:8] == (7471).to_bytes(2, "big") + bytes([127, 0, 0, 1])
    [info, *_] = lib.getinfo(hints_for("tcp", "MSG", Flag.MSG), node=LOOPBACK, service="7471")
    assert info.dest_addr[2:8] == (7471).to_bytes(2, "big") + bytes([127, 0, 0, 1])
    plain = lib.getinfo(hints_for("tcp", "MSG", Flag.MSG), node=LOOPBACK, flags=Flag.NUMERICHOST)
    assert plain[0].dest_addr[4:8] == bytes([127, 0, 0, 1])
    assert len(lib.getinfo(flags=Flag.PROV_ATTR_ONLY)) == len(
        {info.fabric_attr.prov_name for info in lib.getinfo(flags=Flag.PROV_ATTR_ONLY)}
    )


@isolated()
def test_what_is_refused() -> None:
    lib = provider()
    nobody = Info()
    nobody.fabric_attr.prov_name = "no-such-provider"
    assert refused(lib.getinfo, nobody).code == Errno.ENODATA
    assert refused(lib.getinfo, version=(99, 0)).code == Errno.ENOSYS
    assert refused(lib.getinfo, hints_for("tcp", "MSG", Flag.MSG | Flag.TAGGED | Flag.MULTICAST)).code == Errno.ENODATA


@isolated()
def test_an_older_version_may_be_asked_for() -> None:
    lib = provider()
    [info, *_] = lib.getinfo(hints_for("tcp", "MSG", Flag.MSG), version=(1, 9), node=LOOPBACK, flags=Flag.SOURCE)
    assert info.fabric_attr.api_version == (1, 9)
    with lib.fabric(info) as fabric, fabric.domain(info):
        pass


@isolated()
def test_an_unchanged_offer_opens_its_own_record_a_changed_one_a_copy() -> None:
    lib = provider()
    info = offers(lib, hints_for("tcp", "MSG", Flag.MSG))[0]
    assert isinstance(info.raw, RawInfo)
    assert record_to_open(info, lib.library) == info.raw.record
    assert record_to_open(copy.deepcopy(info), lib.library) == info.raw.record

    info.tx_attr.size, info.tx_attr.op_flags = 17, Flag.DELIVERY_COMPLETE
    changed = record_to_open(info, lib.library)
    assert changed != info.raw.record
    assert (changed.tx_attr.size, changed.tx_attr.op_flags) == (17, Flag.DELIVERY_COMPLETE)
    assert from_record(changed, None, lib.library) == info
    assert from_record(info.raw.record, None, lib.library).tx_attr.size != 17
    with lib.fabric(info) as fabric, fabric.domain(info) as domain, domain.endpoint(info):
        pass


@isolated()
def test_a_record_lives_as_long_as_an_info_of_its_list() -> None:
    lib = provider()
    listed = offers(lib, hints_for("sockets", "RDM", Flag.MSG))
    owner = raw_of(listed[0])._owner
    alive = weakref.ref(owner)
    kept = listed[-1]
    before = copy.deepcopy(kept)
    del listed, owner
    gc.collect()
    assert alive() is not None
    assert from_record(raw_of(kept).record, None, lib.library) == before
    duplicate_of_it = lib.dupinfo(kept)
    del kept, before
    gc.collect()
    assert alive() is None
    lib.fabric(duplicate_of_it).close()


@isolated()
def test_an_offer_travels_without_its_record() -> None:
    lib = provider()
    info = offers(lib, hints_for("sockets", "RDM", Flag.MSG | Flag.RMA))[0]
    there = pickle.loads(pickle.dumps(info))
    assert there == info
    assert there.raw is None
    with lib.fabric(there) as fabric, fabric.domain(there) as domain, domain.endpoint(there):
        pass


@isolated()
def test_a_copy_is_the_library_s_own_and_has_the_changes() -> None:
    lib = provider()
    info = offers(lib, hints_for("tcp", "MSG", Flag.MSG))[0]
    info.rx_attr.size = 33
    twin = lib.dupinfo(info)
    assert twin == info
    assert twin.raw is not info.raw
    twin.rx_attr.size = 34
    assert lib.dupinfo(info).rx_attr.size == 33


def test_a_device_that_nobody_describes_is_absent() -> None:
    lib = provider()
    built = Built(Info(), lib.library)
    record = built.record
    assert from_record(record, None, lib.library).nic is None
    nic, device = ffi.new("struct fid_nic *"), ffi.new("struct fi_device_attr *")
    link, bus = ffi.new("struct fi_link_attr *"), ffi.new("struct fi_bus_attr *")
    name = ffi.new("char[]", b"rxe0")
    device.name, link.mtu, link.speed, link.state = name, 4096, 10**11, 2
    bus.bus_type, bus.attr.pci.bus_id, bus.attr.pci.function_id = 1, 0x3B, 1
    nic.device_attr, nic.link_attr, nic.bus_attr = device, link, bus
    record.nic = nic
    assert from_record(record, None, lib.library).nic == NicAttr(
        name="rxe0", mtu=4096, speed=10**11, link_state=2, pci=(0, 0x3B, 0, 1)
    )


def test_mode_and_mr_mode_are_passed_as_they_are() -> None:
    lib = provider()
    built = Built(Info(mode=Mode.CONTEXT), lib.library)
    assert built.record.mode == Mode.CONTEXT
    assert built.record.domain_attr.mr_mode == 0
    hints = hints_for("tcp", "MSG", Flag.MSG)
    built = Built(hints, lib.library)
    assert built.record.domain_attr.mr_mode == MR_MODE
