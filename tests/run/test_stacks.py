"""`fp8check run` on real trainers and launchers of the conformance stacks: what it says is what a recorder saw.

Each case runs three times (tests/tools/gpu/run_cases.py). TEST_RUN=all (make run-test) runs them where .conformance is.
TEST_RUN=trainers (make conformance-sample) runs those of SAMPLE, and installs there what they lack.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.tools.conformance import stacks

CONFORMANCE = ROOT / ".conformance"
KNOWN = stacks.known()
STACKS = {**KNOWN, "newest-trl": {**KNOWN["newest-trl"], "torchao": "0.18.0"}}
CASES = [
    ("newest", ("own-ao", "own-ao-frozen", "torchao-alone", "bf16")),
    ("newest", ("own-ao-fsdp2",)),
    ("newest-te", ("own-te", "trainer-te", "trainer-te-bf16", "leftover", "te-autocast", "te-autocast-torchrun")),
    ("newest-lf", ("lf-ao-full",)),
    ("newest-trl", ("trl-ao",)),
]
SAMPLE = ("newest-lf", "newest-trl")
ASKED = os.environ.get("TEST_RUN")


@pytest.mark.parametrize(("stack", "cases"), CASES, ids=lambda one: one if isinstance(one, str) else one[0])
def test_what_was_seen_is_what_was_recorded(stack: str, cases: tuple[str, ...], tmp_path: Path) -> None:
    if ASKED == "trainers" and stack in SAMPLE:
        stacks.prepare(CONFORMANCE.resolve(), [STACKS[stack]])
    elif ASKED != "all":
        pytest.skip("make run-test, and of some make conformance-sample")
    folders = stacks.folders(STACKS[stack], CONFORMANCE.resolve())
    if not all(folder.exists() for folder in folders):
        pytest.skip("make conformance installs this stack")
    root = CONFORMANCE.resolve()
    tool = [str(stacks.python(root)), "-m", "tests.tools.gpu.run_cases", str(tmp_path / "out.jsonl"), "--tiny"]
    sizes = ["--gpus", "2", "--steps", "14", "--home", str(tmp_path / "home")]
    done = subprocess.run(
        [*tool, *sizes, "--only", *cases],
        cwd=ROOT,
        env=stacks.environment(STACKS[stack], root),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    told = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {one["name"]: one["wrong"] for one in told} == {name: [] for name in cases}, done.stdout
    assert all(one["losses"]["apart"] == 0.0 for one in told)
