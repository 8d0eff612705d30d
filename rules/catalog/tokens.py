"""FP4xx: the tokens of a micro-batch, by which FP8 GEMMs want to be divisible."""

from __future__ import annotations

from math import gcd

from fp8check.rules.catalog.shared_fixes import upgraded, write
from fp8check.rules.edits.fix import unsafe
from fp8check.rules.engine.definition import ERROR, WARNING, Found, rule
from fp8check.rules.outcome.effective import number
from fp8check.rules.outcome.step import ALIGNMENT, HALF, TN_ONLY
from fp8check.rules.releases.recipes import scaling_of
from fp8check.rules.settings.edits import replace
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.trainers.run import Run
    from fp8check.rules.trainers.training import Training

_HELP = "it runs where micro-batch times sequence length is a multiple of 16"


@rule(
    "FP405",
    "tokens-not-divisible",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl batch-24-te]: 24 tokens end in the backward GEMM",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl batch-5-te]: 35 tokens end in the forward pass",
    'llamafactory 0.9.4..0.9.5 hparams/data_args.py "self.cutoff_len -= 1": only the packing of sft makes up for it',
    "https://github.com/NVIDIA/TransformerEngine/issues/1422",
    claims=("ends",),
)
def tokens_not_divisible(run: Run, training: Training, outcome: Outcome) -> Iterator[Found]:
    """Every batch has a number of tokens that Transformer Engine's FP8 GEMMs refuse.

    Why it hurts: 8 has to divide the tokens of a micro-batch, and on Hopper and Ada 16 has to, because the backward
    pass has them as the inner dimension of a GEMM. The first step fails; one that 8 divides passes the forward pass
    and fails in the backward pass.

    Example: LLaMA-Factory's `stage: pt` with `packing: true` and `cutoff_len: 2048`: packing takes one token off each
    block.

    Write instead: a micro-batch and a length whose product is a multiple of 16.
    """
    tokens = training.tokens if outcome.runs_te else None
    if tokens is None or tokens.exact is None or tokens.exact % ALIGNMENT == 0:
        return
    by = HALF
    if tokens.exact % HALF == 0:
        seen = run.visible_gpus()
        if not seen:
            raise Undecided("the GPU: the tokens have to be a multiple of 16 on Hopper and Ada, of 8 elsewhere", "gpus")
        if seen[0].compute_capability not in TN_ONLY:
            return
        by = ALIGNMENT
    if outcome.starts:
        return
    yield Found(
        f"{tokens.exact:,} tokens in a batch are not a multiple of {by}",
        place=tokens.place or training.setting_for("micro_batch") or training.setting_for("model"),
        label=f"{tokens.why}: the first {'forward' if by == HALF else 'backward'} GEMM in FP8 fails",
        fact=_HELP,
    )


@rule(
    "FP406",
    "tokens-vary",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl batch-5-te]: 35 tokens end in the forward pass",
    'trl 0.21.0..1.16.0 trainer/sft_config.py "pad_to_multiple_of": unset by default',
    'llamafactory 0.9.4..0.9.5 train/sft/workflow.py "pad_to_multiple_of=8"',
    "https://github.com/NVIDIA/TransformerEngine/issues/1571",
    claims=("perhaps",),
)
def tokens_vary(run: Run, training: Training, outcome: Outcome, probed: bool) -> Iterator[Found]:
    """The number of tokens varies from batch to batch, and Transformer Engine refuses most numbers.

    Why it hurts: batches are padded to their longest sequence, so that whether 16 divides their tokens is chance. The
    run fails at the first batch that is unlucky, minutes or hours after the start.

    Example: TRL with `per_device_train_batch_size: 4` and no `pad_to_multiple_of`.

    Write instead: `pad_to_multiple_of: 16` in TRL; in LLaMA-Factory, which pads to 8, an even micro-batch.
    """
    if not outcome.runs_te:
        return
    tokens = training.tokens
    if tokens is not None and tokens.exact is not None:
        return
    by = _wanted(run, outcome)
    if tokens is None:
        if training.batches_by_script and (number(outcome.effective.micro_batch) or 1) % by and not probed:
            raise Undecided("how the training script pads its batches", "seen")
        return
    if tokens.divisor % by == 0:
        return
    key = training.padding_key(outcome.stack, run.launch, run.script)
    place = training.setting_for("micro_batch")
    of_rows = training.pads_to is not None or (place is not None and tokens.place == place)
    rows = by // gcd(by, training.pads_to or 1)
    yield Found(
        f"the tokens of a batch may not always be a multiple of {by}",
        place=tokens.place or training.setting_for("model"),
        label=f"{tokens.why}: {_sure(tokens.divisor)}",
        fact=f"a micro-batch that is a multiple of {rows} always gives such a number"
        if key is None and of_rows
        else "",
        fix=unsafe(write(training.top, key, by)) if key is not None else None,
    )


@rule(
    "FP407",
    "ragged-last-batch",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl batch-24-te]: 24 tokens end in the backward GEMM",
    'transformers 4.57.1..5.24.0 training_args.py "dataloader_drop_last": false by default',
    'accelerate 1.0.1..1.15.0 data_loader.py "even_batches": on by default, several processes fill the last batch up',
    "https://github.com/NVIDIA/TransformerEngine/issues/1571",
    claims=("perhaps",),
)
def ragged_last_batch(run: Run, training: Training, outcome: Outcome) -> Iterator[Found]:
    """The last batch of an epoch may hold fewer sequences, and then its tokens are refused.

    Why it hurts: all goes well until the end of the first epoch. Then the data set's remainder makes a smaller batch,
    16 no longer divides its tokens, and the run ends there. (With several processes Accelerate fills the batch up.)

    Example: LLaMA-Factory with `per_device_train_batch_size: 2`, which pads sequences to a multiple of 8, on one GPU.

    Write instead: `dataloader_drop_last: true`.
    """
    tokens = training.tokens if outcome.runs_te and not training.on("dataloader_drop_last") else None
    if tokens is None:
        return
    by = _wanted(run, outcome)
    if tokens.divisor % by or tokens.last % by == 0 or not _one_process(outcome):
        return
    yield Found(
        "the last batch of an epoch may have a number of tokens that FP8 GEMMs refuse",
        place=training.get("dataloader_drop_last")
        or training.setting_for("micro_batch")
        or training.setting_for("model"),
        label=f"it may have one sequence: a multiple of {tokens.last:,} is sure, one of {by} is needed",
        fix=unsafe(write(training.top, "dataloader_drop_last", True)),
    )


def _wanted(run: Run, outcome: Outcome) -> int:
    """What has to divide the tokens: a block, of 32 for MXFP8; else 16, but 8 where every GPU is of capability 10.x."""
    scaling = scaling_of(outcome.prepared.recipe)
    if scaling is not None:
        return scaling.block
    seen = run.visible_gpus()
    return HALF if seen and all(gpu.compute_capability.startswith("10.") for gpu in seen) else ALIGNMENT


def _sure(divisor: int) -> str:
    """What is sure of the number of tokens, by what always divides it."""
    return "any number may come" if divisor == 1 else f"only a multiple of {divisor:,} is sure"


def _one_process(outcome: Outcome) -> bool:
    """Whether one process alone makes the batches.

    Raises:
        Undecided: how many GPUs there are, each with a process, is not known.
    """
    return outcome.distributed_type == "NO" or number(outcome.effective.all_processes) == 1


@rule(
    "FP416",
    "torchao-pads-nothing",
    WARNING,
    'accelerate 1.12.0 utils/dataclasses.py !"PAD_INNER_DIM": torchao is left to its default, which does not pad',
    'accelerate 1.13.0..1.15.0 utils/dataclasses.py "PAD_INNER_DIM": on by default',
    "https://github.com/pytorch/ao/issues/571",
    "https://github.com/huggingface/accelerate/pull/3831",
    "ran accelerate 1.15.0, torchao 0.18.0 [executed torchao-padding-by-release]: the two defaults",
    claims=("perhaps",),
)
def torchao_pads_nothing(training: Training, requested: Requested, outcome: Outcome, probed: bool) -> Iterator[Found]:
    """torchao without pad_inner_dim, on batches whose tokens may not always be a multiple of 16.

    Why it hurts: "Expected trailing dimension of mat1 to be divisible by 16", in the backward pass, at the first batch
    that is unlucky. Accelerate switches the padding on from 1.13; before, torchao's default is off.

    Example: `pad_inner_dim: false`, or accelerate 1.12, with a micro-batch of 1 that is padded to its longest sequence.

    Write instead: `pad_inner_dim: true` with accelerate 1.13 or newer; or batches that are padded to 16.
    """
    pad = (outcome.prepared.recipe or {}).get("pad_inner_dim")
    if pad is None or pad.value or outcome.trains_in_fp8 is not True:
        return
    tokens = training.tokens
    if tokens is None:
        if training.batches_by_script and (number(outcome.effective.micro_batch) or 1) % ALIGNMENT and not probed:
            raise Undecided("how the training script pads its batches", "seen")
        return
    if tokens.divisor % ALIGNMENT == 0:
        return
    written = pad.origin.span is not None
    yield Found(
        "torchao pads nothing here, and the tokens of a batch may not always be a multiple of 16",
        place=pad if written else requested.backend or next(iter(requested.fp8), None),
        label=f"{tokens.why}: {_sure(tokens.divisor)}",
        notes=("the backward pass fails: Expected trailing dimension of mat1 to be divisible by 16",),
        action=upgraded(outcome, "accelerate") if not written else None,
        fact="" if written else "accelerate 1.13 and newer have torchao pad by default",
        fix=unsafe(replace(pad, True)) if written else None,
    )
