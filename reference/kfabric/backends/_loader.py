# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Loading libfabric: which file, and what may be asked of it.

Decides where the library comes from (an explicit path, else ``KFABRIC_LIBFABRIC``, else the system's
``libfabric.so.1``), turns a refusal into one sentence, and answers what a release newer or older than our header
has. The choice of symbol versions and layouts is C's (``reference/native/loader``). Knows nothing of providers.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from kfabric._native import ffi, lib
from kfabric.api.errors import BackendUnavailable

ENVIRONMENT = "KFABRIC_LIBFABRIC"
_TEXT_SIZE = 1024
_ROOM = 256


@dataclass(frozen=True, eq=False)
class Library:
    """One loaded libfabric. ``calls`` is the ``struct kf_fi``: ``library.calls.getinfo(...)``."""

    calls: Any
    path: str
    version: tuple[int, int]
    api_version: int

    @property
    def domain_attr_size(self) -> int:
        """Bytes of a ``struct fi_domain_attr`` that this library allocated; what lies behind is not ours to read."""
        return int(self.calls.domain_attr_size)

    def has_domain_attr(self, field: str) -> bool:
        """Whether a ``struct fi_domain_attr`` from this library reaches as far as ``field``."""
        return has_field("struct fi_domain_attr", field, self.domain_attr_size)


def has_field(struct: str, field: str, size: int) -> bool:
    """Whether ``field`` lies wholly within the first ``size`` bytes of ``struct``; ops tables carry their ``size``."""
    ctype = dict(ffi.typeof(struct).fields)[field].type
    return bool(ffi.offsetof(struct, field) + ffi.sizeof(ctype) <= size)


def has_call(table: Any, name: str) -> bool:
    """Whether an ops table (a pointer to one, perhaps NULL) has a call of that name to make."""
    if not table:
        return False
    struct = ffi.typeof(table).item.cname
    return has_field(struct, name, table.size) and bool(getattr(table, name))


def load(path: str | os.PathLike[str] | None = None) -> Library:
    """Load libfabric, or raise ``BackendUnavailable`` with what is missing and what to install."""
    chosen = os.fspath(path) if path is not None else os.environ.get(ENVIRONMENT) or None
    calls = ffi.new("struct kf_fi *")
    text = ffi.new("char[]", _TEXT_SIZE)
    encoded = ffi.NULL if chosen is None else ffi.new("char[]", os.fsencode(chosen))
    if lib.kf_fi_load(calls, encoded, text, _TEXT_SIZE) < 0:
        reason = os.fsdecode(ffi.string(text))
        raise BackendUnavailable(reason if chosen is None else f"{reason}; asked for {chosen}")
    return Library(
        calls=ffi.gc(calls, lib.kf_fi_unload),
        path=os.fsdecode(ffi.string(calls.path)),
        version=(calls.version >> 16, calls.version & 0xFFFF),
        api_version=calls.api_version,
    )


def roomy(struct: str) -> Any:
    """A zeroed struct with unused room behind it, for what a later release may append and a provider then fill."""
    return ffi.from_buffer(f"{struct} *", bytearray(ffi.sizeof(struct) + _ROOM), require_writable=True)
