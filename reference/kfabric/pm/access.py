# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Native loads and stores by address: one machine access where size and alignment allow one, else byte by byte.

A program that watches memory which a provider writes needs them: an interpreter's buffer access promises nothing about
tearing. A load acquires, a store releases. The caller owns the memory; an address is not checked.
"""

from __future__ import annotations

import sys

from kfabric._native import ffi, lib

_SIZES = (1, 2, 4, 8)
_POINTER = ffi.typeof("void *")


def _pieces(address: int, size: int) -> range:
    step = size if size in _SIZES and address % size == 0 else 1
    return range(address, address + size, step)


def load(address: int, size: int) -> bytes:
    """The bytes at ``address``, in memory order."""
    places = _pieces(address, size)
    value = ffi.new("uint64_t *")
    result = bytearray()
    for place in places:
        lib.kf_mem_load(ffi.cast(_POINTER, place), places.step, lib.KF_MEM_ORDERED, value)
        result += int(value[0]).to_bytes(places.step, sys.byteorder)
    return bytes(result)


def store(address: int, content: bytes) -> None:
    """Put the bytes at ``address``."""
    places = _pieces(address, len(content))
    for place in places:
        offset = place - address
        piece = int.from_bytes(content[offset : offset + places.step], sys.byteorder)
        lib.kf_mem_store(ffi.cast(_POINTER, place), places.step, lib.KF_MEM_ORDERED, piece)
