# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""When memory must show what was written: histories told by hand, kept, broken, and where nobody judges."""

from __future__ import annotations

import pytest

from kfabric.model.guarantees import LITMUS, UNLIMITED

from .tale import Tale

DELIVER = """
program deliver
memory B.x[8]=#
A                        | B         | C
W: write B.x !deliver    |           |
wait                     |           |
barrier                  | barrier   | barrier
                         | L: load B.x | R: read B.x
                         |           | wait
"""


def delivered(**fields: object) -> Tale:
    """A write completed with delivery complete before everybody passed a barrier."""
    return Tale(DELIVER, **fields).posted("W").done("W").passed()


# -- levels -----------------------------------------------------------------------------------------------------------


def test_delivery_is_seen_by_a_load() -> None:
    new, old = delivered(), delivered()
    assert "OFI-CMP-004" in new.saw("L", new.by("W")).kept
    assert old.saw("L", old.old("B", "x")).broken == {"OFI-CMP-004"}


def test_delivery_is_seen_by_a_third_node() -> None:
    new, old = delivered(), delivered()
    assert "OFI-CMP-005" in new.posted("R").done("R", new.by("W")).kept
    assert old.posted("R").done("R", old.old("B", "x")).broken == {"OFI-CMP-005"}


def test_delivery_half_seen() -> None:
    tale = delivered()
    tale.saw("L", tale.by("W")[:3] + tale.old("B", "x")[3:])
    assert tale.broken == {"OFI-CMP-004"}
    (judgement,) = (each for each in tale.judgements() if each.requirement == "OFI-CMP-004")
    assert judgement.explanation is not None
    assert "bytes 3-7 of B.x" in judgement.explanation.however
    assert "DELIVERY_COMPLETE" in judgement.explanation.then


def test_nothing_is_promised_without_the_level() -> None:
    tale = delivered(levels=frozenset({"INJECT", "TRANSMIT"}))
    tale.saw("L", tale.old("B", "x")).posted("R").done("R", tale.old("B", "x"))
    assert not tale.broken
    assert not {"OFI-CMP-004", "OFI-CMP-005"} & tale.kept


def test_nothing_is_promised_before_the_completion_is_read() -> None:
    tale = Tale(DELIVER.replace("wait                     |           |           \n", "")).posted("W")
    tale.passed().saw("L", tale.old("B", "x")).done("W")
    assert not tale.broken
    assert "OFI-CMP-004" not in tale.kept


def test_a_load_without_edge_may_see_either() -> None:
    text = "program x\nmemory B.x[8]=#\nA | B\nW: write B.x !deliver | L: load B.x\nwait |"
    for writer in (True, False):
        tale = Tale(text).posted("W").done("W")
        tale.saw("L", tale.by("W") if writer else tale.old("B", "x"))
        assert not tale.broken
        assert "OFI-CMP-004" not in tale.kept


def test_default_level() -> None:
    text = DELIVER.replace(" !deliver", "")
    promised = {"tx_op_flags": frozenset({"DELIVERY_COMPLETE"}), "levels": frozenset({"DELIVERY"})}
    tale = Tale(text, **promised).posted("W").done("W").passed()
    assert tale.saw("L", tale.old("B", "x")).broken == {"OFI-CMP-004", "OFI-CMP-022"}
    other = Tale(text).posted("W").done("W").passed()
    assert not other.saw("L", other.old("B", "x")).broken


def test_flags_of_the_call_replace_the_default_level() -> None:
    text = DELIVER.replace("W: write B.x !deliver ", "W: msg write B.x       ")
    tale = Tale(text, tx_op_flags=frozenset({"DELIVERY_COMPLETE"})).posted("W").done("W").passed()
    assert not tale.saw("L", tale.old("B", "x")).broken


def test_suppressed_and_counted() -> None:
    text = DELIVER.replace("wait                     |           |", "V: wait by counter | |")
    promised = {"selective": True, "counters": frozenset({"write"})}
    tale = Tale(text, **promised).posted("W").waited("V").passed()
    assert tale.saw("L", tale.old("B", "x")).broken == {"OFI-CMP-023"}


def test_a_wait_that_no_counter_can_serve_tells_nothing() -> None:
    text = """
    program x
    memory B.x[8]=# A.y[8]
    A                     | B
    W: write B.x !deliver | barrier
    R: read B.x           | L: load B.x
    V: wait by counter    |
    barrier               |
    """
    tale = Tale(text, selective=True, counters=frozenset({"write"})).posted("W", "R").waited("V").passed()
    assert not tale.saw("L", tale.old("B", "x")).broken


def test_the_initiator_reads_its_delivered_write() -> None:
    text = "program x\nmemory B.x[8]=#\nA | B\nW: write B.x !deliver |\nwait |\nR: read B.x |\nwait |"
    tale = Tale(text).posted("W").done("W").waited("A.2").posted("R")
    assert tale.done("R", tale.old("B", "x")).broken == {"OFI-RMA-003"}


def test_committed_write() -> None:
    text = DELIVER.replace("!deliver", "!commit ").replace("B.x[8]=#", "B.x[8]*=#")
    promised = {"levels": frozenset({"COMMIT", "DELIVERY"}), "caps": LITMUS.caps | {"RMA_PMEM"}}
    tale = Tale(text, **promised).posted("W").done("W").passed()
    assert tale.saw("L", tale.old("B", "x")).broken == {"FPM-CMP-001"}
    again = Tale(text, **promised).posted("W").done("W").passed()
    assert {"FPM-CMP-001", "FPM-MR-004"} <= again.saw("L", again.by("W")).kept


# -- notices of the target --------------------------------------------------------------------------------------------


TOLD = """
program told
memory B.x[8]=# B.y[8]=#
A                     | B
W1: write B.x         | R: recv 4
W2: write B.y data=7  | V: wait R
S: send B 4           | L1: load B.x
                      | L2: load B.y
"""


def test_remote_data_shows_its_own_write() -> None:
    tale = Tale(TOLD).posted("R", "W1", "W2").told("W2")
    tale.saw("L1", tale.old("B", "x"))
    assert not tale.broken, "W1 is another write"
    assert "OFI-CMP-008" in tale.saw("L2", tale.by("W2")).kept
    stale = Tale(TOLD).posted("R", "W1", "W2").told("W2")
    stale.events = [event for event in stale.events if event.node == "B"] + [
        event for event in stale.events if event.node == "A"
    ]
    stale.waited("V").saw("L2", stale.old("B", "y"))
    assert stale.broken == {"OFI-CMP-008"}


@pytest.mark.parametrize(("orders", "expected"), [({"WAW"}, {"OFI-ORD-010"}), ({"SAW", "SAS"}, set()), (set(), set())])
def test_remote_data_shows_earlier_writes_where_writes_are_ordered(orders: set[str], expected: set[str]) -> None:
    tale = Tale(TOLD, tx_order=frozenset(orders), rx_order=frozenset(orders)).posted("R", "W1", "W2").told("W2")
    assert tale.saw("L1", tale.old("B", "x")).broken == expected


@pytest.mark.parametrize(
    ("tx", "rx", "expected"), [("SAW", "SAW", {"OFI-ORD-008"}), ("SAW", "WAW", set()), ("", "SAW", set())]
)
def test_a_message_shows_earlier_writes_where_both_ends_order_it(tx: str, rx: str, expected: set[str]) -> None:
    def tale() -> Tale:
        told = Tale(TOLD, tx_order=frozenset({tx}), rx_order=frozenset({rx}))
        return told.posted("R", "W1", "W2", "S").done("R", told.by("S")).waited("V")

    stale, fresh = tale(), tale()
    assert stale.saw("L1", stale.old("B", "x")).broken == expected
    assert not fresh.saw("L1", fresh.by("W1")).broken
    assert ("OFI-ORD-008" in fresh.kept) == bool(expected)


def test_a_message_posted_before_the_write_shows_nothing() -> None:
    text = TOLD.replace("W1: write B.x         |", "S: send B 4           |").replace(
        "S: send B 4           | L1", "W1: write B.x         | L1"
    )
    order = frozenset({"SAW", "SAS", "WAW"})
    tale = Tale(text, tx_order=order, rx_order=order)
    tale.posted("R", "S", "W2", "W1").done("R", tale.by("S")).waited("V")
    assert not tale.saw("L1", tale.old("B", "x")).broken


def test_delivered_then_sent() -> None:
    text = """
    program x
    memory B.x[8]=#
    A                     | B
    W: write B.x !deliver | R: recv 4
    wait                  | V: wait R
    S: send B 4           | L: load B.x
    """
    tale = Tale(text).posted("R", "W").done("W").waited("A.2").posted("S")
    tale.done("R", tale.by("S")).waited("V")
    assert tale.saw("L", tale.old("B", "x")).broken == {"OFI-ORD-011", "OFI-CMP-004"} & tale.broken
    assert "OFI-CMP-004" in tale.broken, "the message cannot be received before it was sent"


# -- fences -----------------------------------------------------------------------------------------------------------


FENCED = """
program fenced
memory B.x[8]=# B.y[8]=#
A                        | B
W1: write B.x            | R: recv 4
{fence}                  | V: wait R
wait                     | barrier
barrier                  | L: load B.x
"""


def test_a_fenced_write_lifts_what_is_before_it() -> None:
    for fence, expected in (("F: write B.y !fence !deliver", {"OFI-ORD-014"}), ("F: write B.y !fence", set())):
        tale = Tale(FENCED.format(fence=fence)).posted("W1", "F").done("W1").done("F").passed()
        assert tale.saw("L", tale.old("B", "x")).broken == expected
    tale = Tale(FENCED.format(fence="F: write B.y !deliver")).posted("W1", "F").done("W1").done("F").passed()
    assert not tale.saw("L", tale.old("B", "x")).broken, "without the fence nothing is lifted"


def test_a_fence_where_there_are_none() -> None:
    caps = LITMUS.caps - {"FENCE"}
    tale = Tale(FENCED.format(fence="F: write B.y !fence !deliver"), caps=caps).posted("W1", "F").done("F").passed()
    assert not tale.saw("L", tale.old("B", "x")).broken


def test_a_fenced_message_shows_what_is_before_it() -> None:
    for fence, expected in (("F: send B 4 !fence !deliver", {"OFI-ORD-015"}), ("F: send B 4 !fence", set())):
        tale = Tale(FENCED.format(fence=fence)).posted("R", "W1", "F")
        tale.done("R", tale.by("F")).waited("V").passed()
        assert tale.saw("L", tale.old("B", "x")).broken == expected


def test_a_fenced_read_sees_what_is_before_it() -> None:
    text = "program x\nmemory B.x[8]=#\nA | B\nW: write B.x |\nR: read B.x {} |\nwait |"
    fenced = Tale(text.format("!fence")).posted("W", "R").done("W")
    assert fenced.done("R", fenced.old("B", "x")).broken == {"OFI-ORD-012"}
    free = Tale(text.format("")).posted("W", "R").done("W")
    assert not free.done("R", free.old("B", "x")).broken


def test_a_fenced_operation_completes_last() -> None:
    text = FENCED.format(fence="F: write B.y !fence")
    assert Tale(text).posted("W1", "F").done("F").done("W1").broken == {"OFI-ORD-013"}
    assert "OFI-ORD-013" in Tale(text).posted("W1", "F").done("W1").done("F").kept


def test_a_fence_goes_to_one_peer() -> None:
    text = """
    program x
    memory B.x[8]=# C.x[8]=#
    A | B | C
    W: write C.x |  |
    F: write B.x !fence !deliver | |
    wait | |
    barrier | barrier | barrier
     | | L: load C.x
    """
    tale = Tale(text).posted("W", "F").done("F").done("W").passed()
    assert not tale.saw("L", tale.old("C", "x")).broken


# -- data order -------------------------------------------------------------------------------------------------------


TWICE = "program x\nmemory B.x[8]=#\nA | B\n{0} |\n{1} |\nR: read B.x |\nwait |"


def ordered(first: str, second: str, size: int = UNLIMITED, bits: str = "RAW WAR WAW") -> Tale:
    """Two operations and a read on the same bytes of an ordered channel."""
    order = frozenset(bits.split())
    sizes = {f"max_order_{name}_size": size for name in ("raw", "war", "waw")}
    return Tale(TWICE.format(first, second), tx_order=order, rx_order=order, **sizes).posted("W1", "W2", "R")


def test_read_after_write() -> None:
    tale = ordered("W1: write B.x", "W2: write B.x")
    assert tale.done("R", tale.old("B", "x")).broken == {"OFI-ORD-003"}
    tale = ordered("W1: write B.x", "W2: write B.x")
    assert tale.done("R", tale.by("W1")).broken == {"OFI-ORD-005"}
    tale = ordered("W1: write B.x", "W2: write B.x")
    assert {"OFI-ORD-003", "OFI-ORD-005"} <= tale.done("R", tale.by("W2")).kept


@pytest.mark.parametrize(("size", "judged"), [(0, False), (8, False), (9, True), (UNLIMITED, True)])
def test_sizes_are_strictly_below(size: int, judged: bool) -> None:
    tale = ordered("W1: write B.x", "W2: write B.x", size)
    assert bool(tale.done("R", tale.old("B", "x")).broken) == judged


def test_classes_of_their_own() -> None:
    tale = ordered("W1: write B.x", "W2: write B.x", bits="RMA_RAW RMA_WAW")
    assert tale.done("R", tale.old("B", "x")).broken == {"OFI-ORD-003"}
    tale = ordered("W1: write B.x", "W2: write B.x", bits="ATOMIC_RAW ATOMIC_WAW")
    assert not tale.done("R", tale.old("B", "x")).broken


def test_only_the_same_bytes() -> None:
    tale = ordered("W1: write B.x[0:4]", "W2: write B.x[4:8]")
    old = tale.old("B", "x")
    assert tale.done("R", tale.by("W1") + old[4:]).broken == {"OFI-ORD-003"}
    for first, second in (("W1", "W2"),):
        tale = ordered("W1: write B.x[0:4]", "W2: write B.x[4:8]", bits="WAW")
        assert not tale.done("R", tale.by(first) + tale.old("B", "x")[4:]).broken
        tale = ordered("W1: write B.x[0:4]", "W2: write B.x[4:8]", bits="WAW")
        assert not tale.done("R", tale.old("B", "x")[:4] + tale.by(second)).broken


def test_write_after_read() -> None:
    text = "program x\nmemory B.x[8]=#\nA | B\nR: read B.x |\nW: write B.x |\nwait |"
    for bits, expected in (("WAR", {"OFI-ORD-004"}), ("WAW RAW", set())):
        order = frozenset(bits.split())
        tale = Tale(text, tx_order=order, rx_order=order, max_order_war_size=UNLIMITED).posted("R", "W").done("W")
        assert tale.done("R", tale.by("W")).broken == expected
    tale = Tale(text, tx_order=frozenset({"WAR"}), rx_order=frozenset({"WAR"}), max_order_war_size=9)
    assert "OFI-ORD-004" in tale.posted("R", "W").done("R", tale.old("B", "x")).kept


def test_the_last_write_stays() -> None:
    text = """
    program x
    memory B.x[8]=#
    A | B
    W1: write B.x |
    W2: write B.x !deliver |
    wait |
    barrier | barrier
     | L: load B.x
    """
    for bits, expected in (("WAW", {"OFI-ORD-005"}), ("SAW", set())):
        order = frozenset({bits})
        tale = Tale(text, tx_order=order, rx_order=order, max_order_waw_size=UNLIMITED)
        tale.posted("W1", "W2").done("W1").done("W2").passed()
        assert tale.saw("L", tale.by("W1")).broken == expected


def test_two_initiators_are_in_no_order() -> None:
    text = """
    program x
    memory B.x[8]=#
    A | B | C
    W1: write B.x !deliver | | W2: write B.x !deliver
    wait | | wait
    barrier | barrier | barrier
     | L: load B.x |
    """
    order = frozenset({"WAW", "RAW"})
    for seen in ("W1", "W2"):
        tale = Tale(text, tx_order=order, rx_order=order, max_order_waw_size=UNLIMITED)
        tale.posted("W1", "W2").done("W1").done("W2").passed()
        assert not tale.saw("L", tale.by(seen)).broken
    mixed = Tale(text).posted("W1", "W2").done("W1").done("W2").passed()
    assert not mixed.saw("L", mixed.by("W1")[:5] + mixed.by("W2")[5:]).broken
    stale = Tale(text).posted("W1", "W2").done("W1").done("W2").passed()
    assert "OFI-CMP-004" in stale.saw("L", stale.old("B", "x")).broken
