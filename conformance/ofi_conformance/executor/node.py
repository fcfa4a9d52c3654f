# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the coordinator calls inside a node: open, connect, run, retire, close. One station per node.

Words while a Program runs. The node says ("ready", regions), ("at", thread, barrier, events), ("stuck", step),
("done", failed, events), ("settled", report, events), ("polled", events), ("probed", arrived, events). It hears
("start", regions), ("go", barrier), ("drive",), ("settle", failed), ("probe", pairs, recorded, bound),
("finish", reusable), ("abort",).
"""

from __future__ import annotations

from typing import Any

from kfabric.model import codec
from kfabric.model.program import Program

from ..configuration import Configuration, end_to_plain
from ..guarantees import end_of
from ..nodes.agent import current
from .bounds import Bounds
from .opening import Peer, Station
from .posting import RemoteRegion
from .recording import Aborted
from .runner import Runner
from .settling import Settling

_station: Station | None = None


def station() -> Station:
    """What this node has open."""
    if _station is None:
        raise RuntimeError("the node has opened nothing")
    return _station


def open_station(plain: dict[str, Any], name: str, address: str, fault: str | None) -> dict[str, Any]:
    """Open provider and domain for a configuration; returns the end that was opened."""
    global _station
    configuration = Configuration.from_plain(plain)
    _station = Station(configuration, name, address, fault)
    end = end_of(
        _station.info,
        configuration.binding,
        levels=configuration.end.levels,
        atomics=configuration.end.atomics,
        version=_station.provider.version(),
    )
    return end_to_plain(end)


def open_ports(count: int) -> list[bytes]:
    """Have that many ports; returns their addresses."""
    return station().open_ports(count)


def insert(peers: list[tuple[str, int, bytes]]) -> None:
    """Learn addresses."""
    station().insert([(node, index, address) for node, index, address in peers])


def connect(mine: int, peer: Peer, address: bytes, bound: float) -> None:
    """Connect a port."""
    station().connect(mine, (peer[0], peer[1]), address, bound)


def accept(mine: int, peer: Peer, bound: float) -> None:
    """Accept a connection."""
    station().accept(mine, (peer[0], peer[1]), bound)


def retire() -> list[str]:
    """Close the ports."""
    return station().retire()


def close_station() -> list[str]:
    """Close everything."""
    global _station
    told = station().close() if _station is not None else []
    _station = None
    return told


def run(document: str, me: str, roles: dict[str, str], bounds: dict[str, Any], drive: bool) -> dict[str, Any]:
    """Run this node's part of a Program.

    Args:
        document: the Program as JSON text (execnet cannot send integers below -2**31).
        me: this node's name in it.
        roles: the station of each of the Program's nodes.
        bounds: the ``Bounds``, plain.
        drive: drive progress while waiting even where it is automatic.
    """
    program = codec.loads(document)
    assert isinstance(program, Program)
    runner = Runner(station(), program, me, roles, Bounds.from_plain(bounds), drive)
    agent = current()
    agent.say(("ready", runner.prepare()))
    reusable = False
    try:
        word = agent.hear()
        if word[0] == "abort":
            raise Aborted
        runner.know({(node, name): RemoteRegion(base, tuple(keys)) for node, name, base, keys in word[1]})
        runner.run()
        reusable = Settling(runner).run()
    except Aborted:
        runner.note("stopped because another node died")
    runner.slot.step("")
    runner.close_regions()
    return {"events": runner.fresh(), "notes": runner.notes, "reusable": reusable}
