"""Effective values: what a run really uses, worked out once, and looked up there by every stage and every rule."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import fp8check.rules
from fp8check.rules.outcome.effective import number
from fp8check.rules.settings.values import Setting, Undecided
from tests.support.outcomes import DDP, DEEPSPEED, ONE, outcome_of

RULES = Path(fp8check.rules.__file__).parent
NAMES = {
    "bf16", "fp16", "bfloat16", "float16", "pure_bf16", "bf16_full_eval", "gradient_checkpointing",
    "disable_gradient_checkpointing", "use_reentrant_gc", "per_device_train_batch_size", "micro_batch_size",
    "cutoff_len", "max_length", "max_seq_length", "sequence_len", "block_size", "num_processes", "nproc_per_node",
    "num_gpus", "gpu_ids", "dtype", "torch_dtype", "torch_compile", "torch_compile_backend", "torch_compile_mode",
    "dynamo_backend",
}  # fmt: skip
# Methods by which a key is read, of a training file, a section of it, an Accelerate file or a launch.
READERS = {"get", "value", "on", "switched_on", "flag", "number", "setting", "setting_for"}
# Where a written key is read all the same, and why: what it decides is not what the run uses.
ALLOWED = {
    ("outcome/processes.py", "num_processes"): "this is the place where processes are counted",
    ("outcome/processes.py", "nproc_per_node"): "likewise",
    ("outcome/processes.py", "num_gpus"): "likewise",
    ("outcome/launcher.py", "num_processes"): "what argparse and the launcher refuse of the number as it is written",
    ("outcome/launcher.py", "gpu_ids"): "whether the file's own gpu_ids are looked at, which are refused by their type",
    ("outcome/launcher.py", "dynamo_backend"): "what argparse and the launcher refuse of the text that stands there",
    ("outcome/compiled.py", "dynamo_backend"): "this is where Accelerate's own compiling is looked up",
    ("catalog/compiling.py", "torch_compile"): "the line at which the message stands",
    ("catalog/distribution.py", "gpu_ids"): "FP318 is about the text that stands there",
    ("catalog/precision.py", "bf16"): "where a fix writes, and which line a message stands at",
    ("catalog/recipe.py", "bf16"): "a fix deletes the line",
    ("catalog/parallel.py", "gradient_checkpointing"): "the line at which the message stands",
}


# What a trainer makes of its own settings: stages and rules have it from the effective values, which keep it.
ASKED = {"bf16", "fp16", "precision_flag", "checkpointing", "size", "micro_batch", "sequence", "weights", "compiled"}
ASKED_AT = {"outcome/effective.py", "outcome/compiled.py"}


def _asked() -> set[tuple[str, str]]:
    """What is asked of the trainer itself, by the file that does."""
    found: set[tuple[str, str]] = set()
    for folder in ("catalog", "outcome"):
        for path in sorted((RULES / folder).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute) and node.attr in ASKED:
                    of = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
                    found |= {(f"{folder}/{path.name}", node.attr)} if of == "training" else set()
    return found


def test_rules_and_stages_ask_no_trainer_for_what_an_effective_value_is() -> None:
    assert {(path, name) for path, name in _asked() if path not in ASKED_AT} == set()
    assert {path for path, _ in _asked()} == ASKED_AT


def _read_keys() -> set[tuple[str, str]]:
    """The keys of NAMES that a file of rules or stages reads, by the file."""
    found: set[tuple[str, str]] = set()
    for folder in ("catalog", "outcome"):
        for path in sorted((RULES / folder).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
                    mapped = isinstance(node.func, ast.Name) and node.func.id == "map"
                    if name in READERS or mapped:
                        words = [one.value for one in ast.walk(node) if isinstance(one, ast.Constant)]
                        found |= {(f"{folder}/{path.name}", word) for word in words if word in NAMES}
                elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
                    found |= {(f"{folder}/{path.name}", word) for word in NAMES if word == node.slice.value}
    return found


def test_rules_and_stages_read_no_key_that_an_effective_value_decides() -> None:
    assert _read_keys() - set(ALLOWED) == set()


def test_no_exception_is_left_over() -> None:
    assert set(ALLOWED) - _read_keys() == set()


TRL = {"trainer": "trl"}
AXOLOTL = {"trainer": "axolotl"}
LLAMAFACTORY = {"trainer": "llamafactory"}
OLD_TRL = {"stack": {"accelerate": "1.8.1", "transformers": "4.53.3", "trl": "0.18.2"}}


def shown(setting: Setting | None) -> str:
    """A value and where it comes from."""
    return "nothing" if setting is None else f"{setting.value}, {setting.origin.describe()}"


@pytest.mark.parametrize(
    ("case", "bf16", "fp16"),
    [
        ({"training": "bf16: true\n"}, "True, train.yaml:1", "False, default of transformers 5.17.0"),
        ({"training": "bf16: null\n"}, "False, default of transformers 5.17.0", "False, default of transformers 5.17.0"),
        ({"training": "bf16: 'false'\n"}, "True, train.yaml:1", "False, default of transformers 5.17.0"),
        ({"training": "fp16: 1\n"}, "False, default of transformers 5.17.0", "True, train.yaml:1"),
        (TRL | {"training": "bf16: 'false'\n"}, "False, train.yaml:1", "False, default of transformers 5.17.0"),
        (TRL | {"training": "max_length: 8\n"}, "True, default of trl 1.16.0", "False, default of transformers 5.17.0"),
        (TRL | {"training": "bf16: null\n"}, "True, default of trl 1.16.0", "False, default of transformers 5.17.0"),
        (TRL | {"training": "fp16: true\n"}, "False, trl 1.16.0, as fp16 is on", "True, train.yaml:1"),
        (
            TRL | OLD_TRL | {"training": "max_length: 8\n"},
            "False, default of transformers 4.53.3",
            "False, default of transformers 4.53.3",
        ),
        (AXOLOTL | {"training": "base_model: x\n"}, "True, default of axolotl 0.19.0", "False, default of axolotl 0.19.0"),
        (AXOLOTL | {"training": "bf16: auto\n"}, "True, train.yaml:1", "False, default of axolotl 0.19.0"),
        (AXOLOTL | {"training": "fp16: true\n"}, "False, axolotl 0.19.0, as fp16 is on", "True, train.yaml:1"),
        (AXOLOTL | {"training": "fp16: true\nbf16: true\n"}, "True, train.yaml:2", "False, axolotl 0.19.0, as bf16 is on"),
        (AXOLOTL | {"training": "bf16: full\n"}, "False, train.yaml:1", "False, default of axolotl 0.19.0"),
        (AXOLOTL | {"training": "bf16: false\n"}, "False, train.yaml:1", "False, default of axolotl 0.19.0"),
        (AXOLOTL | {"training": "bf16: null\nbfloat16: true\n"}, "True, train.yaml:2", "False, default of axolotl 0.19.0"),
        (
            AXOLOTL | {"training": "base_model: x\n", "gpu": "none"},
            "False, axolotl 0.19.0, which finds no GPU",
            "True, axolotl 0.19.0, which finds no GPU",
        ),
        (
            AXOLOTL | {"training": "float16: true\n", "gpu": "none"},
            "False, axolotl 0.19.0, which finds no GPU",
            "False, default of axolotl 0.19.0",
        ),
        ({"script": "Accelerator()\n"}, "nothing", "nothing"),
    ],
)  # fmt: skip
def test_the_trainers_precision(case: dict[str, object], bf16: str, fp16: str) -> None:
    effective = outcome_of({"launch": "python train.py", **case}).effective
    assert (shown(effective.bf16), shown(effective.fp16)) == (bf16, fp16)


@pytest.mark.parametrize(
    ("case", "on"),
    [
        (TRL | {"training": "gradient_checkpointing: 'false'\n"}, False),
        (TRL | {"training": "gradient_checkpointing: 'no'\n"}, False),
        (TRL | {"training": "gradient_checkpointing: 'yes'\n"}, True),
        (TRL | {"training": "gradient_checkpointing: null\n"}, False),
        (TRL | {"training": "max_length: 8\n"}, True),
        (AXOLOTL | {"training": "gradient_checkpointing: 'off'\n"}, False),
        (AXOLOTL | {"training": "gradient_checkpointing: offload\n"}, True),
        ({"training": "gradient_checkpointing: 'false'\n"}, True),
        (LLAMAFACTORY | {"training": "gradient_checkpointing: false\n"}, True),
        (LLAMAFACTORY | {"training": "disable_gradient_checkpointing: true\n"}, False),
    ],
)
def test_gradient_checkpointing(case: dict[str, object], on: bool) -> None:
    assert (outcome_of({"launch": "python train.py", **case}).effective.checkpointing is not None) is on


@pytest.mark.parametrize(
    ("case", "tokens"),
    [
        ({"training": "per_device_train_batch_size: 4\nmax_seq_length: 512\n"}, 2048),
        ({"training": "max_seq_length: 512\n"}, 4096),
        ({"training": "per_device_train_batch_size: '4'\nmax_seq_length: 512\n"}, None),
        (TRL | {"training": "per_device_train_batch_size: '4'\n"}, 4096),
        (TRL | {"training": "per_device_train_batch_size: true\n"}, None),
        (TRL | {"training": "max_length: null\n"}, None),
        (TRL | {"training": "max_length: 512\n"}, 4096),
        (TRL | {"training": "max_length: 512\nmax_seq_length: 2048\n"}, 2048 * 8),
        (TRL | {"training": "max_seq_length: null\n"}, 8192),
        (TRL | {"training": "num_generations: 8\n"}, None),
        (TRL | {"training": "num_generations: 8\nmax_length: 64\n"}, 512),
        (AXOLOTL | {"training": "sequence_len: 4096\n"}, 4096),
        (LLAMAFACTORY | {"training": "cutoff_len: 0\n"}, None),
        ({"training": "bf16: true\n"}, None),
        (LLAMAFACTORY | {"training": "stage: pt\npacking: true\ncutoff_len: 512\n"}, 511 * 8),
        (LLAMAFACTORY | {"training": "stage: pt\ncutoff_len: 512\n"}, 512 * 8),
        (LLAMAFACTORY | {"training": "stage: sft\nneat_packing: true\ncutoff_len: 512\n"}, 512 * 8),
        (LLAMAFACTORY | {"training": "stage: dpo\npacking: true\ncutoff_len: 512\n"}, 511 * 8),
        ({"training": "block_size: 1024\n"}, 8192),
        ({"training": "max_seq_length: null\nblock_size: 1024\n"}, 8192),
        ({"training": "bf16: true\n", "launch": "python run_clm.py --block_size 512 x.yaml"}, 4096),
    ],
)
def test_the_tokens_of_a_micro_batch(case: dict[str, object], tokens: int | None) -> None:
    assert outcome_of({"launch": "python train.py", **case}).effective.tokens == tokens


FOUR = {"gpus": 4}


@pytest.mark.parametrize(
    ("case", "here", "everywhere"),
    [
        ({"launch": "python train.py"} | FOUR, 1, 1),
        ({"launch": "torchrun train.py"} | FOUR, 1, 1),
        ({"launch": "torchrun --nproc_per_node 3 train.py"} | FOUR, 3, 3),
        ({"launch": "torchrun --nproc_per_node three train.py"} | FOUR, None, None),
        ({"launch": "torchrun --nproc_per_node gpu --nnodes 2 train.py"} | FOUR, 4, 8),
        ({"launch": "deepspeed train.py"} | FOUR, 4, 4),
        ({"launch": "deepspeed --num_gpus 2 train.py"} | FOUR, 2, 2),
        ({"launch": "accelerate launch train.py"} | FOUR, 4, 4),
        ({"launch": "accelerate launch --num_processes 1 train.py"} | FOUR, 1, 1),
        ({"launch": "accelerate launch --num_processes 3 train.py"} | FOUR, 3, 3),
        ({"launch": "accelerate launch --cpu train.py"} | FOUR, 1, 1),
        ({"launch": "accelerate launch train.py"}, 1, 1),
        ({"accelerate": ONE} | FOUR, 1, 1),
        ({"accelerate": DDP} | FOUR, 2, 2),
        ({"accelerate": DDP.replace("2", "two")} | FOUR, None, None),
        ({"accelerate": DDP.replace("num_processes: 2\n", "")} | FOUR, None, None),
        ({"accelerate": DDP + "num_machines: 2\n"} | FOUR, 1, 2),
        ({"accelerate": DDP, "launch": "accelerate launch --config_file accel.yaml --num_processes 8 t.py"}, 8, 8),
        (
            {"accelerate": DDP, "launch": "accelerate launch --config_file accel.yaml --num_processes x t.py"},
            None,
            None,
        ),
        ({"launch": "llamafactory-cli train x.yaml"} | FOUR, 4, 4),
        ({"launch": "llamafactory-cli train x.yaml"}, 1, 1),
        ({"launch": "llamafactory-cli train x.yaml", "variables": {"NPROC_PER_NODE": "2"}} | FOUR, 2, 2),
        ({"launch": "axolotl train x.yaml"} | FOUR, 4, 4),
    ],
)
def test_the_number_of_processes(case: dict[str, object], here: int | None, everywhere: int | None) -> None:
    effective = outcome_of(case).effective
    assert (number(effective.processes), number(effective.all_processes)) == (here, everywhere)


@pytest.mark.parametrize(
    ("case", "missing"),
    [
        ({"launch": "accelerate launch train.py"}, "how many GPUs there are: train.py starts a process on each"),
        (
            {"launch": "llamafactory-cli train x.yaml"},
            "how many GPUs there are: llamafactory-cli starts a process on each",
        ),
        ({"launch": "axolotl train x.yaml"}, "how many GPUs there are: axolotl starts a process on each"),
        ({"launch": "torchrun --nproc_per_node auto t.py"}, "how many GPUs there are: t.py starts a process on each"),
        ({"launch": "torchrun --nproc_per_node $N t.py"}, "command line --nproc_per_node $N: $N is filled in later"),
        ({"launch": "deepspeed --include localhost:0 t.py"}, "which GPUs DeepSpeed's launcher takes"),
        ({}, "how the run is started: one process, or one on each GPU"),
    ],
)
def test_a_number_of_processes_that_is_not_known(case: dict[str, object], missing: str) -> None:
    effective = outcome_of({"gpu": "unknown", **case}).effective
    with pytest.raises(Undecided) as caught:
        effective.processes  # noqa: B018
    assert caught.value.what == missing
    assert ("processes", True) in [(name, setting.is_later) for name, setting in effective.settings()]


@pytest.mark.parametrize(
    ("case", "name"),
    [
        (AXOLOTL | {"training": "bf16: ${BF16}\n"}, "bf16"),
        ({"training": "bf16: ${BF16}\n"}, "bf16"),
        (TRL | {"training": "fp16: ${HALF}\n"}, "bf16"),
        ({"training": "per_device_train_batch_size: ${BATCH}\n"}, "micro_batch"),
        (LLAMAFACTORY | {"training": "cutoff_len: ${LENGTH}\npacking: true\nstage: pt\n"}, "sequence"),
        ({"training": "gradient_checkpointing: ${CHECKPOINTING}\n"}, "checkpointing"),
        ({"training": "torch_compile: ${COMPILE}\n"}, "compiled"),
    ],
)
def test_who_asks_for_a_value_that_is_filled_in_later_is_undecided(case: dict[str, object], name: str) -> None:
    effective = outcome_of({"launch": "python train.py", **case}).effective
    with pytest.raises(Undecided, match="is filled in later"):
        getattr(effective, name)


def test_one_process_is_not_taken_where_nobody_knows() -> None:
    asked = AXOLOTL | {"training": "base_model: x\nfp8: true\nfsdp_config: {fsdp_version: 2}\n", "gpu": "unknown"}
    outcome = outcome_of(asked)
    assert (outcome.starts, outcome.distributed_type) == (None, None)
    plain = outcome_of({"training": "bf16: true\n", "gpu": "unknown"})
    assert (plain.starts, plain.distributed_type) == (True, None)
    assert outcome_of({"training": "bf16: true\n", "gpu": "unknown", "launch": "python t.py"}).distributed_type == "NO"


def test_what_is_worked_out_is_worked_out_once() -> None:
    effective = outcome_of({"training": "bf16: true\n"}).effective
    assert effective.bf16 is effective.bf16


@pytest.mark.parametrize(
    ("gpus", "variables", "expected"),
    [
        (["8.0", "9.0"], {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, "fp16"),
        (["9.0", "8.0"], {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, "fp8"),
        (["9.0", "8.0"], {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "1"}, "fp16"),
        (["9.0", "8.0"], {}, "undecided: some of the GPUs are below compute capability 8.9, and which of them the"),
        (["9.0", "8.0"], {"CUDA_VISIBLE_DEVICES": "1"}, "undecided: some of the GPUs are below compute capability 8.9"),
        (["8.6", "8.0"], {}, "fp16"),
        (["9.0", "10.0"], {}, "fp8"),
    ],
)
def test_which_gpu_is_the_first_hangs_on_the_order(gpus: list[str], variables: dict[str, str], expected: str) -> None:
    """By default CUDA counts the fastest first; executed in the order of the bus: tests/conformance/commands.jsonl."""
    outcome = outcome_of(
        {
            "launch": "accelerate launch --config_file accel.yaml --num_processes 1 t.py",
            "accelerate": ONE,
            "gpu": gpus,
            "variables": variables,
        }
    )
    mixed = outcome.mixed_precision
    said = f"undecided: {outcome.undecided.what}" if outcome.undecided is not None else str(mixed and mixed.value)
    assert said.startswith(expected)


def test_the_gpus_of_a_training_process_are_those_of_gpu_ids() -> None:
    run = outcome_of({"accelerate": DDP + "gpu_ids: 0,2\n", "gpus": 4}).run
    assert [gpu.index for gpu in run.visible_gpus() or ()] == [0, 2]
    outcome = outcome_of({"accelerate": DDP + "gpu_ids: 0,2\n", "gpu": ["9.0", "8.0", "8.0", "9.0"]})
    assert outcome.environment["CUDA_VISIBLE_DEVICES"].value == "0,2"
    named = {"launch": "accelerate launch --config_file accel.yaml --gpu_ids 1 t.py", "accelerate": ONE}
    weak = outcome_of(named | {"gpu": ["9.0", "8.0"], "variables": {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}})
    assert weak.mixed_precision is not None
    assert weak.mixed_precision.value == "fp16"


@pytest.mark.parametrize(
    ("case", "starts"),
    [
        (TRL | {"training": "max_length: 8\n"}, True),
        (TRL | {"training": "bf16: false\n"}, False),
        (AXOLOTL | {"training": "base_model: x\n"}, True),
        (AXOLOTL | {"training": "bf16: full\n"}, False),  # its schema takes no such word
        # It sets the launcher's precision to "no", and DeepSpeed's follows: executed, axolotl-zero2-off.
        (AXOLOTL | {"training": "bf16: false\n"}, True),
        ({"training": "bf16_full_eval: true\n"}, True),
        ({"training": "output_dir: x\n"}, False),
    ],
)
def test_deepspeeds_bf16_against_the_trainers(case: dict[str, object], starts: object) -> None:
    stack = {"accelerate": "1.15.0", "transformers": "5.17.0", "deepspeed": "0.19.8", "trl": "1.16.0"}
    outcome = outcome_of({"accelerate": DEEPSPEED.replace("fp8", "bf16"), "stack": stack, **case})
    assert outcome.starts is starts
