# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every provider of the system's libfabric carries data between two endpoints of one process.

Also the examples of how the binding is used: the first two tests open everything themselves.
"""

from __future__ import annotations

import pytest

from kfabric.api import (
    AvAttr,
    AvType,
    CqAttr,
    EpType,
    Errno,
    FabricError,
    Flag,
    Info,
    MrMode,
)
from tests.backends.child import isolated
from tests.backends.kit import MSG, RDM, open_pair, provider


@isolated()
def test_reliable_datagrams_from_the_beginning() -> None:
    """Tagged messages and remote writes over ``tcp;ofi_rxm``, with nothing but the binding."""
    lib = provider()
    hints = Info(caps=Flag.TAGGED | Flag.RMA, mode=lib.SUPPORTED_MODE)
    hints.ep_attr.type = EpType.RDM
    hints.fabric_attr.prov_name = "tcp;ofi_rxm"
    info = lib.getinfo(hints, node="127.0.0.1", flags=Flag.SOURCE)[0]

    with lib.fabric(info) as fabric, fabric.domain(info) as domain:
        left, right = domain.endpoint(info), domain.endpoint(info)
        queue = domain.cq_open(CqAttr(size=64))
        peers = domain.av_open(AvAttr(type=AvType.TABLE))
        for ep in (left, right):
            ep.bind(queue, Flag.TRANSMIT | Flag.RECV)
            ep.bind(peers)
            ep.enable()
        inserted, [_, to_right] = peers.insert([left.getname()[0], right.getname()[0]])
        assert inserted == 2

        sending, receiving, writing = lib.context("sending"), lib.context("receiving"), lib.context("writing")
        message, box = bytearray(b"hello fabric"), bytearray(32)
        right.trecv(box, 0x17, ignore=0x0F, context=receiving)
        done: set[int] = set()
        while True:
            try:
                left.tsend(message, 0x12, dest=to_right, context=sending)
                break
            except FabricError as busy:
                if busy.code != Errno.EAGAIN:
                    raise
                queue.read(0)
        while done != {sending.address, receiving.address}:
            done |= {entry.op_context for entry in queue.read(4)}
        assert bytes(box[:12]) == b"hello fabric"

        memory = bytearray(4096)
        region = domain.mr_reg(memory, Flag.REMOTE_WRITE, requested_key=7)
        offset = region.address if info.domain_attr.mr_mode & MrMode.VIRT_ADDR else 0
        left.write(b"remote", addr=offset + 100, key=region.key, dest=to_right, context=writing)
        while not any(entry.op_context == writing.address for entry in queue.read(4)):
            pass
        assert bytes(memory[98:108]) == b"\0\0remote\0\0"
        for ep in (left, right):
            ep.close()
        for opened in (region, peers, queue):
            opened.close()
    assert domain.closed
    assert fabric.closed


@pytest.mark.parametrize("name", RDM)
@isolated()
def test_reliable_datagrams(name: str) -> None:
    with open_pair(name, "RDM", Flag.MSG | Flag.TAGGED | Flag.RMA) as pair:
        a, b = pair.a, pair.b
        box, there = bytearray(256), bytearray(256)
        out, into = pair.register(data := bytearray(b"0123456789" * 10)), pair.register(there)
        inbox = pair.register(box)
        contexts = [pair.lib.context(i) for i in range(4)]

        pair.post(b.ep.recv, box, desc=inbox.desc, context=contexts[0])
        pair.post(a.ep.send, data, desc=out.desc, dest=a.peer, context=contexts[1])
        assert pair.completions(b)[0].op_context == contexts[0].address
        assert pair.completions(a)[0].op_context == contexts[1].address
        assert box[:100] == data

        pair.post(a.ep.write, data, **pair.remote(into, 5), desc=out.desc, dest=a.peer, context=contexts[2])
        assert pair.completions(a)[0].op_context == contexts[2].address
        pair.until(lambda: there[5:105] == data)
        pair.post(a.ep.read, box, **pair.remote(into), desc=inbox.desc, src=a.peer, context=contexts[3])
        assert pair.completions(a)[0].op_context == contexts[3].address
        assert box == there


@pytest.mark.parametrize("name", MSG)
@isolated()
def test_connections(name: str) -> None:
    with open_pair(name, "MSG", Flag.MSG | Flag.RMA) as pair:
        box = bytearray(64)
        pair.post(pair.b.ep.recv, box, context=pair.lib.context())
        pair.post(pair.a.ep.send, b"over a connection", context=pair.lib.context())
        assert pair.completions(pair.b)[0].len == 17
        pair.completions(pair.a)
        assert bytes(box[:17]) == b"over a connection"


@pytest.mark.parametrize("name", ["udp", "sockets"])
@isolated()
def test_datagrams(name: str) -> None:
    with open_pair(name, "DGRAM", Flag.MSG) as pair:
        box = bytearray(64)
        pair.post(pair.b.ep.recv, box, context=pair.lib.context())
        pair.post(pair.a.ep.send, b"perhaps", dest=pair.a.peer, context=pair.lib.context())
        assert pair.completions(pair.b)[0].len == 7
        assert bytes(box[:7]) == b"perhaps"
