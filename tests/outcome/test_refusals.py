"""What trainers and packages refuse, beside what the cases of the rules have."""

from __future__ import annotations

import pytest

from tests.support.outcomes import outcome_of, seen
from tests.support.runs import report_of

AXOLOTL = {"trainer": "axolotl", "stack": {"accelerate": "1.15.0", "torchao": "0.17.0", "axolotl": "0.19.0"}}
BARE = {"accelerate": "1.15.0", "transformers": "5.17.0", "axolotl": "0.19.0"}
FP8 = {"model_type": "llama", "quantization_config": {"quant_method": "fbgemm_fp8"}}
LORA = {"trainer": "trl", "training": "use_peft: true\nbf16: true\n", "model": FP8}


@pytest.mark.parametrize(
    ("case", "ends"),
    [
        (AXOLOTL | {"training": "base_model: x\nfp8: true\nfp8_config: rowwise\n"}, "ValidationError (arguments)"),
        (AXOLOTL | {"training": "base_model: x\nfp8: true\n", "stack": BARE}, "ValidationError (arguments)"),
        (LORA, "ValueError (trainer)"),
    ],
)
def test_refused(case: dict[str, object], ends: str) -> None:
    assert seen(outcome_of(case)) == ends


FACTORY = "model_name_or_path: m\nstage: sft\ndo_train: true\nfinetuning_type: full\noutput_dir: o\n"
LAUNCHED = "accelerate launch --config_file accel.yaml -m llamafactory.launcher train.yaml"


def _factory(more: str) -> dict[str, object]:
    accelerate = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n"
    return {"trainer": "llamafactory", "launch": LAUNCHED, "training": FACTORY + more, "accelerate": accelerate}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("", "Please specify dataset for training."),
        ("dataset: null\n", "Please specify dataset for training."),
        ("dataset: d\nuse_galore: true\nuse_badam: true\n", "Cannot use GaLore, APOLLO or BAdam together."),
        (
            "dataset: d\nuse_apollo: true\nfinetuning_type: lora\n",
            "Cannot use LoRA with GaLore, APOLLO or BAdam together.",
        ),
    ],
)
def test_llamafactory_refuses(more: str, message: str) -> None:
    case = _factory(more)
    if "lora" in more:
        case["training"] = str(case["training"]).replace("finetuning_type: full\n", "")
    error = outcome_of(case).error
    assert error is not None
    assert (error.type, error.message) == ("ValueError", message)
    found = [one for one in report_of(case).findings if "ValueError" in one.message + one.label]
    assert [one.rule for one in found] == ["FP303"], "no rule of another trainer speaks of it"


@pytest.mark.parametrize("more", ["dataset: d\n", "dataset: ${DATA}\n", "dataset: d\nuse_galore: true\n"])
def test_llamafactory_takes(more: str) -> None:
    outcome = outcome_of(_factory(more))
    assert outcome.accelerator is not None, "it gets as far as Accelerator()"


TE = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n"


@pytest.mark.parametrize(
    ("packages", "told"),
    [
        ({"torch": "2.11.0", "transformer_engine": "2.20.2"}, "InternalTorchDynamoError"),
        ({"torch": "2.12.0", "transformer_engine": "2.20.2"}, "train.yaml:2 compiles the model: with torch 2.11"),
        ({"torch": "2.12.0", "transformer_engine": "2.14.0"}, ""),
    ],
)
def test_compiled_layers_end_where_that_was_seen_and_are_left_open_elsewhere(
    packages: dict[str, str], told: str
) -> None:
    stack = {"accelerate": "1.15.0", "transformers": "5.17.0", **packages}
    outcome = outcome_of({"training": "output_dir: o\ntorch_compile: true\n", "accelerate": TE, "stack": stack})
    if outcome.error is not None:
        assert outcome.error.type == told
    else:
        assert ("" if outcome.undecided is None else outcome.undecided.what).startswith(told)
        assert (outcome.undecided is None) is (told == "")


@pytest.mark.parametrize(
    ("more", "ends"),
    [
        ("ddp_backend: nccl\n", "ValueError (arguments)"),
        ("ddp_backend: null\n", None),
        ("ddp_backend: ${BACKEND}\n", None),
    ],
)
def test_a_backend_of_processes_where_there_is_one(more: str, ends: str | None) -> None:
    outcome = outcome_of({"training": f"output_dir: o\n{more}", "accelerate": TE})
    assert (None if outcome.error is None else seen(outcome)) == ends
