# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""``run --all``: every provider of this machine, one report each and a page over them.

Says by name what was not judged and why. Without libfabric there is nothing to judge yet, and that is said too.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from .cli import settings_of
from .configuration import NothingToJudge, survey
from .report.console import make_console
from .report.html import index
from .report.write import OutputError, prepare, replace
from .run import Refusal
from .verdicts import Exit

PROVIDERS = ("tcp", "sockets", "shm", "udp", "net", "tcp;ofi_rxm", "udp;ofi_rxd")
"""Providers of a distribution's libfabric that run on any machine: expected, and named when they are missing."""
INSTALL = "Debian and Ubuntu: apt-get install libfabric1 (and libfabric-bin libfabric-dev for fi_info and the headers)"
REFERENCE = "kfabric:sockets, the bundled reference provider, is not part of this version yet and was not judged."


def place_of(target: str) -> str:
    """A directory name for a target."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "+", target.partition(":")[2]) or "target"


def run(words: argparse.Namespace) -> Exit:
    """Judge all of them."""
    from .commands import completed, run_one

    console = make_console()
    try:
        prepare(words.out)
    except OutputError as error:
        raise Refusal(str(error), Exit.USAGE) from error
    (words.out / "failures").rmdir()
    settings = settings_of(words, "")
    targets, notes = _targets()
    codes: list[Exit] = []
    places: list[str] = []
    for target in targets:
        place = place_of(target)
        one = settings_of(words, target, [*words.words, *words.area])
        codes.append(run_one(_at(one, words.out / place, settings.seed), verbose=words.verbose))
        places.append(place)
        _write_index(words.out, places, [*notes, *(f"{rest} was not judged yet." for rest in targets[len(places) :])])
        if codes[-1] is Exit.INTERRUPTED:
            break
    _write_index(words.out, places, notes)
    _finish(console, words.out, notes)
    code = _worst(codes)
    return completed(code) if words.complete or not codes else code


def _at(settings: Any, out: Path, seed: int) -> Any:
    import dataclasses

    return dataclasses.replace(settings, out=out, seed=seed)


def _targets() -> tuple[list[str], list[str]]:
    """Targets found here, and sentences about what is not."""
    notes = [REFERENCE]
    try:
        found = {offer.provider for offer in survey()}
    except NothingToJudge as error:
        names = ", ".join(f"libfabric:{name}" for name in PROVIDERS)
        notes.append(f"{names} were not judged: {error}")
        if "libfabric1" not in str(error):
            notes.append(INSTALL)
        return [], notes
    ordered = [*(name for name in PROVIDERS if name in found), *sorted(found - set(PROVIDERS))]
    targets = [f"libfabric:{name}" for name in ordered]
    notes += [
        f"libfabric:{name} was not judged: this libfabric does not offer it." for name in PROVIDERS if name not in found
    ]
    return targets, notes


def _write_index(out: Path, places: Sequence[str], notes: Sequence[str]) -> None:
    entries = []
    for place in places:
        path = out / place / "report.json"
        if path.is_file():
            entries.append({"place": place, "record": json.loads(path.read_text(encoding="utf-8"))})
    replace(out / "index.html", index(entries, notes))


def _finish(console: Console, out: Path, notes: Sequence[str]) -> None:
    for note in notes:
        console.print(Text(note))
    console.print(Text(f"all reports: {out / 'index.html'}", "bold"))


def _worst(codes: Sequence[Exit]) -> Exit:
    order = (Exit.OURS, Exit.USAGE, Exit.INTERRUPTED, Exit.FAIL, Exit.INCONCLUSIVE)
    return next((code for code in order if code in codes), Exit.PASS)
