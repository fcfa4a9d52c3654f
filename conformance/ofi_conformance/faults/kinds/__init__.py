# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The faults themselves, by what they break.

What makes one misbehave is a property of the call (its size, flags, place in a row of calls), never a count over a run:
a Program that shows the fault shows it again, so that failures shrink and replay.
"""
