# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What all objects do: close once, refuse to be used afterwards, hold their parents; and holes in function tables."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from kfabric._native import ffi
from kfabric.api import ControlCommand, CqAttr, Errno, FabricError, FabricObject, Flag, RmaIov, UsageError
from kfabric.backends.libfabric.calls import check, done, slot
from kfabric.backends.libfabric.domain import LibfabricDomain
from kfabric.backends.libfabric.endpoint import LibfabricEndpoint
from tests.backends.child import isolated
from tests.backends.kit import hints_for, offers, open_pair, provider, refused


# Others of libfabric 1.17 take a part of the tree down while they refuse (then crash), or do not refuse (sockets).
@pytest.mark.parametrize("name", ["shm", "net"])
@isolated()
def test_the_tree_closes_from_the_leaves(name: str) -> None:
    lib = provider()
    info = offers(lib, hints_for(name, "RDM", Flag.MSG))[0]
    fabric = lib.fabric(info)
    domain = fabric.domain(info)
    queue = domain.cq_open(CqAttr(size=16))
    assert refused(fabric.close).code == Errno.EBUSY
    assert refused(domain.close).code == Errno.EBUSY
    assert not domain.closed
    assert {type(fabric).__name__, type(domain).__name__} == {"LibfabricFabric", "LibfabricDomain"}
    assert len({fabric.fid, domain.fid, queue.fid}) == 3
    for obj in (queue, domain, fabric):
        obj.close()
        assert obj.closed
        with pytest.raises(UsageError, match="closed"):
            obj.close()
        with pytest.raises(UsageError, match="closed"):
            _ = obj.fid
        assert "closed" in repr(obj)
    with pytest.raises(UsageError, match="closed"):
        domain.cq_open()
    with pytest.raises(UsageError, match="closed"):
        queue.read()


@isolated()
def test_a_closed_object_cannot_be_bound() -> None:
    with open_pair("sockets", "RDM", Flag.MSG) as pair:
        closed = pair.domain.cq_open()
        closed.close()
        with pytest.raises(UsageError, match="closed"):
            pair.a.ep.bind(closed, Flag.RECV)

        class Stranger(FabricObject):
            fid, closed = 0, False

            def close(self) -> None:
                """Nothing to close."""

        with pytest.raises(UsageError, match="not an object of this backend"):
            pair.a.ep.bind(Stranger(), Flag.RECV)


@isolated()
def test_children_hold_their_parents() -> None:
    lib = provider()
    info = offers(lib, hints_for("sockets", "RDM", Flag.MSG))[0]
    fabric = lib.fabric(info)
    alive = weakref.ref(fabric)
    queue = fabric.domain(info).cq_open()
    del fabric
    gc.collect()
    assert alive() is not None
    assert queue.read() == []


@isolated()
def test_control_and_extensions() -> None:
    with open_pair("sockets", "RDM", Flag.MSG) as pair:
        word = bytearray(int(Flag.TRANSMIT).to_bytes(8, "little"))
        assert pair.a.ep.control(ControlCommand.GETOPSFLAG, word) == 0
        assert int.from_bytes(word, "little") == pair.a.ep.get_ops_flags(Flag.TRANSMIT)
        assert pair.a.ep.control(ControlCommand.SETOPSFLAG, int(Flag.TRANSMIT | Flag.COMPLETION)) == 0
        assert refused(pair.a.ep.control, 9999).code > 0
        for obj in (pair.domain, pair.a.ep, pair.fabric):
            assert refused(obj.open_ops, "no such extension").code > 0


@isolated()
def test_contexts_of_objects_come_back() -> None:
    lib = provider()
    info = offers(lib, hints_for("sockets", "RDM", Flag.MSG))[0]
    mine = lib.context("mine")
    with lib.fabric(info, mine) as fabric, fabric.domain(info) as domain:
        assert fabric.fid_context == mine.address
        assert domain.fid_context == 0


def test_holes_in_a_table_are_not_called() -> None:
    """An absent table, a short one, an empty slot say ENOSYS; the detail tells them from a provider's own ENOSYS."""
    table = ffi.new("struct fi_ops_tagged *")
    table.size = ffi.sizeof("struct fi_ops_tagged")
    holes: list[Any] = [ffi.NULL, table]
    for hole in holes:
        with pytest.raises(FabricError, match="no such function") as caught:
            slot(hole, "inject", "fi_tinject")
        assert (caught.value.code, caught.value.call) == (Errno.ENOSYS, "fi_tinject")

    kind = "ssize_t(struct fid_ep *, const void *, size_t, fi_addr_t, uint64_t)"

    @ffi.callback(kind)  # type: ignore[untyped-decorator]
    def inject(*_: Any) -> int:
        return 0

    table.inject = inject
    assert slot(table, "inject", "fi_tinject")(ffi.NULL, ffi.NULL, 0, 0, 0) == 0
    table.size = ffi.offsetof("struct fi_ops_tagged", "inject")
    with pytest.raises(FabricError, match="no such function"):
        slot(table, "inject", "fi_tinject")


def test_objects_with_empty_tables_refuse_every_call() -> None:
    library = provider().library
    fid_ops = ffi.new("struct fi_ops *")
    fid_ops.size = ffi.sizeof("struct fi_ops")

    def bare(kind: str, tables: dict[str, str]) -> tuple[Any, list[Any]]:
        it, alive = ffi.new(f"struct {kind} *"), []
        it.fid.ops = fid_ops
        for name, ops in tables.items():
            table = ffi.new(f"struct {ops} *")
            setattr(it, name, table)  # its size is 0: there, but short
            alive.append(table)
        return it, alive

    domain, keep_domain = bare("fid_domain", {"ops": "fi_ops_domain"})
    ep, keep_ep = bare("fid_ep", {"ops": "fi_ops_ep", "msg": "fi_ops_msg", "tagged": "fi_ops_tagged"})
    one, two = bytearray(8), [bytearray(8)]
    d, e = LibfabricDomain(library, domain, None), LibfabricEndpoint(library, ep, None)
    remote = [RmaIov(0, 8, 0)]
    calls: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = [
        (d.cq_open, (), {}),
        (d.cntr_open, (), {}),
        (d.av_open, (), {}),
        (d.mr_reg, (one, 0), {}),
        (d.mr_regv, (two, 0), {}),
        (d.mr_regattr, (two, 0), {}),
        (d.query_atomic, (0, 0), {}),
        (d.stx_ctx, (None,), {}),
        (d.srx_ctx, (None,), {}),
        (d.close, (), {}),
        (d.bind, (e,), {}),
        (d.control, (0,), {}),
        (d.open_ops, ("x",), {}),
        (e.enable, (), {}),
        (e.send, (one,), {}),
        (e.recvmsg, (two,), {}),
        (e.tsendv, (two, 0), {}),
        (e.write, (one,), {"addr": 0, "key": 0}),
        (e.writemsg, (two, remote), {}),
        (e.atomic, (one, 1, 7, 2), {"addr": 0, "key": 0}),
        (e.atomic_valid, ("base", 7, 2), {}),
        (e.getname, (), {}),
        (e.connect, (b"",), {}),
        (e.getopt, (0,), {}),
        (e.tx_size_left, (), {}),
    ]
    for call, arguments, words in calls:
        with pytest.raises(FabricError, match="no such function"):
            call(*arguments, **words)
    assert keep_domain
    assert keep_ep


def test_codes() -> None:
    assert check(5, "fi_cq_read") == 5
    done(0, "fi_bind")
    for code, returned in ((-Errno.EBUSY, -Errno.EBUSY), (Errno.EBUSY, Errno.EBUSY)):
        error = refused(done, code, "fi_close")
        assert (error.code, error.call, error.name, error.returned) == (Errno.EBUSY, "fi_close", "EBUSY", returned)
    assert refused(check, -12345, "fi_x").name == "error 12345"
