"""The whole chain in its order: who set what, and who overrode it."""

from __future__ import annotations

from fp8check.rules.report.frames import visible
from fp8check.rules.report.text import happens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.outcome import Outcome
    from fp8check.rules.report.style import Style
    from fp8check.rules.settings.values import Setting


def render(outcome: Outcome, style: Style) -> str:
    """The trace of an outcome, for people."""
    lines = [f"{style.strong('happens')}   {happens(outcome)}", ""]
    if outcome.stack.assumed:
        words = ", ".join(
            f"{name.replace('_', ' ')} {version}" for name, version in sorted(outcome.stack.assumed.items())
        )
        lines += [f"assumed   {words}", ""]
    names = [name for name, _ in outcome.settings()]
    width = min(48, max((len(name) for name in names), default=0))
    for name, setting in outcome.settings():
        lines.append(
            f"{style.strong(f'{name:<{width}}')}  {visible(str(setting.value)):<12}  {setting.origin.describe()}"
        )
        lines.extend(_beaten(setting, width, style))
    if outcome.error is not None:
        lines += ["", style.bad(f"{outcome.error.stage}: {outcome.error.type}: {visible(outcome.error.message)}")]
    return "\n".join(lines) + "\n"


def _beaten(setting: Setting, width: int, style: Style) -> Iterator[str]:
    for other in setting.overrode:
        yield style.faint(f"{'':<{width}}  over {visible(str(other.value))}  {other.origin.describe()}")
        yield from _beaten(other, width, style)
