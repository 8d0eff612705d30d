"""Whether a run fits: the peak memory of one GPU in BF16 and in FP8, and what the GPU has for it."""

from __future__ import annotations

from fp8check.rules.outcome.effective import remembered
from fp8check.rules.outcome.least import CONTEXT_GIB, spread_of
from fp8check.rules.outcome.peak import peak_bytes
from fp8check.rules.outcome.peak_inputs import GIB, OPTIMIZERS, WHOLE, Step
from fp8check.rules.record import Record
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.models import ModelShape
    from fp8check.rules.outcome.peak_inputs import Engine
    from fp8check.rules.outcome.predict import Outcome
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.trainers.run import Run

# GiB of an H200, of which speed is told where no GPU is known: 143,771 MiB (nvidia-smi).
OF_H200 = 140.0
# GiB of a B300, of all GPUs that compute in FP8 the one that has most: 288 GB (NVIDIA's data sheet of the DGX B300).
OF_LARGEST = 268.0
# The share of what a GPU has that the allocator holds in pieces that are too small.
HELD = 0.03
# Architectures whose well-known models are published in BF16 (Llama 2 in FP16).
_IN_BF16 = ("llama", "qwen2", "qwen3", "qwen2_moe", "qwen3_moe", "mistral", "mixtral", "phi3")
_BACKENDS: tuple[Engine, ...] = ("TE", "AO")


class Memory(Record):
    """Peak memory of one GPU, as torch.cuda.max_memory_allocated counts it.

    Attributes:
        bf16_gib: of this run in BF16; fp8_gib: as it is; None where it does not train in FP8.
        gpu_gib: what the smallest GPU has that the run sees; None where that is not known.
        least_gib: what the run as it is takes at the least, however short the sequences of a micro-batch are.
    """

    bf16_gib: float
    fp8_gib: float | None
    gpu_gib: float | None
    least_gib: float = 0.0

    @property
    def limit_gib(self) -> float | None:
        """What the GPU has for tensors, less the context and what the allocator holds back."""
        return None if self.gpu_gib is None else usable(self.gpu_gib)

    @property
    def peak_gib(self) -> float:
        """Of the run as it is."""
        return self.bf16_gib if self.fp8_gib is None else self.fp8_gib


def usable(gib: float) -> float:
    """What of a GPU's GiB is there for tensors."""
    return gib * (1 - HELD) - CONTEXT_GIB


def predict_memory(run: Run, outcome: Outcome) -> Memory | None:
    """The peak memory of a run; None where something that decides it is not known or not modeled.

    Raises:
        Undecided: something that decides it is filled in later.
    """
    found = _counted(run, outcome)
    return found if isinstance(found, Memory) else None


def what_memory_lacks(run: Run, outcome: Outcome) -> str | None:
    """What of a run that starts would have to be known for its memory, for people; None where it is predicted."""
    if not outcome.starts:
        return None
    try:
        found = _counted(run, outcome)
    except Undecided as reason:
        return reason.what
    return found if isinstance(found, str) else None


@remembered
def _counted(run: Run, outcome: Outcome) -> Memory | str:
    """The peak memory of a run, or what is not known of it."""
    model = run.model
    if model is None:
        return "the model, or the sizes of its layers"
    if not model.block or not model.complete:
        return f"the layers of {model.name}"
    if model.quantization is not None:
        return f"what weights keep that are stored quantized ({model.quantization})"
    step = _step(run, outcome)
    if isinstance(step, str):
        return step
    there = _smallest_gpu(run)
    bf16 = peak_bytes(model, step._replace(autocast=True)) / GIB
    batches = run.training.tokens
    is_exact = batches is not None and batches.exact is not None
    engine = next((one for one in _BACKENDS if one == outcome.backend_name), None)
    fp8 = None
    if engine is not None and outcome.trains_in_fp8:
        lacks = _lacks_in_fp8(model, step, engine, outcome)
        if lacks:
            return lacks
        step = step._replace(engine=engine)
        fp8 = peak_bytes(model, step) / GIB
    peak = bf16 if fp8 is None else fp8
    return Memory(bf16, fp8, there, peak if is_exact else peak_bytes(model, step._replace(tokens=0)) / GIB)


def _lacks_in_fp8(model: ModelShape, step: Step, engine: Engine, outcome: Outcome) -> str:
    """What of a step in FP8 is not counted; "" where all is."""
    if outcome.fp8_layers != "all" and engine == "TE":
        return "what those layers keep that Transformer Engine leaves out"
    if model.experts:
        return "what experts in FP8 keep"
    return "what FP8 keeps beside Liger's kernels" if step.liger else ""


def _smallest_gpu(run: Run) -> float | None:
    """GiB of the smallest GPU that the run sees."""
    sizes = [gpu.memory_mib or 0 for gpu in run.visible_gpus() or ()]
    return min(sizes) / 1024 if sizes and min(sizes) > 0 else None


def _step(run: Run, outcome: Outcome) -> Step | str:
    """What decides the memory of this run, or what of it is not known."""
    training, effective, accelerator = run.training, outcome.effective, outcome.accelerator
    if accelerator is None or outcome.error is not None:
        return "the first step: the run does not reach it"
    uncounted = training.uncounted(run.launch, run.script)
    if uncounted:
        return uncounted
    weights = _text(effective.weights)
    if weights is None and (training.uses_lora or _published_in_bf16(run.model)):
        weights = "bfloat16"
    optimizer = training.optimizer(outcome.stack)
    spread, loss = spread_of(run, outcome.distributed_type, effective), training.loss(outcome.stack)
    rank = (training.lora_rank or 0) if training.uses_lora else 0
    lacks = _lacks(run, outcome, weights, optimizer, rank)
    if lacks:
        return lacks
    if spread is None or loss is None:
        return f"how {run.training.title} makes its loss" if loss is None else "how the run is spread over its GPUs"
    plain = outcome.mixed_precision is not None and outcome.mixed_precision.value == "no"
    return spread._replace(
        tokens=effective.tokens,
        weights=weights,
        wide_ends=training.wide_ends and weights == "bfloat16" and spread.strategy in WHOLE,
        autocast=not plain,
        optimizer=optimizer,
        checkpointing=effective.checkpointing is not None or spread.checkpointing,
        compiled=effective.compiled is not None,
        lora_rank=rank,
        lora_dropout=rank > 0 and training.lora_drops,
        accumulates=training.accumulates,
        loss=loss,
        liger=training.uses_liger,
    )


def _lacks(run: Run, outcome: Outcome, weights: str | None, optimizer: str | None, rank: int) -> str:
    """What of the files' values is missing, or not counted; "" where nothing is."""
    effective, training = outcome.effective, run.training
    if effective.micro_batch is None:
        return "how many sequences a micro-batch has"
    if effective.sequence is None:
        return "how long the longest sequence is"
    if weights not in ("float32", "bfloat16"):
        return "the type of the weights" if weights is None else f"what weights in {weights} keep"
    if optimizer not in OPTIMIZERS:
        return "the optimizer" if optimizer is None else f"what the optimizer {optimizer} keeps"
    if training.uses_lora and not (rank and _adapts_all(run, run.model)):
        return "adapters on some of the layers alone" if rank else "the rank of the adapters"
    return ""


def _published_in_bf16(model: ModelShape | None) -> bool:
    """Whether the weights on the hub take two bytes each, where only the model's name is known."""
    return model is not None and model.source == "table" and model.model_type in _IN_BF16


def _text(setting: Setting | None) -> str | None:
    return None if setting is None else str(setting.value)


def _adapts_all(run: Run, model: ModelShape | None) -> bool:
    return model is not None and all(run.training.adapts(linear.name) for linear in model.block)
