# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Cancelled receives that are not, or are not told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kfabric.api import Completion, Context, Endpoint, Errno, ErrorCompletion

from ..call import Call, Verb
from ..fault import Entry, Fault, on, plants
from ..machinery import default_flags


@plants("cancel-without-effect")
class CancelWithoutEffect(Fault):
    """Cancelling succeeds and does nothing."""

    @on(Endpoint, "cancel")
    def cancel(self, endpoint: Any, proceed: Any, context: Context) -> int:
        """Nothing."""
        self.hit()
        return 0


@plants("cancel-of-another")
class CancelOfAnother(Fault):
    """The receive that was posted after the one that was named is cancelled in its place, where there is one."""

    def __init__(self, provider: Any) -> None:
        super().__init__(provider)
        self._open: dict[int, Context] = {}
        self._owner: dict[int, Any] = {}

    def post(self, call: Call) -> None:
        """Know what is open."""
        if call.verb is Verb.RECV and call.context is not None:
            self._open[call.context.address] = call.context
            self._owner[call.context.address] = call.endpoint
        call.go()

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """One less."""
        self._open.pop(entry.op_context, None)
        return (entry,)

    filters_errors = True

    def error(self, queue: Any, entry: ErrorCompletion, call: Call | None) -> Iterable[Entry]:
        """One less."""
        self._open.pop(entry.op_context, None)
        return (entry,)

    @on(Endpoint, "cancel")
    def cancel(self, endpoint: Any, proceed: Any, context: Context) -> int:
        """Take the next."""
        mine = [address for address in self._open if self._owner[address] is endpoint]
        if context.address in mine[:-1]:
            self.hit()
            context = self._open[mine[mine.index(context.address) + 1]]
        code: int = proceed(context)
        return code


@plants("cancel-code-wrong")
class CancelCodeWrong(Fault):
    """A cancelled receive ends with FI_EINTR."""

    filters_errors = True

    def error(self, queue: Any, entry: ErrorCompletion, call: Call | None) -> Iterable[Entry]:
        """Another code."""
        from dataclasses import replace

        if entry.err != Errno.ECANCELED:
            return (entry,)
        self.hit()
        return (replace(entry, err=int(Errno.EINTR)),)


@plants("cancel-reported-as-message")
class CancelReportedAsMessage(Fault):
    """A cancelled receive ends as if a message without bytes had come."""

    filters_errors = True

    def error(self, queue: Any, entry: ErrorCompletion, call: Call | None) -> Iterable[Entry]:
        """Success."""
        if entry.err != Errno.ECANCELED or call is None:
            return (entry,)
        self.hit()
        return (queue.shaped(Completion(entry.op_context, default_flags(call), 0, 0, 0, 0)),)
