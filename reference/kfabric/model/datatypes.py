# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Elements of atomic operations: their sizes and their bytes: little endian, as x86-64 Linux lays them out."""

from __future__ import annotations

import math
import struct

Element = int | float | tuple[float, float]

SIZES: dict[str, int] = {
    "INT8": 1,
    "UINT8": 1,
    "INT16": 2,
    "UINT16": 2,
    "INT32": 4,
    "UINT32": 4,
    "INT64": 8,
    "UINT64": 8,
    "FLOAT": 4,
    "DOUBLE": 8,
    "FLOAT_COMPLEX": 8,
    "DOUBLE_COMPLEX": 16,
    "LONG_DOUBLE": 16,
    "LONG_DOUBLE_COMPLEX": 32,
}
"""Bytes of one element, by name of ``kfabric.api.Datatype``."""

OPS: tuple[str, ...] = (
    *("MIN", "MAX", "SUM", "PROD", "LOR", "LAND", "BOR", "BAND", "LXOR", "BXOR", "ATOMIC_READ", "ATOMIC_WRITE"),
    *("CSWAP", "CSWAP_NE", "CSWAP_LE", "CSWAP_LT", "CSWAP_GE", "CSWAP_GT", "MSWAP"),
)
"""Names of ``kfabric.api.AtomicOp``."""

_CODES = {"FLOAT": "<f", "DOUBLE": "<d", "FLOAT_COMPLEX": "<ff", "DOUBLE_COMPLEX": "<dd"}


def is_integer(datatype: str) -> bool:
    """Signed or unsigned integer elements."""
    return "INT" in datatype


def is_signed(datatype: str) -> bool:
    """Signed integer elements."""
    return datatype.startswith("INT")


def bits(datatype: str) -> int:
    """Bits of one element."""
    return 8 * SIZES[datatype]


def _extended(value: float) -> bytes:
    """A double as the 80-bit format of x87, in its 16 bytes. Infinities and NaN keep their class."""
    (raw,) = struct.unpack("<Q", struct.pack("<d", value))
    sign, exponent, mantissa = raw >> 63, raw >> 52 & 0x7FF, raw & ((1 << 52) - 1)
    if exponent == 0x7FF:
        exponent, mantissa = 0x7FFF, 1 << 63 | mantissa << 11
    elif exponent:
        exponent, mantissa = exponent - 1023 + 16383, 1 << 63 | mantissa << 11
    elif mantissa:
        shift = 64 - mantissa.bit_length()
        exponent, mantissa = 16383 - 1022 - 52 + mantissa.bit_length() - 1, mantissa << shift
    return struct.pack("<QH", mantissa, sign << 15 | exponent) + bytes(6)


def _narrow(raw: bytes) -> float:
    mantissa: int
    head: int
    mantissa, head = struct.unpack("<QH", raw[:10])
    sign, exponent = -1.0 if head >> 15 else 1.0, head & 0x7FFF
    if exponent == 0x7FFF:
        return sign * float("inf") if mantissa << 1 & ((1 << 64) - 1) == 0 else float("nan")
    try:
        return sign * math.ldexp(mantissa, exponent - 16383 - 63)
    except OverflowError:
        return sign * float("inf")


def encode_one(datatype: str, value: Element) -> bytes:
    """The bytes of one element; integers wrap."""
    size = SIZES[datatype]
    if is_integer(datatype):
        if not isinstance(value, int):
            raise TypeError(f"{datatype} takes integers, not {value!r}")
        return (value & ((1 << (8 * size)) - 1)).to_bytes(size, "little")
    if datatype.endswith("COMPLEX"):
        real, imaginary = value if isinstance(value, tuple) else (float(value), 0.0)
        if datatype == "LONG_DOUBLE_COMPLEX":
            return _extended(real) + _extended(imaginary)
        return struct.pack(_CODES[datatype], real, imaginary)
    if isinstance(value, tuple):
        raise TypeError(f"{datatype} takes one number, not {value!r}")
    return _extended(float(value)) if datatype == "LONG_DOUBLE" else struct.pack(_CODES[datatype], value)


def decode_one(datatype: str, raw: bytes) -> Element:
    """The number in the bytes of one element (a long double narrowed to a double)."""
    if is_integer(datatype):
        return int.from_bytes(raw, "little", signed=is_signed(datatype))
    if datatype == "LONG_DOUBLE":
        return _narrow(raw)
    if datatype == "LONG_DOUBLE_COMPLEX":
        return _narrow(raw[:16]), _narrow(raw[16:])
    numbers = struct.unpack(_CODES[datatype], raw)
    if len(numbers) == 2:
        return float(numbers[0]), float(numbers[1])
    return float(numbers[0])


def encode(datatype: str, values: tuple[Element, ...]) -> bytes:
    """The buffer that holds ``values``."""
    return b"".join(encode_one(datatype, value) for value in values)


def decode(datatype: str, raw: bytes) -> tuple[Element, ...]:
    """The elements in a buffer; an incomplete last element is left out."""
    size = SIZES[datatype]
    return tuple(decode_one(datatype, raw[at : at + size]) for at in range(0, len(raw) - size + 1, size))
