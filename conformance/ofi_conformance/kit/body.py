# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The kit itself: what the body of an API-shape case is given.

Opening is lazy: a body that only asks for offers opens nothing. Waiting polls every queue the kit opened, so that both
ends make progress, whatever the progress model. Bodies never branch on providers.
"""

from __future__ import annotations

import copy
import random
from typing import Any, TypeVar

from kfabric.api import (
    AvAttr,
    AvType,
    CntrAttr,
    CompletionQueue,
    Context,
    CqAttr,
    Domain,
    EpType,
    EqAttr,
    EqEvent,
    EqEventKind,
    Errno,
    EventQueue,
    Fabric,
    FabricError,
    FabricObject,
    Flags,
    Info,
    MemoryRegion,
    MrMode,
    Provider,
)
from kfabric.model.guarantees import End

from .closing import close_all
from .deciding import Deciding
from .memory import Guarded, Region, remote_access
from .sheet import Sheet
from .sides import COUNTER_FLAGS, CqWatch, EqWatch, Listener, Options, Pair, Side, bind_queues
from .waiting import Waiting

BOUND = 3.0
"""Seconds that a wait lasts at most; reaching it decides nothing."""
O = TypeVar("O", bound=FabricObject)  # noqa: E741


class Kit(Deciding, Waiting):
    """See the package; every method is for case authors."""

    def __init__(
        self,
        provider: Provider,
        info: Info,
        hints: Info,
        guarantees: End,
        sheet: Sheet,
        *,
        seed: int = 0,
        bound: float = BOUND,
    ) -> None:
        self.provider = provider
        self.info = info
        self.guarantees = guarantees
        self.random = random.Random(seed)
        self.bound = bound
        self._hints = hints
        self._sheet = sheet
        self._opened: list[FabricObject] = []
        self._contexts: list[Context] = []
        self._buffers: list[Guarded] = []
        self._cqs: list[CqWatch] = []
        self._eqs: list[EqWatch] = []
        self._fabric: Fabric | None = None
        self._domain: Domain | None = None
        self._keys = 0

    # -- offers ---------------------------------------------------------------------------------------------------
    def hints(self) -> Info:
        """A fresh copy of this configuration's hints, to be changed at will."""
        return copy.deepcopy(self._hints)

    def offers(
        self,
        hints: Info | None = None,
        *,
        node: str | None = None,
        service: str | None = None,
        flags: Flags = 0,
        version: tuple[int, int] | None = None,
    ) -> list[Info]:
        """What the provider under test, and no other, offers for the hints; empty when nothing."""
        asked = self.hints() if hints is None else hints
        name = self.info.fabric_attr.prov_name
        if not asked.fabric_attr.prov_name:
            asked = copy.deepcopy(asked)
            asked.fabric_attr.prov_name = name
        try:
            found = self.provider.getinfo(asked, node=node, service=service, flags=flags, version=version)
        except FabricError as error:
            if error.code == Errno.ENODATA:
                return []
            raise
        return [info for info in found if info.fabric_attr.prov_name == name]

    # -- objects --------------------------------------------------------------------------------------------------
    def keep(self, item: O) -> O:
        """Close this object too when the body has ended."""
        if all(item is not known for known in self._opened):
            self._opened.append(item)
        return item

    @property
    def fabric(self) -> Fabric:
        """The fabric, opened at first use."""
        if self._fabric is None:
            self._fabric = self.keep(self.provider.fabric(self.info))
        return self._fabric

    @property
    def domain(self) -> Domain:
        """The domain that everything shares, opened at first use."""
        if self._domain is None:
            self._domain = self.keep(self.fabric.domain(self.info))
        return self._domain

    def context(self, user: object = None) -> Context:
        """A fresh operation context, alive until the end."""
        context = self.provider.context(user)
        self._contexts.append(context)
        return context

    def cq(
        self, attr: CqAttr | None = None, *, domain: Domain | None = None, with_source: bool = False
    ) -> CompletionQueue:
        """A completion queue that waits poll."""
        queue = self.keep((domain or self.domain).cq_open(attr))
        self._cqs.append(CqWatch(queue, with_source))
        return queue

    @property
    def watches(self) -> tuple[CqWatch, ...]:
        """Every completion queue that waits poll, with what was read from it."""
        return tuple(self._cqs)

    def eq(self, attr: EqAttr | None = None) -> EventQueue:
        """An event queue that waits poll."""
        queue = self.keep(self.fabric.eq_open(attr))
        self._eqs.append(EqWatch(queue))
        return queue

    def buffer(self, size: int, fill: int | bytes | None = None) -> Guarded:
        """A buffer between guard bytes."""
        buffer = Guarded(size, fill)
        self._buffers.append(buffer)
        return buffer

    def next_key(self) -> int:
        """A key that was not asked for before."""
        self._keys += 1
        return self._keys

    def register(
        self,
        where: Side | Domain,
        buffer: Guarded,
        access: Flags | None = None,
        *,
        offset: int = 0,
        size: int | None = None,
        key: int | None = None,
        flags: Flags = 0,
    ) -> Region:
        """Register (part of) a buffer, bound and enabled where the mode asks for that."""
        domain = where.domain if isinstance(where, Side) else where
        view = buffer.part(offset, buffer.size - offset if size is None else size)
        mode = self.info.domain_attr.mr_mode
        asked = self.next_key() if key is None else key
        wanted = remote_access(self.info) if access is None else access
        mr = self.keep(domain.mr_reg(view, wanted, requested_key=0 if mode & MrMode.PROV_KEY else asked, flags=flags))
        if isinstance(where, Side):
            self.bind_region(where, mr)
        return Region(mr, buffer, self.info)

    def bind_region(self, side: Side, mr: MemoryRegion) -> None:
        """Bind a region registered by hand to the side's endpoint and enable it, where the mode asks for that."""
        if self.info.domain_attr.mr_mode & MrMode.ENDPOINT:
            mr.bind(side.ep)
            mr.enable()

    def desc(self, side: Side, buffer: Guarded) -> int:
        """Local descriptor of the buffer where local registration is asked for, otherwise 0."""
        if not self.info.domain_attr.mr_mode & (MrMode.LOCAL | MrMode.BASIC):
            return 0
        return self.register(side, buffer).desc

    # -- endpoints ------------------------------------------------------------------------------------------------
    def side(
        self,
        info: Info | None = None,
        *,
        name: str = "a",
        enable: bool = True,
        domain: Domain | None = None,
        **options: Any,
    ) -> Side:
        """One endpoint with queues (and address vector), not connected. Options as for ``pair``."""
        side = self._open(name, info or self.info, domain or self.domain, Options(**options))
        if enable:
            self.enable(side)
        return side

    def pair(self, info: Info | None = None, *, domains: int = 1, **options: Any) -> Pair:
        """Two enabled endpoints that can talk, of this configuration's type. Options: see ``sides.Options``."""
        chosen = Options(**options)
        info = info or self.info
        other = self.keep(self.fabric.domain(info)) if domains > 1 else self.domain
        if info.ep_attr.type == EpType.MSG:
            return self._connected(info, other, chosen)
        pair = Pair(self._open("a", info, self.domain, chosen), self._open("b", info, other, chosen))
        for side in (pair.a, pair.b):
            self.enable(side)
        for side, peer in ((pair.a, pair.b), (pair.b, pair.a)):
            side.peer = self.insert(side, peer.address)
        return pair

    def insert(self, side: Side, address: bytes) -> int:
        """The handle of an address in the side's vector."""
        assert side.av is not None
        done, handles = side.av.insert([address])
        if done != 1:
            raise FabricError(Errno.EOTHER, "fi_av_insert", f"returned {done} for one address")
        return handles[0]

    def enable(self, side: Side) -> None:
        """Enable, and learn the endpoint's own address where it has one by now."""
        side.ep.enable()
        if side.info.ep_attr.type != EpType.MSG:
            side.address = side.ep.getname()[0]

    def _info(self, info: Info, options: Options) -> Info:
        if options.tx_op_flags is None and options.rx_op_flags is None:
            return info
        info = self.provider.dupinfo(info)
        if options.tx_op_flags is not None:
            info.tx_attr.op_flags = options.tx_op_flags
        if options.rx_op_flags is not None:
            info.rx_attr.op_flags = options.rx_op_flags
        return info

    def _open(self, name: str, info: Info, domain: Domain, options: Options) -> Side:
        info = self._info(info, options)
        attr = CqAttr(size=options.cq_size, format=options.cq_format, wait_obj=options.wait_obj)
        first = len(self._cqs)
        tx_cq = self.cq(attr, domain=domain, with_source=options.with_source)
        rx_cq = self.cq(attr, domain=domain, with_source=options.with_source) if options.split else tx_cq
        ep = self.keep(domain.endpoint(info))
        side = Side(name, info, domain, ep, tx_cq, rx_cq, tuple(self._cqs[first:]))
        bind_queues(ep, tx_cq, rx_cq, options)
        for counter in options.counters:
            side.cntrs[counter] = self.keep(domain.cntr_open(CntrAttr()))
            ep.bind(side.cntrs[counter], COUNTER_FLAGS[counter])
        if info.ep_attr.type == EpType.MSG:
            side.eq = self.eq(EqAttr())
            ep.bind(side.eq)
        else:
            kind = options.av_type or info.domain_attr.av_type or AvType.MAP
            side.av = self.keep(domain.av_open(AvAttr(type=AvType(kind), count=8)))
            ep.bind(side.av)
        return side

    def listener(self, info: Info | None = None) -> Listener:
        """A passive endpoint that listens on an address of the provider's choice."""
        eq = self.eq(EqAttr())
        pep = self.keep(self.fabric.passive_ep(info or self.info))
        pep.bind(eq)
        pep.listen()
        return Listener(pep, eq, pep.getname()[0])

    def connreq(self, listener: Listener) -> EqEvent:
        """The next connection request."""
        return self.event(listener.eq, EqEventKind.CONNREQ)

    def _connected(self, info: Info, other: Domain, options: Options) -> Pair:
        listener = self.listener(info)
        a = self._open("a", info, self.domain, options)
        a.ep.enable()
        a.ep.connect(listener.address)
        request = self.connreq(listener)
        if request.info is None:
            raise FabricError(Errno.EOTHER, "fi_eq_read", "a connection request without fi_info")
        b = self._open("b", request.info, other, options)
        b.ep.enable()
        b.ep.accept()
        for side in (a, b):
            assert side.eq is not None
            self.event(side.eq, EqEventKind.CONNECTED)
        return Pair(a, b)

    # -- end ------------------------------------------------------------------------------------------------------
    def close(self) -> list[str]:
        """Close everything that is still open, dependents first; returns what could not be closed."""
        return close_all(self._opened)
