# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Remote memory access and memory registration in every form."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import Any

import pytest

from kfabric.api import KEY_NOTAVAIL, Errno, Flag, RmaIov, UsageError
from tests.backends.child import isolated
from tests.backends.kit import ALL_ACCESS, RDM, Pair, open_pair, refused

TARGETS = [(name, "RDM") for name in RDM] + [("tcp", "MSG"), ("sockets", "MSG"), ("net", "MSG")]
DATA = 0xABCD


def everything(pair: Pair) -> None:
    """Each write lands where it should and nowhere else; each read brings it back."""
    a, peer = pair.a, pair.a.peer
    there, text, back = bytearray(256), bytearray(range(1, 49)), bytearray(48)
    region, out, home = pair.register(there), pair.register(text), pair.register(back)
    done = pair.lib.context("done")
    head, tail = memoryview(text)[:16], memoryview(text)[16:48]
    two_out, two_home = [out.desc] * 2, [home.desc] * 2
    at = pair.remote(region, 32)
    to: dict[str, Any] = {"dest": peer, "context": done}

    def segments(*sizes: int) -> list[RmaIov]:
        starts = [sum(sizes[:i]) for i in range(len(sizes))]
        return [RmaIov(at["addr"] + start, size, at["key"]) for start, size in zip(starts, sizes, strict=True)]

    writes: list[tuple[int, bool, Callable[[], None]]] = [
        (48, True, lambda: pair.post(a.ep.write, text, **at, desc=out.desc, **to)),
        (48, True, lambda: pair.post(a.ep.writev, [head, tail], **at, descs=two_out, **to)),
        (48, True, lambda: pair.post(a.ep.writemsg, [head, tail], segments(48), descs=two_out, **to)),
        (16, False, lambda: pair.post(a.ep.inject_write, bytes(head), **at, dest=peer)),
    ]
    if pair.info.tx_attr.rma_iov_limit > 1:
        writes.append((48, True, lambda: pair.post(a.ep.writemsg, [text], segments(8, 40), descs=[out.desc], **to)))
    for i, (length, completes, write) in enumerate(writes):
        there[:] = bytes(256)
        write()
        if completes:
            [entry] = pair.completions(a)
            assert entry.op_context == done.address, i
            assert entry.flags is not None
            assert entry.flags & Flag.RMA
            assert entry.flags & Flag.WRITE
        pair.until(lambda n=length: there[32 : 32 + n] == text[:n], f"write {i} did not land")  # type: ignore[misc]
        assert there[:32] == bytes(32), i
        assert there[32 + length :] == bytes(256 - 32 - length), i

    there[32:80] = text
    reads: list[Callable[[], None]] = [
        lambda: pair.post(a.ep.read, back, **at, desc=home.desc, src=peer, context=done),
        lambda: pair.post(
            a.ep.readv, [memoryview(back)[:8], memoryview(back)[8:]], **at, descs=two_home, src=peer, context=done
        ),
        lambda: pair.post(a.ep.readmsg, [back], segments(48), descs=[home.desc], src=peer, context=done),
    ]
    for i, read in enumerate(reads):
        back[:] = bytes(48)
        read()
        assert pair.completions(a)[0].op_context == done.address, i
        assert back == text, i


@pytest.mark.parametrize(("name", "kind"), TARGETS)
@isolated()
def test_every_form(name: str, kind: str) -> None:
    with open_pair(name, kind, Flag.MSG | Flag.RMA) as pair:
        everything(pair)


@pytest.mark.parametrize(("name", "kind"), [("sockets", "RDM"), ("tcp;ofi_rxm", "RDM"), ("net", "RDM"), ("shm", "RDM")])
@isolated()
def test_writes_with_data_for_the_peer(name: str, kind: str) -> None:
    with open_pair(name, kind, Flag.MSG | Flag.RMA) as pair:
        there, done = bytearray(64), pair.lib.context()
        region = pair.register(there)
        out = pair.register(text := bytearray(b"attended"))
        where = pair.remote(region)
        pair.post(pair.a.ep.writedata, text, DATA, **where, desc=out.desc, dest=pair.a.peer, context=done)
        [entry] = pair.completions(pair.b)
        assert entry.flags is not None
        assert entry.flags & Flag.REMOTE_CQ_DATA
        assert entry.data == DATA
        assert bytes(there[:8]) == text
        pair.completions(pair.a)
        pair.post(pair.a.ep.inject_writedata, b"again", DATA + 1, **where, dest=pair.a.peer)
        assert pair.completions(pair.b)[0].data == DATA + 1
        segment = RmaIov(where["addr"], 8, where["key"])
        words: dict[str, Any] = {"descs": [out.desc], "dest": pair.a.peer, "context": done}
        pair.post(pair.a.ep.writemsg, [text], [segment], data=DATA + 2, flags=Flag.REMOTE_CQ_DATA, **words)
        assert pair.completions(pair.b)[0].data == DATA + 2


# Only here in libfabric 1.17: net and tcp;ofi_rxm report success before the peer finds out, udp;ofi_rxd nothing at all.
@isolated()
def test_a_wrong_key_completes_in_error() -> None:
    with open_pair("sockets", "RDM", Flag.MSG | Flag.RMA) as pair:
        there, done = bytearray(64), pair.lib.context("refused")
        region = pair.register(there)
        where = pair.remote(region)
        where["key"] ^= 0x55
        pair.post(pair.a.ep.write, b"forged", **where, dest=pair.a.peer, context=done)
        error = pair.error(pair.a)
        assert error.op_context == done.address
        assert error.err > 0
        assert there == bytes(64)
        assert pair.a.cq.strerror(error.prov_errno, error.err_data)


@pytest.mark.parametrize("name", RDM)
@isolated()
def test_registrations(name: str) -> None:
    with open_pair(name, "RDM", Flag.MSG | Flag.RMA) as pair:
        domain = pair.domain
        one, two = bytearray(128), bytearray(64)
        plain = pair.register(one)
        assert plain.address != 0
        assert plain.key != KEY_NOTAVAIL
        assert isinstance(plain.desc, int)
        for register in (domain.mr_regv, domain.mr_regattr):
            region = register([one], ALL_ACCESS, requested_key=500)
            assert region.address == plain.address
            region.close()
        if pair.info.domain_attr.mr_iov_limit > 1:
            domain.mr_regv([one, two], ALL_ACCESS, requested_key=501).close()
        if not pair.info.domain_attr.mr_mode & 1 << 6:  # the application chooses keys
            assert plain.key == 101
            assert refused(domain.mr_reg, two, ALL_ACCESS, requested_key=101).code == Errno.ENOKEY

        domain.mr_reg(b"only read", Flag.SEND | Flag.WRITE | Flag.REMOTE_READ, requested_key=502).close()
        with pytest.raises(UsageError, match="writable"):
            domain.mr_reg(b"only read", Flag.REMOTE_WRITE, requested_key=503)
        pages = mmap.mmap(-1, 8192)
        mapped = domain.mr_reg(pages, ALL_ACCESS, requested_key=504)
        with pytest.raises(BufferError):
            pages.close()  # the region holds it
        mapped.close()
        pages.close()


@isolated()
def test_persistent_regions_where_they_are_offered() -> None:
    with open_pair("sockets", "RDM", Flag.MSG | Flag.RMA | Flag.RMA_PMEM) as pair:
        there, done = bytearray(64), pair.lib.context()
        region = pair.register(there, flags=Flag.RMA_PMEM)
        segment = RmaIov(**pair.remote(region), len=7)
        words: dict[str, Any] = {"dest": pair.a.peer, "context": done}
        pair.post(pair.a.ep.writemsg, [b"durable"], [segment], flags=Flag.COMMIT_COMPLETE, **words)
        pair.completions(pair.a)
        assert bytes(there[:7]) == b"durable"


@isolated()
def test_calls_that_a_provider_does_not_have() -> None:
    with open_pair("sockets", "RDM", Flag.MSG | Flag.RMA) as pair:
        region = pair.register(bytearray(64))
        assert refused(region.raw_attr).code in {Errno.ENOSYS, Errno.EINVAL}
        assert refused(region.refresh, [bytearray(8)]).code in {Errno.ENOSYS, Errno.EINVAL}
        assert refused(pair.domain.map_raw, 0, b"key").code in {Errno.ENOSYS, Errno.EINVAL}
        assert refused(pair.domain.unmap_key, 5).code in {Errno.ENOSYS, Errno.EINVAL}
