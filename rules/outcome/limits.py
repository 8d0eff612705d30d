"""What the GPUs and the shapes of the model refuse, in prepare() or in the first step."""

from __future__ import annotations

from fp8check.rules.outcome import processes
from fp8check.rules.outcome.prepare import refusal
from fp8check.rules.releases.behaviors import TransformerEngine
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.releases.recipes import scaling_called, scaling_of
from fp8check.rules.releases.versions import at_least, parse, parsed
from fp8check.rules.settings.values import Setting, Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.models import Linear
    from fp8check.rules.outcome.accelerator import Accelerator
    from fp8check.rules.outcome.effective import Effective
    from fp8check.rules.outcome.prepare import Prepared
    from fp8check.rules.releases.accelerate_enums import Backend
    from fp8check.rules.releases.recipes import BlockScaling
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.trainers.run import Run

MIB = 1024**2
# More bytes than a parameter takes however it is trained: float32 weights, gradients, buckets and states.
MOST = 32
# The first CUDA whose torch has kernels for compute capability 10.0 and newer.
_CUDA_OF_BLACKWELL = (12, 8)
# The first cuBLASLt, and CUDA, with FP8 on compute capability 8.9 (Transformer Engine, check_fp8_support).
_CUBLAS_OF_ADA, _CUDA_OF_ADA = (12, 1, 3), (12, 1)


# The backends that put layers of their own in.
_CONVERTING: tuple[Backend, ...] = ("TE", "AO")


def check_quantized(run: Run, stack: Stack, state: Accelerator) -> None:
    """A base that stays quantized: which of its layers run in FP8 was never executed.

    Raises:
        Undecided: a backend would convert it.
    """
    method, training = (run.model.quantization if run.model is not None else None), run.training
    quantized = training.quantized is not None or (method is not None and not training.dequantizes(method, stack))
    if quantized and state.backend_name in _CONVERTING:
        raise Undecided("what Accelerate's FP8 makes of a base that is quantized", "a short run of it")


def check_kernels(run: Run, state: Accelerator) -> None:
    """A torch that was built before a GPU has no kernels for it.

    Raises:
        PredictedError: the first kernel fails.
    """
    gpus, torch = run.visible_gpus(), parsed((run.facts.cuda or {}).get("torch"))
    if not gpus or torch is None or at_least(torch, *_CUDA_OF_BLACKWELL):
        return
    used = gpus[:1] if state.distributed_type == "NO" else gpus
    if any(at_least(parse(gpu.compute_capability), 10) for gpu in used):
        text = "CUDA error: no kernel image is available for execution on the device"
        raise PredictedError("no-kernel-image", "step", "RuntimeError", text)


def check_own_recipes(run: Run, stack: Stack) -> None:
    """A recipe that the script itself gives to Transformer Engine's autocast, on a GPU that has no such scaling.

    Raises:
        PredictedError: its first FP8 layer refuses it.
    """
    for own_fp8 in run.script.own:
        scaling = scaling_called(own_fp8.recipe.value) if own_fp8.recipe is not None and own_fp8.sure else None
        message = refusal(run, stack, scaling) if scaling is not None else ""
        if message:
            raise PredictedError("block-scaling-not-supported", "step", "RuntimeError", message, (own_fp8.recipe,))


def old_cublas(run: Run) -> str:
    """The CUDA or cuBLAS that has no FP8 for the first GPU, which is an Ada; "" where that is not so, or not known."""
    gpus = run.visible_gpus()
    if not gpus or gpus[0].compute_capability != "8.9":
        return ""
    cublas, torch = (run.facts.libraries or {}).get("cublas"), (run.facts.cuda or {}).get("torch")
    if _is_older(cublas, _CUBLAS_OF_ADA):
        return f"cuBLAS {cublas}"
    return f"CUDA {torch}" if _is_older(torch, _CUDA_OF_ADA) else ""


def _is_older(text: str | None, first: tuple[int, ...]) -> bool:
    version = parsed(text)
    return version is not None and not at_least(version, *first)


def check_cublas(run: Run, stack: Stack, state: Accelerator) -> None:
    """Transformer Engine asks for a cuBLASLt that has FP8 on Ada (check_fp8_support).

    Raises:
        PredictedError: it is older.
    """
    if old_cublas(run):
        text = "CublasLt version 12.1.3.x or higher required for FP8 execution on Ada."
        type_ = "RuntimeError" if stack.does(TransformerEngine.CHECKS_RAISE_RUNTIME_ERROR) else "AssertionError"
        raise PredictedError("cublas-without-fp8", "step", type_, text, (state.backend,))


def check_tensor_parallel(run: Run, state: Accelerator) -> None:
    """Transformer Engine's weights are plain tensors, those of tensor parallelism DTensors (accelerate issue 3827).

    Raises:
        PredictedError: both are there.
    """
    size = run.tensor_parallel
    if size is not None:
        text = "got mixed torch.Tensor and DTensor, need to convert all torch.Tensor to DTensor"
        raise PredictedError("te-under-tensor-parallelism", "step", "RuntimeError", text, (size, state.backend))


def check_fsdp_checkpointing(run: Run, state: Accelerator) -> None:
    """FSDP's own checkpointing is not reentrant (accelerator.py: CheckpointImpl.NO_REENTRANT), as FP501 has it.

    Raises:
        PredictedError: it is on.
    """
    written = run.fsdp_checkpointing if state.distributed_type == "FSDP" else None
    if written is not None:
        text = "torch.utils.checkpoint: A different number of tensors was saved during the original forward"
        raise PredictedError("fsdp-checkpointing", "step", "CheckpointError", text, (written, state.backend))


def odd_for_blocks(run: Run, stack: Stack, scaling: BlockScaling) -> tuple[list[Linear], int | None]:
    """The layers, and the rank of adapters, that 16 divides and a block does not: they are converted all the same."""
    block, training = scaling.block, run.training
    layers = run.model.linears(stack.version("transformers")[0]) if run.model is not None else ()
    odd = [linear for linear in layers if _only_16((linear.in_features, linear.out_features), block)]
    rank = training.lora_rank if training.uses_lora else None
    return odd, rank if rank is not None and _only_16((rank,), block) else None


def _only_16(sizes: tuple[int, ...], block: int) -> bool:
    return all(size % 16 == 0 for size in sizes) and any(size % block for size in sizes)


def check_blocks(run: Run, stack: Stack, state: Accelerator, prepared: Prepared) -> None:
    """Block scaling wants dimensions that a block divides (pytorch/csrc/quantizer.cpp; issue 2966).

    Raises:
        PredictedError: a layer is converted that has others.
    """
    scaling = scaling_of(prepared.recipe)
    if scaling is None:
        return
    odd, rank = odd_for_blocks(run, stack, scaling)
    if odd or rank is not None:
        text = f"{scaling.called} requires tensor dims that are divisible by {scaling.block}"
        raise PredictedError("dimensions-not-by-block", "step", "RuntimeError", text, (state.backend,))


def uneven(run: Run, stack: Stack, state: Accelerator, prepared: Prepared) -> tuple[list[Linear], int | None, Setting]:
    """What torchao's float8 all-gather cannot put together: weights whose rows the GPUs of a shard group do not share.

    FSDP2 deals out rows, and the last GPU gets fewer of them; torchao hands on its part without filling it up
    (float8/fsdp_utils.py fsdp_pre_all_gather). Executed with torchao 0.18.0 and torch 2.13.0 on three processes.

    Returns:
        The layers, the rank of adapters among them, and how many processes share a weight; a setting of None where
        nothing of it applies. No layers where the model is not known: 16 divides the rows of all that are converted.

    Raises:
        Undecided: it is not known how many share a weight.
    """
    nothing: tuple[list[Linear], int | None, Setting] = ([], None, Setting(None))
    gather = (prepared.recipe or {}).get("enable_fsdp_float8_all_gather")
    if state.backend_name != "AO" or not state.is_fsdp2 or gather is None or not gather.value:
        return nothing
    shared = _sharing(run)
    if shared is None or not isinstance(shared.value, int) or shared.value < 1:  # none, where no GPU is there
        return nothing
    if run.model is None:
        return [], None, shared
    count = shared.value
    blocks = (*run.model.block_in(stack.version("transformers")[0]), *run.model.dense_block)
    odd = [linear for linear in dict.fromkeys(blocks) if _aligned(linear) and linear.out_features % count]
    rank = run.training.lora_rank if run.training.uses_lora else None
    return odd, rank if rank is not None and rank % 16 == 0 and rank % count else None, shared


def _aligned(linear: Linear) -> bool:
    return linear.in_features % 16 == 0 and linear.out_features % 16 == 0


def _sharing(run: Run) -> Setting | None:
    """How many processes share a weight: all of them, unless parallelism_config says otherwise."""
    config = run.config_read
    return config.shard_group if config is not None and config.splits_processes else processes.everywhere(run)


def check_gather(run: Run, stack: Stack, state: Accelerator, prepared: Prepared) -> None:
    """torchao's float8 all-gather of weights that are not shared evenly.

    Raises:
        PredictedError: a process ends, and the others wait for it.
    """
    try:
        odd, rank, shared = uneven(run, stack, state, prepared)
    except Undecided:  # FP531 says so
        return
    if odd or rank is not None:
        text = "setStorage: the gathered weight is out of bounds for its storage"
        gather = (prepared.recipe or {})["enable_fsdp_float8_all_gather"]
        raise PredictedError("gather-of-uneven-shards", "step", "RuntimeError", text, (gather, shared, state.backend))


def thawed(run: Run, state: Accelerator, prepared: Prepared) -> Setting | None:
    """The option by which FSDP2 makes the frozen base of adapters trainable again; None where it stays frozen.

    Where Training.shards_from_cpu is None, it does so if it gets the model on the CPU.

    With the float8 all-gather a weight is a tensor subclass of torchao. FSDP2 moves such a one from the CPU by making a
    new Parameter of it, which wants gradients (torch/distributed/fsdp/_fully_shard/_fsdp_init.py
    _move_states_to_device). Seen on H200s with torch 2.11.0: docs/evidence/advised.jsonl, lora-fsdp2-float32; with a
    model that LLaMA-Factory had on the GPU already it did not happen.
    """
    gather = (prepared.recipe or {}).get("enable_fsdp_float8_all_gather")
    sharded = state.backend_name == "AO" and state.is_fsdp2 and gather is not None and bool(gather.value)
    return gather if sharded and run.training.uses_lora and run.training.shards_from_cpu is not False else None


def check_thawed(run: Run, state: Accelerator, prepared: Prepared, effective: Effective) -> None:
    """A thawed base in half precision beside adapters in float32: FSDP2 wants one type in each of its groups.

    Raises:
        PredictedError: it refuses.
    """
    gather = thawed(run, state, prepared) if run.training.shards_from_cpu else None
    kept = effective.weights if gather is not None else None
    if kept is not None and kept.value in ("bfloat16", "float16"):
        text = f"FSDP expects uniform original parameter dtype but got {{torch.float32, torch.{kept.value}}}"
        raise PredictedError("fsdp2-thaws-base", "step", "AssertionError", text, (gather, kept, state.backend))


def check_memory(run: Run, stack: Stack, state: Accelerator, effective: Effective) -> None:
    """A run that does not fit into its GPUs, of whatever it computes in.

    Raises:
        PredictedError: each of them holds more than the smallest has.
    """
    gpus, model = run.visible_gpus(), run.model
    if not gpus or model is None or min(gpu.memory_mib or 0 for gpu in gpus) * MIB > MOST * model.parameters:
        return
    from fp8check.rules.outcome.least import least_memory  # most models are far smaller than their GPUs

    least = least_memory(run, stack, state, effective)
    if least is not None and least.exceeds:
        text = f"CUDA out of memory: {least.gib:,.0f} GiB are needed of {least.gpu_gib or 0:,.0f} GiB"
        raise PredictedError("out-of-memory", "step", "OutOfMemoryError", text, (run.training.setting_for("model"),))
