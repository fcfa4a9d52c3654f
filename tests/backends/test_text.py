# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the library says in words: fi_tostr of every kind, fi_strerror, its parameters."""

from __future__ import annotations

import os

import pytest

from kfabric._native import lib as native
from kfabric.api import (
    AddrFormat,
    AtomicOp,
    AvType,
    CqFormat,
    Datatype,
    EpType,
    EqEventKind,
    Errno,
    FabricObject,
    Flag,
    Info,
    Mode,
    MrMode,
    Order,
    Progress,
    Protocol,
    RxAttr,
    Threading,
    TxAttr,
    UsageError,
)
from tests.backends.child import isolated
from tests.backends.kit import hints_for, offers, provider

SAYS: list[tuple[str, object, str]] = [
    ("EP_TYPE", EpType.RDM, "FI_EP_RDM"),
    ("CAPS", Flag.MSG | Flag.RMA_EVENT, "FI_MSG, FI_RMA_EVENT"),
    ("OP_FLAGS", Flag.DELIVERY_COMPLETE, "FI_DELIVERY_COMPLETE"),
    ("ADDR_FORMAT", AddrFormat.SOCKADDR_IN6, "FI_SOCKADDR_IN6"),
    ("TX_ATTR", TxAttr(inject_size=77), "inject_size: 77"),
    ("RX_ATTR", RxAttr(size=78), "size: 78"),
    ("EP_ATTR", Info().ep_attr, "FI_EP_UNSPEC"),
    ("DOMAIN_ATTR", Info().domain_attr, "mr_mode"),
    ("FABRIC_ATTR", Info().fabric_attr, "prov_name"),
    ("INFO", Info(), "fi_info"),
    ("THREADING", Threading.DOMAIN, "FI_THREAD_DOMAIN"),
    ("PROGRESS", Progress.MANUAL, "FI_PROGRESS_MANUAL"),
    ("PROTOCOL", Protocol.RXM, "FI_PROTO_RXM"),
    ("MSG_ORDER", Order.SAS | Order.RMA_WAW, "FI_ORDER_SAS, FI_ORDER_RMA_WAW"),
    ("MODE", Mode.CONTEXT, "FI_CONTEXT"),
    ("AV_TYPE", AvType.TABLE, "FI_AV_TABLE"),
    ("ATOMIC_TYPE", Datatype.DOUBLE_COMPLEX, "FI_DOUBLE_COMPLEX"),
    ("ATOMIC_OP", AtomicOp.MSWAP, "FI_MSWAP"),
    ("EQ_EVENT", EqEventKind.SHUTDOWN, "FI_SHUTDOWN"),
    ("CQ_EVENT_FLAGS", Flag.RECV | Flag.TAGGED, "FI_TAGGED"),
    ("MR_MODE", MrMode.VIRT_ADDR, "FI_MR_VIRT_ADDR"),
    ("OP_TYPE", 4, "FI_OP_READ"),
    ("COLLECTIVE_OP", 0, "FI_BARRIER"),
    ("HMEM_IFACE", 0, "FI_HMEM_SYSTEM"),
    ("CQ_FORMAT", CqFormat.TAGGED, "FI_CQ_FORMAT_TAGGED"),
    ("LOG_LEVEL", 0, "warn"),
    ("LOG_SUBSYS", 0, "core"),
]


SECOND_NAMES = {"FI_ATOMICS", "FI_XPU"}
"""What the library calls a bit that has two names: an old spelling of ATOMIC, the name of XPU_TRIGGER since 2.6."""


@pytest.mark.parametrize(("kind", "value", "words"), SAYS, ids=[kind for kind, _, _ in SAYS])
def test_every_kind_has_a_text(kind: str, value: object, words: str) -> None:
    assert words in provider().tostr(value, kind)


def test_every_kind_of_the_library_is_tried() -> None:
    lib = provider()
    tried = {kind for kind, _, _ in SAYS} | {"VERSION", "FID"}
    since = {"AV_ATTR", "CQ_ATTR", "MR_ATTR", "CNTR_ATTR", "CQ_ERR_ENTRY", "CQ_WAIT_COND", "WAIT_OBJ"}
    assert {name[8:] for name in dir(native) if name.startswith("FI_TYPE_")} - since == tried
    assert lib.tostr(0, "VERSION")


def test_every_bit_has_the_name_that_python_gives_it() -> None:
    """Ties our names to the library's by its own words, for the release that is loaded."""
    lib = provider()
    for kind, bits in (("CAPS", Flag), ("MSG_ORDER", Order), ("MODE", Mode), ("MR_MODE", MrMode)):
        for bit in bits:
            said = lib.tostr(bit, kind).replace("FI_ORDER_", "FI_").replace("FI_MR_", "FI_").strip("[ ]")
            known = {f"FI_{name}" for name, member in bits.__members__.items() if member == bit}
            assert said in known | {"", "FI_NONE", *SECOND_NAMES}, (kind, bit)


@isolated()
def test_objects_and_offers() -> None:
    lib = provider()
    info = offers(lib, hints_for("sockets", "RDM", Flag.MSG))[0]
    assert "prov_name: sockets" in lib.tostr(info, "INFO")
    assert "prov_name: sockets" in lib.tostr(info, "FABRIC_ATTR")
    with lib.fabric(info) as fabric:
        assert isinstance(fabric, FabricObject)
        assert "fid" in lib.tostr(fabric, "FID").lower()


def test_mistakes() -> None:
    lib = provider()
    for value, kind in ((1, "NO_SUCH_KIND"), ("words", "CAPS"), (5, "INFO"), (object(), "TX_ATTR")):
        with pytest.raises(UsageError):
            lib.tostr(value, kind)


def test_errors_have_words() -> None:
    lib = provider()
    assert lib.strerror(Errno.ETRUNC) == lib.strerror(-Errno.ETRUNC)
    texts = {code: lib.strerror(code) for code in Errno if code < Errno.ENORX}
    assert all(texts.values())
    assert texts[Errno.EAGAIN] == os.strerror(Errno.EAGAIN)
    assert lib.strerror(100000)


@isolated()
def test_parameters() -> None:
    parameters = provider().parameters()
    assert "FI_PROVIDER" in parameters or "provider" in parameters, parameters
    assert all(isinstance(text, str) for pair in parameters.values() for text in pair)
