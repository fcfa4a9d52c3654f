# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The transcript of a body: every provider call it made and how the provider answered, in order.

What the time line of a Program is to a failure on the road, this is to a failure of a body. Objects are called by
kind and number (``Endpoint 2``), reads that find nothing are told once, and only the latest calls are kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum, IntFlag
from typing import Any, ClassVar

from kfabric.api import ADDR_UNSPEC, Context, FabricError, Info, Provider
from kfabric.api import Flag as ApiFlag

from ..nodes.delegate import OBJECTS, Delegating, Method, Weaving, passing_on, unwrap
from .journal import note

KEPT = 80
NOTHING = "nothing"
POLLS = "reads of queues"
_UNTOLD = frozenset({"context", "strerror", "tostr"})
_EMPTY_READS = frozenset({"read", "readfrom", "readerr", "sread", "sreadfrom"})


class Transcript:
    """The calls of one body."""

    def __init__(self) -> None:
        self._calls: deque[list[str]] = deque(maxlen=KEPT)
        self._names: dict[int, str] = {}
        self._counts: dict[str, int] = {}
        self._held: list[object] = []
        self._contexts: dict[int, int] = {}

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
        """Write a call down; reads that found nothing, one after the other, are one line."""
        if answer == NOTHING:
            call = POLLS
            if self._calls and self._calls[-1][0] == POLLS:
                return
        self._calls.append([call, answer])

    def show(self, value: object, name: str = "") -> str:
        """A value for readers; ``name`` is that of its argument, where it is known."""
        if isinstance(value, Delegating):
            return self.name(value)
        if isinstance(value, Context):
            return f"ctx {self._contexts.setdefault(value.address, len(self._contexts) + 1)}"
        if isinstance(value, Info):
            return f"info({value.fabric_attr.prov_name} {value.ep_attr.type.name})"
        if isinstance(value, Enum) and not isinstance(value, IntFlag):
            return value.name
        if name in ("flags", "access") and isinstance(value, int):
            return flag_text(value)
        if is_dataclass(value) and not isinstance(value, type):
            told = [f"{each.name}={self.show(getattr(value, each.name))}" for each in _told_fields(value)]
            return f"{type(value).__name__}({', '.join(told)})"
        if isinstance(value, bytes):
            return f"<{value[:16].hex(' ')}{' ...' if len(value) > 16 else ''}>"
        if isinstance(value, memoryview | bytearray) or hasattr(value, "madvise"):
            return f"buf[{len(value)}]"  # type: ignore[arg-type]
        if isinstance(value, list | tuple):
            return "[" + ", ".join(map(self.show, value[:6])) + (", ..." if len(value) > 6 else "") + "]"
        text = hex(value) if isinstance(value, int) and abs(value) > 1 << 20 else repr(value)
        return text if len(text) <= 120 else f"{text[:110]}..."

    def arguments(self, method: Method, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The arguments of a call; what says nothing is left out."""
        names = (*method.parameters, *[""] * len(args))
        shown = [self.show(value, name) for name, value in zip(names, args, strict=False)]
        for key, value in kwargs.items():
            silent = (key in ("desc", "flags") and not value) or (key in ("dest", "src") and value == ADDR_UNSPEC)
            if not silent and value is not None:
                shown.append(f"{key}={self.show(value, key)}")
        return ", ".join(shown)

    @property
    def calls(self) -> list[list[str]]:
        """[call, answer] pairs, oldest first."""
        return list(self._calls)


def flag_text(word: int) -> str:
    """Names of the bits of a flag word, as they are called among operation and bind flags."""
    names = [flag.name for flag in ApiFlag if flag & word and flag.name]
    return "|".join(names) or hex(word)


def _told_fields(value: Any) -> list[Field[Any]]:
    """Fields that do not hold their default."""
    return [
        each
        for each in fields(value)
        if getattr(value, each.name) != (each.default if each.default_factory is MISSING else each.default_factory())
    ]


def _told(method: Method) -> Callable[..., Any]:
    name = method.name
    polls = name in _EMPTY_READS and method.owner in ("CompletionQueue", "EventQueue")

    def told(self: Any, *args: Any, **kwargs: Any) -> Any:
        script: Transcript = self.weaving.shared
        call = f"{script.name(self)}.{name}({script.arguments(method, args, kwargs)})"
        if not polls:
            note(call=call)
        try:
            result = getattr(self.inner, name)(*unwrap(args), **{key: unwrap(value) for key, value in kwargs.items()})
        except FabricError as error:
            script.tell(call, error.name)
            raise
        if method.gives_object:
            result = self.weaving.wrap(result)
        if result is None or result == []:
            script.tell(call, NOTHING if polls else "ok")
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
