"""From a question to its reports: the same steps as the command takes, with nothing read but what was sent."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, NamedTuple

from fp8check.rules import facts as machine
from fp8check.rules.checking.check import Request, RunRequest, check_request
from fp8check.rules.checking.problems import UnknownRule, WrongFiles
from fp8check.rules.checking.selection import select
from fp8check.rules.checking.verdict import code_of
from fp8check.rules.reading import Unreadable
from fp8check.rules.report.formats import find
from fp8check.rules.report.json_ import as_data
from fp8check.rules.trainers.detect import read
from fp8check.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fp8check.rules.facts import Facts
    from fp8check.rules.suppression.examined import Examined
    from fp8check.service.check_request import CheckRequest


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


def examined(question: CheckRequest, own: Callable[[], Facts]) -> list[Examined]:
    """The reports, one a run.

    Raises:
        Problem: the files, the facts or an option cannot be understood.
    """
    with understood():
        return list(check_request(request_of(question, own)).reports)


def request_of(question: CheckRequest, own: Callable[[], Facts]) -> Request:
    """What is to be checked, for rules/checking. Nothing is read but what was sent: no name in it is followed."""
    selection = select(*(tuple(map(str.upper, names)) for names in (question.options.select, question.options.ignore)))
    documents = tuple(read(file.name, file.content()) for file in question.files if not file.is_script)
    scripts = [(file.name, file.content()) for file in question.files if file.is_script]
    run = RunRequest(
        documents,
        _facts(question, own),
        question.options.launch,
        question.options.trainer,
        follow=False,
        script=scripts[0] if scripts else None,
    )
    return Request((run,), selection.rules, selection.crashes)


def _facts(question: CheckRequest, own: Callable[[], Facts]) -> Facts:
    if question.facts is not None:
        facts = machine.loads(question.facts.content().decode("utf-8-sig", "replace"), question.facts.name)
    elif question.options.environment:
        facts = own()
    else:
        facts = machine.Facts()
    variables = question.options.variables
    return facts.with_variables(variables) if variables else facts


@contextlib.contextmanager
def understood() -> Iterator[None]:
    """Whatever is wrong with a request becomes the service's answer to it.

    Raises:
        Problem: the files, the facts or an option cannot be understood.
    """
    try:
        yield
    except Unreadable as error:
        raise _unreadable(error) from None
    except WrongFiles as error:
        raise Problem("no-run", str(error), errors=[{"message": str(error)}]) from None
    except machine.BadFacts as error:
        raise _bad_facts(error) from None
    except UnknownRule as error:
        raise Problem("invalid", str(error).replace("fp8check rules lists", "GET /rules lists")) from None


def _body(
    question: CheckRequest, reports: Sequence[Examined], data: Sequence[dict[str, object]], report: bytes, format_: str
) -> bytes:
    if format_ == "json":
        return report
    if format_ == "text":
        from fp8check.rules.report import text
        from fp8check.rules.report.style import Style

        look = question.options
        style = Style(look.color)
        pages = "\n".join(text.render(one, style, quiet=look.quiet, verbose=look.verbose) for one in reports)
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
    return code_of(counts._asdict(), fail_on, require_evidence=require_evidence)


def _unreadable(error: Unreadable) -> Problem:
    fault = {"file": error.file, "line": error.line, "column": error.column, "message": error.message}
    if error.hint:
        fault["hint"] = error.hint
    return Problem("unreadable", str(error), errors=[fault])


def _bad_facts(error: machine.BadFacts) -> Problem:
    fault = {"file": error.path, "line": error.line, "column": error.column, "message": error.message}
    return Problem("unreadable", str(error), errors=[{**fault, "pointer": error.pointer}])
