# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Targets: the one spelling of what is judged, ``backend:exact-provider-name[/ep-type][?hint=value&...]``.

    libfabric:tcp
    libfabric:tcp;ofi_rxm/rdm?msg_order=sas+saw
    libfabric:/opt/vendor/libfoo-fi.so
    kfabric:sockets

Decides the spelling and the vocabulary of hints. A hint demands a value of one ``fi_info`` field; flag words are names
joined by ``+``. Must not know which providers exist (``configuration`` asks) nor how to reach one (``nodes.provider``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from pathlib import PurePath

from kfabric.api import (
    AddrFormat,
    AvType,
    EpType,
    Flag,
    Info,
    Mode,
    MrMode,
    Order,
    Progress,
    ResourceMgmt,
    Threading,
)

BACKENDS = ("libfabric", "kfabric")
"""Backends that a target may name; which of them can be reached here is asked when a node opens one."""

EP_TYPES = {"msg": EpType.MSG, "rdm": EpType.RDM, "dgram": EpType.DGRAM}


class TargetError(ValueError):
    """The text is no target: one sentence that says which part and what would do."""


_SetHint = Callable[[Info, int], None]


def _order(info: Info, value: int) -> None:
    info.tx_attr.msg_order = info.rx_attr.msg_order = Order(value)


def _comp_order(info: Info, value: int) -> None:
    info.tx_attr.comp_order = info.rx_attr.comp_order = Order(value)


def _progress(info: Info, value: int) -> None:
    info.domain_attr.data_progress = info.domain_attr.control_progress = Progress(value)


def _field(path: str, make: Callable[[int], int] = int) -> _SetHint:
    *parents, name = path.split(".")

    def put(info: Info, value: int) -> None:
        record: object = info
        for parent in parents:
            record = getattr(record, parent)
        setattr(record, name, make(value))

    return put


_HINTS: Mapping[str, tuple[type[IntEnum] | type[IntFlag] | None, _SetHint]] = {
    "caps": (Flag, _field("caps", Flag)),
    "mode": (Mode, _field("mode", Mode)),
    "addr_format": (AddrFormat, _field("addr_format")),
    "msg_order": (Order, _order),
    "tx_msg_order": (Order, _field("tx_attr.msg_order", Order)),
    "rx_msg_order": (Order, _field("rx_attr.msg_order", Order)),
    "comp_order": (Order, _comp_order),
    "op_flags": (Flag, _field("tx_attr.op_flags", Flag)),
    "rx_op_flags": (Flag, _field("rx_attr.op_flags", Flag)),
    "inject_size": (None, _field("tx_attr.inject_size")),
    "tx_size": (None, _field("tx_attr.size")),
    "rx_size": (None, _field("rx_attr.size")),
    "iov_limit": (None, _field("tx_attr.iov_limit")),
    "rma_iov_limit": (None, _field("tx_attr.rma_iov_limit")),
    "max_msg_size": (None, _field("ep_attr.max_msg_size")),
    "protocol": (None, _field("ep_attr.protocol")),
    "threading": (Threading, _field("domain_attr.threading", Threading)),
    "progress": (Progress, _progress),
    "data_progress": (Progress, _field("domain_attr.data_progress", Progress)),
    "control_progress": (Progress, _field("domain_attr.control_progress", Progress)),
    "resource_mgmt": (ResourceMgmt, _field("domain_attr.resource_mgmt", ResourceMgmt)),
    "av_type": (AvType, _field("domain_attr.av_type", AvType)),
    "mr_mode": (MrMode, _field("domain_attr.mr_mode", MrMode)),
    "cq_data_size": (None, _field("domain_attr.cq_data_size")),
}
HINTS = tuple(sorted(_HINTS))
"""Names of hints that a target may demand."""

Hints = tuple[tuple[str, str], ...]


def _value(name: str, text: str) -> int:
    if name not in _HINTS:
        raise TargetError(f"unknown hint {name!r}; known are {', '.join(HINTS)}")
    words, _ = _HINTS[name]
    total = 0
    for part in text.split("+"):
        try:
            total |= int(part, 0)
            continue
        except ValueError:
            pass
        if words is None or part.upper() not in words.__members__:
            known = "a number" if words is None else "one of " + " ".join(w.lower() for w in words.__members__)
            raise TargetError(f"hint {name}={text}: {part!r} is not {known}")
        if total and issubclass(words, IntEnum):
            raise TargetError(f"hint {name}={text}: takes one value")
        total |= int(words[part.upper()])
    return total


def apply_hints(info: Info, hints: Hints) -> None:
    """Put the demands into hints for ``getinfo``; a later one overrides an earlier one of the same name."""
    for name, text in hints:
        value = _value(name, text)
        _HINTS[name][1](info, value)


def spell(value: IntFlag | IntEnum) -> str:
    """A hint's value as a target spells it."""
    if isinstance(value, IntEnum):
        return value.name.lower()
    names = [word.name.lower() for word in type(value) if word in value and word.name]
    left = int(value) & ~sum(int(word) for word in type(value))
    return "+".join(names + ([hex(left)] if left else [])) or "0"


_SHAPE = re.compile(
    r"(?P<backend>[^:]*):(?:(?P<library>[^?]*\.so(?:\.\d+)*)|(?P<provider>[^/?]+))(?:/(?P<ep>[^/?]*))?(?:\?(?P<hints>.*))?",
    re.DOTALL,
)


@dataclass(frozen=True)
class Target:
    """What is judged. ``provider`` is the exact name; empty until discovered where ``library`` is a shared object."""

    backend: str
    provider: str = ""
    ep_type: str = ""
    hints: Hints = ()
    library: str = ""

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read a target; raises ``TargetError``."""
        found = _SHAPE.fullmatch(text)
        if found is None:
            raise TargetError(
                f"{text!r} is not a target; write backend:provider[/ep-type][?hint=value], as libfabric:tcp"
            )
        backend, ep_type = found["backend"], found["ep"]
        if backend not in BACKENDS:
            raise TargetError(f"unknown backend {backend!r} in {text!r}; known are {', '.join(BACKENDS)}")
        if ep_type is not None and ep_type not in EP_TYPES:
            raise TargetError(f"unknown endpoint type {ep_type!r} in {text!r}; known are {', '.join(EP_TYPES)}")
        hints = tuple(_hint(part, text) for part in found["hints"].split("&")) if found["hints"] else ()
        return cls(backend, found["provider"] or "", ep_type or "", hints, found["library"] or "")

    def __str__(self) -> str:
        hints = "&".join(f"{name}={value}" for name, value in self.hints)
        ep_type = f"/{self.ep_type}" if self.ep_type else ""
        return f"{self.backend}:{self.library or self.provider}{ep_type}{'?' + hints if hints else ''}"

    @property
    def directory(self) -> str:
        """Where an external provider's shared object lies, for FI_PROVIDER_PATH; empty for the library's own."""
        return str(PurePath(self.library).parent) if self.library else ""


def _hint(part: str, text: str) -> tuple[str, str]:
    name, equals, value = part.partition("=")
    if not equals:
        raise TargetError(f"{part!r} in {text!r} is not hint=value")
    _value(name, value)
    return name, value


def join_flags(names: Iterable[str]) -> str:
    """Names of flags as a hint's value."""
    return "+".join(name.lower() for name in names) or "0"
