# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The pytest plugin of a run: every case once per configuration, configurations outermost.

Decides before a case runs whether any of its ids applies; gives it ``road`` and ``local``; writes what it found out
into the ledger, also when it raised. Prints nothing and knows no report.
"""

from __future__ import annotations

import dataclasses
import traceback
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import pytest

from kfabric.model.guarantees import Guarantees

from .casebook import Tally
from .catalogue import Selection, case_name, ids_of
from .conditions import ConditionError, parse
from .configuration import Configuration
from .ledger import Entry, Ledger, Trouble
from .local import Local
from .nodes import NodeDied, NodeSpec
from .requirements import Requirements, applicability
from .road import Road
from .search import Plan
from .session import SessionError
from .settings import Settings
from .stage import Stage

GIVE_UP = 3
"""Deaths while opening after which a configuration is left alone."""


class Listener(Protocol):
    """Who wants to know how the run is getting on."""

    def plan(self, cases: int) -> None:
        """So many cases will run, over all configurations."""

    def configuration(self, name: str, number: int, count: int) -> None:
        """A configuration begins."""

    def case(self, name: str, entries: Sequence[Entry]) -> None:
        """A case has ended."""


class Suite:
    """One run of the cases against one target."""

    def __init__(
        self,
        settings: Settings,
        backend: str,
        requirements: Requirements,
        configurations: Sequence[Configuration],
        selection: Selection,
        ledger: Ledger,
        listener: Listener,
        specs: tuple[NodeSpec, ...] = (),
    ) -> None:
        self.settings = settings
        self.requirements = requirements
        self.configurations = list(configurations)
        self.selection = selection
        self.ledger = ledger
        self.interrupted = False
        self.ran = 0
        self._listener = listener
        self._specs = specs
        self._root = settings.cases.resolve()
        self._stage: Stage | None = None
        self._tally: Tally | None = None
        self._deaths: dict[str, str] = {}
        self._death_count: dict[str, int] = {}
        self._applicable = {str(item): self._applying(item, backend) for item in self.configurations}

    def _first_like(self, item: pytest.Item, configuration: Configuration) -> str:
        """The first configuration that is the same to the case, so that it runs there and nowhere else.

        To a body, which binds queues as it likes, that is one with the same hints; to one that runs once, one with the
        same endpoint type in which the same requirements apply.
        """
        if not _only_bodies(item):
            return str(configuration)
        ids, once = frozenset(ids_of(item)), _once(item)

        def same(one: Configuration) -> tuple[object, ...]:
            if once:
                return one.target, ids & self._applicable[str(one)], self._can_run(item, one)
            return one.target, one.hints

        return next(str(one) for one in self.configurations if same(one) == same(configuration))

    def _applying(self, configuration: Configuration, backend: str) -> frozenset[str]:
        found = set()
        guarantees = Guarantees(default=configuration.end)
        for requirement in self.requirements:
            if not requirement.judged:
                continue
            answer = applicability(requirement, guarantees, backend)
            if answer.applies:
                found.add(requirement.id)
            else:
                self.ledger.not_supported[requirement.id, str(configuration)] = answer.why
            if not answer.binding:
                self.ledger.informative.add(requirement.id)
        return frozenset(found)

    # -- collecting -----------------------------------------------------------------------------------------------
    def pytest_configure(self, config: pytest.Config) -> None:
        """Know our mark."""
        config.addinivalue_line("markers", "requirement(*ids): the requirements a case decides")

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Every case in every configuration."""
        if "configuration" in metafunc.fixturenames:
            names = [str(item) for item in self.configurations]
            metafunc.parametrize("configuration", self.configurations, indirect=True, scope="session", ids=names)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Select, leave out what does not apply, and order by configuration."""
        order = {str(item): number for number, item in enumerate(self.configurations)}
        chosen: list[tuple[int, int, pytest.Item]] = []
        for number, item in enumerate(items):
            name, ids = case_name(item, self._root), ids_of(item)
            configuration = self._configuration_of(item)
            if not ids or configuration is None:
                what = "names no requirement" if not ids else "uses neither road nor local"
                self._trouble_once(name, what)
                continue
            unknown = [one for one in ids if one not in self.requirements]
            if unknown:
                self._trouble_once(name, f"names {' '.join(unknown)}, which the specification does not have")
            if not self._can_run(item, configuration):
                continue
            wanted = self.selection.wants(name, ids) and not self._repeats(item, configuration)
            if wanted and not self._applicable[str(configuration)].isdisjoint(ids):
                chosen.append((order[str(configuration)], number, item))
        items[:] = [item for _, _, item in sorted(chosen, key=lambda entry: entry[:2])]
        self._listener.plan(len(items))

    def _can_run(self, item: pytest.Item, configuration: Configuration) -> bool:
        """Whether the configuration has what the case itself asks for."""
        needs = " ".join(mark.kwargs.get("when", "") for mark in item.iter_markers("requirement"))
        try:
            return not parse(needs).missing(Guarantees(default=configuration.end))
        except ConditionError as error:
            self._trouble_once(case_name(item, self._root), str(error))
            return False

    def _repeats(self, item: pytest.Item, configuration: Configuration) -> bool:
        """A body that runs in an earlier configuration which is the same to it."""
        return self._first_like(item, configuration) != str(configuration)

    def _trouble_once(self, where: str, text: str) -> None:
        if all((known.where, known.text) != (where, text) for known in self.ledger.troubles):
            self.ledger.troubles.append(Trouble(where, text))

    @staticmethod
    def _configuration_of(item: pytest.Item) -> Configuration | None:
        call = getattr(item, "callspec", None)
        return call.params.get("configuration") if call is not None else None

    # -- running --------------------------------------------------------------------------------------------------
    def _stage_for(self, configuration: Configuration) -> Stage:
        if self._stage is None or self._stage.configuration is not configuration:
            self._end_stage()
            self._stage = Stage(configuration, self.settings, self._specs)
            number = self.configurations.index(configuration)
            self._listener.configuration(str(configuration), number, len(self.configurations))
        return self._stage

    def _end_stage(self) -> None:
        if self._stage is not None:
            stage, self._stage = self._stage, None
            stage.close()

    @pytest.fixture(scope="session")
    def configuration(self, request: pytest.FixtureRequest) -> Configuration:
        """The configuration that is judged now."""
        found: Configuration = request.param
        return found

    @pytest.fixture
    def _case(self, request: pytest.FixtureRequest, configuration: Configuration) -> Tally:
        name = case_name(request.node, self._root)
        self._tally = Tally(
            name, str(configuration), ids_of(request.node), self._applicable[str(configuration)], self.ledger
        )
        return self._tally

    def _plan(self, tally: Tally) -> Callable[[float], Plan]:
        counter = iter(range(1, 1000))
        slug = tally.case.replace("/", "_").replace("::", ".")

        def plan(share: float) -> Plan:
            number = next(counter)
            database = self.settings.database / tally.configuration / slug / str(number)
            seed = zlib.crc32(f"{self.settings.seed} {slug} {number}".encode())
            examples = max(1, round(self.settings.budget * share))
            return Plan(examples, seed, database, self.settings.profile.shrink_seconds)

        return plan

    @pytest.fixture
    def road(self, _case: Tally, configuration: Configuration) -> Road:
        """Programs: run, judge, shrink."""
        return Road(self._stage_for(configuration), _case, self._plan(_case))

    @pytest.fixture
    def local(self, _case: Tally, configuration: Configuration) -> Local:
        """Bodies inside one node."""
        return Local(self._stage_for(configuration), _case, self._plan(_case))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        """Turn the end of a case into entries."""
        report = yield
        if call.when == "teardown" or self._configuration_of(item) is None:
            if call.excinfo is not None:
                self.ledger.troubles.append(Trouble(item.nodeid, str(call.excinfo.value), str(call.excinfo.getrepr())))
            return report
        if call.when == "setup" and call.excinfo is None:
            return report
        self._ended(item, call)
        return report

    def _ended(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        tally, self._tally = self._tally, None
        configuration = self._configuration_of(item)
        assert configuration is not None
        name = case_name(item, self._root)
        if tally is None:
            tally = Tally(name, str(configuration), ids_of(item), self._applicable[str(configuration)], self.ledger)
        if call.excinfo is not None:
            self._raised(tally, call.excinfo.value)
        self.ran += 1
        entries = tally.entries()
        for entry in entries:
            self.ledger.add(entry)
            self._share(item, entry)
        self._listener.case(name, entries)

    def _share(self, item: pytest.Item, entry: Entry) -> None:
        """Say of the configurations that are the same to a body what was found in the one where it ran."""
        why = f"as in {entry.configuration}" + (f": {entry.mark.why}" if entry.mark.why else "")
        for configuration in self.configurations:
            name = str(configuration)
            if name == entry.configuration or entry.requirement not in self._applicable[name]:
                continue
            if self._first_like(item, configuration) == entry.configuration:
                mark = dataclasses.replace(entry.mark, why=why)
                self.ledger.add(Entry(entry.requirement, name, entry.case, mark))

    def _raised(self, tally: Tally, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt):
            for requirement in tally.undecided:
                tally.unsettled(requirement, "interrupted")
            return
        if isinstance(error, NotOpened):
            for requirement in tally.undecided:
                tally.unsettled(requirement, f"not run: {error}")
            return
        if isinstance(error, NodeDied | SessionError):
            self._not_opened(tally, error)
            return
        kind = type(error).__name__
        tally.error(f"{kind}: {error}".partition("\n")[0])
        where = f"{tally.case} [{tally.configuration}]"
        trace = "".join(traceback.format_exception(error))
        self.ledger.troubles.append(Trouble(where, f"{kind}: {error}".partition("\n")[0], trace))

    def _not_opened(self, tally: Tally, error: NodeDied | SessionError) -> None:
        """The configuration could not be opened, so no case was in charge."""
        text = str(error).partition("\n")[0]
        death = error if isinstance(error, NodeDied) else error.__cause__
        if isinstance(death, NodeDied) and death.how in ("crash", "exit"):
            self.ledger.abort(f"configuration {tally.configuration} could not be opened: {death}")
        for requirement in tally.undecided:
            tally.unsettled(requirement, f"could not be opened: {text}")
        count = self._death_count[tally.configuration] = self._death_count.get(tally.configuration, 0) + 1
        if count == GIVE_UP:
            self._deaths[tally.configuration] = text

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Leave a configuration alone that cannot be opened."""
        configuration = self._configuration_of(item)
        if configuration is not None and str(configuration) in self._deaths:
            raise NotOpened(self._deaths[str(configuration)])

    def pytest_internalerror(self, excrepr: object) -> bool:
        """Something of ours broke outside any case."""
        self.ledger.troubles.append(Trouble("the run", "internal error", str(excrepr)))
        return True

    def pytest_keyboard_interrupt(self) -> None:
        """Keep what was learned so far."""
        self.interrupted = True
        tally, self._tally = self._tally, None
        if tally is not None:
            self._raised(tally, KeyboardInterrupt())
            for entry in tally.entries():
                self.ledger.add(entry)

    def pytest_sessionfinish(self) -> None:
        """End the nodes."""
        self._end_stage()


def _only_bodies(item: pytest.Item) -> bool:
    names = getattr(item, "fixturenames", ())
    return "local" in names and "road" not in names


def _once(item: pytest.Item) -> bool:
    return any(mark.kwargs.get("once", False) for mark in item.iter_markers("requirement"))


class NotOpened(Exception):
    """The configuration could not be opened several times in a row."""
