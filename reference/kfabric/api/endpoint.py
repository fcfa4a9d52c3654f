# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Endpoints: what data transfers are posted to and connections are made with."""

from __future__ import annotations

from abc import abstractmethod

from .attr import RxAttr, TxAttr
from .base import FabricObject, Flags
from .constants import EpOption
from .events import Context, EqEvent
from .messages import MessageTransfers, TaggedTransfers
from .remote import AtomicTransfers, RmaTransfers


class PassiveEndpoint(FabricObject):
    """Waits for connection requests, which its event queue delivers as CONNREQ events."""

    @abstractmethod
    def bind(self, obj: FabricObject, flags: Flags = 0) -> None:
        """Attach the event queue that gets the requests."""

    @abstractmethod
    def listen(self) -> None:
        """Begin to take requests."""

    @abstractmethod
    def reject(self, request: EqEvent, param: bytes = b"") -> None:
        """Refuse a CONNREQ event; ``param`` travels to the peer as error data."""

    @abstractmethod
    def getname(self, size: int = 256) -> tuple[bytes, int]:
        """At most ``size`` bytes of the local address, and the length needed. Raises ETOOSMALL as the C call does."""

    @abstractmethod
    def setname(self, address: bytes) -> None:
        """Choose the local address, before ``listen``."""

    @abstractmethod
    def getopt(self, option: EpOption | int, size: int = 8) -> int:
        """An option's value; ``size`` is its width in bytes."""

    @abstractmethod
    def setopt(self, option: EpOption | int, value: int, size: int = 8) -> None:
        """Set an option; ``size`` is its width in bytes."""


class Endpoint(MessageTransfers, TaggedTransfers, RmaTransfers, AtomicTransfers, FabricObject):
    """An active endpoint, or one transmit or receive context of a scalable one, or a shared receive context.

    ``tx_attr`` and ``rx_attr`` are what the provider made of the attributes a context was asked for; None otherwise.
    """

    tx_attr: TxAttr | None = None
    rx_attr: RxAttr | None = None

    # -- set-up --------------------------------------------------------------------------------------------------------
    @abstractmethod
    def bind(self, obj: FabricObject, flags: Flags = 0) -> None:
        """Attach a queue, counter, address vector or shared context; flags say for which operations."""

    @abstractmethod
    def enable(self) -> None:
        """Make the endpoint ready for transfers. Raises ENOCQ, ENOAV, ... when something is not bound."""

    @abstractmethod
    def alias(self, flags: Flags) -> Endpoint:
        """The same endpoint with other default flags; flags hold exactly one of TRANSMIT and RECV."""

    @abstractmethod
    def getopt(self, option: EpOption | int, size: int = 8) -> int:
        """An option's value; ``size`` is its width in bytes. Raises ENOPROTOOPT."""

    @abstractmethod
    def setopt(self, option: EpOption | int, value: int, size: int = 8) -> None:
        """Set an option; ``size`` is its width in bytes. Raises ENOPROTOOPT."""

    @abstractmethod
    def get_ops_flags(self, direction: Flags) -> int:
        """The default operation flags of one direction, TRANSMIT or RECV."""

    @abstractmethod
    def set_ops_flags(self, flags: Flags) -> None:
        """Replace the default operation flags of the one direction that ``flags`` names."""

    @abstractmethod
    def cancel(self, context: Context) -> int:
        """Ask to cancel; returns the C return value (0 or a negative code)."""

    @abstractmethod
    def getname(self, size: int = 256) -> tuple[bytes, int]:
        """At most ``size`` bytes of the local address, and the length needed. Raises ETOOSMALL (see ``needed``)."""

    @abstractmethod
    def setname(self, address: bytes) -> None:
        """Choose the local address, before ``enable``."""

    @abstractmethod
    def getpeer(self, size: int = 256) -> tuple[bytes, int]:
        """The connected peer's address, as ``getname``."""

    @abstractmethod
    def connect(self, address: bytes, param: bytes = b"") -> None:
        """Ask for a connection; CONNECTED or an error arrives on the event queue."""

    @abstractmethod
    def accept(self, param: bytes = b"") -> None:
        """Accept the request whose Info this endpoint was opened with."""

    @abstractmethod
    def shutdown(self, flags: Flags = 0) -> None:
        """End the connection."""

    @abstractmethod
    def tx_size_left(self) -> int:
        """Transmits that still fit, at least."""

    @abstractmethod
    def rx_size_left(self) -> int:
        """Receives that still fit, at least."""


class ScalableEndpoint(FabricObject):
    """One address, several transmit and receive contexts."""

    @abstractmethod
    def bind(self, obj: FabricObject, flags: Flags = 0) -> None:
        """Attach the address vector."""

    @abstractmethod
    def enable(self) -> None:
        """Make the endpoint ready; its contexts are enabled by themselves."""

    @abstractmethod
    def tx_context(self, index: int, attr: TxAttr | None = None, context: Context | None = None) -> Endpoint:
        """Open transmit context ``index``."""

    @abstractmethod
    def rx_context(self, index: int, attr: RxAttr | None = None, context: Context | None = None) -> Endpoint:
        """Open receive context ``index``; peers name it by ``AddressVector.rx_addr``."""

    @abstractmethod
    def getname(self, size: int = 256) -> tuple[bytes, int]:
        """At most ``size`` bytes of the local address, and the length needed. Raises ETOOSMALL (see ``needed``)."""
