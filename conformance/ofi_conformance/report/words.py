# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Words for what happened: events of a History, promises of a configuration, calls of a body. Pure text."""

from __future__ import annotations

from functools import singledispatch

from kfabric.api import Errno, Flag
from kfabric.model import notation
from kfabric.model.guarantees import UNLIMITED, End
from kfabric.model.history import (
    Completed,
    Content,
    Counted,
    Did,
    Died,
    Event,
    Failed,
    Observed,
    Passed,
    Posted,
    Probed,
    Waited,
)
from kfabric.model.program import Program

from ..requirements import Requirement

_BYTES = 16


def error_name(code: int) -> str:
    """ETRUNC for 265."""
    try:
        return Errno(code).name
    except ValueError:
        return f"error {code}"


def flag_names(word: int) -> str:
    """Names of the bits of a completion's flags."""
    names = [flag.name for flag in Flag if flag and flag in Flag(word) and flag.name]
    return "|".join(names) or hex(word)


def hex_bytes(content: bytes) -> str:
    """The first bytes, and how many there are."""
    shown = content[:_BYTES].hex(" ")
    return shown if len(content) <= _BYTES else f"{shown} … {len(content)} B"


class Teller:
    """Tells the events of one Program."""

    def __init__(self, program: Program) -> None:
        regions = {(region.node, region.name): region for region in program.regions}
        self._steps: dict[tuple[str, str], str] = {}
        self._anywhere: dict[str, str] = {}
        for thread, step in program.steps():
            text = notation.render_step(step, regions, thread.node).strip()
            self._steps[thread.node, step.name] = self._anywhere[step.name] = text

    def step(self, node: str, name: str | None) -> str:
        """The step as the Program writes it, with its name where the text does not show it."""
        if name is None:
            return "an unknown operation"
        text = self._steps.get((node, name)) or self._anywhere.get(name, "")
        if not text:
            return name
        return text if name in text else f"{name}: {text}"

    def __call__(self, event: Event) -> str:
        """One line about an event."""
        return _tell(event, self)


@singledispatch
def _tell(event: Event, teller: Teller) -> str:
    return event.word


@_tell.register
def _(event: Posted, teller: Teller) -> str:
    retried = f", after {event.retries} times EAGAIN" if event.retries else ""
    text = teller.step(event.node, event.op)
    return f"{text}{retried}" if not event.code else f"{text}: refused with {error_name(event.code)}{retried}"


@_tell.register
def _(event: Completed, teller: Teller) -> str:
    subject = event.op or f"an entry with unknown context {event.stray:#x}"
    fields = [f"len {event.len}"] if event.len is not None else []
    fields += [f"data {event.data:#x}"] if event.data else []
    fields += [f"tag {event.tag:#x}"] if event.tag else []
    fields += [f"from {event.source}"] if event.source is not None else []
    fields += [flag_names(event.flags)] if event.flags else []
    return f"{subject} completed ({event.queue}{': ' + ', '.join(fields) if fields else ''})"


@_tell.register
def _(event: Failed, teller: Teller) -> str:
    subject = event.op or f"an entry with unknown context {event.stray:#x}"
    missing = f", olen {event.olen}" if event.olen else ""
    return f"{subject} failed: {error_name(event.err)} ({event.queue}{missing}, prov_errno {event.prov_errno})"


@_tell.register
def _(event: Observed, teller: Teller) -> str:
    return f"{event.op} saw {hex_bytes(event.content)}"


@_tell.register
def _(event: Did, teller: Teller) -> str:
    text = teller.step(event.node, event.op)
    return f"{text}: answered {error_name(event.code)}" if event.code else text


@_tell.register
def _(event: Waited, teller: Teller) -> str:
    if event.bounded:
        return f"waited until the bound; still without completion: {', '.join(event.missing) or 'nothing'}"
    return teller.step(event.node, event.op)


@_tell.register
def _(event: Passed, teller: Teller) -> str:
    return f"barrier {event.index}"


@_tell.register
def _(event: Counted, teller: Teller) -> str:
    errors = f", errors {event.errors}" if event.errors else ""
    return f"counter {event.counter} = {event.value}{errors}"


@_tell.register
def _(event: Content, teller: Teller) -> str:
    guards = [] if event.before else ["bytes before it changed"]
    guards += [] if event.after else ["bytes after it changed"]
    spoiled = f" — {' and '.join(guards)}" if guards else ""
    return f"at the end {event.what.replace(':', ' ')} holds {hex_bytes(event.content)}{spoiled}"


@_tell.register
def _(event: Probed, teller: Teller) -> str:
    return f"a later message to {event.peer} {'arrived' if event.arrived else 'did not arrive'} ({event.polls} polls)"


@_tell.register
def _(event: Died, teller: Teller) -> str:
    inside = f" inside {event.intent}" if event.intent else ""
    return f"the node ended ({event.how}{f', signal {event.signal}' if event.signal else ''}){inside}"


# -- promises -----------------------------------------------------------------------------------------------------
def size_text(value: int) -> str:
    """A size for readers."""
    return "unlimited" if value == UNLIMITED else str(value)


_FIELDS = {
    "cap": ("caps", "caps"),
    "ep": ("ep_type", "ep_attr.type"),
    "level": ("levels", "completion levels"),
    "mr": ("mr_mode", "mr_mode"),
    "mode": ("mode", "mode"),
    "progress": ("data_progress", "data_progress"),
    "threading": ("threading", "threading"),
    "rm": ("resource_mgmt", "resource_mgmt"),
    "av": ("av_type", "av_type"),
}


def promises(requirement: Requirement, end: End) -> list[str]:
    """What the configuration promised that makes the requirement apply."""
    found = [] if "ep" in {term.key for term in requirement.when.terms} else [f"ep_attr.type {end.ep_type}"]
    for term in requirement.when.terms:
        found.extend(_promise(term.key, term.values, end))
    return list(dict.fromkeys(found))


def _promise(key: str, values: tuple[str, ...], end: End) -> list[str]:
    if key in _FIELDS:
        name, label = _FIELDS[key]
        have = getattr(end, name)
        shown = " ".join(value for value in values if value in have) if isinstance(have, frozenset) else str(have)
        return [f"{label} {shown or 'without ' + ' '.join(values)}"]
    if key in ("order", "dataorder"):
        held = [value for value in values if value in end.tx_order & end.rx_order]
        lines = [f"msg_order {' '.join(held)}"]
        if key == "dataorder":
            lines += [
                f"max_order_{v.lower()}_size {size_text(getattr(end, f'max_order_{v.lower()}_size'))}" for v in held
            ]
        return lines
    if key == "limit":
        names = [value.rstrip("<>=!0123456789") for value in values]
        extra = dict(end.extra)
        return [f"{name} {extra[name] if name in extra else size_text(getattr(end, name, 0))}" for name in names]
    return [f"valid atomics: {' '.join(values)}"] if key == "atomic" else []


def attributes(end: End) -> list[tuple[str, str]]:
    """A configuration's attributes as label and text."""

    def words(items: frozenset[str]) -> str:
        return " ".join(sorted(items)) or "none"

    order = (
        words(end.tx_order) if end.tx_order == end.rx_order else f"tx {words(end.tx_order)}; rx {words(end.rx_order)}"
    )
    sizes = ("raw", "war", "waw")
    return [
        ("endpoint", end.ep_type),
        ("caps", words(end.caps)),
        ("mode", words(end.mode)),
        ("mr_mode", words(end.mr_mode)),
        ("msg_order", order),
        ("max_order sizes", ", ".join(f"{n} {size_text(getattr(end, f'max_order_{n}_size'))}" for n in sizes)),
        ("completion levels", words(end.levels)),
        ("op_flags", f"tx {words(end.tx_op_flags)}; rx {words(end.rx_op_flags)}"),
        ("progress", f"data {end.data_progress}, control {end.control_progress}"),
        ("threading", end.threading),
        ("resource_mgmt", end.resource_mgmt),
        ("max_msg_size", size_text(end.max_msg_size)),
        ("inject_size", str(end.inject_size)),
        ("iov limits", f"local {end.iov_limit}, remote {end.rma_iov_limit}, mr {end.mr_iov_limit}"),
        ("queue sizes", f"tx {end.tx_size}, rx {end.rx_size}"),
        ("cq_data_size", str(end.cq_data_size)),
        ("mr_key_size", str(end.mr_key_size)),
        ("av_type", end.av_type),
        ("completion queue", f"{end.cq_format}{', selective' if end.selective else ''}"),
        ("counters", words(end.counters)),
        ("atomics", f"{len(end.atomics)} valid (kind, operation, datatype)"),
        *((key.replace("_", " "), value) for key, value in end.extra),
    ]
