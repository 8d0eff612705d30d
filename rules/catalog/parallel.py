"""FP5xx: FSDP, DeepSpeed, checkpointing, LoRA, quantization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.catalog.decided import require_decided
from fp8check.rules.catalog.fixes import insert, replace, unsafe
from fp8check.rules.catalog.mending import use_torchao, write
from fp8check.rules.catalog.rule import ERROR, WARNING, Found, Related, rule
from fp8check.rules.outcome.trainer import llamafactory_fp8

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.catalog.context import Asked
    from fp8check.rules.catalog.fixes import Fix
    from fp8check.rules.outcome import Outcome, Run
    from fp8check.rules.settings.accelerate import AccelerateConfig
    from fp8check.rules.settings.training import Training
    from fp8check.rules.settings.values import Setting


@rule(
    "FP501",
    "te-with-checkpointing",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl hf-te-checkpointing]: CheckpointError in the first step",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl checkpoint-reentrant-te]: 2 backward FP8 GEMMs instead of 30",
    'llamafactory 0.9.5 model/model_utils/checkpointing.py "if not model_args.disable_gradient_checkpointing:"',
    "https://github.com/NVIDIA/TransformerEngine/issues/776",
)
def te_with_checkpointing(training: Training, asked: Asked, outcome: Outcome) -> Iterator[Found]:
    """Transformer Engine together with gradient checkpointing.

    Why it hurts: the checkpointed layers are computed again in the backward pass, outside FP8 autocast. Without
    reentrant checkpointing the step ends with CheckpointError; with it (LLaMA-Factory's way) the recomputation and
    both backward GEMMs run without FP8. LLaMA-Factory and TRL (0.22 and newer) switch checkpointing on by themselves.

    Example: `gradient_checkpointing: true`, or any LLaMA-Factory run, with backend TE.

    Write instead: `disable_gradient_checkpointing: true` in LLaMA-Factory, `gradient_checkpointing: false` elsewhere;
    or backend AO.
    """
    checkpointing = outcome.checkpointing
    if checkpointing is None or not runs_te(outcome):
        return
    own = training.trainer == "llamafactory"
    place = checkpointing if checkpointing.origin.span is not None else training.get("gradient_checkpointing")
    place = place or training.get("fp8_backend") or asked.backend or next(iter(asked.fp8), None)
    if outcome.reentrant:
        message = "gradient checkpointing takes the backward pass out of FP8"
        label = "the recomputation and its backward GEMMs run outside FP8 autocast"
    else:
        message = "gradient checkpointing ends the first step with CheckpointError"
        label = "the recomputation runs outside FP8 autocast and saves other tensors"
    notes = ("LLaMA-Factory switches gradient checkpointing on by itself",) if own else ()
    if checkpointing.origin.default is not None:
        notes = (f"{checkpointing.origin.default} switches gradient checkpointing on by default",)
    key, value = ("disable_gradient_checkpointing", True) if own else ("gradient_checkpointing", False)
    fix = unsafe(write(training.top, key, value))
    yield Found(message, place, label, (), notes, f"write {key}: {str(value).lower()}, or use backend: AO", fix)


def runs_te(outcome: Outcome) -> bool:
    """Whether Transformer Engine's layers run in FP8, or the first step ends while they do."""
    if outcome.backend is None or outcome.backend.value != "TE":
        return False
    return outcome.prepared.autocast and outcome.prepared.coverage.converted != 0


@rule(
    "FP502",
    "te-under-fsdp2",
    ERROR,
    "ran accelerate 1.15.0 [conformance layout-fsdp2-TE-script-1.15]: layers converted, no FP8 autocast entered",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl fsdp2-te]: 14 TE layers, fp8_enabled True, 0 FP8 GEMMs",
    "https://github.com/huggingface/accelerate/issues/3710",
)
def te_under_fsdp2(asked: Asked, outcome: Outcome, run: Run) -> Iterator[Found]:
    """Transformer Engine under FSDP2 never computes in FP8.

    Why it hurts: the layers are converted, fp8_enabled says True, and the FP8 autocast is never entered: every GEMM
    runs in BF16, with Transformer Engine's overhead on top.

    Example: `fsdp_version: 2` with backend TE.

    Write instead: backend AO with `fsdp_cpu_ram_efficient_loading: false`; or FSDP1 in a script of your own.
    """
    state = outcome.accelerator
    if state is None or not state.is_fsdp2 or state.backend.value != "TE" or outcome.error is not None:
        return
    version = run.accelerate.fsdp.get("fsdp_version") if run.accelerate is not None else None
    yield Found(
        "Transformer Engine under FSDP2 runs no GEMM in FP8",
        asked.backend or next(iter(asked.fp8), version),
        "layers are converted, but FP8 autocast is never entered",
        (Related(version, "FSDP2 is chosen here"),) if version is not None else (),
        () if version is not None else ("FSDP2 comes from the training arguments",),
        "use backend: AO with fsdp_cpu_ram_efficient_loading: false",
        use_torchao(run.accelerate, under_fsdp2=True) if version is not None else None,
    )


@rule(
    "FP503",
    "te-thaws-lora-base",
    WARNING,
    'accelerate 0.34.0..1.15.0 utils/transformer_engine.py "te_module = te.Linear(" !"requires_grad": it is not copied',
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl lora16-te]: 57,344 parameters with requires_grad become 5,300,224",
    "https://github.com/meta-pytorch/torchtune/issues/2833",
)
def te_thaws_lora_base(training: Training, asked: Asked, outcome: Outcome) -> Iterator[Found]:
    """Transformer Engine makes the frozen base of a LoRA run trainable again.

    Why it hurts: the converted base weights ask for gradients. They are computed, stored and counted in gradient
    clipping, and never used: memory as for full training. Adapters whose rank is not divisible by 16 stay in BF16.

    Example: `finetuning_type: lora` with backend TE.

    Write instead: BF16 for LoRA; or freeze the base again after prepare().
    """
    if not training.uses_lora or not runs_te(outcome):
        return
    rank = training.lora_rank
    adapters = (
        () if rank is None or rank % 16 == 0 else (f"adapters of rank {rank} are not converted: 16 divides it not",)
    )
    place = training.get("finetuning_type") or training.get("adapter") or training.get("use_peft")
    yield Found(
        "Transformer Engine thaws the frozen base of this LoRA run",
        place or asked.backend,
        "the converted base weights have requires_grad again",
        notes=("gradients of the whole base are computed, stored and clipped, and then not used", *adapters),
        help="train LoRA in BF16: FP8 gains little on a frozen base",
    )


@rule(
    "FP504",
    "fp8-on-quantized-base",
    ERROR,
    'llamafactory 0.9.4..0.9.5 hparams/parser.py "FP8 training is not compatible with quantization"',
    'accelerate 0.34.0..1.15.0 utils/transformer_engine.py "isinstance(module, nn.Linear)": Linear4bit is one, too',
    'torchao 0.17.0..0.18.0 float8/float8_linear_utils.py "isinstance(module, nn.Linear)": the same',
)
def fp8_on_quantized_base(run: Run, training: Training, asked: Asked, outcome: Outcome) -> Iterator[Found]:
    """FP8 training of a model that is loaded quantized.

    Why it hurts: LLaMA-Factory refuses it. Elsewhere Transformer Engine converts nothing, because packed weights have
    a dimension of 1, and torchao wraps packed weights that its GEMM cannot read.

    Example: `quantization_bit: 4` with `fp8: true`.

    Write instead: either of them.
    """
    quantized = training.quantized
    if quantized is None or not asked.fp8:
        return
    refused = training.trainer == "llamafactory" and llamafactory_fp8(run, outcome.stack) is not None
    happens = "LLaMA-Factory raises ValueError: FP8 training is not compatible with quantization"
    yield Found(
        "FP8 training does not go with a quantized base model",
        quantized,
        happens if refused else "packed weights are not what the FP8 layers expect",
        (Related(asked.fp8[0], "FP8 is asked for here"),),
        help="drop the quantization, or drop FP8",
    )


@rule(
    "FP505",
    "torchao-with-ram-efficient-loading",
    ERROR,
    'accelerate 1.8.0..1.15.0 accelerator.py "torchao with FSDP2 and cpu_ram_efficient_loading is not supported"',
    "ran accelerate 1.15.0 [conformance layout-fsdp1-efficient-AO-script-1.15]: raised for FSDP1 as well",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl fsdp2-ao-ram-default]: the launcher's own default is true",
)
def torchao_with_ram_efficient_loading(accelerate: AccelerateConfig, asked: Asked, outcome: Outcome) -> Iterator[Found]:
    """torchao under FSDP with cpu_ram_efficient_loading, which is the launcher's default.

    Why it hurts: Accelerator() raises ValueError. Leaving the key out does not help: the default is true.

    Example: `distributed_type: FSDP` with backend AO and no fsdp_cpu_ram_efficient_loading.

    Write instead: `fsdp_cpu_ram_efficient_loading: false` under fsdp_config.
    """
    require_decided(asked, outcome)
    error = outcome.error
    if error is None or "cpu_ram_efficient_loading" not in error.message:
        return
    written = accelerate.fsdp.get("fsdp_cpu_ram_efficient_loading")
    yield Found(
        "torchao cannot be used with cpu_ram_efficient_loading",
        written or accelerate.top.get("fsdp_config") or accelerate.fp8.get("backend"),
        "Accelerator() raises ValueError" + ("" if written else "; the launcher's default is true"),
        help="write fsdp_cpu_ram_efficient_loading: false under fsdp_config",
        fix=_loading_off(accelerate, written),
    )


def _loading_off(accelerate: AccelerateConfig, written: Setting | None) -> Fix | None:
    if written is not None:
        return unsafe(replace(written, False))
    return unsafe(insert(accelerate.fsdp, "fsdp_cpu_ram_efficient_loading", False)) if accelerate.fsdp else None
