# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Protection: who may touch which memory. Registration itself: test_mr."""

from __future__ import annotations

from kfabric.api import ErrorCompletion, FabricError
from ofi_conformance import Local, Road, programs, requirement
from ofi_conformance.kit import Kit

IDS = (
    "OFI-MR-005", "OFI-MR-006", "OFI-MR-007", "OFI-MR-008", "OFI-MR-009", "OFI-MR-010", "OFI-MR-011", "OFI-MR-012",
    "OFI-MR-013", "OFI-MR-014", "OFI-MR-015", "OFI-MR-016", "OFI-MR-032", "OFI-MR-033",
)  # fmt: skip


@requirement(*IDS)
def test_every_violation(road: Road) -> None:
    """A key is a promise to the owner of the memory: no right, no byte, no moment more than was given."""
    for program in programs.protection_sweep(road.guarantees):
        road.run(program)


@requirement(*IDS)
def test_violations(road: Road) -> None:
    """The same with other sizes, rights and operations."""
    if programs.attempts(road.end):
        road.check(programs.protection(road.guarantees))


@requirement("OFI-MR-001", "OFI-MR-002")
def test_addresses(road: Road) -> None:
    """An address means what the registration mode says, or every access lands elsewhere."""
    if programs.verbs(road.end):
        road.run(programs.segments(road.guarantees))


@requirement("OFI-MR-031")
def test_key_of_the_neighbour(local: Local) -> None:
    """Two tenants' regions may lie side by side; the key of one must not open the other."""
    local.run(key_of_the_neighbour)


def key_of_the_neighbour(kit: Kit) -> None:
    """Two halves of one buffer, each a region; the key of the first with the address of the second."""
    pair = kit.pair()
    memory = kit.buffer(128, 0x11)
    mine = kit.register(pair.b, memory, size=64)
    kit.register(pair.b, memory, offset=64, size=64)
    out, context = kit.buffer(8, 0x22), kit.context()
    desc = kit.desc(pair.a, out)
    refused = False
    try:
        kit.post(
            pair.a.ep.write,
            out.view,
            addr=mine.remote(64),
            key=mine.key,
            desc=desc,
            dest=pair.a.peer,
            context=context,
        )
        refused = isinstance(kit.outcome(pair.a, context), ErrorCompletion)
    except FabricError:
        refused = True
    kit.quiet()
    untouched = memory.data[64:] == b"\x11" * 64
    sentence = "the key of one region does not open the region beside it"
    kit.check("OFI-MR-031", untouched, sentence, seen=f"refused: {refused}, {memory.data[64:72]!r}")
