# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A second opponent of the Judge, of another make than ``machine``: every promise is a lower bound of a time.

When an operation is posted, the times of all that will come of it are drawn at once (when its source is read, when
each piece of it takes effect, when it is reported), each moved back behind what the promises say it must follow.
Between those bounds everything is random: pieces apart, completions of weak levels first, entries read by anybody.
Runs writes, reads, messages, loads and stores; Programs with atomics are ``machine``'s. ``fault`` removes one bound.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator
from itertools import pairwise

from kfabric.model import data
from kfabric.model import history as h
from kfabric.model import program as p
from kfabric.model.dialect import bits
from kfabric.model.guarantees import Guarantees

from .flows import DELIVERY, LEVELS, Flow, Part, Promises, Ref, counter_of, kind_of, queue_of, size_of, target_of

GONE, REFUSED, CUT, CANCELLED = 107, 13, 265, 125


class Simulator(Promises):
    """One run of one Program."""

    def __init__(self, program: p.Program, promised: Guarantees, seed: int, fault: str = "") -> None:
        super().__init__(promised, seed, fault)
        self.program = program
        self.now = 0.0
        self.agenda: list[tuple[float, int, Callable[[], object]]] = []
        self.turn = 0
        self.numbers = data.Numbering(program)
        self.memory = {(r.node, r.name): bytearray(data.initial(r)) for r in program.regions}
        self.events: dict[str, list[h.AnyEvent]] = {node: [] for node in program.nodes}
        self.posted: dict[Ref, list[Flow]] = {}
        self.early: dict[Ref, list[Flow]] = {}
        self.entries: dict[str, list[tuple[Flow | None, str, dict[str, object]]]] = {n: [] for n in program.nodes}
        self.arrived: dict[int, int] = {}
        self.closed: set[tuple[str, str]] = set()
        self.cutting: set[frozenset[str]] = set()
        self.patient = self.dice.random() < 0.7

    # -- events ----------------------------------------------------------------------------------------------------
    def at(self, time: float, action: Callable[[], object]) -> None:
        """Do something later."""
        self.turn += 1
        heapq.heappush(self.agenda, (max(time, self.now), self.turn, action))

    def record(self, what: type[h.AnyEvent], node: str, *fields: object, **named: object) -> None:
        """Write an event down."""
        self.events[node].append(what(node, len(self.events[node]), 0, *fields, **named))  # type: ignore[arg-type]

    # -- posting ----------------------------------------------------------------------------------------------------
    def post(self, node: str, step: p.Operation) -> int:
        """The call; returns its code."""
        end = self.promised.end(node)
        receiving = isinstance(step, p.Recv)
        flags = end.rx_op_flags if receiving else end.tx_op_flags
        if step.form is p.Form.MSG:
            flags = frozenset(mark.name for mark in step.marks)
        level = max((LEVELS.index(name) + 1 for name in flags if name in LEVELS), default=0)
        reports = step.form is not p.Form.INJECT and (not end.selective or "COMPLETION" in flags)
        target = None if isinstance(step, p.Recv) else step.to if isinstance(step, p.Send) else target_of(step)
        buffer = bytearray(
            data.payload(self.numbers, step)
            if isinstance(step, p.Send | p.Write)
            else data.fill(step.name, size_of(step))
        )
        flow = Flow(step, Ref(node, step.via), target, len(self.flows), flags, reports, level, buffer)
        if target is not None and frozenset({node, target.node}) in self.cutting:
            return GONE
        self.flows[step.name] = flow
        if isinstance(step, p.Recv):
            self._post_receive(flow)
            return 0
        injects = step.form is p.Form.INJECT or "INJECT" in flags
        late = isinstance(step, p.Send | p.Write) and self.strikes("late source")
        read_at = self.now if injects and not late else self.now + self.delay()
        if injects and not late:
            flow.captured = bytes(buffer)
        self.at(read_at + (20 if late else 0), lambda: self.capture(flow))
        if isinstance(step, p.Send):
            self._plan_send(flow, read_at)
        else:
            assert isinstance(step, p.Write | p.Read)
            self._plan_access(flow, step, read_at)
        return 0

    def capture(self, flow: Flow) -> bytes:
        """Read the source buffer, once."""
        if flow.captured is None:
            flow.captured = bytes(flow.buffer)
        return flow.captured

    def _plan_access(self, flow: Flow, step: p.Write | p.Read, read_at: float) -> None:
        at = 0
        for place in step.target:
            cuts = sorted(
                {0, place.size, *(self.dice.randrange(place.size + 1) for _ in range(self.dice.randrange(3)))}
            )
            for first, last in pairwise(cuts):
                where = p.Location(place.node, place.region, place.offset + first, last - first)
                flow.parts.append(Part(where, at + first, 0.0))
            at += place.size
        volatile = any(not self.program.region(place.node, place.region).persistent for place in step.target)
        if (self._forbidden(step) or ("COMMIT_COMPLETE" in flow.flags and volatile and step.size)) and not self.strikes(
            "right ignored"
        ):
            self._refuse(flow, step)
            return
        for part in flow.parts:
            part.time = self.act_at(flow, part, read_at + self.delay())
            if not self.strikes("lost write", 0.2) or isinstance(step, p.Read):
                self.at(part.time, lambda part=part: self._act(flow, part))  # type: ignore[misc]
        if isinstance(step, p.Write) and step.data is not None:
            fields: dict[str, object] = {"flags": bits("RMA", "REMOTE_WRITE", "REMOTE_CQ_DATA"), "len": step.size}
            fields["data"] = step.data
            rx = "rx" if step.to == 0 else f"rx/{step.to}"
            self.at(
                self.told_at(flow, read_at + self.delay()),
                lambda: self.entries[step.target[0].node].append((None, rx, fields)),
            )
        flow.done = self.done_at(flow, read_at + self.delay())
        self.at(flow.done, lambda: self._finish(flow))

    def _act(self, flow: Flow, part: Part) -> None:
        whole = self.memory[part.place.node, part.place.region]
        first, size = part.place.offset, part.place.size
        if first + size > len(whole):
            return
        if isinstance(flow.step, p.Read):
            content = bytes(whole[first : first + size])
            if self.strikes("stale read"):
                region = self.program.region(part.place.node, part.place.region)
                content = data.initial(region)[first : first + size]
            flow.buffer[part.at : part.at + size] = content
            return
        content = self.capture(flow)[part.at : part.at + size]
        if size and self.strikes("damaged"):
            content = bytes([content[0] ^ 0x41]) + content[1:]
        if self.strikes("misplaced") and first + size < len(whole):
            first += 1
        whole[first : first + size] = content

    def _forbidden(self, step: p.Write | p.Read) -> bool:
        right = p.Access.REMOTE_WRITE if isinstance(step, p.Write) else p.Access.REMOTE_READ
        for place in step.target:
            region = self.program.region(place.node, place.region)
            wrong = step.key is p.KeyFault.WRONG or right not in region.access
            if wrong or (place.node, place.region) in self.closed or place.offset + place.size > region.size:
                return step.size > 0 or self.dice.random() < 0.5
        return False

    def _refuse(self, flow: Flow, step: p.Write | p.Read) -> None:
        flow.refused = True
        flow.parts.clear()
        flow.done = self.now + self.delay()
        if isinstance(step, p.Read):
            flow.buffer[:] = self.dice.choice([bytes(step.size), bytes(flow.buffer)])
        if self.promised.end(flow.source.node).ep_type == "MSG" and flow.target is not None:
            self.cutting.add(frozenset({flow.source.node, flow.target.node}))
        if isinstance(step, p.Write) and flow.level < DELIVERY and self.dice.random() < 0.3:
            self.at(flow.done, lambda: self._finish(flow))
        else:
            self.at(flow.done, lambda: self._fail(flow, REFUSED))

    # -- messages ---------------------------------------------------------------------------------------------------
    def _plan_send(self, flow: Flow, read_at: float) -> None:
        flow.arrival = read_at + self.delay()
        for other in self.before(flow):
            if isinstance(other.step, p.Send) and self.fenced(other, flow):
                flow.arrival = self.held(flow.arrival, other.arrival, "no fence")
            if isinstance(other.step, p.Send) and "SAS" in self.orders(flow):
                flow.arrival = self.held(flow.arrival, other.arrival, "no SAS")
        flow.notice = self.told_at(flow, 0.0)
        lost = self.promised.end(flow.source.node).ep_type == "DGRAM" and self.dice.random() < 0.3
        if not lost:
            self.at(flow.arrival, lambda: self._arrive(flow))
        flow.done = self.done_at(flow, read_at + self.delay())
        if flow.level < DELIVERY or lost:
            self.at(flow.done, lambda: self._finish(flow))

    def _accepts(self, recv: Flow, flow: Flow) -> bool:
        r, s, end = recv.step, flow.step, self.promised.end(recv.source.node)
        assert isinstance(r, p.Recv)
        assert isinstance(s, p.Send)
        if r.source not in (None, flow.source) and (end.ep_type == "MSG" or "DIRECTED_RECV" in end.caps):
            return False
        if r.tag is None or s.tag is None:
            return r.tag == s.tag
        return r.tag | r.ignore == s.tag | r.ignore

    def _arrive(self, flow: Flow) -> None:
        assert flow.target is not None
        waiting = self.posted.setdefault(flow.target, [])
        recv = next((each for each in waiting if self._accepts(each, flow)), None)
        if recv is not None:
            waiting.remove(recv)
            self._deliver(recv, flow)
            return
        self.early.setdefault(flow.target, []).append(flow)
        if flow.level >= DELIVERY:
            self.at(flow.done, lambda: self._finish(flow))

    def _post_receive(self, recv: Flow) -> None:
        waiting = self.early.setdefault(recv.source, [])
        flow = next((each for each in waiting if self._accepts(recv, each)), None)
        if flow is None:
            self.posted.setdefault(recv.source, []).append(recv)
        else:
            waiting.remove(flow)
            self._deliver(recv, flow)

    def _deliver(self, recv: Flow, flow: Flow) -> None:
        told = max(self.now, flow.notice) + self.delay()
        self.at(told, lambda: self._receive(recv, flow))
        if flow.level >= DELIVERY and not flow.ended:
            self.at(max(told, flow.done), lambda: self._finish(flow))

    def _receive(self, recv: Flow, flow: Flow) -> None:
        content, step = self.capture(flow), flow.step
        assert isinstance(step, p.Send)
        room = min(len(content), len(recv.buffer))
        recv.buffer[:room] = content[:room]
        if room < len(content):
            self._fail(recv, CUT, len(content) - room)
            return
        fields: dict[str, object] = {"len": step.size, "data": step.data or 0, "tag": step.tag or 0}
        extra = bits("REMOTE_CQ_DATA") if step.data is not None else 0
        if "SOURCE" in self.promised.end(recv.source.node).caps:
            fields |= {"source": flow.source, "source_raw": 9}
        self._finish(recv, extra, fields)

    # -- reports ----------------------------------------------------------------------------------------------------
    def _finish(self, flow: Flow, extra: int = 0, fields: dict[str, object] | None = None) -> None:
        if flow.ended:
            return
        if flow.fenced and self.fault != "early fence" and not all(other.ended for other in self.before(flow)):
            self.at(self.now + 1, lambda: self._finish(flow))
            return
        flow.ended = True
        if not isinstance(flow.step, p.Recv) and self.fault != "late source":
            self.capture(flow)
        if flow.reports:
            entry = {"flags": kind_of(flow.step) | extra, "len": 0, **(fields or {})}
            self.entries[flow.source.node].append((flow, queue_of(flow), entry))

    def _fail(self, flow: Flow, err: int, olen: int = 0) -> None:
        flow.ended = flow.failed = True
        fields: dict[str, object] = {"err": err, "olen": olen, "flags": kind_of(flow.step)}
        told = None if flow.step.form is p.Form.INJECT else flow
        self.entries[flow.source.node].append((told, queue_of(flow), fields))

    def read(self, node: str) -> bool:
        """Read the oldest entry of a random queue of the node."""
        there = self.entries[node]
        if not there:
            return False
        queue = self.dice.choice([name for _, name, _ in there])
        entry = next(each for each in there if each[1] == queue)
        there.remove(entry)
        flow, _, fields = entry
        name = flow.step.name if flow is not None else None
        if "err" in fields:
            self.record(h.Failed, node, name, queue, **fields)
        else:
            self.record(h.Completed, node, name, queue, **fields)
            if flow is not None and isinstance(flow.step, p.Recv | p.Read):
                self.record(h.Observed, node, name, bytes(flow.buffer))
        if flow is not None:
            flow.known = True
        return True

    # -- threads ----------------------------------------------------------------------------------------------------
    def thread(self, thread: p.Thread) -> Generator[float, None, None]:
        """Run a column; yields how long until it goes on."""
        node, names = thread.node, [step.name for step in thread.steps]
        for step in thread.steps:
            yield self.delay()
            if isinstance(step, p.Send | p.Recv | p.Write | p.Read):
                code = self.post(node, step)
                yield self.delay()
                self.record(h.Posted, node, step.name, code)
            elif isinstance(step, p.Wait):
                yield from self._wait(node, step, names)
            elif isinstance(step, p.Barrier):
                yield from self._barrier(node, step)
            else:
                yield from self._local(node, step)

    def _wait(self, node: str, step: p.Wait, names: list[str]) -> Generator[float, None, None]:
        earlier = [self.flows[name] for name in names[: names.index(step.name)] if name in self.flows]
        mine = [flow for flow in earlier if flow.step.name in step.ops or not step.ops]
        counting = step.by is p.WaitBy.COUNTER and {counter_of(f) for f in mine} <= self.promised.end(node).counters
        for _ in range(600):
            if counting:
                kinds = {counter_of(flow) for flow in mine}
                same = [f for f in self.flows.values() if f.source.node == node and counter_of(f) in kinds]
                missing = [] if all(flow.ended for flow in same) else mine
            else:
                missing = [flow for flow in mine if flow.reports and not flow.known]
            if not missing:
                break
            yield 0.0 if self.read(node) else 1.0
        self.record(h.Waited, node, step.name, tuple(flow.step.name for flow in missing), bool(missing))

    def _barrier(self, node: str, step: p.Barrier) -> Generator[float, None, None]:
        members = sum(isinstance(s, p.Barrier) and s.index == step.index for _, s in self.program.steps())
        self.arrived[step.index] = self.arrived.get(step.index, 0) + 1
        while self.arrived[step.index] < members:
            yield 1.0
        self.record(h.Passed, node, step.name, step.index)

    def _local(self, node: str, step: p.AnyStep) -> Generator[float, None, None]:
        if isinstance(step, p.Load | p.Store):
            place = step.place
            whole, first = self.memory[place.node, place.region], place.offset
            if isinstance(step, p.Load):
                seen = bytes(whole[first : first + place.size])
                yield self.delay()
                self.record(h.Observed, node, step.name, seen)
                return
            whole[first : first + place.size] = data.payload(self.numbers, step)
        elif isinstance(step, p.Reuse) and step.op in self.flows:
            self.flows[step.op].buffer[:] = data.scribble(bytes(self.flows[step.op].buffer))
        elif isinstance(step, p.CloseRegion):
            self.closed.add((node, step.region))
        elif isinstance(step, p.Cancel) and step.op in self.flows:
            flow = self.flows[step.op]
            if flow in self.posted.get(flow.source, []):
                self.posted[flow.source].remove(flow)
                self._fail(flow, CANCELLED)
        yield self.delay()
        self.record(h.Did, node, step.name)

    # -- the run ----------------------------------------------------------------------------------------------------
    def run(self) -> h.History:
        """Run to the end and write down what memory holds."""
        running = {thread.node + str(thread.index): self.thread(thread) for thread in self.program.threads}
        for name, each in running.items():
            self.at(0.0, lambda name=name, each=each: self._step(running, name, each))  # type: ignore[misc]
        while self.agenda and (running or self.patient or self.dice.random() < 0.9):
            self.now, _, action = heapq.heappop(self.agenda)
            action()
            if self.dice.random() < 0.05:
                self.read(self.dice.choice(list(self.events)))
        for node in self.events:
            while self.read(node):
                pass
        self._contents(quiet=not self.agenda)
        return h.History(tuple(event for events in self.events.values() for event in events))

    def _step(
        self, running: dict[str, Generator[float, None, None]], name: str, each: Generator[float, None, None]
    ) -> None:
        try:
            pause = next(each)
        except StopIteration:
            del running[name]
            return
        self.at(self.now + pause, lambda: self._step(running, name, each))

    def _contents(self, quiet: bool) -> None:
        for node in self.events:
            for counter in sorted(self.promised.end(node).counters):
                mine = [
                    f for f in self.flows.values() if f.source.node == node and counter_of(f) == counter and f.ended
                ]
                failed = sum(flow.failed for flow in mine)
                self.record(h.Counted, node, counter, len(mine) - failed, failed)
        for node in self.events:
            for peer in self.events:
                if quiet and peer != node and not self.cutting:
                    self.record(h.Probed, node, peer, arrived=True, polls=100)
        for (node, name), content in self.memory.items():
            self.record(h.Content, node, f"region:{name}", bytes(content))
        for flow in self.flows.values():
            kind = "source" if isinstance(flow.step, p.Send | p.Write) else "buffer"
            self.record(h.Content, flow.source.node, f"{kind}:{flow.step.name}", bytes(flow.buffer))
