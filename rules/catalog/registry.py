"""The rules, all in one place, in the order of their numbers."""

from __future__ import annotations

from fp8check.rules.catalog import (
    files,
    hardware,
    installation,
    keys,
    launch,
    model,
    observed,
    observed_ends,
    observed_numbers,
    parallel,
    precision,
    recipe,
    variables,
)
from fp8check.rules.catalog.rule import Rule

_FUNCTIONS = (
    precision.precision_flag_cancels_fp8,
    precision.fp8_config_without_precision,
    precision.fp8_config_unused,
    variables.leftover_backend_variable,
    variables.variable_overwritten,
    variables.variable_decides,
    variables.unread_variable,
    precision.llamafactory_fp8_inert,
    precision.llamafactory_stage_without_fp8,
    precision.asked_fp8_but_not_fp8,
    keys.backend_spelling,
    keys.dead_wizard_key,
    keys.unread_fp8_key,
    keys.override_is_no_list,
    recipe.recipe_not_as_written,
    recipe.llamafactory_fixed_recipe,
    keys.most_recent_unreachable,
    keys.e5m2_is_refused,
    keys.mxfp8_with_amax,
    recipe.torchao_trains_nothing,
    keys.option_dropped_by_te,
    recipe.backend_not_named,
    recipe.llamafactory_backend_ignored,
    launch.config_not_read,
    launch.unknown_top_level_key,
    launch.does_not_start,
    launch.lower_case_flag,
    model.too_small_to_pay,
    model.fp8_takes_memory,
    model.tied_head_untied,
    model.layers_left_behind,
    parallel.te_with_checkpointing,
    parallel.te_under_fsdp2,
    parallel.te_thaws_lora_base,
    parallel.fp8_on_quantized_base,
    parallel.torchao_with_ram_efficient_loading,
    installation.transformer_engine_missing,
    installation.transformer_engine_incomplete,
    installation.transformer_engine_does_not_fit,
    installation.newer_than_known,
    installation.cuda_or_cudnn_too_old,
    installation.no_training_environment,
    hardware.gpu_without_fp8,
    hardware.mxfp8_off_blackwell,
    hardware.no_gpu,
    hardware.driver_too_old,
    observed_ends.probe_hangs,
    observed_ends.probe_dies,
    observed_ends.out_of_memory,
    observed_ends.import_fails,
    observed_ends.step_raises,
    observed.not_in_fp8,
    observed.gemm_not_in_fp8,
    observed.fp8_unasked,
    observed_numbers.numbers_are_wrong,
    observed_numbers.not_finite,
    observed.weights_stay,
    observed.parameters_changed,
    observed.prediction_differs,
    observed_numbers.measured_slower,
    observed.device_lies,
    observed_numbers.ragged_batch_fails,
    observed_numbers.first_step_is_lost,
    files.unquoted_no,
    files.duplicate_key,
)

RULES: tuple[Rule, ...] = tuple(function.rule for function in _FUNCTIONS)  # type: ignore[attr-defined]

# Rules that speak only where no other error was found: they say that something is wrong, the others say what.
LAST_RESORT = frozenset(("FP110", "FP303"))


def find(name: str) -> Rule | None:
    """The rule of that number or name, in any case."""
    wanted = name.lower()
    return next((one for one in RULES if wanted in (one.id.lower(), one.name)), None)
