# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Where a reader of the text form stands in its line, and the one way in which it complains."""

from __future__ import annotations

import re
from functools import lru_cache

SPACE = re.compile(r"\s*")


class NotationError(ValueError):
    """The text is not a Program. ``line`` and ``column`` count from 1; ``expected`` says what would have been right."""

    def __init__(self, line: int, column: int, expected: str, found: str = "") -> None:
        self.line = line
        self.column = column
        self.expected = expected
        self.found = found
        tail = f", found {found!r}" if found else ""
        super().__init__(f"line {line}, column {column}: expected {expected}{tail}")


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


class Cursor:
    """One line, or one cell of a row, read from left to right; spaces separate."""

    def __init__(self, text: str, line: int, column: int = 1) -> None:
        self.text = text
        self.line = line
        self.first = column
        self.position = 0
        self._skip()

    def _skip(self) -> None:
        found = SPACE.match(self.text, self.position)
        self.position = found.end() if found else self.position

    @property
    def done(self) -> bool:
        """Nothing is left."""
        return self.position >= len(self.text)

    @property
    def column(self) -> int:
        """The column in the file, from 1."""
        return self.first + self.position

    def peek(self, pattern: str) -> bool:
        """Whether the rest begins so."""
        return _compiled(pattern).match(self.text, self.position) is not None

    def accept(self, pattern: str) -> re.Match[str] | None:
        """Read what matches, or stay."""
        found = _compiled(pattern).match(self.text, self.position)
        if found:
            self.position = found.end()
            self._skip()
        return found

    def take(self, pattern: str, expected: str) -> re.Match[str]:
        """Read what matches, or complain."""
        found = self.accept(pattern)
        if found is None:
            raise self.error(expected)
        return found

    def error(self, expected: str, position: int | None = None) -> NotationError:
        """The complaint for here, or for an earlier position of this line."""
        at = self.position if position is None else position
        rest = self.text[at:].split()
        return NotationError(self.line, self.first + at, expected, rest[0] if rest else "the end of the line")

    def end(self, expected: str = "the end of the step") -> None:
        """Complain unless nothing is left."""
        if not self.done:
            raise self.error(expected)
