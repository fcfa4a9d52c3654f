# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Any libfabric provider through ``kfabric.api``: a Python binding of libfabric.

libfabric is loaded when ``open_provider`` is called, not when this package is imported or built. Every call goes
through the provider's own tables of functions, as a C program's would; nothing is retried, polled or hidden.

A first program (two endpoints of one process are in ``tests/backends/test_pairs.py``)::

    from kfabric.api import EpType, Flag, Info
    from kfabric.backends.libfabric import open_provider

    lib = open_provider()
    hints = Info(caps=Flag.MSG | Flag.RMA)
    hints.ep_attr.type = EpType.RDM
    hints.fabric_attr.prov_name = "tcp;ofi_rxm"
    info = lib.getinfo(hints, node="127.0.0.1", flags=Flag.SOURCE)[0]
    with lib.fabric(info) as fabric, fabric.domain(info) as domain:
        ...

Where to look: ``provider`` is the root, ``info`` turns ``fi_info`` into ``Info`` and back, ``memory`` says what is kept
alive and how long, ``calls`` how a slot of a function table becomes an exception when it is missing.
"""

from .provider import LibfabricProvider, open_provider

__all__ = ["LibfabricProvider", "open_provider"]
