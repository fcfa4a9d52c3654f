# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Hypothesis strategies for every value of the model: any value the types can hold, sensible or not."""

from __future__ import annotations

from hypothesis import strategies as st

from kfabric.model import history as h
from kfabric.model import program as p
from kfabric.model.datatypes import OPS, SIZES, is_integer
from kfabric.model.evidence import Evidence
from kfabric.model.guarantees import End, Guarantees
from kfabric.model.verdict import Explanation, Finding, Judgement

NODES = ("A", "B", "C")
SMALL = st.integers(0, 40)
TEXT = st.text(max_size=8)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,5}", fullmatch=True).filter(
    lambda name: (
        name not in ("program", "format", "endpoints", "guarantees", "memory", "by", "from", "if", "all")
        and name not in ("forbidden", "allowed", "unspecified")
    )
)
MARKS = st.frozensets(st.sampled_from(p.OpMark), max_size=3)
VALUES = st.one_of(
    st.just(p.Pattern()), st.one_of(st.integers(-5, 1 << 40), st.just(-(1 << 70)), st.just(1 << 200)).map(p.Bytes)
)
ENDS = st.builds(p.EndpointRef, st.sampled_from(NODES), st.integers(0, 2))
IOV = st.lists(SMALL, max_size=3).map(tuple)
MAYBE = st.none() | st.integers(0, (1 << 64) - 1)
FLOATS = st.floats(allow_nan=False)


@st.composite
def regions(draw: st.DrawFn) -> tuple[p.Region, ...]:
    keys = draw(st.lists(st.tuples(st.sampled_from(NODES), st.sampled_from(["data", "flag", "x_1"])), unique=True))
    return tuple(
        p.Region(
            node,
            name,
            draw(st.integers(1, 64)),
            draw(st.booleans()),
            draw(st.just(p.ALL_ACCESS) | st.frozensets(st.sampled_from(p.Access))),
            draw(st.none() | st.integers(-3, 1 << 20) | st.just(1 << 200)),
        )
        for node, name in keys
    )


def _locations(declared: tuple[p.Region, ...], node: str | None = None) -> st.SearchStrategy[p.Location] | None:
    fitting = [region for region in declared if node is None or region.node == node]
    if not fitting:
        return None

    def place(region: p.Region) -> st.SearchStrategy[p.Location]:
        whole = st.just(p.Location(region.node, region.name, 0, region.size))
        return whole | st.builds(p.Location, st.just(region.node), st.just(region.name), SMALL, SMALL)

    return st.sampled_from(fitting).flatmap(place)


def _known(places: st.SearchStrategy[p.Location] | None) -> st.SearchStrategy[p.Location]:
    assert places is not None
    return places


@st.composite
def atomics(draw: st.DrawFn, name: str, places: st.SearchStrategy[p.Location]) -> p.Atomic:
    datatype = draw(st.sampled_from(sorted(SIZES)))
    element: st.SearchStrategy[object] = st.integers(-(1 << 63), 1 << 64) if is_integer(datatype) else FLOATS
    if datatype.endswith("COMPLEX"):
        element = st.tuples(FLOATS, FLOATS)
    place = draw(places)
    count = draw(st.just(place.size // SIZES[datatype]) | SMALL)
    elements = st.lists(element, max_size=3).map(tuple)
    return p.Atomic(
        name,
        draw(st.sampled_from(p.AtomicKind)),
        draw(st.sampled_from(OPS)),
        datatype,
        place,
        count,
        draw(elements),  # type: ignore[arg-type]
        draw(elements),  # type: ignore[arg-type]
        draw(st.sampled_from(p.Form)),
        draw(MARKS),
        draw(st.sampled_from(p.KeyFault)),
        draw(st.integers(0, 2)),
        draw(st.integers(0, 2)),
    )


@st.composite
def steps(draw: st.DrawFn, name: str, node: str, declared: tuple[p.Region, ...], earlier: list[str]) -> p.AnyStep:
    form, via, to = draw(st.sampled_from(p.Form)), draw(st.integers(0, 2)), draw(st.integers(0, 2))
    marks, iov = draw(MARKS), draw(IOV)
    anywhere, own = _locations(declared), _locations(declared, node)
    nodes = sorted({node} | {region.node for region in declared})
    end = p.EndpointRef(draw(st.sampled_from(nodes)), draw(st.integers(0, 2)))
    choices: list[st.SearchStrategy[p.AnyStep]] = [
        st.builds(p.Send, st.just(name), st.just(end), SMALL, VALUES, MAYBE, MAYBE).flatmap(
            lambda s: st.just(p.Send(s.name, s.to, s.size, s.value, s.tag, s.data, form, marks, iov, via))
        ),
        st.builds(p.Recv, st.just(name), SMALL, st.none() | st.just(end), MAYBE, st.integers(0, 1 << 32)).flatmap(
            lambda r: st.just(p.Recv(r.name, r.size, r.source, r.tag, r.ignore, form, marks, iov, via))
        ),
        st.builds(p.Barrier, st.just(name), st.integers(0, 3)),
        st.builds(
            p.Wait,
            st.just(name),
            st.lists(st.sampled_from(earlier), max_size=3).map(tuple) if earlier else st.just(()),
            st.sampled_from(p.WaitBy),
        ),
    ]
    if earlier:
        choices.append(st.sampled_from(earlier).map(lambda op: p.Reuse(name, op)))
        choices.append(st.sampled_from(earlier).map(lambda op: p.Cancel(name, op)))
    if anywhere is not None:
        several = anywhere.flatmap(
            lambda first: st.lists(_known(_locations(declared, first.node)), max_size=2).map(
                lambda rest: (first, *rest)
            )
        )
        fault = draw(st.sampled_from(p.KeyFault))
        data = draw(MAYBE)
        choices.append(atomics(name, anywhere))
        choices.append(several.map(lambda where: p.Read(name, where, form, marks, iov, fault, via, to)))
        choices.append(
            st.tuples(several, VALUES).map(
                lambda pair: p.Write(name, pair[0], pair[1], data, form, marks, iov, fault, via, to)
            )
        )
    if own is not None:
        choices.append(own.map(lambda place: p.Load(name, place)))
        choices.append(st.tuples(own, VALUES).map(lambda pair: p.Store(name, *pair)))
        choices.append(own.map(lambda place: p.CloseRegion(name, place.region)))
    return draw(st.one_of(choices))


@st.composite
def programs(draw: st.DrawFn) -> p.Program:
    """Any Program that the text form can say: references lead somewhere, nothing else is promised."""
    declared = draw(regions())
    columns = draw(st.lists(st.tuples(st.sampled_from(NODES), st.integers(0, 2)), unique=True, max_size=4))
    taken: set[str] = set()
    threads = []
    for node, index in columns:
        earlier: list[str] = []
        here: list[p.AnyStep] = []
        for ordinal in range(draw(st.integers(0, 5))):
            automatic = f"{node}.{ordinal + 1}" if index == 0 else f"{node}:{index}.{ordinal + 1}"
            name = draw(st.just(automatic) | NAMES.filter(lambda n: n not in taken))
            taken.add(name)
            here.append(draw(steps(name, node, declared, earlier)))
            earlier.append(name)
        threads.append(p.Thread(node, tuple(here), index))
    places = _locations(declared)
    named = [step.name for thread in threads for step in thread.steps]
    terms = st.lists(st.tuples(st.sampled_from(named), st.integers(-2, 9)), max_size=2) if named else st.just([])
    finals = st.lists(st.tuples(places, st.integers(-2, 9)), max_size=2) if places is not None else st.just([])
    conditions = st.builds(
        p.Condition,
        st.sampled_from(p.Outcome),
        terms.map(tuple),
        finals.map(tuple),
        st.lists(st.sampled_from(["OFI-ORD-001", "FPM-CMP-2"]), max_size=2).map(tuple),
    ).filter(lambda condition: bool(condition.observed or condition.final))
    return p.Program(
        draw(st.sampled_from(["MP", "a name with words", "MP+waw"])),
        tuple(threads),
        declared,
        tuple(draw(st.dictionaries(st.sampled_from(NODES), st.integers(1, 3))).items()),
        tuple(draw(st.dictionaries(st.sampled_from(["msg_order", "B.inject_size"]), st.just("saw+waw"))).items()),
        tuple(draw(st.lists(conditions, max_size=2))),
    )


def events() -> st.SearchStrategy[h.AnyEvent]:
    node, seq, at = st.sampled_from(NODES), SMALL, st.integers(0, 1 << 60)
    some, op = st.integers(0, 1 << 20), st.none() | NAMES
    blob, number = st.binary(max_size=12), st.none() | st.integers(0, (1 << 64) - 1)
    return st.one_of(
        st.builds(h.Posted, node, seq, at, NAMES, SMALL, SMALL, TEXT),
        st.builds(h.Completed, node, seq, at, op, TEXT, number, number, number, number, number, st.none() | ENDS),
        st.builds(h.Failed, node, seq, at, op, TEXT, some, some, some, some, some, some, some, some),
        st.builds(h.Observed, node, seq, at, NAMES, blob),
        st.builds(h.Did, node, seq, at, NAMES, some),
        st.builds(h.Waited, node, seq, at, NAMES, st.lists(NAMES, max_size=2).map(tuple), st.booleans()),
        st.builds(h.Passed, node, seq, at, NAMES, some),
        st.builds(h.Counted, node, seq, at, TEXT, some, some),
        st.builds(h.Content, node, seq, at, TEXT, blob, st.booleans(), st.booleans()),
        st.builds(h.Probed, node, seq, at, node, st.booleans(), some),
        st.builds(h.Died, node, seq, at, TEXT, TEXT, some, some, TEXT),
    )


def histories() -> st.SearchStrategy[h.History]:
    return st.builds(h.History, st.lists(events(), max_size=6).map(tuple), st.booleans(), TEXT)


def ends() -> st.SearchStrategy[End]:
    words = st.frozensets(st.sampled_from(["RMA", "MSG", "SAS", "RAW"]), max_size=2)
    atomics_valid = st.frozensets(
        st.tuples(st.just("base"), st.sampled_from(OPS), st.sampled_from(sorted(SIZES)), SMALL), max_size=2
    )
    return st.builds(
        End, caps=words, tx_order=words, rx_order=words, selective=st.booleans(), atomics=atomics_valid,
        max_order_waw_size=st.just((1 << 64) - 1) | SMALL, version=st.tuples(SMALL, SMALL),
        extra=st.lists(st.tuples(TEXT, TEXT), max_size=2).map(tuple),
    )  # fmt: skip


def guarantees() -> st.SearchStrategy[Guarantees]:
    return st.builds(
        Guarantees, ends(), st.dictionaries(st.sampled_from(NODES), ends()).map(lambda d: tuple(d.items()))
    )


def judgements() -> st.SearchStrategy[Judgement]:
    texts = st.lists(TEXT, max_size=2).map(tuple)
    places = st.lists(st.tuples(st.sampled_from(NODES), SMALL), max_size=2).map(tuple)
    return st.builds(
        Judgement, TEXT, st.sampled_from(Finding), st.none() | st.builds(Explanation, texts, TEXT, TEXT, places), SMALL
    )


def evidence() -> st.SearchStrategy[Evidence]:
    return st.builds(
        Evidence, programs(), guarantees(), histories(), st.lists(judgements(), max_size=2).map(tuple), TEXT,
        seed=st.none() | SMALL,
    )  # fmt: skip
