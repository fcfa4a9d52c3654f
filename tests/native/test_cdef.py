# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The cdef step: each of its rules, and that nothing of our headers is lost on the way to Python."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cdef import cdef

from kfabric._native import ffi, lib
from tests.native import abi_facts
from tests.native.conftest import NATIVE


def test_comments_go_even_over_several_lines() -> None:
    assert cdef("int a; /* one\n two */\nint b;\n") == "int a;\nint b;\n"


def test_an_object_like_macro_becomes_a_constant() -> None:
    assert cdef("#define FI_X (1ULL << 3) /* why */\n") == "#define FI_X ...\n"
    assert cdef("#  define FI_X \\\n\t7\n") == "#define FI_X ...\n"


@pytest.mark.parametrize("macro", ["#define GUARD_H", "#define F(x) (x)", "#include <stdint.h>", "#pragma once"])
def test_every_other_directive_goes(macro: str) -> None:
    assert cdef(f"{macro}\nint a;\n") == "int a;\n"


def test_the_include_guard_is_transparent_and_any_other_conditional_is_not() -> None:
    text = '#ifndef G\n#define G\nint a;\n#ifdef __cplusplus\nextern "C" {\n#endif\nint b;\n#endif\n'
    assert cdef(text) == "int a;\nint b;\n"


def test_an_open_conditional_is_refused() -> None:
    with pytest.raises(ValueError, match="not closed"):
        cdef("#ifndef G\nint a;\n")


def test_python_has_every_name_with_the_layout_c_has(cc: str, tmp_path: Path) -> None:
    include = NATIVE / "include"
    for header in sorted((include / "kfabric").glob("*.h")):
        facts = abi_facts.facts(f'#include "{header}"\n', [include], header, tmp_path)
        for name, value in facts.constants.items():
            assert (getattr(lib, name) - value) % 2**64 == 0, name
        for struct, size in facts.sizes.items():
            assert ffi.sizeof(f"struct {struct}") == size, struct
            for path, member in facts.members[struct].items():
                assert ffi.offsetof(f"struct {struct}", *path.split(".")) == member.offset, f"{struct}.{path}"
        declared = set(re.findall(r"^\w[\w *]*?\b(kf_\w+)\(", header.read_text(encoding="ascii"), re.MULTILINE))
        assert declared <= set(dir(lib)), header
