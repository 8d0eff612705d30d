"""From a case to what `fp8check.rules.outcome` predicts for it, in the words of an observation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fp8check.rules.outcome import predict
from tests.tools.conformance.shape import Shape
from tests.tools.score import RECIPE, run_of

if TYPE_CHECKING:
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.trainers.run import Run
    from tests.tools.conformance.cases import Case, Observed


class Answer(NamedTuple):
    """What is compared of a prediction or of an observation; None in a field where it says nothing.

    Attributes:
        start: "started", or the type of the error that ends the run.
        stage: where it ends. Reported, but no part of the agreement.
        fp8: whether any layer runs in FP8.
        recipe: TE's class, format, history, algorithm and, in 1.x, the override; of torchao nothing.
        checkpointing: whether the trainer asks the model for gradient checkpointing.
        only_on_gpu: the run ends by an error that needs a GPU to show.
    """

    start: str | None
    stage: str | None = None
    mixed_precision: str | None = None
    fp8: bool | None = None
    backend: str | None = None
    distributed_type: str | None = None
    recipe: tuple[object, ...] | None = None
    checkpointing: bool | None = None
    only_on_gpu: bool = False


def run_of_case(case: Case) -> Run:
    """The run that a case describes, as the product takes it."""
    shape = Shape.of(case["model"])
    return run_of({**case, "model": {**(case["model"] or {}), "rows": shape.rows, "length": shape.length}})


def predicted(case: Case) -> Answer:
    """What the product says will happen."""
    return said(predict(run_of_case(case)))


def said(outcome: Outcome) -> Answer:
    """A prediction in the words of an observation."""
    error = outcome.error
    if error is not None:
        start: str | None = error.type
    else:
        start = "started" if outcome.starts else None
    recipe = {name: setting.value for name, setting in (outcome.prepared.recipe or {}).items()}
    return Answer(
        start,
        error.stage if error is not None else None,
        _text(outcome.mixed_precision.value) if outcome.mixed_precision is not None else None,
        None if outcome.fp8_layers is None else outcome.fp8_layers != "none",
        _text(outcome.backend.value) if outcome.backend is not None else None,
        outcome.distributed_type,
        _recipe(recipe) if recipe.get("class") in TE_RECIPES else None,
        None if not outcome.starts else outcome.checkpointing is not None,
        outcome.error_of("fsdp1-swapped-weights") is not None,
    )


def observed(seen: Observed) -> Answer:
    """The same of what really happened."""
    error = seen["error"]
    linears = seen["linears"] or {}
    converted = linears.get("te", 0) + linears.get("torchao", 0) > 0
    recipe = seen["recipe"] or {}
    # A recipe that no layer ran with is the harness's own reading of an Accelerator, and decides nothing.
    used = converted and (error is not None or bool(seen["fp8_linears_run"]))
    return Answer(
        error["type"] if error else "started",
        error["stage"] if error else None,
        seen["mixed_precision"],
        bool(seen["fp8_linears_run"]) if error is None else None,
        seen["backend"] if converted else None,
        seen["distributed_type"],
        _recipe(recipe) if used and recipe.get("class") in TE_RECIPES else None,
        seen.get("checkpointing"),
    )


TE_RECIPES = ("DelayedScaling", "MXFP8BlockScaling")


def _recipe(recipe: dict[str, Any]) -> tuple[object, ...]:
    override = recipe.get("override_linear_precision")
    return (*(recipe.get(name) for name in RECIPE), None if override is None else tuple(override))


def _text(value: object) -> str | None:
    return None if value is None else str(value)
