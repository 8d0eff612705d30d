"""What to do, in the lines of a text: the end of a report, and what `fp8check plan` prints."""

from __future__ import annotations

from fp8check.rules.plain_text import shown
from fp8check.rules.report.terminal import Style

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.report.schema import Plan, Plans, Step, Summary

MOST = 40  # lines of what stands where there is little room
WIDTH = 18  # of the column before what is to be done
UNKNOWN_MEMORY = "not known, and so not whether it fits"
_STEPS = 8  # that a sentence has
_LONGEST = 300  # characters of one of them
_WIDE = 80  # columns of a terminal that has room for the column before the text of a file
GOALS = {"fp8": "FP8", "bf16": "BF16"}


BETTER = "one way; fp8check plan looks for a better one, which fix --goal takes"
LATER = "fp8check plan, on the same files, tries more than a check has time for"


def lines(plans: Plans, style: Style) -> Iterator[str]:
    """All plans; where there is none, what stands against the goal."""
    if not plans.plans and not plans.why_not:
        yield style.strong("what to do") + f"  {style.command}{LATER}"
        return
    if not plans.plans:
        yield style.strong(f"no way to {GOALS[plans.goal]} was found")
        for reason in plans.why_not:
            yield f"  {shown(reason)}"
        if plans.goal == "fp8":
            yield from _in_bf16(plans, style)
        return
    for number, plan in enumerate(plans.plans, 1):
        if number > 1:
            yield ""
        yield from _plan(plan, number, plans, style)


def without_bf16(plans: Plans) -> str:
    """Where to ask for a run in BF16, where nobody looked; that there is none either, where somebody did."""
    if plans.neither == "whole":
        return "no way to BF16 was found, either"
    command = "fp8check plan --goal bf16"
    if plans.neither == "cut":
        return f"for a run in BF16 none was found, either; more is tried by {command}"
    return f"for a run in BF16: {command}"


def _in_bf16(plans: Plans, style: Style) -> Iterator[str]:
    """What a run in BF16 would take."""
    found = plans.in_bf16
    if found is None:
        yield f"  {without_bf16(plans)}"
        return
    yield style.strong("in BF16") + (" (fp8check fix --goal bf16)" if found.steps else " nothing would have to be done")
    for number, step in enumerate(found.steps, 1):
        yield from step_lines(step, number, style)
    yield from promised(found.summary, "bf16", style)


def short(plans: Plans) -> list[str]:
    """What to do, where there is little room: the first plan as far as it goes, and what the others lead to."""
    plain = Style(on=False)
    said = [*lines(plans._replace(plans=plans.plans[:1]), plain)]
    if len(said) > MOST:
        said[MOST:] = [
            f"  and {len(said) - MOST} lines more: {command_of(plans, 1)} makes them, fp8check plan shows them"
        ]
    for number, plan in enumerate(plans.plans[1:], 2):
        said.append(f"or ({command_of(plans, number)}): {figures(plan)}")
    return said


def sentence(plans: Plans, number: int) -> str:
    """A plan in one sentence: what is done, as a whole, and what it leads to.

    Args:
        number: which plan, from 1.
    """
    found = plans.plans[number - 1]
    steps = [" ".join(words_of(step)) for step in found.steps if step.kind != "file"]
    steps += [f"{step.file} (new)" for step in found.steps if step.kind == "file"]
    more = f"; and {len(steps) - _STEPS} steps more" if len(steps) > _STEPS else ""
    told = shown("; ".join(_cut(step) for step in steps[:_STEPS]))
    return f"The whole plan ({command_of(plans, number)}): {told}{more}. Then {figures(found)}"


def figures(found: Plan) -> str:
    """What a plan leads to, in one line."""
    return shown("; ".join(text for text in (found.summary.actual, found.summary.speed) if text))


def command_of(plans: Plans, number: int) -> str:
    """The command that makes a plan."""
    return f"fp8check fix --goal {plans.goal}" + (f" --plan {number}" if number > 1 else "")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _plan(found: Plan, number: int, plans: Plans, style: Style) -> Iterator[str]:
    command = command_of(plans, number)
    if not found.steps:
        yield style.strong("nothing to do")
    else:
        told = BETTER if plans.cut else command
        yield style.strong("what to do" if number == 1 else "or") + f" ({told})"
    last = 0
    for last, step in enumerate(found.steps, 1):
        yield from step_lines(step, last, style)
    if found.launch is not None and not any(one.kind == "launch" for one in found.steps):
        yield f"  {last + 1}. {'start with':<{WIDTH - 3}}{style.hang}{style.command}{shown(found.launch)}"
    yield from promised(found.summary, plans.goal, style)
    left = [finding.rule for finding in found.remaining if finding.severity == "warning"]
    if left:
        yield f"  {'warnings':<{WIDTH}}{style.hang}{shown(', '.join(dict.fromkeys(left)))}"


def promised(summary: Summary, goal: str, style: Style) -> Iterator[str]:
    """What happens then, in lines."""
    for name, text in happens(summary, goal):
        yield f"  {name:<{WIDTH}}{style.hang}{shown(text)}"


def happens(summary: Summary, goal: str) -> Iterator[tuple[str, str]]:
    """What happens then, by what it is about; that nobody knows whether a run in FP8 fits is said as well, or it would
    pass for a yes."""
    lines = {"then": summary.actual, "": summary.assumed}
    if goal == "fp8":
        lines |= {"speed": summary.speed, "memory": summary.memory or _unknown_memory(summary)}
    for name, text in lines.items():
        if text is not None:
            yield name, text


def _unknown_memory(summary: Summary) -> str:
    lacks = summary.memory_lacks
    return UNKNOWN_MEMORY if lacks is None else f"{UNKNOWN_MEMORY}: open is {lacks}"


def step_lines(step: Step, number: int, style: Style) -> Iterator[str]:
    """One step; the text of a new file follows it, and so do the lines of an entry that has several."""
    where, what = words_of(step)
    gap = " " if len(where) >= WIDTH - 3 else ""
    command = style.command if step.kind in ("launch", "variable", "package") else ""
    yield f"  {number}. {style.name(shown(where)):<{WIDTH - 3}}{gap}{style.hang}{command}{what}"
    # On a narrow terminal the text is what has to have room.
    indent = WIDTH + 2 if style.width is None or style.width >= _WIDE else 4
    yield from (f"{'':<{indent}}{shown(line)}" for line in _block(step))


def _block(step: Step) -> list[str]:
    """The lines that are to stand in a file, where they are more than one."""
    lines = (step.after or "").splitlines()
    is_written = step.kind == "file" or (step.kind == "edit" and step.by_hand is None and len(lines) > 1)
    return lines if is_written else []


def _entry(text: str | None) -> str:
    """An entry in a line: the first of its lines, and how many there are."""
    first, *more = (text or "").splitlines() or [""]
    return shown(first) if not more else f"{shown(first)} ... ({len(more) + 1} lines)"


def words_of(step: Step) -> tuple[str, str]:
    """Where a step is made, and what it is, both safe in a line."""
    before, after = shown(step.before or ""), shown(step.after or "")
    if step.kind == "edit":
        where = str(step.file) if step.line is None else f"{step.file}:{step.line}"
        if step.by_hand is not None:
            return where, f"{shown(step.by_hand)}: {f'write {after}' if after else f'take {before} out'} yourself"
        if step.before is None:
            return where, f"add {_entry(step.after)}"
        if step.after is None:
            return where, f"delete {_entry(step.before)}"
        return where, f"{_entry(step.before)} -> {_entry(step.after)}"
    if step.kind == "file":
        return str(step.file), "new file:"
    if step.kind == "launch":
        return "start with", after
    if step.kind == "variable":
        return "in the shell", f"export {after}" if "=" in after else f"unset {after}"
    return "install", f"pip install {after}"
