# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sphinx configuration of the guides. The specifications have their own: they are normative, these are not."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

project = "kfabric"
author = "The kfabric authors"
copyright = "The kfabric authors; GPL-2.0-only OR BSD-2-Clause"  # noqa: A001 - the name that Sphinx reads
release = version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

html_theme = "furo"
html_title = f"kfabric {release}: guides"
html_copy_source = False
highlight_language = "none"
nitpicky = True
