# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a set of C headers says about a binary interface, and how two of them differ.

Decides what counts as a fact (sizes, offsets, field types down to the arguments of function pointers, values of
constants), where facts come from (pycparser names them, the C compiler measures them, so nothing is listed by
hand), and which differences between two releases are compatible. Must not know any libfabric name.

Compatibility, as ``ofi_abi.h`` states it. A release may lack a name that our header marks ``since`` a later one, and
does what it likes with a name marked ``until`` an earlier one. Otherwise each name is there, means the same, and each
field sits at the same place with the same type. A field that only one side has must lie behind the last field that
both have, or share the storage of such a field (a union given a second name). Only a release newer than our header
may have fields we do not declare.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pycparser import c_ast, c_parser

Release = tuple[int, int]

# Types that the headers use and do not define: enough for the parser, the compiler knows the rest.
_FOREIGN = (
    "typedef int size_t, ssize_t, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t;"
    "typedef int pthread_mutex_t, pthread_cond_t;"
)
_MARKER = re.compile(r'#\s*(?:line\s+)?(\d+)\s+"([^"]*)".*')
_MACRO = re.compile(r"#\s*define\s+(\w+)\s+(\S.*)")
_MARK = re.compile(r"\b(since|until) (\d+)\.(\d+) \*/\s*$")


class NoCompiler(RuntimeError):
    """There is no C compiler to measure with."""


@dataclass(frozen=True)
class Member:
    """One field: where it is, how long, and its type with all names of the headers' own typedefs resolved."""

    offset: int
    size: int
    type: str

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + self.size


@dataclass(frozen=True)
class Facts:
    """All facts of one set of headers."""

    sizes: Mapping[str, int]
    members: Mapping[str, Mapping[str, Member]]
    constants: Mapping[str, int]


@dataclass(frozen=True)
class Marks:
    """For each name, the releases between which it holds. A field's name is ``struct.field``."""

    since: Mapping[str, Release]
    until: Mapping[str, Release]

    def has(self, name: str, release: Release) -> bool:
        """Whether the header says that a release has this name with this meaning."""
        return self.since.get(name, release) <= release <= self.until.get(name, release)


@dataclass
class _Names:
    """Names found by parsing, with the line each stands on."""

    fields: dict[str, dict[str, str]] = field(default_factory=dict)
    constants: list[str] = field(default_factory=list)
    lines: list[tuple[int, str]] = field(default_factory=list)


def compiler() -> str:
    """The C compiler to measure with."""
    found = shutil.which(os.environ.get("CC") or "cc")
    if found is None:
        raise NoCompiler("no C compiler: set CC, or on Debian: apt install gcc")
    return found


def facts(
    prelude: str, include_dirs: list[Path], own: Path, workdir: Path, constants: Collection[str] | None = None
) -> Facts:
    """Measure what files under ``own`` declare when ``prelude`` (C include lines) is compiled.

    Foreign headers also have macros that are no constants, so the constants to measure there are named.
    """
    names = _names(prelude, include_dirs, own, workdir)
    if constants is not None:
        names.constants = [name for name in names.constants if name in constants]
    return _measure(prelude, include_dirs, names, workdir)


def marks(header: Path, include_dirs: list[Path], workdir: Path) -> Marks:
    """Read the ``since`` and ``until`` marks of one header: each belongs to the last name before it."""
    names = _names(f'#include "{header}"\n', include_dirs, header, workdir)
    found: dict[str, dict[str, Release]] = {"since": {}, "until": {}}
    for number, line in enumerate(header.read_text(encoding="ascii").splitlines(), start=1):
        match = _MARK.search(line)
        if match is None:
            continue
        _, name = max((entry for entry in names.lines if entry[0] <= number), key=lambda entry: entry[0])
        if name in found[match[1]]:
            raise ValueError(f"{header}:{number}: {name} is marked twice")
        found[match[1]][name] = (int(match[2]), int(match[3]))
    return Marks(found["since"], found["until"])


def differences(ours: Facts, theirs: Facts, marked: Marks, release: Release, newest: Release) -> list[str]:
    """Each way in which our declarations are wrong for the release that ``theirs`` was measured from."""
    return [
        *_constant_differences(ours, theirs, marked, release),
        *(line for name in ours.sizes for line in _struct_differences(name, ours, theirs, marked, release, newest)),
    ]


def _constant_differences(ours: Facts, theirs: Facts, marked: Marks, release: Release) -> Iterator[str]:
    for name, value in ours.constants.items():
        if name not in theirs.constants:
            if marked.has(name, release):
                yield f"{name}: not in the headers"
        elif not marked.has(name, release):
            if marked.since.get(name, release) > release:
                yield f"{name}: marked since {marked.since[name]}, but already there"
            elif theirs.constants[name] == value:
                yield f"{name}: marked until {marked.until[name]}, but still there"
        elif theirs.constants[name] != value:
            yield f"{name}: {value:#x}, the headers have {theirs.constants[name]:#x}"


def _struct_differences(
    name: str, ours: Facts, theirs: Facts, marked: Marks, release: Release, newest: Release
) -> Iterator[str]:
    if name not in theirs.sizes:
        if marked.has(name, release):
            yield f"{name}: not in the headers"
        return
    if not marked.has(name, release):
        yield f"{name}: marked since {marked.since.get(name)}, but already there"
        return
    mine, other = ours.members[name], theirs.members[name]
    common = [key for key in mine if key in other]
    for key in common:
        if not marked.has(f"{name}.{key}", release):
            yield f"{name}.{key}: marked since {marked.since.get(f'{name}.{key}')}, but already there"
        if _placed(mine[key], ours) != _placed(other[key], theirs):
            yield f"{name}.{key}: {mine[key]}, the headers have {other[key]}"
    shared = {mine[key].offset for key in common}
    end = max((mine[key].end for key in common), default=0)
    for key in mine.keys() - other.keys():
        if marked.has(f"{name}.{key}", release):
            yield f"{name}.{key}: not in the headers"
        elif mine[key].offset < end and mine[key].offset not in shared:
            yield f"{name}.{key}: in the middle of what the headers have"
    for key in other.keys() - mine.keys():
        if release <= newest:
            yield f"{name}.{key}: not declared by us"
        elif other[key].offset < end and other[key].offset not in shared:
            yield f"{name}.{key}: in the middle of what we declare"
    if mine == other and ours.sizes[name] != theirs.sizes[name]:
        yield f"{name}: {ours.sizes[name]} bytes, the headers have {theirs.sizes[name]}"


def _placed(member: Member, facts: Facts) -> Member:
    """Leave the size out where the field is a struct of its own: that one may have grown, and is compared itself."""
    struct = member.type.removeprefix("struct ")
    return Member(member.offset, 0, member.type) if struct in facts.sizes else member


# ---- parsing: what is there


def _names(prelude: str, include_dirs: list[Path], own: Path, workdir: Path) -> _Names:
    source = workdir / "names.c"
    source.write_text(prelude, encoding="ascii")
    output = _run(
        [
            compiler(),
            "-E",
            "-dD",
            "-D__attribute__(x)=",
            "-D__extension__=",
            "-D__builtin_offsetof=offsetof",
            *_include(include_dirs),
            source,
        ]
    )
    names = _Names()
    text = [_FOREIGN]
    inside = False
    line_number = 0
    for line in output.splitlines():
        marker = _MARKER.match(line)
        if marker is not None:
            inside = Path(marker[2]).is_relative_to(own) if Path(marker[2]).is_absolute() else False
            line_number = int(marker[1])
            if inside:
                text.append(f'# {marker[1]} "{marker[2]}"')
            continue
        if inside and line.startswith("#"):
            macro = _MACRO.fullmatch(line)
            if macro is not None:
                names.constants.append(macro[1])
                names.lines.append((line_number, macro[1]))
        if inside:
            text.append("" if line.startswith("#") else line)
        line_number += 1
    tree = c_parser.CParser().parse("\n".join(text))
    _Walk(names).walk(tree)
    return names


class _Walk:
    """Collects structs and enumerators of a parsed translation unit."""

    def __init__(self, names: _Names) -> None:
        self.names = names
        self.typedefs: dict[str, str] = {}

    def walk(self, tree: Any) -> None:
        for node in tree.ext:
            if isinstance(node, c_ast.FuncDef):
                continue
            if isinstance(node, c_ast.Typedef) and node.coord.line and node.coord.file:
                self.typedefs[node.name] = self.type(node.type)
            inner = node.type
            while not isinstance(inner, c_ast.Struct | c_ast.Union | c_ast.Enum) and hasattr(inner, "type"):
                inner = inner.type
            if isinstance(inner, c_ast.Enum):
                self._enum(inner)
            elif isinstance(inner, c_ast.Struct) and inner.name and inner.decls:
                self._struct(inner)

    def _enum(self, node: Any) -> None:
        for item in node.values.enumerators if node.values else []:
            self.names.constants.append(item.name)
            self.names.lines.append((item.coord.line, item.name))

    def _struct(self, node: Any) -> None:
        self.names.lines.append((node.coord.line, node.name))
        fields = self.names.fields.setdefault(node.name, {})
        for path, decl in self._fields(node, ""):
            fields[path] = self.type(decl.type)
            self.names.lines.append((decl.coord.line, f"{node.name}.{path}"))

    def _fields(self, node: Any, prefix: str) -> Iterator[tuple[str, Any]]:
        for decl in node.decls:
            aggregate = decl.type.type if isinstance(decl.type, c_ast.TypeDecl) else decl.type
            nested = isinstance(aggregate, c_ast.Struct | c_ast.Union) and aggregate.name is None
            if nested and decl.name is None:
                yield from self._fields(aggregate, prefix)
            elif nested:
                yield from self._fields(aggregate, f"{prefix}{decl.name}.")
            else:
                yield prefix + decl.name, decl

    def type(self, node: Any) -> str:
        """One spelling for one type, whatever the parameters and typedefs are called."""
        quals = "".join(f"{qual} " for qual in getattr(node, "quals", None) or [])
        if isinstance(node, c_ast.IdentifierType):
            name = " ".join(node.names)
            return self.typedefs.get(name, name)
        if isinstance(node, c_ast.TypeDecl | c_ast.Typename):
            return quals + self.type(node.type)
        if isinstance(node, c_ast.PtrDecl):
            return f"{self.type(node.type)} *{quals}".rstrip()
        if isinstance(node, c_ast.ArrayDecl):
            return f"{self.type(node.type)} [{getattr(node.dim, 'value', '')}]"
        if isinstance(node, c_ast.FuncDecl):
            params = ", ".join(self.type(item.type) for item in (node.args.params if node.args else []))
            return f"{self.type(node.type)} ({params})"
        if isinstance(node, c_ast.Struct | c_ast.Union | c_ast.Enum):
            return f"{type(node).__name__.lower()} {node.name}"
        raise TypeError(f"no spelling for {type(node).__name__}")


# ---- compiling: how big, where, what value


def _measure(prelude: str, include_dirs: list[Path], names: _Names, workdir: Path) -> Facts:
    lines = [prelude, "#include <stddef.h>", "#include <stdio.h>", "int main(void) {"]
    for struct, fields in names.fields.items():
        lines.append(f'printf("S {struct} %zu\\n", sizeof(struct {struct}));')
        for path, spelling in fields.items():
            size = "(size_t)0" if spelling.endswith("[]") else f"sizeof(((struct {struct} *)0)->{path})"
            lines.append(f'printf("F {struct} {path} %zu %zu\\n", offsetof(struct {struct}, {path}), {size});')
    lines.extend(f'printf("C {name} %lld\\n", (long long)({name}));' for name in names.constants)
    lines.append("return 0; }")
    source, program = workdir / "measure.c", workdir / "measure"
    source.write_text("\n".join(lines), encoding="ascii")
    _run([compiler(), "-w", *_include(include_dirs), "-o", program, source])
    sizes: dict[str, int] = {}
    members: dict[str, dict[str, Member]] = {}
    constants: dict[str, int] = {}
    for line in _run([program]).splitlines():
        kind, name, *rest = line.split()
        if kind == "S":
            sizes[name], members[name] = int(rest[0]), {}
        elif kind == "F":
            members[name][rest[0]] = Member(int(rest[1]), int(rest[2]), names.fields[name][rest[0]])
        else:
            constants[name] = int(rest[0])
    return Facts(sizes, members, constants)


def _include(directories: list[Path]) -> list[str]:
    return [f"-I{directory}" for directory in directories]


def _run(command: list[Any]) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed:\n{done.stderr}")
    return done.stdout
