# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What many bodies do on their way: ask with plain hints, pass a message, bind what an endpoint needs.

Steps, not decisions: nothing here records a check.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from kfabric.api import AvAttr, AvType, CntrAttr, Context, Endpoint, EpType, EqAttr, FabricError, Info

from .body import Kit
from .memory import Guarded
from .sides import Side


def bare(kit: Kit) -> Info:
    """Hints that name provider and endpoint type, accept the configuration's obligations, and ask for nothing else."""
    ours = kit.hints()
    hints = Info(mode=ours.mode)
    hints.fabric_attr.prov_name = kit.info.fabric_attr.prov_name
    hints.ep_attr.type = kit.info.ep_attr.type
    hints.domain_attr.mr_mode = ours.domain_attr.mr_mode
    return hints


def bind_address(kit: Kit, ep: Endpoint) -> None:
    """Bind what an endpoint of this type needs besides a completion queue: an event queue or an address vector."""
    if kit.info.ep_attr.type == EpType.MSG:
        ep.bind(kit.eq(EqAttr()))
    else:
        ep.bind(kit.keep(kit.domain.av_open(AvAttr(type=kit.info.domain_attr.av_type or AvType.MAP))))


def counters(kit: Kit, *names: str) -> tuple[str, ...]:
    """The names, for ``pair(counters=...)``; none where no counter opens, which a ``cntr_cnt`` of 0 leaves open."""
    try:
        kit.domain.cntr_open(CntrAttr()).close()
    except FabricError:
        if kit.info.domain_attr.cntr_cnt:
            raise
        return ()
    return names


def post_receive(kit: Kit, side: Side, buffer: Guarded) -> Context:
    """Post a receive of any kind of message that this configuration has; its context."""
    context = kit.context()
    kit.post(side.ep.recv, buffer.view, desc=kit.desc(side, buffer), context=context)
    return context


def post_send(kit: Kit, side: Side, buffer: Guarded, dest: int | None = None) -> Context:
    """Post a send of the whole buffer to the peer, or to another handle; its context."""
    context = kit.context()
    to = side.peer if dest is None else dest
    kit.post(side.ep.send, buffer.view, desc=kit.desc(side, buffer), dest=to, context=context)
    return context


def message(kit: Kit, source: Side, target: Side, content: bytes, dest: int | None = None) -> bytes:
    """Send ``content``, wait for both completions; the bytes that arrived, as many as were sent."""
    into, out = kit.buffer(len(content) + 8, 0), kit.buffer(len(content), content)
    received = post_receive(kit, target, into)
    sent = post_send(kit, source, out, dest)
    kit.completion(target, received)
    kit.completion(source, sent)
    return into.data[: len(content)]


@contextlib.contextmanager
def unless_refused(kit: Kit, *requirements: str, why: str) -> Iterator[None]:
    """A FabricError inside means that what the requirements speak of cannot be reached here: nothing is tried."""
    try:
        yield
    except FabricError as error:
        for requirement in requirements:
            if kit.applies(requirement):
                kit.unreached(requirement, f"{why} ({error})")


def outlasts(kit: Kit, wait: Callable[[int], object], wake: Callable[[], object]) -> bool:
    """Whether a wait of 20 ms is still on after 25, 50 and 100 times as long, and ends only because it is woken then.

    ``wait`` is given the timeout; ``wake`` lets it end by what it waits for. A wait that ended too late once may have
    met a busy machine; one that did three times ignored its timeout.
    """
    for patience in (0.5, 1.0, 2.0):
        thread = threading.Thread(target=wait, args=(20,), daemon=True)
        thread.start()
        thread.join(patience)
        if not thread.is_alive():
            return False
        wake()
        while thread.is_alive():
            kit.poll()
            thread.join(0.001)
    return True
