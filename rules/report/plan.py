"""What to do, for people and for programs: fp8check/plan/1, made of the plans that the search found."""

from __future__ import annotations

from fp8check.rules.credentials import masked_shapes
from fp8check.rules.plain_text import plain, shown
from fp8check.rules.report import build, schema
from fp8check.rules.report.masking import secrets_of, without
from fp8check.rules.report.plan_text import lines
from fp8check.rules.report.pretty import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.repair.plan import Plan, Planned
    from fp8check.rules.repair.render import Step
    from fp8check.rules.report.terminal import Style

PREDICTED = "predicted"


def plans_of(planned: Planned) -> schema.Plans:
    """The plans in the schema's words, without the credentials that the runs name."""
    reasons = tuple(shown(reason) for reason in planned.why_not)
    made = schema.Plans(schema.PLAN, planned.goal, planned.reached, reasons, tuple(_plan(one) for one in planned.plans))
    secrets = secrets_of_runs(planned)
    return without(made, secrets) if secrets else made


def _plan(found: Plan) -> schema.Plan:
    reports = [build.whole(one) for one in found.reports]
    outcome = reports[0].outcome
    remaining = tuple(finding for report in reports for finding in report.findings)
    speedup, memory = outcome.speedup, outcome.memory
    steps = tuple(map(step_of, found.steps))
    return schema.Plan(steps, found.launch, outcome, speedup, memory, remaining, PREDICTED, reports[0].summary)


def step_of(step: Step) -> schema.Step:
    """A step in the schema's words."""
    return schema.Step(step.kind, step.file, step.line, step.before, step.after, step.why)


def secrets_of_runs(planned: Planned) -> tuple[str, ...]:
    """The credentials that the runs name."""
    return tuple(secret for one in planned.given for secret in secrets_of(one.inputs.run, one.documents))


def as_json(planned: Planned) -> str:
    """The plans as JSON, safe to show."""
    return in_syntax(masked_shapes(dumps(schema.as_data(plans_of(planned))) + "\n"), json=True)


def as_text(planned: Planned, style: Style) -> str:
    """The plans for people, safe to show."""
    return in_syntax(masked_shapes("\n".join(lines(plans_of(planned), style)) + "\n"), style)


def in_syntax(text: str, style: Style | None = None, *, json: bool = False) -> str:
    """The last step of an output (rules/plain_text.py)."""
    return plain(text, "json" if json else "text", painted=style is not None and style.on)
