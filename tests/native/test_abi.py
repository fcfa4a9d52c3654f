# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""``ofi_abi.h`` against libfabric's own headers: every name it declares, and the test itself against planted lies."""

from __future__ import annotations

import dataclasses
import functools
import re
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.native import abi_facts
from tests.native.abi_facts import Facts, Marks, Member
from tests.native.conftest import NATIVE

INCLUDE = NATIVE / "include"
OURS = INCLUDE / "kfabric" / "ofi_abi.h"
THEIRS = "#include <rdma/fi_trigger.h>\n#include <rdma/fi_cm.h>\n#include <rdma/providers/fi_prov.h>\n"
VERSION = ("FI_MAJOR_VERSION", "FI_MINOR_VERSION")


def newest() -> abi_facts.Release:
    """The release whose layouts we declare."""
    text = (INCLUDE / "kfabric" / "fi_loader.h").read_text(encoding="ascii")
    match = re.search(r"KF_OFI_NEWEST FI_VERSION\((\d+), (\d+)\)", text)
    assert match is not None
    return int(match[1]), int(match[2])


@dataclasses.dataclass(frozen=True)
class Sides:
    """What both sides declare, and for which release."""

    ours: Facts
    theirs: Facts
    marks: Marks
    release: abi_facts.Release

    def differences(self, ours: Facts | None = None) -> list[str]:
        return abi_facts.differences(ours or self.ours, self.theirs, self.marks, self.release, newest())


def compare(header: Path, include_dirs: list[Path], libfabric_headers: Path, workdir: Path) -> Sides:
    ours = abi_facts.facts(f'#include "{header}"\n', include_dirs, header, workdir)
    theirs = libfabric_facts(libfabric_headers, frozenset(ours.constants))
    major, minor = (theirs.constants[name] for name in VERSION)
    return Sides(ours, theirs, abi_facts.marks(header, include_dirs, workdir), (major, minor))


@functools.cache
def libfabric_facts(headers: Path, constants: frozenset[str]) -> Facts:
    with tempfile.TemporaryDirectory() as workdir:
        return abi_facts.facts(THEIRS, [headers], headers / "rdma", Path(workdir), constants.union(VERSION))


@pytest.fixture
def sides(cc: str, libfabric_headers: Path, tmp_path: Path) -> Sides:
    return compare(OURS, [INCLUDE], libfabric_headers, tmp_path)


def test_every_name_agrees_with_libfabrics_headers(sides: Sides) -> None:
    assert sides.differences() == []


def test_the_comparison_reaches_every_declared_name(sides: Sides) -> None:
    """Change one fact after the other: each change must show, so nothing is passed over."""
    silent = [name for name, ours in _one_lie_each(sides) if not sides.differences(ours)]
    assert silent == []


def _one_lie_each(sides: Sides) -> list[tuple[str, Facts]]:
    """Our facts with one of them made wrong, for each that the release is said to have."""
    ours, lies = sides.ours, []
    for name, value in ours.constants.items():
        if sides.marks.has(name, sides.release):
            lies.append((name, dataclasses.replace(ours, constants={**ours.constants, name: value + 1})))
    for struct, members in ours.members.items():
        for path, member in members.items():
            if not (sides.marks.has(struct, sides.release) and sides.marks.has(f"{struct}.{path}", sides.release)):
                continue
            for wrong in (
                Member(member.offset + 4, member.size, member.type),
                Member(member.offset, member.size, member.type + " *"),
            ):
                changed = {**ours.members, struct: {**members, path: wrong}}
                lies.append((f"{struct}.{path}", dataclasses.replace(ours, members=changed)))
    return lies


@dataclasses.dataclass(frozen=True)
class Lie:
    """A line of the header made wrong, and the name that must be complained about."""

    old: str
    new: str
    about: str


LIES = {
    "a flag's value": Lie("#define FI_FENCE (1ULL << 21)", "#define FI_FENCE (1ULL << 22)", "FI_FENCE"),
    "two enumerators swapped": Lie(
        "\tFI_PROGRESS_AUTO,\n\tFI_PROGRESS_MANUAL,", "\tFI_PROGRESS_MANUAL,\n\tFI_PROGRESS_AUTO,", "FI_PROGRESS_AUTO"
    ),
    "an enumerator left out": Lie("\tFI_CLASS_TX_CTX,\n", "", "FI_CLASS_STX_CTX"),
    "a struct's fields swapped": Lie(
        "\tuint64_t data;\n\tint err;\n\tint prov_errno;\n",
        "\tuint64_t data;\n\tint prov_errno;\n\tint err;\n",
        "fi_eq_err_entry.err",
    ),
    "a field left out at the end": Lie(
        "\tuint64_t data;\n\tuint64_t tag;\n};", "\tuint64_t data;\n};", "fi_cq_tagged_entry.tag"
    ),
    "a field too many": Lie("struct fi_cntr_attr {\n", "struct fi_cntr_attr {\n\tsize_t size;\n", "fi_cntr_attr.size"),
    "a field's signedness": Lie("\tuint32_t addr_format;", "\tint32_t addr_format;", "fi_info.addr_format"),
    "a call's arguments swapped": Lie(
        "int (*insertsvc)(struct fid_av *av, const char *node,\n\t\t\t const char *service, fi_addr_t *fi_addr,",
        "int (*insertsvc)(struct fid_av *av, const char *node,\n\t\t\t fi_addr_t *fi_addr, const char *service,",
        "fi_ops_av.insertsvc",
    ),
    "a call's const lost": Lie(
        "int (*tostr)(const struct fid *fid, char *buf, size_t len);",
        "int (*tostr)(struct fid *fid, char *buf, size_t len);",
        "fi_ops.tostr",
    ),
    "a call left out": Lie("\tint (*listen)(struct fid_pep *pep);\n", "", "fi_ops_cm.accept"),
    "a mark later than the name": Lie(
        "#define FI_MSG (1ULL << 1)", "#define FI_MSG (1ULL << 1) /* since 9.0 */", "FI_MSG"
    ),
    "a mark that ends too early": Lie(
        "#define FI_MSG (1ULL << 1)", "#define FI_MSG (1ULL << 1) /* until 1.0 */", "FI_MSG"
    ),
    "a constant that never was": Lie(
        "#define FI_MSG (1ULL << 1)", "#define FI_MSG (1ULL << 1)\n#define FI_X 1", "FI_X"
    ),
    "a struct that never was": Lie("struct fi_ioc {", "struct fi_x {\n\tint x;\n};\n\nstruct fi_ioc {", "fi_x"),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_planted_lie_is_found(lie: Lie, cc: str, libfabric_headers: Path, tmp_path: Path) -> None:
    text = OURS.read_text(encoding="ascii")
    assert text.count(lie.old) == 1, "the line to make wrong is not there once"
    header = tmp_path / OURS.name
    header.write_text(text.replace(lie.old, lie.new), encoding="ascii")
    found = compare(header, [tmp_path], libfabric_headers, tmp_path).differences()
    assert any(line.startswith(f"{lie.about}:") for line in found), found


@pytest.mark.parametrize("name", sorted(path.name for path in (INCLUDE / "kfabric").glob("*.h")))
def test_each_header_stands_alone_as_pedantic_c11(name: str, cc: str, tmp_path: Path) -> None:
    source = tmp_path / "alone.c"
    source.write_text(f'#include "kfabric/{name}"\n#include "kfabric/{name}"\nint alone;\n', encoding="ascii")
    flags = ["-std=c11", "-pedantic", "-Wall", "-Wextra", "-Wstrict-prototypes", "-Werror"]
    command = [cc, *flags, f"-I{INCLUDE}", "-c", "-o", str(tmp_path / "alone.o"), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
