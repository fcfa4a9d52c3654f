# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Probing: what a target offers and which hints it distinguishes. Runs inside a child process, called by name.

Asks ``getinfo`` about everything and opens one endpoint per endpoint type, to learn what no attribute tells: which
atomics are valid, whether counters and wait objects can be opened.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
from collections.abc import Callable
from typing import Any

from kfabric.api import (
    AtomicOp,
    CntrAttr,
    CqAttr,
    Datatype,
    FabricError,
    Flag,
    Info,
    OpFlag,
    Order,
    Progress,
    Provider,
    WaitObj,
)
from kfabric.model.guarantees import End

from ..configuration import Configuration, NothingToJudge, ask, base_hints, end_to_plain
from ..guarantees import COUNTERS, LEVELS, Binding, end_of
from ..target import Hints, Target, spell
from .provider import open_provider

_ASKABLE = (
    Flag.MSG,
    Flag.TAGGED,
    Flag.RMA,
    Flag.ATOMIC,
    Flag.SOURCE,
    Flag.DIRECTED_RECV,
    Flag.MULTI_RECV,
    Flag.RMA_EVENT,
    Flag.FENCE,
    Flag.RMA_PMEM,
    Flag.SOURCE_ERR,
    Flag.TRIGGER,
    Flag.SHARED_AV,
    Flag.NAMED_RX_CTX,
)
"""Capabilities worth asking for one by one; the others need hardware or are not in the everyday interface."""

_DIRECTIONS = (
    Flag.READ
    | Flag.WRITE
    | Flag.SEND
    | Flag.RECV
    | Flag.REMOTE_READ
    | Flag.REMOTE_WRITE
    | Flag.LOCAL_COMM
    | Flag.REMOTE_COMM
)


class UnloadableProvider(Exception):
    """A shared object that is no provider; the message says why."""


def provider_name(path: str) -> str:
    """The name that an external provider registers: asked of the shared object itself, as libfabric does."""
    try:
        library = ctypes.CDLL(path)
    except OSError as reason:
        raise UnloadableProvider(f"{path} cannot be loaded: {reason}") from None
    try:
        entry = library.fi_prov_ini
    except AttributeError:
        raise UnloadableProvider(f"{path} is no libfabric provider: it has no fi_prov_ini") from None
    entry.restype = ctypes.c_void_p
    record = entry()
    if not record:
        raise UnloadableProvider(f"{path} refused to initialise: fi_prov_ini gave nothing")
    name = ctypes.c_char_p.from_address(record + _PROVIDER_NAME).value
    if not name:
        raise UnloadableProvider(f"{path} registers no provider name")
    return name.decode()


_PROVIDER_NAME = 8 + 4 * ctypes.sizeof(ctypes.c_void_p)
"""Offset of ``name`` in ``struct fi_provider``: two versions, a ``struct fi_context``, the name."""


def offers(backend: str) -> list[dict[str, Any]]:
    """Every exact provider name and endpoint type, loopback first, as plain data."""
    provider = open_provider(backend)
    found: dict[tuple[str, str], Info] = {}
    try:
        everything = provider.getinfo(base_hints(Target(backend)))
    except FabricError:
        everything = []
    for info in everything:
        key = (info.fabric_attr.prov_name, info.ep_attr.type.name.lower())
        if key not in found or (info.domain_attr.name == "lo" and found[key].domain_attr.name != "lo"):
            found[key] = info
    version = provider.version()
    return [
        {
            "provider": name,
            "ep_type": ep_type,
            "end": end_to_plain(end_of(info, Binding(), version=version)),
            "text": provider.tostr(info, "INFO"),
        }
        for (name, ep_type), info in sorted(found.items())
    ]


def configurations(target_plain: dict[str, Any], address: str) -> list[dict[str, Any]]:
    """The matrix of a target as plain data; ``NothingToJudge`` when there is none."""
    target = Target(**{**target_plain, "hints": tuple(tuple(pair) for pair in target_plain["hints"])})
    provider = open_provider(target.backend)
    found: list[Configuration] = []
    for ep_type in [target.ep_type] if target.ep_type else ["msg", "rdm", "dgram"]:
        found += Probe(provider, dataclasses.replace(target, ep_type=ep_type), address).matrix()
    if not found:
        raise NothingToJudge(_nothing(provider, target, address))
    return [configuration.to_plain() for configuration in found]


def _nothing(provider: Provider, target: Target, address: str) -> str:
    """Why there is nothing to judge, in one sentence."""
    everything = sorted({offer.fabric_attr.prov_name for offer in _offers(provider, Info())})
    version = ".".join(map(str, provider.version()))
    if target.library:
        taken = _offers(provider, base_hints(dataclasses.replace(target, hints=())))
        if not taken and target.provider not in _loaded(provider):
            return (
                f"{target.library} registers {target.provider!r}, but {target.backend} {version} did not take it: "
                "its fi_version is older than that, or an entry point is missing"
            )
        return f"{target.library} registers {target.provider!r}, which offers nothing at {address} that meets the hints"
    if target.provider not in everything:
        known = ", ".join(everything) or "none"
        return f"{target.backend} {version} has no provider {target.provider!r} here; it has {known}"
    return f"{target} offers nothing at {address} that meets the hints"


def _offers(provider: Provider, hints: Info) -> list[Info]:
    try:
        return provider.getinfo(hints)
    except FabricError:
        return []


def _loaded(provider: Provider) -> set[str]:
    """Names of the providers that the library has taken, whether or not they offer anything."""
    try:
        listed = provider.getinfo(None, flags=Flag.PROV_ATTR_ONLY)
    except FabricError:
        return set()
    return {info.fabric_attr.prov_name for info in listed}


class Probe:
    """One provider and endpoint type."""

    def __init__(self, provider: Provider, target: Target, address: str) -> None:
        self.provider = provider
        self.target = target
        self.address = address

    def first(self, hints: Hints = ()) -> Info | None:
        """The first offer that meets the target's demands and these, or None."""
        try:
            found = ask(self.provider, base_hints(self.target, hints), self.address)
        except FabricError:
            return None
        return found[0] if found else None

    def matrix(self) -> list[Configuration]:
        """Configurations that the provider tells apart."""
        default = self.first()
        if default is None:
            return []
        caps = self._all_caps(default)
        full: Hints = (("caps", spell(caps)),)
        rich = self.first(full) or default
        every: list[tuple[str, Hints, Binding]] = [("default", (), Binding())]
        if rich.caps & ~default.caps:
            every.append(("full", full, Binding()))
        ordered = self._all_orders(rich)
        if ordered & ~(default.tx_attr.msg_order & default.rx_attr.msg_order):
            every.append(("ordered", (("msg_order", spell(ordered)),), Binding()))
        every.append(("delivery", (("op_flags", "delivery_complete"),), Binding()))
        every.append(("selective", (), Binding(selective=True)))
        counted = full if rich.caps & Flag.RMA_EVENT and not default.caps & Flag.RMA_EVENT else ()
        counters = self._counters(self.first(counted) or default)
        if counters:
            every.append(("counted", counted, Binding(counters=counters)))
        other = Progress.MANUAL if default.domain_attr.data_progress == Progress.AUTO else Progress.AUTO
        every.append((other.name.lower(), (("data_progress", spell(other)),), Binding()))
        found: list[Configuration] = []
        for name, hints, binding in every:
            configuration = self._configuration(name, hints, binding)
            if configuration is not None and not any(_same(configuration.end, known.end) for known in found):
                found.append(configuration)
        return found

    def _configuration(self, name: str, hints: Hints, binding: Binding) -> Configuration | None:
        info = self.first(hints)
        if info is None:
            return None
        binding = dataclasses.replace(binding, wait=self._can_wait(info))
        end = end_of(
            info,
            binding,
            levels=self._levels(hints),
            atomics=self._atomics(info),
            version=self.provider.version(),
        )
        return Configuration(name, self.target, hints, binding, end)

    def _all_caps(self, default: Info) -> Flag:
        """Every capability that is given when asked for, together with those before it."""
        caps = Flag(default.caps & ~_DIRECTIONS)
        for flag in _ASKABLE:
            if not caps & flag:
                offer = self.first((("caps", spell(Flag(caps | flag))),))
                if offer is not None and offer.caps & flag:
                    caps = Flag(caps | flag)
        return caps

    def _all_orders(self, default: Info) -> Order:
        """Every order bit that is given when asked for, together with those before it."""
        orders = Order(default.tx_attr.msg_order & default.rx_attr.msg_order)
        for bit in Order:
            if not orders & bit and bit != Order.DATA:
                offer = self.first((("msg_order", spell(Order(orders | bit))),))
                if offer is not None and offer.tx_attr.msg_order & offer.rx_attr.msg_order & bit:
                    orders = Order(orders | bit)
        return orders

    def _levels(self, hints: Hints) -> list[str]:
        rest = tuple(pair for pair in hints if pair[0] != "op_flags")
        return [level for level in LEVELS if self.first((*rest, ("op_flags", f"{level.lower()}_complete"))) is not None]

    def _in_domain(self, info: Info, look: Callable[[Any], Any], otherwise: Any) -> Any:
        try:
            with self.provider.fabric(info) as fabric, fabric.domain(info) as domain:
                return look(domain)
        except FabricError:
            return otherwise

    def _can_wait(self, info: Info) -> bool:
        def look(domain: Any) -> bool:
            domain.cq_open(CqAttr(wait_obj=WaitObj.UNSPEC)).close()
            return True

        return bool(self._in_domain(info, look, otherwise=False))

    def _counters(self, info: Info) -> tuple[str, ...]:
        """Counters worth binding, if the domain opens any."""

        def look(domain: Any) -> bool:
            try:
                domain.cntr_open(CntrAttr(wait_obj=WaitObj.UNSPEC)).close()
            except FabricError:
                domain.cntr_open(CntrAttr()).close()
            return True

        if not self._in_domain(info, look, otherwise=False):
            return ()
        wanted = ["send", "recv"]
        if info.caps & (Flag.RMA | Flag.ATOMIC):
            wanted += ["read", "write"]
            if info.caps & Flag.RMA_EVENT:
                wanted += ["remote_read", "remote_write"]
        return tuple(name for name in COUNTERS if name in wanted)

    def _atomics(self, info: Info) -> list[tuple[str, str, str, int]]:
        """(kind, op, datatype, count) that the domain calls valid."""
        if not info.caps & Flag.ATOMIC:
            return []
        kinds = {"base": 0, "fetch": OpFlag.FETCH_ATOMIC, "compare": OpFlag.COMPARE_ATOMIC}

        def look(domain: Any) -> list[tuple[str, str, str, int]]:
            found = []
            for kind, flags in kinds.items():
                for op in AtomicOp:
                    for datatype in Datatype:
                        with contextlib.suppress(FabricError):
                            answer = domain.query_atomic(datatype, op, flags)
                            if answer.count:
                                found.append((kind, op.name, datatype.name, answer.count))
            return found

        return list(self._in_domain(info, look, otherwise=[]))


def _same(one: End, other: End) -> bool:
    """Whether two configurations promise the same; address-like texts do not count."""
    return dataclasses.replace(one, extra=()) == dataclasses.replace(other, extra=())
