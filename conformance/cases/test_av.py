# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Address vectors: what handles mean, and how long."""

from __future__ import annotations

import socket
from functools import partial

from hypothesis import strategies as st

from kfabric.api import (
    ADDR_NOTAVAIL,
    AddressVector,
    AddrFormat,
    AvAttr,
    AvType,
    EqAttr,
    EqEventKind,
    Errno,
    FabricError,
    Flag,
)
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Guarded, Kit, Side


def others(kit: Kit, count: int) -> list[Side]:
    """Enabled endpoints that wait to be addressed."""
    return [kit.side(name=f"peer{number}") for number in range(count)]


def starts_with(buffer: Guarded, wanted: bytes) -> bool:
    """Whether the buffer begins with these bytes."""
    return buffer.data.startswith(wanted)


def vector(kit: Kit, kind: AvType | None = None, flags: Flag = Flag.NONE) -> AddressVector:
    """A vector that is bound to nothing."""
    wanted = kind if kind is not None else (kit.info.domain_attr.av_type or AvType.MAP)
    return kit.keep(kit.domain.av_open(AvAttr(type=wanted, count=16, flags=flags)))


def reaches(kit: Kit, hub: Side, handle: int, target: Side, text: bytes) -> bool:
    """Whether a message that hub sends to the handle arrives at the target."""
    into, out = kit.buffer(64), kit.buffer(len(text), text)
    received, sent = kit.context(), kit.context()
    kit.post(target.ep.recv, into.view, desc=kit.desc(target, into), context=received)
    kit.post(hub.ep.send, out.view, desc=kit.desc(hub, out), dest=handle, context=sent)
    kit.completion(hub, sent)
    kit.completion(target, received)
    return into.data[: len(text)] == text


@requirement("OFI-AV-001", "OFI-AV-002", "OFI-AV-003", "OFI-AV-010")
def test_insertion_counts_and_handles(local: Local) -> None:
    """The return value of an insertion is what the application allocates by."""
    local.check(insertion_counts, st.lists(st.integers(1, 4), min_size=1, max_size=3), table="OFI-AV-003")


def insertion_counts(kit: Kit, groups: list[int], table: str) -> None:
    addresses = [side.address for side in others(kit, sum(groups))]
    kind = AvType.TABLE if kit.applies(table) else None
    av = vector(kit, kind)
    done, handles = av.insert([])
    kit.check("OFI-AV-010", done == 0, "no address inserted is 0", seen=done)
    expected = 0
    for size in groups:
        part, addresses = addresses[:size], addresses[size:]
        done, handles = av.insert(part)
        kit.check("OFI-AV-001", done == size, "the number of addresses inserted is returned", seen=done, wanted=size)
        kit.check(
            "OFI-AV-002",
            all((h != ADDR_NOTAVAIL) for h in handles) or done < size,
            "an inserted address has a handle",
            seen=handles,
        )
        if kind == AvType.TABLE:
            wanted = list(range(expected, expected + size))
            kit.check(
                "OFI-AV-003",
                handles == wanted,
                "handles of a fresh table are 0, 1, 2, ...",
                seen=handles,
                wanted=wanted,
            )
        expected += size


@requirement("OFI-AV-004", "OFI-AV-005", "OFI-AV-006", "OFI-AV-008", "OFI-AV-007", "OFI-AV-015")
def test_handles_name_their_endpoint(local: Local) -> None:
    """A handle names one endpoint, whatever happens to the others."""
    local.check(handles_name_endpoints, st.tuples(st.permutations([0, 1, 2]), st.integers(0, 2)), share=0.5)


def handles_name_endpoints(kit: Kit, value: tuple[list[int], int]) -> None:
    order, gone = value
    peers = others(kit, 3)
    hub = kit.side(name="hub")
    assert hub.av is not None
    handles: dict[int, int] = {}
    for index in order:
        handles[index] = kit.insert(hub, peers[index].address)
    for index, peer in enumerate(peers):
        arrived = reaches(kit, hub, handles[index], peer, f"to number {index}".encode())
        kit.check("OFI-AV-004", arrived, "a message goes to the endpoint whose address the handle stands for")
        address, needed = hub.av.lookup(handles[index])
        kit.check(
            "OFI-AV-005",
            address == peer.address,
            "lookup gives the address inserted",
            seen=address.hex(),
            wanted=peer.address.hex(),
        )
        kit.check(
            "OFI-AV-006", needed == len(peer.address), "lookup tells the length", seen=needed, wanted=len(peer.address)
        )
        short, needed = hub.av.lookup(handles[index], 4)
        kit.check(
            "OFI-AV-006",
            short == peer.address[:4] and needed == len(peer.address),
            "a short lookup is cut and tells the length",
            seen=(short.hex(), needed),
        )
    kit.accepted("OFI-AV-008", hub.av.remove, [handles[gone]], sentence="a handle is removed")
    for index, peer in enumerate(peers):
        if index != gone:
            kit.check(
                "OFI-AV-008", reaches(kit, hub, handles[index], peer, b"still there"), "the other handles go on working"
            )
    again = kit.insert(hub, peers[gone].address)
    kit.check(
        "OFI-AV-007",
        reaches(kit, hub, again, peers[gone], b"back again"),
        "an address inserted again reaches its endpoint",
    )
    second = kit.keep(hub.domain.endpoint(hub.info))
    second.bind(hub.tx_cq, Flag.TRANSMIT | Flag.RECV)
    second.bind(hub.av)
    second.enable()
    twin = Side("twin", hub.info, hub.domain, second, hub.tx_cq, hub.rx_cq, hub.watches, av=hub.av)
    kit.check(
        "OFI-AV-015",
        reaches(kit, twin, handles[(gone + 1) % 3], peers[(gone + 1) % 3], b"from the twin"),
        "a handle means the same on every endpoint of the vector",
    )


@requirement("OFI-AV-009")
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


@requirement("OFI-AV-011")
def test_sync_err(local: Local) -> None:
    """Each address of an insertion with FI_SYNC_ERR has its own answer."""
    local.run(sync_err)


def sync_err(kit: Kit) -> None:
    addresses = [side.address for side in others(kit, 3)]
    try:
        done, handles, statuses = vector(kit).insert_sync_err(addresses)
    except FabricError as error:
        kit.check("OFI-AV-011", False, "an insertion with FI_SYNC_ERR is accepted", seen=str(error))
        return
    for handle, status in zip(handles, statuses, strict=True):
        good = handle != ADDR_NOTAVAIL
        kit.check(
            "OFI-AV-011",
            (status == 0) == good,
            "the status of an address tells whether it was inserted",
            seen=(handle, status),
        )
    kit.check(
        "OFI-AV-011",
        done == sum(status == 0 for status in statuses),
        "the statuses add up to the count",
        seen=(done, statuses),
    )


@requirement("OFI-AV-012", "OFI-AV-013")
def test_names_and_services(local: Local) -> None:
    """Symbolic insertion gives the addresses that the names mean, in the promised order."""
    local.run(names_and_services)


def names_and_services(kit: Kit) -> None:
    if kit.info.addr_format != AddrFormat.SOCKADDR_IN:
        for id_ in ("OFI-AV-012", "OFI-AV-013"):
            if kit.applies(id_):
                kit.inconclusive(
                    id_, "the address format is not sockaddr_in: what a node name means is the provider's own"
                )
        return
    av = vector(kit)
    try:
        done, handle = av.insertsvc("127.0.0.1", "7471")
    except FabricError as error:
        kit.check("OFI-AV-012", False, "fi_av_insertsvc is accepted", seen=str(error))
        return
    kit.check(
        "OFI-AV-012",
        done == 1 and av.lookup(handle)[0][:8] == sockaddr(0x7F000001, 7471),
        "the handle stands for the node and service",
        seen=av.lookup(handle)[0].hex(),
    )
    if not kit.applies("OFI-AV-013"):
        return
    av = vector(kit, AvType.TABLE)
    try:
        done, _ = av.insertsym("127.0.0.1", 2, "7480", 3)
    except FabricError as error:
        kit.check("OFI-AV-013", False, "fi_av_insertsym is accepted", seen=str(error))
        return
    wanted = [sockaddr(0x7F000001 + node, 7480 + service) for node in range(2) for service in range(3)]
    seen = [av.lookup(handle)[0][:8] for handle in range(done)]
    kit.check(
        "OFI-AV-013",
        seen == wanted,
        "services of a node come before the next node",
        seen=[a.hex() for a in seen],
        wanted=[a.hex() for a in wanted],
    )


def sockaddr(host: int, port: int) -> bytes:
    return socket.AF_INET.to_bytes(2, "little") + port.to_bytes(2, "big") + host.to_bytes(4, "big")


@requirement("OFI-AV-014")
def test_straddr(local: Local) -> None:
    """Text of an address for people."""
    local.run(straddr)


def straddr(kit: Kit) -> None:
    peer = others(kit, 1)[0]
    av = vector(kit)
    whole, needed = kit.accepted(
        "OFI-AV-014", av.straddr_sized, peer.address, 256, sentence="fi_av_straddr returns text"
    )
    kit.check("OFI-AV-014", bool(whole), "the text is not empty")
    kit.check(
        "OFI-AV-014", needed >= len(whole), "len is the length needed", seen=(needed, whole.decode(errors="replace"))
    )
    short, wanted = av.straddr_sized(peer.address, 4)
    kit.check("OFI-AV-014", len(short) <= 4, "no more is written than there is room for", seen=short.hex())
    kit.check(
        "OFI-AV-014",
        wanted >= len(whole),
        "len is the length needed, also when there is too little room",
        seen=wanted,
        wanted=len(whole),
    )


@requirement("OFI-AV-016")
def test_unspecified_type_is_told(local: Local) -> None:
    """A vector opened without a type says which it became."""
    local.run(unspecified_type)


def unspecified_type(kit: Kit) -> None:
    av = kit.keep(kit.domain.av_open(AvAttr(type=AvType.UNSPEC)))
    kit.check(
        "OFI-AV-016", av.attr.type in (AvType.MAP, AvType.TABLE), "attr.type names the type chosen", seen=av.attr.type
    )


@requirement("OFI-AV-017", "OFI-AV-018")
def test_insertion_by_event(local: Local) -> None:
    """An asynchronous insertion ends with one event that says how many addresses went in."""
    local.run(insertion_by_event)


def insertion_by_event(kit: Kit) -> None:
    addresses = [side.address for side in others(kit, 2)]
    try:
        av = vector(kit, flags=Flag.COMPLETION)
    except FabricError as error:
        for id_ in ("OFI-AV-017", "OFI-AV-018"):
            kit.inconclusive(id_, f"the provider opens no vector with FI_EVENT ({error})")
        return
    kit.refused(
        "OFI-AV-018",
        Errno.ENOEQ,
        av.insert,
        addresses,
        sentence="an insertion without event queue is refused with ENOEQ",
    )
    av = vector(kit, flags=Flag.COMPLETION)
    queue = kit.eq(EqAttr())
    try:
        av.bind(queue)
    except FabricError as error:
        kit.check("OFI-AV-017", False, "a vector opened with FI_EVENT takes an event queue", seen=str(error))
        return
    context = kit.context()
    av.insert(addresses, context=context)
    event = kit.event(queue, EqEventKind.AV_COMPLETE)
    kit.check("OFI-AV-017", event.context == context.address, "the event carries the context of the call")
    kit.check("OFI-AV-017", event.entry_data == 2, "the event tells how many went in", seen=event.entry_data, wanted=2)
    kit.quiet()
    kit.check("OFI-AV-017", not kit.events(queue), "there is one event")


@requirement("OFI-AV-021")
def test_receive_contexts_by_name(local: Local) -> None:
    """fi_rx_addr names one receive context of a scalable endpoint."""
    local.run(named_contexts)


def named_contexts(kit: Kit) -> None:
    if kit.info.domain_attr.max_ep_rx_ctx < 2:
        kit.inconclusive("OFI-AV-021", "scalable endpoints have fewer than two receive contexts here")
        return
    info = kit.provider.dupinfo(kit.info)
    info.ep_attr.tx_ctx_cnt, info.ep_attr.rx_ctx_cnt = 1, 2
    sep = kit.accepted("OFI-AV-021", kit.domain.scalable_ep, info, sentence="a scalable endpoint opens")
    av = kit.keep(kit.domain.av_open(AvAttr(type=kit.info.domain_attr.av_type or AvType.MAP, count=8, rx_ctx_bits=1)))
    sep.bind(av)
    contexts = [kit.keep(sep.rx_context(index)) for index in range(2)]
    transmit = kit.keep(sep.tx_context(0))
    queues = []
    for ep, flag in ((transmit, Flag.TRANSMIT), (contexts[0], Flag.RECV), (contexts[1], Flag.RECV)):
        queues.append(kit.cq())
        ep.bind(queues[-1], flag)
        ep.enable()
    sep.enable()
    address = sep.getname()[0]
    _, (handle,) = av.insert([address])
    hub = kit.side(name="hub")
    assert hub.av is not None
    buffers = [kit.buffer(16, 0) for _ in contexts]
    for ep, buffer in zip(contexts, buffers, strict=True):
        ep.recv(buffer.view, context=kit.context())
    for index in range(2):
        out = kit.buffer(8, 0x10 + index)
        sent = kit.context()
        kit.post(transmit.send, out.view, dest=AddressVector.rx_addr(handle, index, 1), context=sent)
        kit.drive(partial(starts_with, buffers[index], bytes([0x10 + index]) * 8))
    for index, buffer in enumerate(buffers):
        kit.check(
            "OFI-AV-021",
            buffer.data[:8] == bytes([0x10 + index]) * 8,
            f"a message to context {index} arrives there",
            seen=buffer.data[:8].hex(),
        )
