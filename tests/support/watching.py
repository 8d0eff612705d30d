"""What the tests of `fp8check run` share: small programs that train, started for real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROGRAMS = ROOT / "tests" / "run" / "programs"
FP8CHECK = (sys.executable, "-c", "from fp8check.cli import run; run()")


class Ran:
    """A command that has ended: its exit code, what it printed, and what was seen; None without a verdict."""

    def __init__(self, done: subprocess.CompletedProcess[str], evidence: Path) -> None:
        self.code, self.output, self.errors = done.returncode, done.stdout, done.stderr
        self.seen: dict[str, Any] = json.loads(evidence.read_text()) if evidence.exists() else {}

    @property
    def undecided(self) -> str:
        """What is undecided, in one text."""
        return "\n".join(self.seen["undecided"])

    @property
    def rules(self) -> list[str]:
        """The rules that say what differs."""
        return [one["rule"] for one in self.seen["differences"]]


def shell(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of a program: of one thread, for several run side by side."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ACCELERATE_", "FP8"))}
    kept.pop("PYTHONPATH", None)
    return {**kept, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true", **(more or {})}


def start(
    words: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None, limit_s: float = 150
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        list(words),
        cwd=folder,
        env=shell(environ),
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def watched(
    words: Sequence[str],
    folder: Path,
    *options: str,
    environ: Mapping[str, str] | None = None,
    limit_s: float = 150,
) -> Ran:
    """Run a command under `fp8check run`; --force, for on a CPU there is always an error."""
    evidence = folder / "evidence.json"
    evidence.unlink(missing_ok=True)
    mine = ("run", "--force", "--no-config", "--evidence", str(evidence), *options, "--")
    return Ran(start([*FP8CHECK, *mine, *words], folder, environ, limit_s), evidence)


def torch_python() -> str:
    """An interpreter with torch: that of the probe's tests, or the base of the conformance stacks."""
    named = os.environ.get("FP8CHECK_PROBE_PYTHON")
    places = [Path(named)] if named else []
    places += [ROOT / ".probe-env" / "bin" / "python", ROOT / ".conformance" / "base" / "bin" / "python"]
    for place in places:
        if place.exists():
            return str(place)
    pytest.skip("no interpreter with torch: make probe-env, or FP8CHECK_PROBE_PYTHON")
