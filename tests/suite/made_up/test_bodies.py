# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Cases that know their verdict. They are no cases of the specification: the ids only have to exist."""

from __future__ import annotations

import os
import signal

from hypothesis import strategies as st

from kfabric.api import Errno, FabricError
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Kit


@requirement("OFI-CQ-001", "OFI-CQ-002", "OFI-EQ-010")
def test_one_of_each(local: Local) -> None:
    """One id holds, one is broken, one is never checked."""
    local.run(one_of_each)


def one_of_each(kit: Kit) -> None:
    pair = kit.pair()
    kit.check("OFI-CQ-001", pair.a.cq.read() == [], "an empty queue is empty")
    kit.check("OFI-CQ-002", False, "two is three", seen=2, wanted=3)


@requirement("OFI-CQ-024", "OFI-CQ-025")
def test_a_refusal_escapes(local: Local) -> None:
    local.run(a_refusal_escapes, code=int(Errno.ENOMEM))


def a_refusal_escapes(kit: Kit, code: int) -> None:
    kit.check("OFI-CQ-024", True, "this was checked before")
    raise FabricError(code, "fi_made_up")


@requirement("OFI-CQ-026", "OFI-CQ-027")
def test_a_wait_meets_its_bound(local: Local) -> None:
    local.run(a_wait_meets_its_bound)


def a_wait_meets_its_bound(kit: Kit) -> None:
    kit.inconclusive("OFI-CQ-027", "there is no such state")
    pair = kit.pair()
    kit.completion(pair.a, kit.context(), bound=0.05)


@requirement("OFI-CQ-031", "OFI-CQ-032", "OFI-CQ-033")
def test_a_crash(local: Local) -> None:
    """What was checked before stands, what was at stake is broken, the rest was not reached."""
    local.run(a_crash)


def a_crash(kit: Kit) -> None:
    kit.check("OFI-CQ-031", kit.domain is not None, "this was checked before")
    kit.trying("OFI-CQ-032")
    os.kill(os.getpid(), signal.SIGSEGV)


@requirement("OFI-CQ-034")
def test_large_values_break(local: Local) -> None:
    local.check(large_values_break, st.lists(st.integers(0, 1000), max_size=5))


def large_values_break(kit: Kit, value: list[int]) -> None:
    kit.check("OFI-CQ-034", all(number < 100 for number in value), "every number is small", seen=value)


@requirement("OFI-CQ-035")
def test_our_own_mistake(local: Local) -> None:
    local.run(our_own_mistake)


def our_own_mistake(kit: Kit) -> None:
    raise ZeroDivisionError("ours")


@requirement("OFI-CQ-036")
def test_a_check_of_an_id_that_is_not_named(local: Local) -> None:
    local.run(checks_another)


def checks_another(kit: Kit) -> None:
    kit.check("OFI-CQ-001", True, "not this one")


@requirement("OFI-CQ-038")
def test_after_a_failed_check_the_rest_is_not_ours(local: Local) -> None:
    local.run(after_a_failed_check)


def after_a_failed_check(kit: Kit) -> None:
    answer = None
    kit.check("OFI-CQ-038", answer is not None, "there is an answer")
    answer.strip()  # type: ignore[attr-defined]


@requirement("OFI-TAG-001")
def test_never_runs_where_it_does_not_apply(local: Local) -> None:
    raise AssertionError("udp has no tagged messages")
