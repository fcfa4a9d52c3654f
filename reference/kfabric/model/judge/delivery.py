# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Messages neither lost nor doubled nor misdirected nor cut unseen.

Decides OFI-MSG-001, OFI-MSG-012..014, OFI-TAG-001/004/005/017 and OFI-RM-005..009, from what bytes tell.
"""

from __future__ import annotations

from .. import data
from ..dialect import CANCELED
from ..history import Failed
from ..program import EndpointRef, OpMark, Recv, Send
from . import calls
from .accounting import Owing, followed
from .arrivals import Arrival, Arrivals, accepts, directed
from .ledger import Ledger
from .scene import Scene

_ALL = (1 << 64) - 1


def judge_delivery(scene: Scene, arrivals: Arrivals, owing: Owing, ledger: Ledger) -> None:
    """Every message and every receive."""
    _pairs(scene, arrivals, ledger)
    _doubles(scene, arrivals, ledger)
    _lost(scene, arrivals, owing, ledger)
    for recv in (step for steps in arrivals.recvs.values() for step in steps):
        for error in scene.failed.get(recv.name, ()):
            if error.err != CANCELED:
                _cut(scene, arrivals, recv, error, ledger)


# -- tags and sources -------------------------------------------------------------------------------------------------


def _pairs(scene: Scene, arrivals: Arrivals, ledger: Ledger) -> None:
    for arrival in arrivals.found.values():
        message = arrival.message
        if message is None or not arrival.tidy:
            if arrival.entry is not None and len(arrival.candidates) == 1 and arrival.content is not None:
                _uncut(scene, arrival, arrival.candidates[0], ledger)
            continue
        if arrival.entry is None:
            continue
        _tags(scene, arrival, message, ledger)
        _sources(scene, arrival, message, ledger)
        if arrival.recv.name in scene.posted and _early(scene, arrivals, message, arrival.recv):
            ledger.kept("OFI-RM-005")


def _early(scene: Scene, arrivals: Arrivals, message: Send, recv: Recv) -> bool:
    """Whether the message had certainly arrived when the receive was posted.

    Its send had completed, or, with message order, one sent behind it had been received.
    """
    begin = scene.order.begin(recv.name)
    if any(scene.order.before(point, begin) for point in scene.known_done(message.name)):
        return True
    place = scene.source(recv)
    if "SAS" not in scene.guarantees.order(scene.node(message.name), place.node):
        return False
    behind = {
        other.name
        for other in arrivals.sends.get(place, ())
        if scene.source(other) == scene.source(message)
        and scene.order.starts_after(scene.posted.get(message.name), other.name)
    }
    return any(
        arrival.message is not None
        and arrival.message.name in behind
        and arrival.entry is not None
        and scene.order.before(scene.order.point(arrival.entry), begin)
        for arrival in arrivals.found.values()
    )


def _tags(scene: Scene, arrival: Arrival, message: Send, ledger: Ledger) -> None:
    recv = arrival.recv
    let = [scene.say(message.name), scene.say(recv.name)]
    if (recv.tag is None) != (message.tag is None):
        kinds = ["an untagged message, ", "a tagged message, "]
        then = f"{message.name} is {kinds[message.tag is not None]}{recv.name} a receive of the other kind."
        ledger.broken(["OFI-TAG-004"], let, then, f"However {recv.name} holds {message.name}.", [arrival.entry])
        return
    if recv.tag is None or message.tag is None:
        return
    ledger.kept("OFI-TAG-004")
    if (recv.tag ^ message.tag) & ~recv.ignore:
        then = f"The tags {message.tag:#x} and {recv.tag:#x} differ outside the bits ignored ({recv.ignore:#x})."
        ledger.broken(["OFI-TAG-001"], let, then, f"However {recv.name} holds {message.name}.", [arrival.entry])
        return
    ledger.kept("OFI-TAG-001")
    usable = (1 << max(scene.end(recv.name).mem_tag_format, 1).bit_length()) - 1
    if recv.ignore & usable == usable or recv.ignore == _ALL:
        ledger.kept("OFI-TAG-005")


def _sources(scene: Scene, arrival: Arrival, message: Send, ledger: Ledger) -> None:
    recv, sender = arrival.recv, scene.source(message)
    end = scene.end(recv.name)
    tagged = recv.tag is not None
    if recv.source is None:
        if "DIRECTED_RECV" in end.caps and not tagged:
            ledger.kept("OFI-MSG-014")
        return
    if end.ep_type == "MSG":
        return
    if not directed(scene, recv):
        if recv.source != sender and not tagged:
            ledger.kept("OFI-MSG-013")
        return
    name = "OFI-TAG-017" if tagged else "OFI-MSG-012"
    if recv.source == sender:
        ledger.kept(name)
        return
    let = [scene.say(message.name), scene.say(recv.name)]
    then = f"{recv.name} takes messages from {recv.source} only."
    ledger.broken([name], let, then, f"However it holds {message.name}, from {sender}.", [arrival.entry])


# -- once -------------------------------------------------------------------------------------------------------------


def _doubles(scene: Scene, arrivals: Arrivals, ledger: Ledger) -> None:
    """No message is in two receives; messages with the same bytes count together."""
    holders: dict[tuple[EndpointRef, tuple[str, ...]], list[Arrival]] = {}
    for arrival in arrivals.found.values():
        if arrival.candidates and arrival.tidy:
            names = tuple(sorted(send.name for send in arrival.candidates))
            holders.setdefault((scene.source(arrival.recv), names), []).append(arrival)
    for (place, names), found in holders.items():
        if not calls.reliable(scene.ends[place.node]):
            continue
        if len(found) <= len(names):
            ledger.kept("OFI-MSG-001", weight=len(found))
            continue
        let = [scene.say(name) for name in (*names, *(arrival.recv.name for arrival in found))]
        then = f"{', '.join(names)}: each is in one receive."
        however = f"However {', '.join(arrival.recv.name for arrival in found)} hold the same bytes."
        ledger.broken(["OFI-MSG-001"], let, then, however, [arrival.entry for arrival in found])


def _lost(scene: Scene, arrivals: Arrivals, owing: Owing, ledger: Ledger) -> None:
    """A message that a free receive would take, is nowhere, and no longer on its way."""
    if not scene.history.finished:
        return
    for place, sends in arrivals.sends.items():
        recvs = arrivals.recvs.get(place, [])
        if place.node not in scene.ends or not calls.reliable(scene.ends[place.node]):
            continue
        there = {
            send.name for recv in recvs if recv.name in arrivals.found for send in arrivals.found[recv.name].candidates
        }
        for message in sends:
            if message.name in there or scene.errored(message.name) or not scene.accepted(message.name):
                continue
            if scene.wild(message) or any(scene.errored(recv.name) for recv in recvs):
                continue
            free = _free(scene, arrivals, recvs, sends, message)
            if free is None:
                continue
            probes = owing.probes(scene.node(message.name), place.node)
            let = [scene.say(message.name), scene.say(free.name)]
            then = f"{message.name} is in a receive: {free.name} was posted, takes it, and is free."
            if probes is not None:
                however = "However it is in none, and a later message went through."
                waits = list(owing.waits(free.name))
                ids = ["OFI-MSG-001"]
                if scene.end(free.name).resource_mgmt == "ENABLED" and _early(scene, arrivals, message, free):
                    ids.append("OFI-RM-005")
                if _batched(scene, message):
                    ids.append("OFI-MSG-015")
                ledger.broken(ids, let, then, however, [*probes, *waits, scene.posted[message.name]])
            else:
                ledger.open(
                    ["OFI-MSG-001"], let, then, "However it was in none when the run ended.", owing.waits(free.name)
                )


def _batched(scene: Scene, message: Send) -> bool:
    """Posted with FI_MORE, without entry, and one without it was posted behind."""
    more = calls.takes_flags(message) and OpMark.MORE in message.marks
    reports = calls.reports(message, scene.end(message.name))
    return more and reports and not scene.completed.get(message.name) and followed(scene, message)


def _free(scene: Scene, arrivals: Arrivals, recvs: list[Recv], sends: list[Send], message: Send) -> Recv | None:
    """A receive that nothing else can have taken: it reports, has no entry, and its buffer is as it was."""
    silent = (recv for recv in recvs if not calls.reports(recv, scene.end(recv.name)))
    if not message.size and any(accepts(scene, recv, message) for recv in silent):
        return None  # an empty message leaves no trace there
    for recv in recvs:
        if recv.name in arrivals.found or scene.errored(recv.name) or not accepts(scene, recv, message):
            continue
        if not calls.reports(recv, scene.end(recv.name)) or message.size > recv.size:
            continue
        if scene.end(recv.name).resource_mgmt != "ENABLED" and not scene.order.starts_after(
            scene.posted.get(recv.name), message.name
        ):
            continue  # without resource management a message that finds no receive may fail at its sender
        final = scene.contents.get((scene.node(recv.name), f"buffer:{recv.name}"))
        if final is not None and final.content != data.fill(recv.name, recv.size):
            continue  # something took it; the probe, perhaps
        if not any(other is not message and not other.size and accepts(scene, recv, other) for other in sends):
            return recv
    return None


# -- cut --------------------------------------------------------------------------------------------------------------


def _uncut(scene: Scene, arrival: Arrival, message: Send, ledger: Ledger) -> None:
    """A receive that reports success although its message is longer."""
    assert arrival.content is not None
    recv = arrival.recv
    if message.size <= recv.size or scene.wild(message) or not calls.reliable(scene.end(recv.name)):
        return
    if scene.payload(message)[: len(arrival.content)] != arrival.content:
        return
    let = [scene.say(message.name), scene.say(recv.name)]
    then = f"{message.name} has {message.size} bytes and {recv.name} room for {recv.size}: an error entry says so."
    ledger.broken(["OFI-RM-006"], let, then, f"However {recv.name} reports success.", [arrival.entry])


def _cut(scene: Scene, arrivals: Arrivals, recv: Recv, error: Failed, ledger: Ledger) -> None:
    """A receive that failed, perhaps because its message was too long."""
    place = scene.source(recv)
    long = [s for s in arrivals.sends.get(place, ()) if s.size > recv.size and accepts(scene, recv, s)]
    if not long:
        return
    ledger.kept("OFI-RM-006")
    final = scene.contents.get((place.node, f"buffer:{recv.name}"))
    if final is not None and final.before and final.after:
        ledger.kept("OFI-RM-008")
    sizes = {send.size - recv.size for send in long}
    let = [*(scene.say(send.name) for send in long[:3]), scene.say(recv.name)]
    if error.olen:
        then = f"{' or '.join(map(str, sorted(sizes)))} bytes did not fit into {recv.name}."
        if error.olen in sizes:
            ledger.kept("OFI-RM-007")
        else:
            ledger.broken(["OFI-RM-007"], let, then, f"However olen is {error.olen}.", [error])
    cut = [recv for recv in arrivals.recvs[place] if scene.errored(recv.name)]
    if len(long) == 1 and len(cut) == 1:
        again = [a for a in arrivals.found.values() if a.entry is not None and a.message is long[0] and a.tidy]
        if again:
            then = f"{long[0].name} was reported as cut in {recv.name}, and is gone."
            however = f"However {again[0].recv.name} holds it."
            ledger.broken(["OFI-RM-009"], let, then, however, [error, again[0].entry])
        elif scene.history.finished:
            ledger.kept("OFI-RM-009")
