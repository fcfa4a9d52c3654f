# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""User data that travels with connection messages: request, acceptance, rejection."""

from __future__ import annotations

from hypothesis import strategies as st

from kfabric.api import EpOption, EqEventKind
from ofi_conformance import Local, requirement
from ofi_conformance.kit import Kit, Side, accept, knock

READ = 256
"""Bytes of error data that a kit has read."""


def room_for_data(kit: Kit, side: Side) -> int:
    room = kit.accepted(
        "OFI-EP-014", side.ep.getopt, EpOption.CM_DATA_SIZE, sentence="FI_OPT_CM_DATA_SIZE can be asked for"
    )
    return int(room)


def pattern(size: int) -> bytes:
    return bytes((7 * i + 1) & 0xFF for i in range(size))


@requirement("OFI-CM-004", "OFI-CM-006", "OFI-CM-007", "OFI-CM-009", "OFI-EP-014", once=True)
def test_user_data(local: Local) -> None:
    """User data arrives whole as long as there is room for it."""
    local.check(user_data, st.integers(0, 100), share=0.4)


def user_data(kit: Kit, percent: int) -> None:
    sent = pattern(room_for_data(kit, kit.side()) * percent // 100)
    attempt = kit.accepted("OFI-CM-006", knock, kit, sent, sentence=f"fi_connect takes {len(sent)} bytes of user data")
    got = attempt.request.data[: len(sent)]
    kit.check("OFI-CM-006", got == sent, "user data of fi_connect arrives", seen=got.hex(), wanted=sent.hex())
    pair = kit.accepted(
        "OFI-CM-007", accept, kit, attempt, sent, sentence=f"fi_accept takes {len(sent)} bytes of user data"
    )
    assert pair.a.eq is not None
    got = kit.event(pair.a.eq, EqEventKind.CONNECTED).data[: len(sent)]
    kit.check("OFI-CM-007", got == sent, "user data of fi_accept arrives", seen=got.hex(), wanted=sent.hex())
    second = knock(kit, listener=attempt.listener)
    kit.accepted(
        "OFI-CM-009",
        second.listener.pep.reject,
        second.request,
        sent,
        sentence=f"fi_reject takes {len(sent)} bytes of user data",
    )
    assert second.side.eq is not None
    refusal = kit.eq_error(second.side.eq)
    kit.check("OFI-CM-004", refusal.fid == second.side.ep.fid, "the error event names the connecting endpoint")
    got = refusal.err_data[: len(sent)]
    kit.check("OFI-CM-009", got == sent, "user data of fi_reject arrives", seen=got.hex(), wanted=sent.hex())


@requirement("OFI-CM-010", once=True)
def test_too_much_user_data(local: Local) -> None:
    """User data that does not fit is cut; it fails no call and harms nobody."""
    for call in ("connect", "accept", "reject"):
        local.run(too_much_user_data, call=call)


def too_much_user_data(kit: Kit, call: str) -> None:
    room = int(kit.side().ep.getopt(EpOption.CM_DATA_SIZE))
    for size in (room + 1, 2 * room + 100):
        sent = pattern(size)
        kit.spoils()
        text = f"fi_{call} takes {size} bytes of user data where there is room for {room}"
        if call == "connect":
            attempt = kit.accepted("OFI-CM-010", knock, kit, sent, sentence=text)
            got = attempt.request.data
        elif call == "accept":
            pair = kit.accepted("OFI-CM-010", accept, kit, knock(kit), sent, sentence=text)
            assert pair.a.eq is not None
            kit.trying("OFI-CM-010")
            got = kit.event(pair.a.eq, EqEventKind.CONNECTED).data
        else:
            attempt = knock(kit)
            kit.accepted("OFI-CM-010", attempt.listener.pep.reject, attempt.request, sent, sentence=text)
            assert attempt.side.eq is not None
            kit.trying("OFI-CM-010")
            got = kit.eq_error(attempt.side.eq).err_data
        fits = min(room, READ)
        kit.check(
            "OFI-CM-010", got[:fits] == sent[:fits], "what fits arrives", seen=got.hex(), wanted=sent[:fits].hex()
        )
