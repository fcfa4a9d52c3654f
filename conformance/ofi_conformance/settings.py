# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a run was asked to do: plain values, decided by the command line and read by everybody."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Profile:
    """How much work a run is. Times are seconds and never decide a verdict."""

    name: str
    examples: int
    """Inputs per property."""
    reruns: int
    """How often a shrunk failure is run again, to tell its rate."""
    shrink_seconds: float
    local_bound: float
    """How long a wait in a case body lasts at most."""
    body_bound: float = 30.0
    """How long a case body may be silent before its node counts as hung."""
    wait: float = 5.0
    """How long a Program waits for what must come."""


PROFILES = {
    "trial": Profile("trial", examples=8, reruns=1, shrink_seconds=0.5, local_bound=1.5, body_bound=15.0, wait=1.5),
    "quick": Profile("quick", examples=8, reruns=3, shrink_seconds=5.0, local_bound=3.0),
    "default": Profile("default", examples=20, reruns=5, shrink_seconds=10.0, local_bound=3.0),
    "release": Profile("release", examples=400, reruns=20, shrink_seconds=120.0, local_bound=10.0, body_bound=90.0),
}


@dataclass(frozen=True)
class Settings:
    """One run of one target."""

    target: str
    out: Path
    selection: tuple[str, ...] = ()
    seed: int = 0
    profile: Profile = PROFILES["default"]
    examples: int | None = None
    strict: bool = False
    fault: str = ""
    nodes: tuple[str, ...] = ()
    """Gateways of the nodes, as ``NodeSpec.parse`` reads them; empty: processes on this machine."""
    configurations: tuple[str, ...] = ()
    """Names of configurations to judge; empty: all."""
    waivers: Path | None = None
    cases: Path = field(default_factory=lambda: cases_directory())

    @property
    def budget(self) -> int:
        """Inputs per property."""
        return self.profile.examples if self.examples is None else self.examples

    @property
    def database(self) -> Path:
        """Where inputs that failed are kept for the next run into the same directory."""
        return self.out / ".examples" / (self.fault or "unbroken")


def cases_directory() -> Path:
    """The cases: beside the package in a source tree, inside it when installed."""
    package = Path(__file__).resolve().parent
    for place in (package / "_cases", package.parent / "cases"):
        if place.is_dir():
            return place
    raise FileNotFoundError("the conformance cases are not installed")
