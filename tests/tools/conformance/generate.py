"""Makes cases by seed: the same seed gives the same cases with the same ids.

Most are what people write (a correct configuration with one or two oddities), since a heap of errors in one case shows
only the first. The weights below say how often each value comes.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from tests.tools.conformance import cases, edges, stacks

if TYPE_CHECKING:
    from tests.tools.conformance.cases import Case

Weights = dict[Any, float]
ABSENT = "absent"

MIXED_PRECISION: Weights = {"fp8": 12, "bf16": 4, "no": 1, "fp16": 1, ABSENT: 1, "FP8": 0.3}
BACKENDS: Weights = {"TE": 9, "AO": 5, ABSENT: 3, "te": 0.7, "MSAMP": 0.5, "ao": 0.4, "torchao": 0.3, "NO": 0.3}
RECIPE_KEYS: dict[str, Weights] = {
    "fp8_format": {"HYBRID": 3, "E4M3": 3, "E5M2": 0.4, "hybrid": 0.5},
    "format": {"E4M3": 1},
    "amax_history_len": {16: 2, 32: 1, 1024: 1},
    "amax_compute_algo": {"max": 2, "most_recent": 2},
    "amax_history_length": {16: 1},
    "amax_compute_algorithm": {"max": 1},
    "margin": {0: 1, 2: 1},
    "interval": {1: 1, 2: 1},
    "override_linear_precision": {"none": 2, "wgrad": 1, "fprop": 0.5, "scalar": 0.3},
    "use_autocast_during_eval": {True: 1, False: 1},
    "use_mxfp8_block_scaling": {True: 2, False: 1},
    "pad_inner_dim": {True: 1, False: 1},
    "enable_fsdp_float8_all_gather": {True: 1, False: 2},
    "opt_level": {"O1": 1, "O2": 1},
    "optimization_level": {"O2": 1},
    "recipe": {"delayed": 1},
}
OVERRIDES = {
    "none": [False, False, False],
    "wgrad": [False, False, True],
    "fprop": [True, False, False],
    "scalar": False,
}
VARIABLES: dict[str, Weights] = {
    "ACCELERATE_MIXED_PRECISION": {"fp8": 3, "bf16": 2, "FP8": 0.3},
    "ACCELERATE_FP8_BACKEND": {"TE": 3, "AO": 2, "te": 0.5, "MSAMP": 0.3},
    "ACCELERATE_FP8_FORMAT": {"E4M3": 1, "HYBRID": 1},
    "ACCELERATE_FP8_AMAX_HISTORY_LEN": {"16": 1},
    "ACCELERATE_FP8_AMAX_COMPUTE_ALGO": {"max": 1, "most_recent": 1},
    "ACCELERATE_FP8_USE_MXFP8_BLOCK_SCALING": {"true": 1},
    "ACCELERATE_FP8_ENABLE_FSDP_FLOAT8_ALL_GATHER": {"false": 1},
    "FP8_BACKEND": {"te": 1},
}
LAUNCHES: Weights = {"flag": 13, "default": 2, "none": 2, "python": 3, "torchrun": 2}
FLAGS: Weights = {
    ("--mixed_precision", "fp8"): 3,
    ("--mixed_precision", "bf16"): 2,
    ("--fp8_backend", "te"): 1,
    ("--fp8_backend", "ao"): 0.5,
    ("--fp8_format", "E4M3"): 1,
    ("--fp8_format", "HYBRID"): 1,
    ("--fp8_amax_history_len", "16"): 1,
    ("--fp8_amax_compute_algo", "max"): 1,
    ("--cpu",): 0.3,
    ("--num_processes", "1"): 1,
}
CAPABILITIES: Weights = {"9.0": 14, "10.0": 2, "8.0": 1.5, "8.9": 1, "12.0": 0.7}
MODELS: dict[str, Weights] = {
    "kv": {24: 1, 32: 1},
    "inter": {100: 1},
    "vocab": {97: 1},
    "bias": {True: 1},
    "tied": {True: 3},
    "hidden": {60: 0.3},
    "rows": {1: 0.5, 3: 1, 5: 0.5},
    "length": {6: 1, 8: 1, 24: 0.5},
}
DISTRIBUTED: Weights = {"NO": 14, "MULTI_GPU": 2, "FSDP1": 1.2, "FSDP2": 1.8}
FSDP: dict[str, dict[str, Any]] = {
    "FSDP1": {"fsdp_version": 1, "fsdp_sharding_strategy": "FULL_SHARD", "fsdp_use_orig_params": True},
    "FSDP2": {"fsdp_version": 2, "fsdp_reshard_after_forward": True},
}


def _pick(chance: Random, weights: Weights) -> Any:
    return chance.choices(list(weights), list(weights.values()))[0]


def _some(chance: Random, keys: dict[str, Weights], odds: float, limit: int) -> dict[str, Any]:
    """With these odds one to `limit` of the keys, each with one of its values."""
    if chance.random() >= odds:
        return {}
    chosen = chance.sample(list(keys), chance.randint(1, limit))
    return {key: _pick(chance, keys[key]) for key in keys if key in chosen}


def _recipe(chance: Random) -> dict[str, Any] | None:
    if chance.random() < 0.12:
        return None
    backend = _pick(chance, BACKENDS)
    recipe = {} if backend == ABSENT else {"backend": backend}
    recipe.update(_some(chance, RECIPE_KEYS, 0.65, 3))
    if "override_linear_precision" in recipe:
        recipe["override_linear_precision"] = OVERRIDES[recipe["override_linear_precision"]]
    return recipe


def _accelerate(chance: Random, distributed: str, processes: int, trainer: str) -> dict[str, Any]:
    config: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": distributed[:4] if distributed.startswith("FSDP") else distributed,
        "num_processes": processes,
        "num_machines": 1,
        "machine_rank": 0,
        "use_cpu": False,
    }
    precision = _pick(chance, MIXED_PRECISION)
    if precision != ABSENT:
        config["mixed_precision"] = precision
    recipe = _recipe(chance)
    if recipe is not None:
        config["fp8_config"] = recipe
    if distributed in FSDP:
        config["fsdp_config"] = {**FSDP[distributed], **_wrapping(chance, trainer)}
    if distributed == "DEEPSPEED":
        config["deepspeed_config"] = {"zero_stage": chance.choice([1, 2, 3]), "gradient_accumulation_steps": 1}
    return config


def _wrapping(chance: Random, trainer: str) -> dict[str, Any]:
    layer = "LlamaDecoderLayer" if trainer == "llamafactory" else "Block"
    efficient = chance.choice([True, False, None])
    options: dict[str, Any] = {
        "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "fsdp_transformer_layer_cls_to_wrap": layer,
        "fsdp_state_dict_type": "SHARDED_STATE_DICT",
    }
    return options if efficient is None else {**options, "fsdp_cpu_ram_efficient_loading": efficient}


def _training(chance: Random, trainer: str) -> dict[str, Any]:
    training: dict[str, Any] = {}
    if trainer == "script":
        return training
    if chance.random() < (0.75 if trainer == "llamafactory" else 0.4):
        training["bf16"] = True
    elif chance.random() < 0.1:
        training["fp16"] = True
    if trainer == "llamafactory":
        training.update(_factory(chance))
    return training


def _factory(chance: Random) -> dict[str, Any]:
    options: dict[str, Any] = {"finetuning_type": _pick(chance, {"full": 4, "lora": 1})}
    options["stage"] = _pick(chance, {"sft": 6, "pt": 2, "dpo": 1})
    if chance.random() < 0.8:
        options["fp8"] = True
        backend = _pick(chance, {"te": 4, "auto": 2, "torchao": 2, ABSENT: 1, "msamp": 0.3, "TE": 0.3})
        if backend != ABSENT:
            options["fp8_backend"] = backend
    if chance.random() < 0.1:
        options["fp8_enable_fsdp_float8_all_gather"] = True
    if options["finetuning_type"] == "lora":
        options["lora_rank"] = chance.choice([8, 16])
    if chance.random() < 0.7:
        options["disable_gradient_checkpointing"] = True
    if chance.random() < 0.1:
        options["pure_bf16"] = True
        options.pop("bf16", None)
    return options


def _script(chance: Random) -> dict[str, Any] | None:
    if chance.random() < 0.8:
        return None
    if chance.random() < 0.3:
        return {"prepare": "model_only"}
    return {"accelerator_kwargs": {"mixed_precision": chance.choice(["fp8", "bf16", "no"])}}


def _model(chance: Random, trainer: str, stack: stacks.Stack) -> dict[str, Any] | None:
    model = _some(chance, MODELS, 0.35, 2)
    if trainer == "llamafactory":
        return None
    if trainer == "transformers" and "peft" in stack and chance.random() < 0.7:
        return {"kind": "llama", "lora": chance.choice([8, 16])}
    return model or None


def _case(identity: str, stack: stacks.Stack, chance: Random) -> Case:
    trainer = _pick(chance, {"script": 1, "transformers": 1})
    trainer = "llamafactory" if "llamafactory" in stack else trainer
    distributed = _pick(chance, {"DEEPSPEED": 2, "NO": 1} if "deepspeed" in stack else DISTRIBUTED)
    processes = chance.choice([1, 2]) if distributed == "MULTI_GPU" else 1
    how = _pick(chance, LAUNCHES)
    if distributed != "NO":
        how = "flag"
    config = _accelerate(chance, distributed, processes, trainer) if how in ("flag", "default") else None
    launcher = how if how in ("python", "torchrun") else "accelerate"
    odds = 0.9 if config is None else 0.25
    arguments = _pick(chance, FLAGS) if launcher == "accelerate" and chance.random() < odds / 2 else ()
    training = _training(chance, trainer)
    model = _model(chance, trainer, stack)
    if trainer == "transformers" and chance.random() < 0.12:
        training["gradient_checkpointing"] = True
        # 60 wide it would have an odd head dimension, which no Llama can have.
        model = {"kind": "llama", **{key: value for key, value in (model or {}).items() if key != "hidden"}}
    if (model or {}).get("kind") == "llama" and config is not None and "fsdp_config" in config:
        config["fsdp_config"]["fsdp_transformer_layer_cls_to_wrap"] = "LlamaDecoderLayer"
    return cases.new(
        identity,
        stack,
        trainer,
        launch=launcher,
        args=arguments,
        config_via=how if config is not None else None,
        processes=processes,
        accelerate_config=config,
        training=training,
        script=_script(chance) if trainer == "script" else None,
        variables=_some(chance, VARIABLES, odds, 3),
        model=model,
        compute_capability=_pick(chance, CAPABILITIES),
    )


def generated(seed: int, count: int) -> list[Case]:
    """`count` cases dealt evenly over the named stacks."""
    named = stacks.known()
    made = []
    for place, (name, stack) in enumerate(named.items()):
        # Seeded by text: reproducible in every release of Python, and a new stack leaves the others' cases as they are.
        chance = Random(f"{seed}/{name}")  # noqa: S311
        share = count // len(named) + (place < count % len(named))
        made += [_case(f"g{seed}-{name}-{number:03}", stack, chance) for number in range(share)]
    return made


def everything(seed: int, count: int) -> list[Case]:
    """The hand-written cases and the generated ones."""
    return edges.cases_by_hand() + generated(seed, count)


NEWEST_COUNT = 12


def newest(seed: int) -> list[Case]:
    """The cases of the stacks with the newest releases that a CPU can run: tests/conformance/newest.jsonl has them."""
    chosen = {name: stack for name, stack in stacks.known().items() if name.startswith("newest")}
    by_hand = [case for case in edges.cases_by_hand() if case["stack"] in chosen.values()]
    made = []
    for name, stack in chosen.items():
        chance = Random(f"{seed}/{name}/newest")  # noqa: S311
        made += [_case(f"n{seed}-{name}-{number:03}", stack, chance) for number in range(NEWEST_COUNT)]
    return by_hand + made


SAMPLE_STACKS = ("newest", "1.10")
SAMPLE_COUNT = 40


def sample(seed: int) -> list[Case]:
    """The fixed sample for CI: two stacks, hand-written cases first, then generated ones."""
    named = stacks.known()
    chosen = [named[name] for name in SAMPLE_STACKS]
    by_hand = [case for case in edges.cases_by_hand() if case["stack"] in chosen]
    made = []
    for name, stack in zip(SAMPLE_STACKS, chosen, strict=True):
        chance = Random(f"{seed}/{name}")  # noqa: S311
        made += [_case(f"g{seed}-{name}-{number:03}", stack, chance) for number in range(SAMPLE_COUNT)]
    return by_hand + made
