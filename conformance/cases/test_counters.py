# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Counters as objects: adding, setting, waiting. What they count: test_counters_programs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

from hypothesis import strategies as st

from kfabric.api import CntrAttr, Counter, Errno, FabricError, WaitObj
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Kit


def opened(kit: Kit, ids: tuple[str, ...], wait_obj: WaitObj = WaitObj.NONE) -> Counter | None:
    """A counter of its own; None, and the ids are inconclusive, where the provider offers none."""
    try:
        return kit.keep(kit.domain.cntr_open(CntrAttr(wait_obj=wait_obj)))
    except FabricError as error:
        if kit.info.domain_attr.cntr_cnt and error.code == Errno.ENOSYS and wait_obj == WaitObj.NONE:
            raise
        for id_ in ids:
            kit.inconclusive(
                id_,
                f"no counter with {wait_obj.name} opens ({error}); cntr_cnt is {kit.info.domain_attr.cntr_cnt}",
            )
        return None


def shows(read: Callable[[], int], wanted: int) -> bool:
    """Whether a counter shows the value now."""
    return read() == wanted


@requirement("OFI-CNT-011", "OFI-CNT-012", "OFI-CNT-013")
def test_adding_and_setting(local: Local) -> None:
    """A counter takes what the application puts in."""
    local.check(adding_and_setting, st.lists(st.tuples(st.booleans(), st.integers(0, 1 << 32)), min_size=1, max_size=6))


def adding_and_setting(kit: Kit, steps: list[tuple[bool, int]]) -> None:
    ids = ("OFI-CNT-011", "OFI-CNT-012", "OFI-CNT-013")
    counter = opened(kit, ids)
    if counter is None:
        return
    value = errors = 0
    try:
        for add, amount in steps:
            if add:
                value, errors = value + amount, errors + amount
                counter.add(amount)
                counter.adderr(amount)
            else:
                value = errors = amount
                counter.set(amount)
                counter.seterr(amount)
            id_ = "OFI-CNT-011" if add else "OFI-CNT-012"
            arrived = kit.drive(partial(shows, counter.read, value), bound=1.0)
            kit.check(
                id_, arrived, f"the value {'added' if add else 'set'} is shown", seen=counter.read(), wanted=value
            )
            arrived = kit.drive(partial(shows, counter.readerr, errors), bound=1.0)
            kit.check(
                "OFI-CNT-013", arrived, "the error value added or set is shown", seen=counter.readerr(), wanted=errors
            )
    except FabricError as error:
        kit.check("OFI-CNT-013", False, "adding and setting are supported", seen=str(error))


@requirement("OFI-CNT-014", "OFI-CNT-015", "OFI-CNT-016", "OFI-CNT-017", "OFI-CNT-020")
def test_waiting(local: Local) -> None:
    """A wait ends when the threshold is reached, when an operation fails, or at its time."""
    local.run(waiting)


def waiting(kit: Kit) -> None:
    ids = ("OFI-CNT-014", "OFI-CNT-015", "OFI-CNT-016", "OFI-CNT-017", "OFI-CNT-020")
    counter = opened(kit, ids, WaitObj.UNSPEC)
    if counter is None:
        return
    counter.set(5)
    kit.drive(lambda: counter.read() == 5, bound=1.0)
    for threshold in (0, 3, 5):
        kit.accepted(
            "OFI-CNT-015", counter.wait, threshold, 1000, sentence="a threshold that is reached already ends the wait"
        )
    kit.refused(
        "OFI-CNT-016", Errno.ETIMEDOUT, counter.wait, 6, 30, sentence="a wait that is not met in time answers ETIMEDOUT"
    )
    seen: list[tuple[int, int]] = []
    codes: list[int] = []

    def wait(threshold: int) -> None:
        try:
            counter.wait(threshold, 10000)
        except FabricError as error:
            codes.append(error.code)
        else:
            seen.append((threshold, counter.read()))

    waiters = [threading.Thread(target=wait, args=(threshold,)) for threshold in (6, 7, 9)]
    for thread in waiters:
        thread.start()
    for value in (6, 7, 8, 9):
        time.sleep(0.03)
        counter.set(value)
    for thread in waiters:
        thread.join()
    early = [item for item in seen if item[1] < item[0]]
    kit.check("OFI-CNT-014", not early, "no wait ends below its threshold", seen=early)
    kit.check(
        "OFI-CNT-020",
        sorted(item[0] for item in seen) == [6, 7, 9],
        "every wait whose threshold is reached ends",
        seen=(seen, codes),
    )
    codes.clear()
    seen.clear()
    thread = threading.Thread(target=wait, args=(1000,))
    thread.start()
    time.sleep(0.05)
    started = time.monotonic()
    counter.adderr(1)
    thread.join()
    ended = bool(seen or (codes and codes[0] != Errno.ETIMEDOUT)) and time.monotonic() - started < 9
    kit.check("OFI-CNT-017", ended, "a change of the error value ends the wait", seen=(seen, codes))
