# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What every libfabric object is: a ``struct fid`` with close, bind, control and named operations.

Owns: closing (once; refused closes leave the object usable), use after close, and the references that keep an object's
parents and memory alive. Must not know what kinds of objects there are.
"""

from __future__ import annotations

from typing import Any

from kfabric._native import ffi
from kfabric.api import Buffer, Context, ControlCommand, FabricObject, Flags, UsageError, WaitObj

from .._loader import Library
from .calls import NULL, Closed, address_of, check, done, slot
from .memory import context_pointer, target

GETWAIT = int(ControlCommand.GETWAIT)
ENABLE = int(ControlCommand.ENABLE)


class FidObject(FabricObject):
    """An open object. ``_it`` is its C structure; ``_keep`` what must not go before it does."""

    def __init__(self, library: Library, it: Any, context: Context | None, *keep: Any) -> None:
        self._library = library
        self._it = it
        self._base: Any = ffi.cast("struct fid *", it)
        self._keep: tuple[Any, ...] = (context, *keep)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} closed>" if self.closed else f"<{type(self).__name__} {self.fid:#x}>"

    @property
    def fid(self) -> int:
        """Raw object pointer."""
        if self.closed:
            raise UsageError(f"{type(self).__name__} is closed")
        return address_of(self._base)

    @property
    def fid_context(self) -> int:
        """The context pointer in the C structure (0: NULL)."""
        return address_of(self._base.context)

    @property
    def closed(self) -> bool:
        """Whether ``close`` has succeeded."""
        return isinstance(self._base, Closed)

    def close(self) -> None:
        """Release the object. Raises FabricError(EBUSY) while others depend on it; UsageError the second time."""
        done(slot(self._base.ops, "close", "fi_close")(self._base), "fi_close")
        self._it = self._base = Closed(type(self).__name__)
        self._keep = ()

    def control(self, command: ControlCommand | int, arg: Buffer | int | None = None) -> int:
        """Raw control call; an int is passed as the address of a 64-bit word, a buffer as its own address."""
        word: Any
        if arg is None:
            word = NULL
        elif isinstance(arg, int):
            word = ffi.new("uint64_t *", arg & 0xFFFF_FFFF_FFFF_FFFF)
        else:
            word = target(arg)
        return self._control(int(command), word)

    def open_ops(self, name: str, flags: Flags = 0) -> object:
        """Open a named extension table; the result is a cffi ``void *``. Raises FabricError(ENOSYS) when absent."""
        table = ffi.new("void **")
        opened = slot(self._base.ops, "ops_open", "fi_open_ops")
        text = ffi.new("char[]", name.encode())
        done(opened(self._base, text, int(flags), table, NULL), "fi_open_ops")
        return table[0]

    def bind(self, obj: FabricObject, flags: Flags = 0) -> None:
        """Attach another object of the same library; flags say for which operations."""
        bound = slot(self._base.ops, "bind", "fi_bind")
        done(bound(self._base, base_of(obj), int(flags)), "fi_bind")
        self._keep = (*self._keep, obj)

    def _control(self, command: int, arg: Any) -> int:
        return check(slot(self._base.ops, "control", "fi_control")(self._base, command, arg), "fi_control")

    def _wait_fd(self) -> int:
        number = ffi.new("int *", -1)
        self._control(GETWAIT, number)
        return int(number[0])


def must_wait(wait_obj: WaitObj, what: str) -> None:
    """Raise UsageError for a wait on what was opened without a wait object of its own: providers may crash on it."""
    if wait_obj in (WaitObj.NONE, WaitObj.SET):
        raise UsageError(f"{what} was opened with wait object {wait_obj.name}: nothing to wait on or to wake")


def base_of(obj: FabricObject) -> Any:
    """The ``struct fid *`` of an object of this backend. Raises UsageError for any other."""
    if not isinstance(obj, FidObject):
        raise UsageError(f"{obj!r} is not an object of this backend")
    if obj.closed:
        raise UsageError(f"{type(obj).__name__} is closed")
    return obj._base


def opened(table: Any, name: str, call: str, kind: str, owner: Any, *args: Any, context: Context | None = None) -> Any:
    """Call an opening function ``(owner, args..., kind **, context)`` and return the new ``kind *``."""
    out = ffi.new(f"{kind} **")
    done(slot(table, name, call)(owner, *args, out, context_pointer(context)), call)
    return out[0]
