# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Passive endpoints: they wait for connection requests."""

from __future__ import annotations

from kfabric._native import ffi
from kfabric.api import EqEvent, PassiveEndpoint, UsageError

from .calls import NULL, done, slot
from .info import RawInfo
from .names import Named


class LibfabricPassiveEndpoint(Named, PassiveEndpoint):
    """``struct fid_pep``."""

    def listen(self) -> None:
        """Begin to take requests."""
        done(slot(self._it.cm, "listen", "fi_listen")(self._it), "fi_listen")

    def reject(self, request: EqEvent, param: bytes = b"") -> None:
        """Refuse a CONNREQ event; ``param`` travels to the peer as error data."""
        if request.info is None or not isinstance(request.info.raw, RawInfo):
            raise UsageError("not a connection request of this process")
        data = ffi.new("char[]", param) if param else NULL
        handle = request.info.raw.record.handle
        done(slot(self._it.cm, "reject", "fi_reject")(self._it, handle, data, len(param)), "fi_reject")
