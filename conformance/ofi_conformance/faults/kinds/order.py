# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Operations that overtake each other although both ends promised their order, and fences that hold nobody back."""

from __future__ import annotations

from typing import ClassVar

from kfabric.api import Flag

from ..call import Call, Verb
from ..fault import Fault, plants
from ..machinery import Held

BRIEF = 0.02
LATE = 0.04
"""Seconds: longer than it takes the target to look at its memory."""


class Overtaking(Fault):
    """Holds operations of one kind until one of another kind has gone before them."""

    first: ClassVar[frozenset[Verb]]
    then: ClassVar[frozenset[Verb]]
    late: ClassVar[float] = 0.0
    """Seconds by which the first comes behind the second; 0: just behind it."""

    def overtakes(self, call: Call) -> bool:
        """Whether a call goes before those that are held."""
        return call.verb in self.then

    def holds(self, call: Call) -> bool:
        """Whether a call is held."""
        return call.verb in self.first and not (call.flags or 0) & Flag.FENCE and call.data is None

    def post(self, call: Call) -> None:
        """Hold, overtake, or let everything go in its order."""
        waiting = [held for held in self.held(call.endpoint) if held.call is not None and held.call.peer == call.peer]
        if waiting and self.overtakes(call):
            self.hit()
            self.passes(call)
            if self.late:
                for held in waiting:
                    held.wait(self.late)
            else:
                self.release(waiting)
        elif self.holds(call):
            self._hold(call, waiting)
        else:
            self.flush(call.endpoint)
            call.go()

    def passes(self, call: Call) -> None:
        """Make the call that overtakes."""
        call.go()

    def _hold(self, call: Call, waiting: list[Held]) -> None:
        held = self.hold(call, BRIEF, polls=1)
        if waiting and waiting[-1].polls is None:
            held.wait(self.late)


@plants("send-overtakes-write")
class SendOvertakesWrite(Overtaking):
    """A message arrives before the write or atomic update that was posted before it."""

    first = frozenset({Verb.WRITE, Verb.ATOMIC})
    then = frozenset({Verb.SEND})
    late = LATE


@plants("writes-swapped")
class WritesSwapped(Overtaking):
    """Of two writes that are posted one after the other, the second is done first."""

    first = frozenset({Verb.WRITE})
    then = frozenset({Verb.WRITE})


@plants("atomics-swapped")
class AtomicsSwapped(Overtaking):
    """Of two atomic updates that are posted one after the other, the second is done first."""

    first = frozenset({Verb.ATOMIC})
    then = frozenset({Verb.ATOMIC})


@plants("read-overtakes-write")
class ReadOvertakesWrite(Overtaking):
    """A read, or a fetching atomic, is done before the write or update that was posted before it."""

    first = frozenset({Verb.WRITE, Verb.ATOMIC})
    then = frozenset({Verb.READ, Verb.FETCH, Verb.COMPARE})


@plants("write-overtakes-read")
class WriteOvertakesRead(Overtaking):
    """A write is done before the read that was posted before it."""

    first = frozenset({Verb.READ})
    then = frozenset({Verb.WRITE})


@plants("fence-ignored")
class FenceIgnored(Overtaking):
    """An operation with FI_FENCE overtakes those that were posted before it."""

    first = frozenset({Verb.WRITE, Verb.ATOMIC, Verb.SEND})
    late = LATE

    def overtakes(self, call: Call) -> bool:
        """Only a fenced one does."""
        return bool((call.flags or 0) & Flag.FENCE)

    def passes(self, call: Call) -> None:
        """Without its fence."""
        call.without(Flag.FENCE).go()
