"""What another stack would change, for people and for programs: schema fp8check/upgrade/1.

As in schema.py, a field is a key of the JSON; one with a default is left out where it has it. Only additions are made.
"""

from __future__ import annotations

from fp8check.rules.credentials import masked_shapes
from fp8check.rules.plain_text import plain, shown
from fp8check.rules.record import Record
from fp8check.rules.report.laying import laid_out
from fp8check.rules.report.plan_text import promised, step_lines
from fp8check.rules.report.pretty import dumps
from fp8check.rules.report.schema import as_data, place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Literal

    from fp8check.rules.report.schema import File, Finding, LaunchLine, Outcome, Plans, Summary
    from fp8check.rules.report.terminal import Style

SCHEMA: Literal["fp8check/upgrade/1"] = "fp8check/upgrade/1"
_WIDTH = 10  # of the column before what is said
# In the order in which they are told.
_TOLD = ("accelerate", "transformers", "transformer_engine", "torchao", "torch", "llamafactory", "trl", "axolotl")


class Stack(Record):
    """The releases that a prediction rests on.

    Attributes:
        packages: those that are known.
        assumed: those that were assumed of packages whose release is not known.
        passed_over: packages that were named and that nothing here looks at.
    """

    packages: Mapping[str, str]
    assumed: Mapping[str, str]
    passed_over: tuple[str, ...] = ()


class State(Record):
    """A run with one of the stacks: its verdict, its summary and its outcome, as in the report."""

    verdict: Literal["fail", "warn", "pass", "undecided"]
    summary: Summary
    outcome: Outcome


class Change(Record):
    """A value of the outcome that is another one with the other stack.

    Attributes:
        name: as in the report's outcome; of error, layers, speedup and memory what tells them in one word.
        before, after: null where there is none, or where it is not known.
        better: whether it is to the good; null where it is neither.
    """

    name: str
    before: object
    after: object
    better: bool | None


class Run(Record):
    """One run, with both stacks.

    Attributes:
        files: its files; launch: the line of a shell script that starts it; null where no script does.
        before: with today's stack; after: with the other one.
        changes: the values of the outcome that differ.
        new, gone: findings that one of them alone has.
        unchanged: how many findings both have.
        undecided: rules that are decided today, and undecided then.
        plan: what would have to be changed then, as in the report; null where nothing has to.
    """

    files: tuple[File, ...]
    launch: LaunchLine | None
    before: State
    after: State
    changes: tuple[Change, ...]
    new: tuple[Finding, ...]
    gone: tuple[Finding, ...]
    unchanged: int
    undecided: tuple[str, ...]
    plan: Plans | None


class Upgrade(Record):
    """What another stack would change.

    Attributes:
        verdict: of the worst run with the other stack.
        today: today's stack; to: the other one.
    """

    schema: Literal["fp8check/upgrade/1"]
    verdict: Literal["fail", "warn", "pass", "undecided"]
    today: Stack
    to: Stack
    runs: tuple[Run, ...]


def as_json(found: Upgrade) -> str:
    """All of it as JSON, safe to show."""
    return plain(masked_shapes(dumps(as_data(found)) + "\n"), "json")


def as_text(found: Upgrade, style: Style) -> str:
    """All of it for people, safe to show."""
    return laid_out("\n".join(line.rstrip() for line in _lines(found, style)) + "\n", style)


def _lines(found: Upgrade, style: Style) -> Iterator[str]:
    yield from _stacks(found, style)
    for run in found.runs:
        yield ""
        if len(found.runs) > 1 or run.launch is not None:
            at = "" if run.launch is None else f":{run.launch.line}"
            name = ", ".join(file.path for file in run.files) if run.launch is None else run.launch.file
            yield style.strong(shown(name + at))
        yield from _run(run, style)


def _stacks(found: Upgrade, style: Style) -> Iterator[str]:
    today = found.today.packages
    changed = {name: release for name, release in found.to.packages.items() if today.get(name) != release}
    yield _line("today", _named(today, changed) or "no release is known: --facts or --stack says them", style)
    if found.today.assumed:
        yield _line("", f"with {_named(found.today.assumed)} assumed", style)
    yield _line("then", _named(found.to.packages, changed) if changed else "the same releases", style)
    if found.to.assumed:
        yield _line("", f"with {_named(found.to.assumed)} assumed, which neither --to nor facts name", style)
    if found.to.passed_over:
        yield _line("", f"nothing here looks at {shown(', '.join(found.to.passed_over))}", style)


def _named(packages: Mapping[str, str], changed: Mapping[str, str] | None = None) -> str:
    """Releases for people: of many, those that a run is mostly told by, and those that change."""
    names = [name for name in packages if changed is None or name in changed or name in _TOLD]
    names.sort(key=lambda name: (_TOLD.index(name) if name in _TOLD else len(_TOLD), name))
    return shown(", ".join(f"{name.replace('_', ' ')} {packages[name]}" for name in names))


def _line(title: str, text: str, style: Style) -> str:
    return f"{style.strong(f'{title:<{_WIDTH - 1}}')} {style.hang}{text}"


def _run(run: Run, style: Style) -> Iterator[str]:
    yield from _both("actual", run.before.summary.actual, run.after.summary.actual, style)
    yield from _both("speed", run.before.summary.speed, run.after.summary.speed, style)
    yield from _both("memory", run.before.summary.memory, run.after.summary.memory, style)
    if run.after.summary.or_ is not None:
        yield _line("or", f"{shown(run.after.summary.or_)} ({shown(run.after.summary.assumed_or or '')})", style)
    if run.after.summary.extrapolated is not None:
        yield _line("", shown(run.after.summary.extrapolated), style)
    yield from _told("better", [_words(change) for change in run.changes if change.better is True], style)
    yield from _told("worse", [_words(change) for change in run.changes if change.better is False], style)
    shown_above = ("error", "undecided")  # the line of what happens says them
    others = [_words(each) for each in run.changes if each.better is None and each.name not in shown_above]
    yield from _told("other", others, style)
    yield from _told("new", [_finding(finding, style) for finding in run.new], style)
    yield from _told("gone", [_finding(finding, style) for finding in run.gone], style)
    if run.undecided:
        yield _line("open", f"undecided then: {' '.join(run.undecided)}", style)
    if not (run.changes or run.new or run.gone or run.undecided):
        yield "nothing changes"
    yield from _plan(run, style)


def _both(title: str, before: str | None, after: str | None, style: Style) -> Iterator[str]:
    if before == after:
        if after is not None:
            yield _line(title, shown(after), style)
        return
    yield _line(title, f"today  {shown(before or 'not known, or none')}", style)
    yield _line("", f"then   {shown(after or 'not known, or none')}", style)


def _told(title: str, lines: list[str], style: Style) -> Iterator[str]:
    for number, text in enumerate(lines):
        yield _line("" if number else title, text, style)


def _words(change: Change) -> str:
    return f"{change.name}: {_value(change.before)} -> {_value(change.after)}"


def _value(value: object) -> str:
    if isinstance(value, dict):
        return shown(", ".join(f"{name} {_value(one)}" for name, one in value.items()))
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else shown(str(value))


def _finding(finding: Finding, style: Style) -> str:
    place = place_of(finding)
    where = "" if place is None else f"  {style.name(shown(place.file))}:{place.line}"
    return f"{style.rule(finding.rule)} {finding.severity} {shown(finding.message)}{where}"


def _plan(run: Run, style: Style) -> Iterator[str]:
    if run.plan is None:
        return
    yield ""
    if not run.plan.plans:
        yield style.strong("then no way was found")
        yield from (f"  {shown(reason)}" for reason in run.plan.why_not)
        return
    first, *others = run.plan.plans
    yield style.strong("what to change then")
    for number, step in enumerate(first.steps, 1):
        yield from step_lines(step, number, style)
    yield from promised(first.summary, run.plan.goal, style)
    if others:
        more = f"{len(others)} other way{'s' if len(others) > 1 else ''}"
        yield f"  and {more}: --format json"
