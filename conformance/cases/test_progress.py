# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Progress and threading: who has to call what so that operations go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

from kfabric.api import CompletionQueue, Context, Errno, FabricError, Flag, Progress, WaitObj
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Bound, Guarded, Kit, Pair, Side

AMPLE = 5.0
"""Seconds given to a provider to show that it makes progress; running out of them decides nothing by itself."""


def ready_pair(kit: Kit, pair: Pair, size: int = 64) -> tuple[Guarded, Context, Context]:
    """A receive posted on b and a matching send posted on a: buffer, contexts of send and receive."""
    into, out = kit.buffer(size), kit.buffer(size, 0x4B)
    received, sent = kit.context(), kit.context()
    kit.post(pair.b.ep.recv, into.view, desc=kit.desc(pair.b, into), context=received)
    kit.post(pair.a.ep.send, out.view, desc=kit.desc(pair.a, out), dest=pair.a.peer, context=sent)
    return into, sent, received


def warm(kit: Kit, pair: Pair) -> None:
    """One message each way, so that connections on demand exist before anything is measured by calls."""
    for one, other in ((pair.a, pair.b), (pair.b, pair.a)):
        _, sent, received = ready_pair(kit, Pair(one, other))
        kit.completion(other, received)
        kit.completion(one, sent)
    kit.quiet()


def holds(buffer: Guarded, byte: int) -> bool:
    """Whether the buffer is full of one byte."""
    return buffer.data == bytes([byte]) * buffer.size


def until(condition: Callable[[], object], bound: float = AMPLE) -> bool:
    """Sleep, calling nobody, until the condition holds."""
    end = time.monotonic() + bound
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.001)
    return bool(condition())


@requirement("OFI-PRG-001", "OFI-PRG-002")
def test_automatic_progress(local: Local) -> None:
    """With automatic progress an operation needs no further call, at either end."""
    local.run(automatic_progress)


def automatic_progress(kit: Kit) -> None:
    pair = kit.pair(split=True)
    warm(kit, pair)
    for size in (16, 1 << 16):
        if size > kit.info.ep_attr.max_msg_size:
            continue
        into, _, _ = ready_pair(kit, pair, size)
        arrived = until(partial(holds, into, 0x4B))
        kit.check("OFI-PRG-001", arrived, f"a message of {size} bytes arrives although nobody calls the provider")
        kit.quiet()
    if not kit.applies("OFI-PRG-002") or not kit.info.caps & Flag.REMOTE_WRITE:
        return
    target = kit.buffer(256, 0)
    region = kit.register(pair.b, target)
    out, context = kit.buffer(256, 0x4C), kit.context()
    kit.post(
        pair.a.ep.write,
        out.view,
        addr=region.remote(0),
        key=region.key,
        desc=kit.desc(pair.a, out),
        dest=pair.a.peer,
        context=context,
    )
    arrived = until(lambda: target.data == out.data)
    kit.check("OFI-PRG-002", arrived, "a write is carried out although the target calls nothing")


def only(watch_queue: CompletionQueue, count: int) -> Callable[[], list[int]]:
    """A reader of one queue; contexts of what it found so far."""
    found: list[int] = []

    def read() -> list[int]:
        try:
            found.extend(entry.op_context for entry in watch_queue.read(count))
        except FabricError as error:
            if error.code != Errno.EAVAIL:
                raise
        return found

    return read


@requirement("OFI-PRG-003", "OFI-PRG-007")
def test_manual_progress_by_reading(local: Local) -> None:
    """With manual progress, reading the queue where an operation is reported is enough to finish it."""
    local.run(manual_by_reading)


def manual_by_reading(kit: Kit) -> None:
    pair = kit.pair(split=True)
    warm(kit, pair)
    _, sent, received = ready_pair(kit, pair)
    at_a, at_b = only(pair.a.tx_cq, 1), only(pair.b.rx_cq, 1)
    done = until(lambda: (received.address in at_b()) & (sent.address in at_a()))
    kit.check("OFI-PRG-003", done, "reading the queues of the operations finishes them")
    into, sent, received = ready_pair(kit, pair)
    pulled = until(
        lambda: not (pair.a.tx_cq.read(0) or pair.b.rx_cq.read(0)) and into.data == bytes([0x4B]) * into.size
    )
    kit.check("OFI-PRG-007", pulled, "reads with a count of 0 advance operations")
    kit.quiet()


@requirement("OFI-PRG-004")
def test_manual_progress_in_a_wait(local: Local) -> None:
    """A blocked fi_cq_sread goes on working for the operation it waits for."""
    local.run(manual_in_a_wait)


def manual_in_a_wait(kit: Kit) -> None:
    try:
        pair = kit.pair(split=True, wait_obj=WaitObj.UNSPEC)
    except FabricError as error:
        kit.inconclusive("OFI-PRG-004", f"no queue with a wait object opens ({error})")
        return
    warm(kit, pair)
    _, _, received = ready_pair(kit, pair)
    stop = threading.Event()

    def drive_sender() -> None:
        while not stop.is_set():
            pair.a.watches[0].poll()
            time.sleep(0.0005)

    thread = threading.Thread(target=drive_sender)
    thread.start()
    try:
        got = pair.b.rx_cq.sread(timeout=int(AMPLE * 1000))
    finally:
        stop.set()
        thread.join()
    kit.check(
        "OFI-PRG-004",
        [entry.op_context for entry in got] == [received.address],
        "fi_cq_sread returns with the completion",
        seen=pair.b.rx_cq.last_code,
    )


@requirement("OFI-PRG-005")
def test_manual_progress_by_counters(local: Local) -> None:
    """Reading the counter that will count an operation is enough to finish it."""
    local.run(manual_by_counters)


def manual_by_counters(kit: Kit) -> None:
    if not kit.info.domain_attr.cntr_cnt:
        kit.inconclusive("OFI-PRG-005", "the provider offers no counters (cntr_cnt is 0)")
        return
    pair = kit.pair(split=True, counters=("send", "recv"))
    warm(kit, pair)
    sent, received = pair.a.cntrs["send"], pair.b.cntrs["recv"]
    before = sent.read(), received.read()
    ready_pair(kit, pair)
    done = until(lambda: (sent.read() > before[0]) & (received.read() > before[1]))
    kit.check(
        "OFI-PRG-005",
        done,
        "reading the counters finishes the operations",
        seen=(sent.read(), received.read()),
        wanted=(before[0] + 1, before[1] + 1),
    )
    kit.quiet()


@requirement("OFI-PRG-006")
def test_manual_progress_of_a_target(local: Local) -> None:
    """A target of RMA that only reads its receive queue serves its peers."""
    local.run(manual_target)


def manual_target(kit: Kit) -> None:
    if not kit.info.caps & Flag.REMOTE_WRITE:
        kit.inconclusive("OFI-PRG-006", "no remote writes in this configuration")
        return
    pair = kit.pair(split=True)
    warm(kit, pair)
    target = kit.buffer(256, 0)
    region = kit.register(pair.b, target)
    out, context = kit.buffer(256, 0x4D), kit.context()
    kit.post(
        pair.a.ep.write,
        out.view,
        addr=region.remote(0),
        key=region.key,
        desc=kit.desc(pair.a, out),
        dest=pair.a.peer,
        context=context,
    )
    at_a, at_b = (
        only(pair.a.tx_cq, 1),
        only(pair.b.rx_cq, 0 if kit.info.domain_attr.data_progress == Progress.AUTO else 1),
    )
    done = until(lambda: (at_b() is not None) and context.address in at_a() and target.data == out.data)
    kit.check("OFI-PRG-006", done, "a write is carried out while the target only reads its receive queue")


@requirement("OFI-PRG-011", "OFI-PRG-012")
def test_several_threads(local: Local) -> None:
    """FI_THREAD_SAFE: several threads post to one endpoint and read one queue, and nothing is lost or doubled."""
    local.run(several_threads)


def several_threads(kit: Kit) -> None:
    threads, each = 4, min(8, (kit.info.tx_attr.size or 64) // 4, (kit.info.rx_attr.size or 64) // 4)
    if each < 1:
        kit.inconclusive("OFI-PRG-011", "the contexts are too small for four threads")
        return
    pair = kit.pair(split=True, cq_size=4 * threads * each)
    warm(kit, pair)
    total = threads * each
    receives = {}
    for _ in range(total):
        into, context = kit.buffer(32, 0), kit.context()
        kit.post(pair.b.ep.recv, into.view, desc=kit.desc(pair.b, into), context=context)
        receives[context.address] = into
    sources = [[(kit.buffer(16, bytes([1 + t, i]) * 8), kit.context()) for i in range(each)] for t in range(threads)]
    descs = {id(buffer): kit.desc(pair.a, buffer) for row in sources for buffer, _ in row}
    found: list[int] = []
    faults: list[str] = []
    lock = threading.Lock()

    def post(row: list[tuple[Guarded, Context]]) -> None:
        for buffer, context in row:
            end = time.monotonic() + AMPLE
            while True:
                try:
                    pair.a.ep.send(buffer.view, desc=descs[id(buffer)], dest=pair.a.peer, context=context)
                    break
                except FabricError as error:
                    if error.code != Errno.EAGAIN or time.monotonic() > end:
                        faults.append(str(error))
                        return
                time.sleep(0.0005)

    def collect(queue: CompletionQueue, side: Side) -> None:
        end = time.monotonic() + AMPLE
        while time.monotonic() < end and len(found) < 2 * total:
            try:
                got = [entry.op_context for entry in queue.read(2)]
            except FabricError as error:
                faults.append(f"{side.name}: {error}")
                return
            if got:
                with lock:
                    found.extend(got)
            else:
                time.sleep(0.0002)

    workers = [threading.Thread(target=post, args=(row,)) for row in sources]
    workers += [
        threading.Thread(target=collect, args=(side.tx_cq if side is pair.a else side.rx_cq, side))
        for side in (pair.a, pair.b)
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if faults:
        kit.check("OFI-PRG-011", False, "no call fails", seen=faults[:3])
        return
    if len(found) < 2 * total and len(set(found)) == len(found):
        raise Bound(f"{len(found)} of {2 * total} completions within the bound")
    wanted = sorted([*receives, *(context.address for row in sources for _, context in row)])
    kit.check(
        "OFI-PRG-012",
        sorted(found) == wanted,
        "each completion is returned to one thread, once",
        seen=len(found),
        wanted=2 * total,
    )
    got = sorted(buffer.data[:16] for buffer in receives.values())
    sent = sorted(buffer.data for row in sources for buffer, _ in row)
    kit.check("OFI-PRG-011", got == sent, "every message arrives whole and once")
    in_order = True
    for number in range(threads):
        mine = [buffer.data[1] for buffer in receives.values() if buffer.data[0] == 1 + number]
        in_order &= mine == sorted(mine)
    if "SAS" in kit.guarantees.tx_order & kit.guarantees.rx_order:
        kit.check("OFI-PRG-011", in_order, "messages of one thread stay in order, as FI_ORDER_SAS promises")
