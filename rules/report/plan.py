"""What to do, for people and for programs: fp8check/plan/1, made of the plans that the search found."""

from __future__ import annotations

from fp8check.rules.credentials import masked_shapes
from fp8check.rules.moves.site import known_number
from fp8check.rules.plain_text import plain, shown
from fp8check.rules.report import build, schema
from fp8check.rules.report.frames import NOT_QUOTED
from fp8check.rules.report.laying import laid_out
from fp8check.rules.report.masking import secrets_of, without
from fp8check.rules.report.plan_text import lines
from fp8check.rules.report.pretty import dumps
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fp8check.rules.reading import Document
    from fp8check.rules.repair.plan import Plan, Planned
    from fp8check.rules.repair.render import Step
    from fp8check.rules.report.terminal import Style
    from fp8check.rules.suppression.examined import Examined

    May = Callable[[str], bool]

PREDICTED = "predicted"


def plans_of(planned: Planned, may: May | None = None, *, whole: bool = True) -> schema.Plans:
    """The plans in the schema's words, without the credentials that the runs name.

    Args:
        may: whether a file may be quoted (quoting.py); None where those may that somebody gave, and what is in their
            folders.
        whole: with the edits as text, which the text of a report does not show.
    """
    reasons = tuple(shown(reason) for reason in planned.why_not)
    may, before = may or _usual(planned), planned.before if whole else ()
    first = planned.given[0]
    are_known = known_number(lambda: first.outcome.effective.all_processes) is not None or _are_seen(first)
    plans = tuple(_plan(plan, before, may, are_known) for plan in planned.plans)
    in_bf16 = None if planned.in_bf16 is None else _plan(planned.in_bf16, before, may, are_known)
    made = schema.Plans(schema.PLAN, planned.goal, planned.reached, reasons, plans, in_bf16, planned.neither)
    secrets = secrets_of_runs(planned)
    return without(made, secrets) if secrets else made


def _usual(planned: Planned) -> May:
    """Which files may be quoted, by what was given; where nothing else is named, no path is looked at."""
    if not planned.named:
        return lambda _: True
    from fp8check.rules.report import quoting

    return quoting.of_files(document.path for document in planned.before if document.path not in planned.named).may


def _plan(found: Plan, before: Sequence[Document], may: May, are_known: bool) -> schema.Plan:
    """`are_known`: whether it was known how many processes the run has; a plan that says how many assumes it else."""
    reports = [build.full_report(examined, fixes=bool(before)) for examined in found.reports]
    outcome = reports[0].outcome
    remaining = tuple(finding for report in reports for finding in report.findings)
    speedup, memory = outcome.speedup, outcome.memory
    steps = tuple(_step(step, may) for step in found.steps)
    fix = _fix(found, before, may)
    summary = reports[0].summary
    if not are_known:
        summary = summary._replace(assumed=_with_gpus(found, summary.assumed))
    return schema.Plan(steps, found.launch, outcome, speedup, memory, remaining, PREDICTED, summary, fix)


def _are_seen(examined: Examined) -> bool:
    """Whether the facts have the GPUs of the run."""
    try:
        return bool(examined.inputs.run.visible_gpus())
    except Undecided:
        return False


def _with_gpus(found: Plan, assumed: str | None) -> str | None:
    """What is assumed, with the number of GPUs that the plan writes down, and nobody said."""
    number = known_number(lambda: found.reports[0].outcome.effective.all_processes)
    if number is None:
        return assumed
    gpus = f"{number:,} GPU{'s' if number > 1 else ''}"
    beside = "" if assumed is None else f"; {assumed}"
    return f"for {gpus}, as nobody says how many there are (--facts does){beside}"


def _step(step: Step, may: May) -> schema.Step:
    made = step_of(step)
    if made.kind != "edit" or made.before is None or made.file is None or may(made.file):
        return made
    return made._replace(before=NOT_QUOTED)


def _fix(found: Plan, before: Sequence[Document], may: May) -> schema.Fix | None:
    """The edits of the files that are there, as text; None where there is none, or one may not be shown."""
    if not before:
        return None
    from fp8check.rules.edits.differing import differing
    from fp8check.rules.reading.source import Source

    texts = {document.path: document.text for document in before}
    edits: list[schema.Edit] = []
    for document in found.documents:
        old = texts.get(document.path)
        if old is None or old == document.text:
            continue
        if not may(document.path):
            return None
        source = Source(document.path, old)
        for start, end, text in differing(old, document.text):
            span = source.span(start, end)
            edits.append(schema.Edit(document.path, span.line, span.column, span.end_line, span.end_column, text))
    has_credential = any(masked_shapes(edit.text) != edit.text for edit in edits)
    return schema.Fix(False, tuple(edits)) if edits and not has_credential else None


def step_of(step: Step) -> schema.Step:
    """A step in the schema's words."""
    return schema.Step(step.kind, step.file, step.line, step.before, step.after, step.why, step.by_hand or None)


def secrets_of_runs(planned: Planned) -> tuple[str, ...]:
    """The credentials that the runs name."""
    return tuple(secret for report in planned.given for secret in secrets_of(report.inputs.run, report.documents))


def as_json(planned: Planned, may: May | None = None) -> str:
    """The plans as JSON, safe to show; `may`: see `plans_of`."""
    return plain(masked_shapes(dumps(schema.as_data(plans_of(planned, may))) + "\n"), "json")


def as_text(planned: Planned, style: Style, may: May | None = None) -> str:
    """The plans for people, safe to show; `may`: see `plans_of`."""
    return laid_out("\n".join(lines(plans_of(planned, may, whole=False), style)) + "\n", style)
