# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Bounds: how long the executor waits before it writes down that it stopped waiting. They never decide a verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bounds:
    """Seconds, unless the name says otherwise."""

    wait: float = 5.0
    """For what a Wait names, for a call that answers EAGAIN, and for what is owed when all steps are done."""
    after: float = 0.5
    """The same, on a node where one bound has been met already."""
    stall: float = 0.5
    """Where progress is automatic, before the other nodes are told to drive it all the same (which is noted)."""
    settle: float = 0.25
    """For what need not come: receives that may stay unmatched, memory and counters that may lag."""
    polls: int = 200
    """Progress calls on each node before a completion that is owed counts as missing."""
    probe: float = 2.0
    """For the probe message that follows."""
    connect: float = 10.0
    """For endpoints to be opened, connected and inserted."""
    hang: float = 5.0
    """Inside one provider call, none of which blocks for long: the node is stopped."""
    silence: float = 15.0
    """Without a word, beyond ``wait``, from a node that is not waiting for others: it is stopped."""

    def short(self) -> Bounds:
        """Bounds for shrinking, where most runs fail; what they find is confirmed with the full ones."""
        return dataclasses.replace(
            self,
            wait=self.wait / 5,
            after=self.after / 5,
            stall=self.stall / 5,
            probe=self.probe / 2,
            hang=self.hang / 2,
        )

    def to_plain(self) -> dict[str, Any]:
        """A dictionary that travels to nodes."""
        return dataclasses.asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Bounds:
        """The inverse of ``to_plain``."""
        return cls(**plain)
