# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Memory that somebody else also reads and writes: native access now, persistent regions later."""

from .access import load, store

__all__ = ["load", "store"]
