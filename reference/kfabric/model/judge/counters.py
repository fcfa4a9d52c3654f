# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Counters equal completions: OFI-CNT-001..010.

A counter, read when its node is quiet, shows at least the operations of its kinds whose success is known and at most
those accepted that did not fail; its error value likewise. Counters of peers' accesses need FI_RMA_EVENT.
"""

from __future__ import annotations

from ..history import Counted, Event, Waited
from ..program import Atomic, AtomicKind, Operation, Read, Recv, Send, Wait, WaitBy, Write
from . import calls
from .arrivals import Arrivals, accepts
from .ledger import Ledger
from .scene import Scene

_IDS = {
    "send": ["OFI-CNT-001"],
    "recv": ["OFI-CNT-002"],
    "read": ["OFI-CNT-003", "OFI-CNT-006"],
    "write": ["OFI-CNT-004", "OFI-CNT-005"],
    "remote_read": ["OFI-CNT-008"],
    "remote_write": ["OFI-CNT-007"],
}


def judge_counters(scene: Scene, arrivals: Arrivals, ledger: Ledger) -> None:
    """Every counter that was read before anything else used the endpoints."""
    seen: set[tuple[str, str]] = set()
    for counted in scene.counted:
        key = (counted.node, counted.counter)
        if key in seen or counted.counter not in scene.ends[counted.node].counters or counted.counter not in _IDS:
            continue
        seen.add(key)
        if any(
            probe.node == counted.node and scene.order.before(scene.order.point(probe), scene.order.point(counted))
            for probe in scene.probed
        ):
            continue
        if counted.counter.startswith("remote_"):
            _remote(scene, counted, ledger)
        else:
            _local(scene, arrivals, counted, ledger)


def _relevant(ids: list[str], steps: list[Operation]) -> list[str]:
    """The requirements for the kinds of operations that there were."""
    atomic = any(isinstance(step, Atomic) for step in steps)
    plain = any(not isinstance(step, Atomic) for step in steps)
    return ids if len(ids) == 1 else [name for name, there in zip(ids, (plain, atomic), strict=True) if there]


def _local(scene: Scene, arrivals: Arrivals, counted: Counted, ledger: Ledger) -> None:
    mine = [
        step
        for step in scene.operations
        if scene.node(step.name) == counted.node
        and calls.counter(step) == counted.counter
        and scene.accepted(step.name)
    ]
    failed = [step for step in mine if scene.errored(step.name)]
    fine = [step for step in mine if step not in failed]
    known = [step for step in fine if scene.succeeded(step.name)]
    most = len(fine)
    if counted.counter == "recv":
        most = len([step for step in fine if isinstance(step, Recv) and _may_count(scene, arrivals, step)])
    ids = _relevant(_IDS[counted.counter], mine) or _IDS[counted.counter][:1]
    events: list[Event] = [counted, *(entry for step in known for entry in scene.completed[step.name][:1])]
    let = [scene.say(step.name) for step in mine[:6]] + (["..."] if len(mine) > 6 else [])
    least = len(known)
    if not least <= counted.value <= most:
        wanted = str(most) if least == most else f"{least} to {most}"
        then = f"{wanted} operations of {counted.node} count as {counted.counter}."
        ledger.broken(ids, let, then, f"However the counter shows {counted.value}.", events)
    elif least == most:
        if mine:
            ledger.kept(*ids)
    elif counted.value == most:
        ledger.kept(*ids, "OFI-CNT-009")
    elif any(entry.node == counted.node for entry in scene.stray_failed) or _may_fail(scene, fine):
        return  # some may have failed, and no entry says which
    elif scene.history.finished:
        then = f"{most} operations of {counted.node} count as {counted.counter}, whether they report or not."
        however = f"However the counter showed {counted.value}"
        waits = _waited_in_vain(scene, arrivals, counted, fine)
        probes = [probe for probe in scene.probed if counted.node in (probe.node, probe.peer)]
        if waits and probes and all(probe.arrived for probe in probes):
            names = ids if all(_reported(scene, step) for step in fine) else ["OFI-CNT-009"]
            ledger.broken(names, let, then, f"{however}, and a later message went through.", [*events, *waits, *probes])
        else:
            ledger.open([*ids, "OFI-CNT-009"], let, then, f"{however}.", events)
    _errors(scene, counted, mine, failed, ledger)
    _wrong_kind(scene, counted, mine, ledger)


def _may_fail(scene: Scene, steps: list[Operation]) -> bool:
    """Some operation without entry may have been refused."""
    for step in steps:
        if isinstance(step, Send | Recv) or scene.succeeded(step.name):
            continue
        if scene.breach(step) is not None or scene.doubtful(step):
            return True
    return False


def _may_count(scene: Scene, arrivals: Arrivals, recv: Recv) -> bool:
    """A receive may have taken a message, as far as can be seen."""
    if recv.name in arrivals.found or not _reported(scene, recv):
        return True
    if (scene.node(recv.name), f"buffer:{recv.name}") not in scene.contents:
        return True
    sends = arrivals.sends.get(scene.source(recv), ())
    return any((not send.size or scene.wild(send)) and accepts(scene, recv, send) for send in sends)


def _waited_in_vain(scene: Scene, arrivals: Arrivals, counted: Counted, mine: list[Operation]) -> list[Waited]:
    """Waits on counters that met their bound for operations of this counter that have nothing to wait for."""
    received = {a.message.name for a in arrivals.found.values() if a.message is not None and a.entry is not None}
    names = {step.name for step in mine if not isinstance(step, Recv)}
    names -= {step.name for step in mine if isinstance(step, Send) and step.name not in received}
    result: list[Waited] = []
    for name, event in scene.waited.items():
        step = scene.steps[name]
        counting = isinstance(step, Wait) and step.by is WaitBy.COUNTER
        if event.node == counted.node and counting and event.bounded and names & set(event.missing):
            result.append(event)
    return result


def _reported(scene: Scene, step: Operation) -> bool:
    return calls.reports(step, scene.end(step.name))


def _errors(scene: Scene, counted: Counted, mine: list[Operation], failed: list[Operation], ledger: Ledger) -> None:
    unknown = [entry for entry in scene.stray_failed if entry.node == counted.node]
    least, most = len(failed), len(failed) + len(unknown)
    if least <= counted.errors <= most:
        if failed:
            ledger.kept("OFI-CNT-010")
        return
    unfinished = [step for step in mine if not scene.completed.get(step.name) and not scene.errored(step.name)]
    if counted.errors > most and unfinished:
        return  # an error may still be on its way to the queue
    then = f"{least} operations of {counted.node} that count as {counted.counter} failed."
    let = [scene.say(step.name) for step in failed[:6]]
    however = f"However the counter shows {counted.errors} errors."
    ledger.broken(["OFI-CNT-010"], let, then, however, [counted])


def _wrong_kind(scene: Scene, counted: Counted, mine: list[Operation], ledger: Ledger) -> None:
    """Atomics count in one counter and not in the other."""
    if counted.counter not in ("read", "write") or mine or counted.value:
        return
    for step in scene.operations:
        if scene.node(step.name) == counted.node and isinstance(step, Atomic) and scene.succeeded(step.name):
            ledger.kept("OFI-CNT-006" if step.kind is not AtomicKind.BASE else "OFI-CNT-005")
            return


def _remote(scene: Scene, counted: Counted, ledger: Ledger) -> None:
    if "RMA_EVENT" not in scene.ends[counted.node].caps:
        return
    reading = counted.counter == "remote_read"
    steps: list[Operation] = []
    for step in scene.operations:
        if isinstance(step, Send | Recv) or not scene.accepted(step.name) or scene.breach(step) is not None:
            continue
        target = scene.target(step)
        kind = isinstance(step, Read) or (isinstance(step, Atomic) and step.kind is not AtomicKind.BASE)
        if target is not None and target.node == counted.node and kind == reading:
            steps.append(step)
    if any(
        scene.errored(step.name) or scene.doubtful(step) for step in steps if isinstance(step, Write | Read | Atomic)
    ):
        return
    sure = [step for step in steps if _arrived(scene, step)]
    let = [scene.say(step.name) for step in steps[:6]]
    then = f"{len(sure)} to {len(steps)} accesses of peers count as {counted.counter} of {counted.node}."
    however = f"However the counter shows {counted.value}."
    if counted.value > len(steps):
        ledger.broken(_IDS[counted.counter], let, then, however, [counted])
    elif counted.value < len(sure):
        ledger.open(_IDS[counted.counter], let, then, however, [counted])
    elif steps and len(sure) == len(steps):
        ledger.kept(*_IDS[counted.counter])


def _arrived(scene: Scene, step: Operation) -> bool:
    """The target certainly has processed the access."""
    reading = isinstance(step, Read) or (isinstance(step, Atomic) and step.kind is not AtomicKind.BASE)
    level = calls.level(step, scene.end(step.name))
    return scene.succeeded(step.name) is not None and (reading or level >= calls.Level.DELIVERY)
