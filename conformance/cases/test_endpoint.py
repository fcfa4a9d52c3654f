# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Endpoints: what is refused before they are enabled, what must be bound, options. Sequences: test_endpoint_states."""

from __future__ import annotations

from kfabric.api import AvAttr, AvType, CqAttr, Endpoint, EpOption, EpType, Errno, FabricError, Flag
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Kit, bind_address

NO_OPTION = 0x7FFF
"""An option number that nobody defines."""
CALLS = ("fi_recv", "fi_send", "fi_trecv", "fi_tsend", "fi_write", "fi_read")


def post(kit: Kit, ep: Endpoint, call: str) -> bool:
    """Make a data transfer call; False where the configuration has none of this kind."""
    buffer, context = kit.buffer(16), kit.context()
    caps = kit.info.caps
    if call in ("fi_recv", "fi_send") and caps & Flag.MSG:
        if call == "fi_recv":
            ep.recv(buffer.view, context=context)
        else:
            ep.send(buffer.view, dest=0, context=context)
    elif call in ("fi_trecv", "fi_tsend") and caps & Flag.TAGGED:
        if call == "fi_trecv":
            ep.trecv(buffer.view, 1, context=context)
        else:
            ep.tsend(buffer.view, 1, dest=0, context=context)
    elif call in ("fi_write", "fi_read") and caps & Flag.RMA:
        if call == "fi_write":
            ep.write(buffer.view, addr=0, key=0, dest=0, context=context)
        else:
            ep.read(buffer.view, addr=0, key=0, src=0, context=context)
    else:
        return False
    return True


@requirement("OFI-EP-001", "OFI-EP-002", once=True)
def test_calls_before_enable(local: Local) -> None:
    """An endpoint that was never enabled takes no work, and says that it is the state that is wrong.

    The application breaks a rule here (OFI-EP-003), so a provider that does not survive it has not accepted anything.
    """
    for call in CALLS:
        local.run(call_before_enable, call=call)


def call_before_enable(kit: Kit, call: str) -> None:
    side = kit.side(enable=False)
    kit.unreached("OFI-EP-001", f"the provider did not survive {call} before fi_enable")
    kit.trying("OFI-EP-002")
    text = f"{call} before fi_enable answers EOPBADSTATE"
    try:
        taken = post(kit, side.ep, call)
    except FabricError as error:
        kit.check("OFI-EP-001", True, f"{call} before fi_enable fails", seen=str(error))
        kit.check("OFI-EP-002", error.code == Errno.EOPBADSTATE, text, seen=str(error))
        return
    if taken:
        kit.spoils()
        kit.check("OFI-EP-001", False, f"{call} before fi_enable is not accepted", seen="accepted")
        kit.check("OFI-EP-002", False, text, seen="accepted")


@requirement("OFI-EP-004", once=True)
def test_enabling_without_completion_queue(local: Local) -> None:
    """An endpoint that could report nothing is not enabled."""
    local.run(without_completion_queue)


def without_completion_queue(kit: Kit) -> None:
    ep = kit.keep(kit.domain.endpoint(kit.info))
    bind_address(kit, ep)
    kit.refused("OFI-EP-004", Errno.ENOCQ, ep.enable, sentence="fi_enable without a completion queue answers ENOCQ")


@requirement("OFI-EP-005", once=True)
def test_enabling_without_address_vector(local: Local) -> None:
    """An endpoint that could reach nobody is not enabled."""
    local.run(without_address_vector)


def without_address_vector(kit: Kit) -> None:
    ep = kit.keep(kit.domain.endpoint(kit.info))
    ep.bind(kit.keep(kit.domain.cq_open(CqAttr())), Flag.TRANSMIT | Flag.RECV)
    kit.refused("OFI-EP-005", None, ep.enable, sentence="fi_enable without an address vector fails")


@requirement("OFI-EP-006", once=True)
def test_connecting_without_event_queue(local: Local) -> None:
    """An endpoint that could not tell of its connection does not start one."""
    local.run(without_event_queue)


def without_event_queue(kit: Kit) -> None:
    listener = kit.listener()
    ep = kit.keep(kit.domain.endpoint(kit.info))
    ep.bind(kit.keep(kit.domain.cq_open(CqAttr())), Flag.TRANSMIT | Flag.RECV)
    kit.spoils()
    try:
        ep.enable()
    except FabricError as error:
        kit.check("OFI-EP-006", True, "fi_enable without an event queue fails", seen=str(error))
        return
    kit.refused("OFI-EP-006", None, ep.connect, listener.address, sentence="fi_connect without an event queue fails")


@requirement("OFI-EP-008", once=True)
def test_second_queue(local: Local) -> None:
    """A second queue for the same work is not taken."""
    local.run(second_queue)


def second_queue(kit: Kit) -> None:
    for flag, name in ((Flag.TRANSMIT, "transmit"), (Flag.RECV, "receive")):
        ep = kit.keep(kit.domain.endpoint(kit.info))
        ep.bind(kit.keep(kit.domain.cq_open(CqAttr())), Flag.TRANSMIT | Flag.RECV)
        second = kit.keep(kit.domain.cq_open(CqAttr()))
        kit.refused("OFI-EP-008", None, ep.bind, second, flag, sentence=f"a second {name} queue is refused")


@requirement("OFI-EP-009", once=True)
def test_objects_of_another_domain(local: Local) -> None:
    """An object of another domain is not taken."""
    for kind in ("completion queue", "address vector"):
        local.run(foreign_object, kind=kind)


def foreign_object(kit: Kit, kind: str) -> None:
    other = kit.keep(kit.fabric.domain(kit.info))
    ep = kit.keep(kit.domain.endpoint(kit.info))
    text = f"a {kind} of another domain is refused"
    if kind == "completion queue":
        queue = kit.keep(other.cq_open(CqAttr()))
        kit.refused("OFI-EP-009", None, ep.bind, queue, Flag.TRANSMIT | Flag.RECV, sentence=text)
    elif kit.info.ep_attr.type != EpType.MSG:
        vector = kit.keep(other.av_open(AvAttr(type=kit.info.domain_attr.av_type or AvType.MAP)))
        kit.refused("OFI-EP-009", None, ep.bind, vector, sentence=text)


@requirement("OFI-EP-012", once=True)
def test_option_reads_back(local: Local) -> None:
    """An option that was set is kept."""
    local.run(option_reads_back)


def option_reads_back(kit: Kit) -> None:
    side = kit.side(enable=False)
    for value in (64, 4096, 100):
        kit.trying("OFI-EP-012")
        try:
            side.ep.setopt(EpOption.MIN_MULTI_RECV, value)
        except FabricError as error:
            kit.unreached("OFI-EP-012", f"FI_OPT_MIN_MULTI_RECV cannot be set ({error})")
            return
        seen = side.ep.getopt(EpOption.MIN_MULTI_RECV)
        kit.check("OFI-EP-012", seen == value, "fi_getopt returns what fi_setopt set", seen=seen, wanted=value)


@requirement("OFI-EP-013", "OFI-EP-014", "OFI-EP-015", once=True)
def test_options(local: Local) -> None:
    """Unknown options and read-only ones are refused."""
    local.run(options)


def options(kit: Kit) -> None:
    side = kit.side(enable=False)
    if kit.applies("OFI-EP-013"):
        text = "an unknown option is refused with ENOPROTOOPT"
        kit.refused("OFI-EP-013", Errno.ENOPROTOOPT, side.ep.getopt, NO_OPTION, sentence=text)
        kit.refused("OFI-EP-013", Errno.ENOPROTOOPT, side.ep.setopt, NO_OPTION, 1, sentence=text)
    if kit.info.ep_attr.type == EpType.MSG:
        text = "FI_OPT_CM_DATA_SIZE can be asked for"
        kit.accepted("OFI-EP-014", side.ep.getopt, EpOption.CM_DATA_SIZE, sentence=text)
        text = "FI_OPT_CM_DATA_SIZE cannot be set"
        kit.refused("OFI-EP-015", None, side.ep.setopt, EpOption.CM_DATA_SIZE, 16, sentence=text)
