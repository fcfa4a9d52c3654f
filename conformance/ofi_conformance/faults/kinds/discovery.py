# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Offers that do not keep to the hints."""

from __future__ import annotations

import copy
from typing import Any

from kfabric.api import Errno, FabricError, Flag, Info, Mode, Order, Progress, Provider

from ..fault import Fault, on, plants


@plants("mode-not-offered")
class ModeNotOffered(Fault):
    """An offer asks for FI_CONTEXT although the hints take on no duty."""

    @on(Provider, "getinfo")
    def getinfo(self, provider: Any, proceed: Any, hints: Info | None = None, **more: Any) -> list[Info]:
        """Set it."""
        found: list[Info] = proceed(hints, **more)
        if hints is not None and not hints.mode & Mode.CONTEXT:
            self.hit()
            for info in found:
                info.mode |= Mode.CONTEXT
        return found


@plants("endpoint-type-ignored")
class EndpointTypeIgnored(Fault):
    """Offers of every endpoint type are returned, whatever the hints say."""

    @on(Provider, "getinfo")
    def getinfo(self, provider: Any, proceed: Any, hints: Info | None = None, **more: Any) -> list[Info]:
        """Add the others behind those that were asked for."""
        found: list[Info] = proceed(hints, **more)
        if hints is None or not hints.ep_attr.type:
            return found
        other = copy.deepcopy(hints)
        other.ep_attr.type = type(hints.ep_attr.type)(0)
        try:
            rest = [info for info in proceed(other, **more) if info.ep_attr.type != hints.ep_attr.type]
        except FabricError:
            rest = []
        if rest:
            self.hit()
        return found + rest


@plants("order-not-granted")
class OrderNotGranted(Fault):
    """An offer lacks an ordering bit that the hints ask for."""

    @on(Provider, "getinfo")
    def getinfo(self, provider: Any, proceed: Any, hints: Info | None = None, **more: Any) -> list[Info]:
        """Clear it."""
        found: list[Info] = proceed(hints, **more)
        if hints is not None and hints.tx_attr.msg_order & Order.SAS:
            self.hit()
            for info in found:
                info.tx_attr.msg_order &= ~Order.SAS
        return found


@plants("copy-shares-parts")
class CopySharesParts(Fault):
    """A duplicated fi_info shares its parts with the original."""

    @on(Provider, "dupinfo")
    def dupinfo(self, provider: Any, proceed: Any, info: Info) -> Info:
        """A shallow copy."""
        self.hit()
        return copy.copy(info)


@plants("progress-not-granted")
class ProgressNotGranted(Fault):
    """An offer has manual data progress although the hints ask for automatic."""

    @on(Provider, "getinfo")
    def getinfo(self, provider: Any, proceed: Any, hints: Info | None = None, **more: Any) -> list[Info]:
        """Change it."""
        found: list[Info] = proceed(hints, **more)
        if hints is not None and hints.domain_attr.data_progress == Progress.AUTO:
            self.hit()
            for info in found:
                info.domain_attr.data_progress = Progress.MANUAL
        return found


@plants("capability-not-asked-for")
class CapabilityNotAskedFor(Fault):
    """An offer has FI_TAGGED although the hints asked for other capabilities only."""

    @on(Provider, "getinfo")
    def getinfo(self, provider: Any, proceed: Any, hints: Info | None = None, **more: Any) -> list[Info]:
        """Set it."""
        found: list[Info] = proceed(hints, **more)
        if hints is not None and hints.caps and not hints.caps & Flag.TAGGED:
            self.hit()
            for info in found:
                info.caps |= Flag.TAGGED
        return found


@plants("nothing-is-too-much")
class NothingIsTooMuch(Fault):
    """Hints that nobody can meet are answered as if they had asked for less."""

    @on(Provider, "getinfo")
    def getinfo(self, provider: Any, proceed: Any, hints: Info | None = None, **more: Any) -> list[Info]:
        """Ask again without sizes and capabilities."""
        try:
            found: list[Info] = proceed(hints, **more)
        except FabricError as refused:
            if refused.code != Errno.ENODATA or hints is None:
                raise
            less = Info(mode=hints.mode)
            less.domain_attr.mr_mode = hints.domain_attr.mr_mode
            less.fabric_attr.prov_name = hints.fabric_attr.prov_name
            less.ep_attr.type = hints.ep_attr.type
            found = proceed(less, **more)
            self.hit()
        return found
