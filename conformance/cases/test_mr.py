# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Memory regions as objects: keys, several buffers, flags, enabling. What keys protect: test_mr_programs."""

from __future__ import annotations

from hypothesis import strategies as st

from kfabric.api import KEY_NOTAVAIL, Errno, ErrorCompletion, FabricError, Flag, MrMode
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Guarded, Kit, Pair

REMOTE = Flag.REMOTE_READ | Flag.REMOTE_WRITE
NOBODYS_FLAG = 1 << 62
"""A flag bit that no registration defines."""


def fetch(kit: Kit, pair: Pair, addr: int, key: int, size: int) -> bytes:
    """Read ``size`` remote bytes of b into a; raises FabricError when the read fails."""
    into, context = kit.buffer(size, 0), kit.context()
    kit.post(
        pair.a.ep.read, into.view, addr=addr, key=key, desc=kit.desc(pair.a, into), src=pair.a.peer, context=context
    )
    kit.completion(pair.a, context)
    return into.data


def access(kit: Kit) -> Flag:
    return REMOTE | Flag.SEND | Flag.RECV | Flag.READ | Flag.WRITE


@requirement("OFI-MR-003", "OFI-MR-004", "OFI-MR-020", "OFI-MR-021", "FPM-MR-001")
def test_keys_give_access(local: Local) -> None:
    """The key that a registration returns opens exactly that region, whichever call registered it."""
    local.check(keys_give_access, st.tuples(st.integers(1, 1 << 16), st.integers(1, 600), st.booleans()))


def keys_give_access(kit: Kit, value: tuple[int, int, bool]) -> None:
    key, size, by_attr = value
    pair = kit.pair()
    buffer = kit.buffer(size)
    prov_key = bool(kit.info.domain_attr.mr_mode & MrMode.PROV_KEY)
    if by_attr:
        mr = kit.accepted(
            "OFI-MR-020",
            pair.b.domain.mr_regattr,
            [buffer.view],
            access(kit),
            requested_key=0 if prov_key else key,
            sentence="fi_mr_regattr registers",
        )
        kit.bind_region(pair.b, mr)
    else:
        mr = kit.register(pair.b, buffer, key=key).mr
    if not prov_key:
        kit.check("OFI-MR-003", mr.key == key, "the key is the one that was requested", seen=mr.key, wanted=key)
    addr = buffer.address if kit.info.domain_attr.mr_mode & (MrMode.VIRT_ADDR | MrMode.BASIC) else 0
    got = fetch(kit, pair, addr, mr.key, size)
    id_ = "OFI-MR-020" if by_attr else "OFI-MR-004"
    if kit.applies(id_):
        kit.check(id_, got == buffer.data, "a peer reads the region by its key")
    if not kit.info.domain_attr.mr_mode & (MrMode.LOCAL | MrMode.BASIC):
        kit.check("OFI-MR-021", got == buffer.data, "local buffers need no descriptor")
    if kit.applies("FPM-MR-001"):
        durable = kit.buffer(size)
        mr = kit.accepted(
            "FPM-MR-001",
            lambda: kit.register(pair.b, durable, flags=Flag.RMA_PMEM).mr,
            sentence="a region is registered with FI_RMA_PMEM",
        )
        addr = durable.address if kit.info.domain_attr.mr_mode & (MrMode.VIRT_ADDR | MrMode.BASIC) else 0
        kit.check("FPM-MR-001", fetch(kit, pair, addr, mr.key, size) == durable.data, "and read like any other")


@requirement("OFI-MR-017", "OFI-MR-018", "OFI-MR-023")
def test_registrations_that_are_refused(local: Local) -> None:
    """A key stands for one region at a time."""
    local.run(refused_registrations)


def refused_registrations(kit: Kit) -> None:
    side = kit.side()
    first, second = kit.buffer(64), kit.buffer(64)
    if kit.applies("OFI-MR-017"):
        region = kit.register(side, first, key=4711)
        kit.refused(
            "OFI-MR-017",
            Errno.ENOKEY,
            kit.register,
            side,
            second,
            key=4711,
            sentence="a key in use is refused with ENOKEY",
        )
        region.close()
        kit.accepted(
            "OFI-MR-018",
            kit.register,
            side,
            second,
            key=4711,
            sentence="a key is free again after its region was closed",
        )
    kit.refused(
        "OFI-MR-023",
        Errno.EBADFLAGS,
        kit.register,
        side,
        kit.buffer(64),
        flags=NOBODYS_FLAG,
        sentence="an unknown flag is refused with EBADFLAGS",
    )


@requirement("OFI-MR-019")
def test_several_buffers_are_one_region(local: Local) -> None:
    """Scattered memory under one key reads as one run of bytes."""
    local.check(several_buffers, st.lists(st.integers(1, 200), min_size=2, max_size=4))


def several_buffers(kit: Kit, sizes: list[int]) -> None:
    sizes = sizes[: kit.info.domain_attr.mr_iov_limit]
    pair = kit.pair()
    parts: list[Guarded] = [kit.buffer(size) for size in sizes]
    prov_key = bool(kit.info.domain_attr.mr_mode & MrMode.PROV_KEY)
    mr = kit.accepted(
        "OFI-MR-019",
        pair.b.domain.mr_regv,
        [p.view for p in parts],
        access(kit),
        requested_key=0 if prov_key else kit.next_key(),
        sentence="fi_mr_regv registers several buffers",
    )
    kit.bind_region(pair.b, mr)
    whole = b"".join(part.data for part in parts)
    got = fetch(kit, pair, 0, mr.key, len(whole))
    kit.check("OFI-MR-019", got == whole, "a read of the whole gives the buffers one after another")
    start = sizes[0] - 1
    got = fetch(kit, pair, start, mr.key, 2)
    kit.check(
        "OFI-MR-019",
        got == whole[start : start + 2],
        "a read across the seam gives the bytes of both sides",
        seen=got.hex(),
        wanted=whole[start : start + 2].hex(),
    )


@requirement("OFI-MR-024")
def test_disabled_region_is_closed_to_peers(local: Local) -> None:
    """A region that is bound to an endpoint opens with fi_mr_enable, not before."""
    local.run(disabled_region)


def disabled_region(kit: Kit) -> None:
    pair = kit.pair()
    buffer = kit.buffer(64)
    mr = kit.keep(pair.b.domain.mr_reg(buffer.view, access(kit), requested_key=kit.next_key()))
    mr.bind(pair.b.ep)
    into, context = kit.buffer(64, 0), kit.context()
    addr = buffer.address if kit.info.domain_attr.mr_mode & MrMode.VIRT_ADDR else 0
    try:
        kit.post(pair.a.ep.read, into.view, addr=addr, key=mr.key, src=pair.a.peer, context=context)
        outcome = kit.outcome(pair.a, context)
    except FabricError as error:
        kit.check("OFI-MR-024", True, "an access before fi_mr_enable fails", seen=str(error))
        return
    kit.check(
        "OFI-MR-024", isinstance(outcome, ErrorCompletion), "an access before fi_mr_enable fails", seen=str(outcome)
    )


@requirement("OFI-MR-025", "OFI-MR-026")
def test_raw_keys(local: Local) -> None:
    """Keys that do not fit 64 bits are fetched raw."""
    local.run(raw_keys)


def raw_keys(kit: Kit) -> None:
    side = kit.side()
    buffer = kit.buffer(64)
    region = kit.register(side, buffer)
    if kit.info.domain_attr.mr_mode & MrMode.RAW:
        kit.check(
            "OFI-MR-026", region.mr.key == KEY_NOTAVAIL, "fi_mr_key answers FI_KEY_NOTAVAIL", seen=hex(region.mr.key)
        )
    try:
        base, key = region.mr.raw_attr()
    except FabricError as error:
        kit.check("OFI-MR-025", False, "fi_mr_raw_attr is supported", seen=str(error))
        return
    virtual = bool(kit.info.domain_attr.mr_mode & (MrMode.VIRT_ADDR | MrMode.BASIC))
    kit.check(
        "OFI-MR-025",
        base == (buffer.address if virtual else 0) and key != b"",
        "it gives base address and key",
        seen=(base, key.hex()),
    )
