"""Whether a run fits: the peak memory of one GPU in BF16 and in FP8, and what the GPU has for it."""

from __future__ import annotations

from fp8check.rules.outcome.effective import number
from fp8check.rules.outcome.peak import peak_bytes
from fp8check.rules.outcome.peak_inputs import GIB, OPTIMIZERS, WHOLE, Step, Zero, sizes_of
from fp8check.rules.outcome.spread import weights_bytes
from fp8check.rules.record import Record
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.facts import Gpu
    from fp8check.rules.models import ModelShape
    from fp8check.rules.outcome.accelerator import Accelerator
    from fp8check.rules.outcome.effective import Effective
    from fp8check.rules.outcome.peak_inputs import Engine, Offload, Strategy
    from fp8check.rules.outcome.predict import Outcome
    from fp8check.rules.releases.accelerate_enums import DistributedType
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.deepspeed import DeepSpeedConfig
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.trainers.run import Run

# What a process takes of a GPU beside its tensors: the CUDA context with the kernels of torch, cuBLAS, Transformer
# Engine and NCCL, and the share of the rest that the allocator holds in pieces that are too small.
CONTEXT_GIB, HELD = 1.0, 0.03
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


class _Answered:
    """The last outcome that was asked about, and the answer: three rules and the report ask for the same one."""

    def __init__(self) -> None:
        self._last: tuple[Outcome, Memory | None] | None = None

    def __call__(self, run: Run, outcome: Outcome) -> Memory | None:
        """The peak memory of a run; None where something that decides it is not modeled.

        Raises:
            Undecided: something that decides it is not known, or filled in later.
        """
        last = self._last
        if last is None or last[0] is not outcome:
            self._last = last = (outcome, _predict(run, outcome))
        return last[1]


predict_memory = _Answered()


def _predict(run: Run, outcome: Outcome) -> Memory | None:
    model = run.model
    if model is None or not model.block or model.quantization is not None or not model.complete:
        return None
    step = _step(run, outcome)
    if step is None:
        return None
    there = _smallest_gpu(run)
    bf16 = peak_bytes(model, step) / GIB
    batches = run.training.tokens
    least = step if batches is not None and batches.exact is not None else step._replace(tokens=0)
    engine = next((one for one in _BACKENDS if one == outcome.backend_name), None)
    fp8 = None
    if engine is not None and outcome.trains_in_fp8:
        if outcome.fp8_layers != "all" and engine == "TE":
            return None  # which of the layers keep what is not counted
        if model.experts or step.liger:
            return None  # what the experts, or Liger's kernels, make of its layers is not counted
        if step.checkpointing and outcome.reentrant is False and engine == "TE":
            return None  # the run ends
        fp8 = peak_bytes(model, step._replace(engine=engine)) / GIB
        least = least._replace(engine=engine)
    return Memory(bf16, fp8, there, peak_bytes(model, least) / GIB)


class Least(Record):
    """What a GPU holds of a run before the first activation, at the least.

    Attributes:
        gib: that; gpu: the smallest that the run sees, None where that is not known.
        what: which bytes these are, and of what type.
        each: bytes for each parameter where every GPU has all of them; else 0.
        trains: whether gradients and the optimizer's states are in it.
        spread: how it is spread over the GPUs; "" where each has all.
    """

    gib: float
    gpu: Gpu | None
    what: str
    each: int
    trains: bool
    spread: str = ""

    @property
    def gpu_gib(self) -> float | None:
        """What the GPU has; None where that is not known."""
        return None if self.gpu is None else (self.gpu.memory_mib or 0) / 1024

    @property
    def exceeds(self) -> bool:
        """Whether it is known to be more than there is beside the context of the process."""
        return self.gpu_gib is not None and self.gib > self.gpu_gib - CONTEXT_GIB


_SPREADS = {
    "fsdp1": "FSDP1",
    "fsdp2": "FSDP2",
    "zero1": "ZeRO-1",
    "zero2": "ZeRO-2",
    "zero3": "ZeRO-3",
}


def least_memory(run: Run, stack: Stack, state: Accelerator, effective: Effective) -> Least | None:
    """The least that a GPU holds of a run; None where that is not known, or may lie elsewhere."""
    model, training = run.model, run.training
    if model is None or model.quantization is not None or training.quantized is not None or not model.parameters:
        return None
    gpus = run.visible_gpus() or ()
    if state.distributed_type == "NO" and (len(gpus) > 1 or not state.one_process):
        return None  # device_map may spread it over several
    try:
        step = _spread(run, state.distributed_type, effective)
    except Undecided:
        return None
    if step is None:
        return None
    step = step._replace(weights="float32" if _loaded(effective) == "float32" else "bfloat16")
    trains = training.trains_all
    if trains:
        step = step._replace(optimizer=training.optimizer(stack) or step.optimizer, accumulates=training.accumulates)
    sizes = sizes_of(model)
    needed = peak_bytes(model, step) if trains else weights_bytes(sizes, step)
    whole = step.strategy in WHOLE
    kept = "float32" if step.weights == "float32" else "BF16"
    what = f"{kept} weight and gradient, two states of AdamW" if trains else f"the weights alone, in {kept}"
    each = int(step.width * (4 if trains else 1)) if whole else 0
    gpu = min(gpus, key=lambda one: one.memory_mib or 0, default=None)
    there = gpu if gpu is not None and gpu.memory_mib else None
    spread = "" if whole else f"{_SPREADS[step.strategy]} over {step.processes} GPUs"
    return Least(needed / GIB, there, what, each, trains, spread)


def _loaded(effective: Effective) -> str | None:
    """The type of the weights; None where it is not known."""
    try:
        return _text(effective.weights)
    except Undecided:
        return None


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
    spread, loss = _spread(run, outcome.distributed_type, effective), training.loss(outcome.stack)
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


def _spread(run: Run, kind: DistributedType | None, effective: Effective) -> Step | None:
    """A step that is spread like the run; None where that is not known or not modeled."""
    step = Step("BF16", 0)
    if kind == "NO":
        return step
    config = run.config_read
    if config is not None and config.splits_processes:
        return None  # tensor parallelism, shards within groups
    processes = number(effective.all_processes)
    if kind is None or processes is None or processes < 1:
        return None
    step = step._replace(processes=processes)
    if kind == "MULTI_GPU":
        return step._replace(strategy="ddp")
    if kind == "FSDP":
        return _fsdp(run, step)
    return _zero(run, step) if kind == "DEEPSPEED" else None


def _fsdp(run: Run, step: Step) -> Step | None:
    """FSDP of the Accelerate file, which shards everything over all GPUs, a decoder layer at a time."""
    config = run.config_read
    if config is None or run.training.asks_for_fsdp or not config.wraps_layers:
        return None
    reshards = config.reshards
    if reshards is None:
        return None
    offload: Offload = "all" if config.offloads_params else "none"
    again = config.fsdp_checkpointing is not None and config.fsdp_checkpointing.value in (True, "true")
    strategy: Strategy = "fsdp2" if config.is_fsdp2 else "fsdp1"
    return step._replace(strategy=strategy, reshards=reshards, offload=offload, checkpointing=again)


def _zero(run: Run, step: Step) -> Step | None:
    """A ZeRO stage, with the buffers of DeepSpeed's own file, or with its defaults."""
    config = run.deepspeed if run.deepspeed is not None else run.config_read
    if config is None or run.model is None:
        return None
    written, offload = config.zero_stage, config.offload
    stages: dict[object, Strategy] = {1: "zero1", 2: "zero2", 3: "zero3"}
    default = 0 if config is run.deepspeed else 2  # utils/dataclasses.py DeepSpeedPlugin
    stage = stages.get(default if written is None else written.value)
    if stage is None or offload is None:
        return None
    zero = Zero() if run.deepspeed is None else _buffers(run.deepspeed, run.model.hidden)
    return step._replace(strategy=stage, offload=offload, zero=zero)


def _buffers(config: DeepSpeedConfig, hidden: int) -> Zero:
    """DeepSpeed's buffers; "auto" is what transformers makes of it (integrations/deepspeed.py)."""
    default, square = Zero(), float(hidden * hidden)
    return Zero(
        config.numbers("reduce_bucket_size", default.bucket, square),
        2 if config.zero.value("overlap_comm") is True else 1,
        config.numbers("stage3_max_live_parameters", default.live, default.live),
        config.numbers("sub_group_size", default.group, default.group),
    )
