# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The command line ``ofi-conform``: reads words, calls the rest, and ends with the right code.

Every mistake of the caller is one sentence on standard error. Exit codes: 0 pass, 1 fail, 2 inconclusive
(``--strict``) or nothing selected, 130 interrupted, 254 usage, 255 ours.
"""

from __future__ import annotations

import argparse
import random
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from .evidence import EvidenceError
from .faults.show import arguments as fault_arguments
from .report.machine import tool
from .run import Refusal
from .settings import PROFILES, Settings
from .verdicts import Exit


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        raise Refusal(message, Exit.USAGE)


def _natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return value


def _parser() -> argparse.ArgumentParser:
    top = _Parser(
        prog="ofi-conform", description="Judge OFI providers against the specification and their own promises."
    )
    top.add_argument("--version", action="version", version=f"ofi-conform {tool()['version']}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    run = commands.add_parser("run", help="judge a target", description="Judge a target, all of it or a selection.")
    run.add_argument(
        "words", nargs="*", metavar="TARGET [SELECTION]", help="as libfabric:tcp OFI-RMA; ids, areas, chapters, cases"
    )
    run.add_argument("--all", action="store_true", help="judge every provider found here; words select")
    run.add_argument("--complete", action="store_true", help="exit 0 when the run completed, whatever the verdicts")
    run.add_argument("--area", action="append", default=[], metavar="AREA", help="the same as an area among the words")
    run.add_argument("--waivers", type=Path, metavar="FILE", help="failures that somebody answers for (TOML or JSON)")
    run.add_argument("--strict", action="store_true", help="INCONCLUSIVE fails the run")
    run.add_argument("-v", "--verbose", action="store_true", help="print every row")
    run.add_argument(
        "--profile", choices=sorted(PROFILES), default="default", help="how much work (default: %(default)s)"
    )
    run.add_argument(
        "--examples", type=_positive, metavar="N", help="inputs per property, instead of the profile's number"
    )
    run.add_argument("--config", action="append", default=[], metavar="NAME", help="judge only this configuration")
    _common(run)

    listing = commands.add_parser("list", help="requirements and the cases that decide them")
    listing.add_argument("selection", nargs="*", metavar="SELECTION")
    listing.add_argument("--cases-only", action="store_true", help="list the cases")
    _cases(listing)

    explain = commands.add_parser("explain", help="a requirement, in words")
    explain.add_argument("id", nargs="+", metavar="ID")
    _cases(explain)

    providers = commands.add_parser("providers", help="what can be judged here, and what it advertises")
    providers.add_argument("-v", "--verbose", action="store_true", help="every attribute of every configuration")
    providers.add_argument("target", nargs="*", metavar="TARGET", help="only these")

    judge = commands.add_parser("judge", help="decide a failure file again, or a litmus text, offline")
    judge.add_argument("file", type=Path, metavar="FILE")
    judge.add_argument("--explain", action="store_true", help="tell the time line and every judgement")

    replay = commands.add_parser("replay", help="run a failure file again")
    replay.add_argument("file", type=Path, metavar="FILE")
    replay.add_argument("--target", default="", help="another target than the file's")
    replay.add_argument("--count", type=_positive, default=10, metavar="N", help="runs (default: %(default)s)")
    _common(replay)

    faults = commands.add_parser("faults", help="providers broken on purpose, and whether the suite notices")
    fault_arguments(faults)

    schema = commands.add_parser("schema", help="print a JSON schema")
    schema.add_argument("name", nargs="?", metavar="NAME")
    return top


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, default=Path("result"), metavar="DIR", help="where reports go (default: %(default)s)"
    )
    parser.add_argument("--seed", type=_natural, metavar="N", help="default: a new one, which is printed")
    parser.add_argument("--fault", default="", metavar="NAME", help="break the provider on purpose")
    parser.add_argument(
        "--node",
        action="append",
        default=[],
        metavar="SPEC",
        help="where nodes run, as ssh=host//python=/path; once per node",
    )
    _cases(parser)


def _cases(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cases", type=Path, metavar="DIR", help=argparse.SUPPRESS)


def settings_of(words: argparse.Namespace, target: str, selection: Sequence[str] = ()) -> Settings:
    """What was asked, as values."""
    values = vars(words)
    more = {"cases": words.cases} if words.cases else {}
    return Settings(
        target=target,
        out=words.out,
        selection=tuple(selection),
        seed=words.seed if words.seed is not None else random.SystemRandom().randrange(10_000),
        profile=PROFILES[values.get("profile", "default")],
        examples=values.get("examples"),
        strict=values.get("strict", False),
        fault=words.fault,
        nodes=tuple(words.node),
        configurations=tuple(values.get("config", ())),
        waivers=values.get("waivers"),
        **more,
    )


def _dispatch(words: argparse.Namespace) -> Exit:
    from . import commands

    return {
        "run": commands.run,
        "list": commands.listing,
        "explain": commands.explain,
        "providers": commands.providers,
        "judge": commands.judge,
        "replay": commands.replay,
        "faults": commands.faults,
        "schema": commands.schema,
    }[words.command](words)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    try:
        return _dispatch(_parser().parse_args(arguments)).value
    except Refusal as refusal:
        print(f"ofi-conform: {refusal}", file=sys.stderr)
        return refusal.code.value
    except EvidenceError as error:
        print(f"ofi-conform: {error}", file=sys.stderr)
        return Exit.USAGE.value
    except BrokenPipeError:
        return Exit.PASS.value
    except KeyboardInterrupt:
        print("ofi-conform: interrupted", file=sys.stderr)
        return Exit.INTERRUPTED.value
    except Exception:
        traceback.print_exc()
        print("ofi-conform: this is an error of the suite, not of the provider", file=sys.stderr)
        return Exit.OURS.value


if __name__ == "__main__":
    sys.exit(main())
