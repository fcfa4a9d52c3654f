# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Discovery: the calls, and that an answer is consistent and can be used as it is."""

from __future__ import annotations

import gc
import socket
import struct
import threading
from dataclasses import fields

from kfabric.api import AddrFormat, AvAttr, AvType, CqAttr, EpType, EqAttr, Errno, Flag, Info, Mode, Order
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Kit, bare

RMA_MODIFIERS = Flag.READ | Flag.WRITE | Flag.REMOTE_READ | Flag.REMOTE_WRITE


@requirement("OFI-INFO-013", once=True)
def test_newer_version_is_refused(local: Local) -> None:
    """An application built for a newer interface must learn that this is not it."""
    local.run(newer_version)


def newer_version(kit: Kit) -> None:
    major, minor = kit.provider.version()
    kit.refused("OFI-INFO-013", Errno.ENOSYS, kit.provider.getinfo, bare(kit), version=(major, minor + 1))


@requirement("OFI-INFO-014", once=True)
def test_prov_attr_only(local: Local) -> None:
    """FI_PROV_ATTR_ONLY asks who is there: one entry each."""
    local.run(prov_attr_only)


def prov_attr_only(kit: Kit) -> None:
    names = [entry.fabric_attr.prov_name for entry in kit.provider.getinfo(flags=Flag.PROV_ATTR_ONLY)]
    for part in kit.info.fabric_attr.prov_name.split(";"):  # a layered provider is several, and each speaks for itself
        seen = names.count(part)
        kit.check("OFI-INFO-014", seen == 1, f"{part} has exactly one entry", seen=f"{seen} entries", wanted="one")


@requirement("OFI-INFO-015", once=True)
def test_dupinfo_is_a_copy_of_its_own(local: Local) -> None:
    """A copy that shares memory with its original dies with it."""
    local.run(dupinfo)


def dupinfo(kit: Kit) -> None:
    for original in kit.offers(bare(kit)):
        copy = kit.provider.dupinfo(original)
        for field in fields(Info):
            if field.compare:
                seen, wanted = getattr(copy, field.name), getattr(original, field.name)
                kit.check(
                    "OFI-INFO-015", seen == wanted, f"{field.name} is equal", seen=repr(seen), wanted=repr(wanted)
                )
        again = kit.provider.dupinfo(copy)
        text = kit.provider.tostr(copy, "INFO")
        del original, copy
        gc.collect()
        kit.check("OFI-INFO-015", kit.provider.tostr(again, "INFO") == text, "the copy outlives its original unchanged")
        size, again.tx_attr.size = again.tx_attr.size, again.tx_attr.size + 1
        third = kit.provider.dupinfo(again)
        third.tx_attr.size = size
        kit.check(
            "OFI-INFO-015", again.tx_attr.size == size + 1, "what is changed in a copy stays as it was in the original"
        )


@requirement(
    "OFI-INFO-016",
    "OFI-INFO-017",
    "OFI-INFO-018",
    "OFI-INFO-020",
    "OFI-INFO-021",
    "FPM-INFO-001",
    "OFI-ORD-017",
    once=True,
)
def test_attributes_are_consistent(local: Local) -> None:
    """Attributes that contradict each other leave the application nothing to rely on."""
    local.run(consistent_attributes)


def consistent_attributes(kit: Kit) -> None:
    for entry in (kit.info, *kit.offers(bare(kit))):
        for name, caps in (("tx_attr", entry.tx_attr.caps), ("rx_attr", entry.rx_attr.caps)):
            extra = caps & ~entry.caps
            kit.check("OFI-INFO-016", not extra, f"{name}.caps is within the caps of the entry", seen=repr(extra))
        if not entry.caps & (Flag.RMA | Flag.ATOMIC):
            kit.check(
                "OFI-INFO-017",
                not entry.caps & RMA_MODIFIERS,
                "no RMA modifier without RMA or atomics",
                seen=repr(entry.caps),
            )
        else:
            kit.check("OFI-INFO-017", True, "the entry has RMA or atomics")
        caps = entry.caps
        kit.check(
            "OFI-INFO-018", not caps & Flag.SOURCE_ERR or caps & Flag.SOURCE, "FI_SOURCE_ERR comes with FI_SOURCE"
        )
        kit.check("OFI-INFO-018", not caps & Flag.MULTICAST or caps & Flag.MSG, "FI_MULTICAST comes with FI_MSG")
        kit.check(
            "OFI-INFO-018",
            not caps & Flag.RMA_EVENT or caps & (Flag.REMOTE_READ | Flag.REMOTE_WRITE),
            "FI_RMA_EVENT comes with FI_REMOTE_READ or FI_REMOTE_WRITE",
            seen=repr(caps),
        )
        kit.check(
            "FPM-INFO-001",
            not caps & Flag.RMA_PMEM or caps & Flag.RMA,
            "FI_RMA_PMEM comes with FI_RMA",
            seen=repr(caps),
        )
        size = entry.domain_attr.cq_data_size
        kit.check("OFI-INFO-020", size == 0 or size >= 4, "cq_data_size is 0 or at least 4", seen=size)
        prefix = entry.ep_attr.msg_prefix_size
        kit.check("OFI-INFO-021", prefix % 8 == 0, "msg_prefix_size is a multiple of 8", seen=prefix)
        kit.check(
            "OFI-INFO-021",
            prefix == 0 or entry.mode & Mode.MSG_PREFIX,
            "msg_prefix_size is 0 without FI_MSG_PREFIX",
            seen=prefix,
        )
        for bit, name in ((Order.RAW, "raw"), (Order.WAR, "war"), (Order.WAW, "waw")):
            wide = bit | Order[f"RMA_{bit.name}"] | Order[f"ATOMIC_{bit.name}"]
            if not entry.tx_attr.msg_order & wide:
                limit = getattr(entry.ep_attr, f"max_order_{name}_size")
                kit.check(
                    "OFI-ORD-017", limit == 0, f"max_order_{name}_size is 0 without the message order", seen=limit
                )
            else:
                kit.check("OFI-ORD-017", True, f"{bit.name} is promised")


@requirement("OFI-INFO-019", once=True)
def test_entries_open_unchanged(local: Local) -> None:
    """An offer that cannot be taken up is no offer."""
    local.run(entries_open)


def entries_open(kit: Kit) -> None:
    same = [entry for entry in kit.offers(bare(kit)) if entry.domain_attr.name == kit.info.domain_attr.name]
    for entry in (kit.info, *same):
        take_up(kit, "OFI-INFO-019", entry)


def take_up(kit: Kit, requirement_id: str, entry: Info) -> None:
    """Open everything up to an enabled endpoint from an entry."""
    fabric = kit.accepted(requirement_id, kit.provider.fabric, entry)
    domain = kit.accepted(requirement_id, fabric.domain, entry)
    ep = kit.accepted(requirement_id, domain.endpoint, entry)
    queue = kit.keep(domain.cq_open(CqAttr()))
    ep.bind(queue, Flag.TRANSMIT | Flag.RECV)
    if entry.ep_attr.type == EpType.MSG:
        ep.bind(kit.keep(fabric.eq_open(EqAttr())))
    else:
        ep.bind(kit.keep(domain.av_open(AvAttr(type=entry.domain_attr.av_type or AvType.MAP))))
    kit.accepted(requirement_id, ep.enable)


@requirement("OFI-INFO-024", once=True)
def test_source_address_is_the_one_asked_for(local: Local) -> None:
    """With FI_SOURCE the node and service are the local address."""
    local.run(source_address)


def source_address(kit: Kit) -> None:
    if kit.info.addr_format not in (AddrFormat.SOCKADDR_IN, AddrFormat.SOCKADDR_IN6):
        kit.inconclusive(
            "OFI-INFO-024", "the address format is the provider's own: its text form of a node is not specified"
        )
        return
    six = kit.info.addr_format == AddrFormat.SOCKADDR_IN6
    family, node = (socket.AF_INET6, "::1") if six else (socket.AF_INET, "127.0.0.1")
    port = 20000 + kit.random.randrange(10000)
    found = kit.offers(bare(kit), node=node, service=str(port), flags=Flag.SOURCE)
    kit.check("OFI-INFO-024", found, "a local address is offered", seen=(node, port))
    for entry in found:
        seen = parse_sockaddr(entry.src_addr)
        kit.check(
            "OFI-INFO-024",
            seen == (family, node, port),
            "src_addr is the address asked for",
            seen=seen,
            wanted=(family, node, port),
        )


def parse_sockaddr(raw: bytes) -> tuple[int, str, int] | None:
    if len(raw) < 8:
        return None
    family = struct.unpack_from("=H", raw)[0]
    port = struct.unpack_from("!H", raw, 2)[0]
    start, size = (8, 16) if family == socket.AF_INET6 else (4, 4)
    return family, socket.inet_ntop(family, raw[start : start + size]), port


@requirement("OFI-INFO-027", once=True)
def test_getinfo_from_several_threads(local: Local) -> None:
    """Discovery is the one call that needs no lock of the application's."""
    local.run(concurrent_getinfo)


def concurrent_getinfo(kit: Kit) -> None:
    def ask() -> list[str]:
        return [kit.provider.tostr(entry, "INFO") for entry in kit.offers(bare(kit))]

    wanted = [len(text) for text in ask()]
    seen: list[list[int]] = []

    def work() -> None:
        for _ in range(5):
            seen.append([len(text) for text in ask()])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kit.check(
        "OFI-INFO-027",
        len(seen) == 20 and all(len(got) == len(wanted) for got in seen),
        "every thread gets the same entries",
        seen=[len(g) for g in seen],
        wanted=len(wanted),
    )
