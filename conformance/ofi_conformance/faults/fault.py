# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A fault: one way in which a provider misbehaves, as the code that does it.

Subclasses override the hooks that they need; one that overrides nothing is the fault ``none``. Data transfers come
through ``post``, entries of completion queues through ``completion`` and ``error``, any other call through a method
marked with ``on``. Each misbehaviour is told by ``hit``, so that a test can know that the fault was there. What a fault
is for (requirement ids, the target to show it on) is the catalogue's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, TypeVar

from kfabric.api import Completion, ErrorCompletion, Provider

from .call import Call
from .machinery import Machinery

Entry = Completion | ErrorCompletion
Hook = Callable[..., Any]
H = TypeVar("H", bound=Hook)
K = TypeVar("K", bound="type[Fault]")

IMPLEMENTED: dict[str, type[Fault]] = {}
"""Every fault that can be planted here, by its name in the catalogue."""


def plants(name: str) -> Callable[[K], K]:
    """Class decorator: this is the fault of that name."""

    def enter(cls: K) -> K:
        assert name not in IMPLEMENTED, f"two faults are called {name}"
        IMPLEMENTED[name] = cls
        cls.name = name
        return cls

    return enter


def on(kind: type, *methods: str) -> Callable[[H], H]:
    """Method decorator: stand in for these methods of the objects of an abstract class of ``kfabric.api``.

    The method gets the object's wrapper, ``proceed`` (which passes the call on) and the call's arguments.
    """

    def mark(function: H) -> H:
        function.stands_in = [*getattr(function, "stands_in", ()), *((kind.__name__, name) for name in methods)]  # type: ignore[attr-defined]
        return function

    return mark


class Fault(Machinery):
    """The base: no fault at all."""

    name: ClassVar[str] = ""
    filters_errors: ClassVar[bool] = False
    """Error entries are read before the application asks for them, so that they can be changed."""
    answers: ClassVar[bool] = False
    """Writes entries of its own, so that a blocking read must look up from time to time."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self.stand_ins: dict[tuple[str, str], Hook] = {}
        for cls in reversed(type(self).__mro__):
            for name, member in vars(cls).items():
                for key in getattr(member, "stands_in", ()):
                    self.stand_ins[key] = getattr(self, name)

    def post(self, call: Call) -> None:
        """A data transfer: ask the provider (``call.go``), or do something else."""
        call.go()

    def completion(self, queue: Any, entry: Completion, call: Call | None) -> Iterable[Entry]:
        """A success entry was read: what the application shall see for it. ``call``: what it is about, where known."""
        return (entry,)

    def error(self, queue: Any, entry: ErrorCompletion, call: Call | None) -> Iterable[Entry]:
        """An error entry was read (with ``filters_errors`` only)."""
        return (entry,)


plants("none")(type("NoFault", (Fault,), {"__doc__": "The wrapper alone: nothing is broken."}))
