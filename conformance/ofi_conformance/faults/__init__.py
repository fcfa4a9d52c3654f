# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Planted faults: providers broken on purpose, to see whether the suite notices.

``catalogue`` says what each fault breaks and which requirements must, or may, then fail: data that knows nothing of
how the fault is made. ``kinds`` makes them here, by standing between an application and a provider (``wrappers``,
``fault``, ``machinery``). ``trial`` runs the suite against broken and unbroken providers and compares.
"""

from __future__ import annotations

import importlib

from kfabric.api import Provider

from .fault import IMPLEMENTED

KINDS = (
    "atomics",
    "cancelling",
    "completions",
    "connections",
    "counters",
    "delivery",
    "discovery",
    "errors",
    "messages",
    "objects",
    "order",
    "regions",
    "reporting",
    "rma",
    "tagged",
)


def implemented() -> frozenset[str]:
    """Names of the faults that can be planted."""
    for kind in KINDS:
        importlib.import_module(f"{__name__}.kinds.{kind}")
    return frozenset(IMPLEMENTED)


def plant(provider: Provider, name: str) -> Provider:
    """The provider with one fault. Raises ``LookupError`` for a name that nobody knows."""
    from .wrappers import weave

    if name not in implemented():
        raise LookupError(f"there is no fault called {name!r}; `ofi-conform faults` lists them")
    return weave(provider, IMPLEMENTED[name](provider))
