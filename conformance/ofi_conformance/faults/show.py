# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The table of planted faults: what each breaks, and with ``--try`` what the suite says about it.

Unbroken runs come first, one per target and configuration; then the faults, several at a time. Ends with 0 when every
fault was caught and nothing else changed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .catalogue import Entry, catalogue
from .trial import USUAL, Budget, Outcome, TrialError, Trials

JOBS = 2
"""Runs at a time."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words that this command takes."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="faults; all when none is named")
    parser.add_argument("--try", action="store_true", dest="attempt", help="run the suite on each and compare")
    parser.add_argument("--everything", action="store_true", help="run every case on every broken provider")
    parser.add_argument("--examples", type=int, default=USUAL, metavar="N", help="inputs per property")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--plain-runs", type=int, default=1, metavar="N", help="unbroken runs: 2 show what flickers")
    parser.add_argument("--jobs", type=int, default=JOBS, metavar="N")


def chosen(names: Sequence[str]) -> list[Entry]:
    """The faults that were named. Raises ``LookupError``."""
    known = catalogue()
    for name in names:
        if name not in known:
            raise LookupError(f"there is no fault called {name!r}")
    return [known[name] for name in names] or list(known.values())


def perform(words: argparse.Namespace, console: Console) -> int:
    """Do what was asked; returns the exit code."""
    entries = chosen(words.names)
    if not words.attempt:
        console.print(listing(entries))
        return 0
    budget = Budget(words.examples, words.everything, words.seed)
    outcomes = attempt(entries, Trials(budget, words.plain_runs), words.jobs, lambda one: console.print(line(one)))
    console.print(table(outcomes))
    bad = [one for one in outcomes if not one.good]
    console.print(f"{len(outcomes)} faults, {len(bad)} not caught as the catalogue says")
    return 1 if bad else 0


def attempt(
    entries: Sequence[Entry], trials: Trials, jobs: int = JOBS, tell: Callable[[Outcome], None] = lambda one: None
) -> list[Outcome]:
    """Try faults, several at a time; in the order given."""

    def one(entry: Entry) -> Outcome:
        try:
            outcome = trials.attempt(entry)
        except TrialError as error:
            outcome = Outcome(entry, troubles=[str(error)])
        tell(outcome)
        return outcome

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(trials.plain, {trials.key(entry): entry for entry in entries}.values()))
        return list(pool.map(one, entries))


def listing(entries: Sequence[Entry]) -> Table:
    """What each fault breaks."""
    shown = Table("fault", "where", "what it breaks", "must fail", box=None, pad_edge=False)
    for entry in entries:
        shown.add_row(entry.name, entry.where, entry.breaks, " ".join(entry.must))
    return shown


def line(outcome: Outcome) -> Text:
    """One outcome as it comes in."""
    mark = Text("✔ ", "green") if outcome.good else Text("✘ ", "red")
    words = f"{outcome.entry.name}: {len(outcome.hit)} of {len(outcome.entry.must)} caught, {len(outcome.may)} more"
    text = Text.assemble(mark, words, f", {outcome.misbehaved} misbehaviours, {outcome.seconds:.0f} s")
    for label, found in (("not caught", outcome.missed), ("changed too", outcome.extra)):
        for requirement, why in found.items():
            text.append(f"\n    {label}: {requirement} {why[:300]}")
    for trouble in outcome.troubles:
        text.append(f"\n    {trouble[:300]}")
    for place in sorted(outcome.flickering):
        text.append(f"\n    flickers without any fault: {place}", "yellow")
    return text


def table(outcomes: Sequence[Outcome]) -> Table:
    """All outcomes."""
    shown = Table("fault", "must", "caught", "may", "changed", "extra", "hits", "s", box=None, pad_edge=False)
    for one in outcomes:
        style = "" if one.good else "red"
        shown.add_row(
            one.entry.name,
            " ".join(_short(one.entry.must)),
            str(len(one.hit)),
            str(len(one.entry.may)),
            str(len(one.may)),
            " ".join(_short(one.extra)) or "-",
            str(one.misbehaved),
            f"{one.seconds:.0f}",
            style=style,
        )
    return shown


def _short(ids: Sequence[str] | dict[str, str]) -> list[str]:
    return [name.removeprefix("OFI-") for name in ids]
