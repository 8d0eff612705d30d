"""A Trainer of a script that is to evaluate, and has nothing to evaluate."""

from __future__ import annotations

from fp8check.rules.releases import behaviors
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.settings.script import WRITTEN_OUT
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.script import Call
    from fp8check.rules.trainers.run import Run

_EVALUATES = ("steps", "epoch")  # trainer_utils.py IntervalStrategy
_BEFORE_EVALUATED = 4  # model, args, data_collator, train_dataset: those of Trainer in their order; TRL's have more


def check(run: Run, stack: Stack) -> None:
    """A script that lets its Trainer evaluate, and gives it nothing to evaluate.

    What a mapping is spread into, and an expression, is taken for something: whether a file of data is there, or rows
    in it, is asked nowhere either.

    Raises:
        PredictedError: it does.
        Undecided: it may.
    """
    calls = run.script.constructs
    if not calls or not stack.does(behaviors.Transformers.WANTS_EVALUATED):
        return
    top = run.training.top
    asked = top.get("eval_strategy") or top.get("evaluation_strategy")
    if asked is None or asked.is_later or asked.value not in _EVALUATES:
        return
    lacking = [call for call in calls if evaluates_nothing(call)]
    if not lacking:
        return
    first = lacking[0]
    if len(lacking) < len(calls) or first.perhaps or first.fallback or first.retried:
        where = f"{first.span.file}:{first.span.line}"
        raise Undecided(
            f"{where} may make a {first.name} without eval_dataset, of which eval_strategy asks for one", WRITTEN_OUT
        )
    text = (
        f"You have set `args.eval_strategy` to IntervalStrategy.{str(asked.value).upper()} but you didn't pass an "
        "`eval_dataset` to `Trainer`. Either set `args.eval_strategy` to `no` or pass an `eval_dataset`."
    )
    raise PredictedError("nothing-to-evaluate", "trainer", "ValueError", text, (asked,), flag="eval_strategy")


def evaluates_nothing(call: Call) -> bool:
    """Whether it is known to be given no eval_dataset: by no keyword, or None, and not as the fifth argument."""
    if call.positional is None or len(call.positional) > _BEFORE_EVALUATED or "**" in call.keywords:
        return False
    given = call.keywords.get("eval_dataset")
    return given is None or (given.value is None and not given.is_later)
