# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Loading libfabric: which file, which symbol versions, what is said when it cannot be.

The real library is used where its behaviour counts. Releases that no machine has side by side are told apart by
their symbol tables alone, so for that choice, and for nothing else, the test builds libraries with such tables.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from kfabric._native import ffi, lib
from kfabric.api.errors import BackendUnavailable
from kfabric.backends._loader import ENVIRONMENT, Library, has_call, has_field, load, roomy
from tests.native import abi_facts
from tests.native.test_abi import THEIRS, VERSION

INFO_CALLS = ("fi_getinfo", "fi_freeinfo", "fi_dupinfo")
OTHER_CALLS = {
    "fi_version": 0,
    "fi_fabric": 1,
    "fi_open": 5,
    "fi_strerror": 0,
    "fi_tostr_r": 4,
    "fi_getparams": 0,
    "fi_freeparams": 0,
}


def table_only(cc: str, workdir: Path, version: tuple[int, int], info_abis: list[int], *, without: str = "") -> Path:
    """Build a library with the symbol table of a release: ``fi_version`` answers, nothing else may be called."""
    code: list[str] = []
    script: dict[int, list[str]] = {number: [] for number in range(max(12, *info_abis))}
    for name, number in OTHER_CALLS.items():
        if name != without:
            script[number].append(name)
            value = version[0] << 16 | version[1] if name == "fi_version" else 0
            code.append(f"unsigned {name}(void) {{ return {value}; }}")
    for name in INFO_CALLS:
        for number in info_abis:
            mark = "@@" if number == max(info_abis) else "@"
            code.append(f'__asm__(".symver {name}_{number}, {name}{mark}FABRIC_1.{number}");')
            code.append(f"int {name}_{number}(void) {{ return {number}; }}")
            script[number].append(name)
    source, versions, library = workdir / "table.c", workdir / "table.map", workdir / "libtable.so"
    source.write_text("\n".join(code), encoding="ascii")
    lines, before = [], ""
    for number, names in script.items():
        body = f"global: {'; '.join(names)};" if names else ""
        lines.append(f"FABRIC_1.{number} {{ {body} {'local: *;' if not before else ''} }} {before};")
        before = f"FABRIC_1.{number}"
    versions.write_text("\n".join(lines), encoding="ascii")
    command = [cc, "-shared", "-fPIC", f"-Wl,--version-script={versions}", "-o", str(library), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return library


@pytest.mark.parametrize(
    ("version", "info_abis", "expected_abi", "last_field"),
    [
        ((1, 17), [0, 1, 2, 3], 3, "tclass"),
        ((1, 20), [0, 1, 2, 3, 7], 7, "max_ep_auth_key"),
        ((2, 1), [0, 1, 2, 3, 7, 8], 8, "max_group_id"),
        ((2, 6), [0, 1, 2, 3, 7, 8, 9], 9, "max_err_cntr_value"),
        ((2, 99), [0, 1, 2, 3, 7, 8, 9, 11], 9, "max_err_cntr_value"),
    ],
    ids=str,
)
def test_the_newest_layout_that_both_sides_know_is_taken(
    version: tuple[int, int], info_abis: list[int], expected_abi: int, last_field: str, cc: str, tmp_path: Path
) -> None:
    library = load(table_only(cc, tmp_path, version, info_abis))
    assert library.version == version
    assert library.calls.abi == expected_abi
    calls = library.calls
    for call in (calls.getinfo, calls.freeinfo, calls.dupinfo):
        assert ffi.cast("int (*)(void)", call)() == expected_abi
    assert library.api_version == min(version[0] << 16 | version[1], lib.KF_OFI_NEWEST)
    fields = [name for name, _ in ffi.typeof("struct fi_domain_attr").fields]
    assert [name for name in fields if library.has_domain_attr(name)] == fields[: fields.index(last_field) + 1]


@pytest.mark.parametrize(
    ("version", "info_abis", "without", "complaint"),
    [
        ((1, 16), [3], "", "is libfabric 1.16, the oldest release known to work is 1.17"),
        ((1, 17), [2], "", "fi_getinfo in no version between FABRIC_1.3 and FABRIC_1.9"),
        ((1, 17), [3], "fi_open", "has no symbol fi_open@FABRIC_1.5"),
    ],
    ids=["too old", "unknown layouts", "a call missing"],
)
def test_a_library_that_cannot_serve_is_refused_by_name(
    version: tuple[int, int], info_abis: list[int], without: str, complaint: str, cc: str, tmp_path: Path
) -> None:
    path = table_only(cc, tmp_path, version, info_abis, without=without)
    with pytest.raises(BackendUnavailable, match=complaint) as raised:
        load(path)
    assert str(path) in str(raised.value)
    assert "apt install libfabric1" in str(raised.value)


def test_a_missing_file_is_named_with_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match=r"cannot load libfabric.*apt install libfabric1") as raised:
        load(tmp_path / "libfabric.so.1")
    assert str(tmp_path) in str(raised.value)


def test_the_environment_says_which_file_and_the_caller_overrules_it(
    cc: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table_only(cc, tmp_path, (2, 1), [8])
    monkeypatch.setenv(ENVIRONMENT, str(path))
    assert load().path == str(path)
    with pytest.raises(BackendUnavailable):
        load(tmp_path / "other.so")


def test_a_real_library_discovers_prints_and_frees(libfabric: str) -> None:
    library = load()
    assert library.path == libfabric
    calls = library.calls
    infos = ffi.new("struct fi_info **")
    assert calls.getinfo(library.api_version, ffi.NULL, ffi.NULL, 0, ffi.NULL, infos) in (0, -lib.FI_ENODATA)
    text = ffi.new("char[]", 1 << 16)
    info, seen = infos[0], 0
    while info:
        assert calls.tostr_r(text, len(text), info, lib.FI_TYPE_INFO)
        assert ffi.string(info.fabric_attr.prov_name) in ffi.string(text)
        assert info.fabric_attr.api_version <= library.api_version
        info, seen = info.next, seen + 1
    assert seen, "libfabric has no provider at all here"
    calls.freeinfo(infos[0])
    assert ffi.string(calls.strerror(lib.FI_ETRUNC))


def test_domain_attributes_end_where_the_release_ends_them(
    libfabric: str, libfabric_headers: Path, tmp_path: Path
) -> None:
    library = load()
    theirs = abi_facts.facts(THEIRS, [libfabric_headers], libfabric_headers / "rdma", tmp_path, VERSION)
    if library.version != tuple(theirs.constants[name] for name in VERSION):
        pytest.skip("these headers are of another release than the library")
    assert library.domain_attr_size == theirs.sizes["fi_domain_attr"]


def test_calls_of_a_table_are_looked_for_within_its_size(libfabric: str) -> None:
    fabric = _open_some_fabric(load())
    assert has_call(fabric.ops, "domain")
    assert fabric.fid.ops.close(ffi.addressof(fabric[0], "fid")) == 0
    table = ffi.new("struct fi_ops_av *")
    table.insert_auth_key = ffi.cast("void *", 1)
    table.size = ffi.offsetof("struct fi_ops_av", "insert_auth_key")
    assert not has_call(table, "insert_auth_key")
    table.size = ffi.sizeof("struct fi_ops_av")
    assert has_call(table, "insert_auth_key")
    assert not has_call(table, "insert")
    assert not has_call(ffi.cast("struct fi_ops_av *", ffi.NULL), "insert")
    assert not has_field("struct fi_domain_attr", "progress", ffi.offsetof("struct fi_domain_attr", "progress"))


def _open_some_fabric(library: Library) -> Any:
    infos, fabric = ffi.new("struct fi_info **"), ffi.new("struct fid_fabric **")
    assert library.calls.getinfo(library.api_version, ffi.NULL, ffi.NULL, 0, ffi.NULL, infos) == 0
    try:
        assert library.calls.fabric(infos[0].fabric_attr, fabric, ffi.NULL) == 0
    finally:
        library.calls.freeinfo(infos[0])
    return fabric[0]


def test_roomy_memory_is_zero_and_larger_than_the_struct() -> None:
    entry = roomy("struct fi_cq_err_entry")
    size = ffi.sizeof("struct fi_cq_err_entry")
    assert bytes(ffi.buffer(entry, size + 64)) == bytes(size + 64)
    entry.src_addr = lib.FI_ADDR_NOTAVAIL
    assert entry.src_addr == 2**64 - 1
