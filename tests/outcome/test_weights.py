"""What the weights are kept in when prepare() gets them."""

from __future__ import annotations

import pytest

from fp8check.rules.outcome import predict
from tests.support.outcomes import LLAMA
from tests.support.runs import assembled_of

FACTORY = "model_name_or_path: x\nstage: sft\nfinetuning_type: full\n"
LORA = FACTORY.replace("full", "lora")
PLAIN = "model_name_or_path: x\noutput_dir: out\n"
OLD = {"accelerate": "1.7.0", "transformers": "4.53.3", "llamafactory": "0.9.3"}
ACCELERATE = "distributed_type: 'NO'\nmixed_precision: fp8\n"


def weights(training: str, **rest: object) -> object:
    one = assembled_of({"training": training, "accelerate": ACCELERATE, **rest}).run
    kept = one.training.weights(predict(one).stack, one.model)
    return None if kept is None else (kept.value, kept.origin.describe())


@pytest.mark.parametrize(
    ("training", "rest", "expected"),
    [
        (FACTORY, {"trainer": "llamafactory"}, ("float32", "llamafactory 0.9.5 model/adapter.py")),
        (
            FACTORY + "pure_bf16: false\ntorch_dtype: float16\n",
            {"trainer": "llamafactory"},
            ("float32", "llamafactory 0.9.5 model/adapter.py"),
        ),
        (FACTORY.replace("full", "freeze"), {"trainer": "llamafactory"}, None),
        (FACTORY + "pure_bf16: true\n", {"trainer": "llamafactory"}, None),
        (
            FACTORY + "use_badam: true\n",
            {"trainer": "llamafactory", "model": {**LLAMA, "dtype": "float32"}},
            ("float32", "the model's config.json"),
        ),
        (FACTORY + "pure_bf16: true\n", {"trainer": "llamafactory", "stack": OLD}, ("bfloat16", "train.yaml:4")),
        (
            FACTORY + "use_badam: true\nfp16: true\n",
            {"trainer": "llamafactory", "stack": OLD},
            ("float16", "train.yaml:5"),
        ),
        (FACTORY + "use_badam: true\n", {"trainer": "llamafactory", "stack": OLD}, None),
        (LORA, {"trainer": "llamafactory"}, None),
        (LORA + "bf16: true\n", {"trainer": "llamafactory", "stack": OLD}, ("bfloat16", "train.yaml:4")),
        (
            LORA,
            {"trainer": "llamafactory", "model": {**LLAMA, "dtype": "bfloat16"}},
            ("bfloat16", "the model's config.json"),
        ),
        (PLAIN + "torch_dtype: float16\n", {}, ("float16", "train.yaml:3")),
        (PLAIN + "dtype: bfloat16\n", {"trainer": "trl"}, ("bfloat16", "train.yaml:3")),
        ("base_model: x\ntorch_dtype: float16\n", {"trainer": "axolotl"}, ("bfloat16", "default of axolotl 0.19.0")),
        ("base_model: x\nfp16: true\n", {"trainer": "axolotl"}, ("float16", "train.yaml:2")),
        ("base_model: x\nbf16: false\nfloat16: true\n", {"trainer": "axolotl"}, ("float16", "train.yaml:3")),
        ("base_model: x\nbf16: full\n", {"trainer": "axolotl"}, ("bfloat16", "train.yaml:2")),
        (
            "base_model: x\nbf16: false\n",
            {"trainer": "axolotl"},
            ("float32", "axolotl 0.19.0, with neither bf16 nor fp16"),
        ),
        ("base_model: x\nadapter: lora\n", {"trainer": "axolotl"}, None),
        ("base_model: x\nload_in_8bit: true\n", {"trainer": "axolotl"}, None),
        (PLAIN, {"trainer": "trl", "model": {**LLAMA, "dtype": "bfloat16"}}, ("float32", "default of trl 1.16.0")),
        (
            PLAIN + "dtype: auto\n",
            {"trainer": "trl", "model": {**LLAMA, "dtype": "bfloat16"}},
            ("bfloat16", "the model's config.json"),
        ),
        (
            PLAIN,
            {"trainer": "trl", "stack": {"accelerate": "1.8.1", "transformers": "4.53.3", "trl": "0.24.0"}},
            ("float32", "default of transformers 4.53.3"),
        ),
        (PLAIN, {"trainer": "transformers"}, None),
        (PLAIN, {"trainer": "transformers", "model": LLAMA}, None),
        (PLAIN + "dtype: auto\n", {"trainer": "transformers", "model": {**LLAMA, "dtype": "auto"}}, None),
        (
            PLAIN,
            {"trainer": "transformers", "model": {**LLAMA, "torch_dtype": "bfloat16"}},
            ("bfloat16", "the model's config.json"),
        ),
        (
            PLAIN,
            {"trainer": "transformers", "stack": {"accelerate": "1.15.0", "transformers": "4.57.1"}},
            ("float32", "default of transformers 4.57.1"),
        ),
    ],
)
def test_kept_in(training: str, rest: dict[str, object], expected: object) -> None:
    assert weights(training, **rest) == expected
