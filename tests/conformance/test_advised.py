"""Runs as fp8check's own advice left them, executed: each starts and trains in FP8, as its plan had said.

`python -m tests.tools.conformance.commands.advised` makes them, of recorded commands that were not good and of what init
writes; `python -m tests.tools.conformance.commands.run --cases` executed them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.tools.conformance.commands import advised, compare, recorded, run

ADVISED = recorded.read(Path(__file__).parent / "advised.jsonl")


def test_what_was_advised_trains_in_fp8() -> None:
    assert len(ADVISED) >= 940
    observed = {case["id"]: case["observed"] for case in ADVISED}
    assert {name: one["error"] for name, one in observed.items() if not one["started"]} == {}
    # TRL's own loss from 1.9 on multiplies with the head's weight itself, which Transformer Engine has converted.
    left = {case["id"]: _outside(case["observed"]) for case in ADVISED if case["stack"].get("trl") != "1.16.0"}
    assert {name: number for name, number in left.items() if number} == {}
    assert max(_outside(one) for one in observed.values()) <= 1


def _outside(observed: dict[str, Any]) -> int:
    """How many of the converted layers did not run in FP8."""
    assert observed["fp8_linears_run"]
    return int(observed["linears"]["te"] or observed["linears"]["torchao"]) - int(observed["fp8_linears_run"])


def test_it_was_predicted() -> None:
    answers = [(case, one) for case, one in compare.compared(ADVISED)]
    wanted = {case["id"]: "right" if case["undecided"] is None else "undecided" for case in ADVISED}
    assert {case["id"]: one.verdict for case, one in answers} == wanted
    assert sum(one.verdict == "right" for _, one in answers) >= 800


def test_they_are_distinct_and_of_every_trainer_backend_and_way_to_spread() -> None:
    runs = {json.dumps([case[name] for name in advised.RUN], sort_keys=True) for case in ADVISED}
    assert len(runs) == len(ADVISED)
    of_init = [case["id"] for case in ADVISED if case["class"] == "init"]
    assert {name.split("-")[1] for name in of_init} == {*advised.STACKS}
    seen = {(case["observed"]["backend"], case["observed"]["distributed_type"]) for case in ADVISED}
    assert seen >= {
        ("TE", "NO"),
        ("AO", "NO"),
        ("TE", "MULTI_GPU"),
        ("AO", "MULTI_GPU"),
        ("AO", "FSDP"),
        ("TE", "DEEPSPEED"),
    }


def test_the_sample_is_what_ci_has_time_for() -> None:
    assert 8 <= len(run.sample(ADVISED)) <= 24
