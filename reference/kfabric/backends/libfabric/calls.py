# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""From a slot in a provider's function table to a Python call, and from its return value to an exception.

Owns: the rule that an absent table, a table too short for the slot and a NULL slot all raise ``FabricError(ENOSYS)``
instead of crashing the process, and which return values raise ``FabricError``. Must not know what is called.

A table is looked up again for every call: a provider may change the tables of an object whenever the object is bound,
enabled or controlled.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, NoReturn

from kfabric._native import ffi
from kfabric.api import Errno, FabricError, UsageError

NULL: Any = ffi.NULL
ENOSYS = int(Errno.ENOSYS)
EAGAIN = int(Errno.EAGAIN)

_VOID = ffi.typeof("void *")
_NUMBER = ffi.typeof("uintptr_t")
_ends: dict[str, int] = {}
"""Bytes that a table must have for the slot of each call to be in it."""


def missing(call: str) -> NoReturn:
    """Raise what a hole in a provider's table means."""
    raise FabricError(ENOSYS, call, "the provider's table has no such function")


def slot(table: Any, name: str, call: str) -> Callable[..., Any]:
    """The function ``name`` of ``table`` for ``call``. Raises FabricError(ENOSYS) when the provider left it out."""
    if not table:
        missing(call)
    end = _ends.get(call)
    if end is None:
        end = _ends[call] = ffi.offsetof(ffi.typeof(table).item, name) + ffi.sizeof(_VOID)
    if table.size < end:
        missing(call)
    function = getattr(table, name)
    if not function:
        missing(call)
    return function  # type: ignore[no-any-return]


def check(code: int, call: str) -> int:
    """Return a non-negative code as it is. Raises FabricError for a negative one."""
    if code < 0:
        raise FabricError(-code, call)
    return code


def done(code: int, call: str) -> None:
    """Raise FabricError unless the code is 0; a positive one too, which a provider that forgot the sign returns."""
    if code > 0:
        raise FabricError(code, call, f"returned +{code}", returned=code)
    if code < 0:
        raise FabricError(-code, call)


def address_of(pointer: Any) -> int:
    """A pointer as a number."""
    return int(ffi.cast(_NUMBER, pointer))


def pointer_to(address: int) -> Any:
    """A number as a ``void *``."""
    return ffi.cast(_VOID, address) if address else NULL


def text_of(pointer: Any) -> str:
    """A C string; empty for NULL. Bytes that are not UTF-8 are kept as surrogates."""
    return ffi.string(pointer).decode("utf-8", "surrogateescape") if pointer else ""


def c_string(text: str | None) -> Any:
    """A C string for a call, NULL for None. The result must be kept while the call runs."""
    return NULL if text is None else ffi.new("char[]", text.encode("utf-8", "surrogateescape"))


def member(kind: type[IntEnum]) -> Callable[[int], Any]:
    """A conversion to the enumeration's member, or the plain number where a provider uses one of its own."""

    def convert(value: int) -> int:
        try:
            return kind(value)
        except ValueError:
            return value

    return convert


class Closed:
    """What stands in the place of a C object that was closed: any use raises UsageError."""

    def __init__(self, what: str) -> None:
        self.__dict__["what"] = what

    def __getattr__(self, name: str) -> NoReturn:
        raise UsageError(f"{self.what} is closed")
