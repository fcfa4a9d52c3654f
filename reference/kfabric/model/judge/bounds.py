# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What no operation may touch: guard bytes, source buffers, buffers after completion, targets of what was refused.

Decides OFI-MSG-003/005, OFI-RM-008, OFI-RMA-002/005/006/007, OFI-ATM-015/017, OFI-MR-005..016, OFI-CMP-020, the
acceptance of operations within the limits, and OFI-ORD-013.
"""

from __future__ import annotations

from .. import data
from ..guarantees import End
from ..history import Completed, Content, Event
from ..program import Atomic, Form, Operation, Read, Recv, Send, Write
from . import calls
from .arrivals import Arrivals
from .calls import Level
from .diagnosis import outside
from .ledger import Ledger
from .scene import Scene, places
from .visibility import Visibility

_NEAR = 4
"""So many bytes of target memory in a row, in the buffer of a refused read, are no accident."""
_REFUSALS = frozenset({11})
"""Codes of a call that say nothing about limits: try again."""


def judge_guards(scene: Scene, arrivals: Arrivals, ledger: Ledger) -> None:
    """Guard bytes and source buffers at the end."""
    for (node, what), event in scene.contents.items():
        kind, _, name = what.partition(":")
        if kind == "region":
            _region(scene, node, name, event, ledger)
            continue
        step = scene.steps.get(name)
        if not isinstance(step, Send | Recv | Write | Read | Atomic):
            continue
        if kind == "source":
            _source(scene, step, event, ledger)
        elif kind == "buffer":
            _buffer(scene, arrivals, step, event, ledger)


def _region(scene: Scene, node: str, name: str, event: Content, ledger: Ledger) -> None:
    ids = outside(scene, node)
    beyond = [
        step.name
        for step in scene.operations
        if isinstance(step, Write)
        and scene.beyond(step)
        and any((place.node, place.region) == (node, name) for place in places(step))
    ]
    if event.before and event.after:
        ledger.kept(*ids)
        if beyond:
            ledger.kept("OFI-MR-014")
        return
    side = "before" if not event.before else "behind"
    blamed = ["OFI-MR-014"] if beyond else ids[:1] or ["OFI-RMA-002"]
    let = [scene.say(step) for step in beyond]
    then = f"No operation changes bytes outside {node}.{name}."
    ledger.broken(blamed, let, then, f"However bytes {side} it changed.", [event])


def _source(scene: Scene, step: Operation, event: Content, ledger: Ledger) -> None:
    name = "OFI-MSG-005" if isinstance(step, Send) else "OFI-RMA-007" if isinstance(step, Write) else "OFI-ATM-017"
    if isinstance(step, Send | Write):
        wanted = scene.payload(step)
    elif isinstance(step, Atomic):
        wanted = data.operand(step)
    else:
        return
    for _ in scene.reuses.get(step.name, ()):
        wanted = data.scribble(wanted)
    if event.before and event.after and event.content == wanted:
        if scene.accepted(step.name):
            ledger.kept(name)
        return
    then = f"The provider only reads the source buffer of {step.name}."
    ledger.broken([name], [scene.say(step.name)], then, "However it or the bytes around it changed.", [event])


def _buffer(scene: Scene, arrivals: Arrivals, step: Operation, event: Content, ledger: Ledger) -> None:
    let = [scene.say(step.name)]
    if isinstance(step, Recv):
        ids = ["OFI-MSG-003"]
        place = scene.source(step)
        if any(send.size > step.size for send in arrivals.sends.get(place, ())):
            ids.append("OFI-RM-008")
    else:
        ids = ["OFI-RMA-006"]
    if not (event.before and event.after):
        side = "before" if not event.before else "behind"
        then = f"Nothing is written outside the {calls.size(step)} bytes of {step.name}."
        ledger.broken(ids, let, then, f"However bytes {side} its buffer changed.", [event])
        return
    if scene.accepted(step.name) and not isinstance(step, Atomic):
        ledger.kept(ids[0])
    seen = scene.observed.get(step.name)
    if seen is None or not scene.succeeded(step.name) or seen.content == event.content[: len(seen.content)]:
        return
    then = f"{step.name} completed, so its buffer is the application's and nobody changes it any more."
    however = "However it changed between the completion and the end."
    late = {"recv": "OFI-CMP-007", "read": "OFI-RMA-004"}.get(step.word, "OFI-ATM-016")
    ledger.broken([late], let, then, however, [seen, event, scene.succeeded(step.name)])


# -- protection -------------------------------------------------------------------------------------------------------


def judge_protection(scene: Scene, ledger: Ledger) -> None:
    """Accesses that must fail do; those that must not, do not."""
    for step in scene.operations:
        if isinstance(step, Send | Recv) or step.name not in scene.posted:
            continue
        broken = scene.breach(step)
        if broken is not None:
            _forbidden(scene, step, broken, ledger)
        elif not scene.disturbed and not scene.died:
            _permitted(scene, step, ledger)
        if isinstance(step, Write):
            _committed(scene, step, ledger)


def _committed(scene: Scene, step: Write, ledger: Ledger) -> None:
    """A commit to memory that is not persistent fails."""
    end = scene.end(step.name)
    regions = [scene.region(place) for place in step.target]
    volatile = any(region is not None and not region.persistent for region in regions)
    if calls.level(step, end) is not Level.COMMIT or not volatile or not calls.size(step):
        return
    posted, done = scene.posted[step.name], scene.completed.get(step.name, [])
    if (posted.code and posted.code not in _REFUSALS) or scene.errored(step.name):
        ledger.kept("FPM-CMP-007")
    elif done and scene.breach(step) is None:
        then = f"{step.name} is to be committed to memory that is not persistent, so it fails."
        however = "However its entry says that it succeeded."
        ledger.broken(["FPM-CMP-007"], [scene.say(step.name)], then, however, [posted, *done])


def _forbidden(scene: Scene, step: Write | Read | Atomic, ids: tuple[str, ...], ledger: Ledger) -> None:
    posted = scene.posted[step.name]
    done, failed = scene.completed.get(step.name, []), scene.failed.get(step.name, [])
    if posted.code and posted.code not in _REFUSALS:
        ledger.kept(*ids, "OFI-MR-012")
        _memory_kept(scene, step, ledger)
        return
    if failed:
        ledger.kept(*ids, "OFI-MR-012")
        _memory_kept(scene, step, ledger)
        _still_usable(scene, step, failed[0], ledger)
    elif done:
        let = [scene.say(step.name)]
        then = f"{step.name} is not permitted, so it fails, and its initiator is told."
        level = calls.level(step, scene.end(step.name))
        if level >= Level.DELIVERY or calls.reads(step):
            however = "However its entry says that it succeeded."
            ledger.broken([*ids, "OFI-MR-012"], let, then, however, [posted, *done])
        else:
            however = "However its entry says success, at a level that says nothing about the target."
            ledger.open([*ids, "OFI-MR-012"], let, then, however, [posted, *done])


def _memory_kept(scene: Scene, step: Write | Read | Atomic, ledger: Ledger) -> None:
    """The target of a refused update is judged byte by byte in ``memory``; the buffer of a refused read here."""
    if not isinstance(step, Read):
        seen = [scene.contents.get((place.node, f"region:{place.region}")) for place in places(step)]
        if any(event is not None for event in seen) and step.form is not Form.INJECT:
            if isinstance(step, Write):
                ledger.kept("OFI-MR-014" if scene.beyond(step) else "OFI-MR-013", "OFI-MR-031")
            elif not scene.beyond(step):
                ledger.kept("OFI-MR-033")
        return
    final = scene.contents.get((scene.node(step.name), f"buffer:{step.name}"))
    if final is None or scene.beyond(step):
        return
    done = 0
    for place in step.target:
        region = scene.region(place)
        mine = final.content[done : done + place.size]
        fill = data.fill(step.name, step.size)[done : done + place.size]
        done += place.size
        if region is None or place.offset < 0:
            continue
        there = data.initial(region)[place.offset : place.offset + place.size]
        same = [at for at, (a, b, c) in enumerate(zip(mine, there, fill, strict=False)) if a == b and a != c]
        # filling the buffer with one byte discloses nothing, wherever that byte may be found
        if len(same) >= _NEAR and len({there[at] for at in same}) > 1:
            then = f"{step.name} was refused, so none of the target's bytes come into its buffer."
            however = f"However {len(same)} of them did."
            ledger.broken(["OFI-MR-015"], [scene.say(step.name)], then, however, [final])
            return
    ledger.kept("OFI-MR-015")


def _still_usable(scene: Scene, step: Write | Read | Atomic, error: Event, ledger: Ledger) -> None:
    if not scene.closed(step, certainly=True):
        return
    for other in scene.operations:
        if isinstance(other, Recv) or scene.target(other) != scene.target(step) or not scene.succeeded(other.name):
            continue
        if scene.order.starts_after(error, other.name):
            ledger.kept("OFI-MR-016")
            return


def _permitted(scene: Scene, step: Write | Read | Atomic, ledger: Ledger) -> None:
    """An access that nothing speaks against succeeds."""
    posted = scene.posted[step.name]
    if isinstance(step, Atomic):
        ids = ["OFI-ATM-009"]
        valid = {(kind, op, kinds): count for kind, op, kinds, count in scene.end(step.name).atomics}
        if step.count > valid.get((step.kind.name.lower(), step.op, step.datatype), 0):
            return
    elif calls.size(step) == 0:
        ids = ["OFI-RMA-010"]
    else:
        ids = ["OFI-RMA-011"]
        if calls.size(step) > scene.end(step.name).max_msg_size:
            return
    failed = scene.failed.get(step.name)
    let = [scene.say(step.name)]
    if posted.code and posted.code not in _REFUSALS:
        however = f"However the call returned error {posted.code}."
        ledger.broken(ids, let, f"{step.name} is within what was promised, so it is carried out.", however, [posted])
    elif failed:
        however = f"However it failed with error {failed[0].err}."
        ledger.broken(ids, let, f"{step.name} is within what was promised, so it succeeds.", however, [posted, *failed])
    elif scene.succeeded(step.name) and not isinstance(step, Atomic):
        ledger.kept(*ids)


# -- limits -----------------------------------------------------------------------------------------------------------


def judge_limits(scene: Scene, ledger: Ledger) -> None:
    """Calls within the limits are accepted."""
    if scene.disturbed or scene.died:
        return
    for step in scene.operations:
        posted = scene.posted.get(step.name)
        if posted is None or posted.code in _REFUSALS:
            continue
        end = scene.end(step.name)
        let = [scene.say(step.name)]
        however = f"However the call returned error {posted.code}."
        if step.form is Form.INJECT and calls.size(step) <= end.inject_size:
            if posted.code:
                then = f"{calls.size(step)} bytes are within inject_size {end.inject_size}."
                ledger.broken(["OFI-CMP-020"], let, then, however, [posted])
            else:
                ledger.kept("OFI-CMP-020")
        elif isinstance(step, Send) and posted.code and _fits(step, end):
            ids = ["OFI-MSG-011"] if len(step.iov) > 1 else ["OFI-MSG-010"]
            then = f"{step.size} bytes are within max_msg_size {end.max_msg_size}."
            ledger.broken(ids, let, then, however, [posted])


def _fits(step: Send, end: End) -> bool:
    within = step.size <= end.max_msg_size and len(step.iov) <= max(end.iov_limit, 1)
    return within and step.form is not Form.INJECT and not calls.gives_back_at_once(step, end)


# -- fences -----------------------------------------------------------------------------------------------------------


def judge_fences(scene: Scene, visibility: Visibility, ledger: Ledger) -> None:
    """The entry of a fenced operation is not read before those of the operations before it to the same peer."""
    for channel, fences in visibility.fences.items():
        for fence in fences:
            entry = scene.succeeded(fence.name)
            if entry is None:
                continue
            for step in visibility.channels[channel]:
                if step is not fence and scene.later(step, fence):
                    _fence_pair(scene, step, fence, entry, ledger)


def _fence_pair(scene: Scene, step: Operation, fence: Operation, entry: Completed, ledger: Ledger) -> None:
    earlier = scene.succeeded(step.name)
    if earlier is None or earlier.queue != entry.queue:
        return
    if scene.order.before(scene.order.point(earlier), scene.order.point(entry)):
        ledger.kept("OFI-ORD-013")
        return
    then = f"{fence.name} is fenced, so it completes after {step.name}, posted before it to the same peer."
    however = f"However the entry of {fence.name} was read before that of {step.name}, from the same queue."
    let = [scene.say(step.name), scene.say(fence.name)]
    ledger.broken(["OFI-ORD-013"], let, then, however, [earlier, entry])
