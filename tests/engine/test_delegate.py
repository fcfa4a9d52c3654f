# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Delegating objects and the recorder, over real providers: transparent, complete, stackable; calls are announced."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import kfabric.api
from kfabric.api import (
    BackendUnavailable,
    CompletionQueue,
    CqAttr,
    Domain,
    Endpoint,
    Fabric,
    FabricObject,
    Flag,
    Provider,
)
from ofi_conformance.configuration import Configuration
from ofi_conformance.nodes import Node
from ofi_conformance.nodes.agent import current
from ofi_conformance.nodes.delegate import OBJECTS, Delegating, DelegatingCompletionQueue, Weaving, methods_of
from ofi_conformance.nodes.intent import read_intents
from ofi_conformance.nodes.provider import open_provider
from ofi_conformance.nodes.recorder import Recording, record

Choose = Callable[..., Configuration]


def test_every_abstract_class_has_a_wrapper() -> None:
    exported = {getattr(kfabric.api, name) for name in kfabric.api.__all__}
    abstract = {each for each in exported if inspect.isclass(each) and inspect.isabstract(each)}
    parts = {each for each in abstract if each.__name__.endswith("Transfers")}
    assert abstract - parts == set(OBJECTS)
    assert all(issubclass(Endpoint, part) for part in parts)
    assert set(Recording.made) == set(OBJECTS)


@pytest.mark.parametrize("abstract", OBJECTS)
def test_a_wrapper_passes_every_method_on(abstract: type) -> None:
    for wrapper in (dict(Weaving()._wrappers)[abstract], Recording.made[abstract]):
        assert not inspect.isabstract(wrapper)
        assert set(methods_of(abstract)) <= set(vars(wrapper))


# -- inside a node: a provider may take its process with it ----------------------------------------------------------
def _opened(provider: Provider, plain: dict[str, Any]) -> tuple[Fabric, Domain, Endpoint, CompletionQueue]:
    info = Configuration.from_plain(plain).find(provider)
    fabric = provider.fabric(info)
    domain = fabric.domain(info)
    return fabric, domain, domain.endpoint(info), domain.cq_open(CqAttr(size=16))


def _close(objects: tuple[FabricObject, ...]) -> None:
    for item in (objects[2], objects[3], objects[1], objects[0]):
        item.close()


class CountingQueue(DelegatingCompletionQueue):
    """Writes down how it is read."""

    def read(self, count: int = 1) -> list[Any]:
        self.weaving.shared.append(count)
        return self.inner.read(count)


def stack(plain: dict[str, Any]) -> None:
    reads: list[int] = []
    provider = Weaving({CompletionQueue: CountingQueue}, shared=reads).wrap(open_provider("libfabric"))
    objects = fabric, domain, endpoint, queue = _opened(provider, plain)
    assert isinstance(domain, Domain)
    assert isinstance(endpoint, Endpoint)
    assert isinstance(domain, Delegating)
    assert isinstance(domain.inner, Recording)
    assert queue.read(3) == []
    assert reads == [3]
    endpoint.bind(queue, Flag.TRANSMIT | Flag.RECV)
    assert queue.fid == queue.inner.fid  # type: ignore[attr-defined]
    assert provider.version() >= (1, 0)
    assert provider.name == "libfabric"
    _close(objects)
    assert fabric.closed


def announce(plain: dict[str, Any]) -> list[str]:
    agent = current()
    seen: list[str] = []

    class Spy(DelegatingCompletionQueue):
        def read(self, count: int = 1) -> list[Any]:
            inside = [each for each in read_intents(Path(agent.directory, "intents").read_bytes()) if each.inside]
            seen.extend(map(str, inside))
            return self.inner.read(count)

    plain_provider = open_provider("libfabric").inner  # type: ignore[attr-defined]
    provider = record(Weaving({CompletionQueue: Spy}).wrap(plain_provider), agent.intents)
    objects = _opened(provider, plain)
    agent.intents.slot.step("B.2")
    objects[3].read(1)
    _close(objects)
    assert not any(each.inside for each in read_intents(Path(agent.directory, "intents").read_bytes()))
    return seen


def price(plain: dict[str, Any]) -> float:
    objects = _opened(open_provider("libfabric"), plain)
    recorded = objects[3]

    def cost(queue: Any) -> float:
        best = 1.0
        for _ in range(20):
            began = time.perf_counter()
            for _ in range(200):
                queue.read(1)
            best = min(best, (time.perf_counter() - began) / 200)
        return best

    extra = cost(recorded) - cost(recorded.inner)  # type: ignore[attr-defined]
    _close(objects)
    return extra


@pytest.fixture
def node(clean: None) -> Iterator[Node]:
    node = Node("A")
    yield node
    node.close()


def test_wrappers_stack_and_hide_nothing(node: Node, chosen: Choose) -> None:
    node.call(stack, chosen("sockets").to_plain())


def test_the_recorder_announces_what_is_asked(node: Node, chosen: Choose) -> None:
    assert node.call(announce, chosen("sockets").to_plain()) == ["CompletionQueue.read in B.2"]


def test_announcing_is_cheap(node: Node, chosen: Choose) -> None:
    """A few microseconds for the wrapper and the announcement together; the best of many runs, for a busy machine."""
    assert node.call(price, chosen("sockets").to_plain()) < 10e-6


def test_backends_that_are_not_here() -> None:
    with pytest.raises(BackendUnavailable, match="backend 'kfabric' is not part of this version"):
        open_provider("kfabric")
