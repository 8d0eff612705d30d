"""What is in the watcher's way: a run that is as requested without it, and that nobody takes for that with it.

A CPU has no kernels, so that each verdict would be undecided there by itself: tests/run/pretended gives the products of
torchao's layers the names of kernels, as the profiler recorded them. TEST_RUN=all (make run-test) tries all of them.
"""

from __future__ import annotations

import os
import re

import pytest

from tests.support.paths import ROOT
from tests.support.watching import PROGRAMS, torch_python, watched

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.watching import Ran

# The word that the program gets, and what is undecided then.
FAULTS = {
    "profiler-records-nothing": "the watched steps did not show a GEMM: the profiler recorded none",
    "profiler-loses-the-backward-pass": "what both passes multiplied: the profiler recorded one of them alone",
    "profiler-does-not-start": "the watcher failed: ZeroDivisionError",
    "profiler-does-not-stop": "the watcher failed: ZeroDivisionError",
    "profiled": "the program's own profiler was on",
    "hooks-removed": "the program ended when 1 of 8 steps had been seen",
    "backward-replaced": "the program ended when 1 of 8 steps had been seen",
    "no-backward-pass": "rank 0 did not come to the end of the look",
    "step-replaced": "weights move, and no optimizer's step was seen",
    "optimizer-of-its-own": "weights move, and no optimizer's step was seen",
    "compiled-optimizer": "weights move, and no optimizer's step was seen",
    "graph": "no optimizer's step was seen",
    "meta": "whether 5 weights move: its values are not here any more",
    "frozen-heap": "no module that trains is among what Python's garbage collector knows of",
    "rank-without-watcher": "rank 1 of 2 told nothing",
    "ranks-with-one-name": "rank 1 of 2 told nothing",
    "watch-is-removed": "the temporary folder is gone",
    "watch-is-removed-later": "the temporary folder is gone",
    "watch-is-full": "the temporary folder is gone",
}
SAMPLE = (
    "profiler-records-nothing",
    "hooks-removed",
    "step-replaced",
    "watch-is-removed-later",
    "rank-without-watcher",
)


def ran(how: str, folder: Path) -> Ran:
    """The program, watched."""
    path = [str(ROOT / "tests" / "run" / "pretended")]
    if torch_python().startswith(str(ROOT / ".conformance")):
        from tests.tools.conformance import stacks

        path.append(stacks.environment(stacks.known()["newest"], (ROOT / ".conformance").resolve())["PYTHONPATH"])
    words = [torch_python(), "-W", "ignore", str(PROGRAMS / "asked.py"), *filter(None, [how])]
    return watched(words, folder, "--require-evidence", environ={"PYTHONPATH": os.pathsep.join(path)})


def test_without_a_fault_it_is_as_requested(tmp_path: Path) -> None:
    seen = ran("", tmp_path)
    assert (seen.code, seen.seen["verdict"], seen.seen["undecided"]) == (0, "as requested", []), seen.errors
    assert seen.seen["gemms"] == {"fprop": 2, "dgrad": 2, "wgrad": 2, "other": 0}
    assert seen.seen["moved"] == {"expected": 5, "moved": 5, "still": [], "why": ""}
    assert (seen.seen["layers"]["converted"], seen.seen["layers"]["total"]) == (2, 2)


@pytest.mark.parametrize("how", FAULTS)
def test_with_a_fault_it_is_undecided_and_the_program_does_not_learn_of_it(how: str, tmp_path: Path) -> None:
    if how not in SAMPLE and os.environ.get("TEST_RUN") != "all":
        pytest.skip("make run-test")
    seen = ran(how, tmp_path)
    assert seen.seen["verdict"].startswith("undecided"), seen.seen
    assert FAULTS[how] in seen.undecided, seen.undecided
    assert seen.code == 3
    assert re.search(r"^11 \d", seen.output, re.MULTILINE), "it trains to its end"


@pytest.mark.skipif(os.environ.get("TEST_RUN") != "all", reason="make run-test")
def test_a_clock_that_stands_still_tells_no_time(tmp_path: Path) -> None:
    seen = ran("clock-stands-still", tmp_path)
    assert (seen.seen["verdict"], seen.seen["ms"], seen.seen["tokens_per_s"]) == ("as requested", None, None)


def test_the_documentation_has_each_of_them() -> None:
    text = (ROOT / "docs" / "run.md").read_text()
    table = text.partition("## What may be in its way")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE) == list(FAULTS)
