# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The rules that requirements and the prose around them keep; prints every breach, exits 1 if any.

The form of the source is ``source.py``'s business, the terms of conditions ``when.py``'s.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from source import AREAS, DOCUMENTS, SPEC, Requirement, SourceError, prose, read, sources
from when import complaints

LEVELS = ("MUST NOT", "MUST", "SHOULD NOT", "SHOULD", "MAY")
BCP14 = re.compile(
    r"\b(MUST NOT|MUST|SHALL NOT|SHALL|SHOULD NOT|SHOULD|NOT RECOMMENDED|RECOMMENDED|REQUIRED|MAY|OPTIONAL)\b"
)
VAGUE = re.compile(
    r"\b(appropriate|appropriately|reasonable|reasonably|properly|correctly|as needed|if necessary|"
    r"etc\.|typically|usually|normally|generally|efficiently|and/or)(?!\w)",
    re.IGNORECASE,
)
VERSIONS = re.compile(r"^\d+\.\d+-(\d+\.\d+)?$")
ORIGIN = re.compile(r"^(man [a-z_]+\(\d\) \d+\.\d+-(\d+\.\d+)?|kfabric \d+\.\d+|project)$")
LONGEST = 60
"""Words in a sentence that can still be read in one breath, and tested in one case."""


def sentence(requirement: Requirement) -> list[str]:
    """What is wrong with the sentence."""
    text = requirement.text
    wrong = []
    keywords = BCP14.findall(text)
    if len(keywords) != 1:
        wrong.append(f"has {len(keywords)} words of BCP 14, wants one")
    elif keywords[0] not in LEVELS:
        wrong.append(f"says {keywords[0]}; the levels are {', '.join(LEVELS)}")
    elif keywords[0] != requirement.level:
        wrong.append(f"is marked {requirement.level} and says {keywords[0]}")
    if not text.startswith(f"The {requirement.binds} {requirement.level} "):
        wrong.append(f"begins otherwise than 'The {requirement.binds} {requirement.level}'")
    if not text.endswith(".") or re.search(r"[.!?] [A-Z]", text):
        wrong.append("is not one sentence that ends with a full stop")
    if vague := VAGUE.search(text):
        wrong.append(f"says {vague[0]!r}, which no test can decide")
    if len(text.split()) > LONGEST:
        wrong.append(f"has more than {LONGEST} words")
    return wrong


def options(requirement: Requirement) -> list[str]:
    """What is wrong with id, origin, versions, condition and rationale."""
    wrong = complaints(requirement.when)
    if not re.fullmatch(r"[A-Z]{3}-[A-Z]{2,4}-[0-9]{3}", requirement.id) or requirement.id.endswith("-000"):
        wrong.append("its id is not PREFIX-AREA-nnn counted from 001")
    if requirement.binds not in ("provider", "application"):
        wrong.append(f"binds {requirement.binds!r}, neither provider nor application")
    if not ORIGIN.match(requirement.origin):
        wrong.append(f"origin {requirement.origin!r} is not 'man page(n) 1.0-', 'kfabric 1.7' or 'project'")
    if requirement.versions and not VERSIONS.match(requirement.versions):
        wrong.append(f"versions {requirement.versions!r} is not 'a.b-' or 'a.b-c.d'")
    if BCP14.search(requirement.rationale):
        wrong.append("has a word of BCP 14 in its rationale")
    if requirement.title.endswith(".") or len(requirement.title) > 70:
        wrong.append("has a title that ends with a full stop or is longer than 70 characters")
    return wrong


def place(requirement: Requirement) -> list[str]:
    """Whether the requirement stands in the file that its id names."""
    expected = f"{AREAS[requirement.area]}.rst"
    if requirement.prefix != "OFI":
        expected = f"{DOCUMENTS[requirement.prefix]}.rst"
    return [] if requirement.file == expected else [f"belongs into {expected}"]


def lint(spec: Path = SPEC) -> list[str]:
    """Every breach, as one line each."""
    try:
        requirements = read(spec)
    except SourceError as error:
        return [str(error)]
    found = []
    seen: dict[str, Requirement] = {}
    for requirement in requirements:
        where = f"{requirement.file}:{requirement.line}: {requirement.id}"
        if requirement.id in seen:
            found.append(f"{where} is already in {seen[requirement.id].file}")
        seen[requirement.id] = requirement
        rules = (sentence, options, place)
        found += [f"{where} {wrong}" for rule in rules for wrong in rule(requirement)]
    for path in sources(spec):
        for number, line in prose(path):
            if word := BCP14.search(line):
                found.append(f"{path.name}:{number}: {word[0]} outside a requirement")
    return found


def main() -> int:
    """Print the breaches; the exit code."""
    found = lint()
    print("\n".join(found) if found else "no breach")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
