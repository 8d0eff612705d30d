"""FP5xx: what DeepSpeed's own file does to the backend."""

from __future__ import annotations

from fp8check.rules.edits.fix import unsafe
from fp8check.rules.engine.definition import ERROR, Found, Related, rule
from fp8check.rules.engine.requirements import require_decided
from fp8check.rules.settings.edits import delete

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.settings.deepspeed import DeepSpeedConfig


@rule(
    "FP517",
    "deepspeed-optimizer-with-te",
    ERROR,
    "ran accelerate 1.15.0 [executed deepspeed-dummy-optimizer]: ValueError, the DummyOptim is no torch optimizer",
    'transformers 4.57.1..5.24.0 integrations/deepspeed.py "optimizer = DummyOptim(params=model_parameters)"',
    claims=("ends",),
)
def deepspeed_optimizer_with_te(deepspeed: DeepSpeedConfig, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """The DeepSpeed file has an optimizer block, and the backend is Transformer Engine.

    Why it hurts: DeepSpeed then makes the optimizer itself, and prepare() gets a placeholder in its stead. Accelerate
    cannot map the new weights of Transformer Engine's layers into that, and raises ValueError.

    Example: `"optimizer": {"type": "AdamW", ...}` in the DeepSpeed file, with backend TE.

    Write instead: no optimizer (and no scheduler) block there; the trainer makes its own.
    """
    require_decided(requested, outcome)
    error = outcome.error_of("te-model-alone")
    block = deepspeed.optimizer
    if error is None or block is None or block not in error.because:
        return
    yield Found(
        "Transformer Engine needs an optimizer of the trainer, and the DeepSpeed file names one of its own",
        place=block,
        label=f"prepare() raises {error.type}: model and optimizer have to be passed together",
        related=(Related(requested.backend, "Transformer Engine is chosen here"),)
        if requested.backend is not None
        else (),
        fact="without these blocks the trainer makes its own optimizer and scheduler, which FP8 needs",
        fix=unsafe(*(delete(part) for part in (block, deepspeed.scheduler) if part is not None)),
    )
