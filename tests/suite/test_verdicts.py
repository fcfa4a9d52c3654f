# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Verdicts are summed up and turned into exit codes as the conventions say."""

from __future__ import annotations

import itertools

import pytest

from ofi_conformance.verdicts import NEVER, Exit, Mark, Verdict, exit_code, fold

FAIL, ERROR, WAIVED, PASS = (Mark(v) for v in (Verdict.FAIL, Verdict.ERROR, Verdict.WAIVED, Verdict.PASS))
OPEN = Mark(Verdict.INCONCLUSIVE, "a bound was met")
UNSUPPORTED = Mark(Verdict.NOT_SUPPORTED, "needs cap:RMA")
ORDER = [FAIL, ERROR, OPEN, WAIVED, PASS, NEVER, UNSUPPORTED]
"""Each decides over all that follow."""


def test_verdicts_are_ranked_worst_first() -> None:
    words = ["FAIL", "ERROR", "INCONCLUSIVE", "WAIVED", "NOT-SUPPORTED", "PASS"]
    assert [verdict.value for verdict in sorted(Verdict, key=lambda each: each.rank)] == words


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(ORDER, 2)))
def test_the_fold_of_two(one: Mark, other: Mark) -> None:
    assert fold([one, other]) is one
    assert fold([other, one]) is one


def test_nothing_found_out_is_never_exercised() -> None:
    assert fold([]) is NEVER


def test_support_in_one_configuration_is_enough() -> None:
    assert fold([UNSUPPORTED, PASS, UNSUPPORTED]) is PASS
    assert fold([UNSUPPORTED, UNSUPPORTED]).verdict is Verdict.NOT_SUPPORTED


@pytest.mark.parametrize(
    ("verdicts", "strict", "code"),
    [
        ([Verdict.PASS, Verdict.NOT_SUPPORTED, Verdict.WAIVED], False, Exit.PASS),
        ([Verdict.PASS, Verdict.INCONCLUSIVE], False, Exit.PASS),
        ([Verdict.PASS, Verdict.INCONCLUSIVE], True, Exit.INCONCLUSIVE),
        ([Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE], True, Exit.FAIL),
        ([Verdict.FAIL, Verdict.ERROR], False, Exit.OURS),
        ([], False, Exit.INCONCLUSIVE),
    ],
)
def test_exit_codes(verdicts: list[Verdict], strict: bool, code: Exit) -> None:
    assert exit_code(verdicts, strict=strict) is code


def test_an_interrupted_run_does_not_pass_for_a_whole_one() -> None:
    assert exit_code([Verdict.PASS], interrupted=True) is Exit.INTERRUPTED
    assert exit_code([Verdict.ERROR], interrupted=True) is Exit.OURS


def test_the_numbers_are_those_of_the_guide() -> None:
    assert {code.name: code.value for code in Exit} == {
        "PASS": 0,
        "FAIL": 1,
        "INCONCLUSIVE": 2,
        "INTERRUPTED": 130,
        "USAGE": 254,
        "OURS": 255,
    }
