"""Journeys that people made by its advice, each in one round: the first plan leads to a good run, a second is empty.

What the GPUs measured is kept, whatever the rules say: no plan ends in Transformer Engine under FSDP2 or in checkpointed
layers of it, in torchao with its all-gather outside of FSDP2, or in FP8 on a GPU that has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fp8check.rules.checking.planning import applied
from fp8check.rules.checking.request import Request, RunRequest, check_request
from fp8check.rules.facts import Facts, Gpu
from fp8check.rules.reading.kind import Kind
from fp8check.rules.trainers.detect import read
from tests.tools.journeys.journey import travel

if TYPE_CHECKING:
    from fp8check.rules.suppression.examined import Examined

STACK: dict[str, str | None] = {
    "torch": "2.11.0",
    "accelerate": "1.15.0",
    "transformers": "5.6.0",
    "transformer_engine": "2.20.2",
    "transformer_engine_torch": "2.20.2",
    "torchao": "0.17.0",
    "peft": "0.20.0",
    "trl": "0.24.0",
    "llamafactory": "0.9.5",
    "axolotl": None,
    "deepspeed": "0.19.8",
    "msamp": None,
    "bitsandbytes": None,
}
GPUS = {
    "H100": ("NVIDIA H100 80GB HBM3", "9.0", 81559),
    "H200": ("NVIDIA H200", "9.0", 143771),
    "B200": ("NVIDIA B200", "10.0", 183359),
    "A100": ("NVIDIA A100-SXM4-80GB", "8.0", 81920),
    "RTX 4090": ("NVIDIA GeForce RTX 4090", "8.9", 24564),
}
LLAMA = "model_name_or_path: meta-llama/Llama-3.1-8B\n"
FACTORY = "stage: sft\ndo_train: true\ndataset: d\ntemplate: default\ncutoff_len: 2048\noutput_dir: o\nbf16: true\n"
FACTORY += "per_device_train_batch_size: 2\ngradient_accumulation_steps: 4\n# my own\nlearning_rate: 1.0e-5\n"
TRAINER = f"{LLAMA}output_dir: o\nbf16: true\nper_device_train_batch_size: 2\nlearning_rate: 1.0e-5\n"
TE = "mixed_precision: fp8\nfp8_config:\n  backend: TE\n"
AO = "mixed_precision: fp8\nfp8_config:\n  backend: AO\n"
WIZARD = f'distributed_type: "NO"\n{TE}  fp8_format: E4M3\n  amax_history_length: 16\n  amax_compute_algorithm: max\n'
FSDP2 = "fsdp_config:\n  fsdp_version: 2\n  fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP\n"
FSDP2 += "  fsdp_activation_checkpointing: true\n"
ZERO3 = f"distributed_type: DEEPSPEED\nnum_processes: 8\ndeepspeed_config:\n  zero_stage: 3\n{TE}"
SCRIPT = """\
from transformers import Trainer, TrainingArguments, AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-3.1-8B")
arguments = TrainingArguments(output_dir="o", bf16=True, per_device_train_batch_size=2, gradient_checkpointing=True)
Trainer(model=model, args=arguments, train_dataset=[]).train()
"""
AXOLOTL = "base_model: meta-llama/Llama-3.1-8B\noutput_dir: o\nfp8: true\nbf16: true\nmicro_batch_size: 2\n"
AXOLOTL += "sequence_len: 2048\nsample_packing: true\ngradient_checkpointing: true\nfsdp_version: 2\n"
AXOLOTL += "fsdp_config:\n  activation_checkpointing: true\n  cpu_ram_efficient_loading: true\n"


def many(kind: str, number: int) -> str:
    return f"distributed_type: {kind}\nnum_processes: {number}\n"


JOURNEYS: dict[str, dict[str, Any]] = {
    "LLaMA-Factory full, one H200, torchao": {
        "training": f"{LLAMA}finetuning_type: full\nfp8: true\nfp8_backend: torchao\n{FACTORY}",
        "trainer": "llamafactory",
        "gpus": ("H200", 1),
    },
    "LLaMA-Factory full, one H100: it does not fit": {
        "training": f"{LLAMA}finetuning_type: full\nfp8: true\nfp8_backend: torchao\n{FACTORY}",
        "trainer": "llamafactory",
        "gpus": ("H100", 1),
        "no way": "the run does not fit: it needs 134 GiB",
    },
    "with the wizard's file": {
        "training": f"{LLAMA}finetuning_type: full\n{FACTORY}",
        "accelerate": WIZARD,
        "trainer": "llamafactory",
        "gpus": ("H200", 1),
    },
    "LLaMA-Factory LoRA, 8 H100, DDP, torchao": {
        "training": f"{LLAMA}finetuning_type: lora\nlora_rank: 16\n{FACTORY}",
        "accelerate": many("MULTI_GPU", 8) + AO,
        "trainer": "llamafactory",
        "gpus": ("H100", 8),
    },
    "LLaMA-Factory ZeRO-3, TE": {
        "training": f"{LLAMA}finetuning_type: full\n{FACTORY}",
        "accelerate": ZERO3,
        "trainer": "llamafactory",
        "gpus": ("H100", 8),
    },
    "an own script, 8 H200, FSDP2, TE": {
        "script": SCRIPT,
        "accelerate": many("FSDP", 8) + FSDP2 + TE,
        "gpus": ("H200", 8),
    },
    "the same arguments as YAML": {
        "training": f"{TRAINER}gradient_checkpointing: true\n",
        "accelerate": many("FSDP", 8) + FSDP2 + TE,
        "gpus": ("H200", 8),
    },
    "TRL, 8 H100, DDP, TE": {
        "training": f"{TRAINER}dataset_name: d\nmax_length: 2048\n",
        "accelerate": many("MULTI_GPU", 8) + TE,
        "trainer": "trl",
        "gpus": ("H100", 8),
    },
    "axolotl, FSDP2": {
        "training": AXOLOTL,
        "accelerate": many("FSDP", 8) + FSDP2 + AO,
        "trainer": "axolotl",
        "gpus": ("H100", 8),
        "stack": {"axolotl": "0.19.0", "llamafactory": None},
    },
    "RTX 4090, LoRA": {
        "training": "model_name_or_path: Qwen/Qwen2.5-1.5B\nfinetuning_type: lora\nlora_rank: 16\n" + FACTORY,
        "accelerate": f'distributed_type: "NO"\n{TE}',
        "trainer": "llamafactory",
        "gpus": ("RTX 4090", 1),
    },
    "B200": {"training": TRAINER, "accelerate": f'distributed_type: "NO"\n{TE}', "gpus": ("B200", 1)},
    "A100": {
        "training": TRAINER,
        "accelerate": f'distributed_type: "NO"\n{TE}',
        "gpus": ("A100", 1),
        "no way": "cannot compute in FP8",
    },
}


def request_of(case: dict[str, Any]) -> RunRequest:
    documents = []
    for kind, path in (("training", "train.yaml"), ("accelerate", "accel.yaml"), ("script", "train.py")):
        if kind in case:
            document = read(path, case[kind].encode())
            documents.append(document.as_kind(Kind(kind, document.dialect, document.loader)))
    name, number = case["gpus"]
    kind, capability, memory = GPUS[name]
    gpus = [Gpu(index, kind, capability, memory, mig=False) for index in range(number)]
    facts = Facts(python="3.12.3", packages={**STACK, **case.get("stack", {})}, variables={}, gpus=gpus)
    return RunRequest(tuple(documents), facts, trainer=case.get("trainer"), follow=False)


def ends_in_what_was_measured(report: Examined) -> bool:
    """Whether FP8 runs as it was seen to run: all weights train, forward and backward, not TE under FSDP2."""
    outcome = report.outcome
    state = outcome.accelerator
    te_under_fsdp2 = outcome.runs_te and state is not None and state.is_fsdp2
    checkpointed = outcome.runs_te and outcome.checkpointing is not None
    return outcome.trains_in_fp8 is True and outcome.frozen is None and not te_under_fsdp2 and not checkpointed


@pytest.mark.parametrize("name", JOURNEYS)
def test_one_round(name: str) -> None:
    case = JOURNEYS[name]
    part = request_of(case)
    journey = travel(name, part, "fp8")
    assert journey.faults == ()
    if "no way" in case:
        assert journey.end == "no plan"
        assert case["no way"] in journey.planned.why_not[0]
        return
    assert journey.end == "planned", journey.planned.why_not
    after = applied(part, journey.planned.plans[0])
    (report,) = check_request(Request((after,))).reports
    assert [one.rule for one in report.findings if one.severity == "error"] == []
    assert ends_in_what_was_measured(report)


def test_where_fp8_has_no_way_bf16_has_one() -> None:
    journey = travel("A100", request_of(JOURNEYS["A100"]), "bf16")
    assert (journey.end, journey.faults) == ("planned", ())
