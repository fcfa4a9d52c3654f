# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How a body decides: checks by requirement, calls that must be accepted or refused, and what could not be reached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from kfabric.api import FabricError, FabricObject

from .sheet import CheckFailed, Codes, Sheet, codes_of, codes_text

T = TypeVar("T")
O = TypeVar("O", bound=FabricObject)  # noqa: E741


def call_name(call: Callable[..., object]) -> str:
    """What a call is called in a sentence."""
    owner = getattr(call, "__self__", None)
    name = getattr(call, "__name__", repr(call))
    return f"{type(owner).__name__}.{name}" if owner is not None else name


class Deciding:
    """The part of the kit that writes on the sheet."""

    _sheet: Sheet

    def keep(self, item: O) -> O:
        """Close this object too when the body has ended."""
        raise NotImplementedError

    def applies(self, requirement: str) -> bool:
        """Whether the requirement applies in this configuration."""
        return requirement in self._sheet.applicable

    def check(
        self, requirement: str, condition: object, sentence: str, *, seen: object = None, wanted: object = None
    ) -> bool:
        """Record whether ``sentence`` holds; the body goes on either way."""
        return self._sheet.record(requirement, bool(condition), sentence, seen, wanted)

    def require(
        self, requirement: str, condition: object, sentence: str, *, seen: object = None, wanted: object = None
    ) -> None:
        """Like ``check``, but the body ends here when it does not hold."""
        if not self._sheet.record(requirement, bool(condition), sentence, seen, wanted):
            raise CheckFailed(f"{requirement}: {sentence}")

    def refused(
        self, requirement: str, codes: Codes, call: Callable[..., object], *args: Any, sentence: str = "", **kw: Any
    ) -> bool:
        """Record whether the call is refused with one of the codes."""
        wanted = codes_text(codes)
        text = sentence or f"{call_name(call)} is refused with {wanted}"
        before = self._sheet.trying([requirement])
        try:
            value = call(*args, **kw)
        except FabricError as error:
            self._sheet.trying(before)
            accepted = codes_of(codes)
            ok = accepted is None or error.code in accepted
            return self.check(requirement, ok, text, seen=str(error), wanted=wanted)
        self._sheet.trying(before)
        if isinstance(value, FabricObject):
            self.keep(value)
        return self.check(requirement, False, text, seen="the call was accepted", wanted=wanted)

    def accepted(self, requirement: str, call: Callable[..., T], *args: Any, sentence: str = "", **kw: Any) -> T:
        """Record whether the call is accepted; the body ends here when it is not."""
        text = sentence or f"{call_name(call)} is accepted"
        before = self._sheet.trying([requirement])
        try:
            value = call(*args, **kw)
        except FabricError as error:
            self._sheet.trying(before)
            self.check(requirement, False, text, seen=str(error), wanted="accepted")
            raise CheckFailed(f"{requirement}: {text}, not {error}") from error
        self._sheet.trying(before)
        self.check(requirement, True, text)
        return self.keep(value) if isinstance(value, FabricObject) else value

    def expect(self, codes: Codes, call: Callable[..., object], *args: Any, **kw: Any) -> FabricError:
        """The error that the call is refused with: a step on the way, not a decision by itself."""
        accepted = codes_of(codes)
        try:
            call(*args, **kw)
        except FabricError as error:
            if accepted is not None and error.code not in accepted:
                raise
            return error
        raise FabricError(0, call_name(call), f"accepted where {codes_text(codes)} was due")

    def trying(self, *requirements: str) -> None:
        """Say which ids are at stake from now on: a crash breaks those, and leaves the other undecided ids open."""
        self._sheet.trying(requirements)

    def spoils(self) -> None:
        """What follows may harm the process in a way that shows only later: no other body is to run in it."""
        self._sheet.spoilt = True

    def inconclusive(self, requirement: str, why: str) -> None:
        """The state that the requirement speaks of could not be reached."""
        self._sheet.inconclusive(requirement, why)

    def unreached(self, requirement: str, why: str) -> None:
        """Nothing to try here: unlike ``inconclusive``, no word against another case or configuration that could."""
        self._sheet.unreached(requirement, why)
