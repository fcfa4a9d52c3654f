# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Active endpoints: setting up, connecting, and all the data calls, which have a module for each family."""

from __future__ import annotations

from kfabric._native import ffi
from kfabric.api import Context, ControlCommand, Endpoint, Flags

from .atomic import AtomicCalls
from .calls import NULL, check, done, slot
from .fid import ENABLE
from .memory import Kept
from .msg import MessageCalls
from .rma import RmaCalls
from .tagged import TaggedCalls

_GETOPSFLAG = int(ControlCommand.GETOPSFLAG)
_SETOPSFLAG = int(ControlCommand.SETOPSFLAG)
_ALIAS = int(ControlCommand.ALIAS)


class LibfabricEndpoint(MessageCalls, TaggedCalls, RmaCalls, AtomicCalls, Endpoint):
    """``struct fid_ep``: an endpoint, a transmit or receive context, or a shared receive context."""

    # -- set-up --------------------------------------------------------------------------------------------------------
    def enable(self) -> None:
        """Make the endpoint ready for transfers. Raises ENOCQ, ENOAV, ... when something is not bound."""
        self._control(ENABLE, NULL)

    def close(self) -> None:
        """Release the endpoint; its outstanding operations are dropped and their buffers free."""
        super().close()
        self._kept = Kept()

    def alias(self, flags: Flags) -> LibfabricEndpoint:
        """Return the same endpoint with other default flags; flags hold exactly one of TRANSMIT and RECV."""
        out = ffi.new("struct fid **")
        struct = ffi.new("struct fi_alias *")
        struct.fid, struct.flags = out, int(flags)
        self._control(_ALIAS, struct)
        return LibfabricEndpoint(self._library, ffi.cast("struct fid_ep *", out[0]), None, self)

    def get_ops_flags(self, direction: Flags) -> int:
        """Return the default operation flags of one direction, TRANSMIT or RECV."""
        word = ffi.new("uint64_t *", int(direction))
        self._control(_GETOPSFLAG, word)
        return int(word[0])

    def set_ops_flags(self, flags: Flags) -> None:
        """Replace the default operation flags of the one direction that ``flags`` names."""
        self._control(_SETOPSFLAG, ffi.new("uint64_t *", int(flags)))

    def cancel(self, context: Context) -> int:
        """Ask to cancel the operation with this context; returns the C return value."""
        return int(slot(self._it.ops, "cancel", "fi_cancel")(self._base, context.memory))

    def tx_size_left(self) -> int:
        """Transmits that still fit, at least."""
        return check(slot(self._it.ops, "tx_size_left", "fi_tx_size_left")(self._it), "fi_tx_size_left")

    def rx_size_left(self) -> int:
        """Receives that still fit, at least."""
        return check(slot(self._it.ops, "rx_size_left", "fi_rx_size_left")(self._it), "fi_rx_size_left")

    # -- connections ---------------------------------------------------------------------------------------------------
    def getpeer(self, size: int = 256) -> tuple[bytes, int]:
        """The connected peer's address, as ``getname``."""
        return self._address("getpeer", "fi_getpeer", self._it, size)

    def connect(self, address: bytes, param: bytes = b"") -> None:
        """Ask for a connection; CONNECTED or an error arrives on the event queue."""
        raw, data = ffi.new("char[]", address or b"\0"), ffi.new("char[]", param) if param else NULL
        call = slot(self._it.cm, "connect", "fi_connect")
        done(call(self._it, raw if address else NULL, data, len(param)), "fi_connect")

    def accept(self, param: bytes = b"") -> None:
        """Accept the request whose Info this endpoint was opened with."""
        data = ffi.new("char[]", param) if param else NULL
        done(slot(self._it.cm, "accept", "fi_accept")(self._it, data, len(param)), "fi_accept")

    def shutdown(self, flags: Flags = 0) -> None:
        """End the connection."""
        done(slot(self._it.cm, "shutdown", "fi_shutdown")(self._it, int(flags)), "fi_shutdown")
