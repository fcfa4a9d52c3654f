# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Completions that tell too much: the buffer is still read, the data is not yet where it belongs."""

from __future__ import annotations

from typing import Any

from kfabric.api import Flag

from ..call import ATOMICS, Call, Verb
from ..fault import Fault, plants

SOON = 0.02
LATE = 0.06
"""Seconds: longer than a barrier takes."""
_POSTS = frozenset({Verb.SEND, Verb.WRITE, Verb.ATOMIC})


class Behind(Fault):
    """What all of these do: an operation goes on behind the application's back."""

    answers = True

    def behind(self, call: Call, seconds: float, *, polls: int | None, copy: bool) -> None:
        """Complete now, act later."""
        self.hit()
        self.complete(call)
        self.hold(call.but(context=self.secret()), seconds, polls=polls, copy=copy)


@plants("completion-early")
class CompletionEarly(Behind):
    """A send or write has completed, and its source buffer is read only then."""

    def post(self, call: Call) -> None:
        """Complete; read the buffer when the application has had time to use it again."""
        self.flush(call.endpoint)
        plain = call.verb in (Verb.SEND, Verb.WRITE) and call.reported and call.data is None
        if plain and not call.in_force & (Flag.INJECT | Flag.DELIVERY_COMPLETE | Flag.COMMIT_COMPLETE | Flag.FENCE):
            self.behind(call, SOON, polls=4, copy=False)
        else:
            call.go()


@plants("inject-aliased")
class InjectAliased(Fault):
    """The buffer of an injected operation is read after the call has returned."""

    def post(self, call: Call) -> None:
        """Keep the buffer, not its content."""
        self.flush(call.endpoint)
        injects = call.injects or bool((call.flags or 0) & Flag.INJECT and call.verb not in ATOMICS)
        limit = call.endpoint.info.tx_attr.inject_size if call.endpoint.info else 0
        if injects and call.verb in _POSTS and 0 < call.size <= limit:
            self.hit()
            self.hold(call, SOON, polls=1, copy=False)
        else:
            call.go()


@plants("delivery-early")
class DeliveryEarly(Behind):
    """An operation with FI_DELIVERY_COMPLETE completes before its data is delivered."""

    def post(self, call: Call) -> None:
        """Complete; deliver later."""
        self.flush(call.endpoint)
        if call.verb in _POSTS and call.reported and (call.flags or 0) & Flag.DELIVERY_COMPLETE and not _fenced(call):
            self.behind(call, LATE, polls=None, copy=True)
        else:
            call.go()


@plants("default-level-ignored")
class DefaultLevelIgnored(Behind):
    """A call without flags completes before delivery, although the endpoint's default flags ask for delivery."""

    def post(self, call: Call) -> None:
        """Complete; deliver later."""
        self.flush(call.endpoint)
        default = call.flags is None and call.endpoint.tx_op_flags & Flag.DELIVERY_COMPLETE
        if call.verb in _POSTS and call.reported and default and call.data is None:
            self.behind(call, LATE, polls=None, copy=True)
        else:
            call.go()


def _fenced(call: Call) -> bool:
    return bool((call.flags or 0) & Flag.FENCE)


@plants("write-data-early")
class WriteDataEarly(Fault):
    """The target is told of a write with remote CQ data before the bytes are there."""

    def post(self, call: Call) -> None:
        """Announce an empty write; write later."""
        self.flush(call.endpoint)
        if call.verb is not Verb.WRITE or call.data is None or call.size == 0:
            call.go()
            return
        self.hit()
        real = call.snapshot()
        if call.name.endswith("msg"):
            remote = [type(one)(one.addr, 0, one.key) for one in call.arguments["remote"]]
            call.on(b"").but(remote=remote).go()
            real = real.without(Flag.REMOTE_CQ_DATA).but(context=self.secret())
        else:
            call.on(b"").go()
            addr, _, key = call.remote[0]
            where: dict[str, Any] = {"buf": call.content(), "addr": addr, "key": key, "context": self.secret()}
            real = Call(
                call.endpoint,
                "write",
                where | {name: call.arguments[name] for name in ("dest",) if name in call.arguments},
            )
        self.hold(real, LATE)
