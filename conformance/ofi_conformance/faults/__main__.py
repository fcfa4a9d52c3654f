# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""``python -m ofi_conformance.faults``: the table of planted faults. See ``show``."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from .show import arguments, perform

parser = argparse.ArgumentParser(prog="python -m ofi_conformance.faults", description="Planted faults.")
arguments(parser)
try:
    sys.exit(perform(parser.parse_args(), Console()))
except LookupError as error:
    parser.error(str(error.args[0]))
