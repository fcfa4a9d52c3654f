# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The recorder: a provider whose every call is announced in the node's intents before it is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from kfabric.api import Provider

from .delegate import OBJECTS, Delegating, Method, Weaving, passing_on, unwrap
from .intent import Intents, call_text

_TELLS_ARGS = frozenset({"Provider", "Fabric", "Domain", "PassiveEndpoint", "ScalableEndpoint", "AddressVector"})
_UNTOLD = frozenset({"context", "strerror", "tostr"})
"""Not worth a word: they come by the thousand, or ask nothing of the provider."""


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 160 else f"{text[:150]}..."


def _announce(method: Method) -> Callable[..., Any]:
    name, gives, takes = method.name, method.gives_object, method.takes_object
    text = call_text(str(method))
    tells = method.owner in _TELLS_ARGS

    def data(self: Any, *args: Any, **kwargs: Any) -> Any:
        slot = self.weaving.shared.slot
        slot.announce(text)
        try:
            return getattr(self.inner, name)(*args, **kwargs)
        finally:
            slot.returned()

    def general(self: Any, *args: Any, **kwargs: Any) -> Any:
        slot = self.weaving.shared.slot
        if takes:
            args, kwargs = unwrap(args), {key: unwrap(value) for key, value in kwargs.items()}
        if tells:
            told = [_short(value) for value in args] + [f"{key}={_short(value)}" for key, value in kwargs.items()]
            slot.announce_with(text, ", ".join(told))
        else:
            slot.announce(text)
        try:
            result = getattr(self.inner, name)(*args, **kwargs)
        finally:
            slot.returned()
            if tells:
                slot.forget_args()
        return self.weaving.wrap(result) if gives else result

    def untold(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.inner, name)(*args, **kwargs)

    if name in _UNTOLD:
        return untold
    return general if gives or takes or tells else data


class Recording(Delegating):
    """A wrapper that announces; its weaving shares the ``Intents``."""

    made: ClassVar[dict[type, type]] = {}


def _recording(abstract: type) -> type:
    return passing_on(_announce)(type(f"Recording{abstract.__name__}", (Recording, abstract), {}))


for _abstract in OBJECTS:
    Recording.made[_abstract] = _recording(_abstract)


def record(provider: Provider, intents: Intents) -> Provider:
    """The provider, announcing."""
    wrapped = Weaving(Recording.made, shared=intents).wrap(provider)
    assert isinstance(wrapped, Provider)
    return wrapped
