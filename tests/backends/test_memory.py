# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Buffers and contexts: what is taken, what stays alive, and until when."""

from __future__ import annotations

import array
import gc
import mmap
import weakref

import pytest

from kfabric._native import ffi
from kfabric.api import Context, FabricError, Flag, UsageError
from kfabric.backends.libfabric.memory import CONTEXT_SIZE, Kept, descs, iovec, new_context, source, target
from tests.backends.child import isolated
from tests.backends.kit import open_pair


class Tracked(bytearray):
    """A buffer whose end can be seen."""


def test_contexts_are_large_zeroed_and_stay_where_they_are() -> None:
    contexts = [new_context(i) for i in range(100)]
    assert len({context.address for context in contexts}) == 100
    assert all(bytes(ffi.buffer(context.memory)) == bytes(CONTEXT_SIZE) for context in contexts)
    assert contexts[5].user == 5
    assert ffi.sizeof("struct fi_context2") == CONTEXT_SIZE
    assert int(ffi.cast("uintptr_t", contexts[7].memory)) == contexts[7].address


def test_what_counts_as_memory() -> None:
    for memory in (bytearray(8), memoryview(bytearray(8)), mmap.mmap(-1, 4096), array.array("Q", [1])):
        assert len(source(memory)) == len(target(memory)) >= 8  # type: ignore[arg-type]
    assert len(source(b"read only")) == 9
    assert len(source(b"")) == len(target(bytearray())) == 0
    for wrong in (b"read only", memoryview(b"read only"), "text", 5, None, memoryview(bytearray(8))[::2]):
        with pytest.raises(UsageError):
            target(wrong)  # type: ignore[arg-type]
    for wrong in ("text", 5, None, memoryview(bytearray(8))[::2]):
        with pytest.raises(UsageError):
            source(wrong)  # type: ignore[arg-type]


def test_nothing_is_copied() -> None:
    buf = bytearray(b"before")
    cbuf = source(buf)
    buf[:] = b"after!"
    assert bytes(ffi.buffer(cbuf)) == b"after!"
    vector = iovec([cbuf, source(b"xy")])
    assert [vector[i].iov_len for i in range(2)] == [6, 2]
    assert vector[0].iov_base == cbuf


def test_one_descriptor_for_each_buffer_or_none_at_all() -> None:
    assert descs((), 3) == ffi.NULL
    assert int(ffi.cast("uintptr_t", descs([5, 0], 2)[0])) == 5
    with pytest.raises(UsageError, match="1 descriptors for 2 buffers"):
        descs([5], 2)


def test_an_operation_keeps_its_buffers_until_its_context_is_used_again() -> None:
    kept, context = Kept(), new_context()
    first, second = Tracked(8), Tracked(8)
    alive = [weakref.ref(first), weakref.ref(second)]
    assert kept.operation(context, target(first)) == context.memory
    del first
    gc.collect()
    assert alive[0]() is not None
    kept.operation(context, target(second))
    del second
    gc.collect()
    assert (alive[0](), alive[1]() is None) == (None, False)
    kept.clear()
    gc.collect()
    assert alive[1]() is None


def test_without_a_context_the_same_buffer_is_kept_once() -> None:
    kept, buf = Kept(), bytearray(8)
    for _ in range(1000):
        assert kept.operation(None, target(buf)) == ffi.NULL
    assert len(kept) == 1
    with pytest.raises(BufferError):
        buf.append(0)
    kept.clear()
    buf.append(0)


@pytest.mark.parametrize("name", ["sockets", "tcp;ofi_rxm", "shm"])
@isolated()
def test_a_posted_receive_outlives_the_caller_s_references(name: str) -> None:
    with open_pair(name, "RDM", Flag.MSG) as pair:
        box = Tracked(64)
        alive = weakref.ref(box)
        context = pair.lib.context("only the endpoint knows me")
        known = weakref.ref(context) if hasattr(Context, "__weakref__") else None
        address = context.address
        pair.post(pair.b.ep.recv, box, context=context)
        del box, context
        gc.collect()
        junk = [bytearray(64) for _ in range(1000)]
        pair.post(pair.a.ep.send, b"still here", dest=pair.a.peer, context=pair.lib.context())
        assert pair.completions(pair.b)[0].op_context == address
        still = alive()
        assert still is not None
        assert bytes(still[:10]) == b"still here"
        assert len(junk) == 1000
        assert known is None or known() is not None
        del still
        pair.b.ep.close()
        gc.collect()
        assert alive() is None


@isolated()
def test_buffers_of_refused_calls_are_harmless() -> None:
    with open_pair("sockets", "RDM", Flag.MSG) as pair:
        size = pair.info.tx_attr.inject_size
        with pytest.raises(FabricError):
            pair.a.ep.inject(bytes(size + 1), dest=pair.a.peer)
        with pytest.raises(UsageError):
            pair.a.ep.recv(b"cannot be written")  # type: ignore[arg-type]
