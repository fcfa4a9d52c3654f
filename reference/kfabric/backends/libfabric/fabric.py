# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Fabrics: where domains, passive endpoints and event queues are opened."""

from __future__ import annotations

from collections.abc import Sequence

from kfabric._native import ffi
from kfabric.api import Context, EqAttr, Fabric, FabricError, FabricObject, Info

from .._loader import roomy
from .calls import EAGAIN, slot
from .domain import LibfabricDomain
from .eq import LibfabricEventQueue
from .fid import FidObject, base_of, opened
from .info import record_to_open
from .passive import LibfabricPassiveEndpoint


class LibfabricFabric(FidObject, Fabric):
    """``struct fid_fabric``."""

    def domain(self, info: Info, context: Context | None = None) -> LibfabricDomain:
        """Open the domain that an offer names."""
        record = record_to_open(info, self._library)
        it = opened(self._it.ops, "domain", "fi_domain", "struct fid_domain", self._it, record, context=context)
        return LibfabricDomain(self._library, it, context, self, record)

    def passive_ep(self, info: Info, context: Context | None = None) -> LibfabricPassiveEndpoint:
        """Open a listener for connection requests."""
        record = record_to_open(info, self._library)
        it = opened(self._it.ops, "passive_ep", "fi_passive_ep", "struct fid_pep", self._it, record, context=context)
        return LibfabricPassiveEndpoint(self._library, it, context, self, record)

    def eq_open(self, attr: EqAttr | None = None, context: Context | None = None) -> LibfabricEventQueue:
        """Open an event queue."""
        asked = attr or EqAttr()
        struct = roomy("struct fi_eq_attr")
        struct.size, struct.flags = asked.size, int(asked.flags)
        struct.wait_obj, struct.signaling_vector = int(asked.wait_obj), asked.signaling_vector
        it = opened(self._it.ops, "eq_open", "fi_eq_open", "struct fid_eq", self._it, struct, context=context)
        return LibfabricEventQueue(self._library, it, context, self, asked, struct)

    def trywait(self, objects: Sequence[FabricObject]) -> bool:
        """True when it is safe to block on the objects' wait objects; False when there is something to read first."""
        fids = ffi.new("struct fid *[]", [base_of(obj) for obj in objects])
        code = slot(self._it.ops, "trywait", "fi_trywait")(self._it, fids, len(objects))
        if code in (0, -EAGAIN):
            return bool(code == 0)
        raise FabricError(-code, "fi_trywait")
