# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Completion queues as objects: reading, errors, blocking, signalling, sources. Entries: ``test_cq_programs``."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from kfabric.api import ADDR_NOTAVAIL, AvType, Completion, CqFormat, Errno, FabricError, Flag, WaitObj
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Bound, Kit, Pair, Side

T = TypeVar("T")


def post_pair(kit: Kit, pair: Pair, size: int = 16, room: int = 32) -> tuple[int, int]:
    """One message from a to b; the contexts of send and receive."""
    into, out = kit.buffer(room), kit.buffer(size, 0x37)
    received, sent = kit.context(), kit.context()
    kit.post(pair.b.ep.recv, into.view, desc=kit.desc(pair.b, into), context=received)
    kit.post(pair.a.ep.send, out.view, desc=kit.desc(pair.a, out), dest=pair.a.peer, context=sent)
    return sent.address, received.address


def received_by(side: Side) -> list[Completion]:
    """Entries that a side has read."""
    return side.completions


def fail_receive(kit: Kit, pair: Pair) -> int:
    """Post a receive on b and cancel it; its context. Leaves the error entry in the queue."""
    into, context = kit.buffer(32), kit.context()
    kit.post(pair.b.ep.recv, into.view, desc=kit.desc(pair.b, into), context=context)
    code = pair.b.ep.cancel(context)
    if code < 0:
        raise Bound(f"fi_cancel answered {code}: no error entry can be provoked")
    return context.address


def drive_others(kit: Kit, side: Side, until: Callable[[], object], bound: float = 3.0) -> bool:
    """Poll every queue but the side's until the predicate holds."""
    end = time.monotonic() + bound
    while time.monotonic() < end:
        for watch in kit.watches:
            if watch not in side.watches:
                watch.poll()
        if until():
            return True
        time.sleep(0.0002)
    return False


@requirement("OFI-CQ-001", "OFI-CQ-002", "OFI-CQ-036")
def test_reading(local: Local) -> None:
    """An empty queue says so; a read gives at most what was asked for."""
    local.run(reading)


def reading(kit: Kit) -> None:
    pair = kit.pair(split=True)
    queue = pair.b.rx_cq
    kit.check(
        "OFI-CQ-001",
        queue.read() == [] and queue.last_code == -Errno.EAGAIN,
        "an empty queue answers EAGAIN",
        seen=queue.last_code,
    )
    contexts = [post_pair(kit, pair)[1] for _ in range(4)]
    found: list[int] = []
    sizes: list[int] = []
    empty: list[int] = []

    def collect() -> bool:
        empty.append(len(queue.read(0)))
        got = queue.read(2)
        sizes.append(len(got))
        found.extend(entry.op_context for entry in got)
        return len(found) >= 4

    drive_others(kit, pair.b, collect)
    kit.check("OFI-CQ-002", max(sizes) <= 2, "a read returns at most count entries", seen=max(sizes), wanted=2)
    kit.check(
        "OFI-CQ-036",
        not any(empty) and sorted(found) == sorted(contexts),
        "reads with a count of 0 take nothing away",
        seen=len(found),
        wanted=4,
    )


@requirement("OFI-CQ-002")
def test_every_format(local: Local) -> None:
    """An entry has the layout of the queue's format, and not a byte more."""
    local.run(every_format)


def every_format(kit: Kit) -> None:
    for kind in (CqFormat.CONTEXT, CqFormat.MSG, CqFormat.DATA, CqFormat.TAGGED):
        pair = kit.pair(cq_format=kind, split=True)
        _, received = post_pair(kit, pair)
        kit.drive(partial(received_by, pair.b))
        got = pair.b.completions
        kit.check(
            "OFI-CQ-002",
            len(got) == 1 and got[0].op_context == received,
            f"a queue of format {kind.name} gives one entry with its context",
            seen=len(got),
        )


@requirement("OFI-CQ-019", "OFI-CQ-020", "OFI-CQ-021", "OFI-CQ-022")
def test_sources(local: Local) -> None:
    """The sender is named when it is known, and only then."""
    local.run(sources)


def sources(kit: Kit) -> None:
    pair = kit.pair(with_source=True, av_type=AvType.TABLE if kit.applies("OFI-CQ-020") else None)
    _, received = post_pair(kit, pair)
    entry = _entry(kit, pair.b, received)
    if kit.info.caps & Flag.SOURCE:
        if pair.b.av is not None:
            kit.check(
                "OFI-CQ-019",
                entry.src_addr == pair.b.peer,
                "the source is the sender's handle",
                seen=entry.src_addr,
                wanted=pair.b.peer,
            )
    else:
        kit.check(
            "OFI-CQ-021",
            entry.src_addr == ADDR_NOTAVAIL,
            "without FI_SOURCE the source is FI_ADDR_NOTAVAIL",
            seen=entry.src_addr,
        )
    if not kit.applies("OFI-CQ-020") or pair.b.av is None:
        return
    pair.b.av.remove([pair.b.peer])
    stranger = kit.side(name="stranger", av_type=AvType.TABLE)
    handle = kit.insert(stranger, pair.b.address)
    into, out = kit.buffer(32), kit.buffer(16, 0x38)
    context, sent = kit.context(), kit.context()
    kit.post(pair.b.ep.recv, into.view, desc=kit.desc(pair.b, into), context=context)
    kit.post(stranger.ep.send, out.view, desc=kit.desc(stranger, out), dest=handle, context=sent)
    entry = _entry(kit, pair.b, context.address)
    kit.check(
        "OFI-CQ-020", entry.src_addr == ADDR_NOTAVAIL, "an unknown sender is FI_ADDR_NOTAVAIL", seen=entry.src_addr
    )
    try:
        found = pair.b.av.lookup(1)[0]
    except FabricError:
        found = b""
    kit.check("OFI-CQ-022", found != stranger.address, "the vector has not learned the sender by itself")


def _entry(kit: Kit, side: Side, address: int) -> Completion:
    if not kit.drive(lambda: any(entry.op_context == address for entry in side.completions)):
        raise Bound(f"no completion on side {side.name} within the bound")
    return next(entry for entry in side.completions if entry.op_context == address)


@requirement("OFI-CQ-024", "OFI-CQ-025", "OFI-CQ-026", "OFI-CQ-030", "OFI-CQ-039")
def test_error_entries(local: Local) -> None:
    """An error stands at the head of the queue until it is taken, once."""
    local.run(error_entries)


def error_entries(kit: Kit) -> None:
    pair = kit.pair(split=True)
    queue = pair.b.rx_cq
    kit.check(
        "OFI-CQ-025",
        queue.readerr() is None and queue.last_code == -Errno.EAGAIN,
        "readerr of a queue without error answers EAGAIN",
        seen=queue.last_code,
    )
    context = fail_receive(kit, pair)
    codes: list[int] = []

    def refused() -> bool:
        try:
            queue.read()
        except FabricError as error:
            codes.append(error.code)
        return bool(codes)

    if not drive_others(kit, pair.b, refused):
        raise Bound("no error entry within the bound")
    kit.check("OFI-CQ-024", codes == [Errno.EAVAIL], "a read answers EAVAIL", seen=codes)
    kit.refused("OFI-CQ-024", Errno.EAVAIL, queue.read, sentence="and again, until the error is taken")
    entry = queue.readerr(err_data_size=4)
    kit.require("OFI-CQ-025", entry is not None and queue.last_code == 1, "readerr returns 1", seen=queue.last_code)
    assert entry is not None
    kit.check("OFI-CQ-026", entry.err > 0, "err is positive", seen=entry.err)
    kit.check(
        "OFI-CQ-030", len(entry.err_data) <= 4, "no more error data than there was room for", seen=len(entry.err_data)
    )
    kit.check(
        "OFI-CQ-025",
        entry.op_context == context and queue.readerr() is None,
        "the entry is consumed, and it was the one",
    )
    text = queue.strerror(entry.prov_errno, entry.err_data)
    kit.check("OFI-CQ-039", isinstance(text, str), "fi_cq_strerror returns a string", seen=text)


@requirement("OFI-CQ-031", "OFI-CQ-032", "OFI-CQ-033", "OFI-CQ-034")
def test_blocking_reads(local: Local) -> None:
    """A wait ends with a completion, an error, a signal or its time."""
    local.run(blocking_reads)


def blocking_reads(kit: Kit) -> None:
    try:
        pair = kit.pair(split=True, wait_obj=WaitObj.UNSPEC)
    except FabricError as error:
        for id_ in ("OFI-CQ-031", "OFI-CQ-032", "OFI-CQ-033", "OFI-CQ-034"):
            kit.inconclusive(id_, f"no queue with a wait object opens ({error})")
        return
    queue = pair.b.rx_cq
    kit.check(
        "OFI-CQ-031",
        queue.sread(timeout=20) == [] and queue.last_code == -Errno.EAGAIN,
        "a timeout answers EAGAIN",
        seen=queue.last_code,
    )

    def later() -> None:
        time.sleep(0.05)
        post_pair(kit, pair)

    got = _during(kit, pair.b, later, lambda: queue.sread(timeout=5000))
    kit.check(
        "OFI-CQ-032",
        isinstance(got, list) and len(got) == 1,
        "a completion that is written during the wait ends it",
        seen=queue.last_code,
    )
    blocked_by_signal(kit, pair)
    blocked_by_error(kit, pair)


def _during(kit: Kit, side: Side, action: Callable[[], object], wait: Callable[[], T]) -> T | FabricError:
    """Run ``wait`` in this thread while another acts, and drives every queue but the side's own."""
    done = threading.Event()

    def work() -> None:
        action()
        while not done.is_set():
            for watch in kit.watches:
                if watch not in side.watches:
                    watch.poll()
            time.sleep(0.0005)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        return wait()
    except FabricError as error:
        return error
    finally:
        done.set()
        thread.join()


def blocked_by_signal(kit: Kit, pair: Pair) -> None:
    queue = pair.b.rx_cq
    started = time.monotonic()

    def signal() -> None:
        time.sleep(0.05)
        queue.signal()

    got = _during(kit, pair.b, signal, lambda: queue.sread(timeout=20000))
    if isinstance(got, FabricError):
        kit.check(
            "OFI-CQ-034",
            got.code != Errno.ENOSYS,
            "fi_cq_signal is supported on a queue with a wait object",
            seen=str(got),
        )
        return
    kit.check("OFI-CQ-034", time.monotonic() - started < 15, "a signal ends the wait long before its timeout")


def blocked_by_error(kit: Kit, pair: Pair) -> None:
    queue = pair.b.rx_cq
    into, context = kit.buffer(32), kit.context()
    kit.post(pair.b.ep.recv, into.view, desc=kit.desc(pair.b, into), context=context)

    def cancel() -> None:
        time.sleep(0.05)
        pair.b.ep.cancel(context)

    got = _during(kit, pair.b, cancel, lambda: queue.sread(timeout=5000))
    if isinstance(got, list) and not got:
        kit.inconclusive("OFI-CQ-033", "no error entry was written within the bound")
        return
    kit.check(
        "OFI-CQ-033",
        isinstance(got, FabricError) and got.code == Errno.EAVAIL,
        "an error entry ends the wait with EAVAIL",
        seen=str(got),
    )


@requirement("OFI-CQ-035", "OFI-RM-004")
def test_queue_holds_its_size(local: Local) -> None:
    """As many completions as were asked for wait in the queue for a slow reader, and none is lost."""
    local.run(queue_holds)


def queue_holds(kit: Kit) -> None:
    size = min(32, kit.info.rx_attr.size or 32, kit.info.tx_attr.size or 32)
    pair = kit.pair(split=True, cq_size=size)
    expected = [post_pair(kit, pair)[1] for _ in range(size)]
    drive_others(kit, pair.b, lambda: len(pair.a.completions) >= size)
    kit.drive(lambda: len(pair.b.completions) >= size)
    seen = [entry.op_context for entry in pair.b.completions]
    for id_ in ("OFI-CQ-035", "OFI-RM-004"):
        if kit.applies(id_):
            kit.check(
                id_,
                sorted(seen) == sorted(expected),
                "every completion is there for the reader who comes late",
                seen=len(seen),
                wanted=size,
            )


@requirement("OFI-CQ-038")
def test_descriptor_becomes_ready(local: Local) -> None:
    """A server that sleeps in poll() is woken."""
    local.run(descriptor_ready)


def descriptor_ready(kit: Kit) -> None:
    try:
        pair = kit.pair(split=True, wait_obj=WaitObj.FD)
        queue = pair.b.rx_cq
        descriptor = queue.wait_fd()
    except FabricError as error:
        kit.inconclusive("OFI-CQ-038", f"no queue with FI_WAIT_FD opens ({error})")
        return
    into, context = kit.buffer(32), kit.context()
    kit.post(pair.b.ep.recv, into.view, desc=kit.desc(pair.b, into), context=context)
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)

    def send() -> None:
        time.sleep(0.05)
        out = kit.buffer(16, 0x39)
        kit.post(pair.a.ep.send, out.view, desc=kit.desc(pair.a, out), dest=pair.a.peer, context=kit.context())

    def wait() -> bool:
        end = time.monotonic() + 5
        while time.monotonic() < end:
            if kit.fabric.trywait([queue]) and not poller.poll(2000):
                return False
            if queue.read():
                return True
        return False

    woken = _during(kit, pair.b, send, wait)
    kit.check(
        "OFI-CQ-038",
        woken is True,
        "the descriptor is ready when a completion is written after fi_trywait returned 0",
        seen=str(woken),
    )
