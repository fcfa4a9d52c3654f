# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Self-identifying bytes: every byte tells which operation put it there, and where it belongs.

The byte at place ``p`` written by writer number ``w`` is ``w + spread(place)`` modulo 256. At one place two writers
with different numbers (below 256) never agree, so a byte names its writer exactly; a byte that strayed to another
place almost never looks right there, because ``spread`` differs from place to place.
"""

from __future__ import annotations

from functools import lru_cache

from .datatypes import encode
from .program import Atomic, Bytes, Location, Pattern, Program, Region, Send, Store, Value, Write

INITIAL = 0
"""Writer number of a region's initial content; steps are numbered from 1 in program order of the columns."""


BLOCK = 4096
"""Bytes whose spread is computed at once: contents of megabytes must not cost seconds."""


@lru_cache(maxsize=4096)
def _salt(space: str) -> int:
    value = 0x9E3779B1
    for char in space:
        value = (value ^ ord(char)) * 0x01000193 & 0xFFFFFFFF
    return value


def _mix(number: int) -> int:
    value = (number + 1) * 0x9E3779B1 & 0xFFFFFFFF
    value ^= value >> 15
    value = value * 0x85EBCA6B & 0xFFFFFFFF
    return (value ^ value >> 13) & 0xFF


@lru_cache(maxsize=1)
def _block() -> bytes:
    return bytes(map(_mix, range(BLOCK)))


@lru_cache(maxsize=4096)
def _raised(number: int) -> bytes:
    return _block().translate(_shift(_mix(BLOCK + number)))


def spread(space: str, offset: int) -> int:
    """A fixed pseudo-random byte for a place: one for its place in a block plus one for the block."""
    number, within = divmod(_salt(space) + offset, BLOCK)
    return (_block()[within] + _mix(BLOCK + number)) & 0xFF


@lru_cache(maxsize=256)
def _spread_run(space: str, offset: int, size: int) -> bytes:
    """``spread`` of consecutive places, block by block."""
    first, within = divmod(_salt(space) + offset, BLOCK)
    count = -(-(within + size) // BLOCK)
    return b"".join(map(_raised, range(first, first + count)))[within : within + size]


@lru_cache(maxsize=256)
def _shift(writer: int) -> bytes:
    return bytes((i + writer) & 0xFF for i in range(256))


def pattern(writer: int, space: str, offset: int, size: int) -> bytes:
    """``size`` bytes of writer ``writer`` at ``offset`` of ``space`` (a region as ``B.data``, or ``message``)."""
    return _spread_run(space, offset, size).translate(_shift(writer & 0xFF))


def fill(name: str, size: int) -> bytes:
    """What the buffer of the receive, read or fetching atomic ``name`` holds before it is posted."""
    return pattern(INITIAL, f"buffer.{name}", 0, size)


@lru_cache(maxsize=1)
def _complement() -> bytes:
    return bytes(255 - i for i in range(256))


def scribble(content: bytes) -> bytes:
    """What ``Reuse`` writes over a source buffer: every byte complemented, so none looks as before."""
    return content.translate(_complement())


def space_of(place: Location | Region) -> str:
    """The space of a region's bytes, for ``pattern``."""
    return f"{place.node}.{place.region if isinstance(place, Location) else place.name}"


MESSAGE = "message"
"""The space of message payloads: a message is not written to a place of its own."""


def literal(value: int, size: int) -> bytes:
    """An integer as ``size`` bytes, little endian, wrapped."""
    return (value & ((1 << (8 * size)) - 1)).to_bytes(size, "little")


class Numbering:
    """Writer numbers of a Program's steps."""

    def __init__(self, program: Program) -> None:
        self._numbers: dict[str, int] = {}
        for _, step in program.steps():
            if isinstance(step, Send | Write | Store):
                self._numbers[step.name] = len(self._numbers) + 1

    def writer(self, name: str) -> int:
        """The number of a sending, writing or storing step."""
        return self._numbers[name]


def initial(region: Region) -> bytes:
    """Initial content of a region."""
    if region.init is None:
        return pattern(INITIAL, space_of(region), 0, region.size)
    return literal(region.init, region.size)


def _content(value: Value, writer: int, space: str, offset: int, size: int) -> bytes:
    if isinstance(value, Bytes):
        return literal(value.value, size)
    assert isinstance(value, Pattern)
    return pattern(writer, space, offset, size)


def payload(numbers: Numbering, step: Send | Write | Store) -> bytes:
    """The bytes that a step sends, writes or stores, in order."""
    writer = numbers.writer(step.name)
    if isinstance(step, Send):
        return _content(step.value, writer, MESSAGE, 0, step.size)
    places = step.target if isinstance(step, Write) else (step.place,)
    if isinstance(step.value, Bytes):
        return literal(step.value.value, sum(place.size for place in places))
    return b"".join(_content(step.value, writer, space_of(p), p.offset, p.size) for p in places)


def operand(step: Atomic) -> bytes:
    """The operand buffer of an atomic operation (empty for one without operand)."""
    return encode(step.datatype, step.operand)


def compare(step: Atomic) -> bytes:
    """The compare buffer of a comparing atomic operation."""
    return encode(step.datatype, step.compare)
