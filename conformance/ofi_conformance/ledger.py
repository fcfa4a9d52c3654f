# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The ledger: what every case found out about every requirement, configuration by configuration.

Keeps entries and failures as they come in and folds them; knows no pytest, no provider and no output format.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kfabric.model.verdict import Explanation

from .evidence import AnyEvidence
from .verdicts import NEVER, Mark, Verdict, fold


@dataclass
class Failure:
    """One requirement broken in one configuration: the evidence and how to see it again."""

    requirement: str
    configuration: str
    case: str
    kind: str
    """``program``: judged from a History; ``local``: a body's check; ``crash`` and ``hang``: what became of a node."""
    explanation: Explanation
    evidence: AnyEvidence
    """The content of the failure file."""
    program: str = ""
    """The shortest Program as text, or the input of a body."""
    rate: tuple[int, int] | None = None
    """How many of so many runs of it broke the requirement."""
    stored: bool = False
    note: str = ""
    file: str = ""


def reason(explanation: Explanation) -> str:
    """An explanation's last word, for a row."""
    return explanation.however.removeprefix("However, ").removeprefix("However ")


@dataclass
class Entry:
    """What one case says about one requirement in one configuration."""

    requirement: str
    configuration: str
    case: str
    mark: Mark
    examples: int = 0
    weight: int = 0
    """How many times the requirement was put to the test."""
    seconds: float = 0.0


@dataclass
class Trouble:
    """Something of ours that went wrong: never hidden."""

    where: str
    text: str
    trace: str = ""


@dataclass
class Cell:
    """A requirement in a configuration, summed up."""

    mark: Mark
    entries: list[Entry] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


@dataclass
class Ledger:
    """Everything found out so far."""

    entries: list[Entry] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    not_supported: dict[tuple[str, str], str] = field(default_factory=dict)
    """(requirement, configuration) -> why it does not apply."""
    informative: set[str] = field(default_factory=set)
    """Requirements that are reported and do not count."""
    aborts: list[str] = field(default_factory=list)
    """The provider ended its process where no requirement was being put to the test."""
    _by: dict[tuple[str, str], list[Entry]] = field(default_factory=dict, repr=False)

    def abort(self, sentence: str) -> None:
        """Keep it once."""
        if sentence not in self.aborts:
            self.aborts.append(sentence)

    def add(self, entry: Entry) -> None:
        """Keep what a case says."""
        self.entries.append(entry)
        self._by.setdefault((entry.requirement, entry.configuration), []).append(entry)

    def fail(self, failure: Failure) -> None:
        """Keep the failure, the first of its requirement and configuration; the case adds the entry that says so."""
        at = (failure.requirement, failure.configuration)
        if all((known.requirement, known.configuration) != at for known in self.failures):
            self.failures.append(failure)

    def cell(self, requirement: str, configuration: str) -> Cell:
        """One requirement in one configuration."""
        at = (requirement, configuration)
        entries = list(self._by.get(at, ()))
        failures = [item for item in self.failures if (item.requirement, item.configuration) == at]
        if at in self.not_supported:
            return Cell(Mark(Verdict.NOT_SUPPORTED, self.not_supported[at]), entries, failures)
        return Cell(fold(entry.mark for entry in entries), entries, failures)

    def cells(self, requirement: str, configurations: Iterable[str]) -> dict[str, Cell]:
        """One requirement in each of the configurations."""
        return {name: self.cell(requirement, name) for name in configurations}


def total(cells: dict[str, Cell]) -> Mark:
    """A requirement over all configurations."""
    return fold(cell.mark for cell in cells.values()) if cells else NEVER
