# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sphinx extension: how requirements look, and that Sphinx, the plain reader and the export agree.

sphinx-needs holds the objects (ids, cross references, tables); the plain reader in ``tools`` feeds the
suite. Both read the same sources, and a difference between them is a warning, which fails the build.
"""

from __future__ import annotations

import export
import source
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx_needs.data import SphinxNeedsData
from sphinx_needs.nodes import Need

LOGGER = logging.getLogger(__name__)

COMPARED = ("level", "binds", "when", "origin", "versions", "untested")
FACTS = (("when", "when"), ("origin", "origin"), ("versions", "versions"), ("untested", "no case"))


class RequirementTable(SphinxDirective):
    """``.. requirement-table:: OFI-MSG``: the requirements whose id starts so, one row each."""

    required_arguments = 1
    option_spec = {"classes": directives.class_option}  # noqa: RUF012 - docutils' own declaration

    def run(self) -> list[nodes.Node]:
        """Read the sources, not the objects: tables are made before all files have been parsed."""
        prefix = self.arguments[0]
        rows = [each for each in source.read() if prefix == "all" or each.id.startswith(prefix + "-")]
        rows.sort(key=_reading_order)
        if not rows:
            raise self.error(f"no requirement starts with {prefix}-")
        for path in source.sources():
            self.env.note_dependency(str(path))
        return [_table(rows)]


def _reading_order(requirement: source.Requirement) -> tuple[int, int, str]:
    documents, areas = list(source.DOCUMENTS), list(source.AREAS)
    return documents.index(requirement.prefix), areas.index(requirement.area), requirement.id


def _table(rows: list[source.Requirement]) -> nodes.table:
    head = nodes.row("", *(nodes.entry("", nodes.paragraph("", each)) for each in _COLUMNS))
    body = [
        nodes.row(
            "",
            nodes.entry("", nodes.paragraph("", "", _reference(each.id))),
            nodes.entry("", nodes.paragraph("", each.title)),
            nodes.entry("", nodes.paragraph("", "", _level(each.level))),
            nodes.entry("", nodes.paragraph("", "", *_condition(each.when))),
        )
        for each in rows
    ]
    group = nodes.tgroup("", cols=len(_COLUMNS))
    group.extend(nodes.colspec("", colwidth=width) for width in (16, 44, 14, 26))
    group += [nodes.thead("", head), nodes.tbody("", *body)]
    return nodes.table("", group, classes=["requirements"])


_COLUMNS = ("id", "requirement", "level", "when")


def _reference(identifier: str) -> nodes.Node:
    target = nodes.reference("", identifier, internal=True, classes=["requirement-id"])
    target["pending-requirement"] = identifier
    return target


def _level(level: str) -> nodes.Node:
    return nodes.inline("", level, classes=["level", "level-" + level.split()[0].lower()])


def _condition(when: str) -> list[nodes.Node]:
    if not when:
        return [nodes.inline("", "always", classes=["always"])]
    terms: list[nodes.Node] = []
    for term in when.split():
        terms += [nodes.literal("", term), nodes.Text(" ")]
    return terms[:-1]


def resolve(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Give every row of a requirement table its link, once all requirements are known."""
    needs = SphinxNeedsData(app.env).get_needs_view()
    for reference in doctree.findall(nodes.reference):
        identifier = reference.attributes.pop("pending-requirement", None)
        if identifier is not None:
            home = needs[identifier]["docname"]
            page = "" if home == docname else app.builder.get_relative_uri(docname, home)
            reference["refuri"] = f"{page}#{identifier}"


def render(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Replace the node of each requirement by what the reader sees: head, sentence, rationale, facts."""
    written = {each.id: each for each in source.read()}
    for need in list(doctree.findall(Need)):
        requirement = written[need["refid"]]
        paragraphs = [each for each in need.children if not isinstance(each, nodes.target)]
        if paragraphs:
            paragraphs[0]["classes"].append("sentence")
        for paragraph in paragraphs[1:]:
            paragraph["classes"].append("rationale")
        box = nodes.container(
            "",
            _head(requirement),
            *paragraphs,
            _facts(requirement),
            ids=[requirement.id],
            classes=["requirement", f"binds-{requirement.binds}"],
        )
        need.replace_self(box)


def _head(requirement: source.Requirement) -> nodes.paragraph:
    link = nodes.reference("", requirement.id, refuri=f"#{requirement.id}", internal=True)
    link["classes"].append("requirement-id")
    title = nodes.inline("", requirement.title, classes=["requirement-title"])
    parts = [link, nodes.Text(" "), title, nodes.Text(" "), _level(requirement.level)]
    if requirement.binds == "application":
        parts += [nodes.Text(" "), nodes.inline("", "application", classes=["binds"])]
    return nodes.paragraph("", "", *parts, classes=["requirement-head"])


def _facts(requirement: source.Requirement) -> nodes.paragraph:
    line = nodes.paragraph(classes=["facts"])
    for field, label in FACTS:
        value = getattr(requirement, field)
        if not value:
            continue
        fact = nodes.inline(classes=["fact"])
        fact += nodes.inline("", label, classes=["label"])
        fact += nodes.Text(" ")
        fact += _condition(value) if field == "when" else [nodes.Text(value)]
        line += [fact, nodes.Text(" ")]
    return line


def compare(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """What sphinx-needs saw, what the plain reader saw and what is committed are the same."""
    written = {each.id: each for each in source.read()}
    seen = SphinxNeedsData(env).get_needs_mutable()
    for identifier in sorted(written.keys() ^ seen.keys()):
        LOGGER.warning("%s is not seen by both sphinx-needs and tools/source.py", identifier)
    for identifier in sorted(written.keys() & seen.keys()):
        for field in COMPARED:
            if (seen[identifier][field] or "") != getattr(written[identifier], field):
                LOGGER.warning("%s: sphinx-needs and tools/source.py read another %s", identifier, field)
    if export.main(["--check"]) != 0:
        LOGGER.warning("the exported requirements are stale: run python spec/tools/export.py")
    return []


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx."""
    app.add_directive("requirement-table", RequirementTable)
    app.connect("env-updated", compare)
    app.connect("doctree-resolved", render, priority=100)  # before sphinx-needs draws them its way
    app.connect("doctree-resolved", resolve, priority=101)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
