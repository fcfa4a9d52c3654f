# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Posting messages, plain and tagged.

Data calls return None when posted and raise FabricError otherwise (EAGAIN: nothing happened, try again after driving
progress). The plain calls map to the plain C calls (send, tsend, ...), ``*v`` to the vector calls, ``*msg`` to those
with flags. Arguments that the data calls of an endpoint share:

    buf, bufs       local memory; a target of data must be writable
    desc, descs     local descriptors of that memory, where mr_mode LOCAL asks for them (one per buffer, or none)
    dest, src       the peer's address handle; unused on connected endpoints. ADDR_UNSPEC as a source: any peer
    data            remote CQ data (the low ``cq_data_size`` bytes travel)
    flags           operation flags, in place of the endpoint's defaults
    context         comes back in the completion; None where none is asked for
    addr, key       the remote address (offset or virtual address, by mr_mode) and the key of its region
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from .base import Buffer, Flags, Source
from .constants import ADDR_UNSPEC
from .events import Context


class MessageTransfers(ABC):
    """Messages, which match posted receives in order."""

    @abstractmethod
    def send(self, buf: Source, *, desc: int = 0, dest: int = ADDR_UNSPEC, context: Context | None = None) -> None:
        """Send a message."""

    @abstractmethod
    def sendv(
        self,
        bufs: Sequence[Source],
        *,
        descs: Sequence[int] = (),
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Send one message gathered from several buffers."""

    @abstractmethod
    def sendmsg(
        self,
        bufs: Sequence[Source],
        *,
        descs: Sequence[int] = (),
        dest: int = ADDR_UNSPEC,
        data: int = 0,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> None:
        """Send with flags."""

    @abstractmethod
    def senddata(
        self, buf: Source, data: int, *, desc: int = 0, dest: int = ADDR_UNSPEC, context: Context | None = None
    ) -> None:
        """Send a message with remote CQ data."""

    @abstractmethod
    def inject(self, buf: Source, *, dest: int = ADDR_UNSPEC) -> None:
        """Send at most ``inject_size`` bytes; the buffer is free on return, no completion follows."""

    @abstractmethod
    def injectdata(self, buf: Source, data: int, *, dest: int = ADDR_UNSPEC) -> None:
        """Inject a message with remote CQ data."""

    @abstractmethod
    def recv(self, buf: Buffer, *, desc: int = 0, src: int = ADDR_UNSPEC, context: Context | None = None) -> None:
        """Post a buffer for one message."""

    @abstractmethod
    def recvv(
        self,
        bufs: Sequence[Buffer],
        *,
        descs: Sequence[int] = (),
        src: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Post several buffers for one message."""

    @abstractmethod
    def recvmsg(
        self,
        bufs: Sequence[Buffer],
        *,
        descs: Sequence[int] = (),
        src: int = ADDR_UNSPEC,
        data: int = 0,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> None:
        """Post a receive with flags (MULTI_RECV, PEEK, CLAIM, ...)."""


class TaggedTransfers(ABC):
    """Messages that match posted receives by their tag."""

    @abstractmethod
    def tsend(
        self, buf: Source, tag: int, *, desc: int = 0, dest: int = ADDR_UNSPEC, context: Context | None = None
    ) -> None:
        """Send a tagged message."""

    @abstractmethod
    def tsendv(
        self,
        bufs: Sequence[Source],
        tag: int,
        *,
        descs: Sequence[int] = (),
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Send one tagged message gathered from several buffers."""

    @abstractmethod
    def tsendmsg(
        self,
        bufs: Sequence[Source],
        tag: int,
        *,
        ignore: int = 0,
        descs: Sequence[int] = (),
        dest: int = ADDR_UNSPEC,
        data: int = 0,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> None:
        """Send a tagged message with flags."""

    @abstractmethod
    def tsenddata(
        self,
        buf: Source,
        data: int,
        tag: int,
        *,
        desc: int = 0,
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Send a tagged message with remote CQ data."""

    @abstractmethod
    def tinject(self, buf: Source, tag: int, *, dest: int = ADDR_UNSPEC) -> None:
        """Inject a tagged message."""

    @abstractmethod
    def tinjectdata(self, buf: Source, data: int, tag: int, *, dest: int = ADDR_UNSPEC) -> None:
        """Inject a tagged message with remote CQ data."""

    @abstractmethod
    def trecv(
        self,
        buf: Buffer,
        tag: int,
        *,
        ignore: int = 0,
        desc: int = 0,
        src: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Post a buffer for one message whose tag equals ``tag`` in the bits that ``ignore`` leaves."""

    @abstractmethod
    def trecvv(
        self,
        bufs: Sequence[Buffer],
        tag: int,
        *,
        ignore: int = 0,
        descs: Sequence[int] = (),
        src: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Post several buffers for one tagged message."""

    @abstractmethod
    def trecvmsg(
        self,
        bufs: Sequence[Buffer],
        tag: int,
        *,
        ignore: int = 0,
        descs: Sequence[int] = (),
        src: int = ADDR_UNSPEC,
        data: int = 0,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> None:
        """Post a tagged receive with flags (PEEK, CLAIM, DISCARD, ...)."""
