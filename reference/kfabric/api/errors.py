# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Errors: what a call refused, and what this library could not do.

``FabricError`` is the provider's answer to a call. ``UsageError`` is a mistake of the Python caller, found before the
provider is asked. ``BackendUnavailable`` says that a backend cannot be reached here, and what to install.
"""

from __future__ import annotations

from .constants import Errno


class FabricError(OSError):
    """A provider call returned an error.

    Attributes: ``code`` the positive error number; ``call`` the C call that answered; ``returned`` what it returned
    (the negative code, unless a provider forgot the sign); ``needed`` the bytes that a call would have liked which said
    ETOOSMALL, None for all others.
    """

    def __init__(
        self, code: int, call: str, detail: str = "", *, needed: int | None = None, returned: int | None = None
    ) -> None:
        self.code = abs(code)
        self.call = call
        self.needed = needed
        self.returned = -self.code if returned is None else returned
        text = f"{call}: {self.name}" + (f" ({detail})" if detail else "")
        super().__init__(self.code, text)

    @property
    def name(self) -> str:
        """The symbolic name, or the number where the code is the provider's own."""
        try:
            return Errno(self.code).name
        except ValueError:
            return f"error {self.code}"


class UsageError(ValueError):
    """The arguments cannot be turned into a call (wrong buffer, closed object, unknown name)."""


class BackendUnavailable(RuntimeError):
    """The backend's library is not here; the message says what to install."""
