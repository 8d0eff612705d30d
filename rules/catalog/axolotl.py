"""FP5xx: FP8 in Axolotl, which is torchao's, and FSDP."""

from __future__ import annotations

from fp8check.rules.catalog.shared_fixes import write
from fp8check.rules.edits.fix import unsafe
from fp8check.rules.engine.definition import ERROR, WARNING, Found, Related, rule
from fp8check.rules.engine.requirements import require_prediction
from fp8check.rules.releases import behaviors
from fp8check.rules.settings.edits import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.edits.fix import Fix
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.releases.errors import ErrorCode
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.trainers.axolotl import Axolotl
    from fp8check.rules.trainers.run import Run


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
        fix=unsafe(replace(written, "flash_attention_2")),
    )


_KERNELS = ("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel")


@rule(
    "FP534",
    "axolotl-lora-kernels-pass-fp8-by",
    ERROR,
    'axolotl 0.17.0..0.19.0 utils/schemas/config.py "Auto-enabling LoRA kernel": where nothing is said',
    'axolotl 0.17.0..0.19.0 kernels/lora.py "W = base_layer.weight": the weight is taken out and multiplied',
    "ran axolotl 0.19.0, torchao 0.17.0, peft 0.20.0 [executed axolotl-lora-kernels]: PEFT calls float8 layers, the "
    "kernel does not",
    claims=("FP8",),
)
def axolotl_lora_kernels_pass_fp8_by(axolotl: Axolotl, outcome: Outcome) -> Iterator[Found]:
    """Axolotl's LoRA kernels multiply with the weights themselves, so that the layers in FP8 are never called.

    Why it hurts: for LoRA without dropout of its own choice axolotl switches these kernels on by itself. They take the
    weight out of the layer and multiply in BF16: the layers are converted, by `fp8: true` or by the Accelerate file,
    and no GEMM of attention and feed-forward is in FP8.

    Example: `fp8: true` with `adapter: lora`, and no lora_*_kernel keys.

    Write instead: `lora_mlp_kernel: false`, `lora_qkv_kernel: false` and `lora_o_kernel: false`; or BF16.
    """
    if not axolotl.uses_lora:
        return
    require_prediction(outcome)
    if outcome.trains_in_fp8 is not True:
        return
    written = [one for name in _KERNELS if (one := axolotl.get(name)) is not None and one.value is not None]
    on = next((setting for setting in written if setting.value), None)
    if on is None and (written or not _kernels_by_default(axolotl)):
        return
    yield Found(
        "axolotl's LoRA kernels bypass the FP8 layers",
        place=on or axolotl.get("adapter"),
        label="they multiply with the weights themselves, in BF16",
        notes=() if on is not None else ("where no lora_*_kernel is written, axolotl switches them on by itself",),
        fact="without them PEFT's own layers compute the adapters",
        fix=_kernels_off(axolotl, on),
    )


def _kernels_off(axolotl: Axolotl, on: Setting | None) -> Fix | None:
    """Those that are on switched off, or all of them where none is written; None where no file can have it."""
    if axolotl.top.node is None or (on is not None and on.origin.span is None):
        return None
    return unsafe(*(write(axolotl.top, name, False) for name in _KERNELS if on is None or axolotl.on(name)))


def _kernels_by_default(axolotl: Axolotl) -> bool:
    """Whether axolotl switches its LoRA kernels on (check_auto_enable_lora_kernels); FSDP1 on several GPUs has none."""
    if any(axolotl.on(name) for name in ("rl", "trust_remote_code", "load_in_8bit", "nvfp4_merge_aware")):
        return False
    return not axolotl.asks_for_fsdp or str(axolotl.value("fsdp_version")) == "2"


@rule(
    "FP536",
    "axolotl-without-nvfp4-plugin",
    WARNING,
    'axolotl 0.17.0..0.19.0 integrations/base.py "Failed to load plugin": it says so, and goes on without',
    "ran axolotl 0.19.0 [executed axolotl-nvfp4-plugin]: ModuleNotFoundError of axolotl.integrations.nvfp4",
    "https://github.com/axolotl-ai-cloud/axolotl/pull/3767",
    claims=("nothing",),
)
def axolotl_without_nvfp4_plugin(axolotl: Axolotl) -> Iterator[Found]:
    """Axolotl's plug-in for NVFP4, which no release has.

    Why it hurts: it is a proposal, and not in 0.19. A plug-in that cannot be imported is an error in the log, and the
    run goes on without it: in BF16.

    Example: `plugins: [axolotl.integrations.nvfp4.NVFP4Plugin]` and `nvfp4_training: {enabled: true}`.

    Write instead: `fp8: true`; or install axolotl from the branch that has the plug-in.
    """
    named, block = axolotl.get("plugins"), axolotl.get("nvfp4_training")
    listed = named.value if named is not None and isinstance(named.value, list) else ()
    if block is None and not any("integrations.nvfp4" in str(one) for one in listed):
        return
    yield Found(
        "axolotl has no plug-in for NVFP4: this trains in BF16",
        place=block or named,
        label="up to 0.19.0 there is no axolotl.integrations.nvfp4; the log says Failed to load plugin",
        fact="fp8: true is what a release reads; the branch of axolotl that has it is in none",
    )


_STRATEGIES: Mapping[ErrorCode, tuple[str, str]] = {
    "axolotl-zero3-without-its-file": (
        "Axolotl knows nothing of the ZeRO-3 of an Accelerate file",
        "`deepspeed: FILE.json` in the training file, of stage 3, is what it reads",
    ),
    "axolotl-wraps-two-dtypes": (
        "Axolotl knows nothing of the FSDP of an Accelerate file: it leaves norms and embeddings in float32",
        "`fsdp_version` and `fsdp_config` in the training file are what it reads",
    ),
}


@rule(
    "FP552",
    "axolotl-strategy-elsewhere",
    ERROR,
    "ran axolotl 0.19.0 [command strategy-axolotl-te-zero3]: TypeError, for it reads the file of `deepspeed`",
    "ran axolotl 0.19.0 [command strategy-axolotl-bf16-fsdp1]: Must flatten tensors with uniform dtype",
    "ran axolotl 0.19.0 [command strategy-axolotl-bf16-fsdp2]: FSDP expects uniform original parameter dtype",
    claims=("ends",),
)
def axolotl_strategy_elsewhere(axolotl: Axolotl, run: Run, outcome: Outcome) -> Iterator[Found]:
    """FSDP or ZeRO-3 that stands in an Accelerate file alone, where Axolotl does not look for it.

    Why it hurts: Axolotl loads the model by what its own file says. Without `fsdp_config` there it keeps norms and
    embeddings in float32 beside weights in BF16, which FSDP refuses; for ZeRO-3 it opens the file of `deepspeed`, and
    there is none. The run ends after the model was loaded.

    Example: `axolotl train ax.yaml -- --config_file fsdp.yaml` with `distributed_type: FSDP` in fsdp.yaml.

    Write instead: the strategy in the training file.
    """
    if run.accelerate is None or (axolotl.asks_for_fsdp and axolotl.deepspeed is not None):
        return  # nothing stands there, or its own file says either
    require_prediction(outcome)
    error = outcome.error_of(*_STRATEGIES)
    if error is None:
        return
    message, fact = _STRATEGIES[error.code]
    yield Found(
        message,
        place=error.because[0],
        label=f"{error.type}: {error.message}",
        fact=fact,
    )


@rule(
    "FP551",
    "axolotl-saves-nothing",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/advised.jsonl r4-axolotl-fsdp2]: UnboundLocalError behind its last step",
    'axolotl 0.17.0..0.19.0 train.py "if cfg.fsdp_config or cfg.fsdp:": what it sets is read whether or not it holds',
    claims=("perhaps",),
)
def axolotl_saves_nothing(axolotl: Axolotl, run: Run, outcome: Outcome) -> Iterator[Found]:
    """FSDP that Axolotl's own file does not know of.

    Why it hurts: the launcher's FSDP trains. When training is done Axolotl asks its own `fsdp_config` how the model is
    to be saved, finds none, and ends with UnboundLocalError; of a sharded state dict nothing was written by then.

    Example: `distributed_type: FSDP` in the Accelerate file, and no `fsdp_config` in Axolotl's.

    Write instead: `fsdp_config: {fsdp_version: 2, state_dict_type: FULL_STATE_DICT}` in Axolotl's file as well.
    """
    if axolotl.asks_for_fsdp or axolotl.on("relora"):
        return
    require_prediction(outcome)
    if outcome.distributed_type != "FSDP":
        return
    kind = None if run.accelerate is None else run.accelerate.top.get("distributed_type")
    yield Found(
        "Axolotl cannot save what FSDP trains here",
        place=kind,
        label="UnboundLocalError when training is done: Axolotl's own file has no fsdp_config",
        fact="Axolotl's own fsdp_config counts beside the launcher's; with FULL_STATE_DICT the model is saved whole",
    )
