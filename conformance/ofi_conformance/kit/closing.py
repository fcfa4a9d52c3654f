# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Closing what a body left open, dependents before what they depend on, latest first within a kind."""

from __future__ import annotations

from collections.abc import Sequence

from kfabric.api import (
    Domain,
    Endpoint,
    Fabric,
    FabricError,
    FabricObject,
    MemoryRegion,
    PassiveEndpoint,
    ScalableEndpoint,
    UsageError,
)

_ORDER: tuple[type[FabricObject], ...] = (MemoryRegion, Endpoint, ScalableEndpoint, PassiveEndpoint)
_LAST: tuple[type[FabricObject], ...] = (Domain, Fabric)


def _rank(item: FabricObject) -> int:
    for rank, kind in enumerate(_ORDER):
        if isinstance(item, kind):
            return rank
    for rank, kind in enumerate(_LAST):
        if isinstance(item, kind):
            return len(_ORDER) + 1 + rank
    return len(_ORDER)


def close_all(opened: Sequence[FabricObject]) -> list[str]:
    """Close all, given in the order in which they were opened; returns a line for each object that refused."""
    refused: list[str] = []
    latest_first = [*opened]
    latest_first.reverse()
    for item in sorted(latest_first, key=_rank):
        if item.closed:
            continue
        try:
            item.close()
        except (FabricError, UsageError) as error:
            refused.append(f"{type(item).__name__}: {error}")
    return refused
