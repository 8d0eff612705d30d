"""FP5xx: FP8 in Axolotl, which is torchao's, under FSDP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.catalog.fixes import replace, unsafe
from fp8check.rules.catalog.rule import ERROR, WARNING, Found, Related, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.settings.training import Training
    from fp8check.rules.settings.values import Setting

_GATHER = "fp8_enable_fsdp_float8_all_gather"


def _gathers(training: Training) -> Setting | None:
    setting = training.get(_GATHER)
    return setting if training.trainer == "axolotl" and setting is not None and setting.value else None


def _fsdp(training: Training, name: str) -> Setting | None:
    """An entry of Axolotl's fsdp_config, with or without its old prefix."""
    config = training.top.section("fsdp_config")
    return config.get(name) or config.get(f"fsdp_{name}")


@rule(
    "FP524",
    "axolotl-gather-needs-fsdp2",
    ERROR,
    'axolotl 0.19.0 utils/schemas/validation.py "fp8_enable_fsdp_float8_all_gather requires FSDP2"',
    "https://github.com/pytorch/ao/issues/1605",
)
def axolotl_gather_needs_fsdp2(training: Training) -> Iterator[Found]:
    """Axolotl's float8 all-gather without FSDP2.

    Why it hurts: Axolotl refuses the file. Under FSDP1 torchao's weights have no `_tensor` that FSDP could gather.

    Example: `fp8_enable_fsdp_float8_all_gather: true` without `fsdp_version: 2`.

    Write instead: `fsdp_version: 2`.
    """
    gather = _gathers(training)
    version = training.get("fsdp_version")
    if gather is None or (version is not None and version.value == 2):
        return
    yield Found(
        "the float8 all-gather needs FSDP2",
        gather,
        "Axolotl raises ValueError: fp8_enable_fsdp_float8_all_gather requires FSDP2",
        (Related(version, "the version is set here"),) if version is not None else (),
        help="write fsdp_version: 2, or delete this line",
        fix=unsafe(replace(version, 2)) if version is not None else None,
    )


@rule(
    "FP525",
    "axolotl-gather-needs-tensorwise",
    ERROR,
    'axolotl 0.19.0 utils/schemas/validation.py "only supports the tensorwise"',
    'torchao 0.17.0..0.18.0 float8/config.py "enable_fsdp_float8_all_gather only supports tensorwise scaling"',
)
def axolotl_gather_needs_tensorwise(training: Training) -> Iterator[Found]:
    """Axolotl's float8 all-gather with a recipe other than tensorwise.

    Why it hurts: the all-gather moves one scale for a whole weight; with a scale for each row there is none. Axolotl
    refuses the file, torchao its configuration.

    Example: `fp8_config: {recipe: rowwise}` with `fp8_enable_fsdp_float8_all_gather: true`.

    Write instead: either of them.
    """
    gather = _gathers(training)
    recipe = training.top.section("fp8_config").get("recipe")
    if gather is None or recipe is None or recipe.value == "tensorwise":
        return
    yield Found(
        f"the float8 all-gather does not go with the recipe {recipe.value}",
        gather,
        "Axolotl raises ValueError: it supports the tensorwise recipe only",
        (Related(recipe, "the recipe is chosen here"),),
        help="write false here, or recipe: tensorwise",
        fix=unsafe(replace(gather, False)),
    )


@rule(
    "FP526",
    "axolotl-ram-efficient-loading",
    ERROR,
    'axolotl 0.19.0 utils/trainer.py "FSDP_CPU_RAM_EFFICIENT_LOADING": handed to Accelerate as a variable',
    'accelerate 1.13.0 accelerator.py "torchao with FSDP2 and cpu_ram_efficient_loading is not supported"',
    "https://github.com/axolotl-ai-cloud/axolotl/issues/3077",
)
def axolotl_ram_efficient_loading(training: Training) -> Iterator[Found]:
    """Axolotl's FP8 under FSDP with cpu_ram_efficient_loading.

    Why it hurts: Accelerator() raises ValueError for torchao under FSDP with that option, and Axolotl's FP8 is always
    torchao's. Axolotl's own FP8 example has it switched on.

    Example: `fp8: true` and `fsdp_config: {cpu_ram_efficient_loading: true}`.

    Write instead: `cpu_ram_efficient_loading: false`; watch the first steps for NaN, which one report ties to it.
    """
    loading = _fsdp(training, "cpu_ram_efficient_loading")
    if training.trainer != "axolotl" or not training.on("fp8") or loading is None or not loading.value:
        return
    yield Found(
        "torchao cannot be used with cpu_ram_efficient_loading",
        loading,
        "Accelerator() raises ValueError: torchao with FSDP2 and cpu_ram_efficient_loading is not supported",
        notes=("with false, issue 3077 of Axolotl reports NaN from the start: watch the first steps",),
        help="write cpu_ram_efficient_loading: false",
        fix=unsafe(replace(loading, False)),
    )


@rule(
    "FP527",
    "axolotl-fsdp-checkpointing",
    WARNING,
    'axolotl 0.19.0 utils/schemas/validation.py "FP8 + FSDP2 + activation checkpointing may be slower than BF16"',
    "https://github.com/axolotl-ai-cloud/axolotl/pull/2926",
)
def axolotl_fsdp_checkpointing(training: Training) -> Iterator[Found]:
    """Axolotl's FP8 together with FSDP's activation checkpointing.

    Why it hurts: the casts to FP8 are computed again with the layers, which may cost more than FP8 gains: Axolotl
    warns that it may be slower than BF16.

    Example: `fp8: true` and `fsdp_config: {activation_checkpointing: true}`.

    Write instead: `activation_checkpointing: false`, if memory allows.
    """
    written = _fsdp(training, "activation_checkpointing")
    if training.trainer != "axolotl" or not training.on("fp8") or written is None or written.value is not True:
        return
    yield Found(
        "FP8 under FSDP with activation checkpointing may be slower than BF16",
        written,
        "the casts to FP8 are computed again in the backward pass",
        help="write activation_checkpointing: false, if memory allows",
        fix=unsafe(replace(written, False)),
    )
