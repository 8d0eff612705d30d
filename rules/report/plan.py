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
    from collections.abc import Sequence

    from fp8check.rules.reading import Document
    from fp8check.rules.repair.plan import Plan, Planned
    from fp8check.rules.repair.render import Step
    from fp8check.rules.report.terminal import Style

PREDICTED = "predicted"


def plans_of(planned: Planned, *, whole: bool = True) -> schema.Plans:
    """The plans in the schema's words, without the credentials that the runs name.

    Args:
        whole: with the edits as text, which the text of a report does not show.
    """
    reasons = tuple(shown(reason) for reason in planned.why_not)
    plans = tuple(_plan(one, planned.before if whole else ()) for one in planned.plans)
    made = schema.Plans(schema.PLAN, planned.goal, planned.reached, reasons, plans)
    secrets = secrets_of_runs(planned)
    return without(made, secrets) if secrets else made


def _plan(found: Plan, before: Sequence[Document]) -> schema.Plan:
    reports = [build.whole(one) for one in found.reports]
    outcome = reports[0].outcome
    remaining = tuple(finding for report in reports for finding in report.findings)
    speedup, memory = outcome.speedup, outcome.memory
    steps = tuple(map(step_of, found.steps))
    fix = _fix(found, before)
    return schema.Plan(steps, found.launch, outcome, speedup, memory, remaining, PREDICTED, reports[0].summary, fix)


def _fix(found: Plan, before: Sequence[Document]) -> schema.Fix | None:
    """The edits of the files that are there, as text; None where there is none, or one has a credential."""
    if not before:
        return None
    from fp8check.rules.edits.differing import differing
    from fp8check.rules.reading.source import Source

    texts = {one.path: one.text for one in before}
    edits: list[schema.Edit] = []
    for one in found.documents:
        old = texts.get(one.path)
        if old is None or old == one.text:
            continue
        source = Source(one.path, old)
        for start, end, text in differing(old, one.text):
            span = source.span(start, end)
            edits.append(schema.Edit(one.path, span.line, span.column, span.end_line, span.end_column, text))
    has_credential = any(masked_shapes(one.text) != one.text for one in edits)
    return schema.Fix(False, tuple(edits)) if edits and not has_credential else None


def step_of(step: Step) -> schema.Step:
    """A step in the schema's words."""
    return schema.Step(step.kind, step.file, step.line, step.before, step.after, step.why, step.by_hand or None)


def secrets_of_runs(planned: Planned) -> tuple[str, ...]:
    """The credentials that the runs name."""
    return tuple(secret for one in planned.given for secret in secrets_of(one.inputs.run, one.documents))


def as_json(planned: Planned) -> str:
    """The plans as JSON, safe to show."""
    return in_syntax(masked_shapes(dumps(schema.as_data(plans_of(planned))) + "\n"), json=True)


def as_text(planned: Planned, style: Style) -> str:
    """The plans for people, safe to show."""
    return in_syntax(masked_shapes("\n".join(lines(plans_of(planned, whole=False), style)) + "\n"), style)


def in_syntax(text: str, style: Style | None = None, *, json: bool = False) -> str:
    """The last step of an output (rules/plain_text.py)."""
    return plain(text, "json" if json else "text", painted=style is not None and style.on)
