# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The catalogue of cases: which files, which functions, which ids, and how a selection is read against it.

Collects the cases with pytest once, without any provider. Decides what a word of a selection means: an id, an area, a
chapter or a case; a word that matches nothing is an error with a suggestion, never an empty run.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from .requirements import Requirements

PYTEST_ARGUMENTS = (
    "-p",
    "no:terminal",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:doctest",
    "-p",
    "no:junitxml",
    "-p",
    "no:logging",
    "-p",
    "no:faulthandler",
    "-o",
    "addopts=",
    "-o",
    "python_files=test_*.py",
    "--import-mode=importlib",
    "--strict-markers",
    "--continue-on-collection-errors",
    "--capture=no",
)
"""A run of ours depends on nobody's pytest configuration."""


@contextmanager
def _own_environment() -> Iterator[None]:
    """Keep plugins and options that happen to be around out of the run."""
    before = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("PYTEST_")}
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        yield
    finally:
        del os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
        os.environ.update(before)


def run_pytest(cases: Path, plugin: object) -> None:
    """Run pytest over the cases with one plugin of ours; what goes wrong inside is the plugin's to tell."""
    with _own_environment():
        arguments = ["-c", os.devnull, f"--rootdir={cases}", *PYTEST_ARGUMENTS, str(cases)]
        code = pytest.main(arguments, plugins=[plugin])
    if code == pytest.ExitCode.USAGE_ERROR:
        raise RuntimeError(f"pytest does not take our arguments for {cases}")


@dataclass(frozen=True)
class Case:
    """One case: ``rma/test_rma.py::test_bytes`` and the ids it names."""

    name: str
    ids: tuple[str, ...]
    sentence: str = ""

    @property
    def file(self) -> str:
        """Its file, relative to the cases."""
        return self.name.partition("::")[0]

    @property
    def function(self) -> str:
        """Its name alone."""
        return self.name.partition("::")[2]


@dataclass
class Catalogue:
    """All cases, and what could not be collected."""

    cases: list[Case] = field(default_factory=list)
    troubles: list[tuple[str, str]] = field(default_factory=list)

    def deciding(self, requirement: str) -> list[Case]:
        """The cases that name an id."""
        return [case for case in self.cases if requirement in case.ids]


def case_name(item: pytest.Item, root: Path) -> str:
    """``file::function`` without parameters, relative to the cases."""
    path = item.path.resolve()
    relative = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
    return f"{relative.as_posix()}::{getattr(item, 'originalname', None) or item.name.partition('[')[0]}"


def ids_of(item: pytest.Item) -> tuple[str, ...]:
    """The ids that the case's marks name, in order."""
    found = [name for mark in item.iter_markers("requirement") for name in mark.args]
    return tuple(dict.fromkeys(found))


class _Collecting:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.catalogue = Catalogue()

    def pytest_configure(self, config: pytest.Config) -> None:
        config.addinivalue_line("markers", "requirement(*ids): the requirements a case decides")

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        return

    @pytest.fixture
    def road(self) -> None:
        """Stand-in: nothing runs."""

    @pytest.fixture
    def local(self) -> None:
        """Stand-in: nothing runs."""

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.catalogue.troubles.append((report.nodeid, str(report.longrepr)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        known = set()
        for item in items:
            name = case_name(item, self.root)
            if name not in known:
                known.add(name)
                doc = (getattr(item, "obj", None).__doc__ or "").strip().partition("\n")[0]
                self.catalogue.cases.append(Case(name, ids_of(item), doc))
        items.clear()


def collect(root: Path) -> Catalogue:
    """Read the case files."""
    plugin = _Collecting(root.resolve())
    run_pytest(root.resolve(), plugin)
    return plugin.catalogue


class SelectionError(ValueError):
    """A word that selects nothing."""


@dataclass(frozen=True)
class Selection:
    """What to judge: ids to report on and cases to run. ``None``: all."""

    ids: frozenset[str] | None = None
    cases: frozenset[str] | None = None

    def wants(self, case: str, ids: Collection[str]) -> bool:
        """Whether a case is to be run."""
        if self.cases is not None and case in self.cases:
            return True
        if self.ids is None:
            return self.cases is None
        return not self.ids.isdisjoint(ids)

    def reports(self, requirement: str, decided: Collection[str]) -> bool:
        """Whether a requirement gets a row; ``decided``: what the selected cases name."""
        if self.ids is None and self.cases is None:
            return True
        return requirement in (self.ids or ()) or (self.cases is not None and requirement in decided)


def select(words: Collection[str], requirements: Requirements, catalogue: Catalogue) -> Selection:
    """Read a selection; raises SelectionError with one sentence."""
    if not words:
        return Selection()
    ids: set[str] = set()
    cases: set[str] = set()
    for word in words:
        found_ids = _ids(word, requirements)
        found_cases = () if found_ids else _cases(word, catalogue)
        if not found_ids and not found_cases:
            near = _near(word, requirements, catalogue)
            raise SelectionError(f"nothing is called {word!r}: no requirement, area, chapter or case{near}")
        ids.update(found_ids)
        cases.update(found_cases)
    return Selection(frozenset(ids) if ids else None, frozenset(cases) if cases else None)


def runnable(words: Collection[str], requirements: Requirements, catalogue: Catalogue) -> Selection:
    """Read a selection that at least one case must meet; raises SelectionError."""
    selection = select(words, requirements, catalogue)
    if not any(selection.wants(case.name, case.ids) for case in catalogue.cases):
        raise SelectionError(f"no case decides {' '.join(words)}" if words else "there is no case to run")
    return selection


def _ids(word: str, requirements: Requirements) -> set[str]:
    upper = word.upper()
    if upper in requirements:
        return {upper}
    areas = {area for area in requirements.areas if upper in (area, area.partition("-")[2], area.partition("-")[0])}
    found = {item.id for item in requirements if item.area in areas}
    return found or {item.id for item in requirements if item.chapter == word.lower()}


def _cases(word: str, catalogue: Catalogue) -> tuple[str, ...]:
    wanted = word.removeprefix("conformance/cases/")
    found = []
    for case in catalogue.cases:
        file = Path(case.file)
        names = {case.name, case.file, case.function, file.stem, file.name, f"{file.name}::{case.function}"}
        names.add(f"{file.stem}/{case.function}")
        names |= {name.replace("test_", "") for name in names}
        if wanted in names:
            found.append(case.name)
    return tuple(found)


def _near(word: str, requirements: Requirements, catalogue: Catalogue) -> str:
    hint = requirements.suggest(word)
    if hint:
        return hint
    known = [case.name for case in catalogue.cases] + [case.function for case in catalogue.cases]
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""
