"""`make test-gpu`: every probe of probe_cases.py, executed here; FP8CHECK_RECORD names a folder that keeps the records.

Needs a GPU of compute capability 9.0 and an environment with torch, accelerate, Transformer Engine, torchao and peft.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tools.gpu.expected import EXPECTED, differences

pytestmark = pytest.mark.gpu
LIMIT_S = 1800


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All records by their case's name."""
    if shutil.which("nvidia-smi") is None:
        pytest.skip("no GPU")
    folder = Path(os.environ.get("FP8CHECK_RECORD") or tmp_path_factory.mktemp("records"))
    out, faults = folder / "probe.jsonl", folder / "faults.jsonl"
    command = [sys.executable, "-m", "tests.tools.gpu.probe_cases", "--out", str(out), "--faults", str(faults)]
    subprocess.run([*command, "--jobs", os.environ.get("FP8CHECK_JOBS", "2")], check=True, timeout=LIMIT_S)
    lines = [*out.read_text().splitlines(), *faults.read_text().splitlines()]
    return {record["id"]: record for record in map(json.loads, lines)}


@pytest.mark.parametrize("name", EXPECTED)
def test_probe_shows_what_it_has_to(name: str, records: dict[str, Any]) -> None:
    assert differences(name, records[name]) == []


@pytest.mark.parametrize("name", ["te", "ao-gather-off", "no-backend-bf16"])
def test_verdict_within_15_s_past_the_imports(name: str, records: dict[str, Any]) -> None:
    seconds = records[name]["probe"]["seconds"]
    assert seconds["total"] - seconds["imports"] <= 15
