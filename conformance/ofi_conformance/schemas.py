# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The published JSON schemas: the suite's own files and those of the model, by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import kfabric.model

PLACES = (Path(__file__).parent / "data" / "schemas", Path(kfabric.model.__file__).parent / "schemas")


def names() -> list[str]:
    """Names that ``schema`` knows."""
    return sorted(
        path.name.removesuffix(".schema.json").removesuffix(".json")
        for place in PLACES
        for path in place.glob("*.json")
    )


def schema(name: str) -> dict[str, Any]:
    """A schema by its name; raises KeyError."""
    for place in PLACES:
        for path in (place / f"{name}.schema.json", place / f"{name}.json"):
            if path.is_file():
                loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
                return loaded
    raise KeyError(name)
