# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Delegating objects: every class of ``kfabric.api`` as a transparent wrapper around another object of that class.

Two things are made of them: the recorder that announces each call before it is made (``provider``), and the fault
injector that misbehaves in one chosen way (``faults``). A wrapper passes every method and property on to ``inner``;
objects that come back are wrapped by the same ``Weaving``, wrapped objects that are passed as arguments are unwrapped
by one layer. So wrappers can be stacked, ``isinstance`` with the abstract classes holds, and a subclass overrides
only what it changes:

    class LoudEndpoint(DelegatingEndpoint):
        def inject(self, buf: Source, *, dest: int = ADDR_UNSPEC) -> None:
            print("inject")
            self.inner.inject(buf, dest=dest)

    provider = Weaving({Endpoint: LoudEndpoint}).wrap(provider)

The methods are made from the abstract classes when this module is imported, so a method added there is passed on too.
"""

from __future__ import annotations

import inspect
from abc import update_abstractmethods
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from kfabric.api import (
    AddressVector,
    CompletionQueue,
    Counter,
    Domain,
    Endpoint,
    EventQueue,
    Fabric,
    FabricObject,
    MemoryRegion,
    PassiveEndpoint,
    Provider,
    ScalableEndpoint,
)

OBJECTS: tuple[type, ...] = (
    Provider,
    Fabric,
    Domain,
    Endpoint,
    PassiveEndpoint,
    ScalableEndpoint,
    CompletionQueue,
    EventQueue,
    Counter,
    AddressVector,
    MemoryRegion,
    FabricObject,
)
"""The abstract classes, each before its bases."""

_NAMES = frozenset(cls.__name__ for cls in OBJECTS)
C = TypeVar("C", bound=type)


def _mentions(annotation: object) -> bool:
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return any(
        word in _NAMES for word in text.replace("[", " ").replace("]", " ").replace("|", " ").replace(",", " ").split()
    )


class Method:
    """What must be known of an abstract method to pass it on."""

    def __init__(self, owner: str, function: Callable[..., Any]) -> None:
        signature = inspect.signature(function)
        self.owner = owner
        self.name = function.__name__
        self.parameters = tuple(signature.parameters)[1:]
        self.gives_object = _mentions(signature.return_annotation)
        self.takes_object = any(_mentions(parameter.annotation) for parameter in signature.parameters.values())

    def __str__(self) -> str:
        return f"{self.owner}.{self.name}"


def methods_of(cls: type) -> dict[str, Method | property]:
    """Public methods and properties of an abstract class, inherited ones too; static helpers are left alone."""
    found: dict[str, Method | property] = {}
    for base in reversed(cls.__mro__):
        for name, member in vars(base).items():
            if name.startswith("_") or isinstance(member, staticmethod):
                continue
            if isinstance(member, property):
                found[name] = member
            elif inspect.isfunction(member):
                found[name] = Method(cls.__name__, member)
    return found


class Delegating:
    """The part that all wrappers share. ``weaving`` wraps what comes back; ``inner`` is the object passed on to."""

    def __init__(self, inner: Any, weaving: Weaving) -> None:
        self.inner = inner
        self.weaving = weaving

    def __getattr__(self, name: str) -> Any:
        if name in ("inner", "weaving"):
            raise AttributeError(name)
        return getattr(self.inner, name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inner!r})"


def unwrap(value: Any) -> Any:
    """One layer off an argument, also inside a list or tuple."""
    if isinstance(value, Delegating):
        return value.inner
    if isinstance(value, list | tuple) and any(isinstance(item, Delegating | list | tuple) for item in value):
        return type(value)(unwrap(item) for item in value)
    return value


def pass_on(method: Method) -> Callable[..., Any]:
    """The function that passes a method on and does nothing else."""
    name, gives, takes = method.name, method.gives_object, method.takes_object

    def plain(self: Delegating, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.inner, name)(*args, **kwargs)

    def general(self: Delegating, *args: Any, **kwargs: Any) -> Any:
        if takes:
            args, kwargs = unwrap(args), {key: unwrap(value) for key, value in kwargs.items()}
        result = getattr(self.inner, name)(*args, **kwargs)
        return self.weaving.wrap(result) if gives else result

    return general if gives or takes else plain


def _read(name: str) -> property:
    def get(self: Delegating) -> Any:
        return getattr(self.inner, name)

    return property(get)


def passing_on(make: Callable[[Method], Callable[..., Any]] = pass_on) -> Callable[[C], C]:
    """Class decorator: give the class every method and property of its abstract base that it does not define itself."""

    def fill(cls: C) -> C:
        abstract = next(base for base in OBJECTS if issubclass(cls, base))
        for name, member in methods_of(abstract).items():
            if name in vars(cls):
                continue
            if isinstance(member, property):
                setattr(cls, name, _read(name))
                continue
            function = make(member)
            function.__name__ = name
            function.__qualname__ = f"{cls.__name__}.{name}"
            setattr(cls, name, function)
        update_abstractmethods(cls)
        return cls

    return fill


@passing_on()
class DelegatingProvider(Delegating, Provider):
    """A provider that passes everything on."""

    inner: Provider


@passing_on()
class DelegatingFabric(Delegating, Fabric):
    """A fabric that passes everything on."""

    inner: Fabric


@passing_on()
class DelegatingDomain(Delegating, Domain):
    """A domain that passes everything on."""

    inner: Domain


@passing_on()
class DelegatingEndpoint(Delegating, Endpoint):
    """An endpoint or context that passes everything on."""

    inner: Endpoint


@passing_on()
class DelegatingPassiveEndpoint(Delegating, PassiveEndpoint):
    """A passive endpoint that passes everything on."""

    inner: PassiveEndpoint


@passing_on()
class DelegatingScalableEndpoint(Delegating, ScalableEndpoint):
    """A scalable endpoint that passes everything on."""

    inner: ScalableEndpoint


@passing_on()
class DelegatingCompletionQueue(Delegating, CompletionQueue):
    """A completion queue that passes everything on."""

    inner: CompletionQueue


@passing_on()
class DelegatingEventQueue(Delegating, EventQueue):
    """An event queue that passes everything on."""

    inner: EventQueue


@passing_on()
class DelegatingCounter(Delegating, Counter):
    """A counter that passes everything on."""

    inner: Counter


@passing_on()
class DelegatingAddressVector(Delegating, AddressVector):
    """An address vector that passes everything on."""

    inner: AddressVector


@passing_on()
class DelegatingMemoryRegion(Delegating, MemoryRegion):
    """A memory region that passes everything on."""

    inner: MemoryRegion


@passing_on()
class DelegatingObject(Delegating, FabricObject):
    """Any other object that can be closed, passing everything on."""

    inner: FabricObject


_DEFAULT: Mapping[type, type] = {
    Provider: DelegatingProvider,
    Fabric: DelegatingFabric,
    Domain: DelegatingDomain,
    Endpoint: DelegatingEndpoint,
    PassiveEndpoint: DelegatingPassiveEndpoint,
    ScalableEndpoint: DelegatingScalableEndpoint,
    CompletionQueue: DelegatingCompletionQueue,
    EventQueue: DelegatingEventQueue,
    Counter: DelegatingCounter,
    AddressVector: DelegatingAddressVector,
    MemoryRegion: DelegatingMemoryRegion,
    FabricObject: DelegatingObject,
}


class Weaving:
    """Which wrapper takes which kind of object, and what the wrappers of one provider share (``shared``)."""

    def __init__(self, wrappers: Mapping[type, type] | None = None, shared: Any = None) -> None:
        table = {**_DEFAULT, **(wrappers or {})}
        self._wrappers = [(cls, table[cls]) for cls in OBJECTS]
        self.shared = shared

    def wrap(self, value: Any) -> Any:
        """The object in its wrapper; anything that is no object of ``kfabric.api`` as it is."""
        for abstract, wrapper in self._wrappers:
            if isinstance(value, abstract):
                return wrapper(value, self)
        return value
