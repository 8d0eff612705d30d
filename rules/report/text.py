"""The report for people."""

from __future__ import annotations

from fp8check.rules.plain_text import shown
from fp8check.rules.report.schema import place_of
from fp8check.rules.report.terminal import Style

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fp8check.rules.report.formats import Look, Sources
    from fp8check.rules.report.schema import Finding, LaunchLine, Report

WIDTH = 96
ASSUMED = "FP606"  # says which versions are taken for granted


def render(reports: Sequence[Report], sources: Sources, look: Look) -> str:
    """The runs, one after another, with an empty line between them; of one that has nothing to say, nothing."""
    texts = [_run(report, sources, look) for report in reports]
    return "\n".join(text for text in texts if text)


def _run(report: Report, sources: Sources, look: Look) -> str:
    style = Style(look.color, look.width, links=look.links)
    lines: list[str] = []
    found = report.new_findings
    if report.launch is not None and (found or not look.quiet):
        lines.extend((headline(report.launch, style), ""))
    elif report.run is not None and found:
        lines.extend((style.strong(shown(report.run)), ""))
    if found:
        from fp8check.rules.report.cells import cells  # a clean run has no use for them
        from fp8check.rules.report.frames import Lines, frame

        split = Lines(sources)
        # One text a finding, and an empty line behind it: a file may have thousands, of seven lines each.
        lines.extend(
            ["\n".join((_headline(one, style, cells), *frame(one, split, style), "")) for one in _assumed_first(found)]
        )
    if look.quiet:
        lines[-1:] = [last.removesuffix("\n") for last in lines[-1:]]  # but not behind the last
    else:
        lines.extend(_summary(report, style))
        lines.extend((_totals(report, style), *undecided(report, style, verbose=look.verbose)))
        if report.plan is not None:
            from fp8check.rules.report import plan_text  # where a plan is due

            lines.extend(("", *plan_text.lines(report.plan, style)))
    return "\n".join(lines) + ("\n" if lines else "")


def _assumed_first(found: Sequence[Finding]) -> Sequence[Finding]:
    """The findings, before all others what is assumed of a machine that is not known: the rest hangs on it."""
    return sorted(found, key=lambda one: one.rule != ASSUMED)


def headline(launch: LaunchLine, style: Style) -> str:
    """Which line of a script the run is, and what it starts."""
    from fp8check.rules.report.cells import cells, cut  # a clean run of files has no use for them

    where = style.name(f"{shown(launch.file)}:{launch.line}:{launch.column}")
    command = shown(launch.command)
    whole = min(WIDTH, style.width or WIDTH)
    room = whole - cells(where) - 2
    if style.width is not None and room < whole // 2:  # on a line of its own
        return f"{style.strong(where)}\n  {cut(command, whole - 2)}".rstrip()
    return f"{style.strong(where)}  {cut(command, max(room, 20))}".rstrip()


def _headline(finding: Finding, style: Style, cells: Callable[[str], int]) -> str:
    message = shown(finding.message)
    mark = f"{style.rule(finding.rule)} {finding.severity:<7}"
    painted = f"{style.severity(finding.severity, mark)} {style.hang}{style.strong(message)}"
    place = place_of(finding)
    if place is None:
        return painted
    where = style.name(f"{shown(place.file)}:{place.line}:{place.column}")
    taken = len(finding.rule) + 9 + cells(message) + cells(where)
    return painted + " " * max(2, min(WIDTH, style.width or WIDTH) - taken) + style.faint(where)


def _summary(report: Report, style: Style) -> Iterator[str]:
    concerns_fp8 = report.requested.fp8 or report.outcome.trains_in_fp8 is not False or report.probe is not None
    if not concerns_fp8 and not report.findings:
        return
    is_told = any(finding.rule == ASSUMED for finding in report.new_findings)
    assumed = report.summary.assumed if is_told else None
    for title, words in report.summary.lines:
        if title or words != assumed:
            yield f"{style.strong(f'{title:<9}') if title else ' ' * 9} {style.hang}{shown(words)}"
    yield ""


def undecided(report: Report, style: Style, *, verbose: bool = False) -> Iterator[str]:
    """What is not decided, a line for each thing that is missing; with `verbose` all of the rules, and all that they
    lack."""
    if not report.undecided:
        return
    from fp8check.rules.report.lacking import SOME, lacking

    for rule in report.undecided:
        if rule.depends:
            yield f"depends on releases: {style.rule(shown(rule.rule))} {style.hang}{shown(rule.depends)}"
    for gap in lacking(report.undecided):
        ids = gap.ids(len(gap.rules) if verbose else SOME, lambda rule: style.rule(shown(rule)))
        yield f"not decided: {gap.sentence(ids)}"
        if verbose:
            yield f"  for want of {shown('; '.join(gap.needs))}"


def _totals(report: Report, style: Style) -> str:
    numbers = {"error": 0, "warning": 0, "info": 0}
    for finding in report.new_findings:
        numbers[finding.severity] += 1
    parts = [
        style.severity(severity, f"{number} {severity}{'s' if number != 1 else ''}")
        for severity, number in numbers.items()
        if number and severity != "info"
    ]
    if numbers["info"]:
        parts.append(f"{numbers['info']} note{'s' if numbers['info'] != 1 else ''}")
    nothing = "nothing found" + " for sure" * any(rule.depends for rule in report.undecided)
    return (", ".join(parts) or nothing) + "".join(_others(report))


def _others(report: Report) -> Iterator[str]:
    """What is not among the findings: hidden by an error, undecided, suppressed, known of old."""
    if report.hiding:
        yield f"; {shown(' and '.join(report.hiding))} may hide more"
    if report.undecided:
        number = len(report.undecided)
        yield f"; {number} rule{'s' if number != 1 else ''} not decided"
    if report.suppressed:
        yield f"; {len(report.suppressed)} suppressed"
    if report.baseline is not None:
        resolved = len(report.baseline.resolved)
        yield f"; against the baseline {report.baseline.new} new, {report.baseline.unchanged} unchanged"
        yield f", {resolved} resolved"
