# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Event queues: reading, peeking, waiting, and events of the application's own."""

from __future__ import annotations

import threading
import time

from hypothesis import strategies as st

from kfabric.api import EpType, EqAttr, EqError, EqEventKind, Errno, EventQueue, FabricError, Flag, WaitObj
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Kit, outlasts

EVENT = 0x40000000
"""An event number of the application's own, out of the way of the standard ones."""
ENTRY_SIZE = 24
"""``struct fi_eq_entry``: fid, context, data."""


def writable(kit: Kit, wait_obj: WaitObj = WaitObj.NONE) -> EventQueue:
    return kit.keep(kit.fabric.eq_open(EqAttr(size=64, flags=Flag.WRITE, wait_obj=wait_obj)))


@requirement("OFI-EQ-001", "OFI-EQ-002", "OFI-EQ-003", "OFI-EQ-005", "OFI-EQ-008", once=True)
def test_reading_and_peeking(local: Local) -> None:
    """An event is delivered once and whole; peeking leaves it."""
    local.run(reading_and_peeking)


def reading_and_peeking(kit: Kit) -> None:
    queue = writable(kit)
    kit.check(
        "OFI-EQ-001",
        queue.read() is None and queue.last_code == -Errno.EAGAIN,
        "an empty queue answers EAGAIN",
        seen=queue.last_code,
    )
    kit.check(
        "OFI-EQ-005",
        queue.readerr() is None and queue.last_code == -Errno.EAGAIN,
        "readerr of a queue without error answers EAGAIN",
        seen=queue.last_code,
    )
    written = kit.accepted(
        "OFI-EQ-008",
        queue.write,
        EqEventKind.NOTIFY,
        context=0x1234,
        data=7,
        sentence="a queue opened with FI_WRITE takes an event",
    )
    kit.check(
        "OFI-EQ-008", written == ENTRY_SIZE, "fi_eq_write returns the bytes written", seen=written, wanted=ENTRY_SIZE
    )
    queue.write(EqEventKind.NOTIFY, context=0x5678, data=8)
    peeked = queue.read(flags=Flag.PEEK)
    kit.require("OFI-EQ-003", peeked is not None, "a peek sees the event")
    first = queue.read()
    kit.check(
        "OFI-EQ-002",
        queue.last_code == ENTRY_SIZE,
        "a read returns one event's size",
        seen=queue.last_code,
        wanted=ENTRY_SIZE,
    )
    kit.check(
        "OFI-EQ-003",
        first == peeked,
        "the next read returns the event that was peeked at",
        seen=str(first),
        wanted=str(peeked),
    )
    second = queue.read()
    kit.check(
        "OFI-EQ-002",
        second is not None and second.entry_data == 8,
        "the second read returns the second event",
        seen=str(second),
    )
    kit.check(
        "OFI-EQ-001",
        queue.read() is None and queue.last_code == -Errno.EAGAIN,
        "a drained queue answers EAGAIN",
        seen=queue.last_code,
    )


@requirement("OFI-EQ-006", "OFI-EQ-007", once=True)
def test_written_events_come_back(local: Local) -> None:
    """What the application writes is what it reads, in order."""
    event = st.tuples(st.integers(0, 1 << 20), st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1))
    local.check(written_events, st.lists(event, min_size=1, max_size=16))


def written_events(kit: Kit, value: list[tuple[int, int, int]]) -> None:
    queue = writable(kit)
    for number, context, data in value:
        queue.write(EVENT + number, context=context, data=data)
    seen = []
    for _ in value:
        event = queue.read()
        if event is not None:
            seen.append((int(event.kind) - EVENT, event.context, event.entry_data))
    wanted = [tuple(item) for item in value]
    kit.check(
        "OFI-EQ-006",
        sorted(seen) == sorted(wanted),
        "every event comes back as it was written",
        seen=seen,
        wanted=wanted,
    )
    kit.check(
        "OFI-EQ-007",
        seen == wanted or sorted(seen) != sorted(wanted),
        "events come back in order",
        seen=seen,
        wanted=wanted,
    )


@requirement("OFI-EQ-009", "OFI-EQ-010", once=True)
def test_blocking_reads(local: Local) -> None:
    """A wait ends with the event, or at its time, and says which."""
    local.run(blocking_reads)


def blocking_reads(kit: Kit) -> None:
    queue = writable(kit, WaitObj.UNSPEC)
    codes: list[int] = []

    def wait(timeout: int) -> None:
        event = queue.sread(timeout=timeout)
        codes.append(queue.last_code if event is None else 0)

    forever = outlasts(kit, wait, lambda: queue.write(EVENT))
    kit.check(
        "OFI-EQ-009",
        not forever and codes[-1] == -Errno.EAGAIN,
        "a timeout answers EAGAIN",
        seen=_ended(forever, codes),
    )
    queue.write(EVENT, data=1)
    event = queue.sread(timeout=2000)
    kit.check(
        "OFI-EQ-010",
        event is not None and event.entry_data == 1,
        "an event that is there ends the wait",
        seen=str(event),
    )

    def later() -> None:
        time.sleep(0.05)
        queue.write(EVENT, data=2)

    writer = threading.Thread(target=later)
    writer.start()
    event = queue.sread(timeout=5000)
    writer.join()
    kit.check(
        "OFI-EQ-010",
        event is not None and event.entry_data == 2,
        "an event that arrives during the wait ends it",
        seen=str(event),
    )


def _ended(forever: bool, codes: list[int]) -> str:
    return "waits of 20 ms lasted until an event came" if forever else f"code {codes[-1]}"


@requirement("OFI-EQ-004", "OFI-EQ-005", "OFI-EQ-011", once=True)
def test_error_events(local: Local) -> None:
    """A failed connection leaves an error event that must be taken before reading goes on."""
    local.run(error_events)


def error_events(kit: Kit) -> None:
    if kit.info.ep_attr.type != EpType.MSG:
        for id_ in ("OFI-EQ-004", "OFI-EQ-011"):
            kit.unreached(id_, "no error event can be provoked without connections")
        return
    listener = kit.listener()
    side = kit.side()
    side.ep.connect(listener.address)
    request = kit.connreq(listener)
    assert side.eq is not None
    queue = kit.unwatched(side.eq)
    listener.pep.reject(request, b"no room for you here")
    code = _await_error(kit, queue)
    if code is None:
        for id_ in ("OFI-EQ-004", "OFI-EQ-005", "OFI-EQ-011"):
            kit.inconclusive(id_, "the rejection did not arrive within the bound")
        return
    kit.check("OFI-EQ-004", code == Errno.EAVAIL, "reading answers EAVAIL while an error is pending", seen=code)
    again = _read_code(queue)
    kit.check("OFI-EQ-004", again == Errno.EAVAIL, "and again, until the error is read", seen=again)
    error = queue.readerr(err_data_size=8)
    kit.require("OFI-EQ-005", isinstance(error, EqError), "readerr returns the error", seen=str(error))
    assert error is not None
    kit.check("OFI-EQ-005", error.err > 0, "err is positive", seen=error.err)
    size = len(error.err_data)
    kit.check("OFI-EQ-011", size <= 8, "no more error data than there was room for", seen=size)
    kit.check("OFI-EQ-005", queue.readerr() is None, "the error is consumed")


def _read_code(queue: EventQueue) -> int:
    try:
        queue.read()
    except FabricError as error:
        return error.code
    return -queue.last_code


def _await_error(kit: Kit, queue: EventQueue) -> int | None:
    """Drive until reading raises; the code it raised."""
    found: list[int] = []

    def raised() -> bool:
        try:
            queue.read()
        except FabricError as error:
            found.append(error.code)
        return bool(found)

    kit.drive(raised)
    return found[0] if found else None


@requirement("OFI-EQ-012", once=True)
def test_small_buffer_keeps_the_event(local: Local) -> None:
    """An event that does not fit is not lost."""
    local.run(small_buffer)


def small_buffer(kit: Kit) -> None:
    queue = writable(kit)
    queue.write(EVENT, data=3)
    kit.refused(
        "OFI-EQ-012",
        Errno.ETOOSMALL,
        queue.read,
        size=8,
        sentence="a buffer smaller than the event is refused with ETOOSMALL",
    )
    event = queue.read()
    kit.check("OFI-EQ-012", event is not None and event.entry_data == 3, "the event is still there", seen=str(event))
