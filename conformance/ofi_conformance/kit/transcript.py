# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The transcript of a body: every provider call it made and how the provider answered, in order.

What the time line of a Program is to a failure on the road, this is to a failure of a body. Objects are called by
kind and number (``Endpoint 2``), empty reads in a row are told once, and only the latest calls are kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum, Flag
from typing import Any, ClassVar

from kfabric.api import Context, FabricError, Info, Provider

from ..nodes.delegate import OBJECTS, Delegating, Method, Weaving, passing_on, unwrap
from .journal import note

KEPT = 80
NOTHING = "nothing"
_UNTOLD = frozenset({"context", "strerror", "tostr"})
_EMPTY_READS = frozenset({"read", "readfrom", "readerr", "sread", "sreadfrom"})


class Transcript:
    """The calls of one body."""

    def __init__(self) -> None:
        self._calls: deque[list[str]] = deque(maxlen=KEPT)
        self._names: dict[int, str] = {}
        self._counts: dict[str, int] = {}
        self._held: list[object] = []
        self._empty: set[str] = set()

    def name(self, item: Delegating) -> str:
        """What the object is called."""
        inner = item.inner
        if id(inner) not in self._names:
            kind = type(item).__name__.removeprefix("Telling")
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            self._names[id(inner)] = kind if kind == "Provider" else f"{kind} {number}"
            self._held.append(inner)
        return self._names[id(inner)]

    def tell(self, call: str, answer: str) -> None:
        """Write a call down; of empty reads in turn, one of each."""
        if answer == NOTHING:
            if call in self._empty:
                return
            self._empty.add(call)
        else:
            self._empty.clear()
        self._calls.append([call, answer])

    def show(self, value: object) -> str:
        """A value for readers."""
        if isinstance(value, Delegating):
            return self.name(value)
        if isinstance(value, Context):
            return f"ctx@{value.address & 0xFFFF:04x}"
        if isinstance(value, Info):
            return f"info({value.fabric_attr.prov_name} {value.ep_attr.type.name})"
        if isinstance(value, Flag | Enum):
            return value.name or repr(value)
        if isinstance(value, memoryview | bytearray) or hasattr(value, "madvise"):
            return f"buf[{len(value)}]"  # type: ignore[arg-type]
        if isinstance(value, list | tuple):
            return "[" + ", ".join(map(self.show, value[:6])) + (", ..." if len(value) > 6 else "") + "]"
        text = hex(value) if isinstance(value, int) and abs(value) > 1 << 20 else repr(value)
        return text if len(text) <= 120 else f"{text[:110]}..."

    @property
    def calls(self) -> list[list[str]]:
        """[call, answer] pairs, oldest first."""
        return list(self._calls)


def _told(method: Method) -> Callable[..., Any]:
    name = method.name

    def told(self: Any, *args: Any, **kwargs: Any) -> Any:
        script: Transcript = self.weaving.shared
        shown = [script.show(value) for value in args]
        shown += [f"{key}={script.show(value)}" for key, value in kwargs.items()]
        call = f"{script.name(self)}.{name}({', '.join(shown)})"
        if name not in _EMPTY_READS:
            note(call=call)
        try:
            result = getattr(self.inner, name)(*unwrap(args), **{key: unwrap(value) for key, value in kwargs.items()})
        except FabricError as error:
            script.tell(call, error.name)
            raise
        if method.gives_object:
            result = self.weaving.wrap(result)
        if result is None or result == []:
            script.tell(call, NOTHING if name in _EMPTY_READS else "ok")
        else:
            script.tell(call, script.show(result))
        return result

    def untold(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.inner, name)(*args, **kwargs)

    return untold if name in _UNTOLD else told


class _Telling(Delegating):
    made: ClassVar[dict[type, type]] = {}


for _abstract in OBJECTS:
    _Telling.made[_abstract] = passing_on(_told)(type(f"Telling{_abstract.__name__}", (_Telling, _abstract), {}))


def listen(provider: Provider, transcript: Transcript) -> Provider:
    """The provider, telling what is asked of it."""
    wrapped = Weaving(_Telling.made, shared=transcript).wrap(provider)
    assert isinstance(wrapped, Provider)
    return wrapped
