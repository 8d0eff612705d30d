"""FP5xx: FP8 in Axolotl, which is torchao's, under FSDP."""

from __future__ import annotations

from fp8check.rules.edits.fix import unsafe
from fp8check.rules.engine.definition import ERROR, WARNING, Found, Related, rule
from fp8check.rules.engine.requirements import require_prediction
from fp8check.rules.releases import behaviors
from fp8check.rules.settings.edits import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.outcome import Outcome
    from fp8check.rules.trainers.axolotl import Axolotl


@rule(
    "FP526",
    "axolotl-ram-efficient-loading",
    ERROR,
    'axolotl 0.19.0 utils/trainer.py "FSDP_CPU_RAM_EFFICIENT_LOADING": handed to Accelerate as a variable',
    'accelerate 1.13.0 accelerator.py "torchao with FSDP2 and cpu_ram_efficient_loading is not supported"',
    "https://github.com/axolotl-ai-cloud/axolotl/issues/3077",
    "ran axolotl 0.19.0 [command axolotl-fsdp2-fp8-efficient]: ValueError",
    claims=("ends",),
)
def axolotl_ram_efficient_loading(axolotl: Axolotl, outcome: Outcome) -> Iterator[Found]:
    """Axolotl's FP8 under FSDP with cpu_ram_efficient_loading.

    Why it hurts: Accelerator() raises ValueError for torchao under FSDP with that option, and Axolotl's FP8 is always
    torchao's. Axolotl's own FP8 example has it switched on.

    Example: `fp8: true` and `fsdp_config: {cpu_ram_efficient_loading: true}`.

    Write instead: `cpu_ram_efficient_loading: false`; watch the first steps for NaN, which one report ties to it.
    """
    loading = axolotl.fsdp_setting("cpu_ram_efficient_loading")
    if not axolotl.on("fp8") or loading is None or not loading.value:
        return
    require_prediction(outcome)
    error = outcome.error_of("torchao-ram-efficient-loading")
    if error is None:
        return
    yield Found(
        "torchao cannot be used with cpu_ram_efficient_loading",
        place=loading,
        label=f"Accelerator() raises {error.type}: torchao with FSDP2 and cpu_ram_efficient_loading is not supported",
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
    "ran axolotl 0.19.0 [command axolotl-fsdp2-fp8-checkpointing]: it trains, in FP8",
    claims=("FP8",),
)
def axolotl_fsdp_checkpointing(axolotl: Axolotl) -> Iterator[Found]:
    """Axolotl's FP8 together with FSDP's activation checkpointing.

    Why it hurts: the casts to FP8 are computed again with the layers, which may cost more than FP8 gains: Axolotl
    warns that it may be slower than BF16.

    Example: `fp8: true` and `fsdp_config: {activation_checkpointing: true}`.

    Write instead: `activation_checkpointing: false`, if memory allows.
    """
    written = axolotl.fsdp_setting("activation_checkpointing")
    if not axolotl.on("fp8") or written is None or written.value is not True:
        return
    yield Found(
        "FP8 under FSDP with activation checkpointing may be slower than BF16",
        place=written,
        label="the casts to FP8 are computed again in the backward pass",
        help="write activation_checkpointing: false, if memory allows",
        fix=unsafe(replace(written, False)),
    )


@rule(
    "FP529",
    "axolotl-rowwise-under-tensor-parallelism",
    WARNING,
    "https://github.com/pytorch/torchtitan/issues/865",
    "https://github.com/pytorch/torchtitan/issues/1207",
    'axolotl 0.19.0 utils/trainer.py "PARALLELISM_CONFIG_TP_SIZE"',
    claims=("FP8",),
)
def axolotl_rowwise_under_tensor_parallelism(axolotl: Axolotl) -> Iterator[Found]:
    """torchao's rowwise scaling under tensor parallelism.

    Why it hurts: the same pair gave NaN after about 80 steps in torchtitan, and where it trained it was slower than
    BF16: 0.85 to 1.0 times.

    Example: `fp8_config: {recipe: rowwise}` with `tensor_parallel_size: 2` in Axolotl.

    Write instead: `recipe: tensorwise`.
    """
    recipe = axolotl.fp8_config.get("recipe")
    size = axolotl.value("tensor_parallel_size")
    if not axolotl.on("fp8") or not isinstance(size, int) or size < 2:
        return
    if recipe is None or not str(recipe.value).startswith("rowwise"):
        return
    yield Found(
        "rowwise scaling under tensor parallelism has given NaN",
        place=recipe,
        label=f"the weights are cut over {size} GPUs",
        related=(Related(axolotl.get("tensor_parallel_size"), "tensor parallelism is chosen here"),),
        help="write recipe: tensorwise",
        fix=unsafe(replace(recipe, "tensorwise")),
    )


@rule(
    "FP533",
    "axolotl-fp8-attention",
    WARNING,
    'axolotl 0.17.0..0.19.0 loaders/patch_manager.py "            patch_fp8_attention(model)": its result is dropped',
    'torchao 0.17.0..0.18.0 prototype/attention/shared_utils/custom_ops.py "torch.library.custom_op(" '
    '!"register_autograd": there is no backward pass',
    'torchao 0.17.0..0.18.0 prototype/attention/shared_utils/wrapper.py "for the duration of each forward call"',
    "ran torchao 0.17.0, its check of the GPU passed by [executed axolotl-fp8-attention]: the model that is kept calls "
    "plain attention, compiled or not",
    claims=("nothing",),
)
def axolotl_fp8_attention(axolotl: Axolotl, outcome: Outcome) -> Iterator[Found]:
    """Axolotl's `attn_implementation: fp8` leaves attention as it is.

    Why it hurts: torchao gives back a wrapped model, whose forward pass alone puts FP8 attention in; axolotl does not
    keep it. Attention runs in BF16, and the log says that FP8 attention was applied. Kept, it could not train: torchao
    has no backward pass for it. On a GPU other than Hopper, or without FlashAttention 3, loading the model fails.

    Example: `attn_implementation: fp8`.

    Write instead: `attn_implementation: flash_attention_2`, or whatever the model had.
    """
    written = axolotl.get("attn_implementation")
    if written is None or written.value != "fp8" or not outcome.stack.does(behaviors.Axolotl.HAS_FP8_ATTENTION):
        return
    yield Found(
        "attn_implementation: fp8 puts no FP8 into attention",
        place=written,
        label=f"{outcome.stack.name('axolotl')} drops the model that torchao returns, and trains the one without it",
        notes=("torchao's FP8 attention is for inference: it has no backward pass",),
        help="write attn_implementation: flash_attention_2",
        fix=unsafe(replace(written, "flash_attention_2")),
    )
