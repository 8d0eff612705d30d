"""What to do, as HTML: the steps, the command, what they lead to, and each changed file before and after."""

from __future__ import annotations

from html import escape

from fp8check.rules.edits.differing import lines_of
from fp8check.rules.plain_text import shown
from fp8check.rules.record import Record
from fp8check.rules.report.frames import NOT_QUOTED
from fp8check.rules.report.htmlsource import gap, markup
from fp8check.rules.report.plan_text import GOALS, command_of, figures, happens, without_bf16, words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from fp8check.rules.report.formats import Sources
    from fp8check.rules.report.schema import Edit, Plan, Plans, Step

_MOST_STEPS = 200
_MOST_FILES = 8
_MOST_LINES = 400  # of a file, before and after
_AROUND = 3  # lines that are shown on either side of a change
_WHOLE = 60  # a file of so many lines is shown whole
_WIDEST = 2000
_LARGEST = 60_000  # characters of a file that can be copied
_ELSE = "fp8check fix writes it, and keeps all of it"


class _Changed(Record):
    """A file before and after.

    Attributes:
        old, new: the lines that differ, by their number from 1.
    """

    before: str
    after: str
    old: frozenset[int]
    new: frozenset[int]


def todo(plans: Plans, sources: Sources, run: int) -> str:
    """What to do about a run; `run`: its number, for the ids of the page."""
    title = f"todo-{run}"
    if not plans.plans:
        reasons = "".join(f"<li>{markup(reason)}</li>" for reason in plans.why_not)
        bf16 = _in_bf16(plans, sources, run)
        inside = f'<h3 id="{title}">No way to {GOALS[plans.goal]} was found</h3><ul>{reasons}</ul>{bf16}'
        return f'<section class="todo" aria-labelledby="{title}">{inside}</section>'
    first, *others = [_plan(plans, number, sources, f"{run}-{number}") for number in range(1, len(plans.plans) + 1)]
    name = "What to do" if plans.plans[0].steps else "Nothing to do"
    rest = "".join(
        f'<details class="other"><summary>Or: {markup(figures(plan))}</summary>{text}</details>\n'
        for plan, text in zip(plans.plans[1:], others, strict=True)
    )
    return f'<section class="todo" aria-labelledby="{title}">\n<h3 id="{title}">{name}</h3>\n{first}{rest}</section>'


def _in_bf16(plans: Plans, sources: Sources, run: int) -> str:
    """What a run in BF16 would take, where there is no way to FP8."""
    if plans.in_bf16 is None:
        told, colon, command = without_bf16(plans).partition("fp8check ")
        code = f"<code>{colon}{command}</code>" if colon else ""
        return f"<p>{told[:1].upper()}{told[1:]}{code}</p>" if plans.goal == "fp8" else ""
    instead = plans._replace(goal="bf16", plans=(plans.in_bf16,), in_bf16=None)
    text = _plan(instead, 1, sources, f"{run}-bf16")
    return f'<details class="other"><summary>In BF16: {markup(figures(plans.in_bf16))}</summary>{text}</details>'


def _plan(plans: Plans, number: int, sources: Sources, id_: str) -> str:
    found = plans.plans[number - 1]
    steps = [step for step in found.steps if step.kind != "launch"]
    rows = "".join(f"<li>{_step(step)}</li>\n" for step in steps[:_MOST_STEPS])
    more = f"<p>{len(steps) - _MOST_STEPS:,} steps more are not on this page.</p>" if len(steps) > _MOST_STEPS else ""
    how = f'<p class="how">All files at once: <code>{markup(command_of(plans, number))}</code></p>\n' if steps else ""
    launch = f"<h4>Start with</h4>\n{_text(found.launch)}\n" if found.launch else ""
    return (
        f"{how}{f'<ol class=steps>{rows}</ol>' if rows else ''}{more}{launch}{_then(plans, found)}"
        f'<div class="changes">\n{"".join(_files(found, sources, id_))}</div>\n'
    )


def _then(plans: Plans, found: Plan) -> str:
    """What happens then."""
    left = dict.fromkeys(finding.rule for finding in found.remaining if finding.severity == "warning")
    rows = [*happens(found.summary, plans.goal), *([("warnings", ", ".join(left))] if left else [])]
    lines = "".join(f"<div><dt>{name}</dt><dd>{markup(text)}</dd></div>" for name, text in rows)
    return f'<dl class="summary">{lines}</dl>\n'


def _step(step: Step) -> str:
    where = f'<span class="where">{markup(words_of(step)[0])}</span> '
    if step.kind == "edit" and step.by_hand is None:
        parts = [f"<{tag}>{markup(text)}</{tag}>" for tag, text in (("del", step.before), ("ins", step.after)) if text]
        return where + " ".join(parts)
    if step.kind == "file":
        return f"{where}is new"
    if step.kind == "edit":
        return where + markup(words_of(step)[1])
    return where + _text(words_of(step)[1])


def _text(text: str) -> str:
    """A text to be copied (page.js has the button); as it is, or not at all."""
    kept = _is_kept(text)
    css, inside = ("text", escape(text)) if kept else ("text seen", markup(text))
    return f'<pre class="{css}" tabindex="0" role="group" aria-label="the command"><code>{inside}</code></pre>'


def _is_kept(text: str) -> bool:
    """Whether a page gives a text back as it is: no character is written otherwise, and no credential is masked."""
    seen = text.replace("\n", "").replace("\t", "")
    return shown(seen) == seen and not any("***" in line and line.strip("*#-=/ ") for line in text.split("\n"))


def _files(found: Plan, sources: Sources, id_: str) -> Iterator[str]:
    """The files that a plan changes, and those that it adds."""
    edits: dict[str, list[Edit]] = {}
    for edit in found.fix.edits if found.fix is not None else ():
        edits.setdefault(edit.file, []).append(edit)
    if found.fix is None and any(step.kind == "edit" for step in found.steps):
        why = "A changed line has a credential, or its file is outside of the run's folder"
        yield f'<p class="kept">{why}: {_ELSE}.</p>\n'
    new = {step.file: step.after for step in found.steps if step.kind == "file" and step.file and step.after}
    for number, path in enumerate([*edits, *new][:_MOST_FILES]):
        title = f"then-{id_}-{number}"
        if path in new and path not in edits:
            inside = _as_it_is_then(path, new[path] or "", is_open=True)
        elif path in sources:
            changed = _applied(sources[path], edits[path])
            inside = f"{_panes(changed)}{_as_it_is_then(path, changed.after, is_open=False)}"
        else:
            inside = f"<p>{markup(NOT_QUOTED)}</p>"
        kind = "new" if path in new else "changed"
        yield (
            f'<figure class="file" aria-labelledby="{title}"><figcaption id="{title}"><b>{markup(path)}</b> '
            f"<span>{kind}</span></figcaption>{inside}</figure>\n"
        )
    if len(edits) + len(new) > _MOST_FILES:
        yield f"<p>{len(edits) + len(new) - _MOST_FILES} files more are not on this page.</p>\n"


def _as_it_is_then(path: str, text: str, *, is_open: bool) -> str:
    """The whole file, to be copied or saved; where a page cannot give it back as it is, that is said."""
    if len(text) > _LARGEST:
        return f'<p class="kept">The file is too large for this page: {_ELSE}.</p>'
    if not _is_kept(text):
        return f'<p class="kept">The file has a credential, or characters that a page cannot keep: {_ELSE}.</p>'
    name = markup(path.replace("\\", "/").rpartition("/")[2])
    named = f'role="group" aria-label="{name}, as it is then" data-name="{name}"'
    whole = f'<pre class="text" tabindex="0" {named}><code>{escape(text)}</code></pre>'
    return f"<details{' open' if is_open else ''}><summary>The whole file, as it is then</summary>{whole}</details>"


def _applied(before: str, edits: Sequence[Edit]) -> _Changed:
    """A file with edits of whole lines made; one that does not fit behind those before it is left out."""
    lines = lines_of(before)
    made: list[str] = []
    old: set[int] = set()
    new: set[int] = set()
    at = 0
    for edit in sorted(edits, key=lambda one: (one.line, one.end_line)):
        first, last = edit.line - 1, edit.end_line - (edit.end_column == 1)
        if not at <= first <= last <= len(lines):
            continue
        made += lines[at:first]
        old.update(range(first + 1, last + 1))
        added = lines_of(edit.text)
        new.update(range(len(made) + 1, len(made) + len(added) + 1))
        made += added
        at = last
    after = "".join((*made, *lines[at:]))
    return _Changed(before, after, frozenset(old), frozenset(new))


def _panes(changed: _Changed) -> str:
    """The lines before and after, side by side where there is room."""
    panes = (("before", changed.before, changed.old, "gone"), ("after", changed.after, changed.new, "new"))
    inside = "".join(
        f'<div><h4>{name}</h4><ol class="source">{"".join(_rows(lines_of(text), marked, css))}</ol></div>'
        for name, text, marked, css in panes
    )
    return f'<div class="panes">{inside}</div>'


def _rows(lines: Sequence[str], marked: Collection[int], css: str) -> Iterator[str]:
    """The lines that differ, and those around them; of a short file all."""
    wanted = range(1, len(lines) + 1) if len(lines) <= _WHOLE else sorted(_near(len(lines), marked))
    before = 0
    for at in wanted[:_MOST_LINES]:
        yield gap(before + 1, at - 1)
        mark = f' class="{css}"' if at in marked else ""
        tag = {"gone": "del", "new": "ins"}[css] if at in marked else "span"
        text = markup(lines[at - 1].rstrip("\r\n")[:_WIDEST]) or " "
        yield f'<li value="{at}"{mark}><code><{tag}>{text}</{tag}></code></li>\n'
        before = at
    yield gap(before + 1, len(lines))


def _near(count: int, marked: Collection[int]) -> set[int]:
    found: set[int] = set()
    for at in sorted(marked)[:_MOST_LINES]:
        found.update(range(max(1, at - _AROUND), min(count, at + _AROUND) + 1))
    return found
