# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Histories told by hand: a Program in its text form, then what happened, call by call, in the order of each node.

A wait ends by itself when a later step of its thread is told.
"""

from __future__ import annotations

from dataclasses import replace

from kfabric.model import data
from kfabric.model import history as h
from kfabric.model import program as p
from kfabric.model.dialect import bits
from kfabric.model.guarantees import Guarantees
from kfabric.model.judge import judge
from kfabric.model.judge.entries import kind
from kfabric.model.notation import parse
from kfabric.model.verdict import Finding, Judgement

NO_ENTRY = 61


class Tale:
    """A History being told. Every method returns the tale itself."""

    def __init__(self, text: str, **fields: object) -> None:
        self.program = parse(text)
        known = Guarantees.assume(self.program.guarantees)
        self.guarantees = replace(known, default=replace(known.default, **fields))  # type: ignore[arg-type]
        self.numbers = data.Numbering(self.program)
        self.steps = {step.name: (thread, step) for thread, step in self.program.steps()}
        self.events: list[h.AnyEvent] = []
        self.ended: set[str] = set()
        self.finished = True

    def _add(self, what: type[h.AnyEvent], node: str, *fields: object, **named: object) -> Tale:
        seq = sum(event.node == node for event in self.events)
        self.events.append(what(node, seq, 0, *fields, **named))  # type: ignore[arg-type]
        return self

    def _of(self, name: str) -> tuple[str, p.AnyStep]:
        thread, step = self.steps[name]
        return thread.node, step

    def _reach(self, name: str) -> None:
        """The thread comes to a step: its waits before that have ended."""
        for step in self.steps[name][0].steps:
            if step.name == name:
                return
            if isinstance(step, p.Wait) and step.name not in self.ended:
                self.waited(step.name)

    # -- bytes ------------------------------------------------------------------------------------------------------
    def by(self, name: str) -> bytes:
        """What a step writes, sends or stores."""
        step = self._of(name)[1]
        assert isinstance(step, p.Send | p.Write | p.Store)
        return data.payload(self.numbers, step)

    def old(self, node: str, region: str) -> bytes:
        """What a region held at first."""
        return data.initial(self.program.region(node, region))

    def unread(self, name: str) -> bytes:
        """What the buffer of a receive or read held at first."""
        step = self._of(name)[1]
        assert isinstance(step, p.Recv | p.Read)
        return data.fill(name, step.size)

    # -- events -----------------------------------------------------------------------------------------------------
    def posted(self, *names: str, code: int = 0) -> Tale:
        """Calls returned."""
        for name in names:
            self._reach(name)
            self._add(h.Posted, self._of(name)[0], name, code)
        return self

    def done(self, name: str, content: bytes | None = None, **fields: object) -> Tale:
        """A success entry was read; ``content`` is then in the operation's buffer."""
        node, step = self._of(name)
        queue = "rx" if isinstance(step, p.Recv) else "tx"
        self._add(h.Completed, node, name, queue, **fields)
        return self if content is None else self._add(h.Observed, node, name, content)

    def failed(self, name: str, err: int = NO_ENTRY) -> Tale:
        """An error entry was read."""
        node, step = self._of(name)
        assert isinstance(step, p.Send | p.Recv | p.Write | p.Read | p.Atomic)
        queue = "rx" if isinstance(step, p.Recv) else "tx"
        return self._add(h.Failed, node, name, queue, err, 0, kind(step)[0])

    def told(self, name: str) -> Tale:
        """The target of a write with remote data read its entry."""
        step = self._of(name)[1]
        assert isinstance(step, p.Write)
        flags = bits("REMOTE_WRITE", "REMOTE_CQ_DATA")
        return self._add(h.Completed, step.target[0].node, None, "rx", flags, step.size, step.data)

    def saw(self, name: str, content: bytes) -> Tale:
        """A load found bytes."""
        self._reach(name)
        return self._add(h.Observed, self._of(name)[0], name, content)

    def did(self, *names: str) -> Tale:
        """Stores, reuses and closes took effect."""
        for name in names:
            self._reach(name)
            self._add(h.Did, self._of(name)[0], name)
        return self

    def waited(self, name: str) -> Tale:
        """A wait ended with all it waited for."""
        self.ended.add(name)
        return self._add(h.Waited, self._of(name)[0], name)

    def passed(self, index: int = 0) -> Tale:
        """Every thread that has the barrier left it."""
        for thread, step in self.program.steps():
            if isinstance(step, p.Barrier) and step.index == index:
                self._reach(step.name)
                self._add(h.Passed, thread.node, step.name, index)
        return self

    def final(self, node: str, region: str, content: bytes, **guards: bool) -> Tale:
        """What a region held at the end."""
        return self._add(h.Content, node, f"region:{region}", content, **guards)

    def kept_buffer(self, name: str, content: bytes, **guards: bool) -> Tale:
        """What the buffer of an operation held at the end."""
        return self._add(h.Content, self._of(name)[0], f"buffer:{name}", content, **guards)

    def source(self, name: str, content: bytes, **guards: bool) -> Tale:
        """What a source buffer held at the end."""
        return self._add(h.Content, self._of(name)[0], f"source:{name}", content, **guards)

    def probed(self, a: str, b: str, *, arrived: bool = True) -> Tale:
        """Both nodes tried a later message."""
        self._add(h.Probed, a, b, arrived, 100)
        return self._add(h.Probed, b, a, arrived, 100)

    def died(self, node: str) -> Tale:
        """The node crashed."""
        self.finished = False
        return self._add(h.Died, node, "crash")

    # -- judgement --------------------------------------------------------------------------------------------------
    def judgements(self) -> list[Judgement]:
        """What the Judge says."""
        return judge(self.program, h.History(tuple(self.events), self.finished), self.guarantees)

    def _found(self, finding: Finding) -> set[str]:
        return {each.requirement for each in self.judgements() if each.finding is finding}

    @property
    def broken(self) -> set[str]:
        """Requirements that broke."""
        return self._found(Finding.BROKEN)

    @property
    def kept(self) -> set[str]:
        """Requirements that were put to the test and held."""
        return self._found(Finding.KEPT)

    @property
    def open(self) -> set[str]:
        """Requirements left open."""
        return self._found(Finding.OPEN)
