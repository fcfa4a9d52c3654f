# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Evidence: one run of one Program with everything needed to judge it again offline, or to run it again."""

from __future__ import annotations

from dataclasses import dataclass

from .guarantees import Guarantees
from .history import History
from .program import Program
from .verdict import Judgement

FORMAT = 1


@dataclass(frozen=True)
class Evidence:
    """What ``ofi-conform judge`` and ``replay`` read. Texts that nobody knows are empty."""

    program: Program
    guarantees: Guarantees
    history: History
    judgements: tuple[Judgement, ...] = ()
    target: str = ""
    """The target as it is written on the command line."""
    configuration: str = ""
    """Name of the configuration among those of the target."""
    provider: str = ""
    """Provider and version, as ``tcp 117.0``."""
    library: str = ""
    """The library and its version, as ``libfabric 1.17.0``."""
    suite: str = ""
    """Version of the suite that recorded it."""
    requirement: str = ""
    """The requirement for which it was kept."""
    seed: int | None = None
    fault: str = ""
    """Name of the planted fault the provider was broken with, if any."""
    note: str = ""
