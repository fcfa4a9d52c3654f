# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The executor: runs a Program on nodes that have opened a configuration, and records the History."""

from .bounds import Bounds
from .legality import ProgramError

__all__ = ["Bounds", "ProgramError"]
