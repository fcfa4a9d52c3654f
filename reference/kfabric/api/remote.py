# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Posting transfers to and from remote memory: RMA and atomics. The arguments are described in ``messages``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from .base import Buffer, Flags, RmaIoc, RmaIov, Source
from .constants import ADDR_UNSPEC, AtomicOp, Datatype, Errno
from .errors import FabricError
from .events import Context


class RmaTransfers(ABC):
    """Reading and writing remote memory."""

    @abstractmethod
    def read(
        self,
        buf: Buffer,
        *,
        addr: int,
        key: int,
        desc: int = 0,
        src: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Read remote memory into ``buf``."""

    @abstractmethod
    def readv(
        self,
        bufs: Sequence[Buffer],
        *,
        addr: int,
        key: int,
        descs: Sequence[int] = (),
        src: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Read remote memory into several buffers."""

    @abstractmethod
    def readmsg(
        self,
        bufs: Sequence[Buffer],
        remote: Sequence[RmaIov],
        *,
        descs: Sequence[int] = (),
        src: int = ADDR_UNSPEC,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> None:
        """Read several remote segments with flags."""

    @abstractmethod
    def write(
        self,
        buf: Source,
        *,
        addr: int,
        key: int,
        desc: int = 0,
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Write ``buf`` to remote memory."""

    @abstractmethod
    def writev(
        self,
        bufs: Sequence[Source],
        *,
        addr: int,
        key: int,
        descs: Sequence[int] = (),
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Write several buffers to consecutive remote memory."""

    @abstractmethod
    def writemsg(
        self,
        bufs: Sequence[Source],
        remote: Sequence[RmaIov],
        *,
        descs: Sequence[int] = (),
        dest: int = ADDR_UNSPEC,
        data: int = 0,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> None:
        """Write several remote segments with flags."""

    @abstractmethod
    def writedata(
        self,
        buf: Source,
        data: int,
        *,
        addr: int,
        key: int,
        desc: int = 0,
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Write and deliver remote CQ data."""

    @abstractmethod
    def inject_write(self, buf: Source, *, addr: int, key: int, dest: int = ADDR_UNSPEC) -> None:
        """Write at most ``inject_size`` bytes; the buffer is free on return."""

    @abstractmethod
    def inject_writedata(self, buf: Source, data: int, *, addr: int, key: int, dest: int = ADDR_UNSPEC) -> None:
        """Inject a write and deliver remote CQ data."""


class AtomicTransfers(ABC):
    """Combining remote memory with operands, element by element.

    ``count`` is in elements of ``datatype``; the vector calls take whole buffers, counted in elements of their type.
    """

    @abstractmethod
    def atomic_valid(self, kind: str, datatype: Datatype | int, op: AtomicOp | int) -> int:
        """Elements per operation the endpoint takes; ``kind``: "base", "fetch" or "compare". Raises EOPNOTSUPP."""

    @abstractmethod
    def atomic(
        self,
        operand: Source,
        count: int,
        datatype: Datatype | int,
        op: AtomicOp | int,
        *,
        addr: int,
        key: int,
        desc: int = 0,
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Combine remote elements with the operand's."""

    def atomicv(
        self,
        operands: Sequence[Source],
        datatype: Datatype | int,
        op: AtomicOp | int,
        *,
        addr: int,
        key: int,
        descs: Sequence[int] = (),
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """``atomic`` with the operand gathered from several buffers."""
        raise FabricError(Errno.ENOSYS, "fi_atomicv")

    @abstractmethod
    def atomicmsg(
        self,
        operand: Source,
        count: int,
        datatype: Datatype | int,
        op: AtomicOp | int,
        remote: Sequence[RmaIoc],
        *,
        desc: int = 0,
        dest: int = ADDR_UNSPEC,
        data: int = 0,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> None:
        """``atomic`` on several remote segments with flags."""

    @abstractmethod
    def inject_atomic(
        self,
        operand: Source,
        count: int,
        datatype: Datatype | int,
        op: AtomicOp | int,
        *,
        addr: int,
        key: int,
        dest: int = ADDR_UNSPEC,
    ) -> None:
        """``atomic`` with the operand free on return and no completion."""

    @abstractmethod
    def fetch_atomic(
        self,
        operand: Source | None,
        result: Buffer,
        count: int,
        datatype: Datatype | int,
        op: AtomicOp | int,
        *,
        addr: int,
        key: int,
        desc: int = 0,
        result_desc: int = 0,
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """``atomic`` that also returns what was there before. The operand may be None for ATOMIC_READ."""

    def fetch_atomicv(
        self,
        operands: Sequence[Source],
        results: Sequence[Buffer],
        datatype: Datatype | int,
        op: AtomicOp | int,
        *,
        addr: int,
        key: int,
        descs: Sequence[int] = (),
        result_descs: Sequence[int] = (),
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """``fetch_atomic`` with operand and result in several buffers."""
        raise FabricError(Errno.ENOSYS, "fi_fetch_atomicv")

    @abstractmethod
    def fetch_atomicmsg(
        self,
        operand: Source | None,
        result: Buffer,
        count: int,
        datatype: Datatype | int,
        op: AtomicOp | int,
        remote: Sequence[RmaIoc],
        *,
        desc: int = 0,
        result_desc: int = 0,
        dest: int = ADDR_UNSPEC,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> None:
        """``fetch_atomic`` on several remote segments with flags."""

    @abstractmethod
    def compare_atomic(
        self,
        operand: Source,
        compare: Source,
        result: Buffer,
        count: int,
        datatype: Datatype | int,
        op: AtomicOp | int,
        *,
        addr: int,
        key: int,
        desc: int = 0,
        compare_desc: int = 0,
        result_desc: int = 0,
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """Replace remote elements where the comparison holds; returns what was there before."""

    def compare_atomicv(
        self,
        operands: Sequence[Source],
        compares: Sequence[Source],
        results: Sequence[Buffer],
        datatype: Datatype | int,
        op: AtomicOp | int,
        *,
        addr: int,
        key: int,
        descs: Sequence[int] = (),
        compare_descs: Sequence[int] = (),
        result_descs: Sequence[int] = (),
        dest: int = ADDR_UNSPEC,
        context: Context | None = None,
    ) -> None:
        """``compare_atomic`` with operand, comparand and result in several buffers."""
        raise FabricError(Errno.ENOSYS, "fi_compare_atomicv")

    @abstractmethod
    def compare_atomicmsg(
        self,
        operand: Source,
        compare: Source,
        result: Buffer,
        count: int,
        datatype: Datatype | int,
        op: AtomicOp | int,
        remote: Sequence[RmaIoc],
        *,
        desc: int = 0,
        compare_desc: int = 0,
        result_desc: int = 0,
        dest: int = ADDR_UNSPEC,
        flags: Flags = 0,
        context: Context | None = None,
    ) -> None:
        """``compare_atomic`` on several remote segments with flags."""
