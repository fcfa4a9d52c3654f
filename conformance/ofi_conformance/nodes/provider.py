# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Opening a backend inside a node: the provider itself, announced call by call, and broken on purpose when asked.

The recorder sits next to the backend, so what is announced is what the provider was really asked. Not for the
coordinator: a provider may take the process with it.
"""

from __future__ import annotations

import importlib

from kfabric.api import BackendUnavailable, Provider

from .agent import intents
from .recorder import record

_MODULES = {"libfabric": "kfabric.backends.libfabric"}


def open_provider(backend: str, library: str | None = None, fault: str | None = None) -> Provider:
    """Open the backend's root object.

    Args:
        backend: as a target names it.
        library: another file to load than the system's.
        fault: a name of the catalogue of planted faults, to be judged instead of the provider.
    """
    if backend not in _MODULES:
        known = ", ".join(_MODULES)
        raise BackendUnavailable(
            f"backend {backend!r} is not part of this version; what can be reached here is {known}"
        )
    provider: Provider = importlib.import_module(_MODULES[backend]).open_provider(library)
    provider = record(provider, intents())
    if fault:
        provider = importlib.import_module("ofi_conformance.faults").plant(provider, fault)
    return provider
