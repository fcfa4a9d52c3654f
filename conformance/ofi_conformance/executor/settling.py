# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The end of a Program on one node: waiting for what is still to come, then writing down what memory holds.

The node decides nothing here. It waits as long as its bounds allow for what the Program says should come, reports
what has not, and does as the coordinator says: probe, finish. Waiting for memory and counters is no claim that they
were due.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kfabric.api import Flag
from kfabric.model import data
from kfabric.model.program import (
    Atomic,
    AtomicKind,
    EndpointRef,
    Read,
    Recv,
    Send,
    Store,
    Write,
)

from .legality import violates
from .probing import Prober

if TYPE_CHECKING:
    from .posting import Op
    from .runner import Runner

_LAST_POLLS = 10
"""Progress calls that come back empty before counters are read."""
_NONZERO = re.compile(rb"[^\0]+", re.DOTALL)
_PAUSE = 0.0001
_IMPATIENCE = 5
"""How much less to wait for counters on a node whose counters have been seen to stay behind."""


class Settling:
    """What a node does after its last step."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._program = runner.program
        self._failed: set[str] = set()
        """Operations of any node known to have failed: nothing need come of them."""
        self._landed = False
        """All memory has been seen as it should be."""

    def run(self) -> bool:
        """Follow the coordinator until the run is over; whether all open receives were taken back."""
        runner = self._runner
        runner.agent.say(("done", [op.name for op in runner.ops.values() if op.failed], runner.fresh()))
        while True:
            word = self._next_word()
            if word[0] == "settle":
                self._failed = set(word[1])
                runner.agent.say(("settled", self._settle(), runner.fresh()))
            elif word[0] == "probe":
                prober = runner.prober = Prober(runner, word[1], recorded=word[2], bound=word[3])
                try:
                    arrived = prober.run()
                finally:
                    runner.prober = None
                runner.agent.say(("probed", arrived, runner.fresh()))
            elif word[0] == "finish":
                self._contents()
                return bool(word[1]) and self._cancel_receives()

    def _next_word(self) -> Any:
        """The coordinator's next word, driving progress where that is ours."""
        runner = self._runner
        empty = 0
        while True:
            if runner.manual and not runner.agent.heard:
                empty = 0 if runner.progress() else empty + 1
                self._pause(empty)
                continue
            word = runner.agent.hear()
            if not runner.heeded(word):
                return word

    # -- what should still come -------------------------------------------------------------------------------------
    def _settle(self) -> dict[str, Any]:
        runner = self._runner
        began = time.monotonic()
        owed_until = began + runner.bound()
        quiet_until = began + runner.bounds.settle + (0 if runner.manual else runner.bounds.stall)
        counters_until = began + runner.bounds.settle / (_IMPATIENCE if runner.station.counters_lag else 1)
        empty = 0
        while True:
            owed = [op for op in runner.ops.values() if op.outstanding and not op.receives]
            expected = self._receives_expected() or self._data_expected() > runner.remote_data
            now = time.monotonic()
            if runner.agent.heard and runner.heeded(runner.agent.heard[0]):
                runner.agent.heard.popleft()
            if owed or expected:
                runner.cry(began, owed[0].name if owed else "receives")
            if owed or expected or runner.manual:
                empty = 0 if runner.progress() else empty + 1
            if (owed and now < owed_until) or (expected and now < quiet_until):
                self._pause(empty)
            elif now < quiet_until and (self._lacking() or self._unknown_results()):
                runner.cry(began, "memory")
                time.sleep(_PAUSE)
            elif self._counters_lag() and now < counters_until:
                time.sleep(_PAUSE)
            else:
                break
        runner.station.counters_lag = runner.station.counters_lag or self._counters_lag()
        empty = 0
        while empty < _LAST_POLLS:
            empty = 0 if runner.progress() else empty + 1
        self._count()
        ops = runner.ops.values()
        return {
            "owed": [op.name for op in ops if op.outstanding and not op.receives],
            "posted": [op.name for op in ops if op.posted],
            "failed": [op.name for op in ops if op.failed],
            "open": [op.name for op in ops if op.outstanding and op.receives],
            "unknown": [op.name for op in ops if self._unknown(op)],
            "received": [op.name for op in ops if op.receives and op.posted and op.ended and not self._unknown(op)],
            "expected": self._receives_expected(),
            "lacking": sorted(self._lacking()),
            "data": self._data_expected() - runner.remote_data,
            "strays": runner.strays,
            "shutdown": runner.station.shut_down(),
        }

    def _unknown(self, op: Op) -> bool:
        """Whether the operation may still be under way: no entry is owed for it, and its buffer is as it was posted."""
        if not op.posted or op.reported or op.target is None:
            return False
        return op.target.content() == data.fill(op.name, op.target.size)

    def _unknown_results(self) -> bool:
        return any(self._unknown(op) for op in self._runner.ops.values() if not op.receives)

    def _pause(self, empty: int) -> None:
        if empty > 40:
            time.sleep(_PAUSE / 2)
        elif empty:
            os.sched_yield()

    def _sends_to(self, index: int) -> Iterator[tuple[str, Send]]:
        here = EndpointRef(self._runner.me, index)
        for thread, step in self._program.operations():
            if isinstance(step, Send) and step.to == here and step.name not in self._failed:
                yield thread.node, step

    def _receives_expected(self) -> int:
        """Posted receives that messages of the Program could still fill, by count and tag."""
        total = 0
        for port in self._runner.station.ports:
            sends = list(self._sends_to(port.index))
            if not sends:
                continue
            mine = [op for op in self._runner.ops.values() if op.receives and op.port is port and op.reported]
            ended = sum(op.ended for op in mine)
            waiting = [op for op in mine if op.outstanding and any(self._fits(op, node, send) for node, send in sends)]
            fitting = [send for node, send in sends if any(self._fits(op, node, send) for op in mine)]
            total += max(0, min(len(waiting), len(fitting) - ended))
        return total

    def _fits(self, op: Op, node: str, send: Send) -> bool:
        """Whether a receive accepts a message; sources count only where receives are directed or connected."""
        recv, station = op.step, self._runner.station
        assert isinstance(recv, Recv)
        if (recv.tag is None) != (send.tag is None):
            return False
        heeded = station.connected or bool(station.info.caps & Flag.DIRECTED_RECV)
        if heeded and recv.source is not None and recv.source != EndpointRef(node, send.via):
            return False
        return recv.tag is None or send.tag is None or not (recv.tag ^ send.tag) & ~recv.ignore

    def _data_expected(self) -> int:
        """Entries that peers' writes with data bring to this node."""
        return sum(
            1
            for _, step in self._program.operations()
            if isinstance(step, Write)
            and step.data is not None
            and step.target[0].node == self._runner.me
            and self._lands(step)
        )

    def _lands(self, step: Write | Read | Atomic) -> bool:
        """Whether a remote operation should take effect: it is legal, and nobody has seen it fail."""
        return step.name not in self._failed and not violates(self._program, step)

    def _lacking(self) -> set[str]:
        """Regions with bytes that a write of the Program should have changed and none has."""
        if self._landed:
            return set()
        lacking = set()
        for name, block in self._runner.regions.items():
            content = None
            for start, wanted in self._written(name):
                content = block.content() if content is None else content
                if content[start : start + len(wanted)] != wanted and not self._covered(
                    name, content, start, len(wanted)
                ):
                    lacking.add(name)
                    break
        self._landed = not lacking
        return lacking

    def _written(self, region: str) -> Iterator[tuple[int, bytes]]:
        """Places of a region and what each write or store puts there."""
        numbers = self._runner.posting.numbers
        for thread, step in self._program.steps():
            if isinstance(step, Store):
                if (thread.node, step.place.region) == (self._runner.me, region):
                    yield step.place.offset, data.payload(numbers, step)
            elif isinstance(step, Write) and step.target[0].node == self._runner.me and self._lands(step):
                content, done = data.payload(numbers, step), 0
                for place in step.target:
                    if place.region == region:
                        yield place.offset, content[done : done + place.size]
                    done += place.size

    def _covered(self, region: str, content: bytes, start: int, size: int) -> bool:
        """Whether each byte there is what some write put there, or an atomic may have changed it."""
        odd = [(start, start + size)]
        for offset, wanted in self._written(region):
            odd = [rest for run in odd for rest in _differing(content, run, offset, wanted)]
            if not odd:
                return True
        for _, step in self._program.operations():
            if isinstance(step, Atomic) and (step.target.node, step.target.region) == (self._runner.me, region):
                first, end = step.target.offset, step.target.offset + step.target.size
                odd = [rest for run in odd for rest in ((run[0], min(run[1], first)), (max(run[0], end), run[1]))]
                odd = [run for run in odd if run[0] < run[1]]
        return not odd

    # -- counters ---------------------------------------------------------------------------------------------------
    def _counters_lag(self) -> bool:
        runner = self._runner
        if not runner.station.counters:
            return False
        wanted = dict(runner.posted_by_counter)
        if "recv" in wanted:
            wanted["recv"] -= sum(op.outstanding for op in runner.ops.values() if op.receives)
        for _, step in self._program.operations():
            if isinstance(step, Write | Read | Atomic) and self._lands(step):
                place = step.target if isinstance(step, Atomic) else step.target[0]
                reads = isinstance(step, Read) or (isinstance(step, Atomic) and step.kind is not AtomicKind.BASE)
                name = "remote_read" if reads else "remote_write"
                if place.node == runner.me and name in wanted:
                    wanted[name] += 1
        return any(
            counter.read() + counter.readerr() - sum(runner.base[name]) < wanted[name]
            for name, counter in runner.station.counters.items()
        )

    def _count(self) -> None:
        runner = self._runner
        for name, counter in runner.station.counters.items():
            value, errors = runner.base[name]
            runner.record("counted", name, counter.read() - value, counter.readerr() - errors)

    # -- the end ----------------------------------------------------------------------------------------------------
    def _contents(self) -> None:
        runner = self._runner
        blocks = [(f"region:{name}", block) for name, block in runner.regions.items()]
        for op in runner.ops.values():
            if op.source is not None:
                blocks.append((f"source:{op.name}", op.source))
            if op.target is not None:
                blocks.append((f"buffer:{op.name}", op.target))
        for what, block in blocks:
            runner.record("content", what, block.content(), block.before_intact(), block.after_intact())

    def _cancel_receives(self) -> bool:
        """Take back receives that nothing will match; whether all came back."""
        runner = self._runner
        waiting = [op for op in runner.ops.values() if op.receives and (op.outstanding or self._unknown(op))]
        for op in waiting:
            op.ended = False
        if not waiting:
            return True
        runner.muted = True
        for op in waiting:
            assert op.endpoint is not None
            op.endpoint.cancel(op.context)
        deadline = time.monotonic() + runner.bounds.settle
        while any(op.outstanding for op in waiting) and time.monotonic() < deadline:
            runner.progress()
        return not any(op.outstanding for op in waiting)


def _differing(content: bytes, run: tuple[int, int], offset: int, wanted: bytes) -> Iterator[tuple[int, int]]:
    """The parts of a run of bytes that are outside of what was written at ``offset``, or differ from it."""
    first, end = max(run[0], offset), min(run[1], offset + len(wanted))
    if first >= end:
        yield run
        return
    if run[0] < first:
        yield run[0], first
    here, there = content[first:end], wanted[first - offset : end - offset]
    if here != there:
        difference = int.from_bytes(here, "little") ^ int.from_bytes(there, "little")
        for found in _NONZERO.finditer(difference.to_bytes(end - first, "little")):
            yield first + found.start(), first + found.end()
    if end < run[1]:
        yield end, run[1]
