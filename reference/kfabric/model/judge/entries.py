# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the entries of completion queues say: flags, length, remote data, tag, source, and who was told what.

Decides OFI-CQ-005..021, 026, 029, 037, OFI-RMA-013/014, and finds the *notices*: which operation of a peer an entry at
the target tells of. Fields that the queue's format does not carry are not judged.
"""

from __future__ import annotations

from ..dialect import COMPLETION_FLAGS, KIND_FLAGS, NOTAVAIL, bits, names
from ..history import Completed, Failed
from ..program import Atomic, AtomicKind, EndpointRef, Operation, Read, Recv, Send, Write
from . import calls
from .arrivals import Arrival, Arrivals
from .ledger import Ledger
from .scene import Scene


def kind(step: Operation) -> tuple[int, str]:
    """Class and direction flags of an operation's own entry, and the requirement that says so."""
    if isinstance(step, Send | Recv):
        form = "MSG" if step.tag is None else "TAGGED"
        return (bits(form, "SEND"), "OFI-CQ-006") if isinstance(step, Send) else (bits(form, "RECV"), "OFI-CQ-007")
    if isinstance(step, Atomic):
        if step.kind is AtomicKind.BASE:
            return bits("ATOMIC", "WRITE"), "OFI-CQ-009"
        return bits("ATOMIC", "READ"), "OFI-CQ-010"
    return bits("RMA", "READ" if isinstance(step, Read) else "WRITE"), "OFI-CQ-008"


# -- notices ----------------------------------------------------------------------------------------------------------


def remote(entry: Completed) -> bool:
    """An entry that tells of a peer's access."""
    return entry.flags is not None and bool(entry.flags & bits("REMOTE_WRITE", "REMOTE_READ"))


def addressed(scene: Scene, entry: Completed) -> list[Write]:
    """The writes with remote data that an entry at their target may tell of."""
    _, _, index = entry.queue.partition("/")
    here = EndpointRef(entry.node, int(index) if index.isdigit() else 0)
    found: list[Write] = []
    for step in scene.operations:
        if not isinstance(step, Write) or step.data is None or scene.target(step) != here:
            continue
        if scene.maybe(step.name) and (entry.data is None or same_data(scene, step, entry.data)):
            found.append(step)
    return found


def same_data(scene: Scene, step: Send | Write, value: int) -> bool:
    """Whether remote data is what the operation carries, as far as both ends transfer it."""
    assert step.data is not None
    target = scene.target(step)
    assert target is not None
    sizes = [scene.guarantees.end(name).cq_data_size for name in (scene.node(step.name), target.node)]
    width = 8 * min([size for size in sizes if 0 < size < 8] or [8])
    return (step.data ^ value) & ((1 << width) - 1) == 0


def notices(scene: Scene, arrivals: Arrivals) -> dict[str, Completed]:
    """Operations whose target completion is certain."""
    found: dict[str, Completed] = {}
    for arrival in arrivals.found.values():
        if arrival.entry is not None and arrival.message is not None and arrival.tidy:
            found.setdefault(arrival.message.name, arrival.entry)
    for entry in scene.stray_done:
        if entry.flags is None or remote(entry):
            writes = addressed(scene, entry)
            if len(writes) == 1:
                found.setdefault(writes[0].name, entry)
    return found


# -- flags ------------------------------------------------------------------------------------------------------------


def judge_flags(scene: Scene, arrivals: Arrivals, ledger: Ledger) -> None:
    """Flags of every entry that belongs to an operation."""
    for step in scene.operations:
        if "NOTIFY_FLAGS_ONLY" in scene.end(step.name).mode:
            continue
        for entry in scene.completed.get(step.name, ()):
            if entry.flags is not None and not (isinstance(step, Recv) and remote(entry)):
                _flags(scene, step, entry, ledger)
        for error in scene.failed.get(step.name, ()):
            _error(scene, step, error, ledger)
    for error in scene.stray_failed:
        _positive(error, [], ledger)
    for arrival in arrivals.found.values():
        if arrival.entry is not None and arrival.message is not None and arrival.entry.flags is not None:
            _remote_data(scene, arrival, arrival.message, arrival.entry.flags, ledger)


def _flags(scene: Scene, step: Operation, entry: Completed, ledger: Ledger) -> None:
    assert entry.flags is not None
    wanted, name = kind(step)
    let = [scene.say(step.name)]
    however = f"However the flags are {names(entry.flags)}."
    if wanted & ~entry.flags:
        ledger.broken([name], let, f"The entry of {step.name} has {names(wanted)}.", however, [entry])
    else:
        ledger.kept(name)
    if entry.flags & KIND_FLAGS & ~wanted:
        then = f"The entry of {step.name} has no class or direction but {names(wanted)}."
        ledger.broken(["OFI-CQ-013"], let, then, however, [entry])
    else:
        ledger.kept("OFI-CQ-013")
    if entry.flags & ~COMPLETION_FLAGS:
        ledger.broken(["OFI-CQ-012"], let, "An entry holds completion flags only.", however, [entry])
    else:
        ledger.kept("OFI-CQ-012")


def _remote_data(scene: Scene, arrival: Arrival, message: Send, flags: int, ledger: Ledger) -> None:
    told = bool(flags & bits("REMOTE_CQ_DATA"))
    let = [scene.say(message.name), scene.say(arrival.recv.name)]
    if message.data is None and told:
        however = f"However the flags of {arrival.recv.name} are {names(flags)}."
        ledger.broken(["OFI-CQ-017"], let, f"{message.name} carries no remote data.", however, [arrival.entry])
    elif message.data is None:
        ledger.kept("OFI-CQ-017")
    elif not told:
        however = f"However the flags of {arrival.recv.name} are {names(flags)}."
        ledger.broken(["OFI-CQ-016"], let, f"{message.name} carries remote data.", however, [arrival.entry])


def _positive(error: Failed, let: list[str], ledger: Ledger) -> None:
    if error.err > 0:
        ledger.kept("OFI-CQ-026")
    else:
        ledger.broken(
            ["OFI-CQ-026"], let, "The code in an error entry is positive.", f"However err is {error.err}.", [error]
        )


def _error(scene: Scene, step: Operation, error: Failed, ledger: Ledger) -> None:
    let = [scene.say(step.name)]
    _positive(error, let, ledger)
    wanted, _ = kind(step)
    if error.flags & KIND_FLAGS == wanted:
        ledger.kept("OFI-CQ-029")
    else:
        then = f"The error entry of {step.name} has {names(wanted)}."
        ledger.broken(["OFI-CQ-029"], let, then, f"However the flags are {names(error.flags)}.", [error])


# -- fields of receives -----------------------------------------------------------------------------------------------


def judge_fields(scene: Scene, arrivals: Arrivals, ledger: Ledger) -> None:
    """Length, remote data, tag and source of every receive whose message is certain."""
    for arrival in arrivals.found.values():
        if arrival.entry is None or arrival.message is None:
            continue
        wrong = _mismatches(scene, arrival, arrival.message, arrival.entry)
        if not wrong:
            _fields_kept(scene, arrival, arrival.message, arrival.entry, ledger)
            continue
        other = _described(scene, arrivals, arrival)
        let = [scene.say(arrival.message.name), scene.say(arrival.recv.name)]
        if other is not None:
            then = f"The entry with the context of {arrival.recv.name} tells of {arrival.message.name}, which it holds."
            however = f"However its fields are those of {other.candidates[0].name}, which is in {other.recv.name}."
            ledger.broken(["OFI-CQ-004"], let, then, however, [arrival.entry, other.entry])
            continue
        for name, then, however in wrong:
            ledger.broken([name], let, then, however, [arrival.entry])


def _mismatches(scene: Scene, arrival: Arrival, message: Send, entry: Completed) -> list[tuple[str, str, str]]:
    """(requirement, what should be, what is) for each field that does not describe the message."""
    recv, wrong = arrival.recv, []
    end = scene.end(recv.name)
    if entry.len is not None and message.size <= recv.size and entry.len != message.size:
        wrong.append(("OFI-CQ-014", f"{recv.name} holds {message.size} bytes.", f"However len is {entry.len}."))
    told = entry.flags is None or bool(entry.flags & bits("REMOTE_CQ_DATA"))
    if message.data is not None and entry.data is not None and told and not same_data(scene, message, entry.data):
        however = f"However data is {entry.data:#x}."
        wrong.append(("OFI-CQ-016", f"{message.name} carries remote data {message.data:#x}.", however))
    if message.tag is not None and recv.tag is not None and entry.tag is not None:
        usable = (1 << max(end.mem_tag_format, 1).bit_length()) - 1
        if (entry.tag ^ message.tag) & usable:
            however = f"However tag is {entry.tag:#x}."
            wrong.append(("OFI-CQ-018", f"The tag of {message.name} is {message.tag:#x}.", however))
    if entry.source_raw is not None and end.ep_type != "MSG":
        sender = scene.source(message)
        if "SOURCE" in end.caps and entry.source != sender:
            however = f"However the source is {entry.source or hex(entry.source_raw)}."
            wrong.append(("OFI-CQ-019", f"{message.name} comes from {sender}.", however))
        if "SOURCE" not in end.caps and entry.source_raw != NOTAVAIL:
            however = f"However the source is {entry.source_raw:#x}."
            wrong.append(("OFI-CQ-021", "Without FI_SOURCE there is no source.", however))
    return wrong


def _fields_kept(scene: Scene, arrival: Arrival, message: Send, entry: Completed, ledger: Ledger) -> None:
    end = scene.end(arrival.recv.name)
    ledger.kept("OFI-CQ-004")
    if entry.len is not None and message.size <= arrival.recv.size:
        ledger.kept("OFI-CQ-014")
    told = entry.flags is not None and bool(entry.flags & bits("REMOTE_CQ_DATA"))
    if message.data is not None and entry.data is not None and told:
        ledger.kept("OFI-CQ-016")
    if message.tag is not None and arrival.recv.tag is not None and entry.tag is not None:
        ledger.kept("OFI-CQ-018")
    if entry.source_raw is not None and end.ep_type != "MSG":
        ledger.kept("OFI-CQ-019" if "SOURCE" in end.caps else "OFI-CQ-021")


def _described(scene: Scene, arrivals: Arrivals, arrival: Arrival) -> Arrival | None:
    """Another receive, whose message is what this entry describes, and whose entry does not describe it either."""
    assert arrival.entry is not None
    for other in arrivals.found.values():
        if other is arrival or other.message is None or other.entry is None:
            continue
        if scene.source(other.recv) != scene.source(arrival.recv):
            continue
        if _mismatches(scene, arrival, other.message, arrival.entry):
            continue
        if _mismatches(scene, other, other.message, other.entry):
            return other
    return None


# -- target completions -----------------------------------------------------------------------------------------------


def judge_targets(scene: Scene, ledger: Ledger) -> None:
    """Entries at the target of remote accesses."""
    counts: dict[str, int] = {}
    for entry in scene.stray_done:
        if remote(entry):
            _target_entry(scene, entry, counts, ledger)
    for name, entries in scene.completed.items():
        step = scene.steps[name]
        for entry in entries:
            if isinstance(step, Recv) and remote(entry) and "RX_CQ_DATA" not in scene.end(name).mode:
                then = "A write with remote data needs no receive."
                however = f"However its entry has the context of {name}."
                ledger.broken(["OFI-RMA-014", "OFI-CQ-005"], [scene.say(name)], then, however, [entry])
    for step in scene.operations:
        if isinstance(step, Write | Read | Atomic) and scene.succeeded(step.name):
            target = scene.target(step)
            assert target is not None
            plain = not isinstance(step, Write) or step.data is None
            if plain and "RMA_EVENT" not in scene.ends[target.node].caps and not isinstance(step, Atomic):
                ledger.kept("OFI-RMA-013")


def _target_entry(scene: Scene, entry: Completed, counts: dict[str, int], ledger: Ledger) -> None:
    assert entry.flags is not None
    end = scene.ends[entry.node]
    however = f"However there is an entry with {names(entry.flags)}."
    writes = addressed(scene, entry)
    if not entry.flags & bits("REMOTE_CQ_DATA"):
        if "RMA_EVENT" in end.caps:
            return
        carried = addressed(scene, Completed(entry.node, entry.seq, entry.at, None, entry.queue))
        if carried and (entry.data in (None, 0) or writes):
            then = "The entry of a write with remote data has REMOTE_WRITE|REMOTE_CQ_DATA."
            ledger.broken(["OFI-CQ-011"], [scene.say(carried[0].name)], then, however, [entry])
        else:
            then = "Reads, and writes without remote data, have no entry at the target."
            ledger.broken(["OFI-RMA-013"], [], then, however, [entry])
        return
    if not writes:
        carried = addressed(scene, Completed(entry.node, entry.seq, entry.at, None, entry.queue))
        if carried and entry.data is not None:
            values = ", ".join(hex(step.data or 0) for step in carried)
            let = [scene.say(step.name) for step in carried]
            then = f"The entry carries the remote data of a write: {values}."
            ledger.broken(["OFI-CQ-016"], let, then, f"However data is {entry.data:#x}.", [entry])
        else:
            ledger.broken(["OFI-RMA-013"], [], "Nobody wrote with remote data here.", however, [entry])
        return
    _described_write(scene, entry, writes, ledger)
    for step in writes:
        counts[step.name] = counts.get(step.name, 0) + 1
    if min(counts[step.name] for step in writes) > len(writes):
        then = f"There is one entry for each of {', '.join(step.name for step in writes)}."
        let = [scene.say(step.name) for step in writes]
        ledger.broken(["OFI-CQ-003"], let, then, "However there is one more.", [entry])


def _described_write(scene: Scene, entry: Completed, writes: list[Write], ledger: Ledger) -> None:
    assert entry.flags is not None
    let = [scene.say(step.name) for step in writes]
    if entry.data is not None:
        ledger.kept("OFI-CQ-016")
    wanted = bits("REMOTE_WRITE", "REMOTE_CQ_DATA")
    however = f"However the flags are {names(entry.flags)}."
    if wanted & ~entry.flags:
        ledger.broken(["OFI-CQ-011"], let, f"The entry at the target has {names(wanted)}.", however, [entry])
    else:
        ledger.kept("OFI-CQ-011")
    if entry.flags & KIND_FLAGS & ~bits("REMOTE_WRITE", "RMA"):
        then = "The entry at the target has no class or direction but RMA and REMOTE_WRITE."
        ledger.broken(["OFI-CQ-013"], let, then, however, [entry])
    if entry.flags & ~COMPLETION_FLAGS:
        ledger.broken(["OFI-CQ-012"], let, "An entry holds completion flags only.", however, [entry])
    if "RX_CQ_DATA" not in scene.ends[entry.node].mode:
        if entry.stray:
            then = "The entry at the target has no context."
            ledger.broken(["OFI-CQ-005"], let, then, f"However it has {entry.stray:#x}.", [entry])
        else:
            ledger.kept("OFI-CQ-005", "OFI-RMA-014")
    sizes = {calls.size(step) for step in writes}
    if entry.len is not None:
        if entry.len in sizes:
            ledger.kept("OFI-CQ-015")
        else:
            then = f"{' or '.join(map(str, sorted(sizes)))} bytes were written."
            ledger.broken(["OFI-CQ-015"], let, then, f"However len is {entry.len}.", [entry])


def judge_queues(scene: Scene, ledger: Ledger) -> None:
    """Entries are on the queue of their direction."""
    for step in scene.operations:
        for entry in (*scene.completed.get(step.name, ()), *scene.failed.get(step.name, ())):
            name, _, index = entry.queue.partition("/")
            if name == calls.direction(step) and (int(index) if index.isdigit() else 0) == step.via:
                ledger.kept("OFI-CQ-037")
            elif name in ("tx", "rx"):
                then = f"{step.name} reports to the {calls.direction(step)} queue of endpoint {step.via}."
                however = f"However its entry was read from {entry.queue}."
                ledger.broken(["OFI-CQ-037"], [scene.say(step.name)], then, however, [entry])
