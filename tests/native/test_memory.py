# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Native loads and stores as Python reaches them; driver_memory.c has the whole matrix."""

from __future__ import annotations

import errno
import sys

import pytest

from kfabric._native import ffi, lib


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_a_value_goes_in_and_comes_out_in_native_order(size: int) -> None:
    memory = ffi.new("uint64_t[2]")
    value = ffi.new("uint64_t *")
    pattern = 0x8182838485868788 & (2 ** (8 * size) - 1)
    assert lib.kf_mem_store(memory, size, lib.KF_MEM_ORDERED, 0x8182838485868788) == 0
    assert bytes(ffi.buffer(memory))[:size] == pattern.to_bytes(size, sys.byteorder)
    assert not any(bytes(ffi.buffer(memory))[size:])
    assert lib.kf_mem_load(memory, size, lib.KF_MEM_ORDERED, value) == 0
    assert value[0] == pattern


def test_what_no_machine_does_in_one_access_is_refused() -> None:
    memory = ffi.new("uint64_t[2]")
    value = ffi.new("uint64_t *")
    odd = ffi.cast("char *", memory) + 1
    assert lib.kf_mem_load(odd, 8, lib.KF_MEM_RELAXED, value) == -errno.EINVAL
    assert lib.kf_mem_store(memory, 3, lib.KF_MEM_RELAXED, 1) == -errno.EINVAL
