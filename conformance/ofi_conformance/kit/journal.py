# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The journal of a body: what it had decided and asked for, kept in the node's log where its death does not reach.

Each line stands by itself between whatever the provider logs; the latest line about checks says all of them. Read by
the coordinator when a node died inside a body.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any

_MARK = "\x1eofi-conform "


def note(**entry: Any) -> None:
    """Write a line into the log (standard error of a node)."""
    os.write(2, f"{_MARK}{json.dumps(entry)}\n".encode())


@dataclass
class LastWords:
    """What is known of the last body in a log: its checks by id, its latest calls, other lines."""

    checks: dict[str, bool] = field(default_factory=dict)
    broke: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The first check of an id that did not hold."""
    open: dict[str, str] = field(default_factory=dict)
    unreached: dict[str, str] = field(default_factory=dict)
    at: list[str] = field(default_factory=list)
    """Ids that were at stake when it ended; empty when the body did not say."""
    calls: list[list[str]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)


def last_words(log: str) -> LastWords:
    """Read a log, perhaps cut at its beginning."""
    found = LastWords()
    for line in log.split("\n"):  # the mark is a line end to splitlines
        before, mark, text = line.partition(_MARK)
        if before:
            found.log.append(before)
        if not mark:
            continue
        try:
            entry = json.loads(text)
        except ValueError:
            continue
        if "begin" in entry:
            found = LastWords()
        if "checks" in entry:
            found.checks = entry["checks"]
        if "broke" in entry:
            found.broke.setdefault(entry["broke"]["id"], entry["broke"])
        if "unreached" in entry:
            found.unreached[entry["unreached"]] = entry["why"]
        if "open" in entry:
            found.open[entry["open"]] = entry["why"]
        if "at" in entry:
            found.at = entry["at"]
        if "call" in entry:
            found.calls.append([entry["call"], ""])
    return found
