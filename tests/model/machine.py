# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A provider made of dice: runs a Program as weakly as its guarantees allow, and records the History.

Written from the specification without looking at the Judge, as its opponent. Everything happens in tiny actions, any of
which may be next unless a promise forbids it: chunks of a write reach the adapter and, later, the processor's view;
completions of weak levels come before anything else did; calls return after others already saw their effects. With a
``fault`` it breaks one promise on purpose.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from kfabric.model import data
from kfabric.model import history as h
from kfabric.model import program as p
from kfabric.model.datatypes import SIZES, decode_one, encode_one
from kfabric.model.guarantees import End, Guarantees

ECANCELED, ETRUNC, EACCES = 125, 265, 13
FLAG = {"MSG": 2, "RMA": 4, "TAGGED": 8, "ATOMIC": 16, "READ": 256, "WRITE": 512, "RECV": 1024, "SEND": 2048}
REMOTE_WRITE, REMOTE_CQ_DATA = 1 << 13, 1 << 17
NOTAVAIL = (1 << 64) - 1
WEIGHT = {"INJECT_COMPLETE": 1, "TRANSMIT_COMPLETE": 2, "DELIVERY_COMPLETE": 3, "COMMIT_COMPLETE": 4}
Ref = p.EndpointRef


@dataclass(eq=False)
class Chunk:
    """Some bytes of an operation, which move at once."""

    place: p.Location
    at: int
    """Offset in the operation's own buffer."""
    content: bytes | None = None
    near: bool = False
    """It has reached the target's adapter (or, of a read, was taken from there)."""
    seen: bool = False
    """The target's processor sees it."""

    def overlaps(self, other: Chunk) -> bool:
        a, b = self.place, other.place
        same = (a.node, a.region) == (b.node, b.region)
        return same and a.offset < b.offset + b.size and b.offset < a.offset + a.size


@dataclass(eq=False)
class Flight:
    """One operation under way."""

    step: p.Operation
    source: Ref
    target: Ref | None
    number: int
    flags: frozenset[str]
    reports: bool
    level: int
    payload: bytearray = field(default_factory=bytearray)
    captured: bytes | None = None
    buffer: bytearray = field(default_factory=bytearray)
    chunks: list[Chunk] = field(default_factory=list)
    arrived: bool = False
    recv: Flight | None = None
    message: Flight | None = None
    placed: bool = False
    told: bool = False
    """The target has been told (receive completed, entry for remote data written)."""
    done: bool = False
    """Complete at the initiator: counted, and its entry, if any, is in the queue."""
    failed: bool = False
    gone: bool = False
    known: bool = False
    """The application read its entry."""
    known_at: int = -1
    processed: bool = False

    @property
    def fence(self) -> bool:
        return "FENCE" in self.flags

    @property
    def reads(self) -> bool:
        s = self.step
        return isinstance(s, p.Read) or (isinstance(s, p.Atomic) and s.kind is not p.AtomicKind.BASE)

    @property
    def writes(self) -> bool:
        s = self.step
        return isinstance(s, p.Write) or (isinstance(s, p.Atomic) and s.kind is p.AtomicKind.BASE)

    @property
    def settled(self) -> bool:
        """Every byte it changes is seen by the target's processor, or it changes none."""
        return self.failed or self.gone or all(chunk.seen for chunk in self.chunks)


class Machine:
    """One run."""

    def __init__(
        self, program: p.Program, guarantees: Guarantees, seed: int, fault: str = "", patient: bool = False
    ) -> None:
        self.program = program
        self.guarantees = guarantees
        self.random = random.Random(seed)
        self.fault = fault
        self.faulty = 0
        self.patient = patient or self.random.random() < 0.6
        """Everything under way ends before memory is read at the end."""
        self.numbers = data.Numbering(program)
        self.memory = {(r.node, r.name): bytearray(data.initial(r)) for r in program.regions}
        self.regions = {(r.node, r.name): r for r in program.regions}
        self.staged: list[tuple[Flight, Chunk]] = []
        self.closed: set[tuple[str, str]] = set()
        self.flights: dict[str, Flight] = {}
        self.sent: list[Flight] = []
        self.posted: dict[Ref, list[Flight]] = {}
        self.unexpected: dict[Ref, list[Flight]] = {}
        self.queues: dict[tuple[str, str], list[tuple[Flight | None, dict[str, object]]]] = {}
        self.events: dict[str, list[h.AnyEvent]] = {node: [] for node in program.nodes}
        self.threads = [Runner(self, thread) for thread in program.threads]
        self.clock = 0
        self.finishing = False

    # -- helpers ---------------------------------------------------------------------------------------------------
    def end(self, node: str) -> End:
        return self.guarantees.end(node)

    def record(self, kind: type[h.AnyEvent], node: str, *fields: object, **named: object) -> None:
        mine = self.events[node]
        mine.append(kind(node, len(mine), self.clock, *fields, **named))  # type: ignore[arg-type]

    def breaks(self, fault: str, chance: float = 0.6) -> bool:
        """Whether the planted fault strikes here."""
        if self.fault == fault and self.random.random() < chance:
            self.faulty += 1
            return True
        return False

    def orders(self, flight: Flight) -> frozenset[str]:
        assert flight.target is not None
        return self.end(flight.source.node).tx_order & self.end(flight.target.node).rx_order

    def earlier(self, flight: Flight) -> Iterator[Flight]:
        """Operations of the same channel posted before."""
        for other in self.sent:
            if other.number < flight.number and (other.source, other.target) == (flight.source, flight.target):
                yield other

    def fenced_off(self, first: Flight, second: Flight) -> bool:
        """A fence lies between the two (or is the second)."""
        for other in self.sent:
            same = (other.source, other.target) == (second.source, second.target)
            if same and other.fence and first.number < other.number <= second.number:
                return True
        return False

    def data_ordered(self, first: Flight, second: Flight) -> bool:
        """Both touch the same bytes in the order of posting."""
        kind = {(True, False): "RAW", (False, True): "WAR", (False, False): "WAW"}.get((second.reads, first.reads))
        if kind is None or self.fault == f"no {kind}":
            return False
        atomic = [isinstance(each.step, p.Atomic) for each in (first, second)]
        names = {kind} | ({f"ATOMIC_{kind}"} if all(atomic) else set() if any(atomic) else {f"RMA_{kind}"})
        assert first.target is not None
        limits = [
            getattr(self.end(node), f"max_order_{kind.lower()}_size") for node in (first.source.node, first.target.node)
        ]
        big = max(_size(first.step), _size(second.step))
        return bool(names & self.orders(first)) and (min(limits) == NOTAVAIL or big < min(limits))

    # -- posting ---------------------------------------------------------------------------------------------------
    def post(self, thread: p.Thread, step: p.Operation) -> None:
        end = self.end(thread.node)
        receiving = isinstance(step, p.Recv)
        if step.form is p.Form.MSG:
            flags = frozenset(mark.name for mark in step.marks)
        else:
            flags = end.rx_op_flags if receiving else end.tx_op_flags
        level = max((WEIGHT[name] for name in flags if name in WEIGHT), default=0)
        reports = step.form is not p.Form.INJECT and (not end.selective or "COMPLETION" in flags)
        if self.fault == "inject reports" and step.form is p.Form.INJECT:
            reports, self.faulty = True, self.faulty + 1
        if self.fault == "selective ignored" and end.selective and not reports and step.form is not p.Form.INJECT:
            reports, self.faulty = True, self.faulty + 1
        if "FENCE" not in end.caps:
            flags -= {"FENCE"}
        source = Ref(thread.node, step.via)
        flight = Flight(step, source, _target(step), len(self.flights), flags, reports, level)
        self.flights[step.name] = flight
        if isinstance(step, p.Send | p.Write):
            flight.payload = bytearray(data.payload(self.numbers, step))
        elif isinstance(step, p.Atomic):
            flight.payload = bytearray(data.operand(step))
        at_once = step.form is p.Form.INJECT or "INJECT" in flags
        if at_once and self.fault != "inject aliases":
            flight.captured = bytes(flight.payload)
        if isinstance(step, p.Recv | p.Read) or (isinstance(step, p.Atomic) and step.kind is not p.AtomicKind.BASE):
            flight.buffer = bytearray(data.fill(step.name, _size(step)))
        if isinstance(step, p.Recv):
            self._post_receive(flight)
        else:
            self._cut(flight)
            self.sent.append(flight)

    def _cut(self, flight: Flight) -> None:
        """Split the bytes into chunks; elements of atomics stay whole."""
        step = flight.step
        if isinstance(step, p.Send | p.Recv):
            return
        at = 0
        for place in (step.target,) if isinstance(step, p.Atomic) else step.target:
            unit = SIZES[step.datatype] if isinstance(step, p.Atomic) else 1
            cuts = [0, place.size]
            if isinstance(step, p.Atomic):
                cuts = list(range(0, place.size + 1, unit))
            elif place.size > 1 and self.random.random() < 0.7:
                cuts.insert(1, self.random.randrange(1, place.size))
            for first, last in pairwise(cuts):
                part = p.Location(place.node, place.region, place.offset + first, last - first)
                flight.chunks.append(Chunk(part, at + first))
            at += place.size

    def _post_receive(self, flight: Flight) -> None:
        waiting = self.unexpected.setdefault(flight.source, [])
        order = reversed(waiting) if self.breaks("late first") else iter(waiting)
        for message in order:
            if self._accepts(flight, message):
                waiting.remove(message)
                self._match(flight, message)
                return
        self.posted.setdefault(flight.source, []).append(flight)

    def _accepts(self, recv: Flight, message: Flight) -> bool:
        r, m = recv.step, message.step
        assert isinstance(r, p.Recv)
        assert isinstance(m, p.Send)
        if (r.tag is None) != (m.tag is None):
            return False
        if r.tag is not None and m.tag is not None and (r.tag & ~r.ignore) != (m.tag & ~r.ignore):
            return self.breaks("tag ignored")
        directed = "DIRECTED_RECV" in self.end(recv.source.node).caps
        return not directed or r.source is None or r.source == message.source or self.breaks("source ignored")

    def _match(self, recv: Flight, message: Flight) -> None:
        recv.message, message.recv = message, recv

    # -- what may happen next --------------------------------------------------------------------------------------
    def actions(self) -> list[Callable[[], None]]:
        found: list[Callable[[], None]] = []
        for flight in self.sent:
            if isinstance(flight.step, p.Send):
                found.extend(self._send_actions(flight))
            else:
                found.extend(self._remote_actions(flight))
            if not flight.done and self._may_complete(flight):
                found.append(lambda flight=flight: self._complete(flight))  # type: ignore[misc]
        for _, chunk in self.staged:
            if self._may_show(chunk):
                found.append(lambda chunk=chunk: self._show(chunk))  # type: ignore[misc]
                break
        for flight in self.flights.values():
            if flight.message is not None and not flight.told and self._may_tell(flight.message):
                found.append(lambda flight=flight: self._receive(flight))  # type: ignore[misc]
        return found

    def _capture(self, flight: Flight) -> bytes:
        """Read the source buffer, if that has not been done."""
        if flight.captured is None:
            flight.captured = bytes(flight.payload)
        return flight.captured

    def _send_actions(self, flight: Flight) -> Iterator[Callable[[], None]]:
        if flight.arrived or flight.gone:
            return
        assert flight.target is not None
        for other in self.earlier(flight):
            if isinstance(other.step, p.Send) and not other.arrived and not other.gone:
                ordered = "SAS" in self.orders(flight) and self.fault != "no SAS"
                if ordered or (self.fenced_off(other, flight) and self.fault != "no fence"):
                    return
        yield lambda: self._arrive(flight)

    def _arrive(self, flight: Flight) -> None:
        assert flight.target is not None
        unreliable = self.end(flight.source.node).ep_type == "DGRAM"
        if (unreliable and self.random.random() < 0.3) or self.breaks("lost message", 0.3):
            flight.gone = True
            return
        flight.arrived = True
        waiting = self.posted.setdefault(flight.target, [])
        order = reversed(waiting) if self.breaks("last receive first") else iter(waiting)
        for recv in order:
            if self._accepts(recv, flight):
                waiting.remove(recv)
                self._match(recv, flight)
                return
        self.unexpected.setdefault(flight.target, []).append(flight)

    def _place(self, recv: Flight, message: Flight) -> None:
        """Copy the message into the receive buffer."""
        content = self._capture(message)
        room = min(len(content), len(recv.buffer))
        if self.breaks("damaged byte") and room:
            at = self.random.randrange(room)
            content = content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :]
        if self.breaks("byte past the message") and len(content) < len(recv.buffer):
            recv.buffer[len(content)] ^= 0xFF
        recv.buffer[:room] = content[:room]
        message.placed = True

    def _may_tell(self, message: Flight) -> bool:
        """Nothing that a notice at the target must show is still under way."""
        for other in self.earlier(message):
            if isinstance(other.step, p.Send | p.Recv) or other.settled:
                continue
            saw = isinstance(message.step, p.Send) and other.writes and "SAW" in self.orders(message)
            waw = isinstance(message.step, p.Write) and isinstance(other.step, p.Write)
            waw = waw and bool({"WAW", "RMA_WAW"} & self.orders(message))
            if (saw and self.fault != "no SAW") or (waw and self.fault != "no WAW"):
                return False
            if isinstance(other.step, p.Atomic) and 0 <= other.known_at <= message.number:
                return False
            for fence in self.sent:
                same = (fence.source, fence.target) == (message.source, message.target)
                if not same or not fence.fence or not other.number < fence.number <= message.number:
                    continue
                atomic = isinstance(other.step, p.Atomic) and fence is message
                if (atomic or fence.level >= 3) and self.fault != "no fence":
                    return False
        return True

    def _receive(self, recv: Flight) -> None:
        message = recv.message
        assert message is not None
        recv.told = message.told = True
        if self.breaks("completion before data"):
            self._entry(recv, message=message)
            return
        self._place(recv, message)
        if self.breaks("received twice"):
            again = [other for other in self.posted.get(recv.source, ()) if self._accepts(other, message)]
            if again:
                self.posted[recv.source].remove(again[0])
                again[0].message = message
        if len(self._capture(message)) > len(recv.buffer):
            if self.breaks("cut unseen"):
                self._entry(recv, message=message)
                return
            over = len(message.payload) - len(recv.buffer)
            if self.random.random() < 0.3:
                recv.buffer[:] = data.fill(recv.step.name, len(recv.buffer))
            self._error(recv, ETRUNC, olen=over if not self.breaks("wrong olen") else over + 1)
            return
        self._entry(recv, message=message)

    # -- remote accesses -------------------------------------------------------------------------------------------
    def forbidden(self, flight: Flight) -> bool:
        step = flight.step
        assert isinstance(step, p.Write | p.Read | p.Atomic)
        if _size(step) == 0:
            return False
        if step.key is not p.KeyFault.NONE:
            return True
        for place in (step.target,) if isinstance(step, p.Atomic) else step.target:
            region = self.regions[place.node, place.region]
            access = region.access
            if (place.node, place.region) in self.closed:
                return True
            changes = not isinstance(step, p.Read) and not (isinstance(step, p.Atomic) and step.op == "ATOMIC_READ")
            if changes and p.Access.REMOTE_WRITE not in access:
                return True
            if flight.reads and p.Access.REMOTE_READ not in access:
                return True
            if place.size and place.offset + place.size > region.size:
                return True
        return False

    def _remote_actions(self, flight: Flight) -> Iterator[Callable[[], None]]:
        if flight.failed or flight.gone:
            return
        if not flight.processed:
            yield lambda: self._process(flight)
            return
        for chunk in flight.chunks:
            if not chunk.near and self._may_move(flight, chunk):
                yield lambda chunk=chunk: self._move(flight, chunk)  # type: ignore[misc]
        step = flight.step
        if isinstance(step, p.Write) and step.data is not None and not flight.told:
            ready = flight.settled or self.fault == "early target completion"
            if ready and self._may_tell(flight):
                if not flight.settled:
                    self.faulty += 1
                yield lambda: self._tell_write(flight)

    def _process(self, flight: Flight) -> None:
        """The target looks at key and rights."""
        flight.processed = True
        if not self.forbidden(flight) or self.breaks("rights ignored"):
            for chunk in flight.chunks:
                if not self._inside(chunk):
                    chunk.near = chunk.seen = True
            return
        if (flight.level < 3 and not flight.reads and not flight.done and self.random.random() < 0.3) or flight.done:
            flight.gone = True
        else:
            flight.failed = True
        step = flight.step
        partly = [chunk for chunk in flight.chunks if self._inside(chunk)]
        outside = isinstance(step, p.Write) and step.key is p.KeyFault.NONE and len(partly) < len(flight.chunks)
        outside = outside and all(
            p.Access.REMOTE_WRITE in self.regions[c.place.node, c.place.region].access for c in partly
        )
        outside = outside and not any((c.place.node, c.place.region) in self.closed for c in flight.chunks)
        lands = isinstance(step, p.Write) and self.breaks("refused write lands")
        if (outside and self.random.random() < 0.5) or lands:
            for chunk in partly:
                content = self._capture(flight)[chunk.at : chunk.at + chunk.place.size]
                self._poke(chunk.place, content)
        if flight.failed:
            self._error(flight, EACCES)

    def _inside(self, chunk: Chunk) -> bool:
        region = self.regions[chunk.place.node, chunk.place.region]
        return chunk.place.offset + chunk.place.size <= region.size

    def _may_move(self, flight: Flight, chunk: Chunk) -> bool:
        for other in self.earlier(flight):
            if isinstance(other.step, p.Send) or other.failed or other.gone:
                continue
            fenced = self.fenced_off(other, flight) and self.fault != "no fence"
            if not fenced and not self.data_ordered(other, flight):
                continue
            if not other.processed or any(not c.near and c.overlaps(chunk) for c in other.chunks):
                return False
        return True

    def _view(self, place: p.Location) -> bytearray:
        """What the adapter sees: the processor's view under everything staged."""
        whole = bytearray(self.memory[place.node, place.region])
        for _, chunk in self.staged:
            if (chunk.place.node, chunk.place.region) == (place.node, place.region) and chunk.content is not None:
                whole[chunk.place.offset : chunk.place.offset + chunk.place.size] = chunk.content
        return whole[place.offset : place.offset + place.size]

    def _poke(self, place: p.Location, content: bytes) -> None:
        assert len(content) == place.size, (place, content)
        self.memory[place.node, place.region][place.offset : place.offset + place.size] = content

    def _move(self, flight: Flight, chunk: Chunk) -> None:
        step, size = flight.step, chunk.place.size
        chunk.near = True
        if isinstance(step, p.Read):
            content = bytes(self._view(chunk.place))
            if self.breaks("stale read"):
                content = data.initial(self.regions[chunk.place.node, chunk.place.region])[
                    chunk.place.offset : chunk.place.offset + size
                ]
            flight.buffer[chunk.at : chunk.at + size] = content
            chunk.seen = True
            return
        if isinstance(step, p.Write):
            chunk.content = self._capture(flight)[chunk.at : chunk.at + size]
            if self.breaks("misplaced write", 0.3):
                whole = self.memory[chunk.place.node, chunk.place.region]
                to = self.random.randrange(len(whole) - size + 1)
                chunk.place = p.Location(chunk.place.node, chunk.place.region, to, size)
        else:
            assert isinstance(step, p.Atomic)
            old = bytes(self._view(chunk.place))
            at = chunk.at
            new = self._compute(step, old, self._capture(flight)[at : at + size], data.compare(step)[at : at + size])
            if self.breaks("element skipped", 0.4):
                new = old
            chunk.content = new
            if flight.buffer:
                flight.buffer[at : at + size] = new if self.breaks("fetch returns new") else old
        self.staged.append((flight, chunk))

    def _compute(self, step: p.Atomic, old: bytes, operand: bytes, compare: bytes) -> bytes:
        kind = step.datatype
        t = decode_one(kind, old)
        if step.op == "ATOMIC_READ":
            return old
        b = decode_one(kind, operand)
        assert isinstance(t, int)
        assert isinstance(b, int)
        if step.kind is p.AtomicKind.COMPARE:
            c = decode_one(kind, compare)
            assert isinstance(c, int)
            if self.breaks("compare reversed", 1):
                c, t = t, c
            table = {"CSWAP": c == t, "CSWAP_NE": c != t, "CSWAP_LE": c <= t, "CSWAP_LT": c < t}
            table |= {"CSWAP_GE": c >= t, "CSWAP_GT": c > t}
            if step.op == "MSWAP":
                return encode_one(kind, (b & c) | (t & ~c))
            return operand if table[step.op] else old
        table2 = {"SUM": t + b, "PROD": t * b, "MIN": min(t, b), "MAX": max(t, b), "BOR": t | b, "BAND": t & b}
        table2 |= {"BXOR": t ^ b, "ATOMIC_WRITE": b, "LOR": int(bool(t or b)), "LAND": int(bool(t and b))}
        table2 |= {"LXOR": int(bool(t) != bool(b))}
        return encode_one(kind, table2[step.op])

    def _may_show(self, chunk: Chunk) -> bool:
        """Staged chunks reach the processor's view in any order, except where order is promised."""
        mine = next(flight for flight, other in self.staged if other is chunk)
        for flight, other in self.staged:
            if other is chunk:
                return True
            if not other.overlaps(chunk):
                continue
            atomic = isinstance(flight.step, p.Atomic) or isinstance(mine.step, p.Atomic)
            same = (flight.source, flight.target) == (mine.source, mine.target) and flight.number < mine.number
            if atomic or (same and (self.data_ordered(flight, mine) or self.fenced_off(flight, mine))):
                return False
        return True

    def _show(self, chunk: Chunk) -> None:
        assert chunk.content is not None
        self._poke(chunk.place, chunk.content)
        chunk.seen = True
        self.staged = [pair for pair in self.staged if pair[1] is not chunk]

    def _tell_write(self, flight: Flight) -> None:
        step = flight.step
        assert isinstance(step, p.Write)
        assert flight.target is not None
        flight.told = True
        fields: dict[str, object] = {
            "flags": FLAG["RMA"] * self.random.randrange(2) | REMOTE_WRITE | REMOTE_CQ_DATA,
            "len": step.size + self.breaks("wrong remote length"),
            "data": (step.data or 0) + self.breaks("wrong remote data"),
            "stray": 0x1234 if self.breaks("remote context") else 0,
        }
        self.queues.setdefault((flight.target.node, self._queue("rx", flight.target.index)), []).append((None, fields))

    # -- completion ------------------------------------------------------------------------------------------------
    def _may_complete(self, flight: Flight) -> bool:
        if flight.failed or (flight.gone and flight.reads):
            return False
        if self.fault == "early delivery" and flight.level >= 3 and not flight.reads:
            return True
        if flight.reads and not (flight.processed and all(chunk.near for chunk in flight.chunks)):
            return self.fault == "read completes early"
        if flight.level >= 3 and not flight.gone and not self._delivered(flight):
            return False
        if flight.fence and self.fault != "no fence":
            for other in self.earlier(flight):
                if other.reports and not other.done and not other.failed and not (other.gone and other.reads):
                    return False
                if flight.level >= 3 and not self._delivered(other) and not other.failed:
                    return False
        return not (flight.level >= 3 and flight.gone)

    def _delivered(self, flight: Flight) -> bool:
        if isinstance(flight.step, p.Send):
            return flight.gone or (flight.arrived and (flight.recv is None or flight.told))
        return flight.gone or (flight.processed and flight.settled)

    def _complete(self, flight: Flight) -> None:
        if flight.captured is None and self.fault != "late source read":
            self._capture(flight)
        self._entry(flight)

    def _queue(self, name: str, index: int) -> str:
        return name if index == 0 else f"{name}/{index}"

    def _entry(self, flight: Flight, message: Flight | None = None) -> None:
        """A success: counted, and told if it reports."""
        flight.done = True
        step = flight.step
        if not flight.reports or self.breaks("lost completion", 0.3):
            return
        node, end = flight.source.node, self.end(flight.source.node)
        name = "rx" if isinstance(step, p.Recv) else "tx"
        fields: dict[str, object] = {"flags": _flags(step), "len": 0 if name == "tx" else None}
        if message is not None:
            sent = message.step
            assert isinstance(sent, p.Send)
            fields["len"] = sent.size + self.breaks("wrong length")
            fields["data"] = 0
            if sent.data is not None:
                fields["flags"] = _flags(step) | REMOTE_CQ_DATA
                fields["data"] = sent.data ^ self.breaks("wrong data")
            fields["tag"] = (sent.tag or 0) ^ self.breaks("wrong tag")
            here = message.source
            if self.breaks("wrong source"):
                here = Ref(here.node, here.index + 7)
            if "SOURCE" in end.caps:
                fields |= {"source": here, "source_raw": 5}
            else:
                fields |= {"source": None, "source_raw": NOTAVAIL}
        if self.breaks("wrong flags"):
            fields["flags"] = _flags(step) ^ FLAG["MSG"]
        if self.breaks("leaked flag"):
            fields["flags"] = _flags(step) | 1 << 24
        fields["stray"] = 0
        queue = self.queues.setdefault((node, self._queue(name, step.via)), [])
        if self.breaks("wrong context", 0.3):
            queue.append((None, {**fields, "stray": 0xDEAD}))
            return
        queue.append((flight, fields))
        if self.breaks("completion twice", 0.4):
            queue.append((flight, fields))

    def _error(self, flight: Flight, err: int, olen: int = 0) -> None:
        flight.failed = True
        name = "rx" if isinstance(flight.step, p.Recv) else "tx"
        queue = self.queues.setdefault((flight.source.node, self._queue(name, flight.step.via)), [])
        if self.breaks("error hidden"):
            self._entry(flight)
            return
        fields = {"err": err if not self.breaks("negative error") else -err, "olen": olen, "flags": _flags(flight.step)}
        silent = flight.step.form is p.Form.INJECT
        queue.append((None if silent else flight, {**fields, "error": True}))

    def read(self, node: str, name: str) -> bool:
        """Read one entry of a queue, if there is one."""
        queue = self.queues.get((node, name))
        if not queue:
            return False
        flight, fields = queue.pop(0)
        op = flight.step.name if flight is not None else None
        if fields.get("error"):
            self.record(h.Failed, node, op, name, fields["err"], 0, fields["flags"], 0, fields["olen"])
        else:
            self.record(h.Completed, node, op, name, **fields)
        if flight is not None:
            flight.known = True
            flight.known_at = len(self.flights) if flight.known_at < 0 else flight.known_at
            if flight.buffer and not fields.get("error"):
                self.record(h.Observed, node, op, bytes(flight.buffer))
        return True

    def counter(self, node: str, name: str) -> tuple[int, int]:
        mine = [f for f in self.flights.values() if f.source.node == node and _counter(f) == name]
        return sum(f.done for f in mine), sum(f.failed for f in mine)

    # -- the run ---------------------------------------------------------------------------------------------------
    def run(self) -> h.History:
        for _ in range(4000):
            self.clock += 1
            choices: list[Callable[[], None]] = []
            for runner in self.threads:
                choices.extend(runner.actions())
            network = self.actions()
            readable = [key for key, queue in self.queues.items() if queue]
            if self.random.random() < 0.15 and readable:
                self.read(*self.random.choice(readable))
                continue
            if network and (not choices or self.random.random() < 0.5):
                self.random.choice(network)()
                continue
            if choices:
                self.random.choice(choices)()
                continue
            if readable:
                self.read(*self.random.choice(readable))
                continue
            if not self._give_up():
                break
        return self._finish(network)

    def _give_up(self) -> bool:
        """Nothing moves any more: a wait meets its bound."""
        stuck = [runner for runner in self.threads if runner.waiting is not None]
        if stuck:
            self.random.choice(stuck).bound()
        return bool(stuck)

    def _finish(self, network: list[Callable[[], None]]) -> h.History:
        for _ in range(2000):
            network = self.actions()
            readable = [key for key, queue in self.queues.items() if queue]
            if readable and (not network or self.random.random() < 0.5):
                self.read(*self.random.choice(readable))
            elif network and (self.patient or self.random.random() < 0.9):
                self.random.choice(network)()
            else:
                break
        for key in self.queues:
            while self.read(*key):
                pass
        quiet = not self.actions()
        for node in self.events:
            for name in sorted(self.end(node).counters):
                value, errors = self.counter(node, name)
                value += self.breaks("counter off", 1)
                self.record(h.Counted, node, name, value, errors)
        if self.fault and quiet:
            for node in self.events:
                for peer in self.events:
                    if node != peer:
                        self.record(h.Probed, node, peer, arrived=True, polls=10)
        for (node, name), content in self.memory.items():
            self.record(h.Content, node, f"region:{name}", bytes(content), not self.breaks("guard byte", 0.5))
        for flight in self.flights.values():
            node = flight.source.node
            if flight.payload:
                self.record(h.Content, node, f"source:{flight.step.name}", bytes(flight.payload))
            if flight.buffer:
                self.record(h.Content, node, f"buffer:{flight.step.name}", bytes(flight.buffer))
        return h.History(tuple(event for events in self.events.values() for event in events))


class Runner:
    """One thread of the Program."""

    def __init__(self, machine: Machine, thread: p.Thread) -> None:
        self.machine = machine
        self.thread = thread
        self.at = 0
        self.returning: Callable[[], None] | None = None
        """A call that took effect and has not returned yet."""
        self.waiting: p.Wait | None = None
        self.arrived = False
        self.outstanding: list[str] = []

    @property
    def step(self) -> p.AnyStep | None:
        return self.thread.steps[self.at] if self.at < len(self.thread.steps) else None

    def actions(self) -> list[Callable[[], None]]:
        if self.returning is not None:
            return [self._return]
        step = self.step
        if step is None:
            return []
        if isinstance(step, p.Barrier):
            if not self.arrived:
                return [self._arrive]
            return [self._leave] if self._all_arrived(step.index) else []
        if isinstance(step, p.Wait):
            self.waiting = step
            return self._wait(step)
        return [self._call]

    def _return(self) -> None:
        assert self.returning is not None
        self.returning()
        self.returning = None
        self.at += 1

    def _arrive(self) -> None:
        self.arrived = True

    def _all_arrived(self, index: int) -> bool:
        for other in self.machine.threads:
            for place, step in enumerate(other.thread.steps):
                mine = isinstance(step, p.Barrier) and step.index == index
                if mine and not (other.at > place or (other.at == place and other.arrived)):
                    return False
        return True

    def _leave(self) -> None:
        step = self.step
        assert isinstance(step, p.Barrier)
        self.machine.record(h.Passed, self.thread.node, step.name, step.index)
        self.arrived = False
        self.at += 1

    # -- waiting ---------------------------------------------------------------------------------------------------
    def _missing(self, step: p.Wait) -> list[str]:
        machine = self.machine
        names = list(step.ops) or self.outstanding
        missing = []
        for name in names:
            flight = machine.flights.get(name)
            if flight is None:
                continue
            if step.by is p.WaitBy.COUNTER:
                kind = _counter(flight)
                mine = [
                    f for f in machine.flights.values() if f.source.node == self.thread.node and _counter(f) == kind
                ]
                if not all(f.done or f.failed for f in mine):
                    missing.append(name)
            elif flight.reports and not flight.known:
                missing.append(name)
        return missing

    def _wait(self, step: p.Wait) -> list[Callable[[], None]]:
        if not self._missing(step):
            return [self._waited]
        node = self.thread.node
        mine = [key for key, queue in self.machine.queues.items() if key[0] == node and queue]
        return [lambda key=key: self._poll(*key) for key in mine]  # type: ignore[misc]

    def _poll(self, node: str, name: str) -> None:
        self.machine.read(node, name)

    def _waited(self) -> None:
        step = self.step
        assert isinstance(step, p.Wait)
        self.machine.record(h.Waited, self.thread.node, step.name, (), False)
        self._after_wait(step, ())

    def bound(self) -> None:
        step = self.step
        assert isinstance(step, p.Wait)
        missing = tuple(self._missing(step))
        self.machine.record(h.Waited, self.thread.node, step.name, missing, True)
        self._after_wait(step, missing)

    def _after_wait(self, step: p.Wait, missing: tuple[str, ...]) -> None:
        done = set(step.ops or self.outstanding) - set(missing)
        self.outstanding = [name for name in self.outstanding if name not in done]
        self.waiting = None
        self.at += 1

    # -- calls -----------------------------------------------------------------------------------------------------
    def _call(self) -> None:
        """Enter a call: its effect is there, its return is not recorded yet."""
        step, machine, node = self.step, self.machine, self.thread.node
        if isinstance(step, p.Send | p.Recv | p.Write | p.Read | p.Atomic):
            machine.post(self.thread, step)
            self.outstanding.append(step.name)
            self.returning = lambda: machine.record(h.Posted, node, step.name)
        elif isinstance(step, p.Load):
            place = step.place
            seen = bytes(machine.memory[place.node, place.region][place.offset : place.offset + place.size])
            self.returning = lambda: machine.record(h.Observed, node, step.name, seen)
        elif isinstance(step, p.Store):
            machine._poke(step.place, data.payload(machine.numbers, step))
            self.returning = lambda: machine.record(h.Did, node, step.name)
        elif isinstance(step, p.Reuse):
            flight = machine.flights[step.op]
            flight.payload[:] = data.scribble(bytes(flight.payload))
            self.returning = lambda: machine.record(h.Did, node, step.name)
        elif isinstance(step, p.CloseRegion):
            machine.closed.add((node, step.region))
            self.returning = lambda: machine.record(h.Did, node, step.name)
        elif isinstance(step, p.Cancel):
            code = self._cancel(step)
            self.returning = lambda: machine.record(h.Did, node, step.name, code)

    def _cancel(self, step: p.Cancel) -> int:
        machine = self.machine
        flight = machine.flights[step.op]
        waiting = machine.posted.get(flight.source, [])
        if flight in waiting and machine.random.random() < 0.8:
            waiting.remove(flight)
            machine._error(flight, ECANCELED)
            return 0
        return 2 if flight in waiting else machine.random.choice([0, 2])


def _size(step: p.Operation) -> int:
    return step.target.size if isinstance(step, p.Atomic) else step.size


def _target(step: p.Operation) -> Ref | None:
    if isinstance(step, p.Send):
        return step.to
    if isinstance(step, p.Recv):
        return None
    place = step.target if isinstance(step, p.Atomic) else step.target[0]
    return Ref(place.node, step.to)


def _flags(step: p.Operation) -> int:
    if isinstance(step, p.Send | p.Recv):
        return (FLAG["MSG"] if step.tag is None else FLAG["TAGGED"]) | FLAG[step.word.upper()]
    if isinstance(step, p.Atomic):
        return FLAG["ATOMIC"] | FLAG["WRITE" if step.kind is p.AtomicKind.BASE else "READ"]
    return FLAG["RMA"] | FLAG[step.word.upper()]


def _counter(flight: Flight) -> str:
    if isinstance(flight.step, p.Send):
        return "send"
    if isinstance(flight.step, p.Recv):
        return "recv"
    return "read" if flight.reads else "write"
