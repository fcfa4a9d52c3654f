# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""When a completion is written at all: selective completion, injected operations, default flags, blocking reads."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from kfabric.api import Completion, CompletionQueue, Endpoint, Errno, Flag, Flags

from ..call import Call, Verb
from ..fault import Entry, Fault, on, plants
from ..machinery import default_flags

_COMPLETION = int(Flag.COMPLETION)


def selective(call: Call) -> bool:
    """Whether the queue of the call's direction was bound with selective completion."""
    return call.endpoint.rx_selective if call.verb is Verb.RECV else call.endpoint.tx_selective


@plants("selective-ignored")
class SelectiveIgnored(Fault):
    """Operations without FI_COMPLETION are reported in a queue bound with selective completion."""

    def post(self, call: Call) -> None:
        """Ask for the completion."""
        if call.flags is not None and selective(call) and not call.flags & _COMPLETION:
            self.hit()
            call = call.but(flags=call.flags | _COMPLETION)
        call.go()


@plants("selective-suppresses-all")
class SelectiveSuppressesAll(Fault):
    """Transmit operations with FI_COMPLETION are not reported in a queue bound with selective completion."""

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """Drop it."""
        if call is not None and selective(call) and call.verb is not Verb.RECV and call.size > 8:
            self.hit()
            return ()
        return (entry,)


@plants("completion-flag-needed")
class CompletionFlagNeeded(Fault):
    """A call with flags but without FI_COMPLETION is not reported, although the queue was bound for all operations."""

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """Drop it."""
        asked = call is None or call.flags is None or call.flags & _COMPLETION
        if call is None or asked or selective(call) or call.verb is Verb.RECV:
            return (entry,)
        self.hit()
        return ()


@plants("inject-reported")
class InjectReported(Fault):
    """An inject call is reported in the completion queue."""

    answers = True

    def post(self, call: Call) -> None:
        """Report it without context."""
        call.go()
        queue = call.endpoint.tx_queue
        if call.injects and queue is not None:
            self.hit()
            queue.add(Completion(0, default_flags(call), 0, 0, 0, 0))


@plants("inject-flag-unreported")
class InjectFlagUnreported(Fault):
    """An operation with FI_INJECT is not reported."""

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """Drop it."""
        if call is not None and (call.flags or 0) & Flag.INJECT:
            self.hit()
            return ()
        return (entry,)


@plants("default-flags-ignored")
class DefaultFlagsIgnored(Fault):
    """A call without flags is carried out as if the endpoint's default flags were empty."""

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """Not reported: FI_COMPLETION among the defaults does not count."""
        if call is not None and call.flags is None and selective(call) and call.in_force & _COMPLETION:
            self.hit()
            return ()
        return (entry,)


@plants("default-flags-added")
class DefaultFlagsAdded(Fault):
    """The flags of a call are added to the endpoint's default flags, not used in their place."""

    def post(self, call: Call) -> None:
        """Add them."""
        default = call.endpoint.rx_op_flags if call.verb is Verb.RECV else call.endpoint.tx_op_flags
        if call.flags is not None and default & ~call.flags:
            self.hit()
            call = call.but(flags=call.flags | default)
        call.go()


@plants("operation-flags-not-set")
class OperationFlagsNotSet(Fault):
    """FI_SETOPSFLAG succeeds and changes nothing."""

    @on(Endpoint, "set_ops_flags")
    def set_ops_flags(self, endpoint: Any, proceed: Any, flags: Flags) -> None:
        """Nothing."""
        self.hit()


@plants("timeout-code-wrong")
class TimeoutCodeWrong(Fault):
    """A blocking read whose time ends answers FI_ETIMEDOUT."""

    @on(CompletionQueue, "sread")
    def sread(self, queue: Any, proceed: Any, count: int = 1, **more: Any) -> list[Completion]:
        """Another code."""
        found: list[Completion] = proceed(count, **more)
        if not found and queue.last_code == -Errno.EAGAIN:
            self.hit()
            queue.last_code = -int(Errno.ETIMEDOUT)
        return found


@plants("wakeup-lost")
class WakeupLost(Fault):
    """A blocking read does not notice what arrives while it waits."""

    @on(CompletionQueue, "sread")
    def sread(self, queue: Any, proceed: Any, count: int = 1, *, timeout: int = -1, **more: Any) -> list[Completion]:
        """Sleep through it, but not for ever."""
        found: list[Completion] = queue.read(count)
        if found or timeout == 0:
            return found
        self.hit()
        time.sleep(min(timeout, 600) / 1000 if timeout > 0 else 0.6)
        queue.last_code = -int(Errno.EAGAIN)
        return []
