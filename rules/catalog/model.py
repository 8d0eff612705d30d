"""FP4xx: the model: size, shapes, coverage, whether FP8 pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.catalog.rule import ERROR, INFO, WARNING, Found, rule
from fp8check.rules.outcome.speed import SLOWER, advise, predict_point, predict_speed, setup_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.models import ModelShape
    from fp8check.rules.outcome import Outcome, Run
    from fp8check.rules.settings.training import Training


@rule(
    "FP401",
    "too-small-to-pay",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/h200-speed.jsonl 0.5B 2048]: 0.28x to 0.40x with Transformer Engine, eager",
    "measured NVIDIA H200 [docs/evidence/h200-speed.jsonl 7B 2048]: 0.60x, 0.75x and 0.88x on three hosts",
    "https://github.com/huggingface/accelerate/issues/2597",
    "https://github.com/NVIDIA/TransformerEngine/issues/671",
)
def too_small_to_pay(run: Run, training: Training, model: ModelShape, outcome: Outcome) -> Iterator[Found]:
    """FP8 will be slower than BF16: the layers times the tokens of a step are too small.

    Why it hurts: casting to FP8 and launching it cost the same whether the GEMM behind it is large or small. What
    decides is the size of the layers times the tokens in one micro-batch; gradient accumulation does not count. A 7B
    model gains at 16,384 tokens and loses at 2,048. torchao without torch.compile loses nearly everywhere.

    Example: Qwen2.5-0.5B, or a 7B model with a micro-batch of 1 and 512 tokens.

    Write instead: the smallest change that the help names; or BF16.
    """
    if outcome.trains_in_fp8 is not True or outcome.backend is None:
        return
    speed = predict_speed(run, outcome)
    if speed is None or speed.high >= 1.0 or speed.predicted >= SLOWER:
        return
    yield Found(
        f"FP8 will make this run slower: about {speed.predicted:.1f}x the speed of BF16",
        training.thing("micro_batch") or training.thing("model"),
        f"at most {speed.tokens:,} tokens in a micro-batch, on layers of {model.hidden} x {model.intermediate}",
        notes=(
            f"{speed.why}; predicted {speed.low:.1f}x to {speed.high:.1f}x",
            "gradient accumulation does not help: each micro-batch is its own GEMM",
        ),
        help=advise(run, outcome),
    )


@rule(
    "FP402",
    "fp8-takes-memory",
    INFO,
    "measured NVIDIA H200 [docs/evidence/h200-speed.jsonl 70B 4096]: peak 7.2 GiB in BF16, 9.7 GiB in FP8, two layers",
)
def fp8_takes_memory(run: Run, training: Training, model: ModelShape, outcome: Outcome) -> Iterator[Found]:
    """FP8 takes more memory than BF16, not less.

    Why it hurts: the weights stay in BF16 or FP32 for the optimizer, and FP8 copies of them come on top, one for the
    forward and one for the backward pass. A micro-batch that just fits in BF16 may not fit.

    Example: any full fine-tuning with Transformer Engine.

    Write instead: nothing, if there is room; else a smaller micro-batch, or BF16.
    """
    backend = outcome.backend.value if outcome.backend is not None else None
    if outcome.trains_in_fp8 is not True or backend != "TE" or model.experts or not model.block:
        return
    if training.micro_batch is None or training.sequence is None or outcome.checkpointing is not None:
        return  # checkpointed layers keep no copies
    setup = setup_of(run, outcome)
    if setup is None:
        return
    tokens = training.micro_batch * training.sequence
    point = predict_point(model, tokens, setup)
    if point.fp8_gib is None:
        return
    more = point.fp8_gib - point.bf16_gib
    yield Found(
        f"FP8 takes about {more:.1f} GiB more memory than BF16",
        training.thing("model"),
        f"FP8 copies of the weights of {model.layers} layers, on top of the weights themselves",
        notes=("FP8 does not save memory in training: weights, gradients and optimizer stay as they are",),
    )


@rule(
    "FP403",
    "tied-head-untied",
    ERROR,
    "accelerate 1.15.0 accelerator.py _prepare_te, utils/transformer_engine.py convert_model",
    "NVIDIA H200: tied embeddings untied, the head not in the optimizer",
    "executed with a tied Llama: lm_head unchanged after a step while the embedding moved",
)
def tied_head_untied(training: Training, model: ModelShape, outcome: Outcome) -> Iterator[Found]:
    """Transformer Engine unties the tied output head, and the head is never trained.

    Why it hurts: the converted lm_head is a new weight. The optimizer knows the tied one only, so the head stays at
    its first value; on reloading the checkpoint it is tied again, which is another model.

    Example: Qwen2.5-0.5B (tie_word_embeddings, vocabulary divisible by 16) with backend TE.

    Write instead: backend AO, which keeps the tie; or untie the embeddings before training.
    """
    head = model.head
    if outcome.backend is None or outcome.backend.value != "TE" or outcome.error is not None:
        return
    if training.uses_lora:
        return  # the head is frozen: there is nothing that it would miss
    if not model.tied or head is None or head.in_features % 16 or head.out_features % 16:
        return
    if outcome.prepared.coverage.word == "none":
        return
    yield Found(
        "the tied lm_head will be untied and never trained",
        training.thing("model"),
        f"{model.name} ties its output head to the embedding (vocabulary {model.vocab:,})",
        notes=("Transformer Engine's lm_head is a new weight that the optimizer does not have",),
        help="use backend: AO with enable_fsdp_float8_all_gather: false, or a model whose head is not tied",
    )


@rule(
    "FP404",
    "layers-left-behind",
    WARNING,
    "accelerate 0.34.0 to 1.15.0 utils/transformer_engine.py convert_model: `return` at an unaligned layer",
    "executed on accelerate 1.0.1 and 1.15.0: with k_proj 24 wide, v_proj and o_proj stay behind too",
)
def layers_left_behind(training: Training, model: ModelShape, outcome: Outcome) -> Iterator[Found]:
    """Linear layers stay in BF16 because a dimension is not divisible by 16.

    Why it hurts: FP8 GEMMs need it. With Transformer Engine one such layer also stops the conversion of the layers
    behind it in the same block: a MoE router of 8 experts leaves all experts in BF16.

    Example: Mixtral's `gate` (8 wide), with backend TE.

    Write instead: backend AO, which skips only the layer itself.
    """
    coverage = outcome.prepared.coverage
    if outcome.trains_in_fp8 is not True or coverage.converted is None or coverage.total is None:
        return
    te = outcome.backend is not None and outcome.backend.value == "TE"
    expected = 0 if te else 2
    if coverage.total - coverage.converted <= expected or all("lora_" in name for name in coverage.left):
        return  # adapters whose rank 16 does not divide: FP503
    names = ", ".join(coverage.left[:4]) + (", ..." if len(coverage.left) > 4 else "")
    yield Found(
        f"only {coverage.converted} of {coverage.total} Linear layers will run in FP8",
        training.thing("model"),
        f"left in BF16: {names}",
        notes=("one unaligned layer ends the conversion of its later siblings",) if te else (),
        help="use backend: AO, which skips only the unaligned layer itself" if te else "",
    )
