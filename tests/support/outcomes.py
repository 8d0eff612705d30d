"""An outcome in one line, for tables of expectations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.outcome import predict
from tests.support.runs import assembled_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.outcome import Outcome

DDP = "distributed_type: MULTI_GPU\nnum_processes: 2\nmixed_precision: fp8\n"
ONE = "distributed_type: 'NO'\nnum_processes: 1\nmixed_precision: fp8\n"
TE = "fp8_config:\n  backend: TE\n"
AO = "fp8_config:\n  backend: AO\n"
FSDP = "distributed_type: FSDP\nnum_processes: 2\nmixed_precision: fp8\n"
DEEPSPEED = "distributed_type: DEEPSPEED\nnum_processes: 1\nmixed_precision: fp8\ndeepspeed_config: {zero_stage: 1}\n"
# Two small decoder layers.
LLAMA = {
    "model_type": "llama",
    "hidden_size": 512,
    "intermediate_size": 1024,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "vocab_size": 1024,
}
SHELL = {"ACCELERATE_MIXED_PRECISION": "fp8", "ACCELERATE_FP8_BACKEND": "TE"}


def outcome_of(case: Mapping[str, object]) -> Outcome:
    """The predicted outcome of a run described as in tests/support/runs.py; `tokens` are those of a batch."""
    run = assembled_of(case).run
    tokens = case.get("tokens")
    return predict(run._replace(tokens=tokens if isinstance(tokens, int) else None))


def seen(outcome: Outcome) -> str:
    """Where it ends, or what trains: precision, backend, layers in FP8, recipe."""
    if outcome.undecided is not None:
        return f"undecided: {outcome.undecided.what}"
    if outcome.error is not None:
        return f"{outcome.error.type} ({outcome.error.stage})"
    assert outcome.mixed_precision is not None
    assert outcome.backend is not None
    words = f"{outcome.mixed_precision.value} {outcome.backend.value} {outcome.fp8_layers}"
    recipe = {name: setting.value for name, setting in (outcome.prepared.recipe or {}).items()}
    names = ("fp8_format", "amax_history_len", "amax_compute_algo")
    words += "".join(f" {recipe[name]}" for name in names if name in recipe)
    if recipe.get("enable_fsdp_float8_all_gather"):
        words += " gathered"
    override = recipe.get("override_linear_precision")
    if isinstance(override, tuple) and any(override):
        words += " without wgrad"
    if outcome.reentrant and outcome.backend.value == "TE":
        words += ", recomputed without FP8"
    return words


def script(precision: str = "", handler: str = "", prepared: str = "model, optimizer") -> str:
    """A training script that makes its own Accelerator."""
    arguments = [f'mixed_precision="{precision}"'] if precision else []
    arguments += [f"kwargs_handlers=[{handler}]"] if handler else []
    return f"accelerator = Accelerator({', '.join(arguments)})\nready = accelerator.prepare({prepared})\n"
