"""Cases written by hand: each shows one thing that a general generator would rarely hit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.tools.conformance import cases, stacks

if TYPE_CHECKING:
    from tests.tools.conformance.cases import Case


def _config(**changes: Any) -> dict[str, Any]:
    config: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": "NO",
        "num_processes": 1,
        "num_machines": 1,
        "machine_rank": 0,
        "use_cpu": False,
        "mixed_precision": "fp8",
        "fp8_config": {"backend": "TE"},
    }
    config.update(changes)
    return {key: value for key, value in config.items() if value is not ...}


def _te(**keys: Any) -> dict[str, Any]:
    return _config(fp8_config={"backend": "TE", **keys})


AO = _config(fp8_config={"backend": "AO"})
AO_WITHOUT_ALL_GATHER = _config(fp8_config={"backend": "AO", "enable_fsdp_float8_all_gather": False})

FILES: dict[str, Any] = {
    "te": _te(),
    "te-e4m3-16": _te(fp8_format="E4M3", amax_history_len=16, amax_compute_algo="max"),
    "te-most-recent": _te(amax_compute_algo="most_recent"),
    "te-wizard": _te(amax_history_length=16, amax_compute_algorithm="max", override_linear_precision=[False] * 3),
    "te-docs": _te(override_linear_precision="(false, false, false)"),
    "te-interval": _te(interval=2),
    "te-margin": _te(margin=3),
    "te-null-margin": _te(margin=None),
    "te-float-length": _te(amax_history_len=16.0),
    "te-text-length": _te(amax_history_len="sixteen"),
    "te-override-wgrad": _te(override_linear_precision=[False, False, True]),
    "te-override-fprop": _te(override_linear_precision=[True, False, False]),
    "te-override-scalar": _te(override_linear_precision=False),
    "te-e5m2": _te(fp8_format="E5M2"),
    "te-format-unknown": _te(fp8_format="E3M4"),
    "te-mxfp8": _te(use_mxfp8_block_scaling=True),
    "te-mxfp8-amax": _te(use_mxfp8_block_scaling=True, amax_history_len=16),
    "te-eval": _te(use_autocast_during_eval=True),
    "te-prefixed": _config(fp8_config={"fp8_backend": "TE", "fp8_margin": 2}),
    "ao": AO,
    "ao-no-all-gather": AO_WITHOUT_ALL_GATHER,
    "ao-no-pad": _config(fp8_config={"backend": "AO", "pad_inner_dim": False}),
    "msamp": _config(fp8_config={"backend": "MSAMP"}),
    "backend-lower": _config(fp8_config={"backend": "te"}),
    "backend-unquoted-no": _config(fp8_config={"backend": False}),
    "no-recipe": _config(fp8_config=...),
    "recipe-null": _config(fp8_config=None),
    "recipe-empty": _config(fp8_config={}),
    "precision-missing": _config(mixed_precision=...),
    "precision-null": _config(mixed_precision=None),
    "precision-unquoted-no": _config(mixed_precision=False),
    "precision-unknown": _config(mixed_precision="float8"),
    "bf16-with-recipe": _config(mixed_precision="bf16"),
    "distributed-unquoted-no": _config(distributed_type=False),
    "distributed-unquoted-no-processes": _config(distributed_type=False, num_processes=...),
    "unknown-key": _config(fp8_backend="TE"),
    "empty": "",
    "list": "- a\n- b\n",
    "sagemaker-word": _config(compute_environment="SOMEWHERE"),
    "debug": _config(debug=True),
    "compile": _config(dynamo_config={"dynamo_backend": "NO"}),
}
FILE_STACKS = ("newest", "1.15", "1.10", "1.8", "1.5", "1.4", "1.3", "1.0", "0.34")

SCRIPTS: dict[str, dict[str, Any]] = {
    "kwarg-fp8": {"accelerator_kwargs": {"mixed_precision": "fp8"}},
    "kwarg-bf16": {"accelerator_kwargs": {"mixed_precision": "bf16"}},
    "handler": {"recipe_handler": {"cls": "FP8RecipeKwargs", "kwargs": {"backend": "TE"}}},
    "handler-and-kwarg": {
        "accelerator_kwargs": {"mixed_precision": "fp8"},
        "recipe_handler": {"cls": "FP8RecipeKwargs", "kwargs": {"backend": "TE", "amax_history_len": 16}},
    },
    "te-handler-and-kwarg": {
        "accelerator_kwargs": {"mixed_precision": "fp8"},
        "recipe_handler": {"cls": "TERecipeKwargs", "kwargs": {"amax_history_len": 16, "amax_compute_algo": "max"}},
    },
    "ao-handler-and-kwarg": {
        "accelerator_kwargs": {"mixed_precision": "fp8"},
        "recipe_handler": {"cls": "AORecipeKwargs", "kwargs": {}},
    },
    "model-only": {"prepare": "model_only"},
}
SCRIPT_STACKS = ("newest", "1.15", "1.13", "1.12", "1.10", "1.9", "1.8", "1.7", "1.5", "1.4", "1.3", "1.0", "0.34")

TRAININGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bf16": {"bf16": True},
    "fp16": {"fp16": True},
    "both": {"bf16": True, "fp16": True},
    "bf16-full-eval": {"bf16_full_eval": True},
}
TRAINING_FILES = {"te": FILES["te-e4m3-16"], "ao": AO, "no-recipe": FILES["no-recipe"]}
TRAINING_STACKS = (
    "newest",
    "1.15",
    "1.13",
    "1.12",
    "1.11",
    "1.11-te2.8",
    "1.10",
    "1.9",
    "1.8",
    "1.7",
    "1.5",
    "1.3",
    "1.0",
)

MODELS: dict[str, dict[str, Any]] = {
    "tied": {"tied": True},
    "tied-odd-vocabulary": {"tied": True, "vocab": 97},
    "all-odd": {"hidden": 60, "inter": 100, "vocab": 97},
    "24-tokens": {"rows": 1, "length": 24},
    "6-tokens": {"rows": 1, "length": 6},
    "35-tokens": {"rows": 5, "length": 7},
    "one-odd-projection": {"kv": 24},
}
MODEL_STACKS = ("newest", "1.15", "1.15-te2.18", "1.10", "1.0")

FSDP = {
    "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
    "fsdp_transformer_layer_cls_to_wrap": "Block",
    "fsdp_state_dict_type": "SHARDED_STATE_DICT",
}
FSDP1 = {"fsdp_version": 1, "fsdp_sharding_strategy": "FULL_SHARD", "fsdp_use_orig_params": True, **FSDP}
FSDP2 = {"fsdp_version": 2, "fsdp_reshard_after_forward": True, **FSDP}
LAYOUTS: dict[str, dict[str, Any]] = {
    "ddp": {"distributed_type": "MULTI_GPU", "num_processes": 2},
    "ddp-one": {"distributed_type": "MULTI_GPU"},
    "fsdp1": {"distributed_type": "FSDP", "fsdp_config": {**FSDP1, "fsdp_cpu_ram_efficient_loading": False}},
    "fsdp1-efficient": {"distributed_type": "FSDP", "fsdp_config": FSDP1},
    "fsdp2": {"distributed_type": "FSDP", "fsdp_config": {**FSDP2, "fsdp_cpu_ram_efficient_loading": False}},
    "fsdp2-efficient": {"distributed_type": "FSDP", "fsdp_config": FSDP2},
    "cpu": {"distributed_type": "MULTI_CPU", "num_processes": 2, "use_cpu": True},
}
LAYOUT_STACKS = ("newest", "1.15", "1.13", "1.12", "1.11", "1.10", "1.9", "1.8", "1.8-te", "1.7", "1.3", "1.0")
DEEPSPEED_STACKS = ("newest-deepspeed", "1.15-deepspeed", "1.10-deepspeed")

COMMAND_LINES: dict[str, tuple[str, ...]] = {
    "precision": ("--mixed_precision", "fp8"),
    "backend-te": ("--mixed_precision", "fp8", "--fp8_backend", "te"),
    "backend-ao": ("--mixed_precision", "fp8", "--fp8_backend", "ao"),
    "backend-upper": ("--mixed_precision", "fp8", "--fp8_backend", "TE"),
    "format": ("--mixed_precision", "fp8", "--fp8_format", "HYBRID"),
    "override": ("--mixed_precision", "fp8", "--fp8_override_linear_precision", "false,false,true"),
    "unknown": ("--mixed_precision", "fp8", "--fp8_recipe", "delayed"),
    "precision-unknown": ("--mixed_precision", "fp4"),
    "use-deepspeed": ("--mixed_precision", "fp8", "--use_deepspeed"),
    "multi-gpu-one": ("--mixed_precision", "fp8", "--multi_gpu", "--num_processes", "1"),
}
COMMAND_STACKS = ("newest", "1.15", "1.13", "1.10", "1.8", "1.5", "1.4", "1.3", "1.0")


def cases_by_hand() -> list[Case]:
    """All of them, on their stacks."""
    return [
        *_files(),
        *_scripts(),
        *_trainings(),
        *_models(),
        *_layouts(),
        *_handlers(),
        *_deepspeed(),
        *_command_lines(),
        *_releases(),
    ]


def _files() -> list[Case]:
    return [
        cases.new(f"file-{key}-{name}", stack, accelerate_config=config)
        for name, stack in _named(FILE_STACKS)
        for key, config in FILES.items()
    ]


def _scripts() -> list[Case]:
    made = []
    for name, stack in _named(SCRIPT_STACKS):
        for key, script in SCRIPTS.items():
            made.append(cases.new(f"script-{key}-python-{name}", stack, launch="python", script=script))
            made.append(cases.new(f"script-{key}-te-{name}", stack, accelerate_config=FILES["te"], script=script))
    return made


def _trainings() -> list[Case]:
    return [
        cases.new(f"train-{key}-{file}-{name}", stack, "transformers", accelerate_config=config, training=training)
        for name, stack in _named(TRAINING_STACKS)
        for key, training in TRAININGS.items()
        for file, config in TRAINING_FILES.items()
    ]


def _models() -> list[Case]:
    made = []
    for name, stack in _named(MODEL_STACKS):
        for key, model in MODELS.items():
            variables = {"ACCELERATE_MIXED_PRECISION": "fp8", "ACCELERATE_FP8_BACKEND": "TE"}
            made.append(cases.new(f"model-{key}-te-{name}", stack, launch="python", variables=variables, model=model))
            made.append(cases.new(f"model-{key}-ao-{name}", stack, accelerate_config=AO, model=model))
    return made


def _layouts() -> list[Case]:
    return [
        cases.new(
            f"layout-{key}-{backend}-{trainer}-{name}",
            stack,
            trainer,
            accelerate_config=_config(fp8_config={"backend": backend}, **layout),
            processes=int(layout.get("num_processes", 1)),
        )
        for name, stack in _named(LAYOUT_STACKS)
        for key, layout in LAYOUTS.items()
        for backend in ("TE", "AO")
        for trainer in ("script", "transformers")
    ]


HANDLER_STACKS = ("newest", "1.15", "1.13", "1.11", "1.10", "1.9", "1.8", "1.7", "1.6")


def _handlers() -> list[Case]:
    """A recipe handler that the script passes by itself, under FSDP: up to 1.8 only that one names the backend."""
    return [
        cases.new(
            f"handler-{key}-{cls}-{name}",
            stack,
            accelerate_config=_config(**LAYOUTS[key]),
            script={"accelerator_kwargs": {"mixed_precision": "fp8"}, "recipe_handler": {"cls": cls, "kwargs": {}}},
        )
        for name, stack in _named(HANDLER_STACKS)
        for key in ("fsdp1", "fsdp2")
        for cls in ("TERecipeKwargs", "AORecipeKwargs")
    ]


DEEPSPEED_RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "script": ("script", {}),
    "plain": ("transformers", {}),
    "bf16": ("transformers", {"bf16": True}),
}


def _deepspeed() -> list[Case]:
    return [
        cases.new(
            f"deepspeed{stage}-{backend}-{key}-{name}", stack, trainer, training=training, accelerate_config=config
        )
        for name, stack in _named(DEEPSPEED_STACKS)
        for stage in (1, 2, 3)
        for backend in ("TE", "AO")
        for config in [_deepspeed_config(stage, backend)]
        for key, (trainer, training) in DEEPSPEED_RUNS.items()
    ]


def _deepspeed_config(stage: int, backend: str) -> dict[str, Any]:
    settings = {"zero_stage": stage, "gradient_accumulation_steps": 1}
    recipe = {"backend": backend, "amax_history_len": 16}
    return _config(distributed_type="DEEPSPEED", deepspeed_config=settings, fp8_config=recipe)


def _command_lines() -> list[Case]:
    return [
        cases.new(f"flags-{key}-{name}", stack, args=arguments)
        for name, stack in _named(COMMAND_STACKS)
        for key, arguments in COMMAND_LINES.items()
    ]


def _named(names: tuple[str, ...]) -> list[tuple[str, stacks.Stack]]:
    known = stacks.known()
    return [(name, known[name]) for name in names]


def _releases() -> list[Case]:
    """One run on either side of a version bound of rules/releases/behaviors.py; `make mutation` says which are missing."""
    known = stacks.known()

    def runs(key: str, names: tuple[str, ...], **parts: Any) -> list[Case]:
        return [cases.new(f"release-{key}-{name}", known[name], **parts) for name in names]

    fp8 = ("--mixed_precision", "fp8")
    te = {"ACCELERATE_MIXED_PRECISION": "fp8", "ACCELERATE_FP8_BACKEND": "TE"}
    keyword = {"accelerator_kwargs": {"mixed_precision": "fp8"}}
    handler = {"recipe_handler": {"cls": "FP8RecipeKwargs", "kwargs": {"backend": "TE"}}}
    efficient = _config(fp8_config={"backend": "AO"}, **LAYOUTS["fsdp1-efficient"])
    environment_efficient = {**te, "ACCELERATE_FP8_BACKEND": "AO", "FSDP_CPU_RAM_EFFICIENT_LOADING": "true"}
    override_config = _te(fp8_override_linear_precision=[False, False, True])
    mxfp8 = FILES["te-mxfp8"]
    return [
        *runs("format-e5m2", ("1.15", "1.9", "1.8", "1.3"), args=(*fp8, "--fp8_format", "E5M2")),
        *runs("e5m2-variable", ("1.15", "1.10", "1.8", "1.0"), launch="python", variables=te | {_FORMAT: "E5M2"}),
        *runs(
            "flag-and-file",
            ("1.5", "1.4", "1.3", "1.15"),
            args=("--fp8_format", "HYBRID", "--fp8_amax_history_len", "32"),
            accelerate_config=FILES["te-e4m3-16"],
        ),
        *runs("override-spaces", ("1.5", "1.4", "1.3", "1.0"), args=(*fp8, _OVERRIDE, "(false, false, true)")),
        *runs("override-tuple", ("1.5", "1.4", "1.3", "1.0", "1.15"), args=(*fp8, _OVERRIDE, "(false,false,true)")),
        *runs("override-file", ("1.5", "1.4", "1.3", "1.0", "1.15"), accelerate_config=override_config),
        *runs(
            "keyword-on-ampere",
            ("1.3", "1.4", "1.5", "1.7", "1.8", "1.15"),
            launch="python",
            script=keyword,
            compute_capability="8.0",
        ),
        *runs(
            "handler-on-ampere",
            ("1.3", "1.4", "1.5", "1.7", "1.8", "1.9", "1.15"),
            launch="python",
            script=keyword | handler,
            compute_capability="8.0",
        ),
        *runs("torchao-efficient", ("1.4", "1.5", "1.7", "1.8"), accelerate_config=efficient),
        *runs("torchao-efficient-variable", ("1.5", "1.7", "1.8"), launch="python", variables=environment_efficient),
        *runs(
            "torchao-efficient-handler",
            ("1.5", "1.7", "1.8", "1.9"),
            script=SCRIPTS["ao-handler-and-kwarg"],
            accelerate_config=efficient,
        ),
        *runs(
            "flag-and-text",
            ("1.5", "1.4", "1.15"),
            args=("--fp8_format", "HYBRID", "--fp8_amax_history_len", "32"),
            script=keyword | {"recipe_handler": {"cls": "TERecipeKwargs", "kwargs": {}}},
            accelerate_config=_te(
                fp8_format="E4M3",
                amax_history_len=16,
                amax_compute_algo="max",
                override_linear_precision="(false, false, false)",
            ),
        ),
        *runs("override-flag", ("1.0", "1.3", "1.8", "0.34"), args=(*fp8, _OVERRIDE, "false,false,true")),
        *runs("override-fprop", ("1.9-te1", "1.15-te2.1", "1.15"), accelerate_config=FILES["te-override-fprop"]),
        *(
            case
            for key, flags in {"plain": {}, "bf16": {"bf16": True}, "off": {"bf16": False}}.items()
            for case in runs(
                f"trl-{key}",
                # HF Trainer stands in for SFTTrainer here, and no loss of newer releases runs: tests/tools/conformance/commands does.
                ("1.8-trl",),
                trainer="trl",
                training={"gradient_checkpointing": False, **flags},
                launch="python",
                variables=te,
            )
        ),
        *runs(
            "trl-checkpointing",
            ("newest-trl", "1.15-trl", "1.8-trl"),
            trainer="trl",
            training={"bf16": True},
            launch="python",
        ),
        *runs(
            "llamafactory",
            ("1.7-lf0.9.3",),
            trainer="llamafactory",
            training={"stage": "sft", "finetuning_type": "full", "fp8": True, "bf16": True},
            launch="python",
        ),
        *runs("override-of-te1", ("1.15-te1", "1.9-te1", "1.15"), accelerate_config=FILES["te-override-wgrad"]),
        *(
            case
            for capability in ("9.0", "10.0", "12.0")
            for case in runs(
                f"mxfp8-{capability}",
                ("1.15", "1.15-te1", "1.15-te2.1", "1.13-te", "1.12-te2.9", "1.11-te2.8"),
                accelerate_config=mxfp8,
                compute_capability=capability,
            )
        ),
        *(
            case
            for name, layout in {"one": {}, "ddp": LAYOUTS["ddp"]}.items()
            for key, flags in {"plain": {}, "bf16": {"bf16": True}}.items()
            for case in runs(
                f"fsdp-of-arguments-{name}-{key}",
                ("1.15", "1.13", "1.12", "1.10"),
                trainer="transformers",
                training={"fsdp": "full_shard", "fsdp_config": {"transformer_layer_cls_to_wrap": ["Block"]}, **flags},
                accelerate_config=_config(**layout),
                processes=int(layout.get("num_processes", 1)),
            )
        ),
        *runs(
            "torchao-efficient-transformers",
            ("1.4", "1.5", "1.7", "1.8"),
            trainer="transformers",
            accelerate_config=efficient,
        ),
    ]


_FORMAT = "ACCELERATE_FP8_FORMAT"
_OVERRIDE = "--fp8_override_linear_precision"
