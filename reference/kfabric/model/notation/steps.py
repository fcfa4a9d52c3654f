# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reading one step of the text form: ``[NAME:] [form] word operands options``.

Options stand in any order after the operands: ``key=number``, ``= value``, ``!mark``, ``-> name``. The grammar is
spec/shared/program-notation.rst; what a step means is ``program``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..datatypes import OPS, SIZES, Element, is_integer
from ..program import (
    AnyStep,
    Atomic,
    AtomicKind,
    Barrier,
    Bytes,
    Cancel,
    CloseRegion,
    EndpointRef,
    Form,
    KeyFault,
    Load,
    Location,
    OpMark,
    Pattern,
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
from .cursor import Cursor
from .words import ELEMENT, FORMS, INTEGER, NAME, NATURAL, NODE, REGION, RESERVED

_MARKS = {mark.value: mark for mark in OpMark}
_DIGITS = 1000
_FAULTS = {fault.value: fault for fault in KeyFault if fault.value}


@dataclass
class Scope:
    """What is known when a step is read: the regions, and whose column it is."""

    regions: Mapping[tuple[str, str], Region]
    node: str


@dataclass
class Options:
    """The options of one step as they were read."""

    numbers: dict[str, int] = field(default_factory=dict)
    iov: tuple[int, ...] = ()
    value: Value = field(default_factory=Pattern)
    marks: set[OpMark] = field(default_factory=set)
    fault: KeyFault = KeyFault.NONE
    name: str | None = None
    form: Form = Form.PLAIN


def number(cursor: Cursor, expected: str, pattern: str = NATURAL) -> int:
    """An integer, decimal or hexadecimal."""
    at = cursor.position
    digits = cursor.take(f"(?:{pattern})(?!\\w)", expected).group()
    if len(digits) > _DIGITS and "x" not in digits:
        raise cursor.error("hexadecimal digits for so wide a number", at)
    return int(digits, 0) if "x" in digits else int(digits)


def location(cursor: Cursor, regions: Mapping[tuple[str, str], Region]) -> Location:
    """``B.data`` or ``B.data[first:end]``."""
    start = cursor.position
    found = cursor.take(rf"({NODE})\.({REGION})", "a location as B.data[0:8]")
    node, name = found.group(1), found.group(2)
    region = regions.get((node, name))
    if region is None:
        raise cursor.error("a region that a memory line declares", start)
    if not cursor.accept(r"\["):
        return Location(node, name, 0, region.size)
    first = number(cursor, "the first byte's offset")
    cursor.take(":", "':' and the end offset")
    at = cursor.position
    last = number(cursor, "the end offset")
    if last < first:
        raise cursor.error(f"an end offset of at least {first}", at)
    cursor.take(r"\]", "']'")
    return Location(node, name, first, last - first)


def locations(cursor: Cursor, scope: Scope) -> tuple[Location, ...]:
    """Locations of one node, separated by commas."""
    places = [location(cursor, scope.regions)]
    while cursor.accept(","):
        at = cursor.position
        places.append(location(cursor, scope.regions))
        if places[-1].node != places[0].node:
            raise cursor.error(f"a location of node {places[0].node}, like the first", at)
    return tuple(places)


def own_location(cursor: Cursor, scope: Scope) -> Location:
    """A location of the node whose column this is."""
    at = cursor.position
    place = location(cursor, scope.regions)
    if place.node != scope.node:
        raise cursor.error(f"a location of the node's own ({scope.node})", at)
    return place


def endpoint(cursor: Cursor) -> EndpointRef:
    """``B`` or ``B/1``."""
    found = cursor.take(rf"({NODE})(?:/(\d+))?", "an endpoint as B or B/1")
    return EndpointRef(found.group(1), int(found.group(2) or 0))


def step_name(cursor: Cursor) -> str:
    """The name of a step."""
    at = cursor.position
    name = cursor.take(NAME, "a step's name").group()
    if name in RESERVED:
        raise cursor.error("a name that is no reserved word", at)
    return name


def options(cursor: Cursor, keys: str, form: Form | None, value: bool = False, result: bool = False) -> Options:
    """Everything after the operands. ``keys``: the numeric options that the step has."""
    known = keys.split()
    read = Options()
    while not cursor.done:
        at = cursor.position
        if found := cursor.accept(r"!([a-z]+)"):
            word = found.group(1)
            if word in _MARKS and form is not None:
                read.marks.add(_MARKS[word])
            elif word in _FAULTS and "to" in known:
                read.fault = _FAULTS[word]
            else:
                raise cursor.error("a mark that this step can have", at)
        elif value and cursor.accept(r"="):
            read.value = Pattern() if cursor.accept("#") else Bytes(number(cursor, "an integer or #", INTEGER))
        elif result and cursor.accept(r"->"):
            read.name = step_name(cursor)
        elif found := cursor.accept(r"([a-z]+)="):
            key = found.group(1)
            if key not in known:
                raise cursor.error(f"one of {', '.join(known)}" if known else "no option here", at)
            if key == "iov":
                segments = [number(cursor, "a segment length")]
                while cursor.accept(r"\+"):
                    segments.append(number(cursor, "a segment length"))
                read.iov = tuple(segments)
            else:
                read.numbers[key] = number(cursor, f"a number for {key}")
        else:
            raise cursor.error("an option, a mark or the end of the step", at)
    read.form = form if form is not None else Form.PLAIN
    return read


def _form(word: Form | None, read: Options) -> Form:
    """Marks are flags of a call, and only the calls of ``Form.MSG`` take flags."""
    if word is not None:
        return word
    return Form.MSG if read.marks else Form.PLAIN


@dataclass
class Draft:
    """A step being read: its words so far."""

    cursor: Cursor
    scope: Scope
    name: str
    form: Form | None

    def options(self, keys: str, value: bool = False, result: bool = False) -> Options:
        """The options of this step; the name after ``->`` becomes the step's, the form follows from the marks."""
        read = options(self.cursor, keys, self.form or Form.PLAIN, value, result)
        if read.name is not None:
            self.name = read.name
        read.form = _form(self.form, read)
        return read


def _send(draft: Draft) -> AnyStep:
    to = endpoint(draft.cursor)
    size = number(draft.cursor, "the message's size")
    read = draft.options("tag data iov via", value=True)
    return Send(
        draft.name,
        to,
        size,
        read.value,
        tag=read.numbers.get("tag"),
        data=read.numbers.get("data"),
        form=read.form,
        marks=frozenset(read.marks),
        iov=read.iov,
        via=read.numbers.get("via", 0),
    )


def _recv(draft: Draft) -> AnyStep:
    size = number(draft.cursor, "the buffer's size")
    source = endpoint(draft.cursor) if draft.cursor.accept(r"from(?!\w)") else None
    read = draft.options("tag ignore iov via", result=True)
    return Recv(
        draft.name,
        size,
        source,
        tag=read.numbers.get("tag"),
        ignore=read.numbers.get("ignore", 0),
        form=read.form,
        marks=frozenset(read.marks),
        iov=read.iov,
        via=read.numbers.get("via", 0),
    )


def _write(draft: Draft) -> AnyStep:
    target = locations(draft.cursor, draft.scope)
    read = draft.options("data iov via to", value=True)
    return Write(
        draft.name,
        target,
        read.value,
        data=read.numbers.get("data"),
        form=read.form,
        marks=frozenset(read.marks),
        iov=read.iov,
        key=read.fault,
        via=read.numbers.get("via", 0),
        to=read.numbers.get("to", 0),
    )


def _read(draft: Draft) -> AnyStep:
    target = locations(draft.cursor, draft.scope)
    read = draft.options("iov via to", result=True)
    return Read(
        draft.name,
        target,
        form=read.form,
        marks=frozenset(read.marks),
        iov=read.iov,
        key=read.fault,
        via=read.numbers.get("via", 0),
        to=read.numbers.get("to", 0),
    )


def _element(cursor: Cursor, datatype: str) -> Element:
    at = cursor.position
    text = cursor.take(ELEMENT, f"an element of {datatype.lower()}").group()
    try:
        if is_integer(datatype):
            return int(text, 0)
        if datatype.endswith("COMPLEX"):
            real, _, imaginary = text.partition(":")
            return float(real), float(imaginary or 0)
        return float(text)
    except ValueError:
        raise cursor.error(f"an element of {datatype.lower()}", at) from None


def _elements(cursor: Cursor, datatype: str) -> tuple[Element, ...]:
    elements = [_element(cursor, datatype)]
    while cursor.accept(","):
        elements.append(_element(cursor, datatype))
    return tuple(elements)


def _choice(cursor: Cursor, names: tuple[str, ...], expected: str) -> str:
    at = cursor.position
    found = cursor.take(r"[a-z0-9_]+", expected).group().upper()
    if found not in names:
        raise cursor.error(expected, at)
    return found


def _atomic(kind: AtomicKind) -> Callable[[Draft], AnyStep]:
    def read_atomic(draft: Draft) -> AnyStep:
        cursor = draft.cursor
        op = _choice(cursor, OPS, "an atomic operation as sum or cswap")
        datatype = _choice(cursor, tuple(SIZES), "a datatype as uint64")
        place = location(cursor, draft.scope.regions)
        operand = _elements(cursor, datatype) if cursor.accept("=") else ()
        compare = _elements(cursor, datatype) if cursor.accept(r"if(?!\w)") else ()
        read = draft.options("count via to", result=True)
        return Atomic(
            draft.name,
            kind,
            op,
            datatype,
            place,
            read.numbers.get("count", place.size // SIZES[datatype]),
            operand,
            compare,
            form=read.form,
            marks=frozenset(read.marks),
            key=read.fault,
            via=read.numbers.get("via", 0),
            to=read.numbers.get("to", 0),
        )

    return read_atomic


def _wait(draft: Draft) -> AnyStep:
    cursor = draft.cursor
    ops: list[str] = []
    while not cursor.done and not cursor.peek(r"by(?!\w)"):
        ops.append(step_name(cursor))
    by = WaitBy.POLL
    if cursor.accept(r"by(?!\w)"):
        by = WaitBy(cursor.take("poll|sread|counter", "poll, sread or counter").group())
    return Wait(draft.name, () if ops == ["all"] else tuple(ops), by)


def _barrier(draft: Draft) -> AnyStep:
    return Barrier(draft.name, 0 if draft.cursor.done else number(draft.cursor, "the barrier's index"))


def _load(draft: Draft) -> AnyStep:
    place = own_location(draft.cursor, draft.scope)
    if draft.cursor.accept(r"->"):
        draft.name = step_name(draft.cursor)
    return Load(draft.name, place)


def _store(draft: Draft) -> AnyStep:
    place = own_location(draft.cursor, draft.scope)
    return Store(draft.name, place, options(draft.cursor, "", None, value=True).value)


def _reuse(draft: Draft) -> AnyStep:
    return Reuse(draft.name, step_name(draft.cursor))


def _cancel(draft: Draft) -> AnyStep:
    return Cancel(draft.name, step_name(draft.cursor))


def _close(draft: Draft) -> AnyStep:
    at = draft.cursor.position
    found = draft.cursor.take(rf"({NODE})\.({REGION})", "a region as B.data")
    if (found.group(1), found.group(2)) not in draft.scope.regions or found.group(1) != draft.scope.node:
        raise draft.cursor.error(f"a region of the node's own ({draft.scope.node})", at)
    return CloseRegion(draft.name, found.group(2))


_READERS: dict[str, Callable[[Draft], AnyStep]] = {
    "send": _send,
    "recv": _recv,
    "write": _write,
    "read": _read,
    "atomic": _atomic(AtomicKind.BASE),
    "fetch": _atomic(AtomicKind.FETCH),
    "compare": _atomic(AtomicKind.COMPARE),
    "wait": _wait,
    "barrier": _barrier,
    "load": _load,
    "store": _store,
    "reuse": _reuse,
    "cancel": _cancel,
    "close": _close,
}
_DATA_WORDS = frozenset(("send", "recv", "write", "read", "atomic", "fetch", "compare"))


def read_step(cursor: Cursor, scope: Scope, automatic: str) -> AnyStep:
    """One step from one cell; ``automatic`` is its name unless the text gives another."""
    name = automatic
    if cursor.peek(rf"{NAME}\s*:"):
        name = step_name(cursor)
        cursor.take(":", "':'")
    form: Form | None = None
    found = cursor.accept(r"(plain|vector|msg|inject)(?!\w)")
    if found:
        form = FORMS[found.group(1)]
    at = cursor.position
    word = cursor.take(r"[a-z]+(?!\w)", "a step: " + " ".join(_READERS)).group()
    if word not in _READERS or (form is not None and word not in _DATA_WORDS):
        expected = " ".join(sorted(_DATA_WORDS)) if form is not None else " ".join(_READERS)
        raise cursor.error(f"a step: {expected}", at)
    step = _READERS[word](Draft(cursor, scope, name, form))
    cursor.end()
    return step
