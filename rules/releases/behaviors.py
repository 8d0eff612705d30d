"""What changed between releases, as data: every version bound of the model, each with its evidence.

A behavior holds from `since` to before `until`. The evidence names the file and symbol in the released wheel; the
functions were compared over accelerate 0.34.0, 1.0.1, 1.3.0, 1.4.0, 1.5.2, 1.6.0, 1.7.0, 1.8.0, 1.8.1, 1.9.0 to 1.15.0
and executed by tests/conformance on the stacks named there. tests/outcome/test_releases.py has a run for each.
"""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.releases.versions import between

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.releases.versions import Version

_ALWAYS: tuple[int, ...] = (0,)
_STILL: tuple[int, ...] = (9999,)


class Bound(Record):
    """The releases that behave so: since <= release < until."""

    since: tuple[int, ...]
    until: tuple[int, ...]
    evidence: str


ACCELERATE: Mapping[str, Bound] = {
    # commands/launch.py and utils/launch.py
    "launcher copies fp8_config": Bound((1, 4), _STILL, "commands/launch.py _validate_launch_command"),
    "fp8_config beats flags": Bound((1, 4), (1, 5), "commands/launch.py _validate_launch_command: plain setattr"),
    "launcher defaults to E4M3": Bound(_ALWAYS, (1, 8, 1), "commands/launch.py --fp8_format default"),
    "launcher offers E5M2": Bound((1, 8, 1), _STILL, "commands/launch.py --fp8_format choices"),
    "launcher offers ao": Bound((1, 13), _STILL, "commands/launch.py --fp8_backend choices"),
    "launcher exports override whole": Bound(_ALWAYS, (1, 4), "utils/launch.py setup_fp8_env"),
    "launcher strips override": Bound((1, 4), (1, 5), "utils/launch.py setup_fp8_env: value.strip('()')"),
    "launcher exports override raw": Bound((1, 5), (1, 9), "utils/launch.py setup_fp8_env: no str()"),
    "fsdp2 empties the optimizer before te": Bound((1, 6), (1, 8), "accelerator.py prepare, _prepare_te: mapping[p]"),
    "fsdp2 asks torchao for its config": Bound((1, 8), _STILL, "accelerator.py _prepare_ao: ao_recipe_handler.config"),
    "fsdp2 exists": Bound((1, 6), _STILL, "commands/launch.py --fsdp_version"),
    # utils/imports.py
    "torchao counts as fp8 library": Bound((1, 4), _STILL, "utils/imports.py is_fp8_available"),
    # state.py
    "capability needs a gpu": Bound(_ALWAYS, (1, 5), "utils/environment.py check_fp8_capability"),
    "deepspeed keeps fp8": Bound((1, 11), _STILL, "state.py AcceleratorState.__init__"),
    # accelerator.py
    "one recipe class": Bound(_ALWAYS, (1, 4), "utils/dataclasses.py FP8RecipeKwargs; accelerator.py __init__"),
    "automatic handler is not counted": Bound((1, 4), (1, 8), "accelerator.py __init__: has_fp8_handler stays False"),
    "fp8_enabled attribute": Bound((1, 8), _STILL, "accelerator.py __init__"),
    "handler needs the argument": Bound((1, 4), (1, 9), "accelerator.py __init__: mixed_precision != 'fp8'"),
    "torchao needs fsdp": Bound((1, 8), (1, 9), "accelerator.py __init__: self.state.fsdp_plugin"),
    "torchao refuses ram efficient loading": Bound((1, 8), _STILL, "accelerator.py __init__"),
    "backend from the environment": Bound((1, 9), _STILL, "accelerator.py fp8_backend, FP8BackendType"),
    "megatron skips conversion": Bound((1, 13), _STILL, "accelerator.py prepare"),
    # utils/dataclasses.py
    "recipe accepts E5M2": Bound((1, 8, 1), _STILL, "utils/dataclasses.py FP8Format"),
    "recipe reads mxfp8": Bound((1, 11), _STILL, "utils/dataclasses.py TERecipeKwargs"),
    "torchao recipe has a config": Bound(
        (1, 13), _STILL, "utils/dataclasses.py AORecipeKwargs.__post_init__; commands/launch.py --fp8_pad_inner_dim"
    ),
    # utils/transformer_engine.py and utils/ao.py
    "mxfp8 check by attribute": Bound((1, 11), (1, 13), "utils/transformer_engine.py: te.fp8.check_mxfp8_support"),
    "mxfp8 check by import": Bound((1, 13), _STILL, "utils/transformer_engine.py: from transformer_engine.pytorch.fp8"),
    "imports torchao": Bound((1, 4), (1, 7), "utils/ao.py, where torchao is installed: at the top of the module"),
    "torchao filter is broken": Bound((1, 4), (1, 6), "utils/ao.py: filter_linear_layers(first_layer_name=...)"),
}

TRANSFORMERS: Mapping[str, Bound] = {
    "arguments rewrite the environment": Bound(_ALWAYS, (5,), "training_args.py __post_init__"),
    "trainer passes mixed_precision": Bound((5,), _STILL, "trainer.py create_accelerator_and_postprocess"),
    "trainer passes handlers": Bound((5, 3), _STILL, "trainer.py _build_accelerator_args: kwargs_handlers"),
    "fsdp keeps fp8 model and optimizer together": Bound(
        (4, 47), (5, 3), "trainer.py: accelerator.mixed_precision != 'fp8'"
    ),
    "loads the checkpoint's dtype": Bound((5,), _STILL, "modeling_utils.py from_pretrained: dtype is None -> auto"),
    "fsdp2 is the default": Bound((5, 10), _STILL, "training_args.py fsdp_config version"),
    "checkpoints a plain function": Bound((5, 23), _STILL, "modeling_layers.py: partial(forward, self)"),
    "checkpointing is not reentrant": Bound((5,), _STILL, "modeling_utils.py gradient_checkpointing_enable"),
}

LLAMAFACTORY: Mapping[str, Bound] = {
    "loads the checkpoint's dtype": Bound((0, 9, 4), _STILL, "model/loader.py: torch_dtype auto; before patcher.py"),
    "knows fp8": Bound((0, 9, 4), _STILL, "hparams/model_args.py, hparams/training_args.py"),
    # 0.9.4 reads fp8 from model_args, which its workflows never hand to the trainer: accepted, and without effect.
    "configures fp8": Bound((0, 9, 5), _STILL, "train/sft/workflow.py, train/pt/workflow.py: arguments of the trainer"),
}

TRANSFORMER_ENGINE: Mapping[str, Bound] = {
    "has check_mxfp8_support": Bound((2, 0), _STILL, "pytorch/fp8.py, pytorch/quantization.py"),
    "imports fp8 module": Bound(_ALWAYS, (2, 9), "pytorch/__init__.py; pytorch/fp8.py is a shim from 2.9"),
    "has override_linear_precision": Bound(_ALWAYS, (2, 0), "common/recipe/__init__.py DelayedScaling"),
    "mxfp8 below sm120 only": Bound((2, 6), _STILL, "pytorch/fp8.py check_mxfp8_support"),
    "checks raise RuntimeError": Bound((2, 14), _STILL, "pytorch/quantization.py check_recipe_support"),
    "metapackage has no dependencies": Bound((2, 9), _STILL, "METADATA of the metapackage wheel"),
    "reads NVTE_BACKWARD_OVERRIDE": Bound((2, 15), _STILL, "common/recipe/__init__.py DelayedScaling.__post_init__"),
    "refuses compiled delayed scaling": Bound((2, 15), _STILL, "pytorch/quantization.py check_recipe_support"),
    "checks the leading dimension": Bound((2, 9), _STILL, "common/gemm/cublaslt_gemm.cu CanonicalizeGemmInput"),
}

TRL: Mapping[str, Bound] = {
    # compared in the wheels of 0.18.2 to 0.29.0, 1.0.0 and 1.16.0
    "checkpoints by default": Bound((0, 22), _STILL, "trainer/sft_config.py, trainer/base_config.py"),
    "checkpointing is not reentrant": Bound((0, 28), _STILL, "trainer/sft_trainer.py: use_reentrant False"),
    "bf16 is on by default": Bound((0, 19), _STILL, "trainer/sft_config.py, trainer/base_config.py __post_init__"),
}


def holds(table: Mapping[str, Bound], behavior: str, version: Version) -> bool:
    """Whether that behavior of the table holds in that release.

    Raises:
        KeyError: no such behavior: a spelling mistake in the caller.
    """
    bound = table[behavior]
    return between(version, bound.since, bound.until)
