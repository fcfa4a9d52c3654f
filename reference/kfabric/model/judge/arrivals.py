# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Which message is in which receive, told from bytes alone: every byte of a message names its sender.

Decides OFI-MSG-002, 004, 006, 008, 023, OFI-CMP-007 and the reuse of message buffers (OFI-CMP-001, 017, 018). Knows
nothing about order: ``matching`` asks whether what is found here can have come about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from .. import data
from ..history import Completed
from ..program import EndpointRef, Recv, Send
from . import calls
from .ledger import Ledger
from .scene import Scene


@dataclass(slots=True)
class Arrival:
    """A receive that holds a message: by its entry, or (``entry`` None) by its buffer at the end."""

    recv: Recv
    entry: Completed | None
    content: bytes | None
    candidates: list[Send]
    """Messages that it may be, likeliest first; one if certain."""
    tidy: bool = True
    """The bytes are a message's, with nothing behind them."""

    @property
    def message(self) -> Send | None:
        """The message, where it is certain."""
        return self.candidates[0] if len(self.candidates) == 1 else None


def accepts(scene: Scene, recv: Recv, message: Send) -> bool:
    """Whether a receive may take a message: class, tag, and source where that counts."""
    if recv.tag is None or message.tag is None:
        if recv.tag is not message.tag:
            return False
    elif (recv.tag ^ message.tag) & ~recv.ignore:
        return False
    return recv.source is None or not directed(scene, recv) or recv.source == scene.source(message)


def directed(scene: Scene, recv: Recv) -> bool:
    """Whether the source that a receive names is more than a hint."""
    end = scene.end(recv.name)
    return "DIRECTED_RECV" in end.caps or end.ep_type == "MSG"


class Arrivals:
    """All arrivals of a History, with the receives that took nothing."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.sends: dict[EndpointRef, list[Send]] = {}
        self.recvs: dict[EndpointRef, list[Recv]] = {}
        for step in scene.operations:
            if isinstance(step, Send) and scene.maybe(step.name):
                self.sends.setdefault(step.to, []).append(step)
            elif isinstance(step, Recv) and scene.accepted(step.name):
                self.recvs.setdefault(scene.source(step), []).append(step)
        self._index: dict[EndpointRef, dict[int, dict[bytes, list[Send]]]] = {}
        self._wild: dict[EndpointRef, list[Send]] = {}
        for place, sends in self.sends.items():
            index = self._index.setdefault(place, {})
            for send in sends:
                if scene.wild(send):
                    self._wild.setdefault(place, []).append(send)
                else:
                    index.setdefault(send.size, {}).setdefault(scene.payload(send), []).append(send)
        self.found: dict[str, Arrival] = {}
        for place, recvs in self.recvs.items():
            for recv in recvs:
                arrival = self._identify(place, recv)
                if arrival is not None:
                    self.found[recv.name] = arrival

    def _identify(self, place: EndpointRef, recv: Recv) -> Arrival | None:
        scene = self.scene
        entry = scene.succeeded(recv.name)
        observed = scene.observed.get(recv.name)
        final = scene.contents.get((place.node, f"buffer:{recv.name}"))
        if entry is None:
            if scene.errored(recv.name) or final is None:
                return None
            silent = self._matching(place, recv, None, final.content)
            fill = data.fill(recv.name, recv.size)
            certain = [send for send in silent if send.size and final.content != fill]
            return Arrival(recv, None, final.content, certain[:1]) if len(certain) == 1 else None
        content = observed.content if observed is not None else final.content if final is not None else None
        candidates = self._matching(place, recv, entry, content)
        arrival = Arrival(recv, entry, content, candidates, tidy=bool(candidates) and content is not None)
        if not candidates:
            arrival.candidates = self._guess(place, recv, entry, content)
        return arrival

    def _matching(self, place: EndpointRef, recv: Recv, entry: Completed | None, content: bytes | None) -> list[Send]:
        """Messages whose bytes the buffer begins with, narrowed by what else is known as far as it helps."""
        sizes = self._index.get(place, {})
        if content is None:
            length = entry.len if entry is not None else None
            found = [send for send in self.sends.get(place, ()) if length is None or send.size == length]
            return self._narrow(recv, entry, found)
        fill = data.fill(recv.name, recv.size)
        exact: list[Send] = []
        loose: list[Send] = []
        for size, payloads in sizes.items():
            if size > len(content):
                continue
            sends = payloads.get(content[:size])
            if sends:
                (exact if content[size:] == fill[size : len(content)] else loose).extend(sends)
        exact.extend(self._torn(place, content))
        length = entry.len if entry is not None else None
        found = exact
        if length is not None and not any(send.size == length for send in exact):
            found = [send for send in loose if send.size == length]
            if not found and not any(send.size == length for send in self.sends.get(place, ())):
                found = exact
            elif not found:  # an untouched buffer is no empty message if one of that length is awaited
                found = [send for send in exact if send.size]
        elif not exact:
            found = [send for send in loose if send.size]
        return self._narrow(recv, entry, found)

    def _torn(self, place: EndpointRef, content: bytes) -> Iterator[Send]:
        """Messages whose source buffer was overwritten too early, and whose old and new bytes these may be."""
        for send in self._wild.get(place, ()):
            old = self.scene.payload(send)
            new = data.scribble(old)
            if len(old) <= len(content) and all(c in (a, b) for a, b, c in zip(old, new, content, strict=False)):
                yield send

    def _narrow(self, recv: Recv, entry: Completed | None, found: list[Send]) -> list[Send]:
        if len(found) < 2:
            return found
        tests: list[Callable[[Send], bool]] = [
            lambda send: (send.tag is None) == (recv.tag is None),
            lambda send: accepts(self.scene, recv, send),
        ]
        if entry is None:
            largest = max(send.size for send in found)
            tests.append(lambda send: send.size == largest)
        else:
            length, tag, source, value = entry.len, entry.tag, entry.source, entry.data
            tests.append(lambda send: length is None or send.size == length)
            tests.append(lambda send: tag is None or recv.tag is None or send.tag == tag)
            tests.append(lambda send: source is None or self.scene.source(send) == source)
            tests.append(lambda send: value is None or send.data is None or self.same_data(recv, send, value))
        for test in tests:
            found = [send for send in found if test(send)] or found
        return found

    def same_data(self, recv: Recv, send: Send, value: int) -> bool:
        """Whether remote CQ data is that of a message, as far as it is transferred."""
        assert send.data is not None
        size = self.scene.end(recv.name).cq_data_size or 8
        return (send.data ^ value) & ((1 << (8 * min(size, 8))) - 1) == 0

    def _guess(self, place: EndpointRef, recv: Recv, entry: Completed, content: bytes | None) -> list[Send]:
        """For bytes that are no message's: the message that it was most likely meant to be."""
        sends = self._narrow(recv, entry, list(self.sends.get(place, ())))
        if content is None or len(sends) < 2:
            return sends
        score = {send.name: _agreeing(self.scene.payload(send), content) for send in sends}
        best = max(score.values())
        return [send for send in sends if score[send.name] == best][:1] if best else sends


def _agreeing(payload: bytes, content: bytes) -> int:
    return sum(a == b for a, b in zip(payload, content, strict=False))


# -- rules ------------------------------------------------------------------------------------------------------------


def judge_contents(scene: Scene, arrivals: Arrivals, ledger: Ledger) -> None:
    """Every receive that completed holds the bytes of one message."""
    for arrival in arrivals.found.values():
        if arrival.entry is None:
            continue
        if arrival.tidy:
            _kept(scene, arrival, ledger)
        elif arrival.content is not None:
            _broken(scene, arrivals, arrival, ledger)


def _kept(scene: Scene, arrival: Arrival, ledger: Ledger) -> None:
    message = arrival.candidates[0]
    end = scene.end(arrival.recv.name)
    if not calls.reliable(end):
        ledger.kept("OFI-MSG-023")
    ledger.kept("OFI-MSG-002", "OFI-MSG-008", "OFI-CMP-007")
    if message.size:
        ledger.kept("OFI-MSG-006", "OFI-MSG-010")
    else:
        ledger.kept("OFI-MSG-009", "OFI-MSG-010")
    if len(message.iov) > 1 or len(arrival.recv.iov) > 1:
        ledger.kept("OFI-MSG-011")
    for reuse, _ in scene.reuses.get(message.name, ()):
        if scene.steps[reuse.name] is reuse and arrival.message is not None and message.size:
            ledger.kept(*given_back(scene, message))
    length = arrival.entry.len if arrival.entry is not None else None
    assert arrival.content is not None
    size = message.size if length is None else min(length, message.size)
    fill = data.fill(arrival.recv.name, arrival.recv.size)
    if arrival.content[size:] == fill[size : len(arrival.content)]:
        if size < arrival.recv.size:
            ledger.kept("OFI-MSG-004")
        return
    extra = arrival.content[message.size :] != fill[message.size : len(arrival.content)]
    told = f"{length} bytes" if length is not None else f"a message of {message.size} bytes"
    what = "bytes behind them changed too" if extra else f"{message.size} bytes were placed"
    ledger.broken(
        ["OFI-MSG-004"],
        [scene.say(message.name), scene.say(arrival.recv.name)],
        f"{arrival.recv.name} reports {told}, so the rest of its {arrival.recv.size}-byte buffer is as it was.",
        f"However {what}.",
        [arrival.entry, scene.observed.get(arrival.recv.name)],
    )


def given_back(scene: Scene, step: Send) -> list[str]:
    """The requirements by which a message's source buffer was given back before it was overwritten."""
    if not calls.gives_back_at_once(step, scene.end(step.name)):
        return ["OFI-CMP-001"]
    return ["OFI-CMP-017"] if step.form.value == "inject" else ["OFI-CMP-018"]


def _elsewhere(scene: Scene, recv: Recv, content: bytes) -> Send | None:
    """A message to another endpoint whose bytes these are."""
    here = scene.source(recv)
    for step in scene.operations:
        if isinstance(step, Send) and step.size and step.to != here and not scene.wild(step):
            payload = scene.payload(step)
            if len(payload) <= len(content) and content.startswith(payload):
                return step
    return None


def _refused(scene: Scene, recv: Recv, content: bytes) -> Send | None:
    """A message whose send call returned an error."""
    here = scene.source(recv)
    for step in scene.operations:
        if not isinstance(step, Send) or step.to != here or not step.size or step.name not in scene.posted:
            continue
        if scene.posted[step.name].code and content.startswith(scene.payload(step)):
            return step
    return None


def _broken(scene: Scene, arrivals: Arrivals, arrival: Arrival, ledger: Ledger) -> None:
    """Say what is wrong with the bytes of a receive that reported success."""
    recv, content = arrival.recv, arrival.content
    assert content is not None
    place = scene.source(recv)
    events = [arrival.entry, scene.observed.get(recv.name)]
    if any(scene.wild(send) for send in arrivals.sends.get(place, ())):
        ledger.open(["OFI-MSG-002"], [], "", "A source buffer was reused too early: content is open.", events)
        return
    stranger = _elsewhere(scene, recv, content)
    if stranger is not None:
        then = f"{stranger.name} goes to {stranger.to}."
        however = f"However {recv.name} at {place} holds its bytes."
        ledger.broken(["OFI-MSG-008"], [scene.say(stranger.name), scene.say(recv.name)], then, however, events)
        return
    refused = _refused(scene, recv, content)
    if refused is not None:
        then = f"The call that posts {refused.name} returned an error, so nothing of it is transferred."
        however = f"However {recv.name} holds its bytes."
        ledger.broken(["OFI-RM-002"], [scene.say(refused.name), scene.say(recv.name)], then, however, events)
        return
    if not arrival.candidates:
        name = "OFI-MSG-001" if calls.reliable(scene.end(recv.name)) else "OFI-MSG-023"
        then = f"{recv.name} completes with a message that somebody sent to {place}."
        ledger.broken([name], [scene.say(recv.name)], then, "However nobody sent one.", events)
        return
    message = arrival.candidates[0]
    payload = scene.payload(message)[: len(content)]
    wrong = [at for at, byte in enumerate(payload) if byte != content[at]]
    let = [scene.say(message.name), scene.say(recv.name)]
    then = f"{recv.name} completed, so its buffer holds the {message.size} bytes of {message.name}."
    if not wrong:  # longer than the buffer: ``truncation`` has the word
        return
    where = _ranges(wrong)
    fill = data.fill(recv.name, recv.size)
    scribbled = data.scribble(payload)
    if message.name in scene.reuses and any(content[at] == scribbled[at] for at in wrong):
        however = f"However bytes {where} are what was written over the source buffer after it was given back."
        ledger.broken(given_back(scene, message), let, then, however, [*events, scene.reuses[message.name][0][1]])
        return
    if all(content[at] == fill[at] for at in wrong):
        however = f"However bytes {where} were still as before the receive was posted."
        ledger.broken(["OFI-CMP-007"], let, then, however, events)
        return
    other = _mixed(scene, arrivals.sends.get(place, ()), message, content, wrong)
    if other is not None:
        however = f"However bytes {where} are those of {other.name}."
        ledger.broken(["OFI-MSG-006"], [*let, scene.say(other.name)], then, however, events)
        return
    ids = ["OFI-MSG-002"] if calls.reliable(scene.end(recv.name)) else ["OFI-MSG-002", "OFI-MSG-023"]
    first = wrong[0]
    however = f"However bytes {where} are wrong: byte {first} is {content[first]:#04x}, not {payload[first]:#04x}."
    ledger.broken(ids, let, then, however, events)


def _mixed(scene: Scene, sends: Iterable[Send], message: Send, content: bytes, wrong: list[int]) -> Send | None:
    for other in sends:
        if other is not message and other.size > wrong[-1] and len(wrong) > 1:
            payload = scene.payload(other)
            if all(content[at] == payload[at] for at in wrong):
                return other
    return None


def _ranges(places: list[int]) -> str:
    """Byte positions as ``0-3, 7``."""
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][1] + 1:
            runs[-1][1] = place
        else:
            runs.append([place, place])
    words = [f"{a}" if a == b else f"{a}-{b}" for a, b in runs[:4]]
    return ", ".join(words) + (" ..." if len(runs) > 4 else "")
