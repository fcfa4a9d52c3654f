# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Write the requirements as the JSON that the conformance suite reads; ``--check`` only compares.

The JSON is committed, so that the suite needs neither Sphinx nor these sources.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from source import SPEC, Requirement, read

DATA = SPEC.parent / "conformance" / "ofi_conformance" / "data"
TARGET = DATA / "requirements.json"
SCHEMA = DATA / "requirements.schema.json"
SCHEMA_VERSION = 1


def version(spec: Path = SPEC) -> str:
    """The version of the specification, kept in a file of its own."""
    return (spec / "VERSION").read_text(encoding="utf-8").strip()


def document(requirements: list[Requirement], spec_version: str) -> dict[str, object]:
    """The exported value."""
    rows = []
    for requirement in requirements:
        row = asdict(requirement)
        del row["file"], row["line"]  # would turn the export stale at every edit of prose
        rows.append(row)
    return {"schema": SCHEMA_VERSION, "spec_version": spec_version, "requirements": rows}


def render(spec: Path = SPEC) -> str:
    """The exported text, which is the same whenever the requirements are."""
    exported = document(read(spec), version(spec))
    return json.dumps(exported, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write or check; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 if the committed file is stale")
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args(arguments)
    fresh = render()
    if options.check:
        committed = options.out.read_text(encoding="utf-8") if options.out.exists() else ""
        if committed != fresh:
            print(f"{options.out} is stale: run python spec/tools/export.py", file=sys.stderr)
            return 1
        return 0
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(fresh, encoding="utf-8")
    print(f"wrote {len(json.loads(fresh)['requirements'])} requirements to {options.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
