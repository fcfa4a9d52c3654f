# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Writing the text form of a Program: what ``reader`` reads back as the same Program."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import singledispatch

from ..datatypes import SIZES, Element
from ..program import (
    ALL_ACCESS,
    FORMAT,
    Access,
    AnyStep,
    Atomic,
    Barrier,
    Bytes,
    Cancel,
    CloseRegion,
    Condition,
    Form,
    KeyFault,
    Load,
    Location,
    OpMark,
    Program,
    Read,
    Recv,
    Region,
    Reuse,
    Send,
    Store,
    Value,
    Wait,
    WaitBy,
    Write,
)
from .cursor import NotationError
from .words import NAME, NODE, REGION, RESERVED, auto_name, column_name

Regions = Mapping[tuple[str, str], Region]
_WIDTH = 100


def _wide(number: int) -> str:
    """Decimal up to 64 bits, hexadecimal beyond: decimal digits of very wide numbers are slow, and limited."""
    return str(number) if abs(number) < 1 << 64 else hex(number)


def _region(region: Region) -> str:
    star = "*" if region.persistent else ""
    init = "=#" if region.init is None else f"={_wide(region.init)}" if region.init else ""
    rights = ""
    if region.access != ALL_ACCESS:
        rights = "!" + (",".join(a.value for a in Access if a in region.access) or "none")
    return f"{region.node}.{region.name}[{region.size}]{star}{init}{rights}"


def show_location(place: Location, regions: Regions) -> str:
    """``B.data`` for the whole of a region, ``B.data[0:8]`` for a part."""
    region = regions.get((place.node, place.region))
    name = f"{place.node}.{place.region}"
    if region is not None and (place.offset, place.size) == (0, region.size):
        return name
    return f"{name}[{place.offset}:{place.offset + place.size}]"


def _places(places: tuple[Location, ...], regions: Regions) -> str:
    return ", ".join(show_location(place, regions) for place in places)


def _value(value: Value) -> str:
    return f" = {_wide(value.value)}" if isinstance(value, Bytes) else ""


def _number(key: str, number: int | None, shown: str = "d") -> str:
    return "" if number is None else f" {key}={number:{shown}}"


def _ends(via: int, to: int = 0) -> str:
    return (f" via={via}" if via else "") + (f" to={to}" if to else "")


def _iov(iov: tuple[int, ...]) -> str:
    return f" iov={'+'.join(map(str, iov))}" if iov else ""


def _marks(marks: frozenset[OpMark], key: KeyFault = KeyFault.NONE) -> str:
    words = [mark.value for mark in OpMark if mark in marks] + ([key.value] if key.value else [])
    return "".join(f" !{word}" for word in words)


def _form(form: Form, marks: frozenset[OpMark]) -> str:
    usual = Form.MSG if marks else Form.PLAIN
    return "" if form is usual else f"{form.value} "


def _element(element: Element) -> str:
    return ":".join(map(repr, element)) if isinstance(element, tuple) else repr(element)


def _elements(elements: tuple[Element, ...]) -> str:
    return ",".join(map(_element, elements))


@singledispatch
def _step(step: AnyStep, regions: Regions) -> str:
    raise TypeError(f"no text form for {step!r}")


@_step.register
def _(step: Send, regions: Regions) -> str:
    tail = _value(step.value) + _number("tag", step.tag, "#x") + _number("data", step.data)
    tail += _iov(step.iov) + _ends(step.via) + _marks(step.marks)
    return f"{_form(step.form, step.marks)}send {step.to} {step.size}{tail}"


@_step.register
def _(step: Recv, regions: Regions) -> str:
    source = f" from {step.source}" if step.source is not None else ""
    tail = _number("tag", step.tag, "#x") + _number("ignore", step.ignore or None, "#x")
    tail += _iov(step.iov) + _ends(step.via) + _marks(step.marks)
    return f"{_form(step.form, step.marks)}recv {step.size}{source}{tail}"


@_step.register
def _(step: Write, regions: Regions) -> str:
    tail = _value(step.value) + _number("data", step.data) + _iov(step.iov)
    tail += _ends(step.via, step.to) + _marks(step.marks, step.key)
    return f"{_form(step.form, step.marks)}write {_places(step.target, regions)}{tail}"


@_step.register
def _(step: Read, regions: Regions) -> str:
    tail = _iov(step.iov) + _ends(step.via, step.to) + _marks(step.marks, step.key)
    return f"{_form(step.form, step.marks)}read {_places(step.target, regions)}{tail}"


@_step.register
def _(step: Atomic, regions: Regions) -> str:
    operand = f" = {_elements(step.operand)}" if step.operand else ""
    compare = f" if {_elements(step.compare)}" if step.compare else ""
    count = "" if step.count == step.target.size // SIZES[step.datatype] else f" count={step.count}"
    tail = operand + compare + count + _ends(step.via, step.to) + _marks(step.marks, step.key)
    what = f"{step.kind.value} {step.op.lower()} {step.datatype.lower()}"
    return f"{_form(step.form, step.marks)}{what} {show_location(step.target, regions)}{tail}"


@_step.register
def _(step: Wait, regions: Regions) -> str:
    by = "" if step.by is WaitBy.POLL else f" by {step.by.value}"
    return "wait" + "".join(f" {name}" for name in step.ops) + by


@_step.register
def _(step: Barrier, regions: Regions) -> str:
    return f"barrier {step.index}"


@_step.register
def _(step: Load, regions: Regions) -> str:
    return f"load {show_location(step.place, regions)}"


@_step.register
def _(step: Store, regions: Regions) -> str:
    return f"store {show_location(step.place, regions)}{_value(step.value)}"


@_step.register
def _(step: Reuse, regions: Regions) -> str:
    return f"reuse {step.op}"


@_step.register
def _(step: Cancel, regions: Regions) -> str:
    return f"cancel {step.op}"


def render_step(step: AnyStep, regions: Regions | None = None, node: str = "") -> str:
    """The text of one step without its name, for rows and for explanations."""
    if isinstance(step, CloseRegion):
        return f"close {node}.{step.region}"
    return _step(step, regions or {})


def _condition(condition: Condition, regions: Regions) -> str:
    terms = [f"{name} = {_wide(value)}" for name, value in condition.observed]
    for place, value in condition.final:
        terms.append(f"{place.node}.{place.region}[{place.offset}:{place.offset + place.size}] = {_wide(value)}")
    if not terms:
        raise NotationError(0, 0, "a condition with at least one term")
    by = f" by {' '.join(condition.by)}" if condition.by else ""
    return f"{condition.expected.value} {' & '.join(terms)}{by}"


def _referred(program: Program) -> set[str]:
    names: set[str] = set()
    for _, step in program.steps():
        if isinstance(step, Wait):
            names.update(step.ops)
        elif isinstance(step, Reuse | Cancel):
            names.add(step.op)
    for condition in program.conditions:
        names.update(name for name, _ in condition.observed)
    return names


def _schedule(program: Program) -> Iterator[list[tuple[int, AnyStep] | None]]:
    """Rows of (ordinal, step): columns filled from the top, a barrier of several columns in one row."""
    todo = [list(enumerate(thread.steps, 1)) for thread in program.threads]
    while any(todo):
        heads = [steps[0][1] if steps else None for steps in todo]
        held = [step.index for step in heads if isinstance(step, Barrier)]
        moving = any(step is not None and not isinstance(step, Barrier) for step in heads)
        release: int | None = None
        if not moving:
            later = {step.index for steps in todo for _, step in steps[1:] if isinstance(step, Barrier)}
            release = next((index for index in held if index not in later), held[0])
        yield [
            None if not steps or (isinstance(head, Barrier) and head.index != release) else steps.pop(0)
            for steps, head in zip(todo, heads, strict=True)
        ]


def _check_names(program: Program) -> None:
    for thread in program.threads:
        if not re.fullmatch(NODE, thread.node) or thread.node in RESERVED:
            raise NotationError(0, 0, "a node's name", thread.node)
    for region in program.regions:
        if not re.fullmatch(NODE, region.node) or not re.fullmatch(REGION, region.name):
            raise NotationError(0, 0, "a region's name", f"{region.node}.{region.name}")
    for _, step in program.steps():
        if not re.fullmatch(NAME, step.name) or step.name in RESERVED:
            raise NotationError(0, 0, "a step's name", step.name)
    if program.name != " ".join(program.name.split()) or not program.name:
        raise NotationError(0, 0, "a program's name on one line", program.name)


def render(program: Program) -> str:
    """The text form; ``parse`` gives the same Program back."""
    _check_names(program)
    regions = {(region.node, region.name): region for region in program.regions}
    lines = [f"program {program.name}", f"format {FORMAT}"]
    if program.endpoints:
        lines.append("endpoints " + " ".join(f"{node}={count}" for node, count in program.endpoints))
    if program.guarantees:
        lines.append("guarantees " + " ".join(f"{key}={value}" for key, value in program.guarantees))
    memory = ""
    for region in program.regions:
        word = _region(region)
        if memory and len(memory) + len(word) > _WIDTH:
            lines.append(memory)
            memory = ""
        memory = f"{memory} {word}" if memory else f"memory {word}"
    if memory:
        lines.append(memory)
    if program.threads:
        lines.extend(_table(program, regions))
    lines.extend(_condition(condition, regions) for condition in program.conditions)
    return "\n".join(lines) + "\n"


def _table(program: Program, regions: Regions) -> list[str]:
    referred = _referred(program)
    titles = [column_name(thread) for thread in program.threads]
    rows = [titles]
    for scheduled in _schedule(program):
        cells: list[str] = []
        for thread, title, item in zip(program.threads, titles, scheduled, strict=True):
            if item is None:
                cells.append("")
                continue
            ordinal, step = item
            text = render_step(step, regions, thread.node)
            if step.name != auto_name(title, ordinal) or step.name in referred:
                text = f"{step.name}: {text}"
            cells.append(text)
        rows.append(cells)
    widths = [max(len(row[at]) for row in rows) for at in range(len(titles))]
    return [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
