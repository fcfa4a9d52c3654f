# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reading the text form of a Program: header lines, the line of columns, rows, condition lines."""

from __future__ import annotations

from ..program import (
    FORMAT,
    Access,
    AnyStep,
    Cancel,
    Condition,
    EndpointRef,
    Location,
    Outcome,
    Program,
    Recv,
    Region,
    Reuse,
    Send,
    Thread,
    Wait,
)
from .cursor import Cursor, NotationError
from .steps import Scope, location, number, read_step
from .words import CONDITIONS, HEADERS, INTEGER, NAME, NODE, REGION, REQUIREMENT, RESERVED, auto_name

_ACCESS = {access.value: access for access in Access}


class _Reader:
    def __init__(self) -> None:
        self.name = ""
        self.regions: dict[tuple[str, str], Region] = {}
        self.endpoints: list[tuple[str, int]] = []
        self.guarantees: list[tuple[str, str]] = []
        self.columns: list[tuple[str, int]] | None = None
        self.steps: list[list[AnyStep]] = []
        self.conditions: list[tuple[Cursor, str]] = []
        self.places: dict[str, tuple[int, int]] = {}
        """Line and column of each named step."""

    # -- header lines ---------------------------------------------------------------------------------------------

    def header(self, word: str, cursor: Cursor) -> None:
        getattr(self, f"_{word}")(cursor)

    def _program(self, cursor: Cursor) -> None:
        self.name = cursor.take(r".*\S", "the program's name").group().strip()

    def _format(self, cursor: Cursor) -> None:
        at = cursor.position
        if number(cursor, "a format version") != FORMAT:
            raise cursor.error(f"format {FORMAT}, the only one this reader knows", at)
        cursor.end("the end of the line")

    def _endpoints(self, cursor: Cursor) -> None:
        while not cursor.done:
            node = cursor.take(rf"({NODE})=", "a node and its number of endpoints as B=2").group(1)
            self.endpoints.append((node, number(cursor, "a number of endpoints")))

    def _guarantees(self, cursor: Cursor) -> None:
        while not cursor.done:
            found = cursor.take(r"([A-Za-z0-9_./]+)=(\S+)", "a guarantee as msg_order=saw")
            self.guarantees.append((found.group(1), found.group(2)))

    def _memory(self, cursor: Cursor) -> None:
        while not cursor.done:
            start = cursor.position
            found = cursor.take(rf"({NODE})\.({REGION})\[", "a region and its size as B.data[64]")
            node, name = found.group(1), found.group(2)
            if (node, name) in self.regions:
                raise cursor.error("a region that is not declared yet", start)
            size = number(cursor, "the region's size in bytes")
            closing = cursor.take(r"\](\*?)(?:=(#|-?(?:0x[0-9a-fA-F]+|\d+)))?(?:!([a-z_,]+))?", "']'")
            star, init, rights = closing.groups()
            access = frozenset(Access)
            if rights is not None:
                words = () if rights == "none" else rights.split(",")
                unknown = [word for word in words if word not in _ACCESS]
                if unknown:
                    raise cursor.error(f"access rights of {', '.join(_ACCESS)} or none (not {unknown[0]!r})", start)
                access = frozenset(_ACCESS[word] for word in words)
            value = 0 if init is None else None if init == "#" else int(init, 0)
            self.regions[node, name] = Region(node, name, size, star == "*", access, value)

    # -- columns and rows -----------------------------------------------------------------------------------------

    def column_line(self, text: str, line: int) -> None:
        self.columns = []
        for cell, column in _cells(text):
            cursor = Cursor(cell, line, column)
            at = cursor.position
            found = cursor.take(rf"({NODE})(?::(\d+))?", "a header line, or the columns as: A | B")
            cursor.end("'|' and the next column")
            key = (found.group(1), int(found.group(2) or 0))
            if found.group(1) in RESERVED:
                raise cursor.error("a node's name that is no reserved word", at)
            if key in self.columns:
                raise cursor.error("a column that is not there yet", at)
            self.columns.append(key)
        self.steps = [[] for _ in self.columns]

    def row(self, text: str, line: int) -> None:
        assert self.columns is not None
        for index, (cell, column) in enumerate(_cells(text)):
            cursor = Cursor(cell, line, column)
            if index >= len(self.columns):
                raise cursor.error(f"no more than {len(self.columns)} columns")
            if cursor.done:
                continue
            node, thread = self.columns[index]
            title = node if thread == 0 else f"{node}:{thread}"
            start = cursor.column
            step = read_step(cursor, Scope(self.regions, node), auto_name(title, len(self.steps[index]) + 1))
            if step.name in self.places:
                raise NotationError(line, start, "a name that no other step has", step.name)
            self.places[step.name] = (line, start)
            self.steps[index].append(step)

    # -- conditions -----------------------------------------------------------------------------------------------

    def condition(self, word: str, cursor: Cursor) -> Condition:
        observed: list[tuple[str, int]] = []
        final: list[tuple[Location, int]] = []
        while True:
            self._term(cursor, observed, final)
            if not cursor.accept("&"):
                break
        by: list[str] = []
        if cursor.accept(r"by(?!\w)"):
            by.append(cursor.take(REQUIREMENT, "a requirement's id").group())
            while not cursor.done:
                cursor.accept(",")
                by.append(cursor.take(REQUIREMENT, "a requirement's id").group())
        cursor.end("'&', 'by' or the end of the line")
        return Condition(Outcome(word), tuple(observed), tuple(final), tuple(by))

    def _term(self, cursor: Cursor, observed: list[tuple[str, int]], final: list[tuple[Location, int]]) -> None:
        at = cursor.position
        found = cursor.accept(rf"({NODE})\.({REGION})(?![\w-])(\[)?")
        if found:
            node, name, bracket = found.groups()
            if (node, name) in self.regions:
                if bracket is None and name in self.places:
                    raise cursor.error(f"{node}.{name}[first:end] for the region or {name} alone for the step", at)
                cursor.position = at
                place = location(cursor, self.regions)
                cursor.take("=", "'='")
                final.append((place, number(cursor, "an integer", INTEGER)))
                return
            step = name
            if bracket is not None or step not in self.places or self._node_of(step) != node:
                raise cursor.error("a declared region or a step of that node", at)
        else:
            step = cursor.take(NAME, "a step or a location").group()
            if step not in self.places:
                raise cursor.error("a step of this program", at)
        cursor.take("=", "'='")
        observed.append((step, number(cursor, "an integer", INTEGER)))

    def _node_of(self, name: str) -> str:
        assert self.columns is not None
        for (node, _), steps in zip(self.columns, self.steps, strict=True):
            if any(step.name == name for step in steps):
                return node
        return ""

    # -- the whole ------------------------------------------------------------------------------------------------

    def _refer(self) -> None:
        """Every step and node that a step names is there; a step refers to steps of its own column."""
        assert self.columns is not None
        nodes = {node for node, _ in self.columns} | {node for node, _ in self.regions}
        for steps in self.steps:
            names = {step.name for step in steps}
            for step in steps:
                line, column = self.places[step.name]
                named = step.ops if isinstance(step, Wait) else ()
                if isinstance(step, Reuse | Cancel):
                    named = (step.op,)
                for name in named:
                    if name not in names:
                        raise NotationError(line, column, "a step of the same column", name)
                ends: list[EndpointRef] = []
                if isinstance(step, Send):
                    ends = [step.to]
                elif isinstance(step, Recv) and step.source is not None:
                    ends = [step.source]
                for end in ends:
                    if end.node not in nodes:
                        raise NotationError(line, column, "a node of this program", str(end))

    def program(self, line: int) -> Program:
        if not self.name:
            raise NotationError(1, 1, "a line 'program NAME'")
        threads: tuple[Thread, ...] = ()
        if self.columns is not None:
            self._refer()
            threads = tuple(
                Thread(node, tuple(steps), index) for (node, index), steps in zip(self.columns, self.steps, strict=True)
            )
        return Program(
            self.name,
            threads,
            tuple(self.regions.values()),
            tuple(self.endpoints),
            tuple(self.guarantees),
            tuple(self.condition(word, cursor) for cursor, word in self.conditions),
        )


def _cells(text: str) -> list[tuple[str, int]]:
    """The cells of a row with the column (from 1) where each begins."""
    cells: list[tuple[str, int]] = []
    column = 1
    for cell in text.split("|"):
        cells.append((cell, column))
        column += len(cell) + 1
    return cells


def parse(text: str) -> Program:
    """The Program that the text says; ``NotationError`` names line, column and what was expected."""
    reader = _Reader()
    line = 0
    for line, raw in enumerate(text.splitlines(), 1):
        stripped = raw.strip()
        if not stripped or stripped.startswith("#"):
            continue
        cursor = Cursor(raw, line)
        start = cursor.position
        found = cursor.accept(r"([a-z]+)(?=\s|$)")
        word = found.group(1) if found else ""
        if reader.columns is None and word in HEADERS:
            reader.header(word, cursor)
        elif word in CONDITIONS:
            reader.conditions.append((cursor, word))
        elif reader.conditions:
            raise cursor.error("a condition line: " + " ".join(CONDITIONS), start)
        elif reader.columns is None:
            reader.column_line(raw, line)
        else:
            reader.row(raw, line)
    return reader.program(line)
