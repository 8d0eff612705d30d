"""FP4xx: the model: size, shapes, coverage, whether FP8 pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.catalog.mending import use_torchao
from fp8check.rules.catalog.rule import ERROR, INFO, WARNING, Found, rule
from fp8check.rules.outcome.speed import Speed, predict_speed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.catalog.context import Asked
    from fp8check.rules.models import ModelShape
    from fp8check.rules.outcome import Outcome, Run
    from fp8check.rules.settings.training import Training

SLOWER = 0.97  # below this the prediction says "slower", above 1.03 "faster"; between them it says neither
FOLKLORE = 7e9  # the size that people name as the limit


@rule(
    "FP401",
    "too-small-to-pay",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/h200-speed.jsonl]: forward and backward of two layers, 0.40x at 0.5B, 1.47x at 7B",
    "https://github.com/huggingface/accelerate/issues/2597",
    "https://github.com/NVIDIA/TransformerEngine/issues/671",
)
def too_small_to_pay(run: Run, training: Training, model: ModelShape, outcome: Outcome) -> Iterator[Found]:
    """FP8 will be slower than BF16: the layers times the tokens of a step are too small.

    Why it hurts: casting to FP8 costs the same whether the GEMM behind it is large or small. What decides is the size
    of the layers times the tokens in one micro-batch; gradient accumulation does not count. A 7B model gains at
    16,384 tokens and loses at 2,048.

    Example: Qwen2.5-0.5B, or a 7B model with a micro-batch of 1 and 512 tokens.

    Write instead: BF16; or more tokens in a micro-batch.
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
        notes=(speed.why, "gradient accumulation does not help: each micro-batch is its own GEMM"),
        help=_better(speed),
    )


def _better(speed: Speed) -> str:
    if speed.pays_from is None:
        return "train in BF16: no micro-batch that fits makes FP8 pay for layers of this size"
    return f"train in BF16, or put at least {speed.pays_from:,} tokens into a micro-batch"


@rule(
    "FP402",
    "under-7b",
    INFO,
    "measured NVIDIA H200 [docs/evidence/h200-speed.jsonl]: a 3B shape gains at 16,384 tokens, a 7B shape loses at 2,048",
    "https://github.com/huggingface/accelerate/issues/1647",
)
def under_7b(training: Training, model: ModelShape, asked: Asked) -> Iterator[Found]:
    """The model is under 7B parameters, the size that is often named as the limit for FP8.

    Why it hurts: it need not. The limit is folklore: what decides is layer size times tokens per micro-batch. The
    rule says it plainly, so that nobody is surprised; FP401 says whether FP8 pays.

    Example: Qwen2.5-3B.

    Write instead: nothing, if FP401 is silent.
    """
    if not asked.fp8 or model.parameters >= FOLKLORE * 0.9:
        return
    yield Found(
        f"the model has {model.parameters / 1e9:.1f}B parameters, fewer than the 7B often named for FP8",
        training.thing("model"),
        f"{model.layers} layers of {model.hidden} x {model.intermediate}",
        notes=("7B is folklore: what decides is layer size times tokens in a micro-batch (see FP401)",),
    )


@rule(
    "FP403",
    "tied-head-untied",
    ERROR,
    'accelerate 0.34.0..1.15.0 utils/transformer_engine.py "te_module = te.Linear(" !"requires_grad": a new weight',
    'accelerate 0.34.0..1.15.0 accelerator.py "mapping = {p: new_named_params[n] for n, p in old_named_params.items()}"',
    "ran accelerate 1.15.0 [conformance model-tied-te-1.15]: the tie is gone after prepare()",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl tied-te]: untied, the head not in the optimizer",
)
def tied_head_untied(run: Run, training: Training, model: ModelShape, outcome: Outcome) -> Iterator[Found]:
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
        fix=use_torchao(run.accelerate),
    )


@rule(
    "FP404",
    "layers-left-behind",
    WARNING,
    'accelerate 0.34.0..1.15.0 utils/transformer_engine.py "if any(p % 16 != 0 for p in module.weight.shape):": return',
    "ran accelerate 1.15.0 [conformance model-one-odd-projection-te-1.15]: with k_proj 24 wide, v_proj and o_proj stay",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl intermediate-1000-te]: the feed-forward layers stay in BF16",
)
def layers_left_behind(run: Run, training: Training, model: ModelShape, outcome: Outcome) -> Iterator[Found]:
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
    better = te and coverage.left != ("lm_head",)  # torchao leaves the last layer alone in any case
    names = ", ".join(coverage.left[:4]) + (", ..." if len(coverage.left) > 4 else "")
    yield Found(
        f"only {coverage.converted} of {coverage.total} Linear layers will run in FP8",
        training.thing("model"),
        f"left in BF16: {names}",
        notes=("one unaligned layer ends the conversion of its later siblings",) if better else (),
        help="use backend: AO, which skips only the unaligned layer itself" if better else "",
        fix=use_torchao(run.accelerate) if better else None,
    )
