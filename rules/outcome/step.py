"""The first training step: what fails only there, and what is trained by it."""

from __future__ import annotations

from fp8check.rules.outcome import limits, processes
from fp8check.rules.outcome.accelerator import SMALLEST_CAPABILITY
from fp8check.rules.outcome.prepare import check_number, never_prepared
from fp8check.rules.releases.behaviors import TransformerEngine
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.releases.recipes import DELAYED_SCALING
from fp8check.rules.settings.values import Origin, Setting, Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.facts import Gpu
    from fp8check.rules.outcome.accelerator import Accelerator
    from fp8check.rules.outcome.effective import Effective
    from fp8check.rules.outcome.prepare import Prepared
    from fp8check.rules.releases.accelerate_enums import DistributedType
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.trainers.run import Run


# Transformer Engine's FP8 GEMMs want this much on Hopper and Ada, where wgrad has the tokens as its leading dimension.
ALIGNMENT = 16
HALF = 8  # what the forward pass wants everywhere
TN_ONLY = ("8.9", "9.0")
# The release of torch whose compiler was seen to end in Transformer Engine's look at the GPU.
_TRACES = (2, 11)
_TRACED = "with torch 2.11 the first step ends in Transformer Engine's own code; with this release nobody has run it"
_UNTRACED = "fp8check --probe on the GPU node, or the run without torch.compile"
# Where Accelerate puts its FP8 autocast around the module that shares the work out (delayed_fp8_autocast).
DELAYING: tuple[DistributedType, ...] = ("MULTI_GPU", "FSDP")


def step(run: Run, stack: Stack, state: Accelerator, prepared: Prepared, checkpointing: Setting | None) -> None:
    """One forward, backward and optimizer step.

    Args:
        checkpointing: what switches gradient checkpointing on.

    Raises:
        PredictedError: the step raises.
    """
    run.training.check_step(stack)
    if state.distributed_type == "MULTI_GPU":
        run.training.check_replicated(stack)
    _check_gradients(run)
    limits.check_gather(run, stack, state, prepared)
    if state.backend_name == "TE" and prepared.coverage.converted != 0:
        limits.check_tensor_parallel(run, state)
        if not prepared.autocast:  # FSDP2: the layers are there all the same
            _check_head(run, stack, state, prepared)
    if state.backend_name != "TE" or not prepared.autocast:
        return
    _check_capability(run, stack, state)  # autocast itself asks, before it meets a layer
    if prepared.coverage.converted == 0:
        return
    limits.check_cublas(run, stack, state)
    limits.check_blocks(run, stack, state, prepared)
    _check_history(state, prepared)
    _check_tokens(run, stack, state)
    _check_head(run, stack, state, prepared)
    if (prepared.recipe or {})["class"].value == DELAYED_SCALING:
        check_number(run, "step", "NVTE_UNFUSED_FP8_UPDATE")  # pytorch/quantization.py, as FP8 autocast is left
    if run.training.reentrant(stack) is False:
        run.training.rest_on(checkpointing)
        text = (
            "torch.utils.checkpoint: A different number of tensors was saved during the original forward and "
            "recomputation."
        )
        because = (checkpointing, state.backend)
        raise PredictedError("checkpointing-not-reentrant", "step", "CheckpointError", text, because)
    limits.check_fsdp_checkpointing(run, state)


def _check_gradients(run: Run) -> None:
    """A script that goes back from what it computed without gradients."""
    source = run.script.source
    if source is not None and source.detached is not None and not run.training.is_huggingface:
        text = "element 0 of tensors does not require grad and does not have a grad_fn"
        raise PredictedError("backward-without-gradients", "step", "RuntimeError", text, (source.detached,))


def _check_history(state: Accelerator, prepared: Prepared) -> None:
    """Transformer Engine keeps the history as a tensor of that many rows and takes row 0 (pytorch/quantization.py)."""
    length = (prepared.recipe or {}).get("amax_history_len")
    if length is None or not isinstance(length.value, int) or length.value > 0:
        return
    if length.value < 0:
        raise PredictedError(
            "negative-amax-history",
            "step",
            "RuntimeError",
            "zeros: Dimension size must be non-negative.",
            (length, state.backend),
        )
    text = "index 0 is out of bounds for dimension 0 with size 0"
    raise PredictedError("empty-amax-history", "step", "IndexError", text, (length, state.backend))


def _check_capability(run: Run, stack: Stack, state: Accelerator) -> None:
    capabilities = [tuple(int(part) for part in gpu.compute_capability.split(".")) for gpu in _used(run, state)]
    if any(capability < SMALLEST_CAPABILITY for capability in capabilities):
        later = stack.does(TransformerEngine.CHECKS_RAISE_RUNTIME_ERROR)
        text = "Device compute capability 8.9 or higher required for FP8 execution."
        raise PredictedError(
            "capability-too-low", "step", "RuntimeError" if later else "AssertionError", text, (state.backend,)
        )


def _check_head(run: Run, stack: Stack, state: Accelerator, prepared: Prepared) -> None:
    """A loss that adds the head's bias where there is one: Transformer Engine's layers always have one.

    Where a layer has none, te.Linear keeps an empty tensor as its bias, not None (module/linear.py, 1.11.0 to 2.20.2).
    Seen on an H200 with Transformer Engine 2.20.2 and TRL 1.16.0: docs/evidence/advised.jsonl, trl-default; under FSDP2
    and DeepSpeed executed on a CPU: docs/evidence/beyond-cpu.jsonl, sft-te-fsdp2, sft-te-zero-2, sft-te-zero-3.
    """
    fused = run.training.adds_bias_of_head(stack, run.launch, run.script)
    model = run.model
    if fused is None or (model is not None and (model.head.bias or model.head.name in prepared.coverage.left)):
        return
    if processes.is_zero3(
        run, stack, state.distributed_type
    ):  # trl trainer/utils.py maybe_gather_lm_head_ctx asks each parameter for its status
        text = "'Tensor' object has no attribute 'ds_status'"
        raise PredictedError("bias-of-head", "step", "AttributeError", text, (fused, state.backend))
    rows = "the vocabulary" if model is None else f"{min(model.head.out_features, 32_768)}"  # so much at a time
    text = f"The size of tensor a ({rows}) must match the size of tensor b (0) at non-singleton dimension 1"
    raise PredictedError("bias-of-head", "step", "RuntimeError", text, (fused, state.backend))


def _used(run: Run, state: Accelerator) -> Sequence[Gpu]:
    """The GPUs that the processes of this machine take, one each, from the first on; none where they are not known."""
    gpus = run.visible_gpus() or ()
    if state.distributed_type == "NO":
        return gpus[:1]
    try:
        count = processes.processes_here(run)
    except Undecided:
        return gpus[:1]
    return gpus[: count.value if count is not None and isinstance(count.value, int) else 1]


def _check_tokens(run: Run, stack: Stack, state: Accelerator) -> None:
    """Transformer Engine's FP8 GEMMs: 8 divides the tokens of a batch, and on Hopper and Ada 16 does, for wgrad.

    Seen on an H200 with Transformer Engine 2.20.2: 35 tokens end in the forward pass, 24 in the backward GEMM.
    """
    tokens = run.tokens
    if tokens is None:
        batch = run.training.tokens
        tokens = batch.exact if batch is not None else None
    if tokens is None:
        return
    if tokens % 8:
        later = stack.does(TransformerEngine.CHECKS_RAISE_RUNTIME_ERROR)
        text = "FP8 execution requires the product of all dimensions except the last to be divisible by 8"
        raise PredictedError(
            "tokens-not-by-8", "step", "ValueError" if later else "AssertionError", text, (state.backend,)
        )
    gpus = run.visible_gpus()
    if not stack.does(TransformerEngine.CHECKS_LEADING_DIMENSION):
        return
    if tokens % 16 and gpus and gpus[0].compute_capability in TN_ONLY:
        text = "Assertion failed: ret.lda % 16 == 0. Leading dimension requirement on A for FP8 GEMM. Caller must pad."
        raise PredictedError("tokens-not-by-16", "step", "RuntimeError", text, (state.backend,))


def frozen_by_torchao(state: Accelerator, prepared: Prepared) -> Setting | None:
    """The option that makes every converted weight miss its updates; None where they train.

    With enable_fsdp_float8_all_gather, torchao puts a new Parameter in the place of each converted weight. Only
    FSDP2 tells the optimizer, which otherwise goes on updating the old ones (measured on an H200: 13 of 13 converted
    weights unchanged after the step, with accelerate 1.15.0 and torchao 0.17.0).
    """
    if state.backend_name != "AO" or prepared.recipe is None or state.is_fsdp2:
        return None
    gather = prepared.recipe.get("enable_fsdp_float8_all_gather")
    return gather if gather is not None and gather.value else None


def check_engine(run: Run, stack: Stack, state: Accelerator) -> None:
    """backward() of DeepSpeed is the engine's, which prepare() makes of a model (accelerator.py).

    Under ZeRO-3 the forward pass before it finds no weights: from_pretrained() has left a shard of each, whatever
    zero3_init_flag says (executed with accelerate 1.15.0, transformers 5.23.0).
    """
    unprepared = never_prepared(run)
    if state.distributed_type == "DEEPSPEED" and unprepared is not None:
        if processes.is_zero3(run, stack, state.distributed_type):
            text = "Padding_idx must be within num_embeddings"
            raise PredictedError("deepspeed-prepares-nothing", "step", "AssertionError", text, (unprepared,))
        text = "'NoneType' object has no attribute 'backward'"
        raise PredictedError("deepspeed-prepares-nothing", "step", "AttributeError", text, (unprepared,))


def check_traced(run: Run, stack: Stack, state: Accelerator, effective: Effective) -> None:
    """A compiled model of Transformer Engine layers, of a release whose own look at the GPU the compiler traces.

    From 2.15 on check_fp8_support() asks a function of its own (pytorch/quantization.py _compute_fp8_support), and
    torch 2.11 ends where it traces that one's comparison. Executed on an H200 with torch 2.11.0, Transformer Engine
    2.20.2 and accelerate 1.15.0: by Trainer, by Accelerate's dynamo_config and flag, and by torch.compile() in a script
    (docs/evidence/tries-h200.jsonl, tenth-compiled). On a CPU nothing shows it.

    Raises:
        PredictedError: it ends there.
        Undecided: it was not executed with this release of torch, or the script may compile its model behind prepare().
    """
    if not stack.does(TransformerEngine.LOOKS_AT_GPU_WHEN_TRACED):
        return
    source = run.script.source
    if source is not None and not run.training.is_huggingface:
        from fp8check.rules.settings.script_model import compiled_before  # few runs have a script of their own

        if compiled_before(source) is not None:
            return  # FP8 autocast goes around what is compiled (executed on an H200: seventh-loop-49), or see below
    compiled = effective.compiled
    if compiled is None:
        return
    release = stack.version("torch")[:2]
    if release != _TRACES:
        raise Undecided(f"{compiled.origin.describe()} compiles the model: {_TRACED}", _UNTRACED)
    text = "the compiler cannot trace transformer_engine/pytorch/quantization.py, in _compute_fp8_support"
    raise PredictedError("te-traced", "step", "InternalTorchDynamoError", text, (compiled, state.backend))


def check_compiled_before(run: Run, state: Accelerator, prepared: Prepared) -> None:
    """A model that a script compiles before prepare(): Accelerate puts its FP8 autocast in the place of no method.

    accelerate 1.10.1 and 1.15.0 utils/transformer_engine.py apply_fp8_autowrap; torch's OptimizedModule.forward is a
    function. Under FSDP2 there is no such autocast, and with a handler it goes around DDP's or FSDP's module
    (delayed_fp8_autocast). Executed with accelerate 1.15.0 and torch 2.13.0.
    """
    source = run.script.source
    if state.counted and state.distributed_type in DELAYING:
        return
    if state.backend_name != "TE" or prepared.recipe is None or source is None or run.training.is_huggingface:
        return
    from fp8check.rules.settings.script_model import compiled_before  # few scripts compile

    call = compiled_before(source)
    if call is not None:
        text = "contextual_fp8_autocast.<locals>.forward() missing 1 required positional argument: 'self'"
        place = Setting(call.name, Origin(span=call.span))
        raise PredictedError("te-around-compiled", "step", "TypeError", text, (place, state.backend))
