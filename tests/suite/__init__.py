# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Tests of the suite: requirements, verdicts, searching, runs, reports, the command line."""
