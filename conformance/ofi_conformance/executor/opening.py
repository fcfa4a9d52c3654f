# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a node has open for a configuration: provider, domain, queues, counters, endpoints, connections.

Runs inside a node. A *port* is what a Program calls an endpoint: one endpoint with its own transmit and receive
queue; where endpoints are connected (MSG), a bundle of endpoints, one per peer port, that share these queues. Peers
are named by (node, port index). Addresses and connections are exchanged through the coordinator (``station``).
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Iterator
from typing import Any

from kfabric.api import (
    ADDR_UNSPEC,
    AddressVector,
    AvAttr,
    AvType,
    CntrAttr,
    CompletionQueue,
    Counter,
    CqAttr,
    CqFormat,
    Endpoint,
    EpType,
    EqAttr,
    EqEvent,
    EqEventKind,
    EventQueue,
    FabricError,
    FabricObject,
    Flag,
    Info,
    MemoryRegion,
    MrMode,
    OpFlag,
    PassiveEndpoint,
    WaitObj,
)

from ..configuration import Configuration
from ..nodes.provider import open_provider
from .memory import Arena, Block, Memory

Peer = tuple[str, int]
"""A port: node and index."""

_QUEUE_SIZE = 1024
_LOCAL_ACCESS = Flag.SEND | Flag.RECV | Flag.READ | Flag.WRITE
_COUNTER_FLAGS = {
    "send": Flag.SEND,
    "recv": Flag.RECV,
    "read": Flag.READ,
    "write": Flag.WRITE,
    "remote_read": Flag.REMOTE_READ,
    "remote_write": Flag.REMOTE_WRITE,
}


class Port:
    """One endpoint of a Program: its queues, and the endpoint or the connections behind it."""

    def __init__(self, index: int, tx_cq: CompletionQueue, rx_cq: CompletionQueue) -> None:
        self.index = index
        self.tx_cq = tx_cq
        self.rx_cq = rx_cq
        self.tx_name = "tx" if index == 0 else f"tx/{index}"
        self.rx_name = "rx" if index == 0 else f"rx/{index}"
        self.ep: Endpoint | None = None
        self.connections: dict[Peer, Endpoint] = {}

    def endpoint(self, peer: Peer | None) -> Endpoint:
        """The endpoint that reaches a peer."""
        if self.ep is not None:
            return self.ep
        assert peer is not None, "a connected port is used without a peer"
        return self.connections[peer]

    def endpoints(self) -> list[Endpoint]:
        """Every endpoint behind the port."""
        return [self.ep] if self.ep is not None else list(self.connections.values())


class Station:
    """Everything that one node has open."""

    def __init__(self, configuration: Configuration, name: str, address: str, fault: str | None) -> None:
        self.name = name
        self.configuration = configuration
        self.binding = configuration.binding
        self.provider = open_provider(configuration.target.backend, fault=fault)
        self.info = configuration.find(self.provider, address)
        self.connected = self.info.ep_attr.type == EpType.MSG
        self.mr_mode = MrMode(self.info.domain_attr.mr_mode)
        self.memory = Memory()
        self.ports: list[Port] = []
        self.addresses: dict[Peer, int] = {}
        self.names: dict[int, Peer] = {}
        self.counters: dict[str, Counter] = {}
        self.av: AddressVector | None = None
        self.eq: EventQueue | None = None
        self.pep: PassiveEndpoint | None = None
        self.counters_lag = False
        """Some counter has been seen to stay behind what was done."""
        self._arena_mrs: dict[Arena, MemoryRegion] = {}
        self._next_key = 1
        self.fabric = self.provider.fabric(self.info)
        self.domain = self.fabric.domain(self.info)

    # -- opening ----------------------------------------------------------------------------------------------------
    def open_ports(self, count: int) -> list[bytes]:
        """Have ``count`` ports; returns the addresses of all (of the listener where they are connected)."""
        if not self.ports:
            self._open_shared()
        while len(self.ports) < count:
            self._open_port()
        if self.connected:
            assert self.pep is not None
            return [self.pep.getname()[0]] * count
        return [port.endpoint(None).getname()[0] for port in self.ports[:count]]

    def _open_shared(self) -> None:
        for name in self.binding.counters:
            self.counters[name] = self._waiting(lambda wait: self.domain.cntr_open(CntrAttr(wait_obj=wait)))
        if self.connected:
            self.eq = self.fabric.eq_open(EqAttr(wait_obj=WaitObj.NONE))
            self.pep = self.fabric.passive_ep(self.info)
            self.pep.bind(self.eq)
            self.pep.listen()
        else:
            self.av = self.domain.av_open(AvAttr(type=self.info.domain_attr.av_type or AvType.TABLE, count=16))

    def _waiting(self, open_with: Any) -> Any:
        """Open with a wait object of the provider's choice if the binding says so and the provider can."""
        if self.binding.wait:
            with contextlib.suppress(FabricError):
                return open_with(WaitObj.UNSPEC)
        return open_with(WaitObj.NONE)

    def _open_port(self) -> None:
        form = CqFormat[self.binding.cq_format]
        queues = [
            self._waiting(lambda wait: self.domain.cq_open(CqAttr(size=_QUEUE_SIZE, format=form, wait_obj=wait)))
            for _ in range(2)
        ]
        port = Port(len(self.ports), *queues)
        if not self.connected:
            ep = self.domain.endpoint(self.info)
            assert self.av is not None
            ep.bind(self.av)
            self._bind(ep, port)
            ep.enable()
            port.ep = ep
        self.ports.append(port)

    def _bind(self, ep: Endpoint, port: Port) -> None:
        selective = OpFlag.SELECTIVE_COMPLETION if self.binding.selective else 0
        ep.bind(port.tx_cq, int(Flag.TRANSMIT) | selective)
        ep.bind(port.rx_cq, int(Flag.RECV) | selective)
        for name, counter in self.counters.items():
            if not (name.startswith("remote_") and self.mr_mode & MrMode.RMA_EVENT):
                ep.bind(counter, _COUNTER_FLAGS[name])
        if self.connected:
            assert self.eq is not None
            ep.bind(self.eq)

    def insert(self, peers: list[tuple[str, int, bytes]]) -> None:
        """Learn the addresses of ports."""
        if self.connected:
            return
        assert self.av is not None
        new = [peer for peer in peers if (peer[0], peer[1]) not in self.addresses]
        if not new:
            return
        for node, index, address in new:  # one by one: text addresses differ in length
            count, (handle,) = self.av.insert([address])
            if count != 1:
                raise FabricError(22, "fi_av_insert", f"{count} of 1 addresses")
            self.addresses[node, index] = handle
            self.names[handle] = (node, index)

    def missing(self, mine: int, peer: Peer) -> bool:
        """Whether a connection from the own port ``mine`` to a peer is still to be made."""
        return self.connected and peer not in self.ports[mine].connections

    # -- connections ------------------------------------------------------------------------------------------------
    def _event(self, kind: EqEventKind, bound: float) -> EqEvent:
        assert self.eq is not None
        deadline = time.monotonic() + bound
        while time.monotonic() < deadline:
            try:
                event = self.eq.read()
            except FabricError:
                error = self.eq.readerr()
                if error is not None:
                    raise FabricError(error.err, "fi_eq_readerr", f"while waiting for {kind.name}") from None
                event = None
            if event is None:
                time.sleep(0.0001)
            elif event.kind == kind:
                return event
        raise TimeoutError(f"no {kind.name} event within {bound} s")

    def connect(self, mine: int, peer: Peer, address: bytes, bound: float) -> None:
        """Connect the own port ``mine`` to a peer's listener."""
        info = copy.copy(self.info)
        info.dest_addr = address
        port = self.ports[mine]
        ep = self.domain.endpoint(info)
        self._bind(ep, port)
        ep.enable()
        ep.connect(address)
        self._event(EqEventKind.CONNECTED, bound)
        port.connections[peer] = ep

    def accept(self, mine: int, peer: Peer, bound: float) -> None:
        """Take the next connection for the own port ``mine``: the coordinator says who it is from."""
        request = self._event(EqEventKind.CONNREQ, bound)
        assert request.info is not None
        info: Info = request.info
        info.tx_attr.op_flags = self.info.tx_attr.op_flags
        info.rx_attr.op_flags = self.info.rx_attr.op_flags
        port = self.ports[mine]
        ep = self.domain.endpoint(info)
        self._bind(ep, port)
        ep.enable()
        ep.accept()
        self._event(EqEventKind.CONNECTED, bound)
        port.connections[peer] = ep

    def shut_down(self) -> bool:
        """Whether the event queue tells of a connection that has ended or failed."""
        if self.eq is None:
            return False
        try:
            event = self.eq.read()
        except FabricError:
            return True
        return event is not None

    # -- memory -----------------------------------------------------------------------------------------------------
    def key(self) -> int:
        """A key to ask for: never the same twice, within the width that the domain allows."""
        self._next_key += 1
        width = self.info.domain_attr.mr_key_size
        return self._next_key % (1 << min(8 * width, 63)) if width else self._next_key

    def desc(self, block: Block) -> int:
        """The local descriptor of a buffer, where the provider wants one."""
        if not self.mr_mode & MrMode.LOCAL:
            return 0
        arena = block.arena
        if arena not in self._arena_mrs:
            self._arena_mrs[arena] = self.domain.mr_reg(arena.view, _LOCAL_ACCESS, requested_key=self.key())
        return self._arena_mrs[arena].desc

    def register(self, block: Block, access: Flag, flags: Flag) -> list[MemoryRegion]:
        """Register a region: once, or once per port where regions belong to endpoints."""
        owners: list[Port | None] = list(self.ports) if self.mr_mode & MrMode.ENDPOINT else [None]
        made = []
        for owner in owners:
            mr = self.domain.mr_reg(block.view, access, requested_key=self.key(), flags=flags)
            if owner is not None:
                mr.bind(owner.endpoints()[0])
            if self.mr_mode & MrMode.RMA_EVENT:
                for name, counter in self.counters.items():
                    if name.startswith("remote_"):
                        mr.bind(counter, _COUNTER_FLAGS[name])
            if self.mr_mode & (MrMode.ENDPOINT | MrMode.RMA_EVENT):
                mr.enable()
            made.append(mr)
        return made

    def handle(self, peer: Peer) -> int:
        """The address handle of a peer; unused where ports are connected."""
        return self.addresses.get(peer, ADDR_UNSPEC)

    # -- closing ----------------------------------------------------------------------------------------------------
    def _closing(self) -> Iterator[FabricObject | None]:
        for port in self.ports:
            yield from port.endpoints()
        yield self.pep
        for port in self.ports:
            yield port.tx_cq
            yield port.rx_cq
        yield from self.counters.values()
        yield self.av
        yield self.eq

    def retire(self) -> list[str]:
        """Close everything but the domain; what could not be closed is told, one sentence each."""
        told = _close(self._closing())
        self.ports, self.addresses, self.names, self.counters = [], {}, {}, {}
        self.av = self.eq = self.pep = None
        return told

    def close(self) -> list[str]:
        """Close everything."""
        told = self.retire()
        told += _close(iter([*self._arena_mrs.values(), self.domain, self.fabric]))
        self._arena_mrs = {}
        return told


def _close(objects: Iterator[FabricObject | None]) -> list[str]:
    told = []
    for item in objects:
        if item is None or item.closed:
            continue
        try:
            item.close()
        except FabricError as refused:
            told.append(f"{type(item).__name__}: {refused}")
    return told
