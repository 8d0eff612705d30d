"""What came of `fp8check init`, for people: what to do, what happens then, and why this way."""

from __future__ import annotations

from fp8check.rules.outcome.speed import speed_of
from fp8check.rules.plain_text import shown
from fp8check.rules.report import words
from fp8check.rules.report.laying import laid_out
from fp8check.rules.report.masking import hidden
from fp8check.rules.report.plan import secrets_of_runs, step_of
from fp8check.rules.report.plan_text import WIDTH, promised, step_lines, words_of
from fp8check.rules.starting.choosing import SPREADS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fp8check.rules.report.terminal import Style
    from fp8check.rules.starting.choosing import Choice, Tried

_UNKNOWN = (
    ("not known", "the GPUs, and so speed and memory: on the node that trains, in its environment,"),
    ("", "fp8check env --json > facts.json; then here --facts facts.json, into another folder"),
)


def as_text(choice: Choice, written: Sequence[str], style: Style, *, explain: bool) -> str:
    """What was written and what is to be done, safe to show.

    Args:
        written: the files that were.
        explain: whether the ways that were not taken are told as well.
    """
    lines = [*(_taken(choice.best, written, style) if choice.best is not None else _nothing(choice, style))]
    if choice.best is not None:
        lines += _why(choice, choice.best, style, explain=explain)
        lines += _of_another_machine(choice, style)
    text = hidden("\n".join(lines) + "\n", secrets_of_runs(choice.planned))
    return laid_out(text, style)


def _taken(best: Tried, written: Sequence[str], style: Style) -> Iterator[str]:
    plan = best.plan
    if plan is None:
        return
    for path in written:
        yield style.strong(f"{'wrote':<{WIDTH + 2}}{style.hang}{style.name(shown(path))}")
    made = [one for one in plan.steps if one.kind == "edit" and not one.by_hand]  # in a file that was kept
    for step in made:
        where, what = words_of(step_of(step))
        yield f"  {'changed':<{WIDTH}}{style.hang}{style.name(shown(where))}  {what}"
    for number, step in enumerate((one for one in plan.steps if one.kind != "file" and one not in made), 1):
        yield from step_lines(step_of(step), number, style)
    if plan.launch is not None:
        yield f"  {'start with':<{WIDTH}}{style.hang}{style.command}{shown(plan.launch)}"
    summary = words.summary(best.report, speed_of(best.report.outcome))
    yield from promised(summary, "fp8", style)
    if best.report.inputs.run.facts.gpus is None:
        for title, text in _UNKNOWN:
            yield f"  {title:<{WIDTH}}{style.hang}{text}"
    left = [finding for finding in best.report.findings if finding.severity == "warning"]
    for finding in left:
        yield f"  {'warning':<{WIDTH}}{style.hang}{style.rule(finding.rule)} {shown(finding.message)}"


def _why(choice: Choice, best: Tried, style: Style, *, explain: bool) -> Iterator[str]:
    yield f"  {'why':<{WIDTH}}{style.hang}{best.strategy}: {SPREADS[best.strategy].about}; {best.backend}{_gain(best)}"
    others = [trial for trial in choice.tried if trial is not best]
    if explain:
        for trial in others:
            reason = shown(trial.why_not) if trial.why_not else f"possible{_gain(trial)}{_warnings(trial)}"
            yield f"  {f'{trial.strategy}, {trial.backend}':<{WIDTH}}{style.hang}{reason}"
    elif others:
        yield f"  {'':<{WIDTH}}{style.hang}--explain tells of {len(others)} other way{'s' if len(others) > 1 else ''}"


def _warnings(trial: Tried) -> str:
    told = dict.fromkeys(finding.rule for finding in trial.report.findings if finding.severity == "warning")
    return f"; it warns of {', '.join(told)}" if told else ""


def _gain(trial: Tried) -> str:
    return "" if trial.score is None else f": about {trial.score:.1f}x the speed of BF16 without checkpointing"


def _nothing(choice: Choice, style: Style) -> Iterator[str]:
    yield style.strong("no way to FP8 was found, and nothing was written")
    for trial in choice.tried:
        yield f"  {f'{trial.strategy}, {trial.backend}':<{WIDTH}}{style.hang}{shown(trial.why_not)}"
    if choice.helps:
        yield f"  {'what helps':<{WIDTH}}{style.hang}{'; or '.join(choice.helps)}"
    yield from _of_another_machine(choice, style)


def _of_another_machine(choice: Choice, style: Style) -> Iterator[str]:
    if choice.elsewhere:
        said = "say that neither torch nor accelerate is installed: take them where the run trains,"
        yield f"  {'the facts':<{WIDTH}}{style.hang}{said}"
        yield f"  {'':<{WIDTH}}{style.hang}in its environment: fp8check env --json > facts.json"
