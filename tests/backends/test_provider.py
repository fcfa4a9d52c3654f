# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The root of the binding: which library, which version, and what is refused before a provider is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from kfabric.api import BackendUnavailable, Context, FabricObject, Mode, Provider, UsageError
from kfabric.backends.libfabric import LibfabricProvider, open_provider
from tests.backends.kit import provider


def test_a_library_that_is_not_there_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match=r"nothing-here\.so"):
        open_provider(tmp_path / "nothing-here.so")


def test_the_library_that_was_loaded() -> None:
    lib = provider()
    assert isinstance(lib, Provider)
    assert lib.name == "libfabric"
    assert lib.version() >= (1, 17)
    assert str(lib.version()[0]) in repr(lib)
    again = open_provider(lib.library.path)
    assert again.version() == lib.version()


def test_a_version_that_the_library_has_and_the_binding_does_not_is_refused() -> None:
    library = dataclasses.replace(provider().library, version=(9, 9))
    with pytest.raises(UsageError, match=r"9\.9 is newer than this binding"):
        LibfabricProvider(library).getinfo(version=(9, 9))


def test_contexts() -> None:
    lib = provider()
    context = lib.context({"mine": 1})
    assert isinstance(context, Context)
    assert context.user == {"mine": 1}
    assert context.address % 8 == 0
    assert Mode.CONTEXT2 in LibfabricProvider.SUPPORTED_MODE


def test_every_abstract_call_is_there() -> None:
    """Nothing of the interface is left open in the classes that this backend makes."""

    def below(kind: type[object]) -> Iterator[type[object]]:
        yield kind
        for sub in kind.__subclasses__():
            yield from below(sub)

    made = {kind for kind in below(FabricObject) if kind.__name__.startswith("Libfabric")}
    assert len(made) == 11
    assert [kind for kind in made if getattr(kind, "__abstractmethods__", None)] == []
