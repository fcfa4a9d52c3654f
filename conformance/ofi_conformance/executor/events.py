# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Events as they travel: tuples (word, time, fields...) of a node, made into ``history`` events by the coordinator."""

from __future__ import annotations

from typing import Any

from kfabric.model.history import (
    AnyEvent,
    Completed,
    Content,
    Counted,
    Did,
    Failed,
    Observed,
    Passed,
    Posted,
    Probed,
    Waited,
)
from kfabric.model.program import EndpointRef

_KINDS: dict[str, type[Any]] = {
    kind.word: kind for kind in (Posted, Completed, Failed, Observed, Did, Waited, Passed, Counted, Content, Probed)
}
_SOURCE = 7
"""Place of a completion's source among its fields."""


def build(node: str, seq: int, plain: tuple[Any, ...]) -> AnyEvent:
    """The event that a node's tuple stands for."""
    word, at, *fields = plain
    if word == Completed.word and fields[_SOURCE] is not None:
        fields[_SOURCE] = EndpointRef(*fields[_SOURCE])
    elif word == Waited.word:
        fields[1] = tuple(fields[1])
    event: AnyEvent = _KINDS[word](node, seq, at, *fields)
    return event
