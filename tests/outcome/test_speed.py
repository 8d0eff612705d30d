"""Whether FP8 pays: where nothing can be said, and what is advised instead."""

from __future__ import annotations

import pytest

from fp8check.rules.outcome import predict
from fp8check.rules.outcome.speed import (
    LIKELY_FASTER,
    LIKELY_SLOWER,
    Setup,
    Speed,
    advise,
    in_words,
    pays_from,
    predict_point,
    predict_speed,
    setup_of,
    speed_up,
)
from tests.support.runs import assembled_of

SMALL = "model_name_or_path: Qwen/Qwen2.5-0.5B\nper_device_train_batch_size: 1\nmax_seq_length: 512\n"
LARGE = "model_name_or_path: Qwen/Qwen2.5-7B\nper_device_train_batch_size: 1\nmax_seq_length: 2048\n"
TE = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n"
AO = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: AO, enable_fsdp_float8_all_gather: false}\n"


def run(training: str = LARGE, accelerate: str = TE, **rest: object) -> tuple[object, object]:
    one = assembled_of({"training": training, "accelerate": accelerate, **rest}).run
    return one, predict(one)


@pytest.mark.parametrize(
    ("training", "rest"),
    [
        (LARGE.replace("Qwen/Qwen2.5-7B", "nobody/has-this"), {}),
        (LARGE.replace("Qwen/Qwen2.5-7B", "mistralai/Mixtral-8x7B-v0.1"), {}),
        ("model_name_or_path: Qwen/Qwen2.5-7B\nper_device_train_batch_size: many\nmax_seq_length: 512\n", {}),
        ("model_name_or_path: Qwen/Qwen2.5-7B\nper_device_train_batch_size: 1\n", {}),
        (LARGE, {"gpu": "8.0"}),
        (LARGE, {"gpu": "12.0"}),
    ],
)
def test_nothing_is_said_where_it_is_not_known(training: str, rest: dict[str, object]) -> None:
    assert predict_speed(*run(training, **rest)) is None  # type: ignore[arg-type]


def test_what_has_no_backend_has_no_setup() -> None:
    assert setup_of(*run(accelerate="distributed_type: 'NO'\nmixed_precision: bf16\n")) is None  # type: ignore[arg-type]
    assert "more tokens" in advise(*run(accelerate="distributed_type: 'NO'\nmixed_precision: bf16\n"))  # type: ignore[arg-type]


def test_a_small_model_is_told_to_stay_in_bf16_and_the_summary_promises_nothing_else() -> None:
    small = run(SMALL)
    speed = predict_speed(*small)  # type: ignore[arg-type]
    assert speed is not None
    assert speed.high < 1.0
    assert speed.pays_from is None
    assert advise(*small).startswith("BF16 is faster")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("low", "predicted", "high", "bound", "measured", "words"),
    [
        (0.5, 0.7, 0.9, "launch", False, "slower"),
        (0.8, 0.9, 0.99, "memory", False, "slower"),
        (1.01, 1.1, 1.2, "gemm", False, "faster"),
        (0.5, 0.7, 1.1, "launch", False, "probably slower"),
        (0.9, 1.3, 1.5, "launch", False, "probably faster"),
        (0.7, 1.1, 1.4, "launch", False, "0.7x to 1.4x by the host: --probe measures it"),
        (0.9, 1.0, 1.1, "memory", False, "0.9x to 1.1x: --probe measures it"),
        (0.7, 1.1, 1.4, "launch", True, "0.7x to 1.4x by the host"),
        (0.7, LIKELY_SLOWER, 1.4, "gemm", True, "0.7x to 1.4x"),
        (0.7, LIKELY_FASTER, 1.4, "gemm", True, "0.7x to 1.4x"),
    ],
)
def test_words(low: float, predicted: float, high: float, bound: str, measured: bool, words: str) -> None:
    assert in_words(Speed(predicted, low, high, 2048, None, bound, "why"), measured=measured) == words


def test_it_pays_from_where_it_is_likely_faster() -> None:
    one, _ = run()
    model = one.model  # type: ignore[attr-defined]
    setup = Setup(_h200())
    needed = pays_from(model, setup)
    assert needed is not None
    assert (predict_point(model, needed, setup).speedup or 0) >= LIKELY_FASTER
    assert (predict_point(model, needed // 2, setup).speedup or 0) < LIKELY_FASTER


def test_the_smallest_change_is_named() -> None:
    text = advise(*run())  # type: ignore[arg-type]
    assert "it pays from 8,192 tokens" in text
    assert advise(*run(accelerate=AO)).startswith("it pays with torch_compile: true from 4,096 tokens")  # type: ignore[arg-type]


def test_compiled_torchao_may_be_told_of_transformer_engine() -> None:
    text = advise(*run(LARGE.replace("2048", "512") + "torch_compile: true\n", AO))  # type: ignore[arg-type]
    assert "it pays from 4,096 tokens" in text


def test_speed_up_is_that_of_the_measured_gpu() -> None:
    one, _ = run()
    model = one.model  # type: ignore[attr-defined]
    assert speed_up(model, 16384) == pytest.approx(predict_point(model, 16384, Setup(_h200())).speedup)
    assert speed_up(model, 16384) > 1.2
    assert speed_up(model, 512) < 1.0


def test_a_tied_head_has_no_second_embedding_to_update() -> None:
    one, _ = run()
    model = one.model  # type: ignore[attr-defined]
    setup = Setup(_h200(), "TE", False, "model")
    untied, tied = (predict_point(model._replace(tied=flag), 2048, setup).bf16_ms for flag in (False, True))
    assert tied < untied


def _h200() -> object:
    from fp8check.rules.outcome.gpus import find

    return find("NVIDIA H200")


def test_no_gain_is_promised_where_the_backward_pass_is_not_in_fp8() -> None:
    many = LARGE.replace("2048", "8192")
    reentrant = "gradient_checkpointing: true\ngradient_checkpointing_kwargs: {use_reentrant: true}\n"
    assert predict_speed(*run(many)) is not None  # type: ignore[arg-type]
    assert predict_speed(*run(many + reentrant)) is None  # type: ignore[arg-type]
    loss = predict_speed(*run(SMALL + reentrant))  # type: ignore[arg-type]
    assert loss is not None
    assert loss.predicted < 1
