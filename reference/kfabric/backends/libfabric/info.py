# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""``struct fi_info`` to ``Info`` and back.

Owns: the table of fields, and the rule by which an ``Info`` is opened. An answer carries its raw record: while nothing
in it was changed that very record is opened. Otherwise a record is built from all the fields (on top of the raw one, so
that what Python does not see, such as the device, stays) and copied by the library, because only the library knows how
large its own structures are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from kfabric._native import ffi
from kfabric.api import (
    AddrFormat,
    AvType,
    DomainAttr,
    EpAttr,
    EpType,
    FabricAttr,
    Flag,
    Info,
    Mode,
    MrMode,
    NicAttr,
    Order,
    Progress,
    ResourceMgmt,
    RxAttr,
    Threading,
    TxAttr,
    UsageError,
)

from .._loader import Library
from .calls import NULL, address_of, member, text_of

Attr = TypeVar("Attr", TxAttr, RxAttr, EpAttr, DomainAttr)
Fields = Mapping[str, Callable[[int], Any]]


def _numbers(*names: str) -> dict[str, Callable[[int], Any]]:
    return dict.fromkeys(names, int)


TX: Fields = {
    "caps": Flag,
    "mode": Mode,
    "op_flags": Flag,
    "msg_order": Order,
    "comp_order": Order,
    **_numbers("inject_size", "size", "iov_limit", "rma_iov_limit", "tclass"),
}
RX: Fields = {
    "caps": Flag,
    "mode": Mode,
    "op_flags": Flag,
    "msg_order": Order,
    "comp_order": Order,
    **_numbers("total_buffered_recv", "size", "iov_limit"),
}
EP: Fields = {
    "type": member(EpType),
    **_numbers("protocol", "protocol_version", "max_msg_size", "msg_prefix_size", "max_order_raw_size"),
    **_numbers("max_order_war_size", "max_order_waw_size", "mem_tag_format", "tx_ctx_cnt", "rx_ctx_cnt"),
}
DOMAIN: Fields = {
    "threading": member(Threading),
    "control_progress": member(Progress),
    "data_progress": member(Progress),
    "resource_mgmt": member(ResourceMgmt),
    "av_type": member(AvType),
    "mr_mode": MrMode,
    **_numbers("mr_key_size", "cq_data_size", "cq_cnt", "ep_cnt", "tx_ctx_cnt", "rx_ctx_cnt", "max_ep_tx_ctx"),
    **_numbers("max_ep_rx_ctx", "max_ep_stx_ctx", "max_ep_srx_ctx", "cntr_cnt", "mr_iov_limit"),
    "caps": Flag,
    "mode": Mode,
    **_numbers("max_err_data", "mr_cnt", "tclass"),
}
DOMAIN_LATER = _numbers("max_ep_auth_key", "max_group_id", "max_cntr_value", "max_err_cntr_value")
"""Fields of the domain that a library may not have; its release decides."""


class RawInfo:
    """A ``struct fi_info`` of the library and what keeps it alive. Shared, never changed; stays in its process."""

    __slots__ = ("_owner", "record")

    def __init__(self, record: Any, owner: Any) -> None:
        self.record = record
        self._owner = owner

    def __deepcopy__(self, memo: object) -> RawInfo:
        return self

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return _nothing, ()


def _nothing() -> None:
    """What a raw record becomes in another process."""


# -- from C ------------------------------------------------------------------------------------------------------------
def _read(struct: Any, fields: Fields) -> dict[str, Any]:
    return {name: convert(getattr(struct, name)) for name, convert in fields.items()}


def _bytes(pointer: Any, size: int) -> bytes:
    return bytes(ffi.buffer(ffi.cast("char *", pointer), size)) if pointer and size else b""


def _version(number: int) -> tuple[int, int]:
    return number >> 16, number & 0xFFFF


def tx_attr(struct: Any) -> TxAttr:
    """``struct fi_tx_attr``; NULL gives an empty one."""
    return TxAttr(**_read(struct, TX)) if struct else TxAttr()


def rx_attr(struct: Any) -> RxAttr:
    """``struct fi_rx_attr``; NULL gives an empty one."""
    return RxAttr(**_read(struct, RX)) if struct else RxAttr()


def _ep_attr(struct: Any) -> EpAttr:
    if not struct:
        return EpAttr()
    return EpAttr(**_read(struct, EP), auth_key=_bytes(struct.auth_key, struct.auth_key_size))


def _domain_attr(struct: Any, library: Library) -> DomainAttr:
    if not struct:
        return DomainAttr()
    later = {name: int for name in DOMAIN_LATER if library.has_domain_attr(name)}
    return DomainAttr(
        name=text_of(struct.name),
        **_read(struct, DOMAIN),
        **_read(struct, later),
        auth_key=_bytes(struct.auth_key, struct.auth_key_size),
        domain=address_of(struct.domain),
    )


def _fabric_attr(struct: Any) -> FabricAttr:
    if not struct:
        return FabricAttr()
    return FabricAttr(
        name=text_of(struct.name),
        prov_name=text_of(struct.prov_name),
        prov_version=_version(struct.prov_version),
        api_version=_version(struct.api_version),
        fabric=address_of(struct.fabric),
    )


def _nic(nic: Any) -> NicAttr | None:
    if not nic:
        return None
    words: dict[str, Any] = {}
    if device := nic.device_attr:
        for name in ("name", "device_id", "device_version", "vendor_id", "driver", "firmware"):
            words[name] = text_of(getattr(device, name))
    if nic.bus_attr and nic.bus_attr.bus_type == 1:  # FI_BUS_PCI
        pci = nic.bus_attr.attr.pci
        words["pci"] = (pci.domain_id, pci.bus_id, pci.device_id, pci.function_id)
    if link := nic.link_attr:
        words.update(address=text_of(link.address), mtu=link.mtu, speed=link.speed)
        words.update(link_state=int(link.state), network_type=text_of(link.network_type))
    return NicAttr(**words)


def from_record(record: Any, owner: Any, library: Library) -> Info:
    """The ``Info`` for one record; ``owner`` keeps the record's memory alive for as long as the Info lives."""
    return Info(
        caps=Flag(record.caps),
        mode=Mode(record.mode),
        addr_format=member(AddrFormat)(record.addr_format),
        src_addr=_bytes(record.src_addr, record.src_addrlen),
        dest_addr=_bytes(record.dest_addr, record.dest_addrlen),
        tx_attr=tx_attr(record.tx_attr),
        rx_attr=rx_attr(record.rx_attr),
        ep_attr=_ep_attr(record.ep_attr),
        domain_attr=_domain_attr(record.domain_attr, library),
        fabric_attr=_fabric_attr(record.fabric_attr),
        handle=address_of(record.handle),
        nic=_nic(record.nic),
        raw=RawInfo(record, owner),
    )


def owned(record: Any, library: Library) -> Info:
    """The ``Info`` for a record that is ours to free: from dupinfo, or from a connection request."""
    return from_record(record, ffi.gc(record, library.calls.freeinfo), library)


def from_list(head: Any, library: Library) -> list[Info]:
    """All the records of a list that is ours to free; the list lives as long as any of them."""
    owner = ffi.gc(head, library.calls.freeinfo)
    infos = []
    record = head
    while record:
        infos.append(from_record(record, owner, library))
        record = record.next
    return infos


# -- to C --------------------------------------------------------------------------------------------------------------
class Built:
    """An ``fi_info`` made of our own memory. Good as hints and as what dupinfo copies, never to be opened or freed."""

    def __init__(self, info: Info, library: Library) -> None:
        self._alive: list[Any] = []
        base = info.raw.record if isinstance(info.raw, RawInfo) else NULL
        self.record = record = self._new("struct fi_info", base)
        record.next = NULL
        record.caps, record.mode, record.addr_format = int(info.caps), int(info.mode), int(info.addr_format)
        record.src_addr, record.src_addrlen = self._blob("char[]", info.src_addr)
        record.dest_addr, record.dest_addrlen = self._blob("char[]", info.dest_addr)
        record.handle = ffi.cast("struct fid *", info.handle)
        record.tx_attr = self._attr("struct fi_tx_attr", base and base.tx_attr, info.tx_attr, TX)
        record.rx_attr = self._attr("struct fi_rx_attr", base and base.rx_attr, info.rx_attr, RX)
        record.ep_attr = ep = self._attr("struct fi_ep_attr", base and base.ep_attr, info.ep_attr, EP)
        ep.auth_key, ep.auth_key_size = self._blob("uint8_t[]", info.ep_attr.auth_key)
        self._domain(info.domain_attr, base and base.domain_attr, library)
        self._fabric(info.fabric_attr, base and base.fabric_attr)

    def _domain(self, attr: DomainAttr, base: Any, library: Library) -> None:
        struct = self._attr("struct fi_domain_attr", base, attr, DOMAIN, library.domain_attr_size)
        for name in DOMAIN_LATER:
            setattr(struct, name, getattr(attr, name))
        struct.name = self._text(attr.name)
        struct.auth_key, struct.auth_key_size = self._blob("uint8_t[]", attr.auth_key)
        struct.domain = ffi.cast("struct fid_domain *", attr.domain)
        self.record.domain_attr = struct

    def _fabric(self, attr: FabricAttr, base: Any) -> None:
        struct = self._new("struct fi_fabric_attr", base)
        struct.name = self._text(attr.name)
        struct.prov_name = self._text(attr.prov_name)
        struct.prov_version = attr.prov_version[0] << 16 | attr.prov_version[1]
        struct.api_version = attr.api_version[0] << 16 | attr.api_version[1]
        struct.fabric = ffi.cast("struct fid_fabric *", attr.fabric)
        self.record.fabric_attr = struct

    def _new(self, struct: str, base: Any, size: int | None = None) -> Any:
        made = ffi.new(f"{struct} *")
        self._alive.append(made)
        if base:
            ffi.memmove(made, base, ffi.sizeof(struct) if size is None else size)
        return made

    def _attr(self, struct: str, base: Any, attr: object, fields: Fields, size: int | None = None) -> Any:
        made = self._new(struct, base, size)
        write(made, attr, fields)
        return made

    def _text(self, text: str) -> Any:
        return self._blob("char[]", text.encode("utf-8", "surrogateescape") + b"\0")[0] if text else NULL

    def _blob(self, kind: str, data: bytes) -> tuple[Any, int]:
        if not data:
            return NULL, 0
        made = ffi.new(kind, len(data))
        ffi.memmove(made, data, len(data))
        self._alive.append(made)
        return made, len(data)


def write(struct: Any, attr: object, fields: Fields) -> None:
    """Put the plain fields of an attribute record into its structure. Raises UsageError for what C cannot hold."""
    for name in fields:
        value = getattr(attr, name)
        try:
            setattr(struct, name, int(value))
        except (OverflowError, TypeError, ValueError):
            raise UsageError(f"{type(attr).__name__}.{name} cannot be {value!r}") from None


def _pointers(info: Info) -> tuple[int, int, int]:
    return info.handle, info.domain_attr.domain, info.fabric_attr.fabric


def record_to_open(info: Info, library: Library) -> Any:
    """The record by which ``info`` is opened; the caller keeps it while the call runs."""
    if isinstance(info.raw, RawInfo):
        now = from_record(info.raw.record, None, library)
        if now == info and _pointers(now) == _pointers(info):
            return info.raw.record
    return duplicate(info, library)


def duplicate(info: Info, library: Library) -> Any:
    """A copy made by the library, freed when the result goes. The handle goes along, which the library need not do."""
    built = Built(info, library)
    copy = library.calls.dupinfo(built.record)
    if not copy:
        raise MemoryError("fi_dupinfo")
    copy.handle = built.record.handle
    return ffi.gc(copy, library.calls.freeinfo)


def updated(attr: Attr, struct: Any, fields: Fields) -> Attr:
    """The attribute record with what a call wrote back into its structure."""
    return dataclasses.replace(attr, **_read(struct, fields))
