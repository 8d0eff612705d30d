"""From a question to its reports: the same steps as the command takes, with nothing read but what was sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from fp8check.rules import facts as machine
from fp8check.rules.catalog import RULES
from fp8check.rules.checking.judging import examine_all
from fp8check.rules.checking.runs import WrongFiles, assemble, parse_launch, with_script
from fp8check.rules.reading import Unreadable
from fp8check.rules.report.formats import find
from fp8check.rules.report.json_ import as_data
from fp8check.rules.trainers.detect import read
from fp8check.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fp8check.rules.checking.runs import Assembled
    from fp8check.rules.engine.definition import Rule
    from fp8check.rules.facts import Facts
    from fp8check.rules.seen import Seen
    from fp8check.rules.suppression.examined import Examined
    from fp8check.service.check_request import CheckRequest

INTERNAL_ERROR = "FP999"  # a rule that failed; cannot be left out by naming others
CODES = {"ok": 0, "findings": 1, "undecided": 3, "internal": 4}  # exit codes of the command


class Counts(NamedTuple):
    """What all runs of a check come to, in numbers."""

    verdict: str
    error: int
    warning: int
    info: int
    undecided: int
    crashes: int


class Answer(NamedTuple):
    """What a check came to: the reports as JSON (one object, or a list for several runs), and in the format asked."""

    report: bytes
    body: bytes
    counts: Counts


def answer(question: CheckRequest, own: Callable[[], Facts], format_: str) -> Answer:
    """Check what was asked, and answer in a format.

    Args:
        own: the facts of this machine; called only where the question is about it.
        format_: "text", or the name of one of rules/report/formats.py.

    Raises:
        Problem: the files, the facts or an option cannot be understood.
    """
    reports = examined(question, own)
    data = [as_data(report) for report in reports]
    report = dumped(data)
    return Answer(report, _body(question, reports, data, report, format_), counted(data))


class Requested(NamedTuple):
    """The runs that a question describes, and the rules that are to look at them."""

    runs: list[Assembled]
    rules: Sequence[Rule]


def examined(question: CheckRequest, own: Callable[[], Facts]) -> list[Examined]:
    """The reports, one a run.

    Raises:
        Problem: the files, the facts or an option cannot be understood.
    """
    return reported(assembled(question, own))


def assembled(question: CheckRequest, own: Callable[[], Facts]) -> Requested:
    """The runs that the question describes. Nothing is read but what was sent.

    Raises:
        Problem: the files, the facts or an option cannot be understood.
    """
    try:
        rules = _chosen(question)
        launch = parse_launch(question.launch)
        documents = [read(file.name, file.content()) for file in question.files if not file.is_script]
        facts = _facts(question, own)
        # Never with follow: a name in a body opens no file of this machine.
        runs = assemble(documents, facts, launch=launch, trainer=question.trainer, follow=False)
    except Unreadable as error:
        raise _unreadable(error) from None
    except WrongFiles as error:
        raise Problem("no-run", str(error), errors=[{"message": str(error)}]) from None
    except machine.BadFacts as error:
        raise _bad_facts(error) from None
    for script in [file for file in question.files if file.is_script][:1]:
        runs = [with_script(one, script.name, script.content()) for one in runs]
    return Requested(runs, rules)


def reported(asked: Requested, seen: Sequence[Seen | None] = ()) -> list[Examined]:
    """The reports, one a run; `evidence` is what a probe saw of each run, where there was one."""
    return examine_all(((one.run, one.documents) for one in asked.runs), asked.rules, seen=seen)


def _facts(question: CheckRequest, own: Callable[[], Facts]) -> Facts:
    if question.facts is not None:
        facts = machine.loads(question.facts.content().decode("utf-8-sig", "replace"), question.facts.name)
    elif question.environment:
        facts = own()
    else:
        facts = machine.Facts()
    if question.variables:
        facts = copied(facts)
        facts.variables = {**(facts.variables or {}), **dict(question.variables)}
    return facts


def copied(facts: Facts) -> Facts:
    """Facts that can be changed without changing those of the machine."""
    copy = machine.Facts()
    for name in machine.Facts.__slots__:
        setattr(copy, name, getattr(facts, name))
    return copy


def _chosen(question: CheckRequest) -> Sequence[Rule]:
    if not question.select and not question.ignore:
        return RULES
    for name in (*question.select, *question.ignore):
        if not any(one.id.startswith(name) for one in RULES):
            raise Problem("invalid", f"no rule or group is called {name[:64]}; GET /rules lists them")
    return tuple(
        one
        for one in RULES
        if (not question.select or one.id.startswith(question.select) or one.id == INTERNAL_ERROR)
        and not (question.ignore and one.id.startswith(question.ignore))
    )


def _body(
    question: CheckRequest, reports: Sequence[Examined], data: Sequence[dict[str, object]], report: bytes, format_: str
) -> bytes:
    if format_ == "json":
        return report
    if format_ == "text":
        from fp8check.rules.report import text
        from fp8check.rules.report.style import Style

        style = Style(question.color)
        pages = "\n".join(text.render(one, style, quiet=question.quiet, verbose=question.verbose) for one in reports)
        return pages.encode("utf-8", "replace")
    return rendered(format_, data, sources(question))


def rendered(format_: str, data: Sequence[dict[str, object]], texts: dict[str, str]) -> bytes:
    """Reports in one of the formats that are made from data."""
    known = find(format_)
    if known is None:
        raise ValueError(f"no such format: {format_}")
    return known.render(data, texts).encode("utf-8", "replace")


def sources(question: CheckRequest) -> dict[str, str]:
    """The text of each file, as the reader sees it: without a byte-order mark."""
    return {file.name: file.content().decode("utf-8-sig", "replace") for file in question.files}


def dumped(data: Sequence[dict[str, object]]) -> bytes:
    """The reports as the command's JSON has them: one object, or a list where there are several runs."""
    return json.dumps(data[0] if len(data) == 1 else data, ensure_ascii=False).encode("utf-8", "replace")


def loaded(report: bytes) -> list[dict[str, object]]:
    """The reports that were dumped."""
    data = json.loads(report)
    return data if isinstance(data, list) else [data]


_WORST = ("fail", "warn", "undecided", "pass")


def counted(data: Sequence[dict[str, object]]) -> Counts:
    """The numbers of all runs together."""
    numbers = {"error": 0, "warning": 0, "info": 0}
    undecided = crashes = 0
    for one in data:
        for finding in one["findings"]:  # type: ignore[attr-defined]
            numbers[finding["severity"]] += 1
        outcome: dict[str, object] = one["outcome"]  # type: ignore[assignment]
        undecided += len(one["undecided"]) or outcome["undecided"] is not None  # type: ignore[arg-type]
        crashes += len(one["internal_errors"])  # type: ignore[arg-type]
    verdict = min((str(one["verdict"]) for one in data), key=_WORST.index)
    return Counts(verdict, numbers["error"], numbers["warning"], numbers["info"], undecided, crashes)


def exit_code(counts: Counts, fail_on: str, *, require_evidence: bool) -> int:
    """What the command would exit with."""
    if counts.crashes:
        return CODES["internal"]
    if fail_on != "never" and (counts.error or (fail_on == "warning" and counts.warning)):
        return CODES["findings"]
    return CODES["undecided"] if require_evidence and counts.undecided else CODES["ok"]


def _unreadable(error: Unreadable) -> Problem:
    fault = {"file": error.file, "line": error.line, "column": error.column, "message": error.message}
    if error.hint:
        fault["hint"] = error.hint
    return Problem("unreadable", str(error), errors=[fault])


def _bad_facts(error: machine.BadFacts) -> Problem:
    fault = {"file": error.path, "line": error.line, "column": error.column, "message": error.message}
    return Problem("unreadable", str(error), errors=[{**fault, "pointer": error.pointer}])
