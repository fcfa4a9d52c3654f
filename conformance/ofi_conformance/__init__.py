# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The conformance suite's engine. What a case imports: ``requirement``, and the types of its fixtures.

The fixtures' types are imported when somebody asks for them: a node process imports this package too, and needs none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from .local import Local
    from .road import Road

__all__ = ["Local", "Road", "requirement"]

Case = TypeVar("Case", bound=Callable[..., object])


def requirement(*ids: str, when: str = "", once: bool = False) -> Callable[[Case], Case]:
    """Name the requirements that a case decides.

    Args:
        ids: at least one.
        when: what the case itself needs, in the grammar of the requirements' own ``when``; elsewhere it is not run.
        once: hints make no difference to it: it runs in one configuration of each endpoint type and speaks for the
            others in which the same of its requirements apply. For bodies only.
    """
    import pytest

    if not ids:
        raise ValueError("a case names at least one requirement")
    return pytest.mark.requirement(*ids, when=when, once=once)


def __getattr__(name: str) -> object:
    if name == "Local":
        from .local import Local

        return Local
    if name == "Road":
        from .road import Road

        return Road
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
