# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Bytes that may not be there: whose they are, and which promise they break.

Self-identifying bytes name their writer. In this order: an overwritten or later update (the promise that orders it), a
source buffer scribbled over after it was given back, an operation that was refused, a buffer never filled, a byte that
belongs elsewhere, and, if nothing fits, damage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import data
from ..program import Atomic, Read, Region, Send, Write
from . import calls
from .arrivals import _ranges
from .scene import Scene, places

if TYPE_CHECKING:
    from .ledger import Ledger
    from .memory import Glance, Piece, Verdict
    from .visibility import Reason

_NEAR = 3
"""So many bytes of an update in a row, displaced, are no accident."""


def given_back(scene: Scene, step: Write) -> list[str]:
    """The requirements by which a write's source buffer was given back before it was overwritten."""
    if not calls.gives_back_at_once(step, scene.end(step.name)):
        return ["OFI-CMP-001"]
    return ["OFI-CMP-017", "OFI-RMA-016"] if step.form.value == "inject" else ["OFI-CMP-018"]


def outside(scene: Scene, node: str) -> list[str]:
    """The requirements that keep bytes of a node that nobody addresses."""
    ids: list[str] = []
    for step in scene.operations:
        target = scene.target(step)
        if isinstance(step, Send) or target is None or target.node != node or not scene.accepted(step.name):
            continue
        name = "OFI-RMA-002" if isinstance(step, Write) else "OFI-RMA-005"
        if isinstance(step, Atomic):
            name = "OFI-ATM-015"
        if name not in ids:
            ids.append(name)
    return ids


def explain(
    scene: Scene,
    region: Region,
    glance: Glance,
    run: tuple[int, int],
    seen: bytes,
    start: bytes,
    verdict: Verdict,
    wrong: list[int],
    ledger: Ledger,
) -> None:
    """Report one run of bytes, of which those at ``wrong`` are no candidate's."""
    where = f"bytes {_ranges([run[0] + at for at in wrong])} of {region.node}.{region.name}"
    bad = _Bad(scene, region, glance, run, seen, start, verdict, wrong, where, ledger)
    for cause in (bad.overwritten, bad.future, bad.scribbled, bad.refused, bad.updated, bad.unfilled, bad.displaced):
        if cause():
            return
    bad.damaged()


class _Bad:
    """One run of wrong bytes and the causes it may have; each method reports and returns True, or returns False."""

    def __init__(
        self,
        scene: Scene,
        region: Region,
        glance: Glance,
        run: tuple[int, int],
        seen: bytes,
        start: bytes,
        verdict: Verdict,
        wrong: list[int],
        where: str,
        ledger: Ledger,
    ) -> None:
        self.scene = scene
        self.region = region
        self.glance = glance
        self.run = run
        self.seen = seen
        self.start = start
        self.verdict = verdict
        self.wrong = wrong
        self.where = where
        self.ledger = ledger
        self.look = glance.look
        self.events = list(glance.events)

    def _let(self, *pieces: Piece | None) -> list[str]:
        names = [piece.update.name for piece in pieces if piece is not None]
        if self.look.kind != "final":
            names.append(self.look.name)
        return [self.scene.say(name) for name in dict.fromkeys(names)]

    def _is(self, content: bytes | None) -> bool:
        return content is not None and all(self.seen[at] == content[at] for at in self.wrong)

    def overwritten(self) -> bool:
        """The bytes of something, or of several things, that are certainly older than what must be seen."""
        left, causes = set(self.wrong), []
        for cause in self.verdict.hidden:
            content = self.start if cause[0] is None else cause[0].at(*self.run)
            mine = {at for at in left if content is not None and content[at] == self.seen[at]}
            if mine:
                causes.append(cause)
                left -= mine
        if left or not causes:
            return False
        for older, newer, direct, shown in causes:
            old = "the initial content" if older is None else older.update.name
            reasons: list[Reason] = shown
            then = f"{self.look.name} comes after {newer.update.name}: {'; '.join(r.words for r in shown)}."
            if direct is not None and older is not None:
                then += f" {newer.update.name} comes after {old}: {direct.words}."
                if direct.ordering:
                    reasons = self._late_or_lost(newer, older, shown, direct)
            elif older is not None:
                then += f" {newer.update.name} comes after {old}."
            ids = [name for reason in reasons for name in reason.ids]
            if not ids and direct is not None:
                ids = list(direct.ids)
            if not ids and self.look.rest:
                ids = ["OFI-RMA-001"] if isinstance(newer.update, Write) else []
            if not ids:  # a store of the target's own processor: nothing but the provider can have undone it
                ids = ["OFI-RMA-003"] if self.look.kind == "read" else outside(self.scene, self.region.node)
            if older is None and isinstance(newer.update, Write) and self._never(newer):
                ids.append("OFI-RMA-001")
            events = [*self.events, self.scene.posted.get(newer.update.name)]
            events.extend(self.scene.completed.get(newer.update.name, ()))
            however = f"However {self.look.name} saw {old} in {self.where}: a contradiction."
            self.ledger.broken(dict.fromkeys(ids), self._let(older, newer), then, however, events)
        return True

    def _late_or_lost(self, newer: Piece, older: Piece, shown: list[Reason], direct: Reason) -> list[Reason]:
        """Whether the newer bytes came too late or were overwritten by older ones, as far as the end tells."""
        final = self.scene.contents.get((self.region.node, f"region:{self.region.name}"))
        if final is None or self.look.kind == "final":
            return [direct]
        there = [final.content[self.run[0] + at] for at in self.wrong]
        new, old = newer.at(*self.run), older.at(*self.run)
        if new is not None and there == [new[at] for at in self.wrong]:
            return shown
        if old is not None and there == [old[at] for at in self.wrong]:
            return [direct]
        return [*shown, direct]

    def _never(self, newer: Piece) -> bool:
        """The bytes of an update are not there at the end either: it did not just come late."""
        final = self.scene.contents.get((self.region.node, f"region:{self.region.name}"))
        wanted = newer.at(*self.run)
        if final is None or wanted is None:
            return False
        there = final.content[self.run[0] : self.run[1]]
        return all(there[at] == self.start[at] != wanted[at] for at in self.wrong)

    def future(self) -> bool:
        """The bytes of something that certainly comes later."""
        for piece, reason in self.verdict.future:
            if self._is(piece.at(*self.run)):
                then = f"{self.look.name} comes before {piece.update.name}: {reason.words}."
                however = f"However {self.look.name} saw {piece.update.name} in {self.where}: a contradiction."
                events = [*self.events, self.scene.posted.get(piece.update.name)]
                self.ledger.broken(reason.ids or ("OFI-RMA-003",), self._let(piece), then, however, events)
                return True
        return False

    def scribbled(self) -> bool:
        """What the application wrote over a source buffer that it had been given back."""
        pieces = [*self.verdict.allowed, *(piece for piece, _, _, _ in self.verdict.hidden if piece is not None)]
        for piece in pieces:
            step, content = piece.update, piece.at(*self.run)
            if content is None or step.name not in self.scene.reuses or not isinstance(step, Write):
                continue
            new = data.scribble(content)
            if any(self.seen[at] == new[at] for at in self.wrong):
                then = f"The source buffer of {step.name} was the application's again when it was overwritten."
                however = f"However {self.look.name} saw the new bytes in {self.where}."
                events = [*self.events, self.scene.reuses[step.name][0][1]]
                self.ledger.broken(given_back(self.scene, step), self._let(piece), then, however, events)
                return True
        return False

    def refused(self) -> bool:
        """The bytes of an operation that was refused."""
        scene = self.scene
        for step in scene.operations:
            if not isinstance(step, Write) or step.target[0].node != self.region.node:
                continue
            posted = scene.posted.get(step.name)
            breach = scene.breach(step)
            if posted is None or (posted.code == 0 and breach is None):
                continue
            content, done = scene.payload(step), 0
            for place in step.target:
                part = content[done : done + place.size]
                done += place.size
                if place.region == self.region.name and self._part(part, place.offset):
                    ids, then = ["OFI-RM-002"], f"{step.name} was refused by the call, so it changes nothing."
                    if breach is not None:
                        ids, then = self._not_permitted(step, breach, "OFI-MR-013")
                    if scene.beyond(step):
                        ids = ["OFI-MR-014"]
                    however = f"However {self.look.name} saw it in {self.where}."
                    self.ledger.broken(ids, [scene.say(step.name), *self._let()], then, however, self.events)
                    return True
        return False

    def _not_permitted(self, step: Write | Atomic, breach: tuple[str, ...], still: str) -> tuple[list[str], str]:
        """What an access broke that changed memory: ``still`` if it was refused, or what says that it fails."""
        if self.scene.errored(step.name) or self.scene.posted[step.name].code:
            return [still], f"{step.name} was refused, so it changes nothing."
        return list(breach), f"{step.name} is not permitted, so it fails and changes nothing."

    def _part(self, content: bytes, offset: int) -> bool:
        """Whether the wrong bytes are those of a stretch placed at ``offset`` of the region."""
        at = [self.run[0] + place - offset for place in self.wrong]
        return all(0 <= a < len(content) and content[a] == self.seen[w] for a, w in zip(at, self.wrong, strict=True))

    def updated(self) -> bool:
        """Elements that only an atomic operation addressed that was refused."""
        scene, run = self.scene, (self.run[0] + self.wrong[0], self.run[0] + self.wrong[-1] + 1)
        for step in scene.operations:
            if not isinstance(step, Atomic) or step.name not in scene.posted or scene.breach(step) is None:
                continue
            place = step.target
            here = (place.node, place.region) == (self.region.node, self.region.name)
            if here and not scene.beyond(step) and place.offset <= run[0] and run[1] <= place.offset + place.size:
                ids, then = self._not_permitted(step, scene.breach(step) or (), "OFI-MR-033")
                however = f"However {self.look.name} found {self.where} changed."
                self.ledger.broken(ids, [scene.say(step.name), *self._let()], then, however, self.events)
                return True
        return False

    def unfilled(self) -> bool:
        """A read's buffer as it was before the read."""
        if not isinstance(self.look.step, Read):
            return False
        fill = data.fill(self.look.name, self.look.step.size)
        done = self._local()
        if done is None or not all(self.seen[at] == fill[done + at] for at in self.wrong):
            return False
        then = f"{self.look.name} completed, so its buffer holds all bytes read."
        however = f"However the bytes for {self.where} were still as before it was posted."
        self.ledger.broken(["OFI-RMA-004"], self._let(), then, however, self.events)
        return True

    def _local(self) -> int | None:
        """Where the run begins in the local buffer of the read."""
        assert isinstance(self.look.step, Read)
        done = 0
        for place in self.look.step.target:
            same = (place.node, place.region) == (self.region.node, self.region.name)
            if same and place.offset == self.glance.first and place.size >= self.glance.end - self.glance.first:
                return done + self.run[0] - place.offset
            done += place.size
        return None

    def displaced(self) -> bool:
        """Bytes of some update that belong to another place."""
        needle = bytes(self.seen[at] for at in self.wrong)
        if len(needle) < _NEAR or self.wrong[-1] - self.wrong[0] + 1 != len(needle):
            return False
        for step in self.scene.operations:
            if not isinstance(step, Write) or not self.scene.maybe(step.name):
                continue
            if needle not in self.scene.payload(step) or len(set(needle)) == 1:
                continue
            ids = ["OFI-RMA-001"] if self.verdict.allowed else ["OFI-RMA-002"]
            if self.scene.breach(step) is not None:
                region = (self.region.node, self.region.name)
                other = region not in {(place.node, place.region) for place in places(step)}
                ids = ["OFI-MR-031", "OFI-MR-014"] if other else ["OFI-MR-014"]
            elif self.look.kind == "read":
                ids = ["OFI-RMA-003"]
            then = self._then()
            however = f"However {self.look.name} found bytes of {step.name} that belong elsewhere in {self.where}."
            let = [self.scene.say(step.name), *self._let(*self.verdict.allowed)]
            self.ledger.broken(ids, list(dict.fromkeys(let)), then, however, self.events)
            return True
        return False

    def _then(self) -> str:
        names = [piece.update.name for piece in self.verdict.allowed]
        if self.verdict.initial:
            names.append("the initial content")
        return f"{self.where[0].upper()}{self.where[1:]} hold {' or '.join(names)}."

    def damaged(self) -> None:
        """Nothing explains the bytes."""
        writes = [piece for piece in self.verdict.allowed if isinstance(piece.update, Write)]
        if self.look.kind == "read":
            ids = ["OFI-RMA-003"]
        elif writes:
            several = len(writes) + len(self.verdict.hidden) > 1 and len(writes) > 1
            ids = ["OFI-RMA-012"] if several else ["OFI-RMA-001"]
        else:
            ids = outside(self.scene, self.region.node)[:1] or ["OFI-RMA-002"]
        first = self.wrong[0]
        good = [piece.at(*self.run) for piece in self.verdict.allowed] + [self.start] * self.verdict.initial
        wanted = " or ".join(sorted({f"{content[first]:#04x}" for content in good if content is not None}))
        place = f"byte {self.run[0] + first} is {self.seen[first]:#04x}, not {wanted}"
        however = f"However {self.look.name} found {self.where} wrong: {place}."
        self.ledger.broken(ids, self._let(*self.verdict.allowed), self._then(), however, self.events)
