"""What a trainer's step has beside its layers, and which way each part draws the speed-up."""

from __future__ import annotations

from fp8check.rules import models
from fp8check.rules.outcome.gpus import find
from fp8check.rules.outcome.peak_inputs import Step
from fp8check.rules.outcome.predict import predict
from fp8check.rules.outcome.speed import Point, Setup, predict_point
from fp8check.rules.outcome.whole_step import Rest, fixed_seconds, rest_of
from tests.support.runs import assembled_of
from tests.tools.gpu.llamas import config_of

MANY = 16384


def point(backend: str = "TE", micro_batches: int = 1, tokens: int = MANY, gpu: str = "H200", **step: object) -> Point:
    model, sheet = models.from_config(config_of("7B4"), "7B4", "config.json"), find(gpu)
    assert model is not None
    assert sheet is not None
    setup = Setup(sheet, backend, scope="model", rest=Rest(Step("BF16", tokens, **step), micro_batches))  # type: ignore[arg-type]
    return predict_point(model, tokens, setup)


def speedup(**given: object) -> float:
    found = point(**given).speedup  # type: ignore[arg-type]
    assert found is not None
    return found


def test_what_both_precisions_have_draws_to_one() -> None:
    plain = speedup(weights="bfloat16")
    assert 1 < speedup(weights="float32") < plain
    assert 1 < speedup(weights="bfloat16", strategy="ddp", processes=2) < plain
    assert 1 < speedup(weights="bfloat16", optimizer="adamw_torch") < plain
    assert speedup(weights="float32", micro_batches=8) > speedup(weights="float32")


def test_adapters_under_transformer_engine_are_slower_than_in_bf16() -> None:
    """Each is two layers of its own, and the base trains."""
    adapters = point(weights="bfloat16", lora_rank=16, tokens=4096)
    whole = point(weights="bfloat16", tokens=4096)
    assert adapters.bound == "launch"
    assert (adapters.fp8_ms or 0) > 2 * (whole.fp8_ms or 0)
    assert (adapters.high or 1) < 1
    # Of a rank that does not divide by 16 the adapters themselves stay as they are.
    assert speedup(weights="bfloat16", lora_rank=16) < speedup(weights="bfloat16", lora_rank=8)


def test_layers_that_are_computed_again_take_longer_in_both() -> None:
    again, once = point(checkpointing=True), point()
    assert again.bf16_ms > once.bf16_ms
    assert (again.fp8_ms or 0) > (once.fp8_ms or 0)


def test_hooks_of_zero_3_hide_what_fp8_gains() -> None:
    few = {"tokens": 4096, "processes": 2, "weights": "bfloat16"}
    assert speedup(strategy="zero3", **few) < speedup(strategy="zero2", **few)


def test_a_gpu_without_fp8_has_a_step_in_bf16_alone() -> None:
    assert point(gpu="A100").fp8_ms is None


def test_gpus_without_nvlink_exchange_slowly() -> None:
    model = models.from_config(config_of("7B4"), "7B4", "config.json")
    assert model is not None
    step = Step("BF16", MANY, strategy="ddp", processes=2)

    def exchanged(name: str) -> float:
        gpu = find(name)
        assert gpu is not None
        return fixed_seconds(model, step, gpu, 1) - fixed_seconds(model, step._replace(processes=1), gpu, 1)

    assert exchanged("L40S") > 5 * exchanged("H200")


def test_what_files_say_counts_and_the_rest_is_what_trainers_do() -> None:
    text = "model_name_or_path: Qwen/Qwen2.5-7B\nper_device_train_batch_size: 1\nmax_seq_length: 2048\n"
    accelerate = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n"
    run = assembled_of(
        {"training": text + "gradient_accumulation_steps: 4\noptim: sgd\n", "accelerate": accelerate}
    ).run
    told = rest_of(run, predict(run))
    assert (told.micro_batches, told.step.optimizer, told.step.strategy) == (4, "sgd", "single")
    odd = text + "gradient_accumulation_steps: many\noptim: of_my_own\n"
    run = assembled_of({"training": odd, "accelerate": accelerate}).run
    usual = rest_of(run, predict(run))
    assert (usual.micro_batches, usual.step.optimizer) == (1, "adamw_torch_fused")


def test_a_host_that_was_measured_leaves_less_open() -> None:
    model, sheet = models.from_config(config_of("7B4"), "7B4", "config.json"), find("H200")
    assert model is not None
    assert sheet is not None
    setup = Setup(sheet, scope="model", rest=Rest(Step("BF16", 4096)))
    open_ = predict_point(model, 4096, setup)
    fast, slow = (predict_point(model, 4096, setup._replace(host=ms)) for ms in (1.0, 6.0))
    for known in (fast, slow):
        assert (known.high or 0) - (known.low or 0) < (open_.high or 0) - (open_.low or 0)
    assert (fast.fp8_ms or 0) < (slow.fp8_ms or 0)
    assert (fast.speedup or 0) > (slow.speedup or 0)
