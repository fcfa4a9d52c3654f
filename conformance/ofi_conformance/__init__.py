# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The conformance suite's engine. Cases take ``requirement`` from here, ``programs`` and ``kit`` as they need them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["requirement"]

Case = TypeVar("Case", bound=Callable[..., object])


def requirement(*ids: str) -> Callable[[Case], Case]:
    """Name the requirements that a case decides."""
    import pytest

    if not ids:
        raise ValueError("a case names at least one requirement")
    return pytest.mark.requirement(*ids)
