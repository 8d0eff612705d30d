"""FP5xx: adapters, and what passes Linear layers by."""

from __future__ import annotations

from fp8check.rules.catalog.shared_fixes import gather_off, use_torchao, write
from fp8check.rules.edits.fix import unsafe
from fp8check.rules.engine.definition import ERROR, INFO, WARNING, Found, rule
from fp8check.rules.engine.requirements import require_decided
from fp8check.rules.outcome.limits import thawed
from fp8check.rules.settings.edits import replace
from fp8check.rules.settings.values import Undecided
from fp8check.rules.trainers.trl import CHUNKED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.trainers.llamafactory import LlamaFactory
    from fp8check.rules.trainers.run import Run
    from fp8check.rules.trainers.training import Training

_RANKS = ("lora_rank", "lora_r")


@rule(
    "FP522",
    "rank-decides-about-fp8",
    INFO,
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl lora8-te]: the 8 adapter layers stay nn.Linear",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl lora16-ao]: 21 layers converted, adapters among them",
    'torchao 0.17.0..0.18.0 float8/float8_linear_utils.py "Dim sizes below certain thresholds": left in BF16',
    "https://github.com/meta-pytorch/torchtune/issues/2833",
    claims=("FP8",),
)
def rank_decides_about_fp8(training: Training, outcome: Outcome) -> Iterator[Found]:
    """The adapters' rank decides whether they run in FP8, and whether that costs more than it gains.

    Why it hurts: adapters whose rank 16 divides are converted like any other Linear layer, two small GEMMs each, for
    which casting costs more than FP8 gains. With rank 8 they stay in BF16, where they are better off.

    Example: `lora_r: 16` under FP8.

    Write instead: nothing, if the run is meant so; FP8 pays in the base's GEMMs only.
    """
    rank = training.lora_rank if training.uses_lora else None
    if rank is None or rank % 16 or outcome.trains_in_fp8 is not True:
        return
    written = next((setting for name in _RANKS if (setting := training.get(name)) is not None), None)
    yield Found(
        f"adapters of rank {rank} run in FP8, where casting costs more than it gains",
        place=written or training.setting_for("model"),
        label="the rank is a multiple of 16, so that lora_A and lora_B are converted like any other Linear layer",
        notes=("a rank that is not a multiple of 16 (8, 24, 40) leaves adapters in BF16",),
    )


@rule(
    "FP523",
    "unsloth-passes-fp8-by",
    WARNING,
    'llamafactory 0.9.4..0.9.5 model/model_utils/unsloth.py "FastLanguageModel.get_peft_model"',
    'unsloth 2025.11.1..2026.6.1 kernels/fast_lora.py "get_lora_parameters": the weights are taken out and multiplied',
    claims=("FP8",),
)
def unsloth_passes_fp8_by(llamafactory: LlamaFactory, outcome: Outcome) -> Iterator[Found]:
    """Unsloth's LoRA kernels multiply with the weights themselves, so that converted layers are never called.

    Why it hurts: for LoRA, `use_unsloth: true` puts fused kernels in the place of the projections' forward pass. They
    take `base_layer.weight` and compute in BF16: the layers are converted, and their FP8 forward is passed by.

    Example: `use_unsloth: true` with `fp8: true` and `finetuning_type: lora` in LLaMA-Factory.

    Write instead: either of them.
    """
    unsloth = llamafactory.get("use_unsloth")
    if unsloth is None or not unsloth.value or not llamafactory.uses_lora:
        return
    if outcome.trains_in_fp8 is not True:
        return
    yield Found(
        "Unsloth's kernels bypass the FP8 layers",
        place=unsloth,
        label="its fused forward pass multiplies with the weights itself, in BF16",
        fact="Unsloth's kernels are for BF16",
        fix=unsafe(replace(unsloth, False)),
    )


@rule(
    "FP528",
    "liger-takes-the-head-out",
    INFO,
    'liger_kernel 0.6.4 transformers/model/llama.py "lm_head.weight": the loss multiplies with the weight itself',
    'transformers 4.57.1..5.24.0 training_args.py "use_liger_kernel"',
    'llamafactory 0.9.4..0.9.5 hparams/model_args.py "enable_liger_kernel"',
    "ran liger_kernel 0.6.4, transformers 4.57.1 [executed liger-passes-the-head-by]: lm_head is not called",
    claims=("FP8",),
)
def liger_takes_the_head_out(training: Training, outcome: Outcome) -> Iterator[Found]:
    """Liger's fused loss multiplies with the head's weight itself, so that the head is not in FP8.

    Why it hurts: little. But the head is the largest single GEMM of a small model, and Transformer Engine converts it
    for nothing: count it out when you compare speeds.

    Example: `use_liger_kernel: true` with backend TE.

    Write instead: nothing; the fused loss saves more memory than FP8 gains in the head.
    """
    liger = training.liger
    if liger is None or not liger.value or not outcome.runs_te:
        return
    yield Found(
        "the head is not in FP8: Liger's fused loss passes it by",
        place=liger,
        label="the loss multiplies with lm_head.weight itself, in BF16",
        notes=("the layers between are not concerned",),
    )


@rule(
    "FP548",
    "te-under-fused-loss",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/advised.jsonl trl-default]: RuntimeError in the first step of TRL 1.16.0",
    'trl 1.15.0..1.16.0 trainer/utils.py "weight, bias = lm_head.weight, lm_head.bias"',
    'trl 1.9.0..1.16.0 trainer/utils.py "p.ds_status != ZeroParamStatus.AVAILABLE": of each, under ZeRO-3',
    'trl 1.9.0 trainer/sft_trainer.py "lm_head_bias = lm_head.bias"',
    'transformer_engine 2.20.2 pytorch/module/linear.py "bias = torch.Tensor().to(dtype=params_dtype, device=device)"',
    claims=("ends",),
)
def te_under_fused_loss(run: Run, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """TRL's own loss with a head that Transformer Engine has converted.

    Why it hurts: TRL multiplies with the head's weight itself and adds its bias where that is not None. A layer of
    Transformer Engine without a bias has an empty tensor there: the first step ends with RuntimeError. From TRL 1.15 on
    SFT, DPO, GRPO, KTO and RLOO do so, before it SFT with `loss_type: chunked_nll`, its default from 1.7 on.

    Example: `trl sft` of TRL 1.16 with backend TE.

    Write instead: backend AO, which leaves the head alone; or, to TRL 1.14, `loss_type: nll`.
    """
    if run.training.calling_head is not None:
        require_decided(requested, outcome)
    error = outcome.error_of("bias-of-head")
    if error is None:
        return
    loss, training = error.because[0], run.training
    calls = training.calling_head if loss.value == CHUNKED else None  # a loss that is fused calls it by no key
    yield Found(
        f"TRL's loss ends the first step with Transformer Engine: {error.type}",
        place=next(
            (
                setting
                for setting in (loss, requested.backend)
                if setting is not None and setting.origin.span is not None
            ),
            None,
        ),
        label="it adds the bias of the head, and a head of Transformer Engine without a bias has an empty one",
        fact="torchao leaves the head alone" if calls is None else "",
        fix=use_torchao(run.accelerate) if calls is None else unsafe(write(training.top, *calls)),
    )


@rule(
    "FP549",
    "fsdp2-thaws-half-precision-base",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/advised.jsonl trainer-lora-fsdp2]: AssertionError in the first step",
    "measured NVIDIA H200 [docs/evidence/advised.jsonl lora-fsdp2-gather-off]: without the all-gather it trains",
    'torchao 0.17.0..0.18.0 float8/float8_linear.py "WeightWithDynamicFloat8CastTensor("',
    claims=("ends",),
)
def fsdp2_thaws_half_precision_base(run: Run, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """LoRA under FSDP2 with torchao's float8 all-gather, and the base in BF16.

    Why it hurts: FSDP2 moves the model to the GPU, and makes every weight that torchao has wrapped for its all-gather
    trainable on the way. The base in BF16 then stands beside adapters in float32 in one group, which FSDP2 refuses: the
    first step ends with AssertionError.

    Example: a PEFT model with HF Trainer or TRL, `fsdp_version: 2` and backend AO.

    Write instead: `enable_fsdp_float8_all_gather: false`.
    """
    if run.training.uses_lora and run.training.shards_from_cpu:
        require_decided(requested, outcome)
    error = outcome.error_of("fsdp2-thaws-base")
    if error is None:
        return
    gather, kept = error.because[:2]
    kind = "BF16" if kept.value == "bfloat16" else "FP16"
    message = f"FSDP2 ends the first step: it unfreezes the base model, which is in {kind}"
    yield _of_gather(message, f"{error.type}: {error.message}", gather, requested, run)


@rule(
    "FP550",
    "fsdp2-thaws-base",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/advised.jsonl lora-fsdp2-float32]: 27 weights of the base want gradients",
    'torchao 0.17.0..0.18.0 float8/float8_linear.py "WeightWithDynamicFloat8CastTensor("',
    claims=("FP8",),
)
def fsdp2_thaws_base(run: Run, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """LoRA under FSDP2 with torchao's float8 all-gather: the frozen base wants gradients again.

    Why it hurts: FSDP2 moves the model to the GPU, and makes every weight that torchao has wrapped for its all-gather
    trainable on the way. Gradients of the whole base are computed, reduced over the GPUs and counted in gradient
    clipping, and nothing uses them.

    Example: a PEFT model in float32 with HF Trainer or TRL, `fsdp_version: 2` and backend AO.

    Write instead: `enable_fsdp_float8_all_gather: false`.
    """
    if not run.training.uses_lora or run.training.shards_from_cpu is False:
        return
    require_decided(requested, outcome)
    state = outcome.accelerator
    gather = thawed(run, state, outcome.prepared) if state is not None and outcome.error is None else None
    if gather is None:
        return
    if run.training.shards_from_cpu is None:
        raise Undecided(
            "whether FSDP2 gets this model on the CPU: if so, it unfreezes the base model",
            "which parameters have requires_grad after prepare()",
        )
    message = "FSDP2 unfreezes the base model of this LoRA run"
    yield _of_gather(
        message, "its weights get gradients, which are reduced and clipped, and never used", gather, requested, run
    )


def _of_gather(message: str, label: str, gather: Setting, requested: Requested, run: Run) -> Found:
    """What torchao's all-gather brings, at the entry that switches it on, or at the backend."""
    is_written = gather.origin.span is not None
    return Found(
        message,
        place=gather if is_written else requested.backend,
        label=label,
        notes=() if is_written else ("the float8 all-gather is on by default",),
        fact="without the float8 all-gather the base stays frozen",
        fix=gather_off(run.accelerate),
    )
