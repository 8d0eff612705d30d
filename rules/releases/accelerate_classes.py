"""The keywords that Accelerate's classes take, over the releases 0.34.0 to 1.15.0; any other ends in a TypeError."""

from __future__ import annotations

from fp8check.rules.releases.behaviors import Accelerate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.script import Call, ScriptSource

_RECIPE = (
    *("use_autocast_during_eval", "margin", "interval", "fp8_format", "amax_history_len", "amax_compute_algo"),
    *("override_linear_precision", "use_mxfp8_block_scaling"),
)
# accelerator.py Accelerator.__init__, utils/dataclasses.py; what any of the releases has.
KEYWORDS: Mapping[str, frozenset[str]] = {
    "Accelerator": frozenset(
        [
            *("device_placement", "split_batches", "mixed_precision", "gradient_accumulation_steps", "cpu"),
            *("dataloader_config", "deepspeed_plugin", "fsdp_plugin", "torch_tp_plugin", "megatron_lm_plugin"),
            *("rng_types", "log_with", "project_dir", "project_config", "gradient_accumulation_plugin"),
            *("step_scheduler_with_optimizer", "kwargs_handlers", "dynamo_backend", "dynamo_plugin"),
            "deepspeed_plugins",
        ]
    ),
    "TERecipeKwargs": frozenset(_RECIPE),
    "MSAMPRecipeKwargs": frozenset(["opt_level"]),
    "FP8RecipeKwargs": frozenset([*_RECIPE, "opt_level", "backend"]),
    "AORecipeKwargs": frozenset(["config", "module_filter_func", "pad_inner_dim", "enable_fsdp_float8_all_gather"]),
}
_OF_LOADERS = ("dispatch_batches", "even_batches", "use_seedable_sampler")
# Keywords that stand in documentation and posts, and what the classes call them.
_OF_DELAYED_SCALING = {
    "amax_history_length": "amax_history_len",
    "amax_compute_algorithm": "amax_compute_algo",
    "format": "fp8_format",
}
_MEANT: Mapping[str, Mapping[str, str]] = {
    "Accelerator": {
        "kwarg_handlers": "kwargs_handlers",
        "kwargs_handler": "kwargs_handlers",
        "fp8_recipe_handler": "kwargs_handlers, and it takes a list",
        "fp8": "mixed_precision, and its value is 'fp8'",
        "precision": "mixed_precision",
    },
    "TERecipeKwargs": _OF_DELAYED_SCALING,
    "MSAMPRecipeKwargs": {"optimization_level": "opt_level"},
    "FP8RecipeKwargs": {"optimization_level": "opt_level", **_OF_DELAYED_SCALING},
}


def wrong_keywords(source: ScriptSource, stack: Stack, *, perhaps: bool = False) -> Iterator[tuple[Call, str, str]]:
    """Calls of Accelerate's classes with a keyword that they do not have, that keyword, and the one that is meant.

    The last is "" where it is not known.

    Args:
        perhaps: those that a call may do without, and not those that it is given.
    """
    calls = source.named(*KEYWORDS)
    others = _of_another(source, {call.name for call in calls})
    for call in calls:
        if call.name in others or call.retried:
            continue
        for keyword in call.keywords:
            if keyword != "**" and call.may_do_without(keyword) == perhaps and not _takes(call.name, keyword, stack):
                yield call, keyword, _MEANT.get(call.name, {}).get(keyword, "")


def _takes(name: str, keyword: str, stack: Stack) -> bool:
    if name == "Accelerator" and keyword == "parallelism_config":
        return stack.does(Accelerate.TAKES_PARALLELISM_CONFIG)
    if name == "Accelerator" and keyword in _OF_LOADERS:
        return stack.does(Accelerate.TAKES_LOADER_KEYWORDS)
    return keyword in KEYWORDS[name]


def _of_another(source: ScriptSource, names: set[str]) -> set[str]:
    """The names of classes that the script takes of another package, or under which it may have another class."""
    import re

    aliases: dict[str, set[str]] = {}
    for name, alias in re.findall(r"\b(\w+) as (\w+)", source.text) if names else ():
        aliases.setdefault(alias, set()).add(name)
    others = {name for several in aliases.values() if len(several) > 1 for name in several & names}
    others |= {name for name in names if f"class {name}(" in source.text}
    for name in names - others:
        taken = [one for one in source.imports if one.rpartition(".")[2] == name]
        if taken and all(one.partition(".")[0] != "accelerate" for one in taken):
            others.add(name)
    return others
