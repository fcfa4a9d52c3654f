# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The console: a header, progress while the run goes on, rows, failures told in words, and a summary.

On a terminal there is a progress line and colour; elsewhere plain lines, one per configuration. Renders the record and
decides nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from ..ledger import Entry
from ..verdicts import Verdict
from .build import CHAPTERS
from .html import ICONS

STYLES = {
    "FAIL": "bold red",
    "ERROR": "bold magenta",
    "INCONCLUSIVE": "yellow",
    "WAIVED": "blue",
    "NOT-SUPPORTED": "bright_black",
    "PASS": "green",
}
ALL_ROWS = 40
"""Up to so many rows are printed one by one; of more, those that passed are only counted."""


def make_console() -> Console:
    """Standard output; wide enough for a row where there is no terminal."""
    console = Console(highlight=False, soft_wrap=True)
    return console if console.is_terminal else Console(highlight=False, soft_wrap=True, width=160)


class Reporter:
    """Progress: the ``Listener`` of a run."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._configuration = ""
        self._place = ""
        self._began = time.monotonic()
        self._cases = 0
        self._counts: Counter[Verdict] = Counter()
        self._said: set[str] = set()

    def plan(self, cases: int) -> None:
        """So many cases will run."""
        if not self.console.is_terminal:
            return
        columns = (TextColumn("{task.description}"), BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, TextColumn("{task.fields[now]}"), console=self.console, transient=True)
        self._progress.start()
        self._task = self._progress.add_task("judging", total=cases, now="")

    def configuration(self, name: str, number: int, count: int) -> None:
        """A configuration begins."""
        self._finish_configuration()
        self._configuration, self._place = name, f"{number + 1}/{count}"
        self._began, self._cases, self._counts = time.monotonic(), 0, Counter()

    def case(self, name: str, entries: Sequence[Entry]) -> None:
        """A case has ended: failures are told at once."""
        self._cases += 1
        for entry in entries:
            self._counts[entry.mark.verdict] += 1
            if entry.mark.verdict in (Verdict.FAIL, Verdict.ERROR) and entry.requirement not in self._said:
                self._said.add(entry.requirement)
                word = entry.mark.verdict.value
                line = Text(f"  {ICONS[word]} {entry.requirement}  ", STYLES[word])
                line.append(f"{word} in {entry.configuration} ({name}): ", "default")
                line.append(_short(entry.mark.why, 160), "bright_black")
                self.console.print(line)
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, advance=1, description=self._configuration, now=name)

    def end(self) -> None:
        """The run has ended, one way or another."""
        self._finish_configuration()
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _finish_configuration(self) -> None:
        if not self._configuration:
            return
        counts = ", ".join(f"{self._counts[verdict]} {verdict.value}" for verdict in Verdict if self._counts[verdict])
        seconds = time.monotonic() - self._began
        text = f"  [{self._place}] {self._configuration}: {self._cases} cases, {counts or 'nothing'}, {seconds:.1f} s"
        self.console.print(Text(text, "bright_black"))
        self._configuration = ""


def _short(text: str, size: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= size else f"{text[: size - 1]}…"


def begin(console: Console, record_tool: dict[str, str], spec: str, seed: int, stored: int) -> None:
    """The first line."""
    revision = f" ({record_tool['revision']})" if record_tool["revision"] else ""
    again = f" · stored inputs of {stored} failures are tried first" if stored else ""
    console.print(
        Text(f"ofi-conform {record_tool['version']}{revision} · spec kfabric {spec} · seed {seed}{again}", "bold")
    )


def target_line(console: Console, library: str, provider: str, kinds: str, configurations: int) -> None:
    """What is being judged."""
    plural = "" if configurations == 1 else "s"
    console.print(Text(f"target   {library} · {provider} · {kinds} · {configurations} configuration{plural}"))


def show(console: Console, record: dict[str, Any], *, verbose: bool, out: str) -> None:
    """Everything after the run."""
    rows = record["requirements"]
    every = verbose or len(rows) <= ALL_ROWS
    _rows(console, rows, every)
    _failures(console, record)
    _remarks(console, record)
    _summary(console, record)
    console.print(Text(f"wrote {out}/{{report.html,report.json,junit.xml,failures/}}"))


def _rows(console: Console, rows: list[dict[str, Any]], every: bool) -> None:
    titles = dict(CHAPTERS)
    chapters: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        chapters.setdefault(row["chapter"], []).append(row)
    for chapter, members in chapters.items():
        counts = Counter(row["verdict"] for row in members)
        told = "  ".join(
            f"{ICONS[verdict.value]} {counts[verdict.value]}" for verdict in Verdict if counts[verdict.value]
        )
        console.print(Text.assemble((titles.get(chapter, chapter), "bold"), (f"   {told}", "bright_black")))
        for row in members:
            if every or row["verdict"] not in ("PASS", "NOT-SUPPORTED"):
                console.print(_row(row))


def _row(row: dict[str, Any]) -> Text:
    word = row["verdict"]
    line = Text(f"  {ICONS[word]} ", STYLES[word])
    line.append(f"{row['id']:<12}", STYLES[word] if word != "PASS" else "default")
    line.append(f" {row['level']:<10} ", "bright_black")
    title = _short(row["title"], 50) + (" [informative]" if row["informative"] else "")
    line.append(title)
    if word in ("PASS", "FAIL"):
        plural = " " if row["cases"] == 1 else "s"
        pad = " " * max(1, 62 - len(title))
        line.append(
            f"{pad}{row['cases']} case{plural} {row['examples']:>6} ex {row['seconds']:>7.1f} s", "bright_black"
        )
    else:
        line.append(f"  {word}: {_short(row['why'], 110)}", STYLES[word])
    return line


def _failures(console: Console, record: dict[str, Any]) -> None:
    """Each failure once: what fails alike in several configurations, or by one crash, is told together."""
    waived = {row["id"] for row in record["requirements"] if row["verdict"] == "WAIVED"}
    told: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for failure in record["failures"]:
        if failure["requirement"] not in waived:
            key = ("crash", failure["case"]) if failure["kind"] == "crash" else (failure["requirement"],)
            told.setdefault(key, []).append(failure)
    if told:
        console.print(Text("Failures", "bold"))
    informative = {row["id"] for row in record["requirements"] if row["informative"]}
    for failures in told.values():
        _failure(console, failures, informative)


def _failure(console: Console, failures: list[dict[str, Any]], informative: set[str]) -> None:
    first = failures[0]
    ids = list(dict.fromkeys(failure["requirement"] for failure in failures))
    where = list(dict.fromkeys(failure["configuration"] for failure in failures))
    also = f" and {len(ids) - 1} more" if len(ids) > 1 else ""
    tag = " (informative)" if informative.issuperset(ids) else ""
    console.print(Text.assemble((f"  {ids[0]}{also}{tag}", STYLES["FAIL"]), f'  spec: "{first["text"]}"'))
    if len(ids) > 1:
        console.print(Text(f"    with {' '.join(ids[1:])}"))
    promised = " · ".join(first["promised"]) or "nothing in particular: this binds every provider"
    console.print(Text(f"    promised: {promised}"))
    for let in first["let"]:
        console.print(Text(f"    Let   {let}"))
    if first["then"]:
        console.print(Text(f"    Then  {first['then']}"))
    console.print(Text(f"          {first['however']}"))
    if first["rate"]:
        console.print(Text(f"    Rate  {first['rate'][0]} of {first['rate'][1]} runs. {first['note']}".rstrip()))
    others = f" (also {', '.join(where[1:])})" if where[1:] else ""
    console.print(Text(f"    In    {where[0]}{others}, {first['case']}", "bright_black"))
    console.print(Text(f"    Replay  {first['replay']}"))


def _remarks(console: Console, record: dict[str, Any]) -> None:
    if record["interrupted"]:
        console.print(Text("interrupted: this is what was learned so far", STYLES["INCONCLUSIVE"]))
    for sentence in record["aborts"]:
        console.print(Text(f"the provider ended its process: {sentence}", STYLES["FAIL"]))
    for trouble in record["troubles"]:
        console.print(
            Text(f"error of the suite, not of the provider: {trouble['where']}: {trouble['text']}", STYLES["ERROR"])
        )
    if record["outside"]:
        told = "also broken, outside of what was selected: " + " ".join(record["outside"])
        console.print(Text(told, STYLES["INCONCLUSIVE"]))
    for waiver in record["unused_waivers"]:
        console.print(Text(f"waiver matched nothing: {waiver}", STYLES["WAIVED"]))


def _summary(console: Console, record: dict[str, Any]) -> None:
    counted = sum(record["summary"].values())
    words = ", ".join(
        f"{count} {name.lower().replace('-', ' ')}" for name, count in reversed(record["summary"].items())
    )
    console.print(
        Text(f"{counted} requirements: {words or 'none'} · {record['seconds']:.0f} s · seed {record['seed']}", "bold")
    )
