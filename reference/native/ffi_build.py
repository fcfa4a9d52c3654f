# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What ``kfabric._native`` is made of; CMake has cffi write its C from this.

Owns the list of headers that Python sees. The C source they are compiled
against is the headers themselves, so a declaration that Python believes and C
does not is a build error.
"""

import sys
from pathlib import Path

import cffi

NATIVE = Path(__file__).resolve().parent
sys.path.insert(0, str(NATIVE))

from cdef import cdef_of  # noqa: E402

HEADERS = ("ofi_abi.h", "fi_loader.h", "native_mem.h")

# Not ours, and reached from ours: the layout is left to the C compiler.
SYSTEM = """
struct iovec { void *iov_base; size_t iov_len; };
struct pollfd { int fd; short events; short revents; };
"""

ffibuilder = cffi.FFI()
ffibuilder.cdef(SYSTEM)
ffibuilder.cdef(cdef_of(*(NATIVE / "include" / "kfabric" / name for name in HEADERS)))
ffibuilder.set_source(
    "kfabric._native",
    "#include <poll.h>\n" + "".join(f'#include "kfabric/{name}"\n' for name in HEADERS),
)
