# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Scalable endpoints with their contexts, and transmit contexts that endpoints share."""

from __future__ import annotations

from kfabric._native import ffi
from kfabric.api import Context, RxAttr, ScalableEndpoint, TxAttr

from .._loader import roomy
from .calls import NULL, done, slot
from .endpoint import LibfabricEndpoint
from .fid import ENABLE, FidObject
from .info import RX, TX, updated, write
from .memory import context_pointer
from .names import Named


class LibfabricSharedTx(FidObject):
    """``struct fid_stx``: nothing but something to bind."""


class LibfabricScalableEndpoint(Named, ScalableEndpoint):
    """``struct fid_ep`` of class FI_CLASS_SEP."""

    def enable(self) -> None:
        """Make the endpoint ready; its contexts are enabled by themselves."""
        self._control(ENABLE, NULL)

    def tx_context(self, index: int, attr: TxAttr | None = None, context: Context | None = None) -> LibfabricEndpoint:
        """Open transmit context ``index``; its ``tx_attr`` is what the provider made of ``attr``."""
        struct = NULL
        if attr is not None:
            write(struct := roomy("struct fi_tx_attr"), attr, TX)
        out = ffi.new("struct fid_ep **")
        call = slot(self._it.ops, "tx_ctx", "fi_tx_context")
        done(call(self._it, index, struct, out, context_pointer(context)), "fi_tx_context")
        endpoint = LibfabricEndpoint(self._library, out[0], context, self)
        endpoint.tx_attr = None if attr is None else updated(attr, struct, TX)
        return endpoint

    def rx_context(self, index: int, attr: RxAttr | None = None, context: Context | None = None) -> LibfabricEndpoint:
        """Open receive context ``index``; its ``rx_attr`` is what the provider made of ``attr``."""
        struct = NULL
        if attr is not None:
            write(struct := roomy("struct fi_rx_attr"), attr, RX)
        out = ffi.new("struct fid_ep **")
        call = slot(self._it.ops, "rx_ctx", "fi_rx_context")
        done(call(self._it, index, struct, out, context_pointer(context)), "fi_rx_context")
        endpoint = LibfabricEndpoint(self._library, out[0], context, self)
        endpoint.rx_attr = None if attr is None else updated(attr, struct, RX)
        return endpoint
