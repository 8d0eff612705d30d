"""From a request and another stack to what would change: each run judged with both, and where the two differ."""

from __future__ import annotations

from fp8check.rules.checking.planning import plans_for
from fp8check.rules.checking.request import check_request
from fp8check.rules.checking.stacks import installed, matters
from fp8check.rules.checking.verdict import counted
from fp8check.rules.input_error import InputError
from fp8check.rules.report import build, upgrade
from fp8check.rules.report.masking import secrets_of, without

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fp8check.rules.checking.request import Checked, Request
    from fp8check.rules.report.schema import Finding, Outcome, Plans, Report
    from fp8check.rules.suppression.examined import Examined

RANKS = ("none", "some", "all")
LEAST = 0.02  # of a speed-up or of GiB: less is no difference
# Values of the outcome that are compared, in the order of the chain; and whether more of each is better.
NAMES: Mapping[str, bool | None] = {
    "starts": True,
    "error": None,
    "mixed_precision": True,
    "fp8_enabled": True,
    "backend": None,
    "recipe": None,
    "fp8_layers": True,
    "layers": None,
    "distributed_type": None,
    "trains_converted_weights": True,
    "speedup": True,
    "memory": False,
    "undecided": None,
}

# Of these also where nobody asks for FP8.
_ALWAYS: Mapping[str, bool | None] = {"starts": True, "memory": False}


class OtherRuns(InputError):
    """With the other stack the files make other runs; there is nothing to compare."""


def upgraded(
    request: Request, to: Mapping[str, str], stack: Mapping[str, str] | None = None
) -> tuple[upgrade.Upgrade, Checked]:
    """What another stack would change, and the check of the runs with it.

    Args:
        to: the releases of the other stack; packages that it does not name stay as they are.
        stack: releases of today's stack, over those of the facts.

    Raises:
        WrongFiles, Unreadable: see `runs_of`.
        OtherRuns: the runs are others then.
    """
    now = check_request(_with(request, stack or {}))
    target = _with(request, {**(stack or {}), **to})
    then = check_request(target)
    if len(now.reports) != len(then.reports):
        raise OtherRuns("with the other stack these files make other runs: there is nothing to compare")
    plans = plans_for(target, then, asked=True)
    pairs = zip(now.reports, then.reports, strict=True)
    runs = tuple(_run(before, after, plans.get(number)) for number, (before, after) in enumerate(pairs))
    first, second = _stack(now.reports), _stack(then.reports, to)
    return upgrade.Upgrade(upgrade.SCHEMA, counted(then.reports).verdict, first, second, runs), then


def _with(request: Request, packages: Mapping[str, str]) -> Request:
    if not packages:
        return request
    parts = (part._replace(facts=installed(part.facts, packages)) for part in request.runs)
    return request._replace(runs=tuple(parts))


def _stack(reports: Iterable[Examined], named: Mapping[str, str] | None = None) -> upgrade.Stack:
    """The releases that reports rest on."""
    known: dict[str, str] = dict(named or {})
    assumed: dict[str, str] = {}
    for report in reports:
        packages = report.inputs.run.facts.packages or {}
        known.update({name: release for name, release in packages.items() if release is not None and matters(name)})
        assumed.update(report.outcome.stack.assumed)
    passed_over = tuple(sorted(name for name in named or () if not matters(name)))
    kept = {name: known[name] for name in sorted(known) if name not in passed_over}
    return upgrade.Stack(kept, dict(sorted(assumed.items())), passed_over)


def _run(before: Examined, after: Examined, plans: Plans | None) -> upgrade.Run:
    now, then = build.full_report(before), build.full_report(after)
    new, gone = _parted(now, then)
    run = upgrade.Run(
        now.files,
        now.launch,
        upgrade.State(now.verdict, now.summary, now.outcome),
        upgrade.State(then.verdict, then.summary, then.outcome),
        tuple(_changes(now, then)),
        new,
        gone,
        len(then.findings) - len(new),
        tuple(
            sorted({undecided.rule for undecided in then.undecided} - {undecided.rule for undecided in now.undecided})
        ),
        plans,
    )
    secrets = secrets_of(after.inputs.run, after.documents)
    return without(run, secrets) if secrets else run


def _parted(now: Report, then: Report) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """The findings that come, and those that go: one is the same where its rule speaks of the same place."""
    left: dict[object, list[Finding]] = {}
    for finding in now.findings:
        left.setdefault(_mark(finding), []).append(finding)
    new = []
    for finding in then.findings:
        same = left.get(_mark(finding))
        if same:
            same.pop(0)
        else:
            new.append(finding)
    kept = {id(finding) for some in left.values() for finding in some}
    return tuple(new), tuple(finding for finding in now.findings if id(finding) in kept)


def _mark(finding: Finding) -> object:
    return finding.rule, finding.file, finding.line, finding.column


def _changes(now: Report, then: Report) -> Iterable[upgrade.Change]:
    wanted = now.requested.fp8
    for name, more in NAMES.items():
        before, after = _value(name, now.outcome), _value(name, then.outcome)
        if isinstance(before, dict) and isinstance(after, dict):  # of the recipe what differs
            for key in dict.fromkeys((*before, *after)):
                if before.get(key) != after.get(key):
                    yield upgrade.Change(f"{name}.{key}", before.get(key), after.get(key), None)
        elif before != after and not _is_close(before, after):
            better = _is_better(name, before, after, more if wanted else _ALWAYS.get(name))
            yield upgrade.Change(name, before, after, better)


def _value(name: str, outcome: Outcome) -> object:
    """A value of the outcome in a word: of the memory that of the run as it is."""
    if name == "speedup":
        return None if outcome.speedup is None else outcome.speedup.predicted
    if name == "memory":
        memory = outcome.memory
        return None if memory is None else memory.bf16_gib if memory.fp8_gib is None else memory.fp8_gib
    if name == "layers":
        return None if outcome.layers is None else outcome.layers.converted
    if name == "error":
        error = outcome.error
        return None if error is None else f"{error.type} ({error.stage}): {error.first_line}"
    value: object = getattr(outcome, name)
    return value


def _is_close(before: object, after: object) -> bool:
    return isinstance(before, float) and isinstance(after, float) and abs(before - after) < LEAST


def _is_better(name: str, before: object, after: object, more: bool | None) -> bool | None:
    """Whether a change is to the good; None where it is neither, or not known."""
    if more is None or before is None or after is None:
        return None
    if name == "mixed_precision":
        return None if "fp8" not in (before, after) else after == "fp8"
    if name == "fp8_layers":
        return RANKS.index(str(after)) > RANKS.index(str(before))
    return (_number(after) > _number(before)) == more


def _number(value: object) -> float:
    return float(value) if isinstance(value, (bool, int, float)) else 0.0
