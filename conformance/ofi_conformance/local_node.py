# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Runs the body of an API-shape case: the node's side of ``local``.

Imports the case file by its path, opens the provider, gives the body a kit, closes everything and returns what the body
wrote down as plain data. Must not decide verdicts.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kfabric.api import FabricError, Provider

from .configuration import Configuration
from .kit import Kit
from .kit.sheet import Sheet
from .kit.transcript import Transcript, listen
from .nodes.provider import open_provider

_providers: dict[tuple[str, str], Provider] = {}
_bodies: dict[tuple[str, str], Callable[..., object]] = {}


def body_of(path: str, name: str) -> Callable[..., object]:
    """The module-level function ``name`` of the case file."""
    known = _bodies.get((path, name))
    if known is not None:
        return known
    module_name = f"ofi_conformance_case_{Path(path).stem}"
    module = sys.modules.get(module_name)
    if module is None:
        spec = importlib.util.spec_from_file_location(module_name, path)
        if spec is None or spec.loader is None:
            raise LookupError(f"{path} is no case file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        spec.loader.exec_module(module)
    body = getattr(module, name, None)
    if not callable(body):
        raise LookupError(f"{path} has no module-level function {name}; a body must be one")
    found: Callable[..., object] = body
    _bodies[path, name] = found
    return found


def _provider(configuration: Configuration, fault: str) -> Provider:
    target = configuration.target
    key = (target.backend, fault)
    if key not in _providers:
        _providers[key] = open_provider(target.backend, None, fault or None)
    return _providers[key]


def perform(request: dict[str, Any]) -> dict[str, Any]:
    """Run one body. Returns the sheet, the calls made and, as ``left``, what could not be closed."""
    configuration = Configuration.from_plain(request["configuration"])
    sheet = Sheet(request["named"], request["applicable"])
    body = body_of(request["path"], request["body"])
    provider = _provider(configuration, request["fault"])
    arguments = (request["value"],) if "value" in request else ()
    left: list[str] = []
    transcript = Transcript()

    def whole() -> None:
        info = configuration.find(provider, request["address"])
        kit = Kit(
            listen(provider, transcript),
            info,
            configuration.demand(),
            configuration.end,
            sheet,
            seed=request["seed"],
            bound=request["bound"],
        )
        try:
            body(kit, *arguments, **request["options"])
        finally:
            try:
                left.extend(kit.close())
            except FabricError as error:
                left.append(str(error))

    sheet.run(whole)
    return {**sheet.result(), "left": left, "calls": transcript.calls}
