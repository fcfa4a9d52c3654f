# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The root: one loaded libfabric, its offers, and the calls that belong to no object.

Owns: which API version is asked for. By default the newest that the library and our declarations share
(``Library.api_version``): what a structure means follows from it, so an application that wants an older meaning passes
``version``; a newer one than that is refused here, because nobody has checked what its structures look like.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from kfabric._native import ffi, lib
from kfabric.api import (
    Context,
    DomainAttr,
    EpAttr,
    FabricAttr,
    FabricError,
    FabricObject,
    Flags,
    Info,
    Mode,
    Provider,
    RxAttr,
    TxAttr,
    UsageError,
)

from .._loader import Library, load
from .calls import NULL, c_string, done, text_of
from .fabric import LibfabricFabric
from .fid import base_of
from .info import Built, duplicate, from_list, owned, record_to_open
from .memory import context_pointer, new_context

_TOSTR_SIZE = 16384

_WORDS = {"INFO", "TX_ATTR", "RX_ATTR", "EP_ATTR", "DOMAIN_ATTR", "FABRIC_ATTR"}
_PART: dict[type, Callable[[Any], Info]] = {
    TxAttr: lambda attr: Info(tx_attr=attr),
    RxAttr: lambda attr: Info(rx_attr=attr),
    EpAttr: lambda attr: Info(ep_attr=attr),
    DomainAttr: lambda attr: Info(domain_attr=attr),
    FabricAttr: lambda attr: Info(fabric_attr=attr),
}


class LibfabricProvider(Provider):
    """One loaded libfabric and all the providers it brings."""

    SUPPORTED_MODE = Mode.CONTEXT | Mode.CONTEXT2
    """The duties this binding always meets: every ``Context`` is of FI_CONTEXT2 size and stays at its address."""

    def __init__(self, library: Library, name: str = "libfabric") -> None:
        self.library = library
        self.name = name

    def __repr__(self) -> str:
        return f"<LibfabricProvider {self.library.version[0]}.{self.library.version[1]} {self.library.path}>"

    def version(self) -> tuple[int, int]:
        """API version of the library that was loaded."""
        return self.library.version

    def getinfo(
        self,
        hints: Info | None = None,
        *,
        node: str | None = None,
        service: str | None = None,
        flags: Flags = 0,
        version: tuple[int, int] | None = None,
    ) -> list[Info]:
        """Offers that meet the hints, best first. Raises FabricError(ENODATA) when none does.

        Args:
            hints: passed on as they are. ``mode`` and ``mr_mode`` are the duties the application takes on, none by
                default; ``fabric_attr.prov_name`` is passed exactly ("tcp", "tcp;ofi_rxm"). With None the library gets
                no hints at all, takes every duty as accepted, and offers everything with its default attributes.
            node: name or address of the peer; with Flag.SOURCE of this end.
            service: port or service name.
            flags: SOURCE, NUMERICHOST, PROV_ATTR_ONLY.
            version: API version to ask for, at most the one that library and binding share (the default).
        """
        head = ffi.new("struct fi_info **")
        built = None if hints is None else Built(hints, self.library)
        code = self.library.calls.getinfo(
            self._api_version(version),
            c_string(node),
            c_string(service),
            int(flags),
            NULL if built is None else built.record,
            head,
        )
        done(code, "fi_getinfo")
        return from_list(head[0], self.library)

    def dupinfo(self, info: Info) -> Info:
        """A deep copy made by the library; changes made to ``info`` since it was offered are in it."""
        raw = record_to_open(info, self.library)
        copy = self.library.calls.dupinfo(raw)
        if not copy:
            raise MemoryError("fi_dupinfo")
        copy.handle = raw.handle
        return owned(copy, self.library)

    def fabric(self, info: Info, context: Context | None = None) -> LibfabricFabric:
        """Open the fabric that an offer names."""
        record = record_to_open(info, self.library)
        out = ffi.new("struct fid_fabric **")
        code = self.library.calls.fabric(record.fabric_attr, out, context_pointer(context))
        done(code, "fi_fabric")
        return LibfabricFabric(self.library, out[0], context)

    def context(self, user: object = None) -> Context:
        """A fresh operation context: 64 zeroed bytes that keep their address."""
        return new_context(user)

    def strerror(self, code: int) -> str:
        """The library's words for an error code (positive or negative)."""
        return text_of(self.library.calls.strerror(abs(code)))

    def tostr(self, value: object, kind: str) -> str:
        """The library's own text for a value.

        Args:
            value: an ``Info`` for INFO, an attribute record for ``*_ATTR``, an open object for FID, a number for the
                rest (VERSION ignores it).
            kind: the name of an ``FI_TYPE_`` constant without that prefix. Raises UsageError for an unknown one.
        """
        number = getattr(lib, f"FI_TYPE_{kind}", None)
        if number is None:
            raise UsageError(f"fi_tostr knows no {kind!r}")
        datum, keep = self._datum(value, kind)
        text = ffi.new("char[]", _TOSTR_SIZE)
        self.library.calls.tostr_r(text, _TOSTR_SIZE, datum, number)
        del keep
        return text_of(text)

    def _datum(self, value: object, kind: str) -> tuple[Any, Any]:
        """A pointer to a value of the kind, and what keeps it alive."""
        if isinstance(value, FabricObject):
            return base_of(value), value
        if isinstance(value, Info):
            record = record_to_open(value, self.library)
            return (record if kind == "INFO" else getattr(record, kind.lower(), NULL)), record
        if type(value) in _PART:
            record = duplicate(_PART[type(value)](value), self.library)
            return getattr(record, kind.lower(), NULL), record
        if kind in _WORDS or not isinstance(value, int):
            raise UsageError(f"{value!r} cannot be printed as {kind}")
        word = ffi.new("uint64_t *", value & 0xFFFF_FFFF_FFFF_FFFF)
        return word, word

    def _api_version(self, version: tuple[int, int] | None) -> int:
        if version is None:
            return self.library.api_version
        number = version[0] << 16 | version[1]
        if self.library.api_version < number <= (self.library.version[0] << 16 | self.library.version[1]):
            raise UsageError(f"API version {version[0]}.{version[1]} is newer than this binding")
        return number

    def parameters(self) -> dict[str, tuple[str, str]]:
        """The environment variables that library and providers read: name to (what it does, its present value)."""
        table = ffi.new("struct fi_param **")
        count = ffi.new("int *")
        done(self.library.calls.getparams(table, count), "fi_getparams")
        try:
            entries = [table[0][i] for i in range(count[0])]
            return {text_of(p.name): (text_of(p.help_string), text_of(p.value)) for p in entries}
        finally:
            self.library.calls.freeparams(table[0])


def open_provider(path: str | os.PathLike[str] | None = None) -> LibfabricProvider:
    """Load libfabric and return the root of the binding.

    Args:
        path: the shared library; None for ``$KFABRIC_LIBFABRIC`` or else the system's ``libfabric.so.1``.

    Raises:
        BackendUnavailable: there is none, or none that can be used; the message says what to install.
    """
    return LibfabricProvider(load(path))


__all__ = ["FabricError", "LibfabricProvider", "open_provider"]
