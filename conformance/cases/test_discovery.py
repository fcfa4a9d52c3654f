# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Discovery: what ``getinfo`` may answer, and that an answer can be used as it is."""

from __future__ import annotations

import gc
import socket
import struct
import threading
from dataclasses import fields

from hypothesis import strategies as st

from kfabric.api import (
    AddrFormat,
    AvAttr,
    AvType,
    CqAttr,
    EpType,
    EqAttr,
    Errno,
    FabricError,
    Flag,
    Info,
    Mode,
    MrMode,
    Order,
    Progress,
    ResourceMgmt,
    Threading,
)
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Kit

PRIMARY = (
    Flag.MSG
    | Flag.RMA
    | Flag.TAGGED
    | Flag.ATOMIC
    | Flag.MULTICAST
    | Flag.NAMED_RX_CTX
    | Flag.DIRECTED_RECV
    | Flag.VARIABLE_MSG
    | Flag.HMEM
    | Flag.COLLECTIVE
)
SECONDARY = (
    Flag.MULTI_RECV
    | Flag.SOURCE
    | Flag.RMA_EVENT
    | Flag.SHARED_AV
    | Flag.TRIGGER
    | Flag.FENCE
    | Flag.LOCAL_COMM
    | Flag.REMOTE_COMM
    | Flag.SOURCE_ERR
    | Flag.RMA_PMEM
)
RMA_MODIFIERS = Flag.READ | Flag.WRITE | Flag.REMOTE_READ | Flag.REMOTE_WRITE
SOCKADDRS = (AddrFormat.SOCKADDR_IN, AddrFormat.SOCKADDR_IN6, AddrFormat.SOCKADDR_IB)
IMPOSSIBLE = 1 << 60


def bare(kit: Kit) -> Info:
    """Hints that ask for the configuration's endpoint type and accept its modes, and nothing else."""
    hints = Info(mode=kit.hints().mode)
    hints.fabric_attr.prov_name = kit.info.fabric_attr.prov_name
    hints.ep_attr.type = kit.info.ep_attr.type
    hints.domain_attr.mr_mode = kit.hints().domain_attr.mr_mode
    return hints


def chosen(word: int, bits: list[bool]) -> int:
    """The set bits of ``word`` for which ``bits`` (cycled) is true."""
    positions = [position for position in range(64) if word >> position & 1]
    return sum(1 << position for index, position in enumerate(positions) if bits[index % len(bits)])


@requirement("OFI-INFO-001", "OFI-INFO-003", "OFI-INFO-005", "OFI-INFO-007", "OFI-INFO-009")
def test_returned_entries_meet_the_hints(local: Local) -> None:
    """An entry that lacks what was asked for, or brings a duty that was not accepted, misleads the application."""
    local.check(entries_meet_hints, st.tuples(*[st.lists(st.booleans(), min_size=4, max_size=20)] * 3))


def entries_meet_hints(kit: Kit, value: tuple[list[bool], list[bool], list[bool]]) -> None:
    caps_bits, order_bits, mode_bits = value
    hints = bare(kit)
    hints.caps = Flag(chosen(kit.info.caps & (PRIMARY | SECONDARY), caps_bits))
    orders = Order(chosen(kit.info.tx_attr.msg_order & kit.info.rx_attr.msg_order, order_bits))
    hints.tx_attr.msg_order = hints.rx_attr.msg_order = orders
    hints.mode = Mode(chosen(int(Mode.CONTEXT | Mode.CONTEXT2 | Mode.MSG_PREFIX | Mode.RX_CQ_DATA), mode_bits))
    for entry in kit.offers(hints):
        if hints.caps:
            kit.check(
                "OFI-INFO-001",
                entry.caps & hints.caps == hints.caps,
                "every capability asked for is set",
                seen=repr(entry.caps),
                wanted=repr(hints.caps),
            )
            extra = entry.caps & PRIMARY & ~hints.caps
            kit.check(
                "OFI-INFO-003", not extra, "no primary capability is set that was not asked for", seen=repr(extra)
            )
        kit.check(
            "OFI-INFO-005",
            not entry.mode & ~hints.mode,
            "no mode bit is set that was not offered",
            seen=repr(entry.mode),
            wanted=repr(hints.mode),
        )
        kit.check("OFI-INFO-007", entry.ep_attr.type == hints.ep_attr.type, "the endpoint type is the one asked for")
        for side, got in (("tx_attr", entry.tx_attr.msg_order), ("rx_attr", entry.rx_attr.msg_order)):
            if orders:
                kit.check(
                    "OFI-INFO-009",
                    got & orders == orders,
                    f"{side}.msg_order has every bit asked for",
                    seen=repr(got),
                    wanted=repr(orders),
                )


@requirement("OFI-INFO-002")
def test_impossible_hints_get_nodata(local: Local) -> None:
    """An application that asks for the impossible must learn so, not get something else."""
    local.run(impossible_hints)


def impossible_hints(kit: Kit) -> None:
    def ask(what: str, spoil: str, value: object) -> None:
        hints = bare(kit)
        *path, name = spoil.split(".")
        target: object = hints
        for step in path:
            target = getattr(target, step)
        setattr(target, name, value)
        try:
            found = kit.provider.getinfo(hints)
        except FabricError as error:
            kit.check("OFI-INFO-002", error.code == Errno.ENODATA, f"{what} is answered with ENODATA", seen=str(error))
            return
        ours = [entry for entry in found if entry.fabric_attr.prov_name == kit.info.fabric_attr.prov_name]
        kit.check("OFI-INFO-002", not ours, f"{what} is answered with ENODATA", seen=f"{len(ours)} entries")

    for name in ("inject_size", "size", "iov_limit"):
        ask(f"tx_attr.{name} of 2^60", f"tx_attr.{name}", IMPOSSIBLE)
    for name in ("size", "iov_limit"):
        ask(f"rx_attr.{name} of 2^60", f"rx_attr.{name}", IMPOSSIBLE)
    ask("a domain name that does not exist", "domain_attr.name", "no-such-domain")
    ask("a fabric name that does not exist", "fabric_attr.name", "no-such-fabric")
    missing = (PRIMARY | SECONDARY) & ~Flag(_all_caps(kit))
    for position in range(64):
        if missing >> position & 1:
            ask(
                f"{Flag(1 << position)!r}, which no entry offers,",
                "caps",
                kit.info.caps & PRIMARY | Flag(1 << position),
            )


def _all_caps(kit: Kit) -> int:
    """Everything the provider offers in some entry of this endpoint type, with any obligation."""
    hints = bare(kit)
    hints.mode = Mode((1 << 60) - 1)
    hints.domain_attr.mr_mode = MrMode((1 << 12) - 1 & ~3)
    caps = 0
    for entry in kit.offers(hints):
        caps |= int(entry.caps)
    for position in range(64):
        hints.caps = Flag(1 << position)
        if hints.caps & SECONDARY and not caps >> position & 1 and kit.offers(hints):
            caps |= 1 << position
    return caps


@requirement("OFI-INFO-004")
def test_msg_alone_means_both_directions(local: Local) -> None:
    """FI_MSG without modifier is a two-way street."""
    local.run(msg_both_ways)


def msg_both_ways(kit: Kit) -> None:
    hints = kit.hints()
    hints.caps = Flag.MSG
    hints.tx_attr.caps = hints.rx_attr.caps = Flag.NONE
    hints.tx_attr.op_flags = hints.rx_attr.op_flags = Flag.NONE
    found = [entry for entry in kit.offers(hints) if entry.domain_attr.name == kit.info.domain_attr.name]
    kit.require("OFI-INFO-004", found, "FI_MSG by itself is offered, since FI_MSG with more is")
    entry = found[0]
    kit.check("OFI-INFO-004", entry.tx_attr.caps & Flag.SEND or entry.caps & Flag.SEND, "it can send")
    kit.check("OFI-INFO-004", entry.rx_attr.caps & Flag.RECV or entry.caps & Flag.RECV, "it can receive")


@requirement("OFI-INFO-006")
def test_mr_mode_is_limited_by_the_hints(local: Local) -> None:
    """A registration mode is an obligation: only those that the application accepted may come back."""
    local.check(mr_modes, st.lists(st.booleans(), min_size=10, max_size=10))


def mr_modes(kit: Kit, bits: list[bool]) -> None:
    hints = bare(kit)
    hints.domain_attr.mr_mode = MrMode(chosen(((1 << 12) - 1) & ~3, bits))
    for entry in kit.offers(hints):
        extra = entry.domain_attr.mr_mode & ~hints.domain_attr.mr_mode
        kit.check("OFI-INFO-006", not extra, "no registration mode is set that was not offered", seen=repr(extra))
    if not kit.offers(hints):
        kit.check("OFI-INFO-006", True, "no registration mode is set that was not offered")


@requirement("OFI-INFO-008")
def test_sizes_are_not_below_the_hints(local: Local) -> None:
    """A size that was asked for and granted smaller breaks the application that relies on it."""
    local.check(sizes_hold, st.integers(1, 100))


SIZES = (
    ("tx_attr", "inject_size"),
    ("tx_attr", "size"),
    ("tx_attr", "iov_limit"),
    ("tx_attr", "rma_iov_limit"),
    ("rx_attr", "size"),
    ("rx_attr", "iov_limit"),
    ("rx_attr", "total_buffered_recv"),
    ("ep_attr", "max_msg_size"),
    ("ep_attr", "max_order_raw_size"),
    ("ep_attr", "max_order_war_size"),
    ("ep_attr", "max_order_waw_size"),
)


def sizes_hold(kit: Kit, percent: int) -> None:
    for record, name in SIZES:
        offered = getattr(getattr(kit.info, record), name)
        wanted = offered if percent == 100 else offered * percent // 100
        if not wanted:
            continue
        hints = bare(kit)
        hints.caps = kit.info.caps & (PRIMARY | SECONDARY)
        setattr(getattr(hints, record), name, wanted)
        for entry in kit.offers(hints):
            got = getattr(getattr(entry, record), name)
            kit.check("OFI-INFO-008", got >= wanted, f"{record}.{name} is not below the hint", seen=got, wanted=wanted)


@requirement("OFI-INFO-010", "OFI-INFO-011", "OFI-INFO-022", "OFI-INFO-023")
def test_names_formats_and_open_objects_select(local: Local) -> None:
    """Names, address format and objects that are open already narrow the answer to what they name."""
    local.run(selectors)


def selectors(kit: Kit) -> None:
    fabric, domain = kit.info.fabric_attr.name, kit.info.domain_attr.name
    hints = bare(kit)
    hints.fabric_attr.name, hints.domain_attr.name = fabric, domain
    found = kit.offers(hints)
    kit.check("OFI-INFO-010", found, "names that an entry carried find an entry again", seen=(fabric, domain))
    for entry in found:
        names = (entry.fabric_attr.name, entry.domain_attr.name)
        kit.check("OFI-INFO-010", names == (fabric, domain), "entries carry the names asked for", seen=names)
    for wanted in {AddrFormat(int(entry.addr_format)) for entry in kit.offers(bare(kit))} | {AddrFormat.SOCKADDR}:
        hints = bare(kit)
        hints.addr_format = wanted
        specific = SOCKADDRS if wanted == AddrFormat.SOCKADDR else ()
        for entry in kit.offers(hints):
            kit.check(
                "OFI-INFO-011",
                entry.addr_format in (wanted, *specific),
                "entries have the address format asked for",
                seen=entry.addr_format,
                wanted=wanted.name,
            )
    hints = bare(kit)
    hints.domain_attr.domain = kit.domain.fid
    for entry in kit.offers(hints):
        kit.check(
            "OFI-INFO-022",
            entry.domain_attr.name == domain,
            "entries are of the open domain",
            seen=entry.domain_attr.name,
        )
    hints = bare(kit)
    hints.fabric_attr.fabric = kit.fabric.fid
    for entry in kit.offers(hints):
        kit.check(
            "OFI-INFO-023",
            entry.fabric_attr.name == fabric,
            "entries are of the open fabric",
            seen=entry.fabric_attr.name,
        )


@requirement("OFI-INFO-012")
def test_completion_levels_asked_for_are_granted(local: Local) -> None:
    """A level that was asked for and silently dropped is a weaker promise than the application builds on."""
    local.run(levels_granted)


def levels_granted(kit: Kit) -> None:
    for level in (Flag.INJECT_COMPLETE, Flag.TRANSMIT_COMPLETE, Flag.DELIVERY_COMPLETE):
        hints = bare(kit)
        hints.tx_attr.op_flags = level
        found = kit.offers(hints)
        for entry in found:
            kit.check(
                "OFI-INFO-012",
                entry.tx_attr.op_flags & level,
                f"{level.name} stands in tx_attr.op_flags",
                seen=repr(entry.tx_attr.op_flags),
            )
        if not found:
            kit.check("OFI-INFO-012", True, f"{level.name} is not granted, and no entry pretends so")


@requirement("OFI-INFO-013")
def test_newer_version_is_refused(local: Local) -> None:
    """An application built for a newer interface must learn that this is not it."""
    local.run(newer_version)


def newer_version(kit: Kit) -> None:
    major, minor = kit.provider.version()
    kit.refused("OFI-INFO-013", Errno.ENOSYS, kit.provider.getinfo, bare(kit), version=(major, minor + 1))


@requirement("OFI-INFO-014")
def test_prov_attr_only(local: Local) -> None:
    """FI_PROV_ATTR_ONLY asks who is there: one entry each."""
    local.run(prov_attr_only)


def prov_attr_only(kit: Kit) -> None:
    hints = Info()
    hints.fabric_attr.prov_name = kit.info.fabric_attr.prov_name
    found = [
        e
        for e in kit.provider.getinfo(hints, flags=Flag.PROV_ATTR_ONLY)
        if e.fabric_attr.prov_name == hints.fabric_attr.prov_name
    ]
    kit.check("OFI-INFO-014", len(found) == 1, "the provider has exactly one entry", seen=len(found), wanted=1)


@requirement("OFI-INFO-015")
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


@requirement(
    "OFI-INFO-016", "OFI-INFO-017", "OFI-INFO-018", "OFI-INFO-020", "OFI-INFO-021", "FPM-INFO-001", "OFI-ORD-017"
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


@requirement("OFI-INFO-019")
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


@requirement("OFI-INFO-024")
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


@requirement("OFI-INFO-026")
def test_address_vector_type_asked_for_can_be_opened(local: Local) -> None:
    """A promised kind of address vector must exist."""
    local.run(av_type_opens)


def av_type_opens(kit: Kit) -> None:
    for kind in (AvType.MAP, AvType.TABLE):
        hints = bare(kit)
        hints.domain_attr.av_type = kind
        found = [entry for entry in kit.offers(hints) if entry.domain_attr.name == kit.info.domain_attr.name]
        for entry in found[:2]:
            domain = kit.keep(kit.keep(kit.provider.fabric(entry)).domain(entry))
            kit.accepted(
                "OFI-INFO-026", domain.av_open, AvAttr(type=kind), sentence=f"a vector of type {kind.name} opens"
            )
        if not found:
            kit.check("OFI-INFO-026", True, f"{kind.name} is not granted, and no entry pretends so")


@requirement("OFI-INFO-027")
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


@requirement("OFI-PRG-009", "OFI-PRG-010", "OFI-RM-012")
def test_progress_threading_and_resource_management_asked_for(local: Local) -> None:
    """What the application asks for here changes how it may call the provider at all."""
    local.run(models_asked_for)


def models_asked_for(kit: Kit) -> None:
    hints = bare(kit)
    hints.domain_attr.data_progress = Progress.AUTO
    found = kit.offers(hints)
    for entry in found:
        kit.check(
            "OFI-PRG-009",
            entry.domain_attr.data_progress == Progress.AUTO,
            "data progress is automatic",
            seen=entry.domain_attr.data_progress,
        )
    if not found:
        kit.check("OFI-PRG-009", True, "automatic progress is not granted, and no entry pretends so")
    hints = bare(kit)
    hints.domain_attr.threading = Threading.SAFE
    found = kit.offers(hints)
    kit.check("OFI-PRG-010", found, "FI_THREAD_SAFE is offered", seen=len(found))
    for entry in found:
        kit.check(
            "OFI-PRG-010",
            entry.domain_attr.threading == Threading.SAFE,
            "threading is FI_THREAD_SAFE",
            seen=entry.domain_attr.threading,
        )
    hints = bare(kit)
    hints.domain_attr.resource_mgmt = ResourceMgmt.ENABLED
    for entry in kit.offers(hints):
        kit.check(
            "OFI-RM-012",
            entry.domain_attr.resource_mgmt == ResourceMgmt.ENABLED,
            "resource management is enabled",
            seen=entry.domain_attr.resource_mgmt,
        )
    if not kit.offers(hints):
        kit.check("OFI-RM-012", True, "resource management is not granted, and no entry pretends so")
