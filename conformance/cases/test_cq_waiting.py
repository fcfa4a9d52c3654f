# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Waiting for completions: timeouts, completions, errors and signals that end a wait, descriptors."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from kfabric.api import Errno, FabricError, WaitObj
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Kit, Pair, Side, outlasts, post_receive, post_send, unless_refused

T = TypeVar("T")
LONG = 5000
"""Milliseconds that a wait may take to see what happens soon after it began."""


def waiting_pair(kit: Kit, *requirements: str, wait_obj: WaitObj = WaitObj.UNSPEC) -> Pair | None:
    """A pair whose queues can be waited for; None, and nothing tried, where none opens."""
    try:
        return kit.pair(split=True, wait_obj=wait_obj)
    except FabricError as error:
        for requirement_id in requirements:
            kit.unreached(requirement_id, f"no queue with a wait object opens ({error})")
    return None


def during(kit: Kit, side: Side, action: Callable[[], object], wait: Callable[[], T]) -> T | FabricError:
    """Run ``wait`` in this thread while another acts a moment later, and drives every queue but the side's own."""
    done = threading.Event()

    def work() -> None:
        time.sleep(0.05)
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


@requirement("OFI-CQ-031", once=True)
def test_wait_ends_at_its_time(local: Local) -> None:
    """A wait for what does not come ends when its time is over, and says so."""
    local.run(wait_ends_at_its_time)


def wait_ends_at_its_time(kit: Kit) -> None:
    pair = waiting_pair(kit, "OFI-CQ-031")
    if pair is None:
        return
    queue = kit.unpolled(pair.b.rx_cq)
    codes: list[int] = []

    def wait(timeout: int) -> None:
        codes.append(0 if queue.sread(timeout=timeout) else queue.last_code)

    def wake() -> None:
        post_receive(kit, pair.b, kit.buffer(32))
        post_send(kit, pair.a, kit.buffer(16, 0x31))

    forever = outlasts(kit, wait, wake)
    seen = "waits of 20 ms lasted until a completion came" if forever else f"code {codes[-1]}"
    right = not forever and codes[-1] == -Errno.EAGAIN
    kit.check("OFI-CQ-031", right, "a timeout answers EAGAIN", seen=seen)


@requirement("OFI-CQ-032", once=True)
def test_completion_ends_a_wait(local: Local) -> None:
    """A completion that is written during a wait ends it."""
    local.run(completion_ends_a_wait)


def completion_ends_a_wait(kit: Kit) -> None:
    pair = waiting_pair(kit, "OFI-CQ-032")
    if pair is None:
        return
    queue = kit.unpolled(pair.b.rx_cq)
    received = post_receive(kit, pair.b, kit.buffer(32))
    got = during(kit, pair.b, lambda: post_send(kit, pair.a, kit.buffer(16, 0x32)), lambda: queue.sread(timeout=LONG))
    contexts = [entry.op_context for entry in got] if isinstance(got, list) else got
    if contexts == [] and [entry.op_context for entry in queue.read(4)] != [received.address]:
        kit.inconclusive("OFI-CQ-032", "no completion was written within the bound")
        return
    kit.check("OFI-CQ-032", contexts == [received.address], "the wait returns the completion", seen=str(contexts))


@requirement("OFI-CQ-033", once=True)
def test_error_ends_a_wait(local: Local) -> None:
    """An error entry that is written during a wait ends it with EAVAIL."""
    local.run(error_ends_a_wait)


def error_ends_a_wait(kit: Kit) -> None:
    pair = waiting_pair(kit, "OFI-CQ-033")
    if pair is None:
        return
    text = "an error entry ends the wait with EAVAIL"
    for _ in range(3):
        code = wait_for_error(kit, pair)
        if code != SLEPT:
            break
    if code == NOT_CANCELLED:
        kit.unreached("OFI-CQ-033", "no receive can be cancelled, so no error entry is provoked")
    elif code == NOTHING_CAME:
        kit.inconclusive("OFI-CQ-033", "no error entry was written within the bound")
    elif code == SLEPT:
        kit.check("OFI-CQ-033", False, text, seen="three waits of a second slept through the error in the queue")
    else:
        kit.check("OFI-CQ-033", code == Errno.EAVAIL, text, seen=code)


NOT_CANCELLED, NOTHING_CAME, SLEPT = -1, -2, -3


def wait_for_error(kit: Kit, pair: Pair) -> int:
    """Wait while a receive is cancelled: the code that ended the wait, or what happened instead."""
    queue = kit.unpolled(pair.b.rx_cq)
    context = post_receive(kit, pair.b, kit.buffer(32))
    cancelled: list[int] = []

    def cancel() -> None:
        cancelled.append(pair.b.ep.cancel(context))

    got = during(kit, pair.b, cancel, lambda: queue.sread(timeout=1000))
    if isinstance(got, FabricError):
        queue.readerr()
        return got.code
    if cancelled[0] < 0:
        return NOT_CANCELLED
    try:
        queue.read()
    except FabricError as error:
        queue.readerr()
        return SLEPT if error.code == Errno.EAVAIL else error.code
    return NOTHING_CAME


@requirement("OFI-CQ-034", once=True)
def test_signal_ends_a_wait(local: Local) -> None:
    """fi_cq_signal ends a wait long before its time."""
    local.run(signal_ends_a_wait)


def signal_ends_a_wait(kit: Kit) -> None:
    pair = waiting_pair(kit, "OFI-CQ-034")
    if pair is None:
        return
    queue = kit.unpolled(pair.b.rx_cq)
    failures: list[FabricError] = []

    def signal() -> None:
        try:
            queue.signal()
        except FabricError as error:
            failures.append(error)

    started = time.monotonic()
    during(kit, pair.b, signal, lambda: queue.sread(timeout=3 * LONG))
    if failures:
        text = "fi_cq_signal is supported on a queue with a wait object"
        kit.check("OFI-CQ-034", False, text, seen=str(failures[0]))
        return
    ended = time.monotonic() - started < 2 * LONG / 1000
    kit.check("OFI-CQ-034", ended, "a signal ends the wait long before its timeout")


@requirement("OFI-CQ-038", once=True)
def test_descriptor_becomes_ready(local: Local) -> None:
    """A server that sleeps in poll() is woken."""
    local.run(descriptor_ready)


def descriptor_ready(kit: Kit) -> None:
    pair = waiting_pair(kit, "OFI-CQ-038", wait_obj=WaitObj.FD)
    if pair is None:
        return
    queue = kit.unpolled(pair.b.rx_cq)
    with unless_refused(kit, "OFI-CQ-038", why="the queue tells no descriptor"):
        descriptor = queue.wait_fd()
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        post_receive(kit, pair.b, kit.buffer(32))

        def wait() -> str:
            end = time.monotonic() + LONG / 1000
            while time.monotonic() < end:
                if kit.fabric.trywait([queue]) and not poller.poll(2000):
                    return "asleep although a completion came" if queue.read() else "nothing came"
                if queue.read():
                    return "woken"
            return "nothing came"

        woken = during(kit, pair.b, lambda: post_send(kit, pair.a, kit.buffer(16, 0x39)), wait)
        if woken == "nothing came":
            kit.inconclusive("OFI-CQ-038", "no completion was written within the bound")
            return
        text = "the descriptor is ready when a completion is written after fi_trywait returned 0"
        kit.check("OFI-CQ-038", woken == "woken", text, seen=str(woken))
