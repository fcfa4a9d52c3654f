# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Memory that C sees: contexts, buffers, lists of segments, and what must stay alive while an operation runs.

Owns: the keep-alive rule. An operation's buffers belong to its context: they stay until the context is used for another
operation of the same endpoint, or the endpoint is closed. An operation without a context keeps its buffers by their
address, so posting the same buffer again costs nothing more. Injected data is not kept: the call has copied it.
Use contexts over again; one fresh context per operation would keep every buffer that was ever posted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kfabric._native import ffi
from kfabric.api import Buffer, Context, RmaIoc, RmaIov, Source, UsageError

from .calls import NULL, address_of

CONTEXT_SIZE = 64
"""Bytes of a struct fi_context2, the largest a provider may ask for."""

_CHARS = ffi.typeof("char[]")
_IOVEC = ffi.typeof("struct iovec[]")
_VOID = ffi.typeof("void *")
_CONTEXT = ffi.typeof("struct fi_context2 *")


def new_context(user: object = None) -> Context:
    """A context of FI_CONTEXT2 size, zeroed, at an address that does not change."""
    memory = ffi.new(_CONTEXT)
    return Context(address_of(memory), memory, user)


def context_pointer(context: Context | None) -> Any:
    """What a call takes for a context; NULL for None."""
    return NULL if context is None else context.memory


def source(buf: Source) -> Any:
    """A buffer that the provider reads. ``len()`` of the result is its size in bytes."""
    try:
        return ffi.from_buffer(buf)
    except (TypeError, ValueError, BufferError) as reason:
        raise UsageError(f"not a contiguous buffer: {reason}") from None


def target(buf: Buffer) -> Any:
    """A buffer that the provider writes. ``len()`` of the result is its size in bytes."""
    try:
        return ffi.from_buffer(_CHARS, buf, True)
    except (TypeError, ValueError, BufferError) as reason:
        raise UsageError(f"not a writable contiguous buffer: {reason}") from None


def desc_pointer(desc: int) -> Any:
    """A local descriptor as the pointer it is."""
    return ffi.cast(_VOID, desc) if desc else NULL


def iovec(cbufs: Sequence[Any]) -> Any:
    """``struct iovec[]`` over buffers made by ``source`` or ``target``; never NULL, so that a count of 0 is safe."""
    vector = ffi.new(_IOVEC, len(cbufs) or 1)
    for i, cbuf in enumerate(cbufs):
        entry = vector[i]
        entry.iov_base = cbuf
        entry.iov_len = len(cbuf)
    return vector


def descs(values: Sequence[int], count: int) -> Any:
    """``void *[]`` of local descriptors, or NULL when none was given. One per buffer or none at all."""
    if not values:
        return NULL
    if len(values) != count:
        raise UsageError(f"{len(values)} descriptors for {count} buffers")
    return ffi.new("void *[]", [desc_pointer(value) for value in values])


def rma_iov(segments: Sequence[RmaIov]) -> Any:
    """``struct fi_rma_iov[]``; never NULL."""
    vector = ffi.new("struct fi_rma_iov[]", len(segments) or 1)
    for i, segment in enumerate(segments):
        entry = vector[i]
        entry.addr, entry.len, entry.key = segment.addr, segment.len, segment.key
    return vector


def rma_ioc(segments: Sequence[RmaIoc]) -> Any:
    """``struct fi_rma_ioc[]``; never NULL."""
    vector = ffi.new("struct fi_rma_ioc[]", len(segments) or 1)
    for i, segment in enumerate(segments):
        entry = vector[i]
        entry.addr, entry.count, entry.key = segment.addr, segment.count, segment.key
    return vector


class Kept(dict[int, tuple[Any, ...]]):
    """What an endpoint keeps alive, by context address or, without a context, by (negated) buffer address."""

    def operation(self, context: Context | None, *things: Any) -> Any:
        """Keep ``things`` for an operation about to be posted; returns the context pointer for the call.

        The first thing is a buffer or NULL. This comes before the call, because another thread may see the completion
        and use the context again before the call returns.
        """
        if context is None:
            self[-address_of(things[0])] = things
            return NULL
        self[context.address] = (context, *things)
        return context.memory
