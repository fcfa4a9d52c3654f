# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Writes reference/kfabric/model/schemas/*.schema.json from the code; a test fails when they are stale.

Run it as ``python tests/model/write_schemas.py`` (the model package itself does no I/O).
"""

from __future__ import annotations

import json
from pathlib import Path

import kfabric.model
from kfabric.model.codec import DOCUMENTS, schema

FOLDER = Path(kfabric.model.__file__).parent / "schemas"


def text(name: str) -> str:
    """The content of one schema file."""
    return json.dumps(schema(DOCUMENTS[name]), indent=1) + "\n"


if __name__ == "__main__":
    for name in DOCUMENTS:
        (FOLDER / f"{name}.schema.json").write_text(text(name), encoding="utf-8")
