"""Every trainer with every backend and strategy that trains at all, where no GPU of ours has executed it: one run each.

The table of docs/measured.md names them. Two ranks share their weights over gloo; one rank is enough for DeepSpeed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.tools.conformance.commands import programs
from tests.tools.conformance.commands.second_tries import SHARDS, Try, config, own
from tests.tools.conformance.commands.third_tries import SFT, axolotl, factory

if TYPE_CHECKING:
    from collections.abc import Iterator

KIND = "strategy"
TWO = ["9.0", "9.0"]
PLAIN, DEEPSPEED = "1.15-commands", "1.15-commands-deepspeed"
FACTORY, FACTORY_DEEPSPEED = "1.15-lf", "1.15-lf-deepspeed"
AXOLOTL, AXOLOTL_DEEPSPEED = "1.13-axolotl", "1.13-axolotl-deepspeed"
BACKENDS: dict[str, dict[str, Any]] = {
    "te": {"backend": "TE", "fp8_format": "HYBRID", "amax_history_len": 16, "amax_compute_algo": "max"},
    "ao": {"backend": "AO", "enable_fsdp_float8_all_gather": False},
}
COMPILED: dict[str, Any] = {"torch_compile": True}
PAIR: dict[str, Any] = {"distributed_type": "MULTI_GPU", "num_processes": 2}
FP8: dict[str, Any] = {"fp8": True, "fp8_enable_fsdp_float8_all_gather": False}  # axolotl's own words for torchao
OF_TRL: dict[str, Any] = {**SFT, "learning_rate": 0.01, "bf16": False, "gradient_checkpointing": False}


def _file(backend: str, strategy: str) -> dict[str, Any]:
    """The Accelerate file of a strategy."""
    return {**config(fp8_config=BACKENDS[backend]), **_layout(strategy)}


def _layout(strategy: str) -> dict[str, Any]:
    """What an Accelerate file says of it."""
    if strategy == "fsdp2":
        return {
            "distributed_type": "FSDP",
            "num_processes": 2,
            "fsdp_config": {**SHARDS, "fsdp_cpu_ram_efficient_loading": False},
        }
    if strategy == "fsdp1":
        shards = {
            **SHARDS,
            "fsdp_version": 1,
            "fsdp_cpu_ram_efficient_loading": False,
            "fsdp_use_orig_params": True,
            "fsdp_sharding_strategy": "FULL_SHARD",
        }
        shards.pop("fsdp_reshard_after_forward", None)
        return {"distributed_type": "FSDP", "num_processes": 2, "fsdp_config": shards}
    zero = {"zero_stage": int(strategy[-1]), "gradient_accumulation_steps": 1, "zero3_init_flag": False}
    return {"distributed_type": "DEEPSPEED", "deepspeed_config": zero}


def _zero(stage: int) -> dict[str, Any]:
    return {
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "bf16": {"enabled": "auto"},
        "zero_optimization": {"stage": stage},
    }


def _gpus(strategy: str) -> list[str]:
    return TWO if strategy == "fsdp1" else ["9.0"]


def everything() -> Iterator[tuple[str, Try]]:
    """The names of the cases, and what makes them."""
    script = own("", "accelerator = Accelerator()")
    for backend, strategy in (("ao", "fsdp1"), ("te", "zero1"), ("ao", "zero1"), ("ao", "zero2"), ("ao", "zero3")):
        files = {"train.py": script, "a.yaml": _file(backend, strategy)}
        stack = DEEPSPEED if strategy.startswith("zero") else PLAIN
        yield (
            f"own-{backend}-{strategy}",
            Try("accelerate launch --config_file a.yaml train.py", files, stack, _gpus(strategy)),
        )
    for name, more, backend, strategy in (
        ("ao-compiled-fsdp1", COMPILED, "ao", "fsdp1"),
        ("te-zero1", {"bf16": True}, "te", "zero1"),
    ):
        files = {"train.py": programs.trainer(**more), "a.yaml": _file(backend, strategy)}
        stack = DEEPSPEED if strategy.startswith("zero") else PLAIN
        yield (
            f"trainer-{name}",
            Try("accelerate launch --config_file a.yaml train.py", files, stack, _gpus(strategy)),
        )
    for name, more in (("ao-fsdp1", {}), ("ao-compiled-fsdp1", COMPILED)):
        files = {"sft.yaml": {**OF_TRL, **more, "accelerate_config": "a.yaml"}, "a.yaml": _file("ao", "fsdp1")}
        yield f"trl-{name}", Try("trl sft --config sft.yaml", files, PLAIN, TWO)
    launched = "accelerate launch --config_file a.yaml -m llamafactory.launcher lf.yaml"
    for name, more in (("ao-fsdp1", {}), ("ao-compiled-fsdp1", COMPILED)):
        one = factory(FACTORY, launched, bf16=False, disable_gradient_checkpointing=True, **more)
        yield (
            f"lf-{name}",
            one._replace(files={**one.files, "a.yaml": _file("ao", "fsdp1")}, gpus=TWO, variables=_UNPINNED),
        )
    one = factory(FACTORY_DEEPSPEED, launched, deepspeed="ds.json", disable_gradient_checkpointing=True)
    files = {**one.files, "ds.json": _zero(2), "a.yaml": config(fp8_config=BACKENDS["te"])}
    yield "lf-te-zero2-one", one._replace(files=files, variables=_UNPINNED)
    for name, command in (("cli", _CLI), ("forced", f"FORCE_TORCHRUN=1 {_CLI}")):
        one = factory(FACTORY_DEEPSPEED, command, deepspeed="ds.json", disable_gradient_checkpointing=True)
        files = {**one.files, "ds.json": _zero(2)}
        yield f"lf-zero2-{name}", one._replace(files=files, variables=_UNPINNED)
    for stage in (1, 3):
        one = factory(FACTORY_DEEPSPEED, launched, deepspeed="ds.json", disable_gradient_checkpointing=True)
        files = {**one.files, "ds.json": _zero(stage), "a.yaml": {**config(fp8_config=BACKENDS["te"]), **PAIR}}
        yield f"lf-te-zero{stage}", one._replace(files=files, gpus=TWO, variables=_UNPINNED)
    started = "axolotl train ax.yaml -- --config_file a.yaml"
    for name, more in (("ao-fsdp1", FP8), ("ao-compiled-fsdp1", {**FP8, **COMPILED})):
        one = axolotl(started, **more)
        yield f"axolotl-{name}", one._replace(files={**one.files, "a.yaml": _file("ao", "fsdp1")}, gpus=TWO)
    for name, more in (("bf16", {"bf16": True}), ("float32", {"bf16": False}), ("ao-float32", {**FP8, "bf16": False})):
        for strategy in ("fsdp1", "fsdp2"):
            one = axolotl(started, **more)
            file = (
                _file("ao", strategy)
                if "ao" in name
                else config(**_layout(strategy), mixed_precision="bf16" if more["bf16"] else "no")
            )
            yield f"axolotl-{name}-{strategy}", one._replace(files={**one.files, "a.yaml": file}, gpus=TWO)
    saved = {"state_dict_type": "FULL_STATE_DICT"}  # with a word in its own file it knows of FSDP
    for name, more, strategy in (
        ("fsdp1-unsaid", {**FP8, "fsdp_config": saved}, "fsdp1"),
        ("fsdp1", {**FP8, "fsdp_version": 1, "fsdp_config": saved}, "fsdp1"),
        ("fsdp2", {"fp8": True, "fsdp_version": 2, "fsdp_config": saved}, "fsdp2"),
    ):
        one = axolotl(started, **more)
        yield f"axolotl-own-{name}", one._replace(files={**one.files, "a.yaml": _file("ao", strategy)}, gpus=TWO)
    one = axolotl(started, **FP8)
    yield "axolotl-ao-fsdp2", one._replace(files={**one.files, "a.yaml": _file("ao", "fsdp2")}, gpus=TWO)
    for name, more, backend in (("te", {}, "te"), ("ao", FP8, "ao"), ("ao-compiled", {**FP8, **COMPILED}, "ao")):
        for stage in (1, 2, 3):
            one = axolotl(started, **more)
            files = {**one.files, "a.yaml": _file(backend, f"zero{stage}")}
            yield f"axolotl-{name}-zero{stage}", one._replace(files=files, stack=AXOLOTL_DEEPSPEED)


_CLI = "llamafactory-cli train lf.yaml"
_UNPINNED = {"DISABLE_VERSION_CHECK": "1"}  # the release names older ones of accelerate and transformers


def undecided(name: str) -> str | None:  # noqa: ARG001  as those of the tries
    """Why nobody can tell: of none."""
    return None
