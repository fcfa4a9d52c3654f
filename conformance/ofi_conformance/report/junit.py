# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""JUnit XML of a record: a suite per configuration, a test case per requirement, classname = the requirement's id."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

_CONTROL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SKIPPED = ("NOT-SUPPORTED", "INCONCLUSIVE", "WAIVED")


def _clean(text: str) -> str:
    return _CONTROL.sub("�", text)


def junit(record: dict[str, Any]) -> str:
    """The file's content."""
    top = ElementTree.Element("testsuites", name=record["target"], time=str(record["seconds"]))
    for configuration in record["configurations"]:
        top.append(_suite(record, configuration["name"]))
    for trouble in record["troubles"]:
        suite = ElementTree.SubElement(top, "testsuite", name="ofi-conform", tests="1", errors="1")
        case = ElementTree.SubElement(suite, "testcase", classname="ofi-conform", name=_clean(trouble["where"]))
        error = ElementTree.SubElement(case, "error", message=_clean(trouble["text"]))
        error.text = _clean(trouble["trace"])
    for sentence in record["aborts"]:
        suite = ElementTree.SubElement(top, "testsuite", name="provider", tests="1", failures="1")
        case = ElementTree.SubElement(suite, "testcase", classname="provider", name="stays alive")
        ElementTree.SubElement(case, "failure", message=_clean(sentence))
    ElementTree.indent(top)
    return ElementTree.tostring(top, encoding="unicode", xml_declaration=True) + "\n"


def _suite(record: dict[str, Any], name: str) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=name)
    counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for row in record["requirements"]:
        cell = row["configurations"].get(name)
        if cell is None:
            continue
        counts["tests"] += 1
        seconds = round(sum(case["seconds"] for case in cell["cases"]), 2)
        case = ElementTree.SubElement(suite, "testcase", classname=row["id"], name=row["title"], time=str(seconds))
        _outcome(case, cell, row, record, name, counts)
    for key, value in counts.items():
        suite.set(key, str(value))
    return suite


def _outcome(
    case: ElementTree.Element,
    cell: dict[str, Any],
    row: dict[str, Any],
    record: dict[str, Any],
    configuration: str,
    counts: dict[str, int],
) -> None:
    verdict = cell["verdict"]
    if verdict == "FAIL" and not row["informative"]:
        counts["failures"] += 1
        failure = ElementTree.SubElement(case, "failure", message=_clean(cell["why"]))
        failure.text = _clean(_story(row["id"], configuration, record))
    elif verdict == "ERROR":
        counts["errors"] += 1
        ElementTree.SubElement(case, "error", message=_clean(cell["why"]))
    elif verdict in _SKIPPED or verdict == "FAIL":
        counts["skipped"] += 1
        informative = " (informative)" if row["informative"] else ""
        ElementTree.SubElement(case, "skipped", message=_clean(f"{verdict}{informative}: {cell['why']}"))


def _story(requirement: str, configuration: str, record: dict[str, Any]) -> str:
    for failure in record["failures"]:
        if (failure["requirement"], failure["configuration"]) == (requirement, configuration):
            let = "\n".join(f"Let {line}" for line in failure["let"])
            then = f"Then {failure['then']}" if failure["then"] else ""
            lines = [failure["text"], let, then, failure["however"], "", failure["program"], failure["replay"]]
            return "\n".join(lines)
    return ""
