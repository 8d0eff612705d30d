"""Whether a run fits: the peak memory of one GPU in BF16 and in FP8, and what the GPU has for it."""

from __future__ import annotations

from fp8check.rules.outcome.effective import remembered
from fp8check.rules.outcome.least import CONTEXT_GIB, spread_of
from fp8check.rules.outcome.peak import peak_bytes
from fp8check.rules.outcome.peak_inputs import GIB, OPTIMIZERS, Step
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.models import ModelShape
    from fp8check.rules.outcome.peak_inputs import Engine
    from fp8check.rules.outcome.predict import Outcome
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.trainers.run import Run

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
        return None if self.gpu_gib is None else self.gpu_gib * (1 - HELD) - CONTEXT_GIB

    @property
    def peak_gib(self) -> float:
        """Of the run as it is."""
        return self.bf16_gib if self.fp8_gib is None else self.fp8_gib


@remembered
def predict_memory(run: Run, outcome: Outcome) -> Memory | None:
    """The peak memory of a run; None where something that decides it is not modeled.

    Raises:
        Undecided: something that decides it is not known, or filled in later.
    """
    model = run.model
    if model is None or not model.block or model.quantization is not None or not model.complete:
        return None
    step = _step(run, outcome)
    if step is None:
        return None
    there = _smallest_gpu(run)
    bf16 = peak_bytes(model, step) / GIB
    batches = run.training.tokens
    is_exact = batches is not None and batches.exact is not None
    engine = next((one for one in _BACKENDS if one == outcome.backend_name), None)
    fp8 = None
    if engine is not None and outcome.trains_in_fp8:
        if outcome.fp8_layers != "all" and engine == "TE":
            return None  # which of the layers keep what is not counted
        if model.experts or step.liger:
            return None  # what the experts, or Liger's kernels, make of its layers is not counted
        if step.checkpointing and outcome.reentrant is False and engine == "TE":
            return None  # the run ends
        step = step._replace(engine=engine)
        fp8 = peak_bytes(model, step) / GIB
    peak = bf16 if fp8 is None else fp8
    return Memory(bf16, fp8, there, peak if is_exact else peak_bytes(model, step._replace(tokens=0)) / GIB)


def _smallest_gpu(run: Run) -> float | None:
    """GiB of the smallest GPU that the run sees."""
    sizes = [gpu.memory_mib or 0 for gpu in run.visible_gpus() or ()]
    return min(sizes) / 1024 if sizes and min(sizes) > 0 else None


def _step(run: Run, outcome: Outcome) -> Step | None:
    """What decides the memory of this run; None where something is not modeled."""
    training, effective, accelerator = run.training, outcome.effective, outcome.accelerator
    if accelerator is None or outcome.error is not None or not training.memory_is_counted:
        return None
    tokens = effective.tokens
    weights = _text(effective.weights)
    if weights is None and (training.uses_lora or _published_in_bf16(run.model)):
        weights = "bfloat16"
    optimizer = training.optimizer(outcome.stack)
    if tokens is None or weights not in ("float32", "bfloat16") or optimizer not in OPTIMIZERS:
        return None
    spread, loss = spread_of(run, outcome.distributed_type, effective), training.loss(outcome.stack)
    if spread is None or loss is None:
        return None
    rank = (training.lora_rank or 0) if training.uses_lora else 0
    if training.uses_lora and not (rank and _adapts_all(run, run.model)):
        return None
    return spread._replace(
        tokens=tokens,
        weights=weights,
        optimizer=optimizer,
        checkpointing=outcome.checkpointing is not None or spread.checkpointing,
        compiled=effective.compiled is not None,
        lora_rank=rank,
        lora_dropout=rank > 0 and training.lora_drops,
        accumulates=training.accumulates,
        loss=loss,
        liger=training.uses_liger,
    )


def _published_in_bf16(model: ModelShape | None) -> bool:
    """Whether the weights on the hub take two bytes each, where only the model's name is known."""
    return model is not None and model.source == "table" and model.model_type in _IN_BF16


def _text(setting: Setting | None) -> str | None:
    return None if setting is None else str(setting.value)


def _adapts_all(run: Run, model: ModelShape | None) -> bool:
    return model is not None and all(run.training.adapts(one.name) for one in model.block)
