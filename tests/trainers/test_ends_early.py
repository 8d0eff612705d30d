"""What ends a Trainer's run before it trains, each executed once (tests/conformance/commands.jsonl, seventh tries)."""

from __future__ import annotations

import pytest

from tests.support.outcomes import AO, DDP, ONE, outcome_of, seen

STACK = {
    "torch": "2.13.0",
    "accelerate": "1.15.0",
    "transformers": "5.23.0",
    "transformer_engine": "2.9.0",
    "peft": "0.21.2",
    "trl": "1.16.0",
    "torchao": "0.18.0",
}
OLD = {**STACK, "accelerate": "1.10.1", "transformers": "4.57.1", "trl": "0.24.0", "peft": "0.17.1"}
TRAINED = """from transformers import Trainer, TrainingArguments
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

args = {arguments}
trainer = {trainer}
trainer.train()
"""
AO_ALONE = f"{ONE}{AO}  enable_fsdp_float8_all_gather: false\n"
GOOD = "fp8 AO some"


@pytest.mark.parametrize(
    ("arguments", "trainer", "stack", "expected"),
    [
        ("SFTConfig('o', bf16=False)", "SFTTrainer(model='m', args=args, processing_class=t)", STACK, GOOD),
        ("SFTConfig('o', bf16=False)", "SFTTrainer(model='m', args=args, tokenizer=t)", STACK, "TypeError (trainer)"),
        ("SFTConfig('o', bf16=False)", "SFTTrainer('m', args=args, packing=True)", OLD, "TypeError (trainer)"),
        ("TrainingArguments('o')", "Trainer(model=model, args=args, tokenizer=t)", STACK, "TypeError (trainer)"),
        ("TrainingArguments('o')", "Trainer(model=model, args=args, tokenizer=t)", OLD, GOOD),
        ("DPOConfig('o', activation_offloading=False)", "DPOTrainer('m', args=args)", OLD, "TypeError (arguments)"),
        ("SFTConfig('o', bf16=False)", "SFTTrainer(model='m', args=args, **more)", STACK, GOOD),
    ],
)
def test_a_keyword_that_the_class_does_not_have(
    arguments: str, trainer: str, stack: dict[str, str], expected: str
) -> None:
    text = TRAINED.format(arguments=arguments, trainer=trainer)
    case = {"accelerate": AO_ALONE, "script": text, "stack": stack, "gpu": "9.0", "trainer": "trl"}
    if "Trainer(model=model" in trainer:
        case["trainer"] = "transformers"
    assert seen(outcome_of(case)) == expected


def test_a_class_of_ones_own_takes_what_it_likes() -> None:
    text = TRAINED.format(arguments="TrainingArguments('o')", trainer="Trainer(model=model, args=args, tokenizer=t)")
    text = text.replace(
        "from transformers import Trainer, TrainingArguments", "from transformers import TrainingArguments"
    )
    text = f"from mine import Trainer\n{text}"
    case = {"accelerate": AO_ALONE, "script": text, "stack": STACK, "gpu": "9.0", "trainer": "transformers"}
    assert seen(outcome_of(case)) == GOOD


PARSER = """import sys
from transformers import HfArgumentParser, Trainer, TrainingArguments

parser = HfArgumentParser(TrainingArguments)
if len(sys.argv) == 2 and sys.argv[1].endswith(".json"):
    (args,) = parser.parse_json_file(sys.argv[1])
else:
    (args,) = parser.parse_args_into_dataclasses()
Trainer(model=model, args=args).train()
"""


@pytest.mark.parametrize(
    ("launch", "expected"),
    [
        ("accelerate launch --config_file accel.yaml t.py --output_dir o", GOOD),
        ("accelerate launch --config_file accel.yaml t.py --output_dir o --tf32", "SystemExit (arguments)"),
        ("accelerate launch --config_file accel.yaml t.py --output_dir o --tf32 true", GOOD),
        ("accelerate launch --config_file accel.yaml t.py --output_dir o --gradient_checkpointing false", GOOD),
        ("accelerate launch --config_file accel.yaml t.py --output_dir o --logging_dir l", "ValueError (arguments)"),
        (
            "accelerate launch --config_file accel.yaml t.py --output_dir o --overwrite_output_dir",
            "ValueError (arguments)",
        ),
        ("deepspeed --num_gpus 1 t.py args.json", "ValueError (arguments)"),
        ("deepspeed --num_gpus 1 --no_local_rank t.py args.json", "no NO none"),
    ],
)
def test_words_that_the_parser_of_a_script_does_not_take(launch: str, expected: str) -> None:
    case = {"accelerate": AO_ALONE, "script": PARSER, "stack": {**STACK, "deepspeed": "0.19.8"}, "gpu": "9.0"}
    case |= {"launch": launch, "trainer": "transformers", "training": "output_dir: o\n"}
    assert seen(outcome_of(case)) == expected


NO_MATCH = "NoMatchingPeftModuleError (trainer)"


@pytest.mark.parametrize(
    ("more", "launch", "stack", "expected"),
    [
        ("use_peft: true\nlora_target_modules: [q_proj]\n", "trl sft", STACK, NO_MATCH),
        ("use_peft: true\nlora_target_modules: q_proj\n", "trl sft", STACK, NO_MATCH),
        ("use_peft: true\nlora_target_modules: 'q_proj, v_proj'\n", "trl sft", STACK, NO_MATCH),
        ("use_peft: true\nlora_target_modules: ['q_proj,v_proj']\n", "trl sft", STACK, NO_MATCH),
        ("use_peft: true\nlora_target_modules: []\n", "trl sft", STACK, NO_MATCH),
        ("use_peft: true\nlora_target_modules: ${TARGETS}\n", "trl sft", STACK, GOOD),
        ("use_peft: true\nlora_target_modules: '.*(q|v)_proj'\n", "trl sft", STACK, GOOD),
        ("use_peft: true\nlora_task_type: causal_lm\n", "trl sft", STACK, "ValueError (trainer)"),
        ("use_peft: true\nlora_r: 0\n", "trl sft", STACK, "ValueError (trainer)"),
        ("use_peft: true\nlora_target_modules: [q_proj, lm_head]\n", "trl dpo", STACK, "ValueError (trainer)"),
        ("gradient_accumulation_steps: 0\n", "trl sft", STACK, "ZeroDivisionError (step)"),
        ("gradient_accumulation_steps: ${STEPS}\n", "trl sft", STACK, GOOD),
        ("accelerator_config: {mixed_precision: fp8}\n", "trl sft", STACK, "TypeError (arguments)"),
        ("load_in_4bit: true\n", "trl sft", STACK, "ImportError (trainer)"),
        ("optim: galore_adamw\n", "trl sft", STACK, GOOD),
        ("use_peft: true\nlora_target_modules: [q_proj, v_proj]\n", "trl sft", STACK, GOOD),
        ("use_peft: true\nlora_target_modules: all-linear\n", "trl sft", STACK, GOOD),
        ("lora_target_modules: [q_proj]\n", "trl sft", STACK, GOOD),
        ("use_peft: true\n", "trl reward", STACK, "AttributeError (trainer)"),
        ("lr_scheduler_type: cosine_with_min_lr\n", "trl sft", STACK, "ValueError (step)"),
        (
            "lr_scheduler_type: cosine_with_min_lr\nlr_scheduler_kwargs: {min_lr: 1.0e-6}\n",
            "trl sft",
            STACK,
            GOOD,
        ),
    ],
)
def test_what_a_command_of_trl_ends_with(more: str, launch: str, stack: dict[str, str], expected: str) -> None:
    training = f"model_name_or_path: m\ndataset_name: d\noutput_dir: o\nbf16: false\n{more}"
    case = {"accelerate": AO_ALONE, "training": training, "trainer": "trl", "stack": stack, "gpu": "9.0"}
    case["launch"] = f"{launch} --config train.yaml --accelerate_config accel.yaml"
    assert seen(outcome_of(case)) == expected


AXOLOTL = "base_model: m\ndatasets: [{path: d, type: alpaca}]\nbf16: true\nmicro_batch_size: 1\n"


@pytest.mark.parametrize(
    ("more", "file", "expected"),
    [
        ("fsdp_version: 2\nfsdp_config: {reshard_after_forward: true}\n", ONE, "ValueError (trainer)"),
        ("fsdp: [full_shard, auto_wrap]\n", DDP, "AttributeError (arguments)"),
        (
            "fsdp_config: {transformer_layer_cls_to_wrap: Qwen2DecoderLayer}\n",
            DDP,
            "ValueError (prepare)",
        ),
    ],
)
def test_axolotl_and_fsdp(more: str, file: str, expected: str) -> None:
    llama = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    case = {
        "accelerate": file.replace("fp8", "bf16"),
        "training": AXOLOTL + more,
        "trainer": "axolotl",
        "stack": {**STACK, "axolotl": "0.19.0"},
        "gpu": ["9.0", "9.0"],
        "model": {**llama, "num_attention_heads": 4, "vocab_size": 96},
        "launch": "axolotl train train.yaml -- --config_file accel.yaml",
    }
    assert seen(outcome_of(case)) == expected


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (f"{ONE}num_machines: 2\n", "AssertionError (launch)"),
        (f"{ONE}num_machines: 2\nmain_process_ip: 10.0.0.1\n", "AssertionError (launch)"),
        (
            f"{ONE}num_machines: 2\nmain_process_ip: 10.0.0.1\nmain_process_port: 29500\n{AO}  enable_fsdp_float8_all_gather: false\n",
            GOOD,
        ),
    ],
)
def test_several_machines_want_the_first_one(file: str, expected: str) -> None:
    case = {"accelerate": file, "training": "output_dir: o\n", "stack": STACK, "gpu": "9.0"}
    assert seen(outcome_of(case)) == expected


def test_deepspeed_beside_fsdp_without_a_launcher_asks_mpi_first() -> None:
    case = {
        "training": "output_dir: o\nfsdp: full_shard\ndeepspeed: ds.json\n",
        "deepspeed": '{"zero_optimization": {"stage": 2}}',
        "stack": {**STACK, "deepspeed": "0.19.8"},
        "launch": "python t.py train.yaml",
        "trainer": "transformers",
        "gpu": "9.0",
    }
    assert seen(outcome_of(case)) == "ModuleNotFoundError (prepare)"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("finetuning_type: full\n", "RuntimeError (step)"),
        ("finetuning_type: full\ndisable_gradient_checkpointing: true\n", "bf16 NO none"),
        ("finetuning_type: full\nuse_reentrant_gc: false\n", "bf16 NO none"),
        ("finetuning_type: lora\n", "bf16 NO none"),
    ],
)
def test_reward_models_of_llamafactory_on_two_gpus(more: str, expected: str) -> None:
    training = f"model_name_or_path: m\nstage: rm\ndo_train: true\ndataset: d\ntemplate: default\nbf16: true\n{more}"
    case = {
        "training": training,
        "trainer": "llamafactory",
        "stack": {"torch": "2.13.0", "accelerate": "1.11.0", "transformers": "5.2.0", "llamafactory": "0.9.5"},
        "launch": "llamafactory-cli train train.yaml",
        "gpu": ["9.0", "9.0"],
    }
    assert seen(outcome_of(case)) == expected
