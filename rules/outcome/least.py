"""The least that a GPU holds of a run, whatever its micro-batch is, and how the run is spread over its GPUs."""

from __future__ import annotations

from fp8check.rules.outcome.effective import number
from fp8check.rules.outcome.peak import peak_bytes
from fp8check.rules.outcome.peak_inputs import GIB, WHOLE, Step, Zero, sizes_of
from fp8check.rules.outcome.spread import weights_bytes
from fp8check.rules.record import Record
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.facts import Gpu
    from fp8check.rules.outcome.accelerator import Accelerator
    from fp8check.rules.outcome.effective import Effective
    from fp8check.rules.outcome.peak_inputs import Offload, Strategy
    from fp8check.rules.releases.accelerate_enums import DistributedType
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.deepspeed import DeepSpeedConfig
    from fp8check.rules.trainers.run import Run

# What a process takes of a GPU beside its tensors: the CUDA context with the kernels of torch, cuBLAS, Transformer
# Engine and NCCL.
CONTEXT_GIB = 1.0


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
        step = spread_of(run, state.distributed_type, effective)
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
    spread = "" if whole else f"{_SPREADS[step.strategy]} over {step.processes} GPU{'s' * (step.processes > 1)}"
    return Least(needed / GIB, there, what, each, trains, spread)


def _loaded(effective: Effective) -> str | None:
    """The type of the weights; None where it is not known."""
    try:
        return None if effective.weights is None else str(effective.weights.value)
    except Undecided:
        return None


def spread_of(run: Run, kind: DistributedType | None, effective: Effective) -> Step | None:
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
    return _zero(run, step, effective) if kind == "DEEPSPEED" else None


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


def _zero(run: Run, step: Step, effective: Effective) -> Step | None:
    """A ZeRO stage, with the buffers of DeepSpeed's own file, or with its defaults."""
    config = run.deepspeed if run.deepspeed is not None else run.config_read
    if config is None or run.model is None:
        return None
    written, offload = effective.zero_stage, config.offload
    stages: dict[str, Strategy] = {"1": "zero1", "2": "zero2", "3": "zero3"}
    default = 0 if config is run.deepspeed else 2  # utils/dataclasses.py DeepSpeedPlugin
    stage = stages.get(str(default if written is None else written.value))
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
