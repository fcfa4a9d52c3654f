# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The table of atomic operations, on the bytes of one element: OFI-ATM-001..007.

``apply`` answers None where the specification leaves the result open or arithmetic may legally differ: not-a-number
operands, the sign of zero, subnormal results, extended precision, products of complex numbers that are not exact.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

from ..datatypes import decode_one, encode_one, is_integer

_EXACT = 1 << 10
_TINY = {"FLOAT": 2.0**-126, "DOUBLE": 2.0**-1022}
Number = int | float | complex

_INTEGERS: dict[str, Callable[[int, int], int]] = {
    "MIN": min,
    "MAX": max,
    "SUM": lambda t, b: t + b,
    "PROD": lambda t, b: t * b,
    "BOR": lambda t, b: t | b,
    "BAND": lambda t, b: t & b,
    "BXOR": lambda t, b: t ^ b,
}
_LOGIC: dict[str, Callable[[bool, bool], bool]] = {
    "LOR": lambda t, b: t or b,
    "LAND": lambda t, b: t and b,
    "LXOR": lambda t, b: t != b,
}
_HOLDS: dict[str, Callable[[Number, Number], bool]] = {
    "CSWAP": lambda c, t: c == t,
    "CSWAP_NE": lambda c, t: c != t,
    "CSWAP_LE": lambda c, t: c <= t,  # type: ignore[operator]
    "CSWAP_LT": lambda c, t: c < t,  # type: ignore[operator]
    "CSWAP_GE": lambda c, t: c >= t,  # type: ignore[operator]
    "CSWAP_GT": lambda c, t: c > t,  # type: ignore[operator]
}
"""The compare value is the left operand (OFI-ATM-004)."""


def apply(op: str, datatype: str, target: bytes, operand: bytes, compare: bytes) -> bytes | None:
    """The target element afterwards; None where that is open."""
    if op == "ATOMIC_READ":
        return target
    if op == "ATOMIC_WRITE":
        return operand
    if op == "MSWAP":
        if not is_integer(datatype):
            return None
        return bytes((b & c) | (t & ~c & 0xFF) for t, b, c in zip(target, operand, compare, strict=True))
    t, b = _number(datatype, target), _number(datatype, operand)
    if t is None or b is None:
        return None
    if op in _HOLDS:
        c = _number(datatype, compare)
        holds = None if c is None else comparison(op, c, t)
        return None if holds is None else operand if holds else target
    if op in _LOGIC:
        return _truth(datatype, _LOGIC[op](t != 0, b != 0))
    if is_integer(datatype):
        assert isinstance(t, int)
        assert isinstance(b, int)
        return encode_one(datatype, _INTEGERS[op](t, b)) if op in _INTEGERS else None
    return _inexact(op, datatype, t, b)


def comparison(op: str, c: Number, t: Number) -> bool | None:
    """Whether the comparison of a compare operation holds; None where that is open."""
    if (isinstance(c, complex) or isinstance(t, complex)) and op not in ("CSWAP", "CSWAP_NE"):
        return None
    return _HOLDS[op](c, t)


def holds(op: str, datatype: str, target: bytes, compare: bytes) -> bool | None:
    """The same, on bytes."""
    t, c = _number(datatype, target), _number(datatype, compare)
    return None if t is None or c is None or op not in _HOLDS else comparison(op, c, t)


def _truth(datatype: str, value: bool) -> bytes:
    return encode_one(datatype, int(value) if is_integer(datatype) else float(value))


def _number(datatype: str, raw: bytes) -> Number | None:
    """The number in the bytes; None for those that compare or compute in more than one way."""
    if datatype.startswith("LONG_DOUBLE"):
        return None
    value = decode_one(datatype, raw)
    if isinstance(value, int):
        return value
    parts = value if isinstance(value, tuple) else (value,)
    for part in parts:
        if math.isnan(part) or (part == 0 and math.copysign(1, part) < 0):
            return None
    return complex(*value) if isinstance(value, tuple) else value


def _inexact(op: str, datatype: str, t: Number, b: Number) -> bytes | None:
    if isinstance(t, complex) or isinstance(b, complex):
        return _complex(op, datatype, complex(t), complex(b))
    if op in ("MIN", "MAX"):
        return encode_one(datatype, min(t, b) if op == "MIN" else max(t, b))
    if op not in ("SUM", "PROD"):
        return None
    return _rounded(datatype, t + b if op == "SUM" else t * b)


def _rounded(datatype: str, value: float) -> bytes | None:
    """In the element's own precision. Sums and products of two floats are exact enough in double to be rounded once."""
    if math.isnan(value) or (0 < abs(value) < _TINY[datatype]) or (value == 0 and math.copysign(1, value) < 0):
        return None
    if datatype == "FLOAT" and math.isfinite(value):
        try:
            (value,) = struct.unpack("<f", struct.pack("<f", value))
        except OverflowError:
            return None
    return encode_one(datatype, value)


def _complex(op: str, datatype: str, t: complex, b: complex) -> bytes | None:
    part = datatype.removesuffix("_COMPLEX")
    if op == "SUM":
        pieces = [_rounded(part, t.real + b.real), _rounded(part, t.imag + b.imag)]
        return None if pieces[0] is None or pieces[1] is None else pieces[0] + pieces[1]
    if op == "PROD":
        parts = (t.real, t.imag, b.real, b.imag)
        if all(abs(each) < _EXACT and each == int(each) for each in parts):
            product = t * b
            if product.real and product.imag:  # the sign of a zero is open
                return encode_one(datatype, (product.real, product.imag))
    return None
