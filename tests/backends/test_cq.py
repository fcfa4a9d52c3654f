# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Completion queues: every format, every way to read, waiting, errors; and counters beside them."""

from __future__ import annotations

import select
import threading
import time

import pytest

from kfabric.api import CntrAttr, Completion, CqAttr, CqFormat, Errno, FabricError, Flag, UsageError, WaitObj
from tests.backends.child import isolated
from tests.backends.kit import PATIENCE, Pair, open_pair, refused

WAITING = ["tcp;ofi_rxm", "sockets", "net"]
FIELDS: dict[CqFormat, set[str]] = {
    CqFormat.CONTEXT: set(),
    CqFormat.MSG: {"flags", "len"},
    CqFormat.DATA: {"flags", "len", "buf", "data"},
    CqFormat.TAGGED: {"flags", "len", "buf", "data", "tag"},
}


def exchange(pair: Pair, text: bytes = b"hello") -> bytearray:
    """One tagged message from a to b; nobody has read a completion yet."""
    box = bytearray(64)
    pair.post(pair.b.ep.trecv, box, 3, context=pair.lib.context("in"))
    pair.post(pair.a.ep.tsend, text, 3, dest=pair.a.peer, context=pair.lib.context("out"))
    return box


@pytest.mark.parametrize("name", ["tcp;ofi_rxm", "sockets", "shm", "net", "udp;ofi_rxd"])
@isolated()
def test_formats(name: str) -> None:
    for form, fields in FIELDS.items():
        carries(name, form, fields)


def carries(name: str, form: CqFormat, fields: set[str]) -> None:
    with open_pair(name, "RDM", Flag.TAGGED, cq=CqAttr(size=32, format=form)) as pair:
        assert pair.b.cq.format == form
        for _ in range(3):
            exchange(pair)
        entries = pair.completions(pair.b, 3)
        for entry in entries:
            present = {name for name in ("flags", "len", "buf", "data", "tag") if getattr(entry, name) is not None}
            assert present == fields
            assert entry.op_context
        if form is CqFormat.TAGGED:
            assert [(entry.len, entry.tag) for entry in entries] == [(5, 3)] * 3


@isolated()
def test_empty_queues_and_counts() -> None:
    with open_pair("sockets", "RDM", Flag.TAGGED) as pair:
        queue = pair.b.cq
        assert queue.read(0) == []
        assert queue.read(4) == []
        assert queue.last_code == -Errno.EAGAIN
        assert queue.readfrom(4) == []
        assert queue.readerr() is None
        assert queue.last_code == -Errno.EAGAIN
        box = exchange(pair)
        while not (found := queue.read(200)):  # more than the pooled room
            pair.a.poll()
        assert queue.last_code == 1
        assert bytes(box[:5]) == b"hello"
        assert isinstance(found[0], Completion)
        assert "error" in queue.strerror(5).lower() or queue.strerror(5)


@pytest.mark.parametrize("name", WAITING)
@isolated()
def test_waiting(name: str) -> None:
    with open_pair(name, "RDM", Flag.TAGGED, cq=CqAttr(size=32, wait_obj=WaitObj.UNSPEC)) as pair:
        queue = pair.b.cq
        began = time.monotonic()
        assert queue.sread(2, timeout=50) == []
        assert 0.03 < time.monotonic() - began < PATIENCE
        assert queue.last_code in {-Errno.EAGAIN, -Errno.ETIMEDOUT}
        assert queue.sreadfrom(2, timeout=0) == []

        exchange(pair)
        stop = threading.Event()

        def drive() -> None:
            while not stop.is_set():
                pair.a.poll()

        driver = threading.Thread(target=drive)
        driver.start()
        try:
            [entry] = queue.sread(1, timeout=int(PATIENCE * 1000))
        finally:
            stop.set()
            driver.join()
        assert entry.tag == 3


@pytest.mark.parametrize("name", ["tcp;ofi_rxm", "sockets"])
@isolated()
def test_a_signal_ends_a_wait(name: str) -> None:
    with open_pair(name, "RDM", Flag.TAGGED, cq=CqAttr(size=32, wait_obj=WaitObj.UNSPEC)) as pair:
        queue = pair.b.cq
        answers: list[list[Completion]] = []
        waiter = threading.Thread(target=lambda: answers.append(queue.sread(1, timeout=int(PATIENCE * 1000))))
        waiter.start()
        while waiter.is_alive():
            queue.signal()
            waiter.join(0.02)
        assert answers == [[]]


@pytest.mark.parametrize("name", ["tcp;ofi_rxm", "sockets"])
@isolated()
def test_a_file_descriptor_to_wait_on(name: str) -> None:
    with open_pair(name, "RDM", Flag.TAGGED, cq=CqAttr(size=32, wait_obj=WaitObj.FD)) as pair:
        queue = pair.b.cq
        assert queue.attr.wait_obj is WaitObj.FD
        number = queue.wait_fd()
        assert number >= 0
        exchange(pair)
        end = time.monotonic() + PATIENCE
        found: list[Completion] = []
        while not found and time.monotonic() < end:
            pair.a.poll()
            if pair.fabric.trywait([queue]):
                select.select([number], [], [], 0.05)
            found = queue.read(1)
        assert found


@isolated()
def test_a_queue_without_a_wait_object_has_none() -> None:
    with open_pair("tcp;ofi_rxm", "RDM", Flag.TAGGED) as pair:
        for wait in (pair.a.cq.sread, pair.a.cq.sreadfrom, pair.a.cq.signal, pair.a.cq.wait_fd):
            with pytest.raises(UsageError, match="wait object NONE"):
                wait()
        with pytest.raises(UsageError, match="wait object NONE"):
            pair.keep(pair.domain.cntr_open()).wait(1, timeout=0)


@pytest.mark.parametrize("name", ["tcp;ofi_rxm", "sockets", "net"])
@isolated()
def test_errors_wait_their_turn(name: str) -> None:
    with open_pair(name, "RDM", Flag.TAGGED) as pair:
        context, queue = pair.lib.context(), pair.b.cq
        pair.post(pair.b.ep.trecv, bytearray(8), 3, context=context)
        pair.b.ep.cancel(context)
        end = time.monotonic() + PATIENCE
        while True:
            try:
                assert queue.read(1) == []
            except FabricError as there:
                code = there.code
                break
            assert time.monotonic() < end
        assert code == Errno.EAVAIL
        assert queue.last_code == -Errno.EAVAIL
        assert refused(queue.read).code == Errno.EAVAIL
        error = queue.readerr()
        assert error is not None
        assert queue.last_code == 1
        assert (error.op_context, error.err) == (context.address, Errno.ECANCELED)
        assert queue.readerr() is None
        assert queue.read(1) == []


@isolated()
def test_the_queues_of_two_threads_do_not_mix() -> None:
    """Many readers of one queue: each entry is delivered once."""
    with open_pair("sockets", "RDM", Flag.TAGGED) as pair:
        count, lock = 200, threading.Lock()
        got: list[Completion] = []
        contexts = [pair.lib.context(i) for i in range(count)]
        boxes = [bytearray(4) for _ in range(count)]

        def reader() -> None:
            while True:
                entries = pair.b.cq.read(3)
                with lock:
                    got.extend(entries)
                    if len(got) >= count:
                        return

        for i in range(count):
            pair.b.ep.trecv(boxes[i], i, context=contexts[i])
        readers = [threading.Thread(target=reader) for _ in range(3)]
        for thread in readers:
            thread.start()
        for i in range(count):
            while True:
                try:
                    pair.a.ep.tinject(i.to_bytes(4, "little"), i, dest=pair.a.peer)
                    break
                except FabricError as busy:
                    if busy.code != Errno.EAGAIN:
                        raise
                    pair.a.poll()
        for thread in readers:
            thread.join(PATIENCE)
        by_context = {context.address: i for i, context in enumerate(contexts)}
        assert sorted(by_context[entry.op_context] for entry in got) == list(range(count))
        assert all(entry.tag == by_context[entry.op_context] for entry in got)


@pytest.mark.parametrize("name", ["sockets", "tcp;ofi_rxm", "shm", "udp;ofi_rxd"])
@isolated()
def test_counters(name: str) -> None:
    bound = {"sent": Flag.SEND, "received": Flag.RECV}
    with open_pair(name, "RDM", Flag.TAGGED, counters=bound) as pair:
        sent, received = pair.a.counters["sent"], pair.b.counters["received"]
        for i in range(1, 4):
            exchange(pair)
            pair.until(lambda n=i: sent.read() == n and received.read() == n, "not counted")  # type: ignore[misc]
        assert sent.readerr() == received.readerr() == 0
        sent.add(5)
        pair.until(lambda: sent.read() == 8)
        sent.set(2)
        pair.until(lambda: sent.read() == 2)
        sent.adderr(1)
        pair.until(lambda: sent.readerr() == 1)
        sent.seterr(0)
        pair.until(lambda: sent.readerr() == 0)


@pytest.mark.parametrize("name", ["sockets", "tcp;ofi_rxm"])
@isolated()
def test_waiting_for_a_counter(name: str) -> None:
    with open_pair(name, "RDM", Flag.TAGGED) as pair:
        counter = pair.keep(pair.domain.cntr_open(CntrAttr(wait_obj=WaitObj.UNSPEC)))
        counter.add(3)
        counter.wait(3, timeout=int(PATIENCE * 1000))
        late = refused(counter.wait, 4, timeout=20)
        assert late.code == Errno.ETIMEDOUT
        if name != "sockets":  # of libfabric 1.17, which forgets the sign
            assert late.returned == -Errno.ETIMEDOUT
        closed = pair.domain.cntr_open()
        closed.close()
        with pytest.raises(UsageError, match="closed"):
            closed.read()
