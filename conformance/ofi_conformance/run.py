# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One run, end to end: read what was asked, probe, run the cases, write the report whatever happened.

Raises ``Refusal`` with one sentence and an exit code for everything that can be wrong with what was asked.
"""

from __future__ import annotations

import datetime
import difflib
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from .catalogue import Catalogue, SelectionError, collect, run_pytest, runnable
from .configuration import Configuration, NothingToJudge, matrix
from .faults import implemented
from .ledger import Ledger, Trouble
from .nodes import NodeDied, NodeSpec
from .plugin import Listener, Suite
from .report.build import Result
from .report.write import OutputError, prepare, write
from .requirements import Requirements, all_requirements
from .settings import Settings
from .target import Target, TargetError
from .verdicts import Exit
from .waivers import WaiverError, Waiving, load_waivers


class Refusal(Exception):
    """What was asked cannot be done: a sentence and how to end."""

    def __init__(self, sentence: str, code: Exit) -> None:
        super().__init__(sentence)
        self.code = code


def specs_of(settings: Settings) -> tuple[NodeSpec, ...]:
    """Where the nodes run."""
    try:
        return tuple(NodeSpec.parse(text) for text in settings.nodes)
    except ValueError as error:
        raise Refusal(f"--node: {error}", Exit.USAGE) from error


def probe(settings: Settings, specs: tuple[NodeSpec, ...]) -> list[Configuration]:
    """The configurations to judge; raises Refusal, or NothingToJudge when the provider did not survive the question."""
    try:
        target = Target.parse(settings.target)
        found = matrix(target, specs[0] if specs else None)
    except TargetError as error:
        raise Refusal(str(error), Exit.USAGE) from error
    except NothingToJudge as error:
        if isinstance(error.__cause__, NodeDied):
            raise
        raise Refusal(str(error), Exit.USAGE) from error
    return chosen(found, settings.configurations)


def chosen(found: list[Configuration], names: Sequence[str]) -> list[Configuration]:
    """Those that were asked for by name; all when none was."""
    if not names:
        return found
    known = {str(item) for item in found} | {item.name for item in found}
    unknown = [name for name in names if name not in known]
    if unknown:
        have = ", ".join(str(item) for item in found)
        raise Refusal(f"no configuration is called {', '.join(unknown)}; there are {have}", Exit.INCONCLUSIVE)
    return [item for item in found if str(item) in names or item.name in names]


def check_fault(name: str) -> None:
    """Raise Refusal for a fault that nobody can plant."""
    if name and name not in implemented():
        near = difflib.get_close_matches(name, implemented(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise Refusal(f"there is no fault called {name!r}{hint}; 'ofi-conform faults' lists them", Exit.USAGE)


class Run:
    """A run that was found to be possible."""

    def __init__(self, settings: Settings, requirements: Requirements | None = None) -> None:
        check_fault(settings.fault)
        self.settings = settings
        self.requirements = requirements or all_requirements()
        self.catalogue: Catalogue = collect(settings.cases)
        try:
            self.selection = runnable(settings.selection, self.requirements, self.catalogue)
            waivers = load_waivers(settings.waivers) if settings.waivers else []
            prepare(settings.out)
        except SelectionError as error:
            raise Refusal(str(error), Exit.INCONCLUSIVE) from error
        except (WaiverError, OutputError) as error:
            raise Refusal(str(error), Exit.USAGE) from error
        self.specs = specs_of(settings)
        self.waiving = Waiving(waivers, settings.target, datetime.date.today())
        self.ledger = Ledger()
        self.configurations: list[Configuration] = []
        self.result = self._result()

    def _result(self) -> Result:
        backend = self.settings.target.partition(":")[0]
        return Result(
            self.settings,
            self.requirements,
            self.catalogue,
            self.selection,
            self.ledger,
            self.configurations,
            self.waiving,
            backend,
        )

    def open(self) -> None:
        """Ask the provider what it offers; a provider that dies of the question leaves a report that says so."""
        try:
            self.configurations.extend(probe(self.settings, self.specs))
        except NothingToJudge as error:
            self.ledger.abort(str(error))
            self.result.outcome = "Nothing could be judged."

    def judge(self, listener: Listener) -> dict[str, Any]:
        """Run the cases and write the report."""
        began = time.monotonic()
        for where, text in self.catalogue.troubles:
            self.ledger.troubles.append(Trouble(where, "cannot be collected", text))
        if self.configurations:
            self._cases(listener)
        self.result.seconds = time.monotonic() - began
        return write(self.result)

    def _cases(self, listener: Listener) -> None:
        suite = Suite(
            self.settings,
            self.result.backend,
            self.requirements,
            self.configurations,
            self.selection,
            self.ledger,
            listener,
            self.specs,
        )
        try:
            with _terminated_as_interrupt():
                run_pytest(self.settings.cases.resolve(), suite)
        except KeyboardInterrupt:
            suite.interrupted = True
        except Exception as error:
            trace = "".join(traceback.format_exception(error))
            self.ledger.troubles.append(Trouble("the run", f"{type(error).__name__}: {error}", trace))
        self.result.interrupted = suite.interrupted


@contextmanager
def _terminated_as_interrupt() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does: with a report."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before: Callable[..., Any] | int | None = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
