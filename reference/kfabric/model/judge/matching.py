# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Whether messages can have matched as they did: OFI-MSG-007, OFI-TAG-002/003, OFI-ORD-001/002/018, OFI-CMP-003.

The theory. Messages reach an endpoint in some order of arrival that nobody records. Each takes the earliest posted
receive that accepts it, now or when that is posted; so, whatever the interleaving with the postings, the outcome is
the one that gives each message in order of arrival the earliest posted accepting receive that is still free. An
outcome is therefore possible exactly if "the message in an earlier posted receive that would have accepted m arrived
before m", together with what is known of the order of arrival (message order, fences, completions), has no cycle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

from ..program import EndpointRef, Recv, Send
from . import calls
from .arrivals import Arrivals, accepts
from .ledger import Ledger
from .scene import Scene

_TRIES = 120
_PAIRS = 64
"""Up to so many messages at one endpoint, all pairs are asked for what completions tell of them."""


@dataclass(frozen=True, slots=True)
class Edge:
    """``first`` arrived before ``second``: why, and by which requirements."""

    first: str
    second: str
    ids: tuple[str, ...]
    words: str
    posting: bool = False
    """Because of the order in which receives were posted."""


class Endpoint:
    """The messages and receives of one endpoint."""

    def __init__(self, scene: Scene, arrivals: Arrivals, place: EndpointRef) -> None:
        self.scene = scene
        self.arrivals = arrivals
        self.recvs = arrivals.recvs.get(place, [])
        self.sends = arrivals.sends.get(place, [])
        self.step = {step.name: step for step in (*self.recvs, *self.sends)}
        self.picky = any(recv.source is not None for recv in self.recvs)
        self.reliable = calls.reliable(scene.ends[place.node]) if place.node in scene.ends else True

    # -- what is known of the order of arrival --------------------------------------------------------------------

    def known(self) -> Iterator[Edge]:
        """Message order, fences, and what completions told before another message was posted."""
        told = list(self._told()) if len(self.sends) <= _PAIRS else []
        yield from (edge for edge in told if not edge.ids)  # facts first: what they forbid breaks no promise of order
        by_source: dict[EndpointRef, list[Send]] = {}
        for send in self.sends:
            by_source.setdefault(self.scene.source(send), []).append(send)
        for sends in by_source.values():
            ordered = self._chain(sends)
            yield from self._message_order(ordered)
            yield from self._fences(ordered)
        yield from (edge for edge in told if edge.ids)

    def _chain(self, sends: list[Send]) -> list[Send]:
        """In order of posting, as far as there is one."""
        point = self.scene.order.point
        return sorted(sends, key=lambda s: point(self.scene.posted[s.name]) if s.name in self.scene.posted else (0, -1))

    def _message_order(self, sends: list[Send]) -> Iterator[Edge]:
        if not sends or "SAS" not in self.scene.orders(sends[0]):
            return
        words = "msg_order SAS at both ends"
        for at, second in enumerate(sends):
            for first in reversed(sends[:at]):
                if not self.scene.later(first, second):
                    continue
                tagged = (first.tag is not None, second.tag is not None)
                ids = ("OFI-ORD-002", "OFI-TAG-003") if all(tagged) else ("OFI-ORD-001",)
                yield Edge(first.name, second.name, ids, words)
                break

    def _fences(self, sends: list[Send]) -> Iterator[Edge]:
        fences = [send for send in sends if calls.fenced(send, self.scene.end(send.name))]
        for fence in fences:
            before = [send for send in sends if self.scene.later(send, fence)]
            after = [fence, *(send for send in sends if self.scene.later(fence, send))]
            for first in before:
                for second in after:
                    yield Edge(first.name, second.name, ("OFI-ORD-018",), f"the fence of {fence.name}")

    def _told(self) -> Iterator[Edge]:
        """A message whose receive or delivery was known before another was posted had arrived before it."""
        order, scene = self.scene.order, self.scene
        arrived: list[tuple[str, str, tuple[str, ...]]] = []
        for arrival in self.arrivals.found.values():
            if arrival.entry is not None and arrival.message is not None and arrival.message.name in self.step:
                arrived.append((arrival.message.name, arrival.recv.name, ()))
        for send in self.sends:
            end = scene.end(send.name)
            if calls.level(send, end) >= calls.Level.DELIVERY and scene.known_done(send.name):
                arrived.append((send.name, send.name, ("OFI-CMP-003",)))
        for first, witness, ids in arrived:
            for second in self.sends:
                if second.name == first or second.name not in scene.posted:
                    continue
                points = scene.known_done(witness)
                if any(order.before(point, order.begin(second.name)) for point in points):
                    words = f"{witness} was complete before {second.name} was posted"
                    yield Edge(first, second.name, ids, words)

    # -- what the receives tell -----------------------------------------------------------------------------------

    def earlier(self, first: Recv, second: Recv) -> bool:
        """``first`` was certainly posted before ``second``."""
        return self.scene.later(first, second)

    def postings(self, holds: dict[str, str]) -> Iterator[Edge]:
        """What an outcome (receive -> message) says about the order of arrival."""
        point = self.scene.order.point
        filled = [recv for recv in self.recvs if recv.name in holds]
        filled.sort(key=lambda recv: point(self.scene.posted[recv.name]))
        for at, recv in enumerate(filled):
            message = self.step[holds[recv.name]]
            assert isinstance(message, Send)
            for other in reversed(filled[:at]):
                if not accepts(self.scene, other, message) or not self.earlier(other, recv):
                    continue
                ids = ("OFI-MSG-007",) if message.tag is None else ("OFI-TAG-002",)
                words = f"{other.name} was posted before {recv.name} and accepts {message.name}"
                yield Edge(holds[other.name], message.name, ids, words, posting=True)
                if message.tag is None and not self.picky:
                    break  # those posted before ``other`` accept its message too


class Graph:
    """Edges between messages, and paths along them."""

    def __init__(self, edges: list[Edge]) -> None:
        self.out: dict[str, list[Edge]] = {}
        for edge in edges:
            self.out.setdefault(edge.first, []).append(edge)

    def path(self, start: str, goal: str) -> list[Edge] | None:
        """A shortest path."""
        came: dict[str, Edge] = {}
        todo = deque([start])
        seen = {start}
        while todo:
            here = todo.popleft()
            for edge in self.out.get(here, ()):
                if edge.second in seen:
                    continue
                came[edge.second] = edge
                if edge.second == goal:
                    path = [edge]
                    while path[-1].first != start:
                        path.append(came[path[-1].first])
                    return path[::-1]
                seen.add(edge.second)
                todo.append(edge.second)
        return None

    def cyclic(self) -> bool:
        """Whether there is a cycle."""
        state: dict[str, int] = {}
        for root in self.out:
            if root in state:
                continue
            state[root] = 1
            stack = [(root, iter(self.out[root]))]
            while stack:
                name, edges = stack[-1]
                for edge in edges:
                    mark = state.get(edge.second)
                    if mark == 1:
                        return True
                    if mark is None:
                        state[edge.second] = 1
                        stack.append((edge.second, iter(self.out.get(edge.second, ()))))
                        break
                else:
                    state[name] = 2
                    stack.pop()
        return False


def judge_matching(scene: Scene, arrivals: Arrivals, ledger: Ledger) -> None:
    """Every endpoint's outcome against all orders of arrival."""
    for place in arrivals.recvs:
        endpoint = Endpoint(scene, arrivals, place)
        if endpoint.sends:
            _judge_endpoint(endpoint, ledger)


def _judge_endpoint(endpoint: Endpoint, ledger: Ledger) -> None:
    holds, doubtful = _outcome(endpoint)
    known = list(endpoint.known())
    postings = list(endpoint.postings(holds))
    graph = Graph(known + postings)
    if graph.cyclic():
        if doubtful:
            ids = sorted({name for edge in known + postings for name in edge.ids})
            ledger.open(ids, [], "", "Which message is in which receive cannot be told: their bytes are the same.")
        else:
            _explain_cycles(endpoint, graph, postings, ledger)
        return
    if not doubtful:
        _overtaken(endpoint, graph, holds, ledger)
    _kept(known, postings, holds, ledger)


def _outcome(endpoint: Endpoint) -> tuple[dict[str, str], bool]:
    """Which receive holds which message. Where bytes do not tell, an assignment without contradiction if one is found.

    The second value is True if the assignment is a guess that contradicts something.
    """
    certain: dict[str, str] = {}
    unsure: list[tuple[Recv, list[Send]]] = []
    for recv in endpoint.recvs:
        arrival = endpoint.arrivals.found.get(recv.name)
        if arrival is None or not arrival.candidates or (arrival.entry is not None and not arrival.tidy):
            continue
        if len(arrival.candidates) == 1:
            if arrival.candidates[0].name not in certain.values():  # a second copy is the business of ``once``
                certain[recv.name] = arrival.candidates[0].name
        else:
            unsure.append((recv, arrival.candidates))
    if not unsure:
        return certain, False
    taken = set(certain.values())
    pools: dict[tuple[str, ...], list[Recv]] = {}
    for recv, candidates in unsure:
        pool = tuple(send.name for send in endpoint._chain(candidates) if send.name not in taken)
        pools.setdefault(pool, []).append(recv)
    known = list(endpoint.known())
    holds = dict(certain)
    doubtful = False
    for pool, recvs in pools.items():
        free = [name for name in pool if name not in holds.values()]
        chosen: dict[str, str] | None = None
        for tries, some in enumerate(permutations(free, min(len(recvs), len(free)))):
            if tries >= _TRIES:
                break
            attempt = {recv.name: name for recv, name in zip(recvs, some, strict=False)}
            chosen = attempt if chosen is None else chosen
            if not Graph(known + list(endpoint.postings({**holds, **attempt}))).cyclic():
                chosen = attempt
                break
        else:
            doubtful = doubtful or bool(free)
        if tries_exhausted(len(free), len(recvs)):
            doubtful = True
        holds.update(chosen or {})
    doubtful = doubtful or Graph(known + list(endpoint.postings(holds))).cyclic()
    return holds, doubtful


def tries_exhausted(free: int, needed: int) -> bool:
    """There are more ways to assign than are tried."""
    ways = 1
    for at in range(min(free, needed)):
        ways *= free - at
    return ways > _TRIES


def _explain_cycles(endpoint: Endpoint, graph: Graph, postings: list[Edge], ledger: Ledger) -> None:
    """Name the promises on a shortest cycle through each posting edge that lies on one."""
    scene = endpoint.scene
    for edge in postings:
        back = graph.path(edge.second, edge.first)
        if back is None:
            continue
        cycle = [edge, *back]
        known = [part for part in cycle if not part.posting]
        ids = sorted({name for part in known for name in part.ids})
        if not ids:
            ids = sorted({name for part in cycle for name in part.ids})
        names = dict.fromkeys(name for part in cycle for name in (part.first, part.second))
        holders = [
            arrival.recv.name
            for arrival in endpoint.arrivals.found.values()
            if any(send.name in names for send in arrival.candidates)
        ]
        let = [scene.say(name) for name in (*names, *holders)]
        then = "; ".join(f"{part.first} arrives before {part.second}: {part.words}" for part in known)
        however = "However " + ", and ".join(
            f"{part.words}, so {part.first} arrived before {part.second}" for part in cycle if part.posting
        )
        events = [scene.succeeded(name) for name in holders] + [scene.posted.get(name) for name in names]
        ledger.broken(ids, let, then or "Messages arrive in some order.", however + ": a contradiction.", events)


def _overtaken(endpoint: Endpoint, graph: Graph, holds: dict[str, str], ledger: Ledger) -> None:
    """A message in no receive, while one that certainly arrived later is in a receive that would have accepted it."""
    scene = endpoint.scene
    if not endpoint.reliable:
        return
    there = set(holds.values())
    unknown = [recv for recv in endpoint.recvs if recv.name not in holds]
    guessed = {
        name: holds[name] for name, a in endpoint.arrivals.found.items() if name in holds and len(a.candidates) > 1
    }
    for message in endpoint.sends:
        if message.name in there or scene.errored(message.name) or not scene.accepted(message.name):
            continue
        if any(d.node == scene.node(message.name) for d in scene.died):
            continue
        if any(message in a.candidates and len(a.candidates) > 1 for a in endpoint.arrivals.found.values()):
            continue
        for recv in endpoint.recvs:
            if recv.name not in holds or not accepts(scene, recv, message):
                continue
            path = graph.path(message.name, holds[recv.name])
            if path is None or _elsewhere(endpoint, graph, holds, unknown, message):
                continue
            if recv.name in guessed or {part.second for part in path} & set(guessed.values()):
                continue  # bytes alone do not tell which message that is
            ids = sorted({name for part in path for name in part.ids if not part.posting})
            if not ids:
                ids = ["OFI-MSG-007"] if message.tag is None else ["OFI-TAG-002"]
            let = [scene.say(name) for name in (message.name, holds[recv.name], recv.name)]
            then = "; ".join(f"{part.first} arrives before {part.second}: {part.words}" for part in path)
            however = f"However {recv.name} accepts {message.name}, is not in use before, and holds {holds[recv.name]}."
            ledger.broken(ids, let, then, however, [scene.posted.get(message.name), scene.succeeded(recv.name)])
            break


def _elsewhere(endpoint: Endpoint, graph: Graph, holds: dict[str, str], unknown: list[Recv], message: Send) -> bool:
    """Whether a receive of which nothing is known can hold the message."""
    for recv in unknown:
        if not accepts(endpoint.scene, recv, message):
            continue
        blocked = False
        for other in endpoint.recvs:
            if other.name not in holds or not accepts(endpoint.scene, other, message):
                continue
            if endpoint.earlier(other, recv) and graph.path(message.name, holds[other.name]) is not None:
                blocked = True
                break
        if not blocked:
            return True
    return False


def _kept(known: list[Edge], postings: list[Edge], holds: dict[str, str], ledger: Ledger) -> None:
    """What was put to the test: order between two messages that are both in receives that accept both."""
    tested = {(edge.first, edge.second) for edge in postings}
    there = set(holds.values())
    reach = Graph(known if len(postings) <= _TRIES else [])
    for edge in known:
        if edge.first in there and edge.second in there and (edge.first, edge.second) in tested:
            ledger.kept(*edge.ids)
    for edge in postings:
        if reach.path(edge.first, edge.second) is not None:
            ledger.kept(*edge.ids)
