"""What to do, for people and for programs: fp8check/plan/1, made of the plans that the search found."""

from __future__ import annotations

from fp8check.rules.credentials import masked_shapes
from fp8check.rules.plain_text import plain, shown
from fp8check.rules.record import Record
from fp8check.rules.report import build, words
from fp8check.rules.report.masking import hidden, secrets_of
from fp8check.rules.report.pretty import dumps
from fp8check.rules.report.schema import as_data
from fp8check.rules.report.terminal import Style

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from fp8check.rules.repair.plan import Plan, Planned
    from fp8check.rules.repair.render import Step
    from fp8check.rules.report import schema
    from fp8check.rules.suppression.examined import Examined

SCHEMA: Literal["fp8check/plan/1"] = "fp8check/plan/1"
PREDICTED = "predicted"
WIDTH = 18  # of the column before what is to be done


class OnePlan(Record):
    """One way to the goal.

    Attributes:
        steps: in the order in which they are to be made; empty where the run is good as it is.
        launch: the whole command that starts the run then; null where nobody said how it is started.
        outcome: as in the report, what happens then; of several runs that of the first.
        remaining: the findings that are left, of all runs.
        evidence: what the prediction rests on.
    """

    steps: tuple[Step, ...]
    launch: str | None
    outcome: schema.Outcome
    speedup: schema.Speedup | None
    memory: schema.Memory | None
    remaining: tuple[schema.Finding, ...]
    evidence: str


class Plans(Record):
    """What a search for plans came to.

    Attributes:
        why_not: what stands against the goal; empty where it is reached.
    """

    schema: Literal["fp8check/plan/1"]
    goal: Literal["fp8", "bf16"]
    reached: bool
    why_not: tuple[str, ...]
    plans: tuple[OnePlan, ...]


def plans_of(planned: Planned) -> Plans:
    """The plans in the schema's words."""
    reasons = tuple(shown(reason) for reason in planned.why_not)
    return Plans(SCHEMA, planned.goal, planned.reached, reasons, tuple(_one(one) for one in planned.plans))


def _one(found: Plan) -> OnePlan:
    reports = [build.whole(one) for one in found.reports]
    outcome = reports[0].outcome
    remaining = tuple(finding for report in reports for finding in report.findings)
    return OnePlan(found.steps, found.launch, outcome, outcome.speedup, outcome.memory, remaining, PREDICTED)


def as_json(planned: Planned) -> str:
    """The plans as JSON, without credentials."""
    return _discreet(dumps(as_data(plans_of(planned))) + "\n", planned)


def as_text(planned: Planned, style: Style) -> str:
    """The plans for people, without credentials."""
    return _discreet("\n".join(_lines(planned, style)) + "\n", planned)


def _discreet(text: str, planned: Planned) -> str:
    return masked_shapes(hidden(text, secrets(planned)))


def secrets(planned: Planned) -> tuple[str, ...]:
    """The credentials that the runs name."""
    return tuple(secret for one in planned.given for secret in secrets_of(one.inputs.run, one.documents))


def _lines(planned: Planned, style: Style) -> Iterator[str]:
    if not planned.plans:
        yield style.strong(f"no way to {_NAMES[planned.goal]} was found")
        for reason in planned.why_not:
            yield f"  {shown(reason)}"
        if planned.goal == "fp8":
            yield "  for a run in BF16: fp8check plan --goal bf16"
        return
    for number, one in enumerate(planned.plans, 1):
        if number > 1:
            yield ""
        yield from _plan(one, number, planned, style)


_NAMES = {"fp8": "FP8", "bf16": "BF16"}


def _plan(found: Plan, number: int, planned: Planned, style: Style) -> Iterator[str]:
    option = f" --plan {number}" if number > 1 else ""
    command = f"fp8check fix --goal {planned.goal}{option}"
    if not found.steps:
        yield style.strong("nothing to do")
    else:
        yield style.strong("what to do" if number == 1 else "or") + f" ({command})"
    last = 0
    for last, step in enumerate(found.steps, 1):
        yield from step_lines(step, last)
    if found.launch is not None and not any(one.kind == "launch" for one in found.steps):
        yield f"  {last + 1}. {'start with':<{WIDTH - 3}}{shown(found.launch)}"
    for report in found.reports:
        yield from _then(report, planned)


def step_lines(step: Step, number: int) -> Iterator[str]:
    """One step; the text of a new file follows it."""
    where = f"{step.file}:{step.line}" if step.line is not None else str(step.file)
    before, after = shown(step.before or ""), shown(step.after or "")
    if step.kind == "edit":
        what = f"add {after}" if step.before is None else f"delete {before}" if step.after is None else ""
        what = what or f"{before} -> {after}"
    else:
        where, what = {
            "file": (str(step.file), "new file:"),
            "launch": ("start with", after),
            "variable": ("in the shell", f"export {after}" if "=" in after else f"unset {after}"),
            "package": ("install", f"pip install {after}"),
        }[step.kind]
    yield f"  {number}. {shown(where):<{WIDTH - 3}}{' ' if len(where) >= WIDTH - 3 else ''}{what}"
    if step.kind == "file":
        yield from (f"  {'':<{WIDTH}}{shown(line)}" for line in (step.after or "").splitlines())


def _then(report: Examined, planned: Planned) -> Iterator[str]:
    summary = words.summary(report, build.speed_of(report.outcome))
    yield f"  {'then':<{WIDTH}}{shown(summary.actual)}"
    if planned.goal == "fp8":
        for name, text in (("speed", summary.speed), ("memory", summary.memory)):
            if text is not None:
                yield f"  {name:<{WIDTH}}{shown(text)}"
    left = [one for one in report.findings if one.severity == "warning"]
    if left:
        yield f"  {'warnings':<{WIDTH}}{shown(', '.join(dict.fromkeys(one.rule for one in left)))}"


def in_syntax(text: str, style: Style, *, json: bool) -> str:
    """The last step of an output (rules/plain_text.py)."""
    return plain(text, "json" if json else "text", painted=style.on)
