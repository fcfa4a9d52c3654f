# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The vocabulary of the text form: names, numbers, reserved words, names that steps get when they have none."""

from __future__ import annotations

from ..program import Form, Thread

NODE = r"[A-Za-z][A-Za-z0-9_]*"
NAME = r"[A-Za-z_][A-Za-z0-9_-]*(?:(?::\d+)?\.\d+)?(?![\w-])"
REGION = r"[A-Za-z_][A-Za-z0-9_]*"
NATURAL = r"0x[0-9a-fA-F]+|\d+"
INTEGER = r"-?(?:0x[0-9a-fA-F]+|\d+)"
ELEMENT = r"[^\s,!]+"
REQUIREMENT = r"[A-Z]+(?:-[A-Z0-9]+)+"

HEADERS = ("program", "format", "endpoints", "guarantees", "memory")
CONDITIONS = ("forbidden", "allowed", "unspecified")
RESERVED = frozenset((*HEADERS, *CONDITIONS, "by", "from", "if"))
"""Words that name no node and no step."""

FORMS = {"plain": Form.PLAIN, "vector": Form.VECTOR, "msg": Form.MSG, "inject": Form.INJECT}


def column_name(thread: Thread) -> str:
    """``A``, or ``A:1`` for a further thread of the node."""
    return thread.node if thread.index == 0 else f"{thread.node}:{thread.index}"


def auto_name(column: str, ordinal: int) -> str:
    """The name of the ``ordinal``-th step (from 1) of a column when the text gives it none."""
    return f"{column}.{ordinal}"
