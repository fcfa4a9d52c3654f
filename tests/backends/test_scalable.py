# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Scalable endpoints, named and shared contexts, aliases, and the defaults of operations."""

from __future__ import annotations

from kfabric.api import AddressVector, AvAttr, AvType, CompletionQueue, Endpoint, Flag, Info, RxAttr, TxAttr
from tests.backends.child import isolated
from tests.backends.kit import hints_for, offers, open_pair, provider, refused

BITS = 2


def read(*queues: CompletionQueue) -> int:
    """Read the queues until the first has an entry; its context."""
    for _ in range(2_000_000):
        for queue in queues[1:]:
            queue.read(1)
        if entries := queues[0].read(1):
            return entries[0].op_context
    raise AssertionError("no completion")


@isolated()
def test_contexts_of_a_scalable_endpoint() -> None:
    lib = provider()
    hints = hints_for("sockets", "RDM", Flag.TAGGED | Flag.NAMED_RX_CTX)
    hints.ep_attr.tx_ctx_cnt, hints.ep_attr.rx_ctx_cnt = 2, 3
    info = offers(lib, hints)[0]
    with lib.fabric(info) as fabric, fabric.domain(info) as domain:
        av = domain.av_open(AvAttr(type=AvType.MAP, rx_ctx_bits=BITS))
        sep = domain.scalable_ep(info)
        sep.bind(av)
        sep.enable()
        queue = domain.cq_open()
        transmits = [sep.tx_context(i, TxAttr(caps=info.tx_attr.caps)) for i in range(2)]
        receives = [sep.rx_context(i) for i in range(3)]
        for ep, direction in [(ep, Flag.TRANSMIT) for ep in transmits] + [(ep, Flag.RECV) for ep in receives]:
            ep.bind(queue, direction)
            ep.enable()
        assert transmits[0].tx_attr is not None
        assert receives[0].rx_attr is None
        assert refused(sep.tx_context, 99).code > 0

        _, [own] = av.insert([sep.getname()[0]])
        boxes = [bytearray(8) for _ in range(3)]
        for i, ep in enumerate(receives):
            ep.trecv(boxes[i], 9, context=lib.context(i))
        for i in (2, 0, 1):
            transmits[i % 2].tinject(b"to %d" % i, 9, dest=AddressVector.rx_addr(own, i, BITS))
            read(queue)
        assert [bytes(box[:4]) for box in boxes] == [b"to 0", b"to 1", b"to 2"]
        assert AddressVector.rx_addr(5, 0, 0) == 5
        for closing in (*transmits, *receives, sep, av, queue):
            closing.close()


@isolated()
def test_endpoints_that_share_contexts() -> None:
    lib = provider()
    info = offers(lib, hints_for("sockets", "RDM", Flag.MSG))[0]
    info.ep_attr.tx_ctx_cnt = info.ep_attr.rx_ctx_cnt = (1 << 64) - 1  # FI_SHARED_CONTEXT
    with lib.fabric(info) as fabric, fabric.domain(info) as domain:
        sending = domain.stx_ctx(TxAttr(caps=info.tx_attr.caps))
        receiving = domain.srx_ctx(RxAttr(caps=info.rx_attr.caps, size=64))
        assert receiving.rx_attr is not None
        av, queue = domain.av_open(AvAttr(type=AvType.TABLE)), domain.cq_open()
        pair: list[Endpoint] = [domain.endpoint(info) for _ in range(2)]
        for ep in pair:
            ep.bind(sending)
            ep.bind(receiving)
            ep.bind(av)
            ep.bind(queue, Flag.TRANSMIT | Flag.RECV)
            ep.enable()
        _, handles = av.insert([ep.getname()[0] for ep in pair])
        box, context = bytearray(8), lib.context("shared")
        receiving.recv(box, context=context)
        pair[0].inject(b"either", dest=handles[1])
        assert read(queue) == context.address
        assert bytes(box[:6]) == b"either"
        for closing in (*pair, receiving, sending, av, queue):
            closing.close()


def asks_for_data(info: Info) -> None:
    info.tx_attr.op_flags = Flag.TRANSMIT_COMPLETE


@isolated()
def test_defaults_of_operations() -> None:
    with open_pair("sockets", "RDM", Flag.MSG, change=asks_for_data) as pair:
        ep = pair.a.ep
        before = ep.get_ops_flags(Flag.TRANSMIT)
        assert before & Flag.TRANSMIT_COMPLETE
        ep.set_ops_flags(Flag.TRANSMIT | Flag.COMPLETION)
        assert ep.get_ops_flags(Flag.TRANSMIT) & Flag.COMPLETION
        assert refused(ep.get_ops_flags, 0).code > 0


@isolated()
def test_an_alias_is_the_same_endpoint() -> None:
    with open_pair("sockets", "RDM", Flag.MSG) as pair:
        alias = pair.a.ep.alias(Flag.TRANSMIT | Flag.COMPLETION)
        assert alias.fid != pair.a.ep.fid
        box = bytearray(8)
        pair.post(pair.b.ep.recv, box, context=pair.lib.context())
        pair.post(alias.send, b"alias", dest=pair.a.peer, context=pair.lib.context())
        pair.completions(pair.b)
        assert bytes(box[:5]) == b"alias"
        alias.close()
