"""The whole chain in its order: who set what, and who overrode it."""

from __future__ import annotations

from fp8check.rules.plain_text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.report.schema import Outcome, Overridden, TraceEntry
    from fp8check.rules.report.terminal import Style


def render(actual: str, outcome: Outcome, style: Style) -> str:
    """The trace of an outcome, for people; `actual` says in one line what it comes to."""
    lines = [f"{style.strong('actual')}    {style.hang}{shown(actual)}", ""]
    if outcome.assumed:
        words = ", ".join(f"{name.replace('_', ' ')} {version}" for name, version in sorted(outcome.assumed.items()))
        lines += [f"assumed   {style.hang}{words}", ""]
    for new in outcome.extrapolated:
        name = new.package.replace("_", " ")
        lines += [f"{name} {shown(new.release)}: extrapolated from {new.executed}: {new.predictions}", ""]
    width = min(48, max((len(entry.setting) for entry in outcome.trace), default=0))
    for entry in outcome.trace:
        value = f"{shown(str(entry.value)):<12}"
        setting = style.strong(f"{shown(entry.setting):<{width}}")
        lines.append(f"{setting}  {style.hang}{value}  {shown(entry.origin.describe())}")
        lines.extend(_beaten(entry, width, style))
    if outcome.error is not None:
        lines += ["", style.bad(f"{outcome.error.stage}: {outcome.error.type}: {shown(outcome.error.message)}")]
    return "\n".join(lines) + "\n"


def _beaten(entry: TraceEntry | Overridden, width: int, style: Style) -> Iterator[str]:
    for other in entry.overrode:
        yield style.faint(
            f"{'':<{width}}  {style.hang}over {shown(str(other.value))}  {shown(other.origin.describe())}"
        )
        yield from _beaten(other, width, style)
