"""FP5xx: DeepSpeed: its file against the Accelerate file, the training file and the backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.catalog.decided import require_decided
from fp8check.rules.catalog.fixes import delete, replace, unsafe
from fp8check.rules.catalog.mending import write
from fp8check.rules.catalog.rule import ERROR, Found, Related, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.catalog.context import Asked
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.settings.accelerate import AccelerateConfig
    from fp8check.rules.settings.training import Training
    from fp8check.rules.settings.values import Section


@rule(
    "FP513",
    "precision-beside-deepspeed-file",
    ERROR,
    'accelerate 0.34.0..1.15.0 utils/dataclasses.py "the following accelerate config variables will be ignored"',
    'accelerate 0.34.0..1.15.0 commands/launch.py "mp_from_config_flag": a precision from the file counts as such',
    "https://github.com/huggingface/accelerate/issues/3054",
)
def precision_beside_deepspeed_file(accelerate: AccelerateConfig, outcome: Outcome) -> Iterator[Found]:
    """`mixed_precision: fp8` beside `deepspeed_config_file` in one Accelerate file: Accelerate refuses the pair.

    Why it hurts: the message says that the variable "will be ignored", and it is a ValueError that ends the run. With
    a DeepSpeed file the precision cannot come from the Accelerate file.

    Example: `mixed_precision: fp8` and `deepspeed_config: {deepspeed_config_file: ds.json}`.

    Write instead: no mixed_precision in the file, and `accelerate launch --mixed_precision fp8`.
    """
    error = outcome.error
    precision = accelerate.mixed_precision
    if error is None or precision is None or "deepspeed_config_file" not in error.message:
        return
    named = accelerate.deepspeed.get("deepspeed_config_file")
    yield Found(
        "mixed_precision cannot stand beside deepspeed_config_file",
        precision,
        f"Accelerator() raises {error.type}: it wants the precision from the DeepSpeed file",
        (Related(named, "the DeepSpeed file is named here"),),
        help="delete this line, and start with accelerate launch --mixed_precision fp8",
        fix=unsafe(delete(precision)),
    )


@rule(
    "FP514",
    "deepspeed-wants-bf16-flag",
    ERROR,
    "ran accelerate 1.15.0 [conformance deepspeed1-TE-plain-1.15-deepspeed]: ValueError, DeepSpeed's bf16 is on",
    'transformers 4.57.1..5.23.0 integrations/deepspeed.py "mismatch TrainingArguments"',
    'accelerate 1.0.1..1.15.0 utils/dataclasses.py "def set_mixed_precision": fp8 fills bf16.enabled',
)
def deepspeed_wants_bf16_flag(training: Training, asked: Asked, outcome: Outcome) -> Iterator[Found]:
    """FP8 with DeepSpeed and Hugging Face Trainer, without `bf16: true`: the two disagree, and Trainer stops.

    Why it hurts: Accelerate makes BF16 of fp8 for DeepSpeed's engine; Trainer compares that with its own bf16 flag,
    which is off, and raises ValueError. With `bf16: true` the run starts, and the recipe of the Accelerate file is
    replaced by the backend's default (FP101).

    Example: `distributed_type: DEEPSPEED`, `mixed_precision: fp8`, and a training file without bf16.

    Write instead: FSDP2 with backend AO; or `bf16: true` and the default recipe.
    """
    error = outcome.error
    if error is None or "mismatch TrainingArguments values" not in error.message or not asked.fp8:
        return
    written = training.get("bf16")
    yield Found(
        "DeepSpeed trains in BF16, and the training arguments say that bf16 is off",
        written or asked.fp8[0],
        "Trainer raises ValueError: DeepSpeed config values that mismatch TrainingArguments values",
        notes=("with bf16: true it starts, and the recipe written for FP8 is replaced by the default one",),
        help="write bf16: true and live with the default recipe, or use FSDP2 with backend: AO",
        fix=unsafe(write(training.top, "bf16", True)),
    )


@rule(
    "FP515",
    "deepspeed-file-says-fp16",
    ERROR,
    'accelerate 1.0.1..1.15.0 utils/dataclasses.py "is set in the DeepSpeed config file"',
)
def deepspeed_file_says_fp16(deepspeed: Section, asked: Asked, outcome: Outcome) -> Iterator[Found]:
    """The DeepSpeed file switches fp16 on, and the run asks for FP8.

    Why it hurts: Accelerate raises ValueError before anything is loaded.

    Example: `"fp16": {"enabled": true}` in the DeepSpeed file, started with `--mixed_precision fp8`.

    Write instead: `"bf16": {"enabled": true}` there, and no fp16.
    """
    error = outcome.error
    written = deepspeed.section("fp16").get("enabled")
    if error is None or written is None or written not in error.because or not asked.fp8:
        return
    yield Found(
        "the DeepSpeed file switches fp16 on, which excludes FP8",
        written,
        f"Accelerator() raises {error.type}: fp8 cannot be set when fp16 is set",
        (Related(asked.fp8[0], "FP8 is asked for here"),),
        help="write false here, and enable bf16 in this file",
        fix=unsafe(replace(written, False)),
    )


@rule(
    "FP516",
    "deepspeed-forgets-fp8",
    ERROR,
    "ran accelerate 1.10.1 [conformance deepspeed1-TE-script-1.10-deepspeed]: the precision is reported as bf16",
    'accelerate 1.11.0..1.15.0 state.py "DistributedType.DEEPSPEED and self._mixed_precision !=": from 1.11 on',
    'accelerate 1.10.1 state.py !"DistributedType.DEEPSPEED and self._mixed_precision !="',
    "https://github.com/huggingface/accelerate/issues/3054",
    "https://github.com/huggingface/accelerate/pull/3611",
)
def deepspeed_forgets_fp8(asked: Asked, outcome: Outcome) -> Iterator[Found]:
    """DeepSpeed with accelerate older than 1.11, which turns FP8 into BF16.

    Why it hurts: Accelerator's precision becomes that of DeepSpeed's engine, bf16, and without a backend in the
    environment nothing is converted. With backend TE layers are converted after all, with the default recipe.

    Example: `distributed_type: DEEPSPEED` and `mixed_precision: fp8` with accelerate 1.10.

    Write instead: accelerate 1.11 or newer.
    """
    require_decided(asked, outcome)
    state = outcome.accelerator
    if not asked.fp8 or state is None or state.distributed_type != "DEEPSPEED":
        return
    if state.mixed_precision.value != "bf16" or state.asked.value != "fp8":
        return
    converts = outcome.trains_in_fp8 is not False
    yield Found(
        f"under DeepSpeed, {outcome.stack.name('accelerate')} turns FP8 into BF16",
        asked.fp8[0],
        'accelerator.mixed_precision says "bf16"',
        notes=("the backend converts layers all the same, with its default recipe",) if converts else (),
        help="upgrade to accelerate 1.11 or newer",
    )


@rule(
    "FP517",
    "deepspeed-optimizer-with-te",
    ERROR,
    "ran accelerate 1.15.0 [executed deepspeed-dummy-optimizer]: ValueError, the DummyOptim is no torch optimizer",
    'transformers 4.57.1..5.23.0 integrations/deepspeed.py "optimizer = DummyOptim(params=model_parameters)"',
)
def deepspeed_optimizer_with_te(deepspeed: Section, asked: Asked, outcome: Outcome) -> Iterator[Found]:
    """The DeepSpeed file has an optimizer block, and the backend is Transformer Engine.

    Why it hurts: DeepSpeed then makes the optimizer itself, and prepare() gets a placeholder in its stead. Accelerate
    cannot map the new weights of Transformer Engine's layers into that, and raises ValueError.

    Example: `"optimizer": {"type": "AdamW", ...}` in the DeepSpeed file, with backend TE.

    Write instead: no optimizer (and no scheduler) block there; the trainer makes its own.
    """
    require_decided(asked, outcome)
    error = outcome.error
    block = deepspeed.get("optimizer")
    if error is None or block is None or block not in error.because:
        return
    yield Found(
        "Transformer Engine needs an optimizer of the trainer, and the DeepSpeed file names one of its own",
        block,
        f"prepare() raises {error.type}: model and optimizer have to be passed together",
        (Related(asked.backend, "Transformer Engine is chosen here"),) if asked.backend is not None else (),
        help="delete the optimizer and scheduler blocks: the trainer makes its own",
        fix=unsafe(*(delete(part) for part in (block, deepspeed.get("scheduler")) if part is not None)),
    )
