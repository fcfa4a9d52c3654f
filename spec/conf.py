# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sphinx configuration of the two specifications; builds without network, warnings are errors."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE / "tools")]

project = "OFI specifications: kfabric and libfabric persistent memory"
author = "The kfabric project"
copyright = "The kfabric authors; GPL-2.0-only OR BSD-2-Clause"  # noqa: A001
version = release = (HERE / "VERSION").read_text(encoding="utf-8").strip()

extensions = ["sphinx_needs", "requirements"]
exclude_patterns = ["tools", "_ext"]
nitpicky = True
highlight_language = "none"

# One kind of object: a requirement. What its options may say is checked by tools/lint.py.
needs_types = [{"directive": "req", "title": "Requirement", "prefix": "OFI-", "color": "#ffffff", "style": "node"}]
needs_fields = {
    "level": {
        "description": "BCP 14 keyword of the sentence",
        "schema": {
            "type": "string",
            "enum": ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"],
        },
    },
    "binds": {
        "description": "who owes it",
        "schema": {"type": "string", "enum": ["provider", "application"]},
    },
    "when": {"description": "condition on the configuration that was opened", "default": ""},
    "origin": {
        "description": "man page with versions, kfabric with version, or project",
        "schema": {"type": "string"},
    },
    "versions": {"description": "libfabric versions it binds; empty: all", "default": ""},
    "untested": {"description": "why no case decides it", "default": ""},
}
needs_id_required = True
needs_id_regex = r"^(OFI|KFI|FPM)-[A-Z]+-[0-9]{3}$"
needs_role_need_template = "{{ id }}"
needs_css = "blank.css"

html_theme = "furo"
html_title = f"OFI specifications {release}"
html_short_title = "OFI specifications"
html_static_path = ["_static"]
html_css_files = ["spec.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#1b5e7d",
        "color-brand-content": "#1b5e7d",
    },
    "dark_css_variables": {
        "color-brand-primary": "#7cc4e4",
        "color-brand-content": "#7cc4e4",
    },
    "navigation_with_keys": False,
}
