"""What GPUs showed of `fp8check run`, and of what FP8 is worth to real trainers: the statements of docs hold."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.tools.gpu.run_cases import CASES
from tests.tools.gpu.worth_cases import runs

EVIDENCE = Path(__file__).parents[2] / "docs" / "evidence"


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (EVIDENCE / name).read_text(encoding="utf-8").splitlines()]


RUN = {row["name"]: row for row in _rows("h200-run.jsonl")}
POINTS = _rows("worth-points.jsonl")


def test_every_case_was_run() -> None:
    assert set(RUN) == {case["name"] for case in CASES}
    assert sum(row["gpus"] == 2 for row in RUN.values()) >= 9


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_what_was_seen_is_real(case: dict[str, Any]) -> None:
    row = RUN[case["name"]]
    assert row["agrees"]
    assert row["wrong"] == []
    assert row["losses"]["apart"] == row["losses"]["two unwatched"] == 0.0
    seen, real = row["seen"], row["real"]
    if seen["gemms"] is not None:
        recorded = real["kernels"]["backward"] - real["again"]
        assert seen["gemms"]["fprop"] == real["kernels"]["forward"]
        assert seen["gemms"]["dgrad"] + seen["gemms"]["wgrad"] == recorded


def test_what_is_wrong_on_purpose_does_not_pass() -> None:
    wrong = [case for case in CASES if not case["right"]]
    assert len(wrong) >= 6
    for case in wrong:
        assert RUN[case["name"]]["verdict"].startswith("not as requested")
        assert case["rule"] in RUN[case["name"]]["rules"]


def test_both_precisions_side_by_side_are_as_they_are_separately() -> None:
    """Memory in all; the time of a step where steps wait for the GPU: in the others the host decides, and differs."""
    found = _rows("h200-compared.jsonl")
    assert len(found) >= 4
    close = 0
    for row in found:
        tried, alone = row["compared"], row["separate"]
        assert tried["peak_gib"] == pytest.approx(alone["peak_gib"], rel=0.001)
        apart = [abs(tried["ms"][one]["median"] / alone["ms"][one] - 1) for one in ("fp8", "bf16")]
        close += max(apart) <= 0.03
        assert max(apart) <= 0.07
    assert close >= 2


def test_points_are_of_fp8_and_of_bf16() -> None:
    names = {one["name"] for _, one in runs()}
    predicted = json.loads((EVIDENCE / "worth-predicted.json").read_text(encoding="utf-8"))
    assert len(POINTS) >= 40
    assert sum(one["gpus"] == 2 for one in POINTS) >= 10
    assert {one["tokens"] for one in POINTS} >= {1024, 16384}
    assert {one["strategy"] for one in POINTS} == {"single", "DDP", "FSDP2", "ZeRO-2", "ZeRO-3"}
    for one in POINTS:
        assert one["name"] in names & set(predicted)
        assert min(one["kernels"]["fp8"].values()) > 0
        assert max(one["kernels"]["bf16"].values()) == 0
        assert one["speedup"] == pytest.approx(one["ms"]["bf16"] / one["ms"]["fp8"], abs=1e-3)


def test_how_far_off_the_predictions_were() -> None:
    """docs/worth.md and the list of evidence have these figures."""
    predicted = json.loads((EVIDENCE / "worth-predicted.json").read_text(encoding="utf-8"))
    known = [(predicted[one["name"]], one["speedup"]) for one in POINTS if predicted[one["name"]].get("speedup")]
    off = [abs(said["speedup"] / real - 1) for said, real in known]
    inside = [said["range"][0] <= real <= said["range"][1] for said, real in known]
    signs = [(said["speedup"] > 1) == (real > 1) for said, real in known if not 0.95 <= real <= 1.05]
    assert (round(median(off), 2), round(max(off), 2)) == (0.30, 1.91)
    assert (len(known), sum(inside), sum(signs), len(signs)) == (45, 18, 36, 42)
    text = (EVIDENCE.parent / "worth.md").read_text(encoding="utf-8")
    assert "off by 30 % in the median and by 191 % at worst" in text
    assert "right about faster or slower in 36 of 42" in text
