"""FP4xx: whether weights, gradients and optimizer states fit, which FP8 does not make smaller."""

from __future__ import annotations

from fp8check.rules.engine.definition import ERROR, WARNING, Found, rule
from fp8check.rules.engine.requirements import require_gpus
from fp8check.rules.outcome.limits import MIB, WEIGHTS_ALONE, Held, held

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.facts import Facts
    from fp8check.rules.models import ModelShape
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.trainers.training import Training

# What Transformer Engine's FP8 weights and their transposes add: 1.6 bytes were measured at 7B, two are held.
FP8_COPIES = 2


@rule(
    "FP414",
    "does-not-fit",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-speed.jsonl]: the peak in FP8 is above that in BF16 at every size",
    "https://github.com/NVIDIA/TransformerEngine/issues/1429",
    "https://huggingface.co/docs/transformers/model_memory_anatomy",
    claims=("ends",),
)
def does_not_fit(
    training: Training, requested: Requested, model: ModelShape, facts: Facts, outcome: Outcome
) -> Iterator[Found]:
    """Weights, gradients and AdamW's states alone need more memory than the GPU has; FP8 does not change that.

    Why it hurts: FP8 training saves no memory for these. The weights stay in BF16, and Transformer Engine keeps FP8
    copies beside them. Eight bytes for each parameter are the least that full fine-tuning with AdamW takes on one GPU.

    Example: full fine-tuning of a 14B model (110 GiB) on one 80 GB H100.

    Write instead: FSDP2 or DeepSpeed ZeRO over several GPUs, or LoRA.
    """
    needed = _needed(requested, facts, outcome)
    if needed is None or outcome.error_of("out-of-memory") is None:
        return
    memory, name = max((gpu.memory_mib or 0, gpu.name) for gpu in require_gpus(facts))
    yield Found(
        f"the run does not fit: it needs {needed.mib / 1024:,.0f} GiB before the first activation",
        place=training.setting_for("model"),
        label=f"{name} has {memory / 1024:,.0f} GiB",
        notes=(
            f"{model.parameters / 1e9:.1f}B parameters, {needed.each} bytes each: {needed.what}",
            "FP8 training saves nothing of these",
        ),
        help="shard it with FSDP2 or DeepSpeed ZeRO over several GPUs"
        + (", or train LoRA" if needed.each > WEIGHTS_ALONE else ""),
    )


@rule(
    "FP415",
    "fp8-copies-do-not-fit",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/h200-speed.jsonl]: two 7B layers peak 0.7 GiB higher in FP8 than in BF16",
    "https://github.com/NVIDIA/TransformerEngine/issues/1429",
    "https://github.com/NVIDIA/TransformerEngine/issues/257",
    claims=("perhaps",),
)
def fp8_copies_do_not_fit(
    training: Training, requested: Requested, model: ModelShape, facts: Facts, outcome: Outcome
) -> Iterator[Found]:
    """The run fits in BF16 and not in FP8: Transformer Engine's FP8 copies of the weights come on top.

    Why it hurts: people expect FP8 to need less memory, and it needs more: the BF16 weights stay, an FP8 copy and its
    transpose come beside them, about two bytes for each parameter. The run that just fitted ends out of memory.

    Example: full fine-tuning of a 9B model on one 80 GB H100 with backend TE.

    Write instead: backend AO with torch.compile, which keeps no copies; or shard the run.
    """
    needed = _needed(requested, facts, outcome)
    if needed is None or needed.each <= WEIGHTS_ALONE or not outcome.runs_te:
        return
    memory, copies = (
        max((gpu.memory_mib or 0 for gpu in require_gpus(facts)), default=0),
        FP8_COPIES * model.linear_parameters / MIB,
    )
    if memory < needed.mib or memory >= needed.mib + copies:
        return
    yield Found(
        f"FP8 needs {copies / 1024:,.0f} GiB more than BF16, and they are not there",
        place=training.setting_for("model"),
        label=f"{needed.mib / 1024:,.0f} GiB in BF16, {(needed.mib + copies) / 1024:,.0f} GiB with the FP8 copies, "
        f"{memory / 1024:,.0f} GiB on the GPU",
        notes=("activations come on top in either case",),
        help="use backend: AO with torch_compile: true, which keeps no copies, or shard the run over several GPUs",
    )


def _needed(requested: Requested, facts: Facts, outcome: Outcome) -> Held | None:
    """What each GPU holds before the first activation, at the least; None where it may be less."""
    if not requested.fp8 or outcome.accelerator is None:
        return None
    needed = held(outcome.run, outcome.accelerator, outcome.effective)
    if needed is None:
        if not outcome.accelerator.one_process:
            require_gpus(facts)  # one of them: then it is decided
        return None
    if outcome.distributed_type == "NO" and len(require_gpus(facts)) > 1:
        return None  # device_map may spread it over the GPUs
    return needed
