# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Constructed results: a small specification, two configurations, a run with every verdict in it."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

from kfabric.model import notation
from kfabric.model.evidence import Evidence
from kfabric.model.guarantees import End, Guarantees
from kfabric.model.history import AnyEvent, Completed, Content, Failed, History, Observed, Passed, Posted, Waited
from kfabric.model.verdict import Explanation, Finding, Judgement
from ofi_conformance.casebook import Tally
from ofi_conformance.catalogue import Case, Catalogue, Selection
from ofi_conformance.conditions import parse
from ofi_conformance.configuration import Configuration
from ofi_conformance.evidence import BodyEvidence
from ofi_conformance.ledger import Failure, Ledger, Trouble, reason
from ofi_conformance.report.build import Result
from ofi_conformance.requirements import Requirement, Requirements
from ofi_conformance.settings import Settings
from ofi_conformance.target import Target
from ofi_conformance.waivers import Waiver, Waiving

TODAY = datetime.date(2026, 11, 20)
END = End(
    caps=frozenset({"MSG", "RMA"}),
    tx_order=frozenset({"SAS", "WAW"}),
    rx_order=frozenset({"SAS", "WAW"}),
    max_order_waw_size=65536,
    inject_size=64,
    provider="tcp",
    extra=(("prov_version", "117.0"),),
)
TEXT = """\
program overlapping-writes
memory  B.x[64]
A                  | B
write B.x[0:32]    |
write B.x[0:32]    |
wait all           |
barrier 1          | barrier 1
"""


def requirement(name: str, title: str, **more: object) -> Requirement:
    """A requirement of the small specification."""
    text = f"The provider MUST see to this: {title}."
    return Requirement(name, title, text, "MUST", "provider", "rma", origin="man fi_rma(3) 1.0-", **more)  # type: ignore[arg-type]


SPECIFICATION = Requirements(
    [
        requirement("OFI-RMA-001", "passes"),
        requirement("OFI-RMA-002", 'is broken <here> & "there"', when=parse("cap:RMA dataorder:WAW")),
        requirement("OFI-RMA-003", "needs what is not there", when=parse("cap:TAGGED")),
        requirement("OFI-RMA-004", "is never exercised"),
        requirement("OFI-RMA-005", "is waived"),
        requirement("OFI-RMA-006", "meets our own error"),
        requirement("OFI-RMA-007", "has no case"),
        requirement("OFI-RMA-008", "no test can decide", untested="there is no power to fail here"),
        requirement(
            "OFI-RMA-009",
            "is of our own making",
        ),
        requirement("OFI-RMA-010", "is broken by a body"),
        dataclasses.replace(requirement("OFI-RMA-011", "binds somebody else"), binds="application"),
    ],
    "0.1.0",
)
CASES = Catalogue([Case("test_rma.py::test_bytes", tuple(f"OFI-RMA-{n:03}" for n in (1, 2, 3, 4, 5, 6, 9, 10)))])


def configuration(name: str) -> Configuration:
    """A configuration of tcp."""
    return Configuration(name, Target("libfabric", "tcp", "rdm"), (("msg_order", "sas+waw"),), end=END)


def evidence(requirement: str = "OFI-RMA-002") -> Evidence:
    """A Program with a History in which the second write does not show."""
    program = notation.parse(TEXT)
    first, second = (step.name for thread, step in program.steps() if step.word == "write")
    steps = {thread.node: thread.steps for thread in program.threads}
    wait = next(step.name for step in steps["A"] if step.word == "wait")
    barrier = {node: next(step.name for step in of if step.word == "barrier") for node, of in steps.items()}
    events: tuple[AnyEvent, ...] = (
        Posted("A", 0, 1_000, first),
        Posted("A", 1, 5_000, second, retries=3),
        Completed("A", 2, 90_000, first, "tx", flags=1 << 2 | 1 << 9, len=32),
        Failed("A", 3, 95_000, second, "tx", 265, olen=7),
        Waited("A", 4, 99_000, wait, missing=(second,), bounded=True),
        Passed("A", 5, 120_000, barrier["A"], 1),
        Passed("B", 0, 121_000, barrier["B"], 1),
        Content("B", 1, 130_000, "region:x", bytes(range(64)), after=False),
        Observed("B", 2, 131_000, "x", b"\x01\x02"),
    )
    broken = Judgement(
        requirement,
        Finding.BROKEN,
        Explanation(("W1 = write <x>",), "W1 < W2", "However, R saw W1.", (("A", 1), ("B", 1))),
    )
    kept = Judgement("OFI-RMA-001", Finding.KEPT)
    return Evidence(program, Guarantees(default=END), History(events), (broken, kept))


def failure(ledger: Ledger, tally: Tally) -> None:
    """Two failures: on the road, and in a body."""
    found = evidence()
    explanation = found.judgements[0].explanation
    assert explanation is not None
    text = notation.render(found.program)
    road = Failure("OFI-RMA-002", tally.configuration, tally.case, "program", explanation, found, text, rate=(7, 10))
    tally.fail(road, reason(explanation))
    sheet = {
        "checks": [{"id": "OFI-RMA-010", "ok": False, "sentence": "it holds", "seen": "</script><b>"}],
        "calls": [["Endpoint 1.write(buf[4])", "ok"], ["Endpoint 1.read(buf[4])", "EINVAL"]],
    }
    said = Explanation(("this held",), "it holds", "However, </script><b>.")
    body = BodyEvidence(tally.case, "body", {"size": 4}, sheet, [1, b"\x00\xff"], has_value=True, ids=["OFI-RMA-010"])
    tally.fail(
        Failure("OFI-RMA-010", tally.configuration, tally.case, "local", said, body, "body(kit, [1])"), reason(said)
    )


def result(out: Path, *, troubles: bool = True) -> Result:
    """A run in which everything happened."""
    ledger = Ledger()
    configurations = [configuration("default"), configuration("delivery")]
    names = frozenset(item.id for item in SPECIFICATION if item.judged) - {"OFI-RMA-003"}
    for number, item in enumerate(configurations):
        ledger.not_supported["OFI-RMA-003", str(item)] = "needs cap:TAGGED"
        tally = Tally("test_rma.py::test_bytes", str(item), CASES.cases[0].ids, names, ledger, examples=20)
        tally.kept("OFI-RMA-001", 12)
        tally.kept("OFI-RMA-009")
        if number == 0:
            failure(ledger, tally)
            tally.errors["OFI-RMA-006"] = "ZeroDivisionError: ours"
        else:
            tally.kept("OFI-RMA-002")
            tally.kept("OFI-RMA-006")
            tally.kept("OFI-RMA-010")
        tally.failed["OFI-RMA-005"] = "broken, and somebody knows"
        for entry in tally.entries():
            ledger.add(entry)
    ledger.informative.add("OFI-RMA-009")
    if troubles:
        ledger.troubles.append(Trouble("test_rma.py::test_bytes", "ZeroDivisionError: ours", "Traceback <...>"))
    waivers = [Waiver("OFI-RMA-005", "someone", "known since 1.17"), Waiver("OFI-RMA-001", "someone", "needless")]
    settings = Settings("libfabric:tcp", out, seed=4711, cases=out)
    return Result(
        settings, SPECIFICATION, CASES, Selection(), ledger, configurations, Waiving(waivers, settings.target, TODAY)
    )
