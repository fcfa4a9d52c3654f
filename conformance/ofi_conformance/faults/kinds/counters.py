# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Counters that count too much, too little, the wrong thing, or end a wait at the wrong time."""

from __future__ import annotations

from typing import Any

from kfabric.api import Counter, Errno, FabricError, Flag

from ..call import Call, Verb
from ..fault import Fault, on, plants

_SEND, _READ, _WRITE = int(Flag.SEND), int(Flag.READ), int(Flag.WRITE)


@plants("sends-counted-twice")
class SendsCountedTwice(Fault):
    """A send is counted twice."""

    @on(Counter, "read")
    def read(self, counter: Any, proceed: Any) -> int:
        """Double what a counter of sends shows."""
        value: int = proceed()
        if counter.kinds & _SEND and value:
            self.hit()
            return value * 2
        return value


@plants("failure-counted-as-success")
class FailureCountedAsSuccess(Fault):
    """An operation that failed raises the success value too."""

    @on(Counter, "read")
    def read(self, counter: Any, proceed: Any) -> int:
        """Add the failures."""
        value: int = proceed()
        errors = counter.inner.readerr() if counter.kinds else 0
        if errors:
            self.hit()
        return value + errors


class Correcting(Fault):
    """Takes away, or adds, operations of one kind."""

    def __init__(self, provider: Any) -> None:
        super().__init__(provider)
        self._count: dict[tuple[Any, int], int] = {}

    def counted(self, endpoint: Any, kind: int) -> None:
        """One more to correct."""
        key = endpoint, kind
        self._count[key] = self._count.get(key, 0) + 1

    def correction(self, counter: Any, kind: int) -> int:
        """How many there were on the endpoints of a counter of this kind."""
        if not counter.kinds & kind:
            return 0
        return sum(self._count.get((endpoint, kind), 0) for endpoint in counter.endpoints)


@plants("inject-not-counted")
class InjectNotCounted(Correcting):
    """Injected operations, which write no completion, are not counted either."""

    def post(self, call: Call) -> None:
        """Note it."""
        call.go()
        if call.injects:
            self.counted(call.endpoint, _SEND if call.verb is Verb.SEND else _WRITE)

    @on(Counter, "read")
    def read(self, counter: Any, proceed: Any) -> int:
        """Without them."""
        value: int = proceed()
        missing = self.correction(counter, _SEND) + self.correction(counter, _WRITE)
        if missing:
            self.hit()
        return max(0, value - missing)


@plants("fetch-counted-as-write")
class FetchCountedAsWrite(Correcting):
    """A fetching atomic is counted where writes are counted as well."""

    def post(self, call: Call) -> None:
        """Note it."""
        call.go()
        if call.verb in (Verb.FETCH, Verb.COMPARE):
            self.counted(call.endpoint, _WRITE)

    @on(Counter, "read")
    def read(self, counter: Any, proceed: Any) -> int:
        """With them."""
        value: int = proceed()
        more = self.correction(counter, _WRITE)
        if more:
            self.hit()
        return value + more


@plants("counter-wait-early")
class CounterWaitEarly(Fault):
    """A wait for a counter ends one below its threshold."""

    @on(Counter, "wait")
    def wait(self, counter: Any, proceed: Any, threshold: int, timeout: int = -1) -> None:
        """Ask for one less."""
        self.hit()
        proceed(max(0, threshold - 1), timeout)


@plants("counter-wait-code-wrong")
class CounterWaitCodeWrong(Fault):
    """A wait for a counter whose time ends answers FI_EAGAIN."""

    @on(Counter, "wait")
    def wait(self, counter: Any, proceed: Any, threshold: int, timeout: int = -1) -> None:
        """Another code."""
        try:
            proceed(threshold, timeout)
        except FabricError as refused:
            if refused.code != Errno.ETIMEDOUT:
                raise
            self.hit()
            raise FabricError(Errno.EAGAIN, refused.call) from None


@plants("counter-add-off-by-one")
class CounterAddOffByOne(Fault):
    """Adding to a counter adds one more."""

    @on(Counter, "add")
    def add(self, counter: Any, proceed: Any, value: int) -> None:
        """One more."""
        self.hit()
        proceed(value + 1)
