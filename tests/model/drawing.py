# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Programs and guarantees drawn at random for the machine of dice: small, crowded, full of conflicts."""

from __future__ import annotations

import random
from dataclasses import replace

from kfabric.model import program as p
from kfabric.model.guarantees import LITMUS, UNLIMITED, End, Guarantees

ORDERS = ("RAR", "RAW", "RAS", "WAR", "WAW", "WAS", "SAR", "SAW", "SAS")
CLASSES = tuple(f"{kind}_{name}" for kind in ("RMA", "ATOMIC") for name in ("RAW", "WAR", "WAW"))
ELEMENTS = {"UINT64": 8, "INT32": 4, "UINT8": 1}
BASE = ("SUM", "MIN", "MAX", "PROD", "BOR", "BAND", "BXOR", "LOR", "LAND", "LXOR", "ATOMIC_WRITE")
COMPARE = ("CSWAP", "CSWAP_NE", "CSWAP_LE", "CSWAP_LT", "CSWAP_GE", "CSWAP_GT", "MSWAP")


def guarantees(dice: random.Random, share: float | None = None) -> Guarantees:
    """What one provider promises at all ends (sometimes one end promises less)."""
    share = dice.choice([0.0, 0.3, 0.7, 1.0]) if share is None else share
    orders = frozenset(name for name in (*ORDERS, *CLASSES) if dice.random() < share)
    caps = set(LITMUS.caps) | {name for name in ("SOURCE", "DIRECTED_RECV") if dice.random() < 0.5}
    if dice.random() < 0.3:
        caps.discard("FENCE")
    level = dice.choice(["DELIVERY_COMPLETE", "INJECT_COMPLETE", "TRANSMIT_COMPLETE"])
    flags = {name for name in ("COMPLETION", level) if dice.random() < 0.4}
    sizes = [dice.choice([0, 4, 8, 16, UNLIMITED, UNLIMITED]) for _ in range(3)]
    end = replace(
        LITMUS,
        caps=frozenset(caps),
        tx_order=orders,
        rx_order=orders,
        tx_op_flags=frozenset(flags),
        rx_op_flags=frozenset({"COMPLETION"}) if dice.random() < 0.5 else frozenset(),
        max_order_raw_size=sizes[0],
        max_order_war_size=sizes[1],
        max_order_waw_size=sizes[2],
        selective=dice.random() < 0.3,
        counters=frozenset({"send", "recv", "read", "write"}) if dice.random() < 0.4 else frozenset(),
        ep_type="RDM",
    )
    other = replace(end, rx_order=frozenset(name for name in orders if dice.random() < 0.7))
    return Guarantees(end, (("B", other),) if dice.random() < 0.2 else ())


class Drawing:
    """One Program being drawn. ``taste`` weighs the kinds of steps."""

    def __init__(self, dice: random.Random, promised: Guarantees, taste: str = "") -> None:
        self.dice = dice
        self.end: End = promised.default
        self.nodes = ["A", "B", "C"][: dice.choice([2, 2, 3])]
        self.taste = taste or dice.choice(["messages", "memory", "memory", "atomics", "mixed", "mixed"])
        self.count = 0
        self.data = 0
        self.regions = [self._region(node, name) for node in self.nodes for name in ("x", "y") if dice.random() < 0.7]
        if not self.regions:
            self.regions = [self._region("B", "x")]

    def _region(self, node: str, name: str) -> p.Region:
        access = p.ALL_ACCESS
        if self.dice.random() < 0.1:
            access = frozenset(right for right in p.Access if self.dice.random() < 0.6)
        return p.Region(node, name, self.dice.choice([8, 16]), False, access, self.dice.choice([None, 0, 7]))

    def _name(self) -> str:
        self.count += 1
        return f"s{self.count}"

    def _place(self, node: str | None = None, size: int | None = None) -> p.Location | None:
        fitting = [region for region in self.regions if node is None or region.node == node]
        if not fitting:
            return None
        region = self.dice.choice(fitting)
        if size is None:
            first = self.dice.randrange(region.size)
            size = self.dice.randrange(1, region.size - first + 1)
            if self.dice.random() < 0.4:
                first, size = 0, region.size
        else:
            first = self.dice.randrange(region.size // size) * size
        if self.dice.random() < 0.04:
            size += region.size
        return p.Location(region.node, region.name, first, size)

    def _call(self, *, sends: bool = True, level: bool = True) -> tuple[p.Form, frozenset[p.OpMark]]:
        dice = self.dice
        if dice.random() < 0.5:
            return p.Form.PLAIN, frozenset()
        marks: set[p.OpMark] = set()
        if level and dice.random() < 0.6:
            marks.add(
                dice.choice(
                    [
                        p.OpMark.DELIVERY_COMPLETE,
                        p.OpMark.DELIVERY_COMPLETE,
                        p.OpMark.TRANSMIT_COMPLETE,
                        p.OpMark.INJECT_COMPLETE,
                    ]
                )
            )
        if dice.random() < 0.6:
            marks.add(p.OpMark.COMPLETION)
        if sends and dice.random() < 0.35 and "FENCE" in self.end.caps:
            marks.add(p.OpMark.FENCE)
        if sends and dice.random() < 0.1:
            marks.add(p.OpMark.INJECT)
        return p.Form.MSG, frozenset(marks)

    def _fault(self) -> p.KeyFault:
        return p.KeyFault.WRONG if self.dice.random() < 0.03 else p.KeyFault.NONE

    def _value(self) -> p.Value:
        return p.Bytes(self.dice.randrange(1, 5)) if self.dice.random() < 0.15 else p.Pattern()

    def _datum(self, chance: float) -> int | None:
        self.data += 1
        return (self.data if self.dice.random() < 0.8 else 1) if self.dice.random() < chance else None

    # -- steps -----------------------------------------------------------------------------------------------------
    def send(self, node: str) -> p.AnyStep:
        dice = self.dice
        form, marks = self._call()
        if dice.random() < 0.1:
            form, marks = p.Form.INJECT, frozenset()
        peers = [name for name in self.nodes if name != node]
        return p.Send(
            self._name(), p.EndpointRef(dice.choice(peers)), dice.choice([0, 1, 4, 8, 8, 12]), self._value(),
            dice.choice([None, None, 1, 2, 3]), self._datum(0.2), form, marks,
        )  # fmt: skip

    def recv(self, node: str) -> p.AnyStep:
        dice = self.dice
        form, marks = self._call(sends=False, level=False)
        source = p.EndpointRef(dice.choice([n for n in self.nodes if n != node])) if dice.random() < 0.2 else None
        tag = dice.choice([None, None, 1, 2, 3])
        ignore = dice.choice([0, 0, 1, 3, (1 << 64) - 1]) if tag is not None else 0
        return p.Recv(self._name(), dice.choice([12, 12, 12, 8, 4]), source, tag, ignore, form, marks)

    def write(self, node: str) -> p.AnyStep | None:
        place = self._place()
        if place is None or place.node == node:
            return None
        form, marks = self._call()
        if self.dice.random() < 0.1:
            form, marks = p.Form.INJECT, frozenset()
        places = (place,)
        if self.dice.random() < 0.15 and form is p.Form.MSG:
            other = self._place(place.node)
            places = (place, other) if other is not None and not _overlap(place, other) else places
        return p.Write(self._name(), places, self._value(), self._datum(0.2), form, marks, key=self._fault())

    def read(self, node: str) -> p.AnyStep | None:
        place = self._place()
        if place is None or place.node == node:
            return None
        form, marks = self._call()
        marks -= {p.OpMark.INJECT}
        return p.Read(self._name(), (place,), form, marks, key=self._fault())

    def atomic(self, node: str) -> p.AnyStep | None:
        dice = self.dice
        datatype = dice.choice(["UINT64", "UINT64", "INT32", "UINT8"])
        size = ELEMENTS[datatype]
        place = self._place(size=size * dice.choice([1, 1, 8 // size]))
        if place is None or place.node == node or place.size % size:
            return None
        count = place.size // size
        kind = dice.choice(list(p.AtomicKind))
        op = dice.choice(COMPARE if kind is p.AtomicKind.COMPARE else BASE)
        if kind is p.AtomicKind.FETCH and dice.random() < 0.3:
            op = "ATOMIC_READ"
        form, marks = self._call()
        if kind is p.AtomicKind.BASE and dice.random() < 0.1:
            form, marks = p.Form.INJECT, frozenset()
        values = tuple(dice.randrange(1, 9) for _ in range(count))
        return p.Atomic(
            self._name(), kind, op, datatype, place, count, () if op == "ATOMIC_READ" else values,
            tuple(dice.randrange(0, 9) for _ in range(count)) if kind is p.AtomicKind.COMPARE else (),
            form, marks, self._fault(),
        )  # fmt: skip

    def local(self, node: str) -> p.AnyStep | None:
        place = self._place(node)
        if place is None or place.offset + place.size > self._size_of(place):
            return None
        if self.dice.random() < 0.6:
            return p.Load(self._name(), place)
        return p.Store(self._name(), place, self._value())

    def _size_of(self, place: p.Location) -> int:
        return next(r.size for r in self.regions if (r.node, r.name) == (place.node, place.region))

    def wait(self, earlier: list[p.AnyStep]) -> p.AnyStep:
        ops = [s.name for s in earlier if isinstance(s, p.Send | p.Recv | p.Write | p.Read | p.Atomic)]
        named = (
            tuple(self.dice.sample(ops, self.dice.randrange(1, len(ops) + 1)))
            if ops and self.dice.random() < 0.4
            else ()
        )
        by = p.WaitBy.COUNTER if self.end.counters and self.dice.random() < 0.3 else p.WaitBy.POLL
        return p.Wait(self._name(), named, by)

    def program(self) -> p.Program:
        """The whole."""
        dice = self.dice
        columns: list[tuple[str, int]] = [(node, 0) for node in self.nodes]
        if dice.random() < 0.25:
            columns.append((dice.choice(self.nodes), 1))
        steps: dict[tuple[str, int], list[p.AnyStep]] = {column: [] for column in columns}
        weights = {
            "messages": (5, 5, 1, 0, 0, 1),
            "memory": (1, 1, 5, 3, 0, 3),
            "atomics": (1, 1, 0, 1, 6, 1),
            "mixed": (3, 3, 3, 2, 2, 2),
        }[self.taste]  # fmt: skip
        makers = (self.send, self.recv, self.write, self.read, self.atomic, self.local)
        rounds = dice.randrange(1, 4)
        for index in range(rounds):
            for column in columns:
                for _ in range(dice.randrange(0, 5)):
                    made = dice.choices(makers, weights)[0](column[0])
                    if made is not None:
                        steps[column].append(made)
                    if dice.random() < 0.25:
                        steps[column].append(self.wait(steps[column]))
                    self._aside(column[0], steps[column])
            if index < rounds - 1:
                chosen = [column for column in columns if dice.random() < 0.8]
                if len(chosen) > 1:
                    for column in chosen:
                        steps[column].append(p.Barrier(self._name(), index))
        threads = tuple(p.Thread(node, tuple(steps[node, index]), index) for node, index in columns)
        return p.Program("drawn", threads, tuple(self.regions))

    def _aside(self, node: str, mine: list[p.AnyStep]) -> None:
        """Sometimes overwrite a source buffer, cancel a receive, or close a region."""
        dice = self.dice
        ops = [
            s
            for s in mine
            if isinstance(s, p.Send | p.Write | p.Atomic) and not (isinstance(s, p.Atomic) and not s.operand)
        ]
        if ops and dice.random() < 0.12:
            mine.append(p.Reuse(self._name(), dice.choice(ops).name))
        recvs = [s for s in mine if isinstance(s, p.Recv)]
        if recvs and dice.random() < 0.05:
            mine.append(p.Cancel(self._name(), dice.choice(recvs).name))
        own = [region for region in self.regions if region.node == node]
        if own and dice.random() < 0.015:
            mine.append(p.CloseRegion(self._name(), dice.choice(own).name))


def _overlap(a: p.Location, b: p.Location) -> bool:
    return a.region == b.region and a.offset < b.offset + b.size and b.offset < a.offset + a.size


def draw(seed: int, taste: str = "") -> tuple[p.Program, Guarantees]:
    """A Program and what is promised, by seed."""
    dice = random.Random(seed)
    if taste in FOCUSED:
        promised = guarantees(dice, share=1.0)
        end = replace(
            promised.default,
            caps=promised.default.caps | {"FENCE"},
            selective=False,
            **{f"max_order_{name}_size": UNLIMITED for name in ("raw", "war", "waw")},
        )
        promised = Guarantees(end)
        return Focused(dice, promised).program(taste), promised
    promised = guarantees(dice)
    return Drawing(dice, promised, taste).program(), promised


FOCUSED = ("stream", "notices", "bytes", "elements", "third", "reuse")


class Focused(Drawing):
    """Programs in which one kind of order is under fire all the time."""

    def program(self, taste: str = "") -> p.Program:
        """The whole, by taste."""
        dice = self.dice
        self.nodes = ["A", "B", "C"] if taste == "third" else ["A", "B"]
        self.regions = [p.Region("B", "x", 8, init=dice.choice([None, 0]))]
        if taste == "stream":
            return self._stream()
        if taste == "reuse":
            return self._reuse()
        mine: list[p.AnyStep] = []
        theirs: list[p.AnyStep] = []
        for _ in range(dice.randrange(1, 4)):
            for _ in range(dice.randrange(1, 4)):
                made = None
                while made is None:
                    made = self._one(taste)
                mine.append(made)
            if taste in ("notices", "third") or dice.random() < 0.3:
                fence = frozenset({p.OpMark.FENCE} if dice.random() < 0.3 else ())
                form = p.Form.MSG if fence else p.Form.PLAIN
                mine.append(p.Send(self._name(), p.EndpointRef("B"), 8, form=form, marks=fence))
                theirs.append(p.Recv(self._name(), 8))
                theirs.append(p.Wait(self._name()))
                theirs.append(p.Load(self._name(), p.Location("B", "x", 0, 8)))
        mine.append(p.Wait(self._name()))
        threads = [p.Thread("A", tuple(mine)), p.Thread("B", tuple(theirs))]
        if taste == "third":
            mine.append(p.Send(self._name(), p.EndpointRef("C"), 4))
            threads[0] = p.Thread("A", tuple(mine))
            last = (p.Recv("r", 4), p.Wait("w", ("r",)), p.Read("look", (p.Location("B", "x", 0, 8),)), p.Wait("v"))
            threads.append(p.Thread("C", last))
        return p.Program(taste, tuple(threads), tuple(self.regions))

    def _one(self, taste: str) -> p.AnyStep | None:
        dice = self.dice
        place = p.Location("B", "x", 0, 8) if dice.random() < 0.6 else p.Location("B", "x", dice.choice([0, 2]), 4)
        if taste == "elements":
            return self.atomic("A")
        marks = frozenset({dice.choice([p.OpMark.DELIVERY_COMPLETE, p.OpMark.FENCE])} if dice.random() < 0.5 else ())
        form = p.Form.MSG if marks else p.Form.PLAIN
        if taste == "bytes" and dice.random() < 0.5:
            return p.Read(self._name(), (place,), form, marks)
        data = self._datum(0.3) if taste == "notices" else None
        return p.Write(self._name(), (place,), p.Pattern(), data, form, marks)

    def _reuse(self) -> p.Program:
        """Source buffers that are overwritten as soon as that is allowed, or a little earlier."""
        dice = self.dice
        mine: list[p.AnyStep] = []
        theirs: list[p.AnyStep] = []
        for _ in range(dice.randrange(1, 4)):
            form, marks = self._call()
            form, marks = (p.Form.INJECT, frozenset()) if dice.random() < 0.4 else (form, marks)
            if dice.random() < 0.5:
                step: p.AnyStep = p.Send(self._name(), p.EndpointRef("B"), 8, form=form, marks=marks)
                theirs.append(p.Recv(self._name(), 8))
            else:
                step = p.Write(self._name(), (p.Location("B", "x", 0, 8),), form=form, marks=marks)
            mine.append(step)
            if dice.random() < 0.7:
                mine.append(p.Wait(self._name(), (step.name,)))
            mine.append(p.Reuse(self._name(), step.name))
        theirs.append(p.Wait(self._name()))
        return p.Program("reuse", (p.Thread("A", tuple(mine)), p.Thread("B", tuple(theirs))), tuple(self.regions))

    def _stream(self) -> p.Program:
        dice = self.dice
        tagged = dice.random() < 0.5
        count = dice.randrange(2, 7)
        sends: list[p.AnyStep] = []
        recvs: list[p.AnyStep] = []
        for _ in range(count):
            tag = dice.choice([1, 2]) if tagged else None
            ignore = dice.choice([0, 3, 3]) if tagged else 0
            form, marks = self._call(level=False) if dice.random() < 0.3 else (p.Form.PLAIN, frozenset())
            sends.append(
                p.Send(self._name(), p.EndpointRef("B"), dice.choice([1, 8, 12]), tag=tag, form=form, marks=marks)
            )
            if dice.random() < 0.2:
                sends.append(p.Wait(self._name()))
            recvs.append(p.Recv(self._name(), 12, None, tag, ignore))
            if dice.random() < 0.3:
                recvs.append(p.Wait(self._name()))
        first = [p.Barrier(self._name(), 0)] if dice.random() < 0.6 else []
        second = [p.Barrier(self._name(), 0)] if first else []
        sends.append(p.Wait(self._name()))
        recvs.append(p.Wait(self._name()))
        posted = [step for step in recvs if isinstance(step, p.Recv)] + [p.Wait(self._name())] if first else recvs
        receiving = p.Thread("B", (*posted[:-1], *second, posted[-1]) if first else tuple(posted))
        return p.Program("stream", (p.Thread("A", (*first, *sends)), receiving), tuple(self.regions))
