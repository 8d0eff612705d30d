"""Markdown, for the summary of a step of GitHub Actions and for comments on pull and merge requests.

What stands in it was written by strangers, and a comment is read by people and by the site: `@all` calls somebody, `#1`
and `http://` become links, `<img>` loads, `/close` at the beginning of a line is a command of GitLab (lib/gitlab/
quick_actions/extractor.rb). None of that is looked at inside code: whatever is no plain word stands in a code span or
in a code block whose fence is longer than every row of backticks in it, and no line begins with a slash.

One size fits both: the summary of a step is at most 1 MiB (docs.github.com/actions/reference/workflows-and-actions/
workflow-commands), a comment 65,536 characters, as GitHub answers where one is longer.
"""

from __future__ import annotations

import re

from fp8check.rules.plain_text import shown
from fp8check.rules.record import Record
from fp8check.rules.report.lacking import lacking
from fp8check.rules.report.schema import DOCS, place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fp8check.rules.report.formats import Look, Sources
    from fp8check.rules.report.schema import Finding, Plans, Report, Summary

MOST = 65_000  # bytes, of which there are not fewer than characters; the rest is for a mark before them
_LONGEST = 1_000  # characters of a text in a line
_FOR_THE_END = 300  # bytes of what is said of what is left out
_WORST = ("fail", "warn", "undecided", "pass")
_SEVERITIES = ("error", "warning", "info")
# A word that no Markdown and no site makes anything of; with punctuation as sentences have it.
_PLAIN = re.compile(r"[(\"']*[A-Za-z0-9]+(?:[-'.,/][A-Za-z0-9]+)*[)\"']*(?:[.,;:%?][)\"']*)?|[-=·+]", re.ASCII)
# Of these, what becomes a link all the same: www.x, GH-1, a commit.
_LINKED = re.compile(r"(?i)\W*(?:www\.|[A-Z]+-[0-9])", re.ASCII)
_COMMIT = re.compile(r"(?i)(?<![0-9a-z])[0-9a-f]{7,}(?![0-9a-z])", re.ASCII)  # wherever it stands in a word


class _Block(Record):
    """Lines that stand together, and how many findings they tell."""

    text: str
    findings: int = 0


class Page:
    """What there is room for of reports, as they are added: those of the worst runs stand first."""

    def __init__(self) -> None:
        self._blocks: dict[str, list[_Block]] = {verdict: [] for verdict in _WORST}
        self._room = dict.fromkeys(_WORST, MOST)
        self._numbers = dict.fromkeys(_SEVERITIES, 0)
        # By file and fingerprint: a finding of several runs is told once, and counts once.
        self._said: set[tuple[str | None, str]] = set()
        self._undecided: set[str] = set()
        self._failed: set[str] = set()
        self._runs = self._left_out = 0

    def add(self, report: Report) -> None:
        """One report more."""
        self._runs += 1
        self._undecided.update(undecided.rule for undecided in report.undecided)
        self._failed.update(error.rule for error in report.internal_errors)
        for block in self._told(report):
            size = len(block.text.encode())
            if size <= self._room[report.verdict]:
                self._room[report.verdict] -= size
                self._blocks[report.verdict].append(block)
            else:  # no later one takes its place: what is told is told in order
                self._room[report.verdict] = 0
                self._left_out += block.findings

    def text(self) -> str:
        """The whole."""
        text = f"### fp8check: {self._headline()}\n"
        room = MOST - len(text) - _FOR_THE_END
        left_out, item = self._left_out, False
        parts = [text]
        for block in (block for verdict in _WORST for block in self._blocks[verdict]):
            room -= len(block.text.encode()) + 1
            if room < 0:
                left_out += block.findings
                continue
            listed = block.text.startswith("- ")
            parts.append(block.text if item and listed else f"\n{block.text}")
            item = listed
        if left_out:
            parts.append(f"\n{_number(left_out, 'finding')} more in the log and in the reports: no more fit in here.\n")
        return "".join(parts)

    def _headline(self) -> str:
        """What all runs come to, in a few words."""
        named = {"error": "error", "warning": "warning", "info": "note"}
        words = ", ".join(_number(self._numbers[one], name) for one, name in named.items() if self._numbers[one])
        return "; ".join(
            [
                words or "nothing found",
                *([f"{_number(len(self._undecided), 'rule')} not decided"] if self._undecided else ()),
                *([f"{_number(len(self._failed), 'rule')} failed"] if self._failed else ()),
            ]
        ) + (f", in {self._runs} runs" if self._runs > 1 else "")

    def _told(self, report: Report) -> Iterator[_Block]:
        """A run: what it comes to, what to do, and what was found; of one that has no findings, a line."""
        name = ", ".join(code(file.path) for file in report.files) or "the run"
        if report.launch is not None:
            name = code(f"{report.launch.file}:{report.launch.line}")
        if not report.new_findings and not report.internal_errors:
            yield _Block(f"- {name}: nothing found{''.join(_undecided_in_short(report))}\n")
            return
        yield _Block(f"#### {name}\n\n{fenced(_summary(report.summary))}")
        if report.plan is not None:
            yield _Block(_todo(report.plan))
        for crash in report.internal_errors:
            yield _Block(f"- **internal error** in {code(crash.rule)}: {inline(crash.error)}\n", 1)
        again = 0
        for finding in sorted(report.new_findings, key=lambda one: _SEVERITIES.index(one.severity)):
            mark = (finding.file, finding.fingerprint)
            if finding.fingerprint and mark in self._said:
                again += 1
                continue
            self._said.add(mark)
            self._numbers[finding.severity] += 1
            yield _Block(_finding(finding), 1)
        if report.hiding:
            yield _Block(f"- {inline(' and '.join(report.hiding))} may hide more\n")
        if again:
            yield _Block(f"- {_number(again, 'finding')} of another run, told there, too\n")
        for lack in lacking(report.undecided):
            yield _Block(f"- not decided: {lack.sentence(lack.ids(written=inline), inline, code)}\n")


def render(reports: Sequence[Report], _sources: Sources, _look: Look) -> str:
    """The summary of all of them."""
    page = Page()
    for report in reports:
        page.add(report)
    return page.text()


def inline(text: str) -> str:
    """A text in a line: plain words as they are, everything else in code spans, and what has backticks around it."""
    parts = _cut(shown(text)).split("`")
    if len(parts) % 2 == 0:  # one is left over
        parts = ["".join(parts)]
    told = [code(part) if number % 2 else _words(part) for number, part in enumerate(parts)]
    return "".join(told)


def _words(text: str) -> str:
    """Plain words as they are, others in code spans; the spaces at both ends stay."""
    parts: list[str] = []
    odd: list[str] = []
    for word in text.split(" "):
        if word and (not _PLAIN.fullmatch(word) or _LINKED.match(word) or _COMMIT.search(word)):
            odd.append(word)
            continue
        parts += [_odd(odd), word] if odd else [word]
        odd = []
    return " ".join((*parts, _odd(odd)) if odd else parts)


def _odd(words: Sequence[str]) -> str:
    """Words in a code span, and behind it what ends a part of the sentence."""
    text = " ".join(words)
    inside = text.rstrip(",;:") or text
    return code(inside) + text[len(inside) :]


def code(text: str) -> str:
    """A text as a code span, whatever stands in it (spec.commonmark.org, code spans)."""
    text = _cut(shown(text)).strip() or "-"
    fence = "`" * (_longest_row(text) + 1)
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def fenced(lines: Iterable[str]) -> str:
    """Lines as a code block, whatever stands in them."""
    safe = [_cut(shown(line)) for line in lines]
    fence = "`" * max(3, *(_longest_row(line) + 1 for line in safe), 3)
    # None begins with a slash.
    return "\n".join((f"{fence}text", *(f" {line}" for line in safe), fence)) + "\n"


def _longest_row(text: str) -> int:
    """How many backticks stand together."""
    return max(map(len, re.findall("`+", text)), default=0) if "`" in text else 0


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _number(number: int, name: str) -> str:
    return f"{number} {name}{'s' if number != 1 else ''}"


def _summary(summary: Summary) -> Iterator[str]:
    for title, words in summary.lines:
        yield f"{title:<9} {words}"


def _todo(plans: Plans) -> str:
    from fp8check.rules.report.plan_text import short  # where a plan was asked for

    return fenced(short(plans))


def _finding(finding: Finding) -> str:
    place = place_of(finding)
    where = f" {code(f'{place.file}:{place.line}:{place.column}')}" if place is not None else ""
    severity = "note" if finding.severity == "info" else finding.severity
    lines = [f"- **{severity}** {_rule(finding)}{where} {inline(finding.message)}"]
    if finding.help:
        lines.append(f"  Help: {inline(finding.help)}")
    return "\n".join(lines) + "\n"


def _rule(finding: Finding) -> str:
    """The rule, with its page where it is one of ours."""
    ours = finding.url == f"{DOCS}{finding.rule}" and re.fullmatch(r"[A-Z0-9]+", finding.rule)
    return f"[{finding.rule}]({finding.url})" if ours else code(finding.rule)


def _undecided_in_short(report: Report) -> Iterator[str]:
    """What is undecided, a line for each thing that is missing."""
    if report.undecided:
        yield f"; {_number(len(report.undecided), 'rule')} not decided"
        yield from (f"\n  - {gap.sentence(gap.ids(written=inline), inline, code)}" for gap in lacking(report.undecided))
    elif report.verdict == "undecided":
        yield f"; {inline(report.summary.actual)}"
