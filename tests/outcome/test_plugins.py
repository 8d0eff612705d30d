"""Objects that a script gives to Accelerator, and several GPUs in one process."""

from __future__ import annotations

import pytest

from fp8check.rules.outcome import predict
from tests.support.runs import assembled_of

FSDP = "FullyShardedDataParallelPlugin"
RANKS = "torchrun --nproc_per_node 2 train.py"
DEEPSPEED = {"accelerate": "1.15.0", "torchao": "0.18.0", "deepspeed": "0.19.8"}
ZERO = "{'zero_optimization': {'stage': 2}, 'train_micro_batch_size_per_gpu': 4}"


def outcome(keywords: str, launch: str = "python train.py", setup: str = "", **case: object) -> object:
    script = f"{setup}\na = Accelerator(mixed_precision='fp8', {keywords})\nmodel, opt = a.prepare(model, opt)\n"
    return predict(assembled_of({"script": script, "launch": launch, **case}).run)


KINDS = {
    "one process": (f"fsdp_plugin={FSDP}(fsdp_version=2)", "python train.py", "NO"),
    "two processes": (f"fsdp_plugin={FSDP}(fsdp_version=2, cpu_ram_efficient_loading=False)", RANKS, "FSDP"),
    "by default": (f"fsdp_plugin={FSDP}(), kwargs_handlers=[TERecipeKwargs()]", RANKS, "FSDP"),
    "none": ("fsdp_plugin=None", RANKS, "MULTI_GPU"),
    "whole": ("parallelism_config=ParallelismConfig(dp_replicate_size=2)", RANKS, "MULTI_GPU"),
    "nothing split": ("parallelism_config=ParallelismConfig()", RANKS, "MULTI_GPU"),
}


@pytest.mark.parametrize(("keywords", "launch", "kind"), KINDS.values(), ids=KINDS)
def test_kinds(keywords: str, launch: str, kind: str) -> None:
    found = outcome(keywords, launch)
    assert found.distributed_type == kind  # type: ignore[attr-defined]


ERRORS = {
    "no object": ("fsdp_plugin='full_shard'", "python train.py", {}, "plugin-is-no-object"),
    "a mapping": ("fsdp_plugin={'a': 1}", "python train.py", {}, "plugin-is-no-object"),
    "no object for DeepSpeed": ("deepspeed_plugin='ds.json'", "python train.py", {}, "plugin-is-no-object"),
    "both": (
        "deepspeed_plugin=DeepSpeedPlugin(), deepspeed_plugins={'a': DeepSpeedPlugin()}",
        "python train.py",
        {},
        "deepspeed-plugin-twice",
    ),
    "without deepspeed": ("deepspeed_plugin=DeepSpeedPlugin()", "python train.py", {}, "script-without-deepspeed"),
    "batch size": (
        "deepspeed_plugin=DeepSpeedPlugin(zero_stage=2)",
        "python train.py",
        {"stack": DEEPSPEED},
        "deepspeed-without-batch-size",
    ),
    "no launcher, and no MPI": (
        f"deepspeed_plugin=DeepSpeedPlugin({ZERO})",
        "python train.py",
        {"stack": DEEPSPEED},
        "deepspeed-without-launcher",
    ),
    "no launcher": ("parallelism_config=ParallelismConfig(tp_size=2)", "python train.py", {}, "mesh-without-launcher"),
    "old plugin": (
        "torch_tp_plugin=TorchTensorParallelPlugin(tp_size=2)",
        "python train.py",
        {},
        "mesh-without-launcher",
    ),
    "too large": ("parallelism_config=ParallelismConfig(dp_replicate_size=4)", RANKS, {}, "mesh-too-large"),
    "not whole": (
        "parallelism_config=ParallelismConfig(dp_replicate_size=2)",
        "torchrun --nproc_per_node 4 train.py",
        {},
        "mesh-not-whole",
    ),
    "by a variable": (
        "parallelism_config=ParallelismConfig()",
        RANKS,
        {"variables": {"PARALLELISM_CONFIG_CP_SIZE": "2"}},
        "context-parallel-without-fsdp",
    ),
    "before FSDP2": (
        f"fsdp_plugin={FSDP}(fsdp_version=2)",
        RANKS,
        {"stack": {"accelerate": "1.3.0", "torchao": "0.18.0", "transformer_engine": "2.1.0"}},
        "wrong-keyword",
    ),
}


@pytest.mark.parametrize(("keywords", "launch", "case", "code"), ERRORS.values(), ids=ERRORS)
def test_errors(keywords: str, launch: str, case: dict[str, object], code: str) -> None:
    found = outcome(keywords, launch, **case)
    assert found.error is not None  # type: ignore[attr-defined]
    assert found.error.code == code  # type: ignore[attr-defined]


UNDECIDED = {
    "Megatron": ("megatron_lm_plugin=MegatronLMPlugin()", "python train.py", {}, "megatron_lm_plugin"),
    "an object that is not known": ("fsdp_plugin=plugin", RANKS, {}, "fsdp_plugin"),
    "a version that is not known": (f"fsdp_plugin={FSDP}(fsdp_version=v)", RANKS, {}, "fsdp_version that is not known"),
    "a size that is not known": (
        "parallelism_config=ParallelismConfig(tp_size=n)",
        RANKS,
        {},
        "tp_size that is not known",
    ),
    "HSDP": (
        (
            f"fsdp_plugin={FSDP}(fsdp_version=2), "
            "parallelism_config=ParallelismConfig(dp_replicate_size=2, dp_shard_size=2), kwargs_handlers=[TERecipeKwargs()]"
        ),
        "torchrun --nproc_per_node 4 train.py",
        {},
        "dp_replicate_size=2, dp_shard_size=2: that is not modeled",
    ),
    "no number of processes": (
        "parallelism_config=ParallelismConfig(tp_size=2)",
        "torchrun --nproc_per_node x train.py",
        {},
        "how many processes there are",
    ),
    "a file of DeepSpeed": (
        "deepspeed_plugin=DeepSpeedPlugin(hf_ds_config='ds.json')",
        RANKS,
        {"stack": DEEPSPEED},
        "what the DeepSpeed plugin of",
    ),
    "arguments that are not known": (
        "deepspeed_plugin=DeepSpeedPlugin(*more)",
        RANKS,
        {"stack": DEEPSPEED},
        "what the DeepSpeed plugin of",
    ),
    "DeepSpeed of several": (
        f"deepspeed_plugins={{'a': DeepSpeedPlugin({ZERO})}}",
        "python train.py",
        {"stack": {**DEEPSPEED, "mpi4py": "4.1.0"}},
        "asks MPI for its rank",
    ),
    "FSDP, GPUs not known": (
        f"fsdp_plugin={FSDP}(fsdp_version=2)",
        "accelerate launch train.py",
        {"gpu": "unknown"},
        "how many GPUs there are",
    ),
    "parallelism, GPUs not known": (
        "parallelism_config=ParallelismConfig(tp_size=2)",
        "accelerate launch train.py",
        {"gpu": "unknown"},
        "how many GPUs there are",
    ),
}


@pytest.mark.parametrize(("keywords", "launch", "case", "why"), UNDECIDED.values(), ids=UNDECIDED)
def test_undecided(keywords: str, launch: str, case: dict[str, object], why: str) -> None:
    found = outcome(keywords, launch, **case)
    assert found.undecided is not None  # type: ignore[attr-defined]
    assert why in found.undecided.what  # type: ignore[attr-defined]


def test_deepspeed_by_an_object() -> None:
    found = outcome(f"deepspeed_plugin=DeepSpeedPlugin(hf_ds_config={ZERO})", RANKS, stack=DEEPSPEED)
    assert found.distributed_type == "DEEPSPEED"  # type: ignore[attr-defined]
    both = "fsdp_plugin=None, deepspeed_plugin=DeepSpeedPlugin(zero_stage=z)"
    assert "DeepSpeed plugin" in outcome(both, RANKS, stack=DEEPSPEED).undecided.what  # type: ignore[attr-defined]


ONE_OF_TWO = {
    "training": "bf16: false\n",
    "accelerate": "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n",
    "launch": "accelerate launch --config_file accel.yaml train.py train.yaml",
    "gpus": 2,
    "host": "node",
}


def test_two_gpus_in_one_process() -> None:
    found = predict(assembled_of(ONE_OF_TWO).run)
    assert found.is_data_parallel
    assert found.error is not None
    assert found.error.message.startswith("You must pass a model and an optimizer together")


def test_nothing_is_converted_under_torchao() -> None:
    found = predict(assembled_of({**ONE_OF_TWO, "accelerate": str(ONE_OF_TWO["accelerate"]).replace("TE", "AO")}).run)
    assert found.is_data_parallel
    assert (found.starts, found.fp8_layers, found.frozen) == (True, "none", None)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"stack": {"accelerate": "1.9.0", "transformers": "4.56.0", "transformer_engine": "2.9.0"}},
            "was not executed",
        ),
        (
            {
                "training": None,
                "launch": "trl sft --model_name_or_path a/b --dataset_name a/b --bf16 false --accelerate_config accel.yaml",
                "stack": {
                    "accelerate": "1.15.0",
                    "transformers": "5.23.0",
                    "trl": "1.16.0",
                    "transformer_engine": "2.9.0",
                },
            },
            "trl spreads the layers of the model over them",
        ),
    ],
)
def test_what_nobody_executed_of_two_gpus(changes: dict[str, object], why: str) -> None:
    case = {name: value for name, value in {**ONE_OF_TWO, **changes}.items() if value is not None}
    undecided = predict(assembled_of(case).run).undecided
    assert undecided is not None
    assert undecided.what.startswith("one process sees 2 GPUs")
    assert why in undecided.what
    assert undecided.needs.startswith("CUDA_VISIBLE_DEVICES=0, or a process on each")


@pytest.mark.parametrize(
    "changes",
    [
        {"gpus": 1},
        {"host": None},
        {"gpu": "unknown"},
        {"accelerate": "distributed_type: 'NO'\nmixed_precision: bf16\n"},
        {
            "training": None,
            "launch": "accelerate launch --config_file accel.yaml train.py",
            "script": "a = Accelerator()",
        },
        {
            "accelerate": "distributed_type: MULTI_GPU\nnum_processes: 2\nmixed_precision: fp8\nfp8_config: {backend: TE}\n"
        },
    ],
)
def test_no_data_parallel(changes: dict[str, object]) -> None:
    case = {name: value for name, value in {**ONE_OF_TWO, **changes}.items() if value is not None}
    found = predict(assembled_of(case).run)
    assert not found.is_data_parallel
    assert found.undecided is None or "DataParallel" not in found.undecided.what


def test_one_of_two_is_visible() -> None:
    visible = {**ONE_OF_TWO, "host": None, "variables": {"CUDA_VISIBLE_DEVICES": "0,1"}}
    assert predict(assembled_of({name: one for name, one in visible.items() if one is not None}).run).is_data_parallel
