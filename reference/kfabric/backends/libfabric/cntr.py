# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Counters."""

from __future__ import annotations

import dataclasses
from typing import Any

from kfabric.api import CntrAttr, Context, Counter, WaitObj

from .._loader import Library
from .calls import done, member, slot
from .fid import FidObject, must_wait


class LibfabricCounter(FidObject, Counter):
    """``struct fid_cntr``."""

    def __init__(
        self, library: Library, it: Any, context: Context | None, domain: FidObject, attr: CntrAttr, struct: Any
    ) -> None:
        super().__init__(library, it, context, domain)
        self.attr = dataclasses.replace(attr, wait_obj=member(WaitObj)(struct.wait_obj))

    def read(self) -> int:
        """Operations completed."""
        return int(slot(self._it.ops, "read", "fi_cntr_read")(self._it))

    def readerr(self) -> int:
        """Operations failed."""
        return int(slot(self._it.ops, "readerr", "fi_cntr_readerr")(self._it))

    def add(self, value: int) -> None:
        """Add to the value."""
        done(slot(self._it.ops, "add", "fi_cntr_add")(self._it, value), "fi_cntr_add")

    def set(self, value: int) -> None:
        """Replace the value."""
        done(slot(self._it.ops, "set", "fi_cntr_set")(self._it, value), "fi_cntr_set")

    def adderr(self, value: int) -> None:
        """Add to the error value."""
        done(slot(self._it.ops, "adderr", "fi_cntr_adderr")(self._it, value), "fi_cntr_adderr")

    def seterr(self, value: int) -> None:
        """Replace the error value."""
        done(slot(self._it.ops, "seterr", "fi_cntr_seterr")(self._it, value), "fi_cntr_seterr")

    def wait(self, threshold: int, timeout: int = -1) -> None:
        """Return when the value is at least ``threshold``. Raises ETIMEDOUT, EAVAIL (an operation failed)."""
        call = slot(self._it.ops, "wait", "fi_cntr_wait")
        must_wait(self.attr.wait_obj, "the counter")
        done(call(self._it, threshold, timeout), "fi_cntr_wait")

    def wait_fd(self) -> int:
        """File descriptor of a counter opened with WaitObj.FD."""
        must_wait(self.attr.wait_obj, "the counter")
        return self._wait_fd()
