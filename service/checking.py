"""From a check request to its reports: the same steps as the command takes, with nothing read but what was sent."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from os.path import basename
from typing import TYPE_CHECKING, NamedTuple

from fp8check.rules import facts as machine
from fp8check.rules.checking.advising import advised
from fp8check.rules.checking.planning import after, plan_request, plans_for
from fp8check.rules.checking.request import Request, RunRequest
from fp8check.rules.checking.request import check_request as run_check
from fp8check.rules.checking.runs import WrongFiles, parse_launch
from fp8check.rules.checking.selection import UnknownRule, select
from fp8check.rules.checking.verdict import WORST, Counts, counted
from fp8check.rules.credentials import MASK, is_secret, masked, masked_shapes, of_the_same_width
from fp8check.rules.engine.gate import BadRequirement, parsed
from fp8check.rules.plain_text import plain
from fp8check.rules.reading import Unreadable
from fp8check.rules.report import html
from fp8check.rules.report.build import full_report
from fp8check.rules.report.formats import Look, find
from fp8check.rules.report.json_ import data_of
from fp8check.rules.report.plan import as_json, as_text
from fp8check.rules.report.stored import all_from_data
from fp8check.rules.report.terminal import Style
from fp8check.rules.trainers.detect import read
from fp8check.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fp8check.rules.facts import Facts
    from fp8check.rules.report.schema import Plans, Report
    from fp8check.rules.suppression.examined import Examined
    from fp8check.service.check_request import CheckRequest
    from fp8check.service.store import Stored


class Answer(NamedTuple):
    """What a check came to: the reports as JSON (one object, or a list for several runs), and in the format asked; and
    the request as it is stored, without credentials."""

    report: bytes
    body: bytes
    counts: Counts
    check_request: bytes


class PlanAnswer(NamedTuple):
    """What to do, in the format asked. `reached`: whether there is a plan."""

    body: bytes
    reached: bool


def plan(check_request: CheckRequest, own: Callable[[], Facts], format_: str, seconds: float) -> PlanAnswer:
    """What to do about the runs of a request: what `fp8check plan` prints.

    Args:
        own: see `answer`.
        format_: "json" or "text".
        seconds: of CPU, after which what was found by then is given.

    Raises:
        Problem: the files, the facts or an option cannot be understood.
    """
    options = check_request.options
    with understood():
        planned = plan_request(request_of(check_request, own), options.goal, spent=after(seconds))
    text = as_json(planned) if format_ == "json" else as_text(planned, Style(options.color))
    return PlanAnswer(text.encode(), planned.reached)


def answer(check_request: CheckRequest, own: Callable[[], Facts], format_: str) -> Answer:
    """Check what was asked, and answer in a format.

    Args:
        own: the facts of this machine; called only where the request is about it.
        format_: "text", or the name of one of rules/report/formats.py.

    Raises:
        Problem: the files, the facts or an option cannot be understood.
    """
    with understood():
        request = request_of(check_request, own)
        checked = run_check(request)
        plans = plans_for(request, checked, asked=True) if check_request.options.plan else {}
        reports = advised(request, checked).reports
    return answer_of(check_request, reports, format_, plans)


def answer_of(
    check_request: CheckRequest, runs: Sequence[Examined], format_: str, plans: Mapping[int, Plans] | None = None
) -> Answer:
    """The answer to a request whose runs are examined.

    Args:
        plans: what to do about them, by the report that has it.
    """
    reports = [full_report(run)._replace(plan=(plans or {}).get(number)) for number, run in enumerate(runs)]
    report = dumped(reports)
    body = report if format_ == "json" else rendered(check_request, reports, format_)
    return Answer(report, body, counted(runs), discreet(check_request).dumped())


_CONFIGURATIONS = (".yaml", ".yml", ".json")


def request_of(check_request: CheckRequest, own: Callable[[], Facts]) -> Request:
    """What is to be checked, for rules/checking. Nothing is read but what was sent: no name in it is followed."""
    options = check_request.options
    selection = select(*(tuple(name.upper() for name in names) for names in (options.select, options.ignore)))
    started = _started(options.launch, options.trainer)
    # What is named as a configuration is one, whatever a launcher is told to start: FP305 says that.
    scripts = [
        file
        for file in check_request.files
        if file.is_script or (basename(file.name) == started and not file.name.endswith(_CONFIGURATIONS))
    ]
    documents = tuple(read(file.name, file.content()) for file in check_request.files if file not in scripts)
    # The one that the launch names; where none of them is, the first says what it is not.
    script = next((file for file in scripts if basename(file.name) == started), scripts[0] if scripts else None)
    run = RunRequest(
        documents,
        _facts(check_request, own),
        options.launch,
        options.trainer,
        follow=False,
        script=None if script is None else (script.name, script.content()),
        scripts=tuple((file.name, file.content()) for file in scripts),
    )
    return Request((run,), selection.rules, selection.crashes, requirements=parsed(options.require))


def _started(launch: str | None, trainer: str | None) -> str | None:
    """The name of the script that a launch command starts, without its folder: it need not end in .py."""
    parsed = parse_launch(launch, trainer)
    return None if parsed is None or parsed.script is None or parsed.is_module else basename(parsed.script)


def _facts(check_request: CheckRequest, own: Callable[[], Facts]) -> Facts:
    if check_request.facts is not None:
        facts = machine.loads(check_request.facts.content().decode("utf-8-sig", "replace"), check_request.facts.name)
    elif check_request.options.environment:
        facts = own()
    else:
        facts = machine.Facts()
    variables = check_request.options.variables
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
    except BadRequirement as error:
        raise Problem("invalid", str(error)) from None
    except UnknownRule as error:
        raise Problem("invalid", str(error).replace("fp8check rules lists", "GET /rules lists")) from None


def rendered(check_request: CheckRequest, reports: Sequence[Report], format_: str) -> bytes:
    """Reports in a format, as the request wants them to look."""
    known = find(format_)
    if known is None:
        raise ValueError(f"no such format: {format_}")
    options = check_request.options
    look = Look(options.color, options.quiet, options.verbose)
    return known.render(reports, sources(check_request), look).encode()


def stored_as(stored: Stored, check_request: CheckRequest, format_: str | None) -> bytes:
    """A stored check in a format: as JSON, what was stored; None: the part of the page that shows it."""
    if format_ == "json":
        return stored.report
    reports = loaded(stored.report)
    return page_part(check_request, reports) if format_ is None else rendered(check_request, reports, format_)


def page_part(check_request: CheckRequest, reports: Sequence[Report]) -> bytes:
    """The part of the service's page that shows reports, as HTML."""
    return html.body(reports, sources(check_request), todo_first=True).encode("utf-8", "replace")


def sources(check_request: CheckRequest) -> dict[str, str]:
    """The text of each file, as the reader sees it, without a byte-order mark; and without credentials."""
    texts = {file.name: file.content().decode("utf-8-sig", "replace") for file in check_request.files}
    scripts = {file.name for file in check_request.files if file.is_script}
    return {name: masked(text, of_the_same_width, code=name in scripts) for name, text in texts.items()}


def discreet(check_request: CheckRequest) -> CheckRequest:
    """The request as it is stored: without credentials, which no report of it needs."""
    files = tuple(
        file._replace(text=masked(file.text, of_the_same_width, code=file.is_script)) for file in check_request.files
    )
    facts, options = check_request.facts, check_request.options
    return check_request._replace(
        files=files,
        facts=None if facts is None else facts._replace(text=masked(facts.text)),
        options=replace(
            options,
            launch=None if options.launch is None else masked(options.launch),
            variables={name: MASK if is_secret(name, value) else value for name, value in options.variables.items()},
        ),
    )


def dumped(reports: Sequence[Report]) -> bytes:
    """The reports as they are stored: the command's JSON, in one line."""
    return plain(masked_shapes(json.dumps(data_of(reports), ensure_ascii=False)), "json").encode()


def loaded(report: bytes) -> list[Report]:
    """The reports that were dumped."""
    return all_from_data(json.loads(report))


def numbers(counts: Counts) -> str:
    """The counts as they are stored beside the verdict: "errors/warnings/notes/undecided/crashes"."""
    return "/".join(str(number) for number in list(counts.as_dict().values())[1:])


def counts_of(stored: Stored) -> Counts:
    """The counts of a stored check."""
    verdict = next(one for one in WORST if one == stored.verdict)
    return Counts(verdict, *(int(number) for number in stored.findings.split("/")))


def _unreadable(error: Unreadable) -> Problem:
    fault = {"file": error.file, "line": error.line, "column": error.column, "message": error.message}
    if error.hint:
        fault["hint"] = error.hint
    return Problem("unreadable", str(error), errors=[fault])


def _bad_facts(error: machine.BadFacts) -> Problem:
    fault = {"file": error.path, "line": error.line, "column": error.column, "message": error.message}
    return Problem("unreadable", str(error), errors=[{**fault, "pointer": error.pointer}])
