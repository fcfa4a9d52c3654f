# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Discovery: what hints select, and that nothing weaker is answered than what was asked for."""

from __future__ import annotations

from hypothesis import strategies as st

from kfabric.api import (
    AddrFormat,
    AvAttr,
    AvType,
    Errno,
    FabricError,
    Flag,
    Mode,
    MrMode,
    Order,
    Progress,
    ResourceMgmt,
    Threading,
)
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Kit, bare

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
SOCKADDRS = (AddrFormat.SOCKADDR_IN, AddrFormat.SOCKADDR_IN6, AddrFormat.SOCKADDR_IB)
IMPOSSIBLE = 1 << 60


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


@requirement("OFI-INFO-002", once=True)
def test_impossible_hints_get_nodata(local: Local) -> None:
    """An application that asks for the impossible must learn so, not get something else."""
    local.run(impossible_hints)


def impossible_hints(kit: Kit) -> None:
    for record, names in (("tx_attr", ("inject_size", "size", "iov_limit")), ("rx_attr", ("size", "iov_limit"))):
        for name in names:
            hints = bare(kit)
            setattr(getattr(hints, record), name, IMPOSSIBLE)
            try:
                found = kit.provider.getinfo(hints)
            except FabricError as error:
                nodata, seen = error.code == Errno.ENODATA, str(error)
            else:
                ours = [e for e in found if e.fabric_attr.prov_name == kit.info.fabric_attr.prov_name]
                nodata, seen = not ours, f"{len(ours)} entries"
            kit.check("OFI-INFO-002", nodata, f"{record}.{name} of 2^60 is answered with ENODATA", seen=seen)
    for position in range(64):
        if (PRIMARY | SECONDARY) >> position & 1:
            hints = bare(kit)
            hints.caps = kit.info.caps & PRIMARY | Flag(1 << position)
            weaker = [entry for entry in kit.offers(hints) if not entry.caps >> position & 1]
            bit = Flag(1 << position).name
            kit.check("OFI-INFO-002", not weaker, f"{bit} is offered, or there is no entry", seen=len(weaker))


@requirement("OFI-INFO-004", once=True)
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


@requirement("OFI-INFO-006", once=True)
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


@requirement("OFI-INFO-010", once=True)
def test_names_select(local: Local) -> None:
    """Fabric and domain names that were asked for are those of every entry, or there is none."""
    local.run(names_select)


def names_select(kit: Kit) -> None:
    fabric, domain = kit.info.fabric_attr.name, kit.info.domain_attr.name
    for asked in ((fabric, domain), (fabric, ""), ("", domain), ("no-such-fabric", ""), ("", "no-such-domain")):
        hints = bare(kit)
        hints.fabric_attr.name, hints.domain_attr.name = asked
        found = kit.offers(hints)
        for entry in found:
            names = (entry.fabric_attr.name, entry.domain_attr.name)
            right = all(name in ("", seen) for name, seen in zip(asked, names, strict=True))
            kit.check("OFI-INFO-010", right, "an entry carries the names asked for", seen=names, wanted=asked)
        if asked == (fabric, domain):
            kit.check("OFI-INFO-010", found, "names that an entry carried find an entry again", seen=asked)
        elif not found:
            kit.check("OFI-INFO-010", True, "no entry pretends to have the names asked for")


@requirement("OFI-INFO-011", once=True)
def test_address_format_selects(local: Local) -> None:
    """The application can read only the addresses whose format it asked for."""
    local.run(format_selects)


def format_selects(kit: Kit) -> None:
    offered = {AddrFormat(int(entry.addr_format)) for entry in kit.offers(bare(kit))}
    for wanted in sorted(offered | {AddrFormat.SOCKADDR}):
        hints = bare(kit)
        hints.addr_format = wanted
        specific = SOCKADDRS if wanted == AddrFormat.SOCKADDR else ()
        for entry in kit.offers(hints):
            kit.check(
                "OFI-INFO-011",
                entry.addr_format in (wanted, *specific),
                "entries have the address format asked for",
                seen=AddrFormat(int(entry.addr_format)).name,
                wanted=wanted.name,
            )


@requirement("OFI-INFO-022", "OFI-INFO-023", once=True)
def test_open_objects_select(local: Local) -> None:
    """Hints that name an open domain or fabric get entries of that one only."""
    local.run(open_objects_select)


def open_objects_select(kit: Kit) -> None:
    fabric, domain = kit.fabric, kit.domain
    hints = bare(kit)
    hints.domain_attr.domain = domain.fid
    for entry in kit.offers(hints):
        name = entry.domain_attr.name
        ours = name == kit.info.domain_attr.name
        kit.check("OFI-INFO-022", ours, "an entry is of the open domain", seen=name, wanted=kit.info.domain_attr.name)
    hints = bare(kit)
    hints.fabric_attr.fabric = fabric.fid
    for entry in kit.offers(hints):
        name = entry.fabric_attr.name
        ours = name == kit.info.fabric_attr.name
        kit.check("OFI-INFO-023", ours, "an entry is of the open fabric", seen=name, wanted=kit.info.fabric_attr.name)


@requirement("OFI-INFO-012", once=True)
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


@requirement("OFI-INFO-026", once=True)
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


@requirement("OFI-PRG-009", "OFI-PRG-010", "OFI-RM-012", once=True)
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
