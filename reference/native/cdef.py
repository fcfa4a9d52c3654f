# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""From our C headers to what cffi's parser takes: the cdef step.

Owns the rules, and there are five: comments go; text inside a preprocessor
conditional goes (the include guard itself excepted); an object-like macro
becomes ``#define NAME ...``, an integer constant whose value the C compiler
fills in; every other directive goes, function-like macros included; all that
is left is passed on as it stands. Needs nothing outside the standard library,
because it runs while the project is being built.
"""

import re
from pathlib import Path

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_LINE_END = re.compile(r"\\\n")
_DEFINE = re.compile(r"#\s*define\s+(\w+)(\(?)\s*(.*)")


def cdef(text: str) -> str:
    """Return the declarations of one header as a cffi cdef."""
    lines: list[str] = []
    depth = 0
    for line in _LINE_END.sub(" ", _COMMENT.sub(" ", text)).splitlines():
        directive = line.strip()
        if not directive.startswith("#"):
            if depth <= 1:
                lines.append(line.rstrip())
            continue
        word = directive[1:].split(None, 1)[0]
        if word in ("if", "ifdef", "ifndef"):
            depth += 1
        elif word == "endif":
            depth -= 1
        elif word == "define" and depth <= 1:
            lines.extend(_constant(directive))
    if depth != 0:
        raise ValueError("a preprocessor conditional is not closed")
    return "\n".join(line for line in lines if line) + "\n"


def _constant(directive: str) -> list[str]:
    """``#define NAME value`` as a constant; nothing for any other macro."""
    match = _DEFINE.fullmatch(directive)
    if match is None or match[2] or not match[3]:
        return []
    return [f"#define {match[1]} ..."]


def cdef_of(*headers: Path) -> str:
    """Return the cdef of several headers, in the order given."""
    return "".join(cdef(header.read_text(encoding="ascii")) for header in headers)
