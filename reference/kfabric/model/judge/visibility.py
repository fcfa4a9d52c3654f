# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""When an update of memory is certainly seen, and which of two comes certainly later.

An update (write, atomic, store) is *shown* to a look at memory (load, read, final content) if something promised says
so: a completion of delivery level (OFI-CMP-004/005/006), the target's own notice of it (OFI-CMP-008), the notice of a
later operation that is ordered or fenced behind it (OFI-ORD-008..011, 014, 015, OFI-ATM-020/021), or order between the
two operations (OFI-ORD-003, 012). Where nothing says so it is seen or not: nobody is wrong. No rule here knows bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ..history import Completed
from ..program import Atomic, Operation, Read, Send, Store, Write
from . import calls
from .calls import Level
from .order import Point
from .scene import Channel, Scene, places

Update = Write | Atomic | Store


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something certainly is so: the promise in words, its requirements, the point from which it holds."""

    words: str
    ids: tuple[str, ...] = ()
    point: Point | None = None
    ordering: bool = False
    """By order or fence between two operations of one channel, not by a notice."""


@dataclass(frozen=True, slots=True)
class Look:
    """Something that saw bytes: by the name of a load or read, or ``final`` of a node."""

    name: str
    kind: str
    """``load``, ``read`` or ``final``."""
    node: str
    """Where the application is that looks."""
    begin: Point
    step: Read | None = None
    rest: bool = False
    """Taken when everything has come to rest: every update is there."""


class Visibility:
    """Asked pair by pair; answers are kept."""

    def __init__(self, scene: Scene, notices: dict[str, Completed]) -> None:
        self.scene = scene
        self.notices = notices
        """Target completions: of a message by its receive's entry, of a write with remote data by its own."""
        self._shown: dict[str, list[Reason]] = {}
        self._older: dict[tuple[str, str], Reason | None] = {}

    @cached_property
    def channels(self) -> dict[Channel, list[Operation]]:
        """Operations by channel, in order of posting as far as there is one."""
        result: dict[Channel, list[Operation]] = {}
        for step in self.scene.operations:
            channel = self.scene.channel(step)
            if channel is not None and self.scene.accepted(step.name):
                result.setdefault(channel, []).append(step)
        return result

    @cached_property
    def fences(self) -> dict[Channel, list[Operation]]:
        """Fenced operations by channel."""
        return {
            channel: [step for step in steps if calls.fenced(step, self.scene.end(step.name))]
            for channel, steps in self.channels.items()
        }

    @cached_property
    def noticed(self) -> dict[Channel, list[Operation]]:
        """Operations by channel whose notice at the target was seen."""
        return {
            channel: [step for step in steps if step.name in self.notices] for channel, steps in self.channels.items()
        }

    # -- from which points on everybody sees an update ---------------------------------------------------------------

    def shown_from(self, update: Update) -> list[Reason]:
        """Notices after which the update is seen by whoever looks at the target."""
        reasons = self._shown.get(update.name)
        if reasons is None:
            reasons = self._shown[update.name] = list(self._notices(update))
        return reasons

    def _notices(self, update: Update) -> list[Reason]:
        scene = self.scene
        if isinstance(update, Store):
            did = scene.did.get(update.name)
            words = f"{update.name} was stored by the processor"
            return [] if did is None else [Reason(words, (), scene.order.point(did))]
        if scene.errored(update.name) or not scene.accepted(update.name) or scene.breach(update) is not None:
            return []
        end = scene.end(update.name)
        if not calls.reliable(end):
            return self._own_notice(update)
        reasons = self._own_notice(update)
        level = calls.level(update, end)
        if level >= Level.DELIVERY:
            ids: tuple[str, ...] = ("OFI-CMP-006",) if isinstance(update, Atomic) else ("OFI-CMP-004",)
            if level is Level.COMMIT and isinstance(update, Write):
                ids = ("FPM-CMP-001", "FPM-CMP-004") if calls.by_default(update) else ("FPM-CMP-001",)
            elif calls.by_default(update):
                ids = (*ids, "OFI-CMP-022")
            words = f"{update.name} completed with {level.name}_COMPLETE"
            if not calls.reports(update, end):
                ids, words = ("OFI-CMP-023",), f"{update.name} was counted, and its level is {level.name}_COMPLETE"
            reasons.extend(Reason(words, ids, point) for point in scene.known_done(update.name))
        channel = scene.channel(update)
        assert channel is not None
        reasons.extend(self._behind_fences(update, channel))
        reasons.extend(self._behind_order(update, channel))
        return reasons

    def _own_notice(self, update: Write | Atomic) -> list[Reason]:
        notice = self.notices.get(update.name)
        if notice is None:
            return []
        committed = calls.level(update, self.scene.end(update.name)) is Level.COMMIT
        ids = ("OFI-CMP-008", "FPM-CMP-003") if committed else ("OFI-CMP-008",)
        words = f"the target saw the completion of {update.name}"
        return [Reason(words, ids, self.scene.order.point(notice))]

    def _behind_fences(self, update: Write | Atomic, channel: Channel) -> list[Reason]:
        scene = self.scene
        reasons: list[Reason] = []
        for fence in self.fences[channel]:
            if not scene.later(update, fence) or scene.errored(fence.name):
                continue
            level = calls.level(fence, scene.end(fence.name))
            if level >= Level.DELIVERY:
                committed = level is Level.COMMIT and isinstance(fence, Write)
                ids = ("OFI-ORD-014", "FPM-CMP-006") if committed else ("OFI-ORD-014",)
                words = f"{fence.name} behind it, with FI_FENCE and {level.name}_COMPLETE, completed"
                reasons.extend(Reason(words, ids, point) for point in scene.known_done(fence.name))
            for notice in self.noticed[channel]:
                if notice is not fence and not scene.later(fence, notice):
                    continue
                point = scene.order.point(self.notices[notice.name])
                words = f"{fence.name} is fenced behind it, and the target saw the completion of {notice.name}"
                if level >= Level.DELIVERY and isinstance(update, Write):
                    reasons.append(Reason(words, ("OFI-ORD-015",), point))
                elif notice is fence and isinstance(update, Atomic):
                    reasons.append(Reason(words, ("OFI-ATM-021",), point))
        return reasons

    def _behind_order(self, update: Write | Atomic, channel: Channel) -> list[Reason]:
        scene = self.scene
        reasons: list[Reason] = []
        orders = scene.orders(update)
        done = scene.known_done(update.name)
        level = calls.level(update, scene.end(update.name))
        for notice in self.noticed[channel]:
            point = scene.order.point(self.notices[notice.name])
            words = f"the target saw the completion of {notice.name}, posted behind {update.name}"
            if scene.later(update, notice):
                if isinstance(notice, Send) and "SAW" in orders and calls.writes(update):
                    ids = ("OFI-ORD-009",) if isinstance(update, Atomic) else ("OFI-ORD-008",)
                    reasons.append(Reason(f"msg_order SAW at both ends, and {words}", ids, point))
                elif isinstance(notice, Write) and isinstance(update, Write) and orders & {"WAW", "RMA_WAW"}:
                    reasons.append(Reason(f"msg_order WAW at both ends, and {words}", ("OFI-ORD-010",), point))
            begin = scene.order.begin(notice.name)
            if any(scene.order.before(at, begin) for at in done):
                told = f"{update.name} was complete before {notice.name} was posted, whose completion the target saw"
                if isinstance(update, Atomic):
                    reasons.append(Reason(told, ("OFI-ATM-020",), point))
                elif level >= Level.DELIVERY:
                    reasons.append(Reason(told, ("OFI-ORD-011",), point))
        return reasons

    # -- pairs --------------------------------------------------------------------------------------------------------

    def fenced_apart(self, first: Operation, second: Operation, channel: Channel) -> str | None:
        """The fence between two operations of a channel, the second of which may be the fence itself."""
        for fence in self.fences.get(channel, ()):
            if not self.scene.later(first, fence):
                continue
            if fence is second or fence.name == second.name or self.scene.later(fence, second):
                return fence.name
        return None

    def same_channel(self, first: Update | Read, second: Update | Read) -> Channel | None:
        """The channel of both, if they share one."""
        if isinstance(first, Store) or isinstance(second, Store):
            return None
        channel = self.scene.channel(first)
        return channel if channel is not None and channel == self.scene.channel(second) else None

    def in_order(self, first: Write | Atomic | Read, second: Write | Atomic | Read) -> str | None:
        """Data order from ``first`` to ``second``, posted later on the same channel: the promise in words."""
        kinds = (calls.reads(second), calls.reads(first))
        name = {(True, False): "RAW", (False, True): "WAR", (False, False): "WAW"}.get(kinds)
        if name is None:
            return None
        orders = self.scene.orders(first)
        atomics = (isinstance(first, Atomic), isinstance(second, Atomic))
        bits = {name}
        if all(atomics):
            bits.add(f"ATOMIC_{name}")
        elif not any(atomics):
            bits.add(f"RMA_{name}")
        if not orders & bits:
            return None
        limit = self._limit(name, first)
        biggest = max(calls.size(first), calls.size(second))
        if limit != "any" and not biggest < int(limit):
            return None
        bit = min(orders & bits)
        return f"msg_order {bit} at both ends, max_order_{name.lower()}_size {limit}"

    def _limit(self, name: str, step: Operation) -> str:
        channel = self.scene.channel(step)
        assert channel is not None
        field = f"max_order_{name.lower()}_size"
        limits = [getattr(self.scene.guarantees.end(end.node), field) for end in channel]
        smallest = min(limits)
        return "any" if smallest >= (1 << 64) - 1 else str(smallest)

    def older(self, first: Update, second: Update) -> Reason | None:
        """Whether ``second`` certainly overwrites ``first`` where both touch a byte."""
        key = (first.name, second.name)
        if key not in self._older:
            self._older[key] = self._compute_older(first, second)
        return self._older[key]

    def _compute_older(self, first: Update, second: Update) -> Reason | None:
        scene = self.scene
        channel = self.same_channel(first, second)
        settled = isinstance(first, Store) or not (scene.errored(first.name) or scene.breach(first) is not None)
        if not settled:
            return None
        if channel is not None and scene.later(first, second):  # type: ignore[arg-type]  # a store has no channel
            reason = self._ordered(first, second, channel)  # type: ignore[arg-type]
            if reason is not None:
                return reason
        begin = scene.order.begin(second.name)
        for reason in self.shown_from(first):
            if reason.point is not None and scene.order.before(reason.point, begin):
                return reason
        return None

    def _ordered(self, first: Write | Atomic, second: Write | Atomic, channel: Channel) -> Reason | None:
        words = self.in_order(first, second)
        if words is not None and calls.writes(first) and calls.writes(second):
            return Reason(words, ("OFI-ORD-005",), ordering=True)
        fence = self.fenced_apart(first, second, channel)
        return Reason(f"the fence of {fence}", ("OFI-ORD-012",), ordering=True) if fence is not None else None

    def shown(self, update: Update, look: Look) -> list[Reason]:
        """Every reason why a look certainly sees the update, or something newer."""
        scene = self.scene
        if look.rest:
            return [Reason("everything has come to rest")]
        reasons = []
        for reason in self.shown_from(update):
            if reason.point is not None and scene.order.before(reason.point, look.begin):
                reasons.append(self._addressed(reason, update, look))
        if look.step is None or isinstance(update, Store):
            return reasons
        channel = self.same_channel(update, look.step)
        if channel is None or not scene.later(update, look.step) or not calls.reliable(scene.end(update.name)):
            return reasons
        if scene.errored(update.name) or scene.breach(update) is not None:
            return reasons
        words = self.in_order(update, look.step)
        if words is not None:
            reasons.append(Reason(words, ("OFI-ORD-003",), ordering=True))
        fence = self.fenced_apart(update, look.step, channel)
        if fence is not None:
            reasons.append(Reason(f"the fence of {fence}", ("OFI-ORD-012",), ordering=True))
        return reasons

    def _addressed(self, reason: Reason, update: Update, look: Look) -> Reason:
        """The same promise is one requirement for loads at the target and another for reads from a third node."""
        if look.kind != "read":
            return reason
        if isinstance(update, Store):
            return Reason(reason.words, ("OFI-RMA-003",), reason.point)
        if "OFI-CMP-004" in reason.ids:
            name = "OFI-CMP-005" if look.node != self.scene.node(update.name) else "OFI-RMA-003"
            ids = tuple(name if each == "OFI-CMP-004" else each for each in reason.ids)
            return Reason(reason.words, ids, reason.point)
        return reason

    def unseen(self, look: Look, update: Update) -> Reason | None:
        """Why a look certainly came before the update."""
        scene = self.scene
        if look.kind == "final":
            return None
        if look.kind == "load":
            seen = scene.observed.get(look.name)
            over = [] if seen is None else [scene.order.point(seen)]
        else:
            over = scene.known_done(look.name)
        begin = scene.order.begin(update.name)
        if any(scene.order.before(point, begin) for point in over):
            return Reason(f"{look.name} was over before {update.name} began")
        if look.step is not None and not isinstance(update, Store):
            channel = self.same_channel(look.step, update)
            if channel is not None and scene.later(look.step, update) and scene.accepted(look.name):
                words = self.in_order(look.step, update)
                if words is not None and not isinstance(update, Atomic):
                    return Reason(words, ("OFI-ORD-004",), ordering=True)
                fence = self.fenced_apart(look.step, update, channel)
                if fence is not None:
                    return Reason(f"the fence of {fence}", ("OFI-ORD-012",), ordering=True)
        return None


def touches(update: Update) -> tuple[tuple[str, str, int, int], ...]:
    """(node, region, first, end) of what an update writes."""
    spots = (update.place,) if isinstance(update, Store) else places(update)
    return tuple((spot.node, spot.region, spot.offset, spot.offset + spot.size) for spot in spots)
