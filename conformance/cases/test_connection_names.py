# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Addresses of endpoints and of their peers."""

from __future__ import annotations

from kfabric.api import Endpoint, EpType, Errno, FabricError, PassiveEndpoint
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Kit, accept, connected, knock, unless_refused


@requirement("OFI-CM-015", "OFI-CM-016", "OFI-CM-017", once=True)
def test_names(local: Local) -> None:
    """Addresses are told whole, or with the room they need."""
    local.run(names)


def names(kit: Kit) -> None:
    if kit.info.ep_attr.type == EpType.MSG:
        attempt = knock(kit)
        pair = connected(kit, accept(kit, attempt))
        told = kit.accepted("OFI-CM-017", pair.a.ep.getpeer, sentence="a connected endpoint tells its peer")[0]
        known = (attempt.listener.address, pair.b.ep.getname()[0])
        # The peer of the connecting end goes by the address that was connected to or by its own.
        kit.check("OFI-CM-017", told in known, "the peer is the other end", seen=told.hex(), wanted=known[0].hex())
        told = kit.accepted("OFI-CM-017", pair.b.ep.getpeer, sentence="an accepted endpoint tells its peer")[0]
        own = pair.a.ep.getname()[0]
        kit.check("OFI-CM-017", told == own, "the peer is the other end", seen=told.hex(), wanted=own.hex())
        check_name(kit, "passive endpoint", attempt.listener.pep)
        check_name(kit, "connected endpoint", pair.a.ep)
        check_name(kit, "accepted endpoint", pair.b.ep)
    else:
        check_name(kit, "endpoint", kit.side().ep)


def check_name(kit: Kit, name: str, ep: Endpoint | PassiveEndpoint) -> None:
    address, needed = kit.accepted("OFI-CM-015", ep.getname, sentence=f"an enabled {name} tells its address")
    whole = len(address) == needed and any(address)
    kit.check("OFI-CM-015", whole, "addrlen is the length of the address", seen=(address.hex(), needed))
    for room in (0, 1, needed - 1):
        text = f"room for {room} of {needed} bytes is ETOOSMALL"
        try:
            ep.getname(room)
        except FabricError as error:
            kit.check("OFI-CM-016", error.code == Errno.ETOOSMALL, text, seen=str(error))
            kit.check("OFI-CM-016", error.needed == needed, "addrlen tells the need", seen=error.needed, wanted=needed)
        else:
            kit.check("OFI-CM-016", False, text, seen="accepted")


@requirement("OFI-CM-018", once=True)
def test_setname(local: Local) -> None:
    """An address that was set is the address."""
    local.run(setname)


def setname(kit: Kit) -> None:
    """The address is one that the provider itself gave out and that is free again."""
    if kit.info.ep_attr.type == EpType.MSG:
        scout = kit.listener()
        address = scout.address
        scout.pep.close()
        pep = kit.keep(kit.fabric.passive_ep(kit.info))
        pep.bind(kit.eq())
        with unless_refused(kit, "OFI-CM-018", why="the address could not be assigned"):
            pep.setname(address)
            pep.listen()
            told = pep.getname()[0]
            kit.check("OFI-CM-018", told == address, "fi_getname returns it", seen=told.hex(), wanted=address.hex())
        return
    first = kit.side()
    first.ep.close()
    side = kit.side(enable=False)
    with unless_refused(kit, "OFI-CM-018", why="the address could not be assigned"):
        side.ep.setname(first.address)
        side.ep.enable()
        told = side.ep.getname()[0]
        kit.check(
            "OFI-CM-018", told == first.address, "fi_getname returns it", seen=told.hex(), wanted=first.address.hex()
        )
