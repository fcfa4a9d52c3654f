# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Programs run end to end on real providers: what the History holds, and what the session does with its endpoints."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from kfabric.model import data
from kfabric.model.history import (
    AnyEvent,
    Completed,
    Content,
    Counted,
    Did,
    Died,
    Failed,
    History,
    Observed,
    Passed,
    Posted,
    Probed,
    Waited,
)
from kfabric.model.notation import parse
from kfabric.model.program import Program, Recv, Send, Write
from ofi_conformance.configuration import Configuration
from ofi_conformance.executor import Bounds, ProgramError
from ofi_conformance.executor.run import DRIVEN
from ofi_conformance.nodes.evidence import left_behind
from ofi_conformance.session import Session

from .conftest import BUNDLED

Choose = Callable[..., Configuration]
Open = Callable[..., Session]
pytestmark = pytest.mark.usefixtures("clean")

E = TypeVar("E", bound=AnyEvent)


@pytest.fixture
def opened(clean: None, chosen: Choose) -> Iterator[Open]:
    """Sessions by target and configuration, closed at the end."""
    sessions: list[Session] = []

    def make(spelling: str, name: str = "default", bounds: Bounds | None = None, nodes: int = 2) -> Session:
        session = Session(chosen(spelling, name), bounds, nodes=nodes)
        sessions.append(session)
        return session

    yield make
    for session in sessions:
        nodes = list(session._nodes.values())
        session.close()
        assert session.incidents == []
        assert not [name for node in nodes for name in left_behind(node.pid)]
        assert not [node for node in nodes if Path(node._directory).exists()]


def events(history: History, kind: type[E]) -> list[E]:
    return [event for event in history.events if isinstance(event, kind)]


def completed(history: History) -> list[str | None]:
    return sorted(event.op or "?" for event in events(history, Completed))


def contents(history: History) -> dict[str, bytes]:
    return {f"{event.node}.{event.what}": event.content for event in events(history, Content)}


def assert_sound(program: Program, history: History) -> None:
    """What every run without deliberate mistakes on a sound provider shows."""
    operations = [step.name for _, step in program.operations()]
    assert history.finished
    assert not events(history, Failed)
    assert not events(history, Died)
    assert all(event.code == 0 for event in events(history, Posted))
    assert sorted(event.op for event in events(history, Posted)) == sorted(operations)
    assert not any(event.missing for event in events(history, Waited))
    assert all(event.before and event.after for event in events(history, Content))
    for node in program.nodes:
        assert [event.seq for event in history.of(node)] == list(range(len(history.of(node))))
    held = contents(history)
    numbers = data.Numbering(program)
    for thread, step in program.operations():
        if isinstance(step, Send | Write):
            assert held[f"{thread.node}.source:{step.name}"] == data.payload(numbers, step)


MESSAGES = """
program messages
A                                    | B
                                     | r1: recv 64
                                     | r2: recv 100
                                     | r3: recv 8
                                     | r4: recv 16
barrier 0                            | barrier 0
s1: send B 64                        | wait
s2: inject send B 8                  |
s3: vector send B 8 iov=3+5          |
s4: msg send B 5                     |
wait                                 |
"""


@pytest.mark.parametrize("provider", BUNDLED)
def test_messages(opened: Open, provider: str) -> None:
    session = opened(f"{provider}/{BUNDLED[provider]}")
    program = parse(MESSAGES)
    if session.guarantees.default.iov_limit < 2:
        program = parse(MESSAGES.replace("vector send B 8 iov=3+5", "send B 8"))
    history = session.run(program)
    assert_sound(program, history)
    assert completed(history) == ["r1", "r2", "r3", "r4", "s1", "s3", "s4"]
    held = contents(history)
    sends = {step.name: step for _, step in program.operations() if isinstance(step, Send)}
    received = b"".join(
        held[f"B.buffer:r{i}"][: sends[f"s{i}"].size] for i in range(1, 5)
    )  # DGRAM on loopback keeps order in practice
    assert sorted(received) == sorted(
        b"".join(data.payload(data.Numbering(program), sends[f"s{i}"]) for i in range(1, 5))
    )
    for _ in range(5):
        assert_sound(program, session.run(program))
    assert (session.statistics.retired, session.statistics.opened) == (0, 1)


REMOTE = """
program remote memory
memory B.data[64] B.more[32]=#
A                                              | B
w1: write B.data[0:16]                         | barrier 0
w2: inject write B.data[16:24]                 | l1: load B.data[0:8]
w3: vector write B.data[32:40] iov=1+7         | l2: load B.data[16:20]
w4: msg write B.data[40:48] = 258 !deliver     | st: store B.more[8:16] = 7
wait w1 w3 w4                                  |
g1: read B.more                                |
g2: msg read B.data[0:16]                      |
wait                                           |
barrier 0                                      |
"""


@pytest.mark.parametrize("provider", [name for name in BUNDLED if name != "udp"])
def test_remote_memory(opened: Open, provider: str) -> None:
    session = opened(f"{provider}/{BUNDLED[provider]}")
    program = parse(REMOTE)
    history = session.run(program)
    assert_sound(program, history)
    assert completed(history) == ["g1", "g2", "w1", "w3", "w4"]
    held, numbers = contents(history), data.Numbering(program)
    writes = {step.name: data.payload(numbers, step) for _, step in program.operations() if isinstance(step, Write)}
    region = held["B.region:data"]
    assert region[:24] == writes["w1"] + writes["w2"]
    assert region[32:40] == writes["w3"]
    assert region[40:48] == (258).to_bytes(8, "little")
    assert region[24:32] + region[48:] == bytes(24)
    initial = data.initial(program.region("B", "more"))
    seen = {event.op: event.content for event in events(history, Observed)}
    assert seen["g1"] == initial
    assert seen["g2"] == writes["w1"]
    assert held["B.region:more"] == initial[:8] + (7).to_bytes(8, "little") + initial[16:]


TAGGED = """
program tagged
A                                                | B
                                                 | r1: recv 16 tag=1
                                                 | r2: recv 16 tag=2
                                                 | r3: recv 16 tag=0 ignore=0xff
barrier 0                                        | barrier 0
s2: send B 16 tag=2 data=9                       | wait
s1: inject send B 16 tag=1                       |
s3: msg send B 16 tag=77                         |
wait                                             |
"""


@pytest.mark.parametrize("provider", ["net", "sockets", "shm", "tcp;ofi_rxm", "udp;ofi_rxd"])
def test_tagged(opened: Open, provider: str) -> None:
    session = opened(f"{provider}/rdm")
    program = parse(TAGGED)
    history = session.run(program)
    assert_sound(program, history)
    got = {event.op: event for event in events(history, Completed)}
    assert {op: got[op].tag for op in ("r1", "r2", "r3")} == {"r1": 1, "r2": 2, "r3": 77}
    assert got["r2"].data == 9
    numbers = data.Numbering(program)
    for _, step in program.operations():
        if isinstance(step, Send):
            assert contents(history)[f"B.buffer:r{step.name[1]}"] == data.payload(numbers, step)


ATOMICS = """
program atomics
memory B.data[16]=5
A                                                      | B
t1: atomic sum uint64 B.data[0:8] = 3                  | barrier 0
wait                                                   |
t2: fetch sum uint64 B.data[0:8] = 4                   |
t3: fetch atomic_read uint64 B.data[0:8]               |
wait                                                   |
t4: compare cswap uint64 B.data[0:8] = 100 if 12       |
wait                                                   |
t5: inject atomic atomic_write uint64 B.data[8:16] = 9 |
barrier 0                                              |
"""


@pytest.mark.parametrize("target", ["sockets/rdm", "shm", "tcp;ofi_rxm?caps=msg+rma+atomic"])
def test_atomics(opened: Open, target: str) -> None:
    session = opened(target)
    history = session.run(parse(ATOMICS))
    assert history.finished
    seen = {event.op: int.from_bytes(event.content, "little") for event in events(history, Observed)}
    assert seen["t2"] == 8
    assert seen["t4"] == 12
    region = contents(history)["B.region:data"]
    assert [int.from_bytes(region[i : i + 8], "little") for i in (0, 8)] == [100, 9]


THREE = """
program third node
memory B.data[8]
A                           | B                | C
w1: write B.data !deliver   | r1: recv 8 from C | r2: recv 8
wait                        | barrier 0        | barrier 0
barrier 0                   |                  |
s1: send C 8                |                  | wait r2
wait                        | wait r1          | g1: read B.data
                            |                  | wait
                            |                  | s2: send B 8
                            |                  | wait
"""


@pytest.mark.parametrize("target", ["tcp/msg", "shm", "sockets/rdm"])
def test_three_nodes(opened: Open, target: str) -> None:
    session = opened(target, nodes=3)
    program = parse(THREE.replace("r2: recv 8", "r2: recv 8 from A"))
    history = session.run(program)
    assert_sound(program, history)
    seen = {event.op: event.content for event in events(history, Observed)}
    assert seen["g1"] == contents(history)["B.region:data"] != bytes(8)
    assert session.statistics.spawned == 3
    assert_sound(parse(MESSAGES), session.run(parse(MESSAGES)))
    assert session.statistics.opened == 1, "two of three nodes use the same endpoints"


ENDPOINTS = """
program endpoints
endpoints A=2 B=2
A                              | B
                               | r1: recv 8 from A via=0
                               | r2: recv 8 from A/1 via=1
barrier 0                      | barrier 0
s2: send B/1 8 via=1           | wait
s1: send B 8 via=0             |
wait                           |
"""


@pytest.mark.parametrize("target", ["tcp/msg", "shm", "sockets/rdm", "net/rdm"])
def test_several_endpoints(opened: Open, target: str) -> None:
    session = opened(target)
    program = parse(ENDPOINTS)
    history = session.run(program)
    assert_sound(program, history)
    assert {event.op: event.queue for event in events(history, Completed)} == {
        "r1": "rx",
        "r2": "rx/1",
        "s1": "tx",
        "s2": "tx/1",
    }


THREADS = """
program threads
memory B.data[16]
A                      | A:1                     | B
w1: write B.data[0:8]  | w2: write B.data[8:16]  | barrier 0
wait w1                | wait w2                 | l1: load B.data
barrier 0              | barrier 0               |
"""


def test_threads_of_a_node_take_turns(opened: Open) -> None:
    program = parse(THREADS)
    history = opened("shm").run(program)
    assert_sound(program, history)
    assert len(events(history, Passed)) == 3


@pytest.mark.parametrize("by", ["by sread", "by counter"])
@pytest.mark.parametrize("target", ["tcp/msg", "shm", "sockets/rdm"])
def test_ways_to_wait(opened: Open, target: str, by: str) -> None:
    session = opened(target, "counted")
    program = parse(MESSAGES.replace("wait", f"wait all {by}").replace("inject send B 8", "send B 8"))
    history = session.run(program)
    assert_sound(program, history)
    assert completed(history) == ["r1", "r2", "r3", "r4", "s1", "s2", "s3", "s4"]
    counted = {(event.node, event.counter): event.value for event in events(history, Counted)}
    assert counted["A", "send"] == 4
    assert counted["B", "recv"] == 4
    again = session.run(program)
    assert {(event.node, event.counter): event.value for event in events(again, Counted)} == counted


SELECTIVE = """
program selective
A                                     | B
                                      | r1: recv 8
                                      | r2: msg recv 8 !completion
barrier 0                             | barrier 0
s1: send B 8                          | wait
s2: msg send B 8 !completion          |
wait                                  |
"""


@pytest.mark.parametrize("target", ["tcp/msg", "shm", "sockets/rdm"])
def test_selective_completion(opened: Open, target: str) -> None:
    session = opened(target, "selective")
    history = session.run(parse(SELECTIVE))
    assert_sound(parse(SELECTIVE), history)
    assert completed(history) == ["r2", "s2"]
    session.run(parse(SELECTIVE))
    assert session.statistics.retired == 0, "a receive that nobody reports is known by its buffer"


LOCAL = """
program local steps
memory B.data[8]=# B.gone[8]
A                                 | B
                                  | r1: recv 8
                                  | r2: recv 8
barrier 0                         | barrier 0
s1: inject send B 8               | wait r1
reuse s1                          | cancel r2
w1: write B.data[0:8]             | c1: close B.gone
wait                              | barrier 1
barrier 1                         |
"""


def test_reuse_cancel_and_close(opened: Open) -> None:
    program = parse(LOCAL)
    history = opened("shm").run(program)
    did = {event.op: event.code for event in events(history, Did)}
    assert did.pop("c1") == 0
    assert len(did) == 2
    sent = data.payload(data.Numbering(program), next(s for _, s in program.operations() if isinstance(s, Send)))
    held = contents(history)
    assert held["B.buffer:r1"] == sent
    assert held["A.source:s1"] == data.scribble(sent)
    (failed,) = events(history, Failed)
    assert (failed.op, failed.err) == ("r2", 125)
    assert held["B.buffer:r2"] == data.fill("r2", 8)


FAULTS = """
program deliberate mistakes
memory B.data[8] B.sealed[8]!read,write
A                                | B
w1: write B.data[0:8] !badkey    | barrier 0
wait                             |
w2: write B.data[0:16]           |
wait                             |
w3: write B.sealed[0:8]          |
wait                             |
barrier 0                        |
"""


@pytest.mark.parametrize("target", ["sockets/rdm", "tcp;ofi_rxm", "tcp/msg"])
def test_deliberate_mistakes(opened: Open, target: str) -> None:
    session = opened(target, bounds=Bounds().short())
    program = parse(FAULTS)
    history = session.run(program)
    held = contents(history)
    assert held["B.region:data"] == bytes(8)
    assert held["B.region:sealed"] == bytes(8)
    assert all(event.before and event.after for event in events(history, Content))
    if target == "sockets/rdm":
        assert {event.op for event in events(history, Failed)} == {"w1", "w2", "w3"}
    assert session.statistics.retired == 1, "after an error the endpoints are opened afresh"
    assert_sound(parse(MESSAGES), session.run(parse(MESSAGES)))


UNMATCHED = """
program unmatched
A              | B
               | r1: recv 8
               | r2: recv 8
barrier 0      | barrier 0
s1: send B 8   | wait r1
wait           |
"""


@pytest.mark.parametrize("target", ["tcp/msg", "shm", "tcp;ofi_rxm"])
def test_receives_that_nothing_matches_are_taken_back(opened: Open, target: str) -> None:
    session = opened(target)
    for _ in range(2):
        history = session.run(parse(UNMATCHED))
        assert history.finished
        assert not events(history, Failed), "taking receives back is no part of the Program"
    assert session.statistics.retired == 0
    assert_sound(parse(MESSAGES), session.run(parse(MESSAGES)))


NEVER = """
program never
A              | B
               | r1: recv 8
               | r2: recv 8
barrier 0      | barrier 0
s1: send B 8   | wait
wait           |
"""


def test_a_wait_that_meets_its_bound(opened: Open) -> None:
    session = opened("shm", bounds=Bounds(wait=0.2, after=0.1, settle=0.05))
    history = session.run(parse(NEVER))
    (waited,) = (event for event in events(history, Waited) if event.node == "B")
    assert (waited.missing, waited.bounded) == (("r2",), True)
    assert history.finished
    assert not events(history, Probed), "nobody sent it, so nobody owes it"


LOST = """
program lost
A              | B
               | r1: recv 4
               | r2: recv 4
barrier 0      | barrier 0
s1: send B 4   | wait
s2: send B 4   |
wait           |
"""


def test_what_is_owed_is_probed(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message is lost by making the sender's node believe that it was posted."""
    session = opened("shm", bounds=Bounds(wait=0.3, after=0.1, settle=0.05, polls=50))
    session.run(parse(MESSAGES))
    session._nodes["A"].call(lose_a_send, "s2")
    history = session.run(parse(LOST))
    probed = {event.node: event for event in events(history, Probed)}
    assert probed["A"].arrived
    assert probed["B"].arrived
    assert probed["A"].polls == 50
    assert [event.op for event in events(history, Completed) if event.node == "B"] == ["r1"]
    assert contents(history)["B.buffer:r1"] != data.fill("r1", 4)
    assert list(session.statistics.reasons) == ["no completion of s2", "B still waits for 1 messages that were sent"]


def lose_a_send(name: str) -> None:
    """In node A: the operation of that name is prepared as one that does nothing."""
    from ofi_conformance.executor.posting import Op, Posting

    bind = Posting.bind

    def losing(self: Posting, op: Op) -> None:
        bind(self, op)
        if op.name == name:
            op.post = int  # type: ignore[assignment]

    Posting.bind = losing  # type: ignore[method-assign]


def test_automatic_progress_that_is_none(opened: Open) -> None:
    """Debian's tcp promises automatic progress; a target of reads that makes no call does not move."""
    session = opened("tcp/msg", bounds=Bounds(stall=0.1, wait=2))
    assert session.guarantees.default.data_progress == "AUTO"
    program = parse(REMOTE)
    history = session.run(program)
    assert_sound(program, history)
    helped = DRIVEN in history.note
    assert session.drive == helped
    assert_sound(program, session.run(program))
    strict = session.run(program, bounds=Bounds(wait=0.3, after=0.1), drive=False)
    assert DRIVEN not in strict.note
    assert any(event.bounded for event in events(strict, Waited)) == helped


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ("A|B|C\ns1: send B 8 via=1||", "no endpoint 1"),
        ("A|B\ns1: inject send B 100000|", "100000 bytes injected, inject_size is"),
        ("A|B\ns1: vector send B 99 iov=" + "+".join(["1"] * 99) + "|", "99 local segments, iov_limit is"),
        ("A|B\ns1: msg send B 8 !fence|", "no FENCE"),
        ("A|B\ns1: send B 8 tag=1|", "no TAGGED"),
        ("A|B|C\ns1: send B 8|| ", "3 nodes, the session 2"),
    ],
)
def test_programs_that_cannot_run_here(opened: Open, steps: str, reason: str) -> None:
    session = opened("tcp/msg")
    with pytest.raises((ProgramError, ValueError), match=reason):
        session.run(parse(f"program wrong\n{steps}\n"))
    assert session.statistics.spawned == 0


# -- deaths -----------------------------------------------------------------------------------------------------------
SLOW = """
program slow
A              | B
               | r1: recv 8
barrier 0      | barrier 0
               | wait
"""


def _later(seconds: float, pid: int, number: int) -> None:
    def act() -> None:
        time.sleep(seconds)
        os.kill(pid, number)

    threading.Thread(target=act).start()


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGSTOP])
@pytest.mark.parametrize("victim", ["A", "B"])
def test_a_node_that_dies_ends_the_run_and_not_the_session(opened: Open, number: int, victim: str) -> None:
    session = opened("shm", bounds=Bounds(wait=1.0, hang=1.0, silence=1.0))
    session.run(parse(MESSAGES))
    _later(0.3, session._nodes[victim].pid, number)
    history = session.run(parse(SLOW))
    assert not history.finished
    (died,) = events(history, Died)
    assert died.node == victim
    assert (died.how, died.signal) == (("crash", number) if number == signal.SIGSEGV else ("hang", signal.SIGKILL))
    assert events(history, Posted)
    assert session.statistics.deaths == 1
    assert_sound(parse(MESSAGES), session.run(parse(MESSAGES)))


def hang_in_a_send(name: str) -> None:
    """In node A: the call that posts the operation of that name never returns."""
    from ofi_conformance.executor.posting import Op, Posting
    from ofi_conformance.nodes.agent import current
    from ofi_conformance.nodes.intent import call_text

    bind = Posting.bind

    def hanging(self: Posting, op: Op) -> None:
        bind(self, op)
        if op.name == name:
            op.post = hang

    def hang() -> None:
        current().intents.slot.announce(call_text("Endpoint.send"))
        time.sleep(60)

    Posting.bind = hanging  # type: ignore[method-assign]


def test_a_call_that_does_not_return(opened: Open) -> None:
    session = opened("shm", bounds=Bounds(hang=1.0))
    session.run(parse(MESSAGES))
    session._nodes["A"].call(hang_in_a_send, "s1")
    began = time.monotonic()
    history = session.run(parse(LOST))
    assert time.monotonic() - began < 20, "not only after the bounds of all that wait for it"
    (died,) = events(history, Died)
    assert (died.node, died.how, died.intent) == ("A", "hang", "Endpoint.send in s1")
    assert "in hang" in died.trace
    assert [event.op for event in history.of("B") if isinstance(event, Posted)] == ["r1", "r2"]


def where_am_i() -> int:
    return os.getpid()


def test_calls_have_a_node_of_their_own(opened: Open) -> None:
    session = opened("shm")
    pid = session.call(where_am_i)
    assert pid not in {os.getpid(), *(node.pid for node in session._nodes.values())}
    assert session.call(where_am_i) == pid


def test_speed(opened: Open) -> None:
    """A small Program on two nodes takes milliseconds; the bound is loose for a busy machine."""
    session = opened("shm")
    program = parse(MESSAGES)
    session.run(program)
    best = 1.0
    for _ in range(30):
        began = time.perf_counter()
        session.run(program)
        best = min(best, time.perf_counter() - began)
    assert best < 0.015


def test_receives_are_filled_before_they_are_posted(opened: Open) -> None:
    history = opened("shm").run(parse(UNMATCHED))
    recv = next(step for _, step in parse(UNMATCHED).operations() if isinstance(step, Recv) and step.name == "r2")
    assert contents(history)["B.buffer:r2"] == data.fill("r2", recv.size)
