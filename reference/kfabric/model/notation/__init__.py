# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The text form of a Program, one screen, one column per thread: also the litmus notation of the specification.

Described for people in spec/shared/program-notation.rst. ``parse(render(program)) == program`` for every well-formed
Program; ``render(parse(text))`` puts a text into its usual shape.
"""

from __future__ import annotations

from .cursor import NotationError
from .reader import parse
from .words import auto_name
from .writer import render, render_step, show_location

__all__ = ["NotationError", "auto_name", "parse", "render", "render_step", "show_location"]
