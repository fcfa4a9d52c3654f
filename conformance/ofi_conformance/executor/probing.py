# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The probe: progress calls that bring nothing, then a later message on the same endpoints, in both directions.

It tells a completion that is lost from one that is late, and an endpoint that is dead from one that forgot something. A
receive that the Program left open may take the probe's message; its bytes tell, and then it counts as the probe's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kfabric.api import ADDR_UNSPEC, Errno, FabricError, Flag

from .opening import Peer

if TYPE_CHECKING:
    from .posting import Op
    from .runner import Runner

_MAGIC = b"\xf5ofi"
_SIZE = 8
_TAG = 0x5A5A5A5A5A5A5A5A
_MATCH_ALL = (1 << 64) - 1


class Prober:
    """One probe of one node: ``pairs`` are (own port, peer's node in the Program, peer's port)."""

    def __init__(self, runner: Runner, pairs: list[tuple[int, str, int]], recorded: bool, bound: float) -> None:
        self._runner = runner
        self._pairs = [(mine, node, index) for mine, node, index in pairs]
        self._recorded = recorded
        self._bound = bound
        self._contexts: dict[int, tuple[str, tuple[int, str, int]]] = {}
        self._sent: set[tuple[int, str, int]] = set()
        self._seen: set[tuple[int, str, int]] = set()
        self._truncated = 0
        self._names = list(runner.program.nodes)
        self._sending = False

    def run(self) -> bool:
        """Probe all pairs; whether every message arrived and completed."""
        runner = self._runner
        polls = runner.bounds.polls if self._recorded else 0
        for _ in range(polls):
            runner.progress()
        runner.agent.say(("polled", runner.fresh()))
        while not runner.agent.heard:
            runner.progress()
            os.sched_yield()
        runner.agent.heard.popleft()
        self._sending = True
        deadline = time.monotonic() + self._bound
        for pair in self._pairs:
            self._exchange(pair, deadline)
        while not self._all_there() and time.monotonic() < deadline:
            if not runner.progress():
                os.sched_yield()
        for pair in self._pairs:
            if self._recorded:
                arrived = pair in self._sent and (pair in self._seen or self._truncated > 0)
                runner.record("probed", pair[1], arrived, polls)
        return self._all_there()

    def _all_there(self) -> bool:
        return len(self._sent) == len(self._pairs) and len(self._seen) + self._truncated >= len(self._pairs)

    def _exchange(self, pair: tuple[int, str, int], deadline: float) -> None:
        mine, node, index = pair
        runner, station = self._runner, self._runner.station
        port = station.ports[mine]
        peer: Peer = runner.posting.peer(node, index)
        endpoint = port.endpoint(peer)
        payload = _MAGIC + bytes([self._names.index(runner.me), mine, self._names.index(node), index])
        here = station.memory.take(_SIZE, bytes(_SIZE))
        there = station.memory.take(_SIZE, payload)
        receiving, sending = station.provider.context(), station.provider.context()
        self._contexts[receiving.address] = ("recv", pair)
        self._contexts[sending.address] = ("send", pair)
        self._buffers = [*getattr(self, "_buffers", []), (receiving.address, here), (sending, there), receiving]
        tagged = not station.info.caps & Flag.MSG
        t, tag, ignore = ("t", (_TAG,), {"ignore": _MATCH_ALL}) if tagged else ("", (), {})
        flags = {"flags": Flag.COMPLETION} if station.binding.selective else {}
        msg = "msg" if station.binding.selective else ""
        desc = {"descs": [station.desc(here)]} if msg else {"desc": station.desc(here)}
        recv = getattr(endpoint, f"{t}recv{msg}")
        send = getattr(endpoint, f"{t}send{msg}")
        into: Any = [here.view] if msg else here.view
        out: Any = [there.view] if msg else there.view
        self._post(lambda: recv(into, *tag, **desc, src=ADDR_UNSPEC, **ignore, **flags, context=receiving), deadline)
        desc = {"descs": [station.desc(there)]} if msg else {"desc": station.desc(there)}
        self._post(lambda: send(out, *tag, **desc, dest=station.handle(peer), **flags, context=sending), deadline)

    def _post(self, call: Callable[[], None], deadline: float) -> None:
        while time.monotonic() < deadline:
            try:
                call()
                return
            except FabricError as refused:
                if refused.code != Errno.EAGAIN:
                    self._runner.note(f"{self._runner.me}: the probe was refused: {refused}")
                    return
            self._runner.progress()

    # -- entries that are the probe's -------------------------------------------------------------------------------
    def takes(self, op: Op | None, entry: Any) -> bool:
        """Whether a success entry belongs to the probe and not to the Program."""
        mine = self._contexts.get(entry.op_context)
        if mine is not None:
            if mine[0] == "send":
                self._sent.add(mine[1])
            else:
                block = next(
                    pair[1] for pair in self._buffers if isinstance(pair, tuple) and pair[0] == entry.op_context
                )
                self._arrived(block.content(), mine[1])
            return True
        if self._sending and op is not None and op.receives and op.target is not None and not op.ended:
            content = op.target.content()
            if content.startswith(_MAGIC[: len(content)]) and content:
                op.ended = True
                self._arrived(content, None)
                return True
        return False

    def _arrived(self, content: bytes, pair: tuple[int, str, int] | None) -> None:
        """A probe message came; who sent it is in it. One of the Program's that came late may sit there instead."""
        if content.startswith(_MAGIC) and len(content) >= _SIZE:
            self._seen.add((content[7], self._names[content[4]], content[5]))
        elif pair is not None:
            self._seen.add(pair)
        else:
            self._truncated += 1

    def takes_error(self, op: Op | None, error: Any) -> bool:
        """Whether an error entry is the probe's: a receive too small for it, or a probe operation that failed."""
        if error.op_context in self._contexts:
            return True
        if self._sending and op is not None and op.receives and op.step.size < _SIZE and abs(error.err) == Errno.ETRUNC:  # type: ignore[union-attr]
            op.ended = True
            self._truncated += 1
            return True
        return False
