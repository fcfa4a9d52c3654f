# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What faults are made with: holding a call back, asking for more than was asked for, answering for the provider.

One per broken provider, shared by all its wrappers. A held call is made when the fault lets it go, at the latest at its
deadline, by a thread of our own, so that a process that has stopped calling does not keep it for ever. Knows no fault.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kfabric.api import Completion, Context, Errno, ErrorCompletion, FabricError, Flag, Provider

from .call import Call, Verb

if TYPE_CHECKING:
    from .wrappers import PlantedEndpoint

HITS = "OFI_CONFORM_FAULT_HITS"
"""Environment variable: a file to which a byte is added for every misbehaviour."""
_MOST = 1000
_AGAIN = 0.002
_SPARE = 16
"""Contexts that rest before they are used again, so that a late entry is not taken for a new one."""


@dataclass(eq=False)
class Held:
    """Something that will be done later: as a rule a call that the application believes posted."""

    endpoint: PlantedEndpoint
    action: Callable[[], None]
    call: Call | None
    deadline: float
    polls: int | None = None
    """Looks for progress that it still outlasts; None: all."""

    def wait(self, seconds: float) -> None:
        """Whatever it was waiting for: now for this long, and for nothing else."""
        self.deadline, self.polls = time.monotonic() + seconds, None


class Machinery:
    """State of one broken provider, and the tricks."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.lock = threading.RLock()
        self.calls: dict[int, Call] = {}
        """The latest call by context address."""
        self.swallowed: dict[int, Context] = {}
        """Contexts of operations that the application did not ask for: their entries are not for its eyes."""
        self.hits = 0
        self._held: list[Held] = []
        self._spare: list[Context] = []
        self._wake = threading.Condition(self.lock)
        self._thread: threading.Thread | None = None
        path = os.environ.get(HITS)
        self._tally = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) if path else -1

    def hit(self) -> None:
        """Say that the provider has just misbehaved."""
        self.hits += 1
        if self._tally >= 0 and self.hits <= _MOST:
            os.write(self._tally, b".")

    # -- calls nobody made ------------------------------------------------------------------------------------------
    def secret(self) -> Context:
        """A context whose completion the application will not see."""
        context = self._spare.pop(0) if len(self._spare) > _SPARE else self.provider.context()
        self.swallowed[context.address] = context
        return context

    def gone(self, address: int) -> bool:
        """Whether an entry is for a secret operation, which has now ended."""
        context = self.swallowed.pop(address, None)
        if context is None:
            return False
        self._spare.append(context)
        return True

    def quietly(self, call: Call) -> bool:
        """Make a call that the application did not; whether the provider took it."""
        try:
            call.go()
        except FabricError:
            return False
        return True

    # -- answering in the provider's place ----------------------------------------------------------------------------
    def complete(self, call: Call, *, flags: int | None = None) -> None:
        """Write the success entry of a transmit operation that may not have happened."""
        queue = call.endpoint.tx_queue
        if queue is None or call.context is None or not call.reported:
            return
        queue.add(Completion(call.context.address, default_flags(call) if flags is None else flags, 0, 0, 0, 0))

    def fail(self, call: Call, code: int) -> None:
        """Write an error entry for an operation that was accepted and then refused."""
        queue = call.endpoint.tx_queue
        if queue is not None and call.context is not None:
            queue.add(ErrorCompletion(call.context.address, default_flags(call), 0, 0, 0, 0, 0, code, code))

    # -- holding back -------------------------------------------------------------------------------------------------
    def hold(self, call: Call, seconds: float, *, polls: int | None = None, copy: bool = True) -> Held:
        """Keep a call for later. ``copy``: as its buffers are now. ``polls``: or until that many looks for progress."""
        kept = call.snapshot() if copy else call
        return self._later(Held(call.endpoint, kept.go, kept, time.monotonic() + seconds, polls))

    def later(
        self, endpoint: PlantedEndpoint, action: Callable[[], None], seconds: float, *, polls: int | None = None
    ) -> Held:
        """Do something else later."""
        return self._later(Held(endpoint, action, None, time.monotonic() + seconds, polls))

    def _later(self, held: Held) -> Held:
        with self.lock:
            self._held.append(held)
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep_time, name="planted fault", daemon=True)
                self._thread.start()
            self._wake.notify()
        return held

    def held(self, endpoint: PlantedEndpoint) -> list[Held]:
        """What is held for an endpoint, oldest first."""
        return [held for held in self._held if held.endpoint is endpoint]

    def release(self, helds: list[Held]) -> None:
        """Make held calls now. One that the provider cannot take yet stays, and so do those behind it."""
        for held in helds:
            if held not in self._held:
                continue
            try:
                held.action()
            except FabricError as refused:
                if refused.code == Errno.EAGAIN:
                    held.wait(_AGAIN)
                    return
                if held.call is not None:
                    self.fail(held.call, refused.code)
            self._held.remove(held)

    def flush(self, endpoint: PlantedEndpoint) -> None:
        """Make every held call of an endpoint, so that what follows keeps its place."""
        self.release(self.held(endpoint))

    def drop(self, endpoint: PlantedEndpoint) -> None:
        """The endpoint closes: what is held for it never happens."""
        with self.lock:
            self._held = [held for held in self._held if held.endpoint is not endpoint]

    def progress(self) -> None:
        """The application looks for completions."""
        if not self._held:
            return
        with self.lock:
            due = []
            for held in self._held:
                if held.polls is not None:
                    held.polls -= 1
                    if held.polls <= 0:
                        due.append(held)
            self.release(due)

    def _keep_time(self) -> None:
        with self._wake:
            while True:
                now = time.monotonic()
                self.release([held for held in self._held if held.deadline <= now])
                next_one = min((held.deadline for held in self._held), default=None)
                self._wake.wait(None if next_one is None else max(0.0005, next_one - time.monotonic()))

    # -- entries ------------------------------------------------------------------------------------------------------
    def call_of(self, entry: Completion | ErrorCompletion) -> Call | None:
        """The call that an entry is about."""
        return self.calls.get(entry.op_context)

    @contextlib.contextmanager
    def posting(self, call: Call) -> Iterator[None]:
        """Remember a call while the provider is asked, and forget it again when it refuses."""
        context = call.context
        if context is None:
            yield
            return
        before = self.calls.get(context.address)
        self.calls[context.address] = call
        try:
            yield
        except FabricError:
            if before is not None:
                self.calls[context.address] = before
            else:
                self.calls.pop(context.address, None)
            raise


def default_flags(call: Call) -> int:
    """The completion flags that a correct provider reports for a transmit operation."""
    words = {
        Verb.SEND: Flag.SEND | (Flag.TAGGED if call.tagged else Flag.MSG),
        Verb.RECV: Flag.RECV | (Flag.TAGGED if call.tagged else Flag.MSG),
        Verb.WRITE: Flag.RMA | Flag.WRITE,
        Verb.READ: Flag.RMA | Flag.READ,
        Verb.ATOMIC: Flag.ATOMIC | Flag.WRITE,
        Verb.FETCH: Flag.ATOMIC | Flag.READ,
        Verb.COMPARE: Flag.ATOMIC | Flag.READ,
    }
    return int(words[call.verb])


__all__ = ["HITS", "Held", "Machinery", "default_flags"]
