# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The matrix of configurations and the guarantees read from what is opened."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kfabric.api import EpType, Flag, Info, MrMode, Order
from ofi_conformance.configuration import Binding, Configuration, NothingToJudge, discover, matrix, survey
from ofi_conformance.guarantees import end_of, flags_of, names
from ofi_conformance.target import Target

from .conftest import BUNDLED

Choose = Callable[..., Configuration]
pytestmark = pytest.mark.usefixtures("clean")


@pytest.mark.parametrize("provider", BUNDLED)
def test_matrix(chosen: Choose, provider: str) -> None:
    default = chosen(f"{provider}/{BUNDLED[provider]}")
    assert default.end.provider == provider
    assert default.end.ep_type.lower() == default.target.ep_type == BUNDLED[provider]
    found = matrix(default.target)
    assert found[0] == default
    assert len({each.name for each in found}) == len(found) <= 7
    ends = [dataclasses.replace(each.end, extra=()) for each in found]
    assert all(ends.count(end) == 1 for end in ends), "configurations that promise the same"
    for each in found:
        assert each.end.selective == each.binding.selective == (each.name == "selective")
        assert bool(each.end.counters) == (each.name == "counted")
        if each.name == "delivery":
            assert each.end.tx_op_flags == {"DELIVERY_COMPLETE"}
        if each.name in ("manual", "auto"):
            assert each.end.data_progress.lower() == each.name != default.end.data_progress.lower()
        if each.name == "full":
            assert each.end.caps > default.end.caps - {"LOCAL_COMM", "REMOTE_COMM"}


def test_a_configuration_travels(chosen: Choose) -> None:
    for each in matrix(chosen("shm").target):
        assert Configuration.from_plain(each.to_plain()) == each
        assert Configuration.from_plain(json.loads(json.dumps(each.to_plain()))) == each


def test_atomics_are_asked_for_once_per_configuration(chosen: Choose) -> None:
    end = chosen("shm").end
    assert ("base", "SUM", "UINT64", 512) in end.atomics or any(
        entry[:3] == ("base", "SUM", "UINT64") for entry in end.atomics
    )
    assert all(count > 0 for *_, count in end.atomics)
    assert not chosen("tcp/msg").end.atomics


def test_exact_names(chosen: Choose) -> None:
    """Asked for tcp, it is tcp, not tcp;ofi_rxm, which libfabric also offers then."""
    assert chosen("tcp").end.ep_type == "MSG"
    assert {each.target.ep_type for each in matrix(Target.parse("libfabric:tcp"))} == {"msg"}


def test_hints_of_the_target_hold_in_every_configuration(chosen: Choose) -> None:
    chosen("shm")
    found = matrix(Target.parse("libfabric:shm?msg_order=sas&threading=domain"))
    assert all(each.end.tx_order == {"SAS"} and each.end.threading == "DOMAIN" for each in found)
    assert found[0].spelling == "libfabric:shm/rdm?msg_order=sas&threading=domain"


def test_survey(chosen: Choose) -> None:
    chosen("tcp")
    offers = {(offer.provider, offer.ep_type): offer for offer in survey()}
    assert offers["tcp", "msg"].end.caps >= {"MSG", "RMA"}
    assert "prov_name: tcp" in offers["tcp", "msg"].attributes
    assert offers["tcp;ofi_rxm", "rdm"].end.provider == "tcp;ofi_rxm"


@pytest.mark.parametrize(
    ("spelling", "part"),
    [
        ("kfabric:sockets", "backend 'kfabric' is not part of this version"),
        ("libfabric:nonesuch", "has no provider 'nonesuch' here; it has"),
        ("libfabric:tcp/dgram", "libfabric:tcp/dgram offers nothing at 127.0.0.1 that meets the hints"),
        ("libfabric:/no/such/libfoo-fi.so", "/no/such/libfoo-fi.so cannot be loaded"),
    ],
)
def test_what_cannot_be_judged_is_told_in_one_sentence(chosen: Choose, spelling: str, part: str) -> None:
    chosen("tcp")
    with pytest.raises(NothingToJudge, match=r"^[^\n]*$") as refused:
        matrix(Target.parse(spelling))
    assert part in str(refused.value)


PROVIDER = """
#include <stddef.h>
#include <stdint.h>
struct context { void *internal[4]; };
struct provider {
    uint32_t version, fi_version;
    struct context context;
    const char *name;
    int (*getinfo)(uint32_t, const char *, const char *, uint64_t, const void *, void **);
    int (*fabric)(void *, void **, void *);
    void (*cleanup)(void);
};
static int getinfo(uint32_t v, const char *n, const char *s, uint64_t f, const void *h, void **info)
{
    %s
    return -61;
}
static int fabric(void *attr, void **out, void *context) { return -38; }
static void cleanup(void) {}
static struct provider it = { 0x10001, %s, { { 0 } }, "vendor", getinfo, fabric, cleanup };
struct provider *fi_prov_ini(void) { return &it; }
"""


def _provider(folder: Path, body: str, version: str = "0x10011") -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("no C compiler; install gcc")
    source, library = folder / "vendor.c", folder / "libvendor-fi.so"
    source.write_text(PROVIDER % (body, version))
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def test_an_external_provider_is_found_by_its_own_name(chosen: Choose, tmp_path: Path) -> None:
    chosen("tcp")
    library = _provider(tmp_path, "")
    with pytest.raises(NothingToJudge, match=r"registers .vendor., which offers nothing at 127\.0\.0\.1"):
        matrix(Target.parse(f"libfabric:{library}"))
    assert discover(Target.parse(f"libfabric:{library}/rdm")).provider == "vendor"


def test_an_external_provider_that_libfabric_does_not_take(chosen: Choose, tmp_path: Path) -> None:
    chosen("tcp")
    library = _provider(tmp_path, "__builtin_trap();", version="0x10001")
    with pytest.raises(NothingToJudge, match=r"registers .vendor., but libfabric .* did not take it"):
        matrix(Target.parse(f"libfabric:{library}"))


def test_a_provider_that_aborts_when_asked(chosen: Choose, tmp_path: Path) -> None:
    chosen("tcp")
    library = _provider(tmp_path, "__builtin_trap();")
    with pytest.raises(NothingToJudge, match=r"did not survive the question .* inside Provider\.getinfo"):
        matrix(Target.parse(f"libfabric:{library}"))


def test_a_shared_object_that_is_no_provider(tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("no C compiler; install gcc")
    library = tmp_path / "libempty-fi.so"
    subprocess.run(["gcc", "-shared", "-o", library, "-xc", "/dev/null"], check=True)
    with pytest.raises(NothingToJudge, match="is no libfabric provider: it has no fi_prov_ini"):
        matrix(Target.parse(f"libfabric:{library}"))


def test_bits_become_names() -> None:
    assert names(Flag.MSG | Flag.SEND) == {"MSG", "SEND"}
    assert names(Order.SAS | Order.RMA_WAW) == {"SAS", "RMA_WAW"}
    assert names(MrMode.NONE) == frozenset()
    unknown = Flag(1 << 62)
    assert names(unknown) == {"bit62"}
    assert flags_of(Flag, names(unknown | Flag.RMA)) == unknown | Flag.RMA


def test_an_end_says_how_it_was_bound() -> None:
    info = Info(caps=Flag.MSG)
    info.ep_attr.type = EpType.RDM
    end = end_of(info, Binding(selective=True, counters=("send",), cq_format="CONTEXT"), levels=("DELIVERY",))
    assert (end.selective, end.counters, end.cq_format, end.levels) == (True, {"send"}, "CONTEXT", {"DELIVERY"})
    assert end.ep_type == "RDM"
    assert end.caps == {"MSG"}
