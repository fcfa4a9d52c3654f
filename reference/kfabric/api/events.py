# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What queues deliver: completions, error completions and control events, as plain immutable records."""

from __future__ import annotations

from dataclasses import dataclass, field

from .attr import Info
from .constants import EqEventKind


class Context:
    """Operation context: an address-stable block of FI_CONTEXT2 size that a provider may use while the operation runs.

    Made by ``Provider.context()``. ``address`` is what the provider reports back; ``user`` is free for the application.
    """

    __slots__ = ("address", "memory", "user")

    def __init__(self, address: int, memory: object, user: object = None) -> None:
        self.address = address
        self.memory = memory
        self.user = user

    def __repr__(self) -> str:
        return f"Context({self.address:#x}, user={self.user!r})"


@dataclass(frozen=True)
class Completion:
    """A success entry. Fields the queue's format does not carry are None; ``op_context`` is the raw pointer (0: NULL).

    ``flags`` is the raw 64-bit word (class, direction and REMOTE_CQ_DATA/MULTI_RECV bits); lengths in bytes.
    ``src_addr`` is set by ``readfrom`` only.
    """

    op_context: int
    flags: int | None = None
    len: int | None = None
    buf: int | None = None
    data: int | None = None
    tag: int | None = None
    src_addr: int | None = None


@dataclass(frozen=True)
class ErrorCompletion:
    """An error entry. ``err`` is positive when the provider keeps the rules; lengths in bytes."""

    op_context: int
    flags: int
    len: int
    buf: int
    data: int
    tag: int
    olen: int
    err: int
    prov_errno: int
    err_data: bytes = b""
    src_addr: int | None = None
    """The peer's handle, where the library reports it (since 1.20) and knows it."""


@dataclass(frozen=True)
class EqEvent:
    """A control event. ``fid`` is the raw object pointer; ``info`` only for CONNREQ; ``data`` is connection data."""

    kind: EqEventKind | int
    fid: int
    info: Info | None = field(default=None, compare=False)
    data: bytes = b""
    context: int = 0
    entry_data: int = 0


@dataclass(frozen=True)
class EqError:
    """An error event."""

    fid: int
    context: int
    data: int
    err: int
    prov_errno: int
    err_data: bytes = b""
