# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Read the requirements out of the specification's sources, without Sphinx.

The form that is read is stricter than what Sphinx accepts, so that one page of code can read it and
every editor writes it alike: ``.. req:: title``, options, an empty line, the sentence, and after a
further empty line the rationale. ``spec/_ext/requirements.py`` compares what is read here with what
sphinx-needs saw. What a requirement may say is the business of ``lint.py``, not of this file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

SPEC = Path(__file__).resolve().parent.parent

AREAS = {
    "INFO": "discovery",
    "OBJ": "objects",
    "EP": "endpoint",
    "CM": "connection",
    "EQ": "eq",
    "AV": "av",
    "MSG": "message",
    "TAG": "tagged",
    "RMA": "rma",
    "ATM": "atomic",
    "CQ": "cq",
    "CMP": "completion",
    "ORD": "ordering",
    "MR": "mr",
    "CNT": "counter",
    "PRG": "progress",
    "RM": "resource",
}
"""Area of an id -> chapter: the same noun names the chapter's file and its file of cases."""

DOCUMENTS = {"OFI": "shared", "KFI": "kfabric", "FPM": "libfabric-pm"}
"""Prefix of an id -> the document that holds the requirement."""

OPTIONS = ("id", "level", "binds", "when", "origin", "versions", "untested")
MANDATORY = ("id", "level", "binds", "origin")

_DIRECTIVE = re.compile(r"^\.\. req:: (?P<title>\S.*)$")
_OPTION = re.compile(r"^   :(?P<name>[a-z]+):(?: (?P<value>\S.*))?$")


class SourceError(Exception):
    """A requirement is not written in the form that is read; names file and line."""


@dataclass(frozen=True)
class Requirement:
    """One requirement as written; ``text`` and ``rationale`` without markup and line breaks."""

    id: str
    title: str
    text: str
    level: str
    binds: str
    when: str
    origin: str
    versions: str
    rationale: str
    untested: str
    chapter: str
    document: str
    file: str
    line: int

    @property
    def prefix(self) -> str:
        """``OFI``, ``KFI`` or ``FPM``."""
        return self.id.split("-")[0]

    @property
    def area(self) -> str:
        """The middle of the id."""
        return self.id.split("-")[1]


def sources(spec: Path = SPEC) -> list[Path]:
    """Every file of the specification that may hold requirements, in a stable order."""
    return sorted(spec.glob("*.rst")) + sorted((spec / "shared").glob("*.rst"))


def read(spec: Path = SPEC) -> list[Requirement]:
    """All requirements, sorted by id."""
    found = [each for path in sources(spec) for each in read_file(path)]
    return sorted(found, key=lambda each: each.id)


def read_file(path: Path) -> list[Requirement]:
    """The requirements of one file, in the order in which they stand there."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found = []
    at = 0
    while at < len(lines):
        match = _DIRECTIVE.match(lines[at])
        if match:
            requirement, at = _requirement(path, lines, at, match["title"])
            found.append(requirement)
        elif lines[at].lstrip().startswith(".. req::"):
            raise SourceError(f"{path}:{at + 1}: a requirement starts in column 1, with its title")
        else:
            at += 1
    return found


def prose(path: Path) -> list[tuple[int, str]]:
    """The lines of a file that belong to no requirement, with their numbers."""
    lines = path.read_text(encoding="utf-8").splitlines()
    outside = []
    inside = False
    for number, line in enumerate(lines, 1):
        if _DIRECTIVE.match(line):
            inside = True
        elif inside and line and not line.startswith(" "):
            inside = False
        if not inside:
            outside.append((number, line))
    return outside


def plain(markup: str) -> str:
    """Inline markup away: literals lose their quotes, roles keep their target, emphasis its stars."""
    text = re.sub(r":[a-z:]+:`([^`<]+)(?: <[^>]+>)?`", r"\1", markup)
    text = re.sub(r"``([^`]+)``", r"\1", text)
    return re.sub(r"(?<!\w)\*([^*\s][^*]*)\*", r"\1", text)


def _requirement(path: Path, lines: list[str], start: int, title: str) -> tuple[Requirement, int]:
    def wrong(line: int, why: str) -> SourceError:
        return SourceError(f"{path}:{line + 1}: {why}")

    options: dict[str, str] = {}
    at = start + 1
    while at < len(lines) and (option := _OPTION.match(lines[at])):
        name = option["name"]
        if name not in OPTIONS:
            raise wrong(at, f"no option {name!r}; there are {', '.join(OPTIONS)}")
        if name in options:
            raise wrong(at, f"option {name!r} given twice")
        value = option["value"] or ""
        at += 1
        while at < len(lines) and re.match(r"^ {6,}\S", lines[at]):
            value = f"{value} {lines[at].strip()}".strip()
            at += 1
        options[name] = value
    for name in MANDATORY:
        if not options.get(name):
            raise wrong(start, f"option {name!r} is missing")
    if at >= len(lines) or lines[at].strip():
        raise wrong(at, "an empty line must follow the options")

    paragraphs: list[list[str]] = [[]]
    while at < len(lines) and (not lines[at].strip() or lines[at].startswith("   ")):
        if lines[at].strip():
            paragraphs[-1].append(lines[at].strip())
        elif paragraphs[-1]:
            paragraphs.append([])
        at += 1
    text, *rationale = [plain(" ".join(each)) for each in paragraphs if each] or [""]
    if not text:
        raise wrong(start, "a requirement without a sentence")

    parts = options["id"].split("-")
    if len(parts) != 3 or parts[0] not in DOCUMENTS or parts[1] not in AREAS:
        raise wrong(start, f"id {options['id']!r} is not PREFIX-AREA-nnn with a known prefix and area")
    return (
        Requirement(
            id=options["id"],
            title=plain(title),
            text=text,
            level=options["level"],
            binds=options["binds"],
            when=options.get("when", ""),
            origin=options["origin"],
            versions=options.get("versions", ""),
            rationale=" ".join(rationale),
            untested=options.get("untested", ""),
            chapter=AREAS[parts[1]],
            document=DOCUMENTS[parts[0]],
            file=path.name,
            line=start + 1,
        ),
        at,
    )
