# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The ``when`` of a requirement: which configurations it applies to.

Grammar (documented in the conventions chapter of the specification). A ``when`` is a conjunction of terms separated by
blanks; a term is ``key:value``, with alternative values joined by ``|``, negated as a whole by a leading ``!``; empty:
always. Terms speak about what both ends opened, never about a provider's name. Pure: evaluated on ``Guarantees`` alone.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kfabric.model.guarantees import End, Guarantees

_RELATIONS: dict[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
_LIMIT = re.compile(r"^(\w+?)(?:(>=|<=|!=|>|<|=)(\w+))?$")
LIMITS = tuple(name for name, kind in End.__annotations__.items() if kind == "int")
"""Numeric attributes that ``limit:`` may name..."""
EXTRA_LIMITS = ("max_ep_tx_ctx", "max_ep_rx_ctx", "max_ep_stx_ctx", "max_ep_srx_ctx", "cntr_cnt")
"""...and those that ``End.extra`` carries, as texts."""


class ConditionError(ValueError):
    """A ``when`` that cannot be read; our mistake or the specification's, never the provider's."""


def _ends(guarantees: Guarantees) -> tuple[End, ...]:
    return tuple(end for _, end in guarantees.ends) or (guarantees.default,)


def _pairs(guarantees: Guarantees) -> Iterator[tuple[End, End]]:
    """Every (initiator, target); an end may be its own peer when it stands for both."""
    ends = _ends(guarantees)
    for one, initiator in enumerate(ends):
        for other, target in enumerate(ends):
            if one != other or len(ends) == 1:
                yield initiator, target


def _order(value: str, guarantees: Guarantees) -> bool:
    return all(value in initiator.tx_order & target.rx_order for initiator, target in _pairs(guarantees))


def _data_order(value: str, guarantees: Guarantees) -> bool:
    field = f"max_order_{value.lower()}_size"
    if field not in LIMITS:
        raise ConditionError(f"dataorder: knows RAW, WAR and WAW, not {value}")
    return _order(value, guarantees) and all(getattr(end, field) > 0 for end in _ends(guarantees))


def _limit(value: str, guarantees: Guarantees) -> bool:
    """``name`` (positive) or ``name<relation>number``; names are those of ``End`` or of its ``extra``."""
    match = _LIMIT.match(value)
    if not match or (match[1] not in LIMITS and match[1] not in EXTRA_LIMITS):
        raise ConditionError(f"limit: wants an attribute, perhaps with a relation and a number, not {value!r}")
    relation, bound = (_RELATIONS[match[2]], int(match[3], 0)) if match[2] else (operator.gt, 0)
    return all(relation(_number(end, match[1]), bound) for end in _ends(guarantees))


def _number(end: End, name: str) -> int:
    return int(getattr(end, name)) if name in LIMITS else int(dict(end.extra).get(name, "0"))


def _atomic(value: str, guarantees: Guarantees) -> bool:
    """``kind[/op[/datatype]]`` with ``*`` for any."""
    wanted = [*value.split("/"), "*", "*"][:3]
    return all(
        any(
            all(part in ("*", have) for part, have in zip(wanted, (kind, op, datatype), strict=True))
            for kind, op, datatype, count in end.atomics
            if count > 0
        )
        for end in _ends(guarantees)
    )


def _av(value: str, guarantees: Guarantees) -> bool:
    """A vector of that type can be opened: the domain names it, or leaves the choice."""
    return all(end.av_type in (value, "UNSPEC") for end in _ends(guarantees))


def _member(field: str) -> Callable[[str, Guarantees], bool]:
    return lambda value, guarantees: all(value in getattr(end, field) for end in _ends(guarantees))


def _equal(field: str) -> Callable[[str, Guarantees], bool]:
    return lambda value, guarantees: all(getattr(end, field) == value for end in _ends(guarantees))


TERMS: dict[str, Callable[[str, Guarantees], bool]] = {
    "cap": _member("caps"),
    "ep": _equal("ep_type"),
    "order": _order,
    "dataorder": _data_order,
    "level": _member("levels"),
    "mr": _member("mr_mode"),
    "mode": _member("mode"),
    "progress": _equal("data_progress"),
    "threading": _equal("threading"),
    "rm": _equal("resource_mgmt"),
    "limit": _limit,
    "atomic": _atomic,
    "av": _av,
}


@dataclass(frozen=True)
class Term:
    """``key:value|value``, perhaps negated."""

    key: str
    values: tuple[str, ...]
    negated: bool = False

    def holds(self, guarantees: Guarantees) -> bool:
        """Whether any value holds (or, negated, none)."""
        return any(TERMS[self.key](value, guarantees) for value in self.values) is not self.negated

    def __str__(self) -> str:
        return f"{'!' if self.negated else ''}{self.key}:{'|'.join(self.values)}"


@dataclass(frozen=True)
class Condition:
    """A conjunction of terms; empty: always."""

    terms: tuple[Term, ...] = ()

    def missing(self, guarantees: Guarantees) -> str:
        """The first term that does not hold, or an empty text when all do."""
        return next((str(term) for term in self.terms if not term.holds(guarantees)), "")

    def __str__(self) -> str:
        return " ".join(map(str, self.terms))


def _term(text: str) -> Term:
    key, colon, values = text.removeprefix("!").partition(":")
    if not colon or not values or key not in TERMS:
        raise ConditionError(f"{text!r} is no term of a 'when'; known: {' '.join(f'{name}:' for name in TERMS)}")
    term = Term(key, tuple(values.split("|")), text.startswith("!"))
    for value in term.values:
        TERMS[key](value, Guarantees())  # a value that can never be evaluated is found when it is read
    return term


def parse(text: str) -> Condition:
    """Read a ``when``; raises ConditionError."""
    return Condition(tuple(map(_term, text.split())))
