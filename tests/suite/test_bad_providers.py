# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Providers that take their process with them: one sentence, the right code, and a report."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Conform

Build = Callable[..., Path]
SOURCE = """
#include <stdint.h>
#include <stdlib.h>
#include <stddef.h>

struct context { void *internal[4]; };
struct provider {
    uint32_t version;
    uint32_t fi_version;
    struct context context;
    const char *name;
    int (*getinfo)(uint32_t, const char *, const char *, uint64_t, const void *, void **);
    int (*fabric)(void *, void **, void *);
    void (*cleanup)(void);
};

static int getinfo(uint32_t version, const char *node, const char *service, uint64_t flags, const void *hints,
                   void **info)
{
    (void)version; (void)node; (void)service; (void)flags; (void)hints; (void)info;
    GETINFO
}

static int fabric(void *attr, void **object, void *context)
{
    (void)attr; (void)object; (void)context;
    return -38;
}

static void cleanup(void) {}

static struct provider made_up = {1, (1 << 16) | 17, {{0}}, "madeup", getinfo, fabric, cleanup};

struct provider *fi_prov_ini(void)
{
    INI
    return &made_up;
}
"""


@pytest.fixture
def build(tmp_path: Path, libfabric: None) -> Build:
    """A provider whose entry points do what is said."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")

    def make(*, ini: str = "", getinfo: str = "return -61;") -> Path:
        source, path = tmp_path / "madeup.c", tmp_path / "libmadeup-fi.so"
        source.write_text(SOURCE.replace("GETINFO", getinfo).replace("INI", ini), encoding="utf-8")
        subprocess.run([compiler, "-shared", "-fPIC", "-o", path, source], check=True)
        return path

    return make


def test_a_provider_that_aborts_when_it_is_asked(conform: Conform, build: Build) -> None:
    path = build(getinfo="abort();")
    done = conform("run", f"libfabric:{path}", "--seed", "1")
    assert done.code == 1, done.out + done.err
    assert "SIGABRT" in done.out
    assert "Traceback" not in done.out + done.err
    assert done.record["outcome"] == "Nothing could be judged."
    assert len(done.record["aborts"]) == 1
    assert "SIGABRT" in (done.report / "report.html").read_text(encoding="utf-8")
    assert "SIGABRT" in (done.report / "junit.xml").read_text(encoding="utf-8")


def test_a_provider_that_aborts_when_it_is_loaded(conform: Conform, build: Build) -> None:
    path = build(ini="abort();")
    done = conform("run", f"libfabric:{path}", "--seed", "1")
    assert done.code == 1, done.out + done.err
    assert "SIGABRT" in done.out


@pytest.mark.parametrize("ini", ["", "return NULL;"])
def test_a_provider_that_offers_nothing(conform: Conform, build: Build, ini: str) -> None:
    path = build(ini=ini)
    done = conform("run", f"libfabric:{path}")
    assert done.code == 254, done.out + done.err
    assert "Traceback" not in done.out + done.err
    assert len(done.err.strip().splitlines()) == 1
