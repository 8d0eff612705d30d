"""The report for people."""

from __future__ import annotations

from fp8check.rules.outcome.speed import in_words, predict_speed
from fp8check.rules.report.frames import frame, visible
from fp8check.rules.suppression.examined import counts, new_findings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.engine.running import Finding
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.report.style import Style
    from fp8check.rules.suppression.examined import Examined

WIDTH = 96


def render(report: Examined, style: Style, *, quiet: bool = False, verbose: bool = False) -> str:
    """The whole report. `quiet`: findings only; `verbose`: also which rules are undecided, by what they lack."""
    lines: list[str] = []
    documents = {document.path: document for document in report.documents}
    for finding in new_findings(report):
        lines.append(_headline(finding, style))
        lines.extend(frame(finding, documents, style))
        lines.append("")
    if not quiet:
        lines.extend(_summary(report, style))
        lines.append(_totals(report, style))
        if verbose:
            lines.extend(_undecided(report))
    return "\n".join(lines) + ("\n" if lines else "")


def _headline(finding: Finding, style: Style) -> str:
    message = visible(finding.message)
    mark = f"{finding.rule} {finding.severity:<7}"
    painted = f"{style.severity(finding.severity, mark)} {style.strong(message)}"
    if finding.span is None:
        return painted
    where = f"{visible(finding.span.file)}:{finding.span.line}:{finding.span.column}"
    gap = max(2, WIDTH - len(f"{mark} {message}") - len(where))
    return painted + " " * gap + style.faint(where)


def _summary(report: Examined, style: Style) -> Iterator[str]:
    requested = report.inputs.requested
    quiet = not requested.fp8 and report.outcome.trains_in_fp8 is False and not report.inputs.seen
    if quiet and not report.findings:
        return
    for name, words in summary(report).items():
        yield f"{style.strong(f'{name:<9}') if name in _TITLES else ' ' * 9} {words}"
    yield ""


def _undecided(report: Examined) -> Iterator[str]:
    """The undecided rules, by what each lacks and how to get it."""
    lacking: dict[tuple[str, str], list[str]] = {}
    for one in report.undecided:
        lacking.setdefault((one.needs, one.command), []).append(one.rule)
    for (needs, command), rules in lacking.items():
        yield ""
        yield f"undecided for want of {visible(needs)}: {command}"
        yield from (f"  {' '.join(rules[at : at + 12])}" for at in range(0, len(rules), 12))


_TITLES = ("asked", "happens", "or", "speed", "probe")


def summary(report: Examined) -> dict[str, str]:
    """What was asked for, what happens, with which releases assumed, and how fast: a line each, by its name."""
    requested = report.inputs.requested
    outcome = report.outcome
    words = ["fp8" if requested.fp8 else "no FP8"]
    if requested.backend is not None:
        words.append(str(requested.backend.value))
    recipe = _recipe_words({name: setting.value for name, setting in requested.recipe.items()})
    if recipe:
        words.append(recipe)
    where = requested.fp8[0].origin.describe() if requested.fp8 else ""
    lines = {"asked": _line(" · ".join(words), where), "happens": happens(outcome)}
    ending = {one.rule for one in report.findings if one.ends}
    if ending and outcome.error is None:
        lines["happens"] = f"does not run ({', '.join(sorted(ending))}); once that is fixed: {lines['happens']}"
    earlier = report.earlier
    if earlier is not None:
        lines["assumed"] = f"with {_assumed(outcome)} assumed"
        if happens(earlier) != happens(outcome):
            lines["or"] = happens(earlier)
            lines["assumed_or"] = f"with {_assumed(earlier)}"
    speed = predict_speed(report.inputs.run, outcome)
    if speed is not None and outcome.trains_in_fp8 and not ending:
        comes_to = in_words(speed, measured=report.inputs.seen is not None)
        later = f"; it pays from {speed.pays_from:,} tokens" if (speed.pays_from or 0) > speed.tokens else ""
        lines["speed"] = f"{speed.why}: {speed.predicted:.1f}x ({comes_to}){later}"
    if report.inputs.seen is not None:
        from fp8check.rules.report.seen import summary as seen  # most reports have none

        lines["probe"] = visible(seen(report.inputs.seen))
    return lines


def _assumed(outcome: Outcome) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {version}" for name, version in sorted(outcome.stack.assumed.items()))


def _line(words: str, where: str) -> str:
    return f"{words}   {where}" if where else words


def happens(outcome: Outcome) -> str:
    """What will really happen, in one line."""
    if outcome.undecided is not None:
        return f"not decided: {outcome.undecided.what}"
    if outcome.error is not None:
        error = outcome.error
        return f"does not start: {error.type} ({error.stage}): {visible(error.first_line)}"
    precision = outcome.mixed_precision.value if outcome.mixed_precision is not None else "?"
    backend = outcome.backend_name
    layers = outcome.fp8_layers
    if backend == "MSAMP":
        return f"{precision} with MS-AMP; whether its layers run in FP8 is not modeled"
    if layers == "none" or layers is None:
        return f"{precision}, no layer in FP8"
    coverage = outcome.prepared.coverage
    number = f"{coverage.converted} of {coverage.total}" if coverage.converted is not None else layers
    recipe = _recipe_words({name: setting.value for name, setting in (outcome.prepared.recipe or {}).items()})
    words = (
        f"{precision} · {backend} · {recipe}"
        if precision == "fp8"
        else f"{precision}, with {backend} layers in FP8 · {recipe}"
    )
    words += f" · {number} Linear layers"
    if outcome.frozen is not None:
        words += " · the converted weights are never trained"
    if backend == "TE" and outcome.reentrant:
        words += " · backward not in FP8 (gradient checkpointing)"
    return words


def _recipe_words(recipe: dict[str, object]) -> str:
    parts = [str(recipe[name]) for name in ("fp8_format",) if name in recipe]
    if "recipe" in recipe:
        parts.append(str(recipe["recipe"]))
    if "amax_history_len" in recipe:
        parts.append(f"history {recipe['amax_history_len']}")
    if "amax_compute_algo" in recipe:
        parts.append(str(recipe["amax_compute_algo"]))
    return ", ".join(parts)


def _totals(report: Examined, style: Style) -> str:
    numbers = counts(report)
    parts = [
        style.severity(severity, f"{number} {severity}{'s' if number != 1 else ''}")
        for severity, number in numbers.items()
        if number and severity != "info"
    ]
    if numbers["info"]:
        parts.append(f"{numbers['info']} note{'s' if numbers['info'] != 1 else ''}")
    text = ", ".join(parts) or "nothing found"
    if report.undecided:
        number = len(report.undecided)
        needs = sorted({need for one in report.undecided for need in one.needs.split(", ") if " " not in need})
        about = f" without {', '.join(needs)}" if needs else ""
        text += f"; {number} rule{'s' if number != 1 else ''} undecided{about} ({report.undecided[0].command})"
    if report.suppressed:
        text += f"; {len(report.suppressed)} suppressed"
    if report.compared is not None:
        text += f"; against the baseline {len(report.compared.new)} new, {len(report.compared.unchanged)} unchanged"
        text += f", {len(report.compared.resolved)} resolved"
    return text
