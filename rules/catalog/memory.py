"""FP4xx: whether weights, gradients and optimizer states fit, which FP8 does not make smaller."""

from __future__ import annotations

from fp8check.rules.engine.definition import ERROR, INFO, WARNING, Found, rule
from fp8check.rules.engine.requirements import require_gpus
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.facts import Facts
    from fp8check.rules.models import ModelShape
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.outcome.least import Least
    from fp8check.rules.outcome.memory import Memory
    from fp8check.rules.trainers.run import Run
    from fp8check.rules.trainers.training import Training

GIB = 2**30
# What Transformer Engine's FP8 weights and their transposes add, in bytes a parameter (outcome/peak.py).
FP8_COPIES = 2
_SHARD = "FSDP2 or DeepSpeed ZeRO over several GPUs share it"
WORTH_SAYING = 0.05  # of the peak in BF16
MEASURED = (
    "measured NVIDIA H100 [docs/evidence/h100-trainers.jsonl 7B te 25.17]: 26.2 GiB in BF16, 25.2 in FP8 with "
    "Transformer Engine; rules/outcome/peak.py counts 26.2 and 25.2"
)


@rule(
    "FP402",
    "fp8-takes-memory",
    INFO,
    "measured NVIDIA H100 [docs/evidence/h100-peaks.jsonl 8B bfloat16 te]: 17.9 GiB in BF16, 20.0 in FP8, BF16 weights",
    MEASURED,
    claims=("FP8",),
)
def fp8_takes_memory(run: Run, training: Training, model: ModelShape, outcome: Outcome) -> Iterator[Found]:
    """FP8 takes more memory than BF16.

    Why it hurts: where the weights are in BF16, Transformer Engine keeps FP8 copies of them beside them, one for the
    forward and one for the backward pass. A micro-batch that just fits in BF16 may not fit. Where they are in float32,
    the FP8 copies stand in the place of those that autocast makes in BF16, and FP8 takes a little less.

    Example: a model that is loaded in BF16 with Transformer Engine.

    Write instead: nothing, if there is room; else a smaller micro-batch, or BF16.
    """
    if outcome.trains_in_fp8 is not True:
        return
    memory = _predicted(run, outcome)
    if memory is None or memory.fp8_gib is None:
        return
    more = memory.fp8_gib - memory.bf16_gib
    if more < WORTH_SAYING * memory.bf16_gib:
        return
    yield Found(
        f"FP8 takes about {more:.1f} GiB more memory than BF16",
        place=training.setting_for("model"),
        label=f"at most {memory.bf16_gib:.1f} GiB a GPU in BF16, {memory.fp8_gib:.1f} GiB in FP8",
        notes=(f"the weights of {model.name} stay as they are loaded, and FP8 copies of them come on top",),
    )


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

    Why it hurts: FP8 training saves no memory for these. The weights stay as they are loaded, and Transformer Engine
    keeps FP8 copies beside them. Full fine-tuning with AdamW takes eight bytes for each parameter on one GPU at the
    least, and 16 where the weights are in float32, as LLaMA-Factory keeps them; FSDP and ZeRO spread them.

    Example: full fine-tuning of a 7B model in LLaMA-Factory (113 GiB) on one 80 GB H100.

    Write instead: FSDP2 or DeepSpeed ZeRO over several GPUs, or LoRA.
    """
    needed = _needed(requested, facts, outcome)
    if needed is None or needed.gpu is None or outcome.error_of("out-of-memory") is None:
        return
    spread = f", {needed.spread}" if needed.spread else f", {needed.each} bytes each"
    fact = "more GPUs can share it" if needed.spread else _SHARD
    yield Found(
        f"the run does not fit: it needs {needed.gib:,.0f} GiB{' of each GPU' * bool(needed.spread)} "
        "before the first batch",
        place=training.setting_for("model"),
        label=f"{needed.gpu.name} has {needed.gpu_gib:,.0f} GiB",
        notes=(
            f"{model.parameters / 1e9:.1f}B parameters{spread}: {needed.what}",
            "FP8 training saves nothing of these",
        ),
        fact=fact + ("; LoRA needs less" if needed.trains else ""),
    )


@rule("FP417", "may-not-fit", WARNING, MEASURED, claims=("perhaps",))
def may_not_fit(
    run: Run, training: Training, requested: Requested, model: ModelShape, facts: Facts, outcome: Outcome
) -> Iterator[Found]:
    """Micro-batches of full length do not fit into the memory of the GPU.

    Why it hurts: most of what a step takes are activations and logits, which grow with the tokens of a micro-batch. A
    run whose batches are padded to their longest sequence starts, and ends with OutOfMemoryError at the first batch of
    long ones, hours later.

    Example: per_device_train_batch_size: 8 with cutoff_len: 8192 on a 7B model.

    Write instead: a smaller micro-batch, or a shorter longest sequence. Where weights, gradients and optimizer states
    are too much by themselves, no micro-batch helps: shard the run over more GPUs, or train LoRA.
    """
    memory = _predicted(run, outcome) if requested.fp8 else None
    if memory is None:
        counted = requested.fp8 and outcome.starts and not training.uncounted(run.launch, run.script)
        if counted and outcome.effective.sequence is None:
            raise Undecided("how long the longest sequence is: nothing limits it", "a limit in the training file")
        return
    require_gpus(facts)
    if memory.limit_gib is None or memory.limit_gib >= min(memory.bf16_gib, memory.peak_gib):
        return
    tokens = outcome.effective.tokens
    helps = memory.least_gib <= memory.limit_gib or memory.least_gib == memory.peak_gib
    yield Found(
        f"full micro-batches do not fit: {tokens:,} tokens need {memory.peak_gib:,.0f} GiB of a GPU",
        place=training.setting_for("micro_batch") or training.setting_for("model"),
        label=_there(run, memory),
        notes=(f"{model.name} takes {memory.least_gib:,.0f} GiB before the first token",)
        if memory.least_gib < memory.peak_gib
        else (),
        fact="smaller micro-batches take less, and so does a shorter longest sequence"
        if helps
        else "no micro-batch is small enough: more GPUs that share it, or LoRA, take less",
    )


def _predicted(run: Run, outcome: Outcome) -> Memory | None:
    from fp8check.rules.outcome.memory import predict_memory  # few runs are in FP8 with a model that is known

    return predict_memory(run, outcome)


def _there(run: Run, memory: Memory) -> str:
    """What the smallest GPU has."""
    gpu = min(run.visible_gpus() or (), key=lambda one: one.memory_mib or 0)
    return f"{gpu.name} has {memory.gpu_gib:,.0f} GiB, of which {memory.limit_gib:,.0f} are there for tensors"


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
    run: Run, training: Training, requested: Requested, model: ModelShape, facts: Facts, outcome: Outcome
) -> Iterator[Found]:
    """The run fits in BF16 and not in FP8: Transformer Engine's FP8 copies of the weights come on top.

    Why it hurts: people expect FP8 to need less memory, and it needs more: the BF16 weights stay, an FP8 copy and its
    transpose come beside them, about two bytes for each parameter. The run that just fitted ends out of memory.

    Example: full fine-tuning of a 9B model on one 80 GB H100 with backend TE.

    Write instead: backend AO with torch.compile, which keeps no copies; or shard the run.
    """
    counted = _predicted(run, outcome) if requested.fp8 else None
    if counted is not None:
        require_gpus(facts)
        if counted.limit_gib is None or counted.fp8_gib is None:
            return
        if counted.bf16_gib <= counted.limit_gib < counted.fp8_gib:
            yield _copies(training, counted.bf16_gib, counted.fp8_gib, counted.limit_gib)
        return
    needed = _needed(requested, facts, outcome)
    if needed is None or not needed.trains or needed.spread or needed.gpu is None or not outcome.runs_te:
        return
    copies = FP8_COPIES * model.linear_parameters / GIB
    if not needed.exceeds and needed._replace(gib=needed.gib + copies).exceeds:
        yield _copies(training, needed.gib, needed.gib + copies, needed.gpu_gib or 0.0)


def _copies(training: Training, bf16: float, fp8: float, there: float) -> Found:
    """GiB in BF16, in FP8, and of the GPU."""
    return Found(
        f"FP8 needs {fp8 - bf16:,.0f} GiB more than BF16: the GPU has less",
        place=training.setting_for("model"),
        label=f"{bf16:,.0f} GiB in BF16, {fp8:,.0f} GiB with the FP8 copies, {there:,.0f} GiB on the GPU",
        notes=("activations come on top in either case",),
        fact="backend: AO with torch_compile: true keeps no copies; several GPUs can share the run",
    )


def _needed(requested: Requested, facts: Facts, outcome: Outcome) -> Least | None:
    """What each GPU holds before the first activation, at the least; None where it may be less."""
    state = outcome.accelerator
    if not requested.fp8 or state is None:
        return None
    from fp8check.rules.outcome.least import least_memory  # as above

    least = least_memory(outcome.run, outcome.stack, state, outcome.effective)
    if least is not None or not state.one_process:
        require_gpus(facts)  # where how it is started is not known, one of them decides it
    return least
