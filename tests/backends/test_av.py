# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Address vectors: every way to insert, and what can be asked of them afterwards."""

from __future__ import annotations

import socket
import struct

import pytest

from kfabric.api import (
    ADDR_NOTAVAIL,
    AddressVector,
    AvAttr,
    AvType,
    EqAttr,
    EqEventKind,
    Errno,
    Flag,
    UsageError,
    WaitObj,
)
from kfabric.backends.libfabric import LibfabricProvider
from tests.backends.child import isolated
from tests.backends.kit import LOOPBACK, event, hints_for, offers, provider, refused

INET = [("tcp;ofi_rxm", "RDM"), ("sockets", "RDM"), ("net", "RDM"), ("udp", "DGRAM")]
inet = pytest.mark.parametrize(("name", "kind"), INET)


def sockaddr(port: int, node: str = LOOPBACK) -> bytes:
    return struct.pack("=H", socket.AF_INET) + struct.pack(">H", port) + socket.inet_aton(node) + bytes(8)


class Book:
    """A domain with one address vector."""

    def __init__(self, name: str, kind: str, av_type: str = "TABLE", flags: Flag = Flag.NONE) -> None:
        self.lib: LibfabricProvider = provider()
        info = offers(self.lib, hints_for(name, kind, Flag.MSG))[0]
        self.fabric = self.lib.fabric(info)
        self.domain = self.fabric.domain(info)
        self.av: AddressVector = self.domain.av_open(AvAttr(type=AvType[av_type], count=16, flags=flags))

    def port(self, handle: int) -> int:
        return int.from_bytes(self.av.lookup(handle)[0][2:4], "big")


@inet
@isolated()
def test_addresses_go_in_and_come_out(name: str, kind: str) -> None:
    for av_type in ("MAP", "TABLE"):
        goes_round(name, kind, av_type)


def goes_round(name: str, kind: str, av_type: str) -> None:
    book = Book(name, kind, av_type)
    av = book.av
    assert av.attr.type is AvType[av_type]
    many = [sockaddr(7000 + i) for i in range(5)]
    done, handles = av.insert(many)
    assert done == 5
    assert len(set(handles)) == 5
    if av_type == "TABLE":
        assert handles == [0, 1, 2, 3, 4]
    for i, handle in enumerate(handles):
        found, needed = av.lookup(handle)
        assert needed == 16
        assert found[:8] == many[i][:8]
        assert str(7000 + i) in av.straddr(found)
    cut, needed = av.lookup(handles[0], 4)
    assert (cut, needed) == (many[0][:4], 16)

    av.remove([handles[2]])
    done, [again] = av.insert([sockaddr(7100)])
    assert done == 1
    assert book.port(again) == 7100
    assert book.port(handles[3]) == 7003
    assert av.insert([]) == (0, [])
    with pytest.raises(UsageError, match="different sizes"):
        av.insert([sockaddr(1), b"short"])
    av.close()


@inet
@isolated()
def test_names_and_services(name: str, kind: str) -> None:
    book = Book(name, kind)
    done, handle = book.av.insertsvc(LOOPBACK, "7471")
    assert done == 1
    assert book.av.lookup(handle)[0][:8] == sockaddr(7471)[:8]
    done, handles = book.av.insertsym(LOOPBACK, 2, "8000", 3)
    assert done == 6
    if name == "sockets":  # of libfabric 1.17 writes all the handles into the first place
        return
    ports = [book.port(handle) for handle in handles]
    nodes = [book.av.lookup(handle)[0][4:8] for handle in handles]
    assert ports == [8000, 8001, 8002] * 2
    assert nodes == [socket.inet_aton("127.0.0.1")] * 3 + [socket.inet_aton("127.0.0.2")] * 3


@pytest.mark.parametrize(("name", "kind"), [INET[0], INET[3]])
@isolated()
def test_each_address_with_a_status(name: str, kind: str) -> None:
    book = Book(name, kind)
    done, handles, status = book.av.insert_sync_err([sockaddr(7000), sockaddr(7001)])
    assert done == 2
    assert status == [0, 0]
    assert [book.port(handle) for handle in handles] == [7000, 7001]


@isolated()
def test_insertion_that_reports_by_event() -> None:
    book = Book("sockets", "RDM", flags=Flag.EVENT)
    queue = book.fabric.eq_open(EqAttr(wait_obj=WaitObj.UNSPEC))
    book.av.bind(queue)
    context = book.lib.context("insertion")
    done, _ = book.av.insert([sockaddr(7000), sockaddr(7001)], flags=Flag.EVENT, context=context)
    assert done == 0
    found = event(queue)
    assert (found.kind, found.fid) == (EqEventKind.AV_COMPLETE, book.av.fid)
    assert (found.context, found.entry_data) == (context.address, 2)
    assert [book.port(handle) for handle in book.av.pending_handles(context)] == [7000, 7001]
    with pytest.raises(UsageError, match="no asynchronous insertion"):
        book.av.pending_handles()


@isolated()
def test_shared_memory_names() -> None:
    book = Book("shm", "RDM")
    done, [handle] = book.av.insert([b"fi_shm://1:0:0\0"])
    assert done == 1
    assert handle != ADDR_NOTAVAIL
    assert "fi_shm" in book.av.straddr(b"fi_shm://1:0:0\0")


@inet
@isolated()
def test_a_vector_in_use_cannot_be_closed(name: str, kind: str) -> None:
    lib = provider()
    info = offers(lib, hints_for(name, kind, Flag.MSG))[0]
    with lib.fabric(info) as fabric, fabric.domain(info) as domain, domain.av_open(AvAttr(type=AvType.TABLE)) as av:
        ep, cq = domain.endpoint(info), domain.cq_open()
        ep.bind(av)
        ep.bind(cq, Flag.TRANSMIT | Flag.RECV)
        ep.enable()
        assert refused(av.close).code == Errno.EBUSY
        assert not av.closed
        ep.close()
        cq.close()
