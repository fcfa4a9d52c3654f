# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Ways to insert addresses: with one answer each, by name, by event; and addresses as text."""

from __future__ import annotations

import socket
import sys
from functools import partial

from kfabric.api import (
    ADDR_NOTAVAIL,
    AddressVector,
    AddrFormat,
    AvAttr,
    AvType,
    EqAttr,
    EqEventKind,
    Errno,
    Flag,
)
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Bound, Guarded, Kit, Side, unless_refused


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


@requirement("OFI-AV-011", once=True)
def test_sync_err(local: Local) -> None:
    """Each address of an insertion with FI_SYNC_ERR has its own answer."""
    local.run(sync_err)


def sync_err(kit: Kit) -> None:
    addresses = [side.address for side in others(kit, 2)]
    text = "an insertion with FI_SYNC_ERR is accepted"
    done, handles, statuses = kit.accepted("OFI-AV-011", vector(kit).insert_sync_err, addresses, sentence=text)
    kit.check("OFI-AV-011", statuses == [0, 0] and done == 2, "a good address has the status 0", seen=(done, statuses))
    kit.unreached("OFI-AV-011", "the provider does not survive an address of zeros")
    spoilt = [addresses[0], bytes(len(addresses[0])), addresses[1]]
    done, handles, statuses = vector(kit).insert_sync_err(spoilt)
    for handle, status in zip(handles, statuses, strict=True):
        right = status == 0 if handle != ADDR_NOTAVAIL else status > 0
        text = "the status tells whether the address was inserted: 0 or an error code"
        kit.check("OFI-AV-011", right, text, seen=(handle, status))


@requirement("OFI-AV-012", "OFI-AV-013", once=True)
def test_names_and_services(local: Local) -> None:
    """Symbolic insertion gives the addresses that the names mean, in the promised order."""
    local.run(names_and_services)


def names_and_services(kit: Kit) -> None:
    if kit.info.addr_format != AddrFormat.SOCKADDR_IN:
        for id_ in ("OFI-AV-012", "OFI-AV-013"):
            if kit.applies(id_):
                kit.unreached(
                    id_, "the address format is not sockaddr_in: what a node name means is the provider's own"
                )
        return
    av = vector(kit)
    with unless_refused(kit, "OFI-AV-012", why="fi_av_insertsvc inserts nothing"):
        done, handle = av.insertsvc("127.0.0.1", "7471")
        seen = av.lookup(handle)[0][:8]
        right = done == 1 and seen == sockaddr(0x7F000001, 7471)
        kit.check("OFI-AV-012", right, "the handle stands for the node and service", seen=seen.hex())
    if not kit.applies("OFI-AV-013"):
        return
    av = vector(kit, AvType.TABLE)
    with unless_refused(kit, "OFI-AV-013", why="fi_av_insertsym inserts nothing"):
        done, _ = av.insertsym("127.0.0.1", 2, "7480", 3)
        wanted = [sockaddr(0x7F000001 + node, 7480 + service).hex() for node in range(2) for service in range(3)]
        found = [av.lookup(handle)[0][:8].hex() for handle in range(done)]
        text = "services of a node come before the next node"
        kit.check("OFI-AV-013", found == wanted, text, seen=found, wanted=wanted)


def sockaddr(host: int, port: int) -> bytes:
    return socket.AF_INET.to_bytes(2, sys.byteorder) + port.to_bytes(2, "big") + host.to_bytes(4, "big")


@requirement("OFI-AV-014", once=True)
def test_straddr(local: Local) -> None:
    """Text of an address for people."""
    local.run(straddr)


def straddr(kit: Kit) -> None:
    peer = others(kit, 1)[0]
    av = vector(kit)
    whole, needed = kit.accepted("OFI-AV-014", av.straddr_sized, peer.address, 256, sentence="fi_av_straddr gives text")
    kit.check("OFI-AV-014", bool(whole), "the text is not empty")
    shown = whole.decode(errors="replace")
    kit.check("OFI-AV-014", needed >= len(whole), "len is the length needed", seen=(needed, shown))
    for room in (1, 4):
        text = f"with room for {room} bytes no more is written"
        _, wanted = kit.accepted("OFI-AV-014", av.straddr_sized, peer.address, room, sentence=text)
        text = "len is the length needed, also when there is too little room"
        kit.check("OFI-AV-014", wanted >= len(whole), text, seen=wanted, wanted=len(whole))


@requirement("OFI-AV-017", "OFI-AV-018", once=True)
def test_insertion_by_event(local: Local) -> None:
    """An asynchronous insertion ends with one event that says how many addresses went in."""
    local.run(insertion_by_event)


def insertion_by_event(kit: Kit) -> None:
    addresses = [side.address for side in others(kit, 2)]
    with unless_refused(kit, "OFI-AV-017", "OFI-AV-018", why="no vector opens with FI_EVENT"):
        av = vector(kit, flags=Flag.EVENT)
        text = "an insertion without event queue is refused with ENOEQ"
        kit.refused("OFI-AV-018", Errno.ENOEQ, av.insert, addresses, sentence=text)
        av = vector(kit, flags=Flag.EVENT)
        queue = kit.eq(EqAttr(flags=Flag.WRITE))
        kit.accepted("OFI-AV-017", av.bind, queue, sentence="a vector opened with FI_EVENT takes an event queue")
        context = kit.context()
        av.insert(addresses, context=context)
        try:
            event = kit.event(queue, EqEventKind.AV_COMPLETE)
        except Bound:  # is it the event that is missing, or everything?
            queue.write(EqEventKind.NOTIFY)
            kit.event(queue, EqEventKind.NOTIFY)
            kit.check("OFI-AV-017", False, "the insertion ends with an event", seen="only an event written after it")
            return
        kit.check("OFI-AV-017", event.context == context.address, "the event carries the context of the call")
        count = event.entry_data
        kit.check("OFI-AV-017", count == 2, "the event tells how many went in", seen=count, wanted=2)
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
