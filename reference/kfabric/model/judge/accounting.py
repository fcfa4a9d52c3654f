# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One completion per operation that asks for one, none for any other: OFI-CQ-003/004/027/028, OFI-CMP-010..019.

A completion that is missing is broken only if nothing else is in the way: the peer's side is known to be done (or has
nothing to do), and a later message on the same endpoints went through both ways after empty progress calls. Otherwise
the requirement stays open, however long the run waited: time decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import data
from ..dialect import CANCELED, KIND_FLAGS, names
from ..history import Completed, Event, Failed, Probed, Waited
from ..program import Cancel, Form, Operation, OpMark, Recv, Send
from . import calls
from .arrivals import Arrivals
from .entries import kind, remote
from .ledger import Ledger
from .scene import Scene


class Owing:
    """What is known about completions that did not come."""

    def __init__(self, scene: Scene, arrivals: Arrivals) -> None:
        self.scene = scene
        self.arrivals = arrivals
        self._received = {
            arrival.message.name: arrival
            for arrival in arrivals.found.values()
            if arrival.message is not None and arrival.tidy
        }

    def probes(self, a: str, b: str) -> list[Probed] | None:
        """The probes between two nodes if there are any and all went through."""
        found = [probe for probe in self.scene.probed if {probe.node, probe.peer} == {a, b}]
        return found if found and all(probe.arrived for probe in found) else None

    def due(self, step: Operation) -> list[Probed] | None:
        """Evidence that an operation's own entry must be there; None if there is not enough."""
        here = self.scene.node(step.name)
        if isinstance(step, Recv):
            arrival = self.arrivals.found.get(step.name)
            if arrival is None or arrival.message is None:
                return None
            return self.probes(here, self.scene.node(arrival.message.name))
        target = self.scene.target(step)
        assert target is not None
        if isinstance(step, Send) and calls.reliable(self.scene.end(step.name)):
            arrival = self._received.get(step.name)
            if arrival is None or arrival.entry is None:
                return None
        return None if self._held_up(step) else self.probes(here, target.node)

    def _held_up(self, step: Operation) -> bool:
        """A fence lets the operation wait for an earlier one that has not completed either."""
        scene = self.scene
        channel = scene.channel(step)
        mine = [other for other in scene.operations if scene.channel(other) == channel and scene.accepted(other.name)]
        fences = [f for f in mine if calls.fenced(f, scene.end(f.name)) and (f is step or scene.later(f, step))]
        for fence in fences:
            for other in mine:
                if scene.later(other, fence) and not scene.completed.get(other.name):
                    return True
        return False

    def waits(self, name: str) -> Iterator[Waited]:
        """Waits that ended at their bound without the operation."""
        for event in self.scene.waited.values():
            if event.bounded and name in event.missing:
                yield event

    def missing(self, step: Operation, ids: list[str], ledger: Ledger) -> None:
        """An entry is owed and not there."""
        probes = self.due(step)
        let = [self.scene.say(step.name)]
        events: list[Event] = [*self.waits(step.name), *(probes or ())]
        posted = self.scene.posted.get(step.name)
        if posted is not None:
            events.append(posted)
        then = f"{step.name} was accepted, so one entry of success or error tells of it."
        if probes is not None and self.scene.history.finished:
            polls = max(probe.polls for probe in probes)
            however = f"However none came: not in {polls} further progress calls, and a later message went through."
            ledger.broken(ids, let, then, however, events)
        elif isinstance(step, Recv) and step.name not in self.arrivals.found:
            return  # nothing shows that a message was for it
        else:
            ledger.open(ids, let, then, "However none came before the run ended.", events)


def judge_accounting(scene: Scene, arrivals: Arrivals, ledger: Ledger) -> Owing:
    """Every operation's entries."""
    owing = Owing(scene, arrivals)
    for step in scene.operations:
        posted = scene.posted.get(step.name)
        if posted is None:
            continue
        entries: list[Completed | Failed] = [*scene.completed.get(step.name, ()), *scene.failed.get(step.name, ())]
        entries = [entry for entry in entries if not (isinstance(entry, Completed) and _foreign(step, entry))]
        if posted.code:
            _refused(scene, step, entries, ledger)
        elif len(entries) > 1:
            _several(scene, step, entries, ledger)
        elif calls.reports(step, scene.end(step.name)):
            if entries:
                ledger.kept(*_asked(scene, step), "OFI-CQ-004")
            else:
                _none(scene, step, owing, ledger)
        elif entries and isinstance(entries[0], Completed):
            _unasked(scene, step, entries[0], ledger)
        elif scene.history.finished:
            ledger.kept(*_silent(scene, step))
            if entries:
                ledger.kept("OFI-CQ-028")
    _strays(scene, ledger)
    return owing


def _foreign(step: Operation, entry: Completed) -> bool:
    """A peer's write told with the context of a receive: ``entries`` has the word."""
    return isinstance(step, Recv) and remote(entry)


def _asked(scene: Scene, step: Operation) -> list[str]:
    """The requirements by which an operation reports."""
    end = scene.end(step.name)
    ids = ["OFI-CQ-003"]
    if end.selective:
        ids.append("OFI-CMP-011" if calls.takes_flags(step) else "OFI-CMP-013")
    elif calls.takes_flags(step) and OpMark.COMPLETION not in step.marks:
        ids.append("OFI-CMP-012")
    if calls.takes_flags(step) and OpMark.INJECT in step.marks:
        ids.append("OFI-CMP-019")
    if calls.takes_flags(step) and OpMark.MORE in step.marks and followed(scene, step):
        ids.append("OFI-MSG-015")
    return ids


def followed(scene: Scene, step: Operation) -> bool:
    """A later operation of the same endpoint and direction was posted without FI_MORE."""
    for other in scene.operations:
        same = scene.source(other) == scene.source(step) and calls.direction(other) == calls.direction(step)
        if same and OpMark.MORE not in other.marks and scene.accepted(other.name) and scene.later(step, other):
            return True
    return False


def _silent(scene: Scene, step: Operation) -> list[str]:
    """The requirements by which an operation reports no success."""
    end = scene.end(step.name)
    if calls.direction(step) not in end.queues:
        return []
    if step.form is Form.INJECT:
        return ["OFI-CMP-016"]
    defaults = end.rx_op_flags if isinstance(step, Recv) else end.tx_op_flags
    if calls.takes_flags(step) and "COMPLETION" in defaults:
        return ["OFI-CMP-010", "OFI-CMP-014"]
    return ["OFI-CMP-010"] if calls.takes_flags(step) else ["OFI-CMP-010", "OFI-CMP-013"]


def _refused(scene: Scene, step: Operation, entries: list[Completed | Failed], ledger: Ledger) -> None:
    if not entries:
        ledger.kept("OFI-RM-002")
        return
    then = f"The call that posts {step.name} returned error {scene.posted[step.name].code}: nothing comes of it."
    events = [scene.posted[step.name], *entries]
    ledger.broken(["OFI-RM-002"], [scene.say(step.name)], then, "However an entry has its context.", events)


def _several(scene: Scene, step: Operation, entries: list[Completed | Failed], ledger: Ledger) -> None:
    ids = ["OFI-CQ-003"]
    if any(isinstance(other, Cancel) and other.op == step.name for other in scene.steps.values()):
        ids.append("OFI-EP-020")
    end = scene.end(step.name)
    if not calls.reports(step, end) and any(isinstance(entry, Completed) for entry in entries):
        ids = _silent(scene, step)
    lost = [other.name for other in _lost(scene, step)]
    however = f"However it has {len(entries)} entries."
    if lost and ids == ["OFI-CQ-003"]:
        ids.append("OFI-CQ-004")
        however = f"However it has {len(entries)} entries, and {', '.join(lost)} has none."
    then = f"{step.name} has one entry, of success or of error."
    ledger.broken(ids, [scene.say(step.name)], then, however, entries)


def _lost(scene: Scene, step: Operation) -> Iterator[Operation]:
    """Operations of the same queue that report and have no entry."""
    for other in scene.operations:
        same = scene.source(other) == scene.source(step) and calls.direction(other) == calls.direction(step)
        if not same or not scene.accepted(other.name) or not calls.reports(other, scene.end(other.name)):
            continue
        if not scene.completed.get(other.name) and not scene.errored(other.name) and not isinstance(other, Recv):
            yield other


def _none(scene: Scene, step: Operation, owing: Owing, ledger: Ledger) -> None:
    ids = _asked(scene, step)
    if not isinstance(step, Send | Recv) and scene.breach(step) is not None:
        ids = ["OFI-MR-012", "OFI-CQ-003"]
    owing.missing(step, ids, ledger)


def _unasked(scene: Scene, step: Operation, entry: Completed, ledger: Ledger) -> None:
    ids = _silent(scene, step)
    why = "It is an inject call" if step.form is Form.INJECT else "It asks for no completion"
    then = f"{why}, so {step.name} has no entry of success."
    ledger.broken(ids, [scene.say(step.name)], then, "However it has one.", [entry])


def _strays(scene: Scene, ledger: Ledger) -> None:
    """Entries whose context is no operation's."""
    for entry in scene.stray_done:
        if remote(entry) or (entry.flags is None and entry.stray == 0 and entry.queue.startswith("rx")):
            continue
        however = f"However there is an entry with context {entry.stray:#x} and {names(entry.flags or 0)}."
        silent = _like(scene, entry, reporting=False)
        absent = _like(scene, entry, reporting=True)
        if entry.stray == 0 and silent is not None and absent is None:
            ids = _silent(scene, silent)
            ledger.broken(ids, [scene.say(silent.name)], f"{silent.name} has no entry of success.", however, [entry])
        elif absent is not None or entry.stray:
            let = [scene.say(absent.name)] if absent is not None else []
            ledger.broken(["OFI-CQ-004"], let, "An entry has the context of its operation.", however, [entry])
        elif any(isinstance(s, Cancel) and scene.node(s.name) == entry.node for s in scene.steps.values()):
            ledger.broken(["OFI-EP-019"], [], "Nothing is reported of the call that cancels.", however, [entry])
        else:
            ledger.broken(["OFI-CQ-003"], [], "Each entry tells of one operation.", however, [entry])
    for error in scene.stray_failed:
        _stray_error(scene, error, ledger)


def _like(scene: Scene, entry: Completed | Failed, *, reporting: bool) -> Operation | None:
    """An operation without entry that an entry without operation may tell of."""
    for step in scene.operations:
        queue = calls.direction(step) + (f"/{step.via}" if step.via else "")
        if scene.node(step.name) != entry.node or queue != entry.queue or not scene.accepted(step.name):
            continue
        if scene.completed.get(step.name) or scene.errored(step.name):
            continue
        wanted, _ = kind(step)
        flags = entry.flags
        if flags and flags & KIND_FLAGS and flags & KIND_FLAGS != wanted:
            continue
        if calls.reports(step, scene.end(step.name)) == reporting:
            return step
    return None


def _stray_error(scene: Scene, error: Failed, ledger: Ledger) -> None:
    however = f"However an error entry ({error.err}) has context {error.stray:#x}."
    if _like(scene, error, reporting=False) is not None:
        ledger.kept("OFI-CQ-028")
        return
    absent = _like(scene, error, reporting=True)
    if absent is not None:
        then = f"The error entry of {absent.name} has its context."
        ledger.broken(["OFI-CQ-027"], [scene.say(absent.name)], then, however, [error])
    elif error.stray:
        ledger.broken(["OFI-CQ-004"], [], "An entry has the context of its operation.", however, [error])


# -- cancelling -------------------------------------------------------------------------------------------------------


def judge_cancel(scene: Scene, owing: Owing, ledger: Ledger) -> None:
    """Operations that were the object of a cancel, and cancelled ones that were not."""
    objects = {step.op: step for step in scene.steps.values() if isinstance(step, Cancel) and step.name in scene.did}
    for name, errors in scene.failed.items():
        for error in errors:
            if error.err != CANCELED:
                continue
            if name not in objects:
                if not isinstance(scene.steps[name], Recv) or not any(scene.node(op) == error.node for op in objects):
                    continue  # what a broken connection had under way is not cancelled by fi_cancel
                then = f"Nobody cancelled {name}."
                ledger.broken(["OFI-EP-021"], [scene.say(name)], then, "However its entry says so.", [error])
                continue
            ledger.kept("OFI-EP-018", "OFI-EP-021", "OFI-EP-022", "OFI-CQ-027")
            _untouched(scene, name, error, ledger)
    for name, cancel in objects.items():
        done, failed = scene.completed.get(name, []), scene.failed.get(name, [])
        if len(done) + len(failed) == 1:
            ledger.kept("OFI-EP-020", "OFI-EP-019")
        elif not done and not failed and scene.did[cancel.name].code == 0 and scene.accepted(name):
            _unended(scene, owing, name, cancel, ledger)


def _untouched(scene: Scene, name: str, error: Failed, ledger: Ledger) -> None:
    final = scene.contents.get((scene.node(name), f"buffer:{name}"))
    step = scene.steps[name]
    if final is None or not isinstance(step, Recv) or not step.size:
        return
    fill = data.fill(name, step.size)
    for other in scene.operations:
        if not isinstance(other, Send) or not other.size or not scene.maybe(other.name) or scene.wild(other):
            continue
        start = scene.payload(other)[: step.size]
        if other.to == scene.source(step) and final.content.startswith(start) and not fill.startswith(start):
            then = f"{name} was reported as cancelled, so no message is put into its buffer."
            however = f"However it holds the bytes of {other.name}."
            let = [scene.say(other.name), scene.say(name)]
            ledger.broken(["OFI-EP-023"], let, then, however, [error, final])
            return
    ledger.kept("OFI-EP-023")


def _unended(scene: Scene, owing: Owing, name: str, cancel: Cancel, ledger: Ledger) -> None:
    step = scene.steps[name]
    if not isinstance(step, Recv) or not calls.reports(step, scene.end(name)):
        return  # a receive that took a message after all may have ended in silence
    probes = [probe for probe in scene.probed if scene.node(name) in (probe.node, probe.peer)]
    waits = list(owing.waits(name))
    let = [scene.say(name), scene.say(cancel.name)]
    then = f"{name} ends: the cancel call returned 0."
    if probes and all(probe.arrived for probe in probes) and waits:
        however = "However it did not, and a later message went through."
        ledger.broken(["OFI-EP-022", "OFI-EP-020"], let, then, however, [*probes, *waits, scene.did[cancel.name]])
    else:
        ledger.open(["OFI-EP-022", "OFI-EP-020"], let, then, "However it did not before the run ended.", waits)
