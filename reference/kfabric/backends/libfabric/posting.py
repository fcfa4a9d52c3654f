# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the families of data calls share: the endpoint they post to and what it keeps alive."""

from __future__ import annotations

from typing import Any

from kfabric.api import Context

from .._loader import Library
from .memory import Kept
from .names import Named


class Posting(Named):
    """An endpoint that operations are posted to."""

    def __init__(self, library: Library, it: Any, context: Context | None, *keep: Any) -> None:
        super().__init__(library, it, context, *keep)
        self._kept = Kept()
