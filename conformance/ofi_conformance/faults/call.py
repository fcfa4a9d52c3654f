# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A data transfer call as a value: what a fault looks at, changes, holds back or repeats before the provider is asked.

All the transfer methods of an endpoint in one shape: the verb, the local buffers, the remote segments, the flags that
are in force. A call is not changed; ``but`` and its relatives make another one.
"""

from __future__ import annotations

import ctypes
import inspect
from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

from kfabric.api import (
    AtomicTransfers,
    Context,
    Datatype,
    Endpoint,
    Flag,
    MessageTransfers,
    RmaIoc,
    RmaIov,
    RmaTransfers,
    TaggedTransfers,
)
from kfabric.model.datatypes import SIZES

if TYPE_CHECKING:
    from .wrappers import PlantedEndpoint


class Verb(Enum):
    """What a call does."""

    SEND = "send"
    RECV = "recv"
    READ = "read"
    WRITE = "write"
    ATOMIC = "atomic"
    FETCH = "fetch"
    COMPARE = "compare"


ATOMICS = frozenset({Verb.ATOMIC, Verb.FETCH, Verb.COMPARE})
REMOTE = frozenset({Verb.READ, Verb.WRITE}) | ATOMICS


def _verb(name: str) -> Verb:
    if "atomic" in name:
        return Verb.FETCH if name.startswith("fetch") else Verb.COMPARE if name.startswith("compare") else Verb.ATOMIC
    for word, verb in (("recv", Verb.RECV), ("read", Verb.READ), ("write", Verb.WRITE)):
        if word in name:
            return verb
    return Verb.SEND


def _transfers() -> dict[str, inspect.Signature]:
    found = {}
    for family in (MessageTransfers, TaggedTransfers, RmaTransfers, AtomicTransfers):
        for name, member in vars(family).items():
            if inspect.isfunction(member) and not name.startswith("_") and name != "atomic_valid":
                found[name] = inspect.signature(member)
    return found


TRANSFERS = _transfers()
"""Every data transfer method of an endpoint, with its signature."""
_VERBS = {name: _verb(name) for name in TRANSFERS}
_SOURCES = frozenset({Verb.SEND, Verb.WRITE, Verb.ATOMIC})


class Call:
    """One data transfer on its way to the provider."""

    __slots__ = ("arguments", "endpoint", "name", "verb")

    def __init__(self, endpoint: PlantedEndpoint, name: str, arguments: dict[str, Any]) -> None:
        self.endpoint = endpoint
        self.name = name
        self.arguments = arguments
        self.verb = _VERBS[name]

    @classmethod
    def of(cls, endpoint: PlantedEndpoint, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """The call that an application makes."""
        bound = TRANSFERS[name].bind(endpoint, *args, **kwargs)
        arguments = dict(bound.arguments)
        del arguments["self"]
        return cls(endpoint, name, arguments)

    def __repr__(self) -> str:
        return f"{self.name}({self.arguments})"

    def go(self) -> None:
        """Ask the provider."""
        getattr(self.endpoint.inner, self.name)(**self.arguments)

    # -- what it is -------------------------------------------------------------------------------------------------
    @property
    def tagged(self) -> bool:
        """A tagged message or receive."""
        return self.name.startswith("t")

    @property
    def injects(self) -> bool:
        """An inject call: no context, no completion."""
        return "inject" in self.name

    @property
    def sends(self) -> bool:
        """Its main buffers are only read by the provider."""
        return self.verb in _SOURCES

    @property
    def context(self) -> Context | None:
        """The operation context."""
        found: Context | None = self.arguments.get("context")
        return found

    @property
    def peer(self) -> int | None:
        """The handle of the peer, where one was given."""
        return self.arguments.get("dest", self.arguments.get("src"))

    @property
    def flags(self) -> int | None:
        """The flags of a call that takes some; None for the others."""
        return int(self.arguments.get("flags", 0)) if self.name.endswith("msg") else None

    @property
    def in_force(self) -> int:
        """The operation flags that hold: those of the call, else the endpoint's own."""
        given = self.flags
        if given is not None:
            return given
        return self.endpoint.rx_op_flags if self.verb is Verb.RECV else self.endpoint.tx_op_flags

    @property
    def reported(self) -> bool:
        """Whether a success is owed an entry in a completion queue."""
        if self.injects:
            return False
        selective = self.endpoint.rx_selective if self.verb is Verb.RECV else self.endpoint.tx_selective
        return not selective or bool(self.in_force & Flag.COMPLETION)

    @property
    def data(self) -> int | None:
        """Remote CQ data, where the call carries some."""
        if self.name.endswith("data"):
            return int(self.arguments["data"])
        if (self.flags or 0) & Flag.REMOTE_CQ_DATA:
            return int(self.arguments.get("data", 0))
        return None

    # -- memory -----------------------------------------------------------------------------------------------------
    @property
    def buffers(self) -> list[Any]:
        """Local memory: what is sent or written, or where received, read or fetched bytes go."""
        given = self.arguments
        for name in ("results", "bufs", "operands") if self.verb in ATOMICS else ("bufs",):
            if name in given:
                return list(given[name])
        for name in ("result", "buf", "operand"):
            if given.get(name) is not None:
                return [given[name]]
        return []

    @property
    def size(self) -> int:
        """Bytes of the local memory."""
        return sum(len(buffer) for buffer in self.buffers)

    def content(self) -> bytes:
        """What the local memory holds now."""
        return b"".join(bytes(buffer) for buffer in self.buffers)

    def fill(self, content: bytes) -> None:
        """Put bytes into the local memory, as far as they and it go."""
        done = 0
        for buffer in self.buffers:
            part = content[done : done + len(buffer)]
            buffer[: len(part)] = part
            done += len(part)

    @property
    def element(self) -> int:
        """Bytes of one element of an atomic operation."""
        return SIZES[Datatype(int(self.arguments["datatype"])).name]

    @property
    def remote(self) -> list[tuple[int, int, int]]:
        """Remote segments of a read, write or atomic operation: address, bytes, key."""
        given = self.arguments
        if "remote" in given:
            width = self.element if self.verb in ATOMICS else 1
            return [
                (one.addr, (one.len if isinstance(one, RmaIov) else one.count * width), one.key)
                for one in given["remote"]
            ]
        return [(given["addr"], self.size, given["key"])]

    # -- other calls ------------------------------------------------------------------------------------------------
    def but(self, **changes: Any) -> Call:
        """The same call with other arguments."""
        return Call(self.endpoint, self.name, self.arguments | changes)

    def without(self, flags: int) -> Call:
        """The same call without these flags; calls that take none as they are."""
        given = self.flags
        return self if given is None else self.but(flags=given & ~int(flags))

    def on(self, *buffers: Any) -> Call:
        """The same call with one buffer (or several, where it takes several) of our own."""
        given = self.arguments
        for name in ("results", "bufs", "operands"):
            if name in given:
                return Call(self.endpoint, self.name, _undescribed(given) | {name: list(buffers)})
        (only,) = buffers
        name = next(name for name in ("result", "buf", "operand") if given.get(name) is not None)
        return Call(self.endpoint, self.name, _undescribed(given) | {name: only})

    def snapshot(self) -> Call:
        """The same call on copies of everything that the provider only reads, as it is now."""
        given = dict(self.arguments)
        names = ["operand", "compare"] + (["buf"] if self.sends else [])
        lists = ["operands", "compares"] + (["bufs"] if self.sends else [])
        for name in names:
            if given.get(name) is not None:
                given[name] = bytes(given[name])
        for name in lists:
            if name in given:
                given[name] = [bytes(one) for one in given[name]]
        return Call(self.endpoint, self.name, _undescribed(given) if self.sends else given)

    def moved(self, by: int) -> Call:
        """The same call on remote memory ``by`` bytes further on."""
        if "remote" in self.arguments:
            kind: type[RmaIov] | type[RmaIoc]
            segments = []
            for one in self.arguments["remote"]:
                kind = type(one)
                size = one.len if isinstance(one, RmaIov) else one.count
                segments.append(kind(one.addr + by, size, one.key))
            return self.but(remote=segments)
        return self.but(addr=self.arguments["addr"] + by)


_DESCRIPTORS = ("desc", "descs", "result_desc", "result_descs")


def _undescribed(arguments: dict[str, Any]) -> dict[str, Any]:
    """Without local descriptors, which name other memory."""
    return {
        name: value for name, value in arguments.items() if name not in ("desc", "descs", "result_desc", "result_descs")
    }


def address_of(buffer: Any) -> int:
    """Where writable memory begins; 0 for memory that only may be read, or is empty."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(buffer))
    except (TypeError, ValueError):
        return 0


def poke(address: int, value: int | None = None) -> None:
    """Change one byte of this process: to a value, or to its complement."""
    place = ctypes.c_ubyte.from_address(address)
    place.value = place.value ^ 0xFF if value is None else value


def outside(buffers: Sequence[Any], start: int, length: int) -> memoryview:
    """Memory of this process as a buffer, wherever it is; ``buffers`` are kept alive by it."""
    array = (ctypes.c_char * length).from_address(start)
    array._kept = list(buffers)  # type: ignore[attr-defined]
    return memoryview(array).cast("B")


def endpoint_method(name: str) -> bool:
    """Whether a method of ``Endpoint`` is a data transfer."""
    return name in TRANSFERS and hasattr(Endpoint, name)
