"""The files of one case: its configuration where the launcher looks, and the observation that it leaves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tools.conformance.cases import Case, Observed

RESULT = "observed.json"


def write(folder: Path, observed: Observed) -> None:
    """Leave the observation for who started the case; whole, since a reader may look at any time."""
    partial = folder / (RESULT + ".part")
    partial.write_text(json.dumps(observed, default=str), encoding="utf-8")
    partial.replace(folder / RESULT)


def lay_out(case: Case, folder: Path, home: Path) -> str | None:
    """Write the case's Accelerate configuration where its launch looks for it; the path of a flag's file."""
    default = home / "accelerate" / "default_config.yaml"
    default.unlink(missing_ok=True)
    config = case["accelerate_config"]
    if config is None:
        return None
    named = case["launch"]["config_via"] == "flag"
    path = folder / "accelerate.yaml" if named else default
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return str(path) if named else None


def gpus(case: Case) -> int:
    """How many GPUs the machine of the case has: as many as it starts processes, at least one."""
    return max(1, int(case["launch"]["processes"]), int(case["gpu"].get("count", 1)))
