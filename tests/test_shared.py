"""Predictions and findings on material that lies beside the repository; skipped where it is absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from fp8check.rules.outcome import predict
from fp8check.rules.reading import Unreadable
from tests.corpus import reports
from tests.score import differences, load, run_of

SHARED = Path(__file__).parent.parent.parent / "shared"
CASES = SHARED / "observed" / "cases.jsonl"
CORPUS = SHARED / "corpus"
EVIDENCE = Path(__file__).parent.parent / "docs" / "evidence"

# In the first two the stand-in for Transformer Engine used plain classes; the published recipes are pydantic
# dataclasses, where an assertion arrives as a ValidationError. docs/evidence/h200-cases.jsonl, case e5m2, is the real
# package. The others say fp8 for LLaMA-Factory 0.9.4, which reads fp8 from model_args and hands model_args to no
# trainer (train/sft/workflow.py, train/pt/workflow.py at 0.9.4): executed again with the real package, they end as bf16.
RECORD_IS_WRONG = {"fmt-E5M2-A", "x-override100-B-1.11.0"} | {
    f"fz-{number}" for number in ("001", "042", "173", "216", "222", "247", "277", "288", "307")
}

# Findings at error level on the corpus, each looked at: a file that Accelerate's tests keep to be wrong (invalid_keys),
# and the tuple written as a string in Accelerate's own test file, which its launcher of today cannot take.
ERRORS_ON_THE_CORPUS = {
    ("accelerate/tests/test_configs/invalid_keys.yaml", "FP302"),
    ("accelerate/tests/test_configs/0_34_0_fp8.yaml", "FP204"),
}


@pytest.mark.skipif(not CASES.exists(), reason="no executed cases beside the repository")
def test_executed_cases_are_predicted() -> None:
    wrong = {case["id"]: differences(case, predict(run_of(case))) for case in load(CASES)}
    assert {name for name, misses in wrong.items() if misses} == RECORD_IS_WRONG


@pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the repository")
def test_the_corpus_is_read_and_nothing_is_called_an_error_that_is_none() -> None:
    results = reports(CORPUS)
    assert len(results) > 100
    assert [name for name, result in results.items() if isinstance(result, Unreadable)] == []
    found = {
        (name, finding.rule)
        for name, result in results.items()
        if not isinstance(result, Unreadable)
        for finding in result.findings
        if finding.severity == "error"
    }
    assert found == ERRORS_ON_THE_CORPUS
    assert all(not result.crashes for result in results.values() if not isinstance(result, Unreadable))
