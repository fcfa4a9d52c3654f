# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Address vectors: what handles mean, and how long."""

from __future__ import annotations

from hypothesis import strategies as st

from kfabric.api import ADDR_NOTAVAIL, AddressVector, AvAttr, AvType, Errno, Flag
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Kit, Side, message

PEERS = 3


def others(kit: Kit, count: int) -> list[Side]:
    """Enabled endpoints that wait to be addressed."""
    return [kit.side(name=f"peer{number}") for number in range(count)]


def vector(kit: Kit, kind: AvType | None = None, flags: Flag = Flag.NONE) -> AddressVector:
    """A vector that is bound to nothing."""
    wanted = kind if kind is not None else (kit.info.domain_attr.av_type or AvType.MAP)
    return kit.keep(kit.domain.av_open(AvAttr(type=wanted, count=16, flags=flags)))


@requirement("OFI-AV-001", "OFI-AV-003", "OFI-AV-010", once=True)
def test_insertion_counts_and_handles(local: Local) -> None:
    """The return value of an insertion is what the application allocates by."""
    local.check(insertion_counts, st.lists(st.integers(0, 3), min_size=1, max_size=3))


def insertion_counts(kit: Kit, groups: list[int]) -> None:
    addresses = [side.address for side in others(kit, sum(groups))]
    kind = AvType.TABLE if kit.applies("OFI-AV-003") else None
    av = vector(kit, kind)
    done, _ = av.insert([])
    kit.check("OFI-AV-010", done == 0, "an insertion of no address returns 0", seen=done)
    expected = 0
    for size in groups:
        part, addresses = addresses[:size], addresses[size:]
        done, handles = av.insert(part)
        kit.check("OFI-AV-001", done == size, "the number of addresses inserted is returned", seen=done, wanted=size)
        if kind == AvType.TABLE:
            wanted = list(range(expected, expected + size))
            kit.check("OFI-AV-003", handles == wanted, "handles of a fresh table are 0, 1, 2, ...", seen=handles)
        expected += size


@requirement("OFI-AV-001", "OFI-AV-002", once=True)
def test_address_that_cannot_be_inserted(local: Local) -> None:
    """Between good addresses, one that means nothing is told apart."""
    local.run(uninsertable)


def uninsertable(kit: Kit) -> None:
    first, last = (side.address for side in others(kit, 2))
    kit.unreached("OFI-AV-002", "the provider does not survive an address of zeros")
    done, handles = vector(kit).insert([first, bytes(len(first)), last])
    if done == 3:
        kit.unreached("OFI-AV-002", "the provider takes even zeros for an address")
        return
    good = [handle != ADDR_NOTAVAIL for handle in handles]
    kit.check("OFI-AV-002", not good[1], "the handle of the one not inserted is FI_ADDR_NOTAVAIL", seen=handles)
    kit.check("OFI-AV-001", done == sum(good), "the number of addresses inserted is returned", seen=(done, handles))


ACTION = st.tuples(st.sampled_from(["insert", "remove", "send"]), st.integers(0, PEERS - 1))
EVERY_KIND = [(kind, number) for kind in ("insert", "send", "remove", "send", "insert") for number in range(2)]
"""Each address in, used, out again with the other one still in use, and back."""


@requirement("OFI-AV-001", "OFI-AV-004", "OFI-AV-007", "OFI-AV-008")
def test_handles_name_their_endpoint(local: Local) -> None:
    """A handle names one endpoint, whatever happens to the others."""
    local.run(handles_name_endpoints, actions=EVERY_KIND)
    local.check(handles_name_endpoints, st.lists(ACTION, min_size=2, max_size=10), share=0.5)


def handles_name_endpoints(kit: Kit, actions: list[tuple[str, int]]) -> None:
    """What the vector holds is written down beside it; an action that is not the application's to take is left out."""
    peers = others(kit, PEERS)
    hub = kit.side(name="hub")
    assert hub.av is not None
    handles: dict[int, int] = {}
    known: set[int] = set()
    returned: set[int] = set()
    for turn, (action, number) in enumerate([*actions, *(("send", number) for number in range(PEERS))]):
        if (action == "insert") == (number in handles):
            continue
        peer = peers[number]
        if action == "insert":
            done, (handle,) = hub.av.insert([peer.address])
            again = "OFI-AV-007" if number in known else "OFI-AV-001"
            ok = done == 1 and handle != ADDR_NOTAVAIL
            kit.require(again, ok, f"peer {number}, which the vector does not hold, is inserted", seen=(done, handle))
            returned |= known & {number}
            known.add(number)
            handles[number] = handle
        elif action == "remove":
            kit.accepted("OFI-AV-008", hub.av.remove, [handles.pop(number)], sentence="a handle is removed")
        else:
            text = f"turn {turn}".encode()
            arrived = message(kit, hub, peer, text, dest=handles[number]) == text
            sentence = f"a message to the handle of peer {number} arrives there"
            kit.check("OFI-AV-007" if number in returned else "OFI-AV-004", arrived, sentence)
            if len(known) > len(handles):
                kit.check("OFI-AV-008", arrived, f"{sentence}, after another was removed")


@requirement("OFI-AV-005", "OFI-AV-006", once=True)
def test_lookup(local: Local) -> None:
    """A handle gives its address back, whole or as far as there is room."""
    local.run(lookups)


def lookups(kit: Kit) -> None:
    peers = others(kit, PEERS)
    av = vector(kit)
    handles = [av.insert([peer.address])[1][0] for peer in peers]
    for peer, handle in reversed(list(zip(peers, handles, strict=True))):
        look_up(kit, av, handle, peer.address)


def look_up(kit: Kit, av: AddressVector, handle: int, wanted: bytes) -> None:
    address, needed = kit.accepted("OFI-AV-005", av.lookup, handle, sentence="fi_av_lookup knows the handle")
    text = "fi_av_lookup gives the address that was inserted"
    kit.check("OFI-AV-005", address == wanted, text, seen=address.hex(), wanted=wanted.hex())
    kit.check("OFI-AV-006", needed == len(wanted), "it tells the length", seen=needed, wanted=len(wanted))
    for room in (0, 4, len(wanted) - 1):
        text = f"with room for {room} of {len(wanted)} bytes it writes no more"
        _, needed = kit.accepted("OFI-AV-006", av.lookup, handle, room, sentence=text)
        kit.check("OFI-AV-006", needed == len(wanted), "and tells the length", seen=needed, wanted=len(wanted))


@requirement("OFI-AV-015", once=True)
def test_handles_on_several_endpoints(local: Local) -> None:
    """A handle means the same on every endpoint of the vector."""
    local.run(shared_vector)


def shared_vector(kit: Kit) -> None:
    peers = others(kit, 2)
    hub = kit.side(name="hub")
    assert hub.av is not None
    handles = [kit.insert(hub, peer.address) for peer in peers]
    second = kit.keep(hub.domain.endpoint(hub.info))
    second.bind(hub.tx_cq, Flag.TRANSMIT | Flag.RECV)
    second.bind(hub.av)
    second.enable()
    twin = Side("twin", hub.info, hub.domain, second, hub.tx_cq, hub.rx_cq, hub.watches, av=hub.av)
    for peer, handle in zip(peers, handles, strict=True):
        for source in (hub, twin):
            arrived = message(kit, source, peer, b"from either", dest=handle) == b"from either"
            kit.check("OFI-AV-015", arrived, f"a message from {source.name} to the handle arrives at {peer.name}")


@requirement("OFI-AV-009", once=True)
def test_unset_handles_are_refused(local: Local) -> None:
    """A handle that stands for nothing must not be taken for something."""
    local.run(unset_handles)


def unset_handles(kit: Kit) -> None:
    peer = others(kit, 1)[0]
    av = vector(kit)
    _, (handle,) = av.insert([peer.address])
    av.remove([handle])
    kit.refused("OFI-AV-009", Errno.EINVAL, av.lookup, handle, sentence="looking up a removed handle is refused")
    kit.refused("OFI-AV-009", Errno.EINVAL, av.remove, [handle], sentence="removing a removed handle is refused")
    kit.refused(
        "OFI-AV-009", Errno.EINVAL, av.lookup, handle + 1000, sentence="looking up a handle out of range is refused"
    )


@requirement("OFI-AV-016", once=True)
def test_unspecified_type_is_told(local: Local) -> None:
    """A vector opened without a type says which it became."""
    local.run(unspecified_type)


def unspecified_type(kit: Kit) -> None:
    av = kit.keep(kit.domain.av_open(AvAttr(type=AvType.UNSPEC)))
    kit.check(
        "OFI-AV-016", av.attr.type in (AvType.MAP, AvType.TABLE), "attr.type names the type chosen", seen=av.attr.type
    )
