# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The reader and the linter refuse what they are there to refuse."""

from pathlib import Path

import lint
import pytest
import source

GOOD = """\
.. req:: A title
   :id: OFI-CQ-001
   :level: MUST
   :binds: provider
   :when: cap:MSG
   :origin: man fi_cq(3) 1.0-

   The provider MUST return ``-FI_EAGAIN`` from an empty
   queue.

   Why it is so.
"""


def write(copy: Path, text: str, file: str = "shared/cq.rst") -> Path:
    (copy / file).write_text(text)
    return copy


def test_a_good_requirement_is_read_whole(copy: Path) -> None:
    (requirement,) = source.read(write(copy, "Queues\n======\n\nProse.\n\n" + GOOD + "\nMore prose.\n"))
    assert requirement.text == "The provider MUST return -FI_EAGAIN from an empty queue."
    assert requirement.rationale == "Why it is so."
    assert (requirement.chapter, requirement.document, requirement.line) == ("cq", "shared", 6)
    assert lint.lint(copy) == []


def test_options_continue_on_the_next_line(copy: Path) -> None:
    text = GOOD.replace(":when: cap:MSG", ":when: cap:MSG\n      ep:RDM")
    assert source.read(write(copy, text))[0].when == "cap:MSG ep:RDM"


BREACHES = {
    "no keyword": ("MUST return", "returns", "0 words of BCP 14"),
    "two keywords": ("an empty", "what MUST be an empty", "2 words of BCP 14"),
    "another level": (":level: MUST", ":level: SHOULD", "is marked SHOULD and says MUST"),
    "a word that is no level": ("MUST return", "SHALL return", "says SHALL"),
    "another subject": ("The provider MUST", "A queue MUST", "begins otherwise"),
    "somebody else": (":binds: provider", ":binds: vendor", "neither provider nor application"),
    "two sentences": ("queue.", "queue. It stays empty.", "not one sentence"),
    "a weasel word": ("an empty", "a generally empty", "says 'generally'"),
    "rationale that binds": ("Why it is so.", "It MUST be so.", "in its rationale"),
    "unknown key": ("cap:MSG", "colour:RED", "no key 'colour'"),
    "unknown value": ("cap:MSG", "cap:MESSAGES", "no value 'MESSAGES'"),
    "unknown limit": ("cap:MSG", "limit:patience", "no value 'patience'"),
    "no term": ("cap:MSG", "when it rains", "is not [!]key:value"),
    "origin without versions": ("fi_cq(3) 1.0-", "fi_cq(3)", "origin"),
    "id of two digits": ("OFI-CQ-001", "OFI-CQ-01", "PREFIX-AREA-nnn"),
    "id in another chapter": ("OFI-CQ-001", "OFI-MSG-001", "belongs into message.rst"),
    "id of another document": ("OFI-CQ-001", "KFI-CQ-001", "belongs into kfabric.rst"),
    "unknown area": ("OFI-CQ-001", "OFI-XYZ-001", "known prefix and area"),
    "unknown option": (":binds: provider", ":binds: provider\n   :colour: red", "no option 'colour'"),
    "missing option": ("   :binds: provider\n", "", "'binds' is missing"),
    "no sentence": ("The provider MUST return ``-FI_EAGAIN`` from an empty\n   queue.\n\n   Why it is so.", "",
                    "without a sentence"),
    "indented": (".. req::", "   .. req::", "starts in column 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", BREACHES)
def test_a_breach_is_named(copy: Path, name: str) -> None:
    old, new, complaint = BREACHES[name]
    assert old in GOOD
    found = lint.lint(write(copy, GOOD.replace(old, new)))
    assert any(complaint in each for each in found), found


def test_an_id_is_used_once(copy: Path) -> None:
    found = lint.lint(write(copy, GOOD + "\n" + GOOD))
    assert any("is already in" in each for each in found)


def test_prose_does_not_bind(copy: Path) -> None:
    found = lint.lint(write(copy, "Readers SHOULD smile.\n\n" + GOOD + "\nThey MAY laugh.\n"))
    assert [each.split(": ", 1)[1] for each in found] == [
        "SHOULD outside a requirement",
        "MAY outside a requirement",
    ]


def test_markup_does_not_reach_the_suite() -> None:
    assert source.plain("see :doc:`mr` and ``FI_MSG``, *now*") == "see mr and FI_MSG, now"
