# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Configurations: the named matrix of hints under which a target is judged, and what each of them promises.

A configuration is judged, not a provider: hints change capabilities, order, sizes and completion levels. Decides which
combinations are worth a run and drops those that a provider answers with the same attributes:

    default     no demand beyond the endpoint type: what an application gets that asks for nothing in particular
    full        every capability that the provider gives when asked for it
    ordered     every order bit it gives, and every one that ``default`` lacks (asking may change others)
    delivery    transmit operations complete at delivery by default (op_flags DELIVERY_COMPLETE)
    selective   queues bound with SELECTIVE_COMPLETION, everything asked per operation
    counted     every counter bound, those of remote operations too where RMA_EVENT is given
    manual/auto the other kind of data progress, where both are given

Accepted on purpose: mode CONTEXT, CONTEXT2, ASYNC_IOV and RX_CQ_DATA (not BUFFERED_RECV, MSG_PREFIX, RESTRICTED_COMP or
NOTIFY_FLAGS_ONLY, which change what completions mean); registration modes LOCAL, VIRT_ADDR, ALLOCATED, PROV_KEY,
RMA_EVENT, ENDPOINT. Traffic is bound to the node's address, loopback by default. The probing itself runs in a child
process (``nodes.probe``), because a provider may take its process with it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kfabric.api import AddrFormat, Flag, Info, Mode, MrMode, Provider
from kfabric.model.guarantees import End

from .guarantees import Binding
from .nodes import Node, NodeDied, NodeSpec, RemoteFailure
from .target import EP_TYPES, Hints, Target, apply_hints

ACCEPTED_MODE = Mode.CONTEXT | Mode.CONTEXT2 | Mode.ASYNC_IOV | Mode.RX_CQ_DATA
ACCEPTED_MR_MODE = (
    MrMode.LOCAL | MrMode.VIRT_ADDR | MrMode.ALLOCATED | MrMode.PROV_KEY | MrMode.RMA_EVENT | MrMode.ENDPOINT
)
_INTERNET = (AddrFormat.SOCKADDR, AddrFormat.SOCKADDR_IN, AddrFormat.SOCKADDR_IN6)


class NothingToJudge(Exception):
    """The target offers nothing here; the message says what was asked and what would help."""


def base_hints(target: Target, hints: Hints = ()) -> Info:
    """Hints for ``getinfo``: what we accept, the exact provider, the configuration's demands, the target's."""
    info = Info()
    info.mode = ACCEPTED_MODE
    info.domain_attr.mr_mode = ACCEPTED_MR_MODE
    info.fabric_attr.prov_name = target.provider
    if target.ep_type:
        info.ep_attr.type = EP_TYPES[target.ep_type]
    apply_hints(info, hints)
    apply_hints(info, target.hints)
    return info


def ask(provider: Provider, hints: Info, address: str) -> list[Info]:
    """Offers of exactly the provider that the hints name, at the address where the addresses are internet ones."""

    def exact(offers: list[Info]) -> list[Info]:
        wanted = hints.fabric_attr.prov_name
        return [offer for offer in offers if not wanted or offer.fabric_attr.prov_name == wanted]

    offers = exact(provider.getinfo(hints))
    if offers and offers[0].addr_format in _INTERNET:
        return exact(provider.getinfo(hints, node=address, flags=Flag.SOURCE))
    return offers


@dataclass(frozen=True)
class Configuration:
    """One column of the matrix: its exact provider and endpoint type, and the ``end`` that the probe found."""

    name: str
    target: Target
    hints: Hints = ()
    binding: Binding = field(default_factory=Binding)
    end: End = field(default_factory=End)

    def __str__(self) -> str:
        return f"{self.target.ep_type}-{self.name}"

    def demand(self) -> Info:
        """A fresh copy of the hints."""
        return base_hints(self.target, self.hints)

    def find(self, provider: Provider, address: str = "127.0.0.1") -> Info:
        """What to open, inside a node: the provider's first offer. Raises what ``getinfo`` raises, or LookupError."""
        offers = ask(provider, self.demand(), address)
        if not offers:
            raise LookupError(f"{self.target} offers nothing at {address}")
        return offers[0]

    @property
    def spelling(self) -> str:
        """The configuration's demands as a target, for the line that replays."""
        return str(dataclasses.replace(self.target, hints=self.hints + self.target.hints))

    def to_plain(self) -> dict[str, Any]:
        """A dictionary that travels to nodes and into files."""
        return {
            "name": self.name,
            "target": dataclasses.asdict(self.target),
            "hints": self.hints,
            "binding": dataclasses.asdict(self.binding),
            "end": end_to_plain(self.end),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Configuration:
        """The inverse of ``to_plain``."""
        target = dict(plain["target"])
        binding = dict(plain["binding"])
        target["hints"] = _pairs(target["hints"])
        binding["counters"] = tuple(binding["counters"])
        return cls(
            plain["name"], Target(**target), _pairs(plain["hints"]), Binding(**binding), end_from_plain(plain["end"])
        )


def _pairs(value: Any) -> Hints:
    return tuple((name, text) for name, text in value)


def end_to_plain(end: End) -> dict[str, Any]:
    """An End as lists, numbers and texts."""
    plain = {}
    for item in dataclasses.fields(end):
        value = getattr(end, item.name)
        plain[item.name] = sorted(value) if isinstance(value, frozenset) else value
    return plain


def end_from_plain(plain: Mapping[str, Any]) -> End:
    """The inverse of ``end_to_plain``."""
    values: dict[str, Any] = {}
    for item in dataclasses.fields(End):
        if item.name not in plain:
            continue
        value, default = plain[item.name], item.default
        if isinstance(default, frozenset):
            value = frozenset(tuple(entry) if isinstance(entry, list) else entry for entry in value)
        elif isinstance(default, tuple):
            value = tuple(tuple(entry) if isinstance(entry, list) else entry for entry in value)
        values[item.name] = value
    return End(**values)


@dataclass(frozen=True)
class Offer:
    """One provider and endpoint type that can be judged here."""

    provider: str
    ep_type: str
    end: End
    attributes: str = ""
    """The library's own text of the first offer."""


def environment_of(target: Target) -> dict[str, str]:
    """Environment of a node that opens the target."""
    return {"FI_LOG_LEVEL": "warn"} | ({"FI_PROVIDER_PATH": target.directory} if target.directory else {})


def _in_child(function: str, target: Target, spec: NodeSpec, *args: Any, bound: float = 60.0) -> Any:
    node = Node("probe", spec, environment_of(target))
    try:
        return node.call(f"ofi_conformance.nodes.probe:{function}", *args, timeout=bound)
    except NodeDied as death:
        raise NothingToJudge(f"{target}: the provider did not survive the question what it offers: {death}") from death
    except RemoteFailure as failure:
        kind = failure.type.rpartition(".")[2]
        if kind in ("BackendUnavailable", "NothingToJudge", "UnloadableProvider"):
            raise NothingToJudge(failure.message) from None
        raise NothingToJudge(f"{target}: {failure.message}") from failure
    finally:
        node.close()


def discover(target: Target, spec: NodeSpec | None = None) -> Target:
    """The target with the provider name that an external shared object registers; others as they are."""
    if not target.library or target.provider:
        return target
    name = _in_child("provider_name", target, spec or NodeSpec(), target.library)
    return dataclasses.replace(target, provider=name)


def matrix(target: Target, spec: NodeSpec | None = None) -> list[Configuration]:
    """The target's configurations, ``default`` first. Raises ``NothingToJudge``."""
    spec = spec or NodeSpec()
    target = discover(target, spec)
    found = _in_child("configurations", target, spec, dataclasses.asdict(target), spec.address)
    return [Configuration.from_plain(plain) for plain in found]


def survey(backend: str = "libfabric", spec: NodeSpec | None = None) -> list[Offer]:
    """Everything that can be judged here, by exact provider name and endpoint type."""
    found = _in_child("offers", Target(backend), spec or NodeSpec(), backend)
    return [Offer(plain["provider"], plain["ep_type"], end_from_plain(plain["end"]), plain["text"]) for plain in found]
