"""The predictions still agree with what a GPU did."""

from __future__ import annotations

from pathlib import Path

import pytest

from fp8check.rules.outcome import predict
from tests.tools.gpu.cases import CASES
from tests.tools.gpu.compare import OUTSIDE, gpu_differences, gpu_run
from tests.tools.score import load

EVIDENCE = Path(__file__).parent.parent.parent / "docs" / "evidence"
RECORDED = load(EVIDENCE / "h200-cases.jsonl")


def test_every_case_was_recorded() -> None:
    assert {case["id"] for case in RECORDED} == {case["id"] for case in CASES}


@pytest.mark.parametrize(
    "case", [case for case in RECORDED if case["id"] not in OUTSIDE], ids=lambda case: str(case["id"])
)
def test_prediction_agrees_with_the_gpu(case: dict[str, object]) -> None:
    assert gpu_differences(case, predict(gpu_run(case))) == []
