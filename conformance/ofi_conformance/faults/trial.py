# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Trying a fault: the suite is run on a broken provider and on the same one unbroken, and the two reports are compared.

Runs the command line in processes of its own, so that what is tried is what a vendor runs. Compared is what each case
says of each requirement; the seed and the budget are the same, so both runs try the same inputs until something breaks.
Where the unbroken provider does not answer twice alike, what differs is named and left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .catalogue import Entry
from .machinery import HITS

Cell = tuple[str, str]
"""A requirement and a case."""
FAIL, PASS = "FAIL", "PASS"
PROFILE = "trial"
USUAL = 8
"""Inputs per property."""
CONTROL = ("OFI-MSG-001", "OFI-RMA-001", "OFI-CQ-001", "OFI-OBJ-008")
"""What is always looked at too, so that every fault is seen beside something that it leaves alone."""


class TrialError(RuntimeError):
    """A run did not come to its end; the message has its last words."""


@dataclass(frozen=True)
class Budget:
    """How much a trial is: inputs per property (times what a fault asks for), and whether every case is run."""

    examples: int = USUAL
    everything: bool = False
    seed: int = 1
    timeout: float = 900.0

    def inputs(self, entry: Entry) -> int:
        """Inputs per property for a fault."""
        return max(self.examples, entry.examples * self.examples // USUAL)


@dataclass
class Record:
    """What one run said."""

    cells: dict[Cell, tuple[str, str]]
    """Verdict and reason."""
    hits: int
    seconds: float
    troubles: list[str]


@dataclass
class Outcome:
    """A fault compared with no fault."""

    entry: Entry
    hit: dict[str, str] = field(default_factory=dict)
    """Requirements that must turn FAIL and did, and why."""
    missed: dict[str, str] = field(default_factory=dict)
    """Those that did not, and what they say."""
    may: dict[str, str] = field(default_factory=dict)
    """Requirements that may change and did."""
    extra: dict[str, str] = field(default_factory=dict)
    """Requirements that changed although nothing says that they may."""
    flickering: set[str] = field(default_factory=set)
    misbehaved: int = 0
    seconds: float = 0.0
    troubles: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Caught, and nothing else changed."""
        present = self.misbehaved > 0 or self.entry.name == "none"
        return present and not self.missed and not self.extra and not self.troubles


def run(
    target: str, configuration: str, fault: str, budget: Budget, examples: int, selection: Iterable[str] = ()
) -> Record:
    """Run the suite once."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ofi-fault-") as place:
        out, tally = Path(place) / "out", Path(place) / "hits"
        words = [sys.executable, "-m", "ofi_conformance.cli", "run", target, *selection, "--config", configuration]
        words += ["--profile", PROFILE, "--examples", str(examples), "--seed", str(budget.seed), "--out", str(out)]
        words += ["--fault", fault] if fault else []
        environment = os.environ | {HITS: str(tally)}
        try:
            done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=budget.timeout)
        except subprocess.TimeoutExpired as late:
            raise TrialError(f"{fault or 'unbroken'}: not finished after {late.timeout:.0f} s") from None
        report = out / "report.json"
        if not report.exists():
            raise TrialError(f"{fault or 'unbroken'}: exit {done.returncode}: {(done.stderr or done.stdout)[-500:]}")
        record: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        hits = tally.stat().st_size if tally.exists() else 0
    troubles = [f"{one['where']}: {one['text']}" for one in record["troubles"]]
    return Record(_cells(record), hits, time.monotonic() - began, troubles)


def _cells(record: dict[str, Any]) -> dict[Cell, tuple[str, str]]:
    found = {}
    for row in record["requirements"]:
        for configuration in row["configurations"].values():
            for case in configuration.get("cases", ()):
                found[row["id"], case["name"]] = case["verdict"], case["why"]
    return found


def compare(entry: Entry, broken: Record, plain: Sequence[Record]) -> Outcome:
    """What the fault changed. ``plain``: runs of the unbroken provider; where they differ nothing is compared."""
    outcome = Outcome(entry, misbehaved=broken.hits, seconds=broken.seconds, troubles=list(broken.troubles))
    first = plain[0].cells
    failed: dict[str, str] = {}
    changed: dict[str, str] = {}
    for cell, (verdict, why) in broken.cells.items():
        requirement, case = cell
        before = {record.cells[cell][0] for record in plain if cell in record.cells}
        if not before:
            continue
        if len(before) > 1:
            outcome.flickering.add(f"{requirement} in {case}")
            if requirement not in entry.must:
                continue
        if verdict == FAIL and FAIL not in before:
            failed.setdefault(requirement, why)
        if verdict != first[cell][0]:
            changed.setdefault(requirement, f"{first[cell][0]} -> {verdict} in {case}: {why}")
    for requirement in entry.must:
        if requirement in failed:
            outcome.hit[requirement] = failed[requirement]
        else:
            outcome.missed[requirement] = _said(broken, requirement)
    for requirement, text in changed.items():
        if requirement in entry.may:
            outcome.may[requirement] = text
        elif requirement not in entry.must:
            outcome.extra[requirement] = text
    return outcome


def _said(record: Record, requirement: str) -> str:
    """What a run says of a requirement, for somebody who wonders."""
    said = [
        f"{verdict} in {case} ({why})" for (name, case), (verdict, why) in record.cells.items() if name == requirement
    ]
    return "; ".join(said) or "no case decided it"


class Trials:
    """Tries faults, and keeps the unbroken runs that they are compared with."""

    def __init__(self, budget: Budget, plain_runs: int = 1) -> None:
        self.budget = budget
        self._plain_runs = plain_runs
        self._plain: dict[tuple[str, str, int], list[Record]] = {}
        self._locks: defaultdict[tuple[str, str, int], threading.Lock] = defaultdict(threading.Lock)

    def key(self, entry: Entry) -> tuple[str, str, int]:
        """What faults have in common that are compared with the same unbroken runs."""
        return entry.target, entry.configuration, self.budget.inputs(entry)

    def plain(self, entry: Entry) -> list[Record]:
        """Unbroken runs of a fault's target and configuration, of every case."""
        key = self.key(entry)
        with self._locks[key]:
            if key not in self._plain:
                self._plain[key] = [run(*key[:2], "", self.budget, key[2]) for _ in range(self._plain_runs)]
            return self._plain[key]

    def selection(self, entry: Entry) -> list[str]:
        """What a broken run looks at."""
        if self.budget.everything or entry.name == "none":
            return []
        return sorted(entry.concerned | set(CONTROL))

    def attempt(self, entry: Entry) -> Outcome:
        """Try one fault."""
        plain = self.plain(entry)
        broken = run(
            entry.target,
            entry.configuration,
            entry.name,
            self.budget,
            self.budget.inputs(entry),
            self.selection(entry),
        )
        return compare(entry, broken, plain)
