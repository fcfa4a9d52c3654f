# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Tagged messages that match what they should not, and receives that look without taking, or take when they look."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kfabric.api import Completion, Errno, ErrorCompletion, Flag, OpFlag

from ..call import Call, Verb
from ..fault import Entry, Fault, plants
from ..machinery import default_flags
from .messages import plain_receive

_UPPER = 0xFFFF_FFFF_0000_0000
_LOOKS = int(Flag.PEEK) | int(OpFlag.CLAIM | OpFlag.DISCARD)


@plants("ignore-mask-ignored")
class IgnoreMaskIgnored(Fault):
    """A receive takes only its own tag, whatever its ignore mask says."""

    def post(self, call: Call) -> None:
        """Ignore nothing."""
        if plain_receive(call) and call.tagged and call.arguments.get("ignore"):
            self.hit()
            call = call.but(ignore=0)
        call.go()


@plants("tag-cut")
class TagCut(Fault):
    """Only the lower half of a tag is compared."""

    def post(self, call: Call) -> None:
        """Ignore the upper half."""
        if plain_receive(call) and call.tagged:
            self.hit()
            call = call.but(ignore=call.arguments.get("ignore", 0) | _UPPER)
        call.go()


@plants("lowest-tag-bit-ignored")
class LowestTagBitIgnored(Fault):
    """Two tags that differ in the lowest bit only match each other."""

    def post(self, call: Call) -> None:
        """Ignore it."""
        if plain_receive(call) and call.tagged:
            self.hit()
            call = call.but(ignore=call.arguments.get("ignore", 0) | 1)
        call.go()


@plants("tagged-becomes-untagged")
class TaggedBecomesUntagged(Fault):
    """A tagged message of an odd length is matched with untagged receives."""

    def post(self, call: Call) -> None:
        """Send it without its tag."""
        if call.verb is Verb.SEND and call.tagged and call.size % 2:
            self.hit()
            arguments = {name: value for name, value in call.arguments.items() if name not in ("tag", "ignore")}
            call = Call(call.endpoint, call.name[1:], arguments)
        call.go()


@plants("peek-takes")
class PeekTakes(Fault):
    """A message that FI_PEEK found is gone afterwards."""

    def post(self, call: Call) -> None:
        """Discard what is found."""
        if call.verb is Verb.RECV and (call.flags or 0) & _LOOKS == Flag.PEEK:
            self.hit()
            call = call.but(flags=(call.flags or 0) | int(OpFlag.DISCARD))
        call.go()


@plants("discard-keeps")
class DiscardKeeps(Fault):
    """A message that FI_PEEK with FI_DISCARD found stays."""

    def post(self, call: Call) -> None:
        """Only look."""
        if call.verb is Verb.RECV and (call.flags or 0) & _LOOKS == int(Flag.PEEK) | int(OpFlag.DISCARD):
            self.hit()
            call = call.without(OpFlag.DISCARD)
        call.go()


@plants("claim-not-exclusive")
class ClaimNotExclusive(Fault):
    """A message that was claimed is matched with other receives."""

    def post(self, call: Call) -> None:
        """Only look; a claim becomes an ordinary receive."""
        looks = (call.flags or 0) & _LOOKS
        if call.verb is Verb.RECV and looks & OpFlag.CLAIM:
            self.hit()
            call = call.without(OpFlag.CLAIM)
        call.go()


@plants("peek-always-finds")
class PeekAlwaysFinds(Fault):
    """A receive with FI_PEEK that finds nothing completes without error."""

    filters_errors = True

    def error(self, queue: Any, entry: ErrorCompletion, call: Call | None) -> Iterable[Entry]:
        """Success."""
        if entry.err != Errno.ENOMSG or call is None:
            return (entry,)
        self.hit()
        return (queue.shaped(Completion(entry.op_context, default_flags(call), 0, 0, 0, 0)),)
