# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The Pythonic OFI object model: one interface, whatever the backend."""

from .attr import *  # noqa: F403
from .constants import *  # noqa: F403
from .errors import BackendUnavailable, FabricError, UsageError
from .events import Completion, Context, EqError, EqEvent, ErrorCompletion
from .objects import *  # noqa: F403

__all__ = ["BackendUnavailable", "Completion", "Context", "EqError", "EqEvent", "ErrorCompletion", "FabricError", "UsageError"]
