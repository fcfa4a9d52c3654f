# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Where results arrive: completion queues, event queues, counters."""

from __future__ import annotations

from abc import abstractmethod

from .attr import CntrAttr, CqAttr, EqAttr
from .base import FabricObject, Flags
from .constants import EqEventKind, Errno
from .errors import FabricError
from .events import Completion, EqError, EqEvent, ErrorCompletion


class CompletionQueue(FabricObject):
    """Completions of data transfers. ``attr`` is what the provider made of the attributes asked for."""

    format: int
    attr: CqAttr

    @abstractmethod
    def read(self, count: int = 1) -> list[Completion]:
        """Up to ``count`` entries; empty when there is none. Raises EAVAIL while an error entry is at the head."""

    @abstractmethod
    def readfrom(self, count: int = 1) -> list[Completion]:
        """Like ``read``, with ``src_addr`` of every entry."""

    @abstractmethod
    def sread(self, count: int = 1, *, timeout: int = -1, threshold: int | None = None) -> list[Completion]:
        """Like ``read``, but waits. Empty after a timeout or a signal: ``last_code`` holds the C return value.

        Raises UsageError on a queue opened without a wait object.

        Args:
            count: entries, at most.
            timeout: milliseconds, negative for ever.
            threshold: entries worth waking up for; a hint, and only on a queue opened with ``wait_cond_threshold``.
        """

    @abstractmethod
    def sreadfrom(self, count: int = 1, *, timeout: int = -1, threshold: int | None = None) -> list[Completion]:
        """Like ``sread``, with ``src_addr`` of every entry."""

    @abstractmethod
    def readerr(self, flags: Flags = 0, err_data_size: int = 0) -> ErrorCompletion | None:
        """The error entry at the head, or None when there is none.

        Args:
            flags: operation flags.
            err_data_size: bytes of provider error data to make room for; 0 leaves it to the provider's own memory.
        """

    @abstractmethod
    def signal(self) -> None:
        """Wake the threads that wait in ``sread``. Raises UsageError on a queue opened without a wait object."""

    @abstractmethod
    def strerror(self, prov_errno: int, err_data: bytes = b"") -> str:
        """The provider's words for its own error code."""

    @property
    @abstractmethod
    def last_code(self) -> int:
        """The C return value of the latest read of any kind on this queue (negative code, or count)."""

    @abstractmethod
    def wait_fd(self) -> int:
        """File descriptor of a queue opened with WaitObj.FD."""


class EventQueue(FabricObject):
    """Control events: connections, asynchronous registration and insertion, errors of objects."""

    attr: EqAttr

    @abstractmethod
    def read(self, *, flags: Flags = 0, size: int = 1024) -> EqEvent | None:
        """The next event or None. Flag PEEK leaves it. ``size``: room given, in bytes. Raises EAVAIL, ETOOSMALL."""

    @abstractmethod
    def sread(self, *, timeout: int = -1, flags: Flags = 0, size: int = 1024) -> EqEvent | None:
        """Like ``read``, but waits at most ``timeout`` milliseconds; None after a timeout or a signal."""

    @abstractmethod
    def readerr(self, flags: Flags = 0, err_data_size: int = 256) -> EqError | None:
        """The error event at the head, or None. ``err_data_size`` bytes of error data are made room for."""

    @abstractmethod
    def write(self, kind: EqEventKind | int, *, fid: int = 0, context: int = 0, data: int = 0, flags: Flags = 0) -> int:
        """Insert an event of the application's own. Returns the bytes written. Needs Flag.WRITE at open."""

    @abstractmethod
    def strerror(self, prov_errno: int, err_data: bytes = b"") -> str:
        """The provider's words for its own error code."""

    @property
    @abstractmethod
    def last_code(self) -> int:
        """The C return value of the latest read of any kind on this queue."""

    def wait_fd(self) -> int:
        """File descriptor of a queue opened with WaitObj.FD."""
        raise FabricError(Errno.ENOSYS, "fi_control")


class Counter(FabricObject):
    """Two numbers: operations completed, operations failed."""

    attr: CntrAttr

    @abstractmethod
    def read(self) -> int:
        """Operations completed. Drives progress as reading a queue does."""

    @abstractmethod
    def readerr(self) -> int:
        """Operations failed."""

    @abstractmethod
    def add(self, value: int) -> None:
        """Add to the value; takes effect eventually."""

    @abstractmethod
    def set(self, value: int) -> None:
        """Replace the value; takes effect eventually."""

    @abstractmethod
    def adderr(self, value: int) -> None:
        """Add to the error value."""

    @abstractmethod
    def seterr(self, value: int) -> None:
        """Replace the error value."""

    @abstractmethod
    def wait(self, threshold: int, timeout: int = -1) -> None:
        """Return when the value is at least ``threshold``. Raises ETIMEDOUT, EAVAIL (an operation failed).

        Raises UsageError on a counter opened without a wait object.
        """

    def wait_fd(self) -> int:
        """File descriptor of a counter opened with WaitObj.FD."""
        raise FabricError(Errno.ENOSYS, "fi_control")
