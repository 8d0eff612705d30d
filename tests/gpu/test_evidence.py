"""The predictions still agree with what a GPU did, and the speed model with what it measured."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest

from fp8check.rules import models
from fp8check.rules.outcome import predict
from fp8check.rules.outcome.speed import speed_up
from tests.gpu.cases import CASES
from tests.gpu.compare import gpu_differences, gpu_run
from tests.score import load

EVIDENCE = Path(__file__).parent.parent.parent / "docs" / "evidence"
RECORDED = load(EVIDENCE / "h200-cases.jsonl")


def test_every_case_was_recorded() -> None:
    assert {case["id"] for case in RECORDED} == {case["id"] for case in CASES}


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: str(case["id"]))
def test_prediction_agrees_with_the_gpu(case: dict[str, object]) -> None:
    assert gpu_differences(case, predict(gpu_run(case))) == []


def test_speed_model_agrees_with_the_measurements() -> None:
    shapes = {
        "0.5B": (896, 4864, 14, 2),
        "1.5B": (1536, 8960, 12, 2),
        "3B": (2048, 11008, 16, 2),
        "7B": (3584, 18944, 28, 4),
        "8B": (4096, 14336, 32, 8),
        "14B": (5120, 13824, 40, 8),
        "32B": (5120, 27648, 40, 8),
        "70B": (8192, 28672, 64, 8),
    }
    errors, wrong_sign = [], []
    for line in (EVIDENCE / "h200-speed.jsonl").read_text().splitlines():
        point = json.loads(line)
        hidden, intermediate, heads, kv_heads = shapes[point["shape"]]
        config = {
            "model_type": "llama",
            "hidden_size": hidden,
            "intermediate_size": intermediate,
            "num_attention_heads": heads,
            "num_key_value_heads": kv_heads,
            "num_hidden_layers": 2,
            "vocab_size": 32000,
        }
        model = models.from_config(config, point["shape"], "config.json")
        assert model is not None
        predicted, measured = speed_up(model, point["tokens"]), point["speed_up"]
        errors.append(abs(predicted / measured - 1))
        if not 0.95 <= measured <= 1.05 and (predicted > 1) != (measured > 1):
            wrong_sign.append((point["shape"], point["tokens"]))
    assert statistics.median(errors) <= 0.10
    assert sorted(errors)[-3] <= 0.25
    assert wrong_sign == [("3B", 8192)]
