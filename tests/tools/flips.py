"""`fp8check explain` held against what other values do: each line of many runs, flipped.

python -m tests.tools.flips [--of catalog|conformance] [--every N] [--only WORDS] [--workers N]

The runs are the cases of the catalog, and those that were given to the real packages (tests/conformance/). Of a line that
explain calls without effect ("changes nothing here", or "is overridden" and nothing else), every entry is given other
values, and taken out, by code that shares nothing with explain's own: the values are true and false, numbers, texts
that nobody knows, and whatever the cases of the catalog write for that key. The verdict, the outcome and the errors have
to stay. Of a line that explain says decides or matters, the same values are tried, and one of them has to change
something of the report: the outcome, a finding, or what is decided.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import re
import sys
from collections import Counter
from contextlib import ExitStack
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import yaml

from fp8check.rules.checking.advising import looked_behind
from fp8check.rules.checking.request import Request, RunRequest, check_request
from fp8check.rules.checking.trying import Trials
from fp8check.rules.input_error import InputError
from fp8check.rules.reading.kind import Kind
from fp8check.rules.record import Record
from fp8check.rules.report import build
from fp8check.rules.report.line import explain_line, is_to_be_tried
from fp8check.rules.suppression.examined import MARK
from fp8check.rules.trainers.detect import read
from tests.support.cases import CASES
from tests.support.paths import TESTS
from tests.tools.conformance import cases as conformance_cases
from tests.tools.journeys import catalog, conformance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from fp8check.rules.reading import Document
    from fp8check.rules.suppression.examined import Examined

    Start = tuple[str, Callable[[], AbstractContextManager[RunRequest]]]

KINDS = ("training", "accelerate", "deepspeed")
MORE = ("seen", "crashing", "today", "require", "named")
NUMBERS = (0, 1, 2, 3, 4, 7, 16, 1000)
TEXTS = ("nobody-knows-this", "2")
MOST = 24  # values of one entry


class Flipped(Record):
    """One line.

    Attributes:
        claim: "nothing" where explain calls it without effect, "decides" where it says that it decides or matters.
        flips: values that were tried.
        changing: those that change the verdict, the outcome or an error, with what.
        telling: how many change something of the report.
        skipped: values with which the file is taken for one of another trainer.
    """

    case: str
    line: str
    claim: str
    flips: int
    changing: tuple[str, ...]
    telling: int
    skipped: int

    @property
    def is_wrong(self) -> bool:
        """Whether what explain says does not hold."""
        return bool(self.changing) if self.claim == "nothing" else not self.telling and not self.skipped


def cases() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every case of the catalog that is a run of files and facts."""
    for rule, file in CASES.items():
        for kind in ("found", "not found", "undecided"):
            if isinstance(file.get(kind), list):
                yield from (
                    (f"{rule} {one['name']}", one) for one in file[kind] if not any(name in one for name in MORE)
                )


def starts(of: str) -> Iterator[Start]:
    """The runs, by name, each with how it is opened."""
    if of == "catalog":
        yield from ((name, partial(_opened, case)) for name, case in cases())
        return
    newest = conformance_cases.read(TESTS / "conformance" / "newest.jsonl")
    yield from ((one["id"], partial(conformance.request_of, one)) for one in (*newest, *conformance.of_commands()))


@contextlib.contextmanager
def _opened(case: Mapping[str, Any]) -> Iterator[RunRequest]:
    with ExitStack() as stack:
        yield catalog.request_of(case, stack)


@cache
def vocabulary() -> Mapping[str, tuple[object, ...]]:
    """What the catalog writes for each key."""
    found: dict[str, dict[str, object]] = {}
    for _, case in cases():
        for kind in KINDS:
            with contextlib.suppress(yaml.YAMLError):
                for key, value in _entries(yaml.safe_load(str(case.get(kind, "")))):
                    if "$" not in str(value):  # what is filled in later, or is to be and is not, is no value
                        found.setdefault(key, {})[repr(value)] = value
    return {key: tuple(values.values()) for key, values in found.items()}


def _entries(data: object) -> Iterator[tuple[str, object]]:
    for key, value in data.items() if isinstance(data, dict) else ():
        if isinstance(value, dict):
            yield from _entries(value)
        elif value is None or isinstance(value, (bool, int, float, str)):
            yield str(key), value


def flipped(start: Start) -> Iterator[Flipped]:
    """The lines of the files of a run."""
    name, opened = start
    with opened() as part:
        report = _report(part)
        if report is not None:
            for document in part.documents:
                if document.kind in KINDS and document.root is not None and MARK not in document.text:
                    yield from _of_file(name, part, report, document)


def _of_file(name: str, part: RunRequest, report: Examined, document: Document) -> Iterator[Flipped]:
    before, told = _signature(report), _told(report)
    try:
        data = _loaded(document)
        plain = _written(document, data)
        same = _report(_with_text(part, document, plain)) if isinstance(data, dict) else None
    except (yaml.YAMLError, ValueError, InputError):
        return
    if same is None or _signature(same) != before or _told(same) != told:
        return  # what is written here is not what its data says: a key twice, an unquoted word
    # A config.json that is given is that of whatever name stands there.
    model = report.inputs.run.training.model
    names_model = model is not None and any(one.kind == "model" for one in part.documents)
    for number, keys in _lines(document.text, data).items():
        claim = _claim(part, report, document.path, number)
        if claim is None or (names_model and model in [_at(data, one) for one in keys]):
            continue
        flips, changing, telling, skipped = 0, [], 0, 0
        for keyed in keys:
            for said, changed in _flips(data, keyed):
                text = _written(document, changed)
                try:
                    if _is_another(part, document.path, plain, text):
                        skipped += 1
                        continue
                    changed_part = _with_text(part, document, text)
                except InputError:  # nothing reads it
                    changed_part = None
                flips += 1
                after = None if changed_part is None else _report(changed_part)
                now = None if after is None else _signature(after)
                if now != before:
                    changing.append(f"{said}: {before} -> {now}")
                telling += after is None or now != before or _told(after) != told
        line = f"{document.kind}:{number} {document.text.splitlines()[number - 1].strip()}"
        if flips:
            yield Flipped(name, line, claim, flips, tuple(changing), telling, skipped)


def _loaded(document: Document) -> Any:
    return json.loads(document.text) if document.path.endswith(".json") else yaml.safe_load(document.text)


def _written(document: Document, data: object) -> str:
    if document.path.endswith(".json"):
        return json.dumps(data, indent=1)
    return yaml.safe_dump(data, sort_keys=False)


def _with_text(part: RunRequest, document: Document, text: str) -> RunRequest:
    """The run with another text of a file, which is read for what it was."""
    made = read(document.path, text.encode(), loader=document.loader)
    made = made.as_kind(Kind(document.kind, document.dialect, document.loader))
    return part._replace(documents=tuple(made if one.path == document.path else one for one in part.documents))


def _is_another(part: RunRequest, path: str, before: str, after: str) -> bool:
    """Whether what is left of a file is taken for one of another trainer: a case says whose it is, and by whom read."""
    was, is_ = (read(path, text.encode(), trainer=part.trainer) for text in (before, after))
    return is_.kind != "other" and (was.dialect, was.loader) != (is_.dialect, is_.loader)


def _lines(text: str, data: dict[Any, Any]) -> dict[int, list[tuple[Any, ...]]]:
    """The entries that begin on each line, by the keys that lead there."""
    found: dict[int, list[tuple[Any, ...]]] = {}
    pending = [((), yaml.compose(text, yaml.SafeLoader), data)]
    while pending:
        keys, node, value = pending.pop()
        if not isinstance(node, yaml.MappingNode) or not isinstance(value, dict):
            continue
        for (key, child), name in zip(node.value, value, strict=False):
            found.setdefault(key.start_mark.line + 1, []).append((*keys, name))
            pending.append(((*keys, name), child, value[name]))
    return found


def _flips(data: dict[Any, Any], keys: tuple[Any, ...]) -> Iterator[tuple[str, dict[Any, Any]]]:
    *above, last = keys
    value = _at(data, keys)
    others: list[object] = []
    if isinstance(value, bool):
        others = [not value]
    elif isinstance(value, int):
        others = [*NUMBERS, value * 2, value + 1]
    elif value is None or isinstance(value, (str, float)):
        others = [*vocabulary().get(str(last), ())]
        if value is not None:
            others = [one for one in others if type(one) is type(value)]
        if isinstance(value, str):
            others += TEXTS if value != "auto" else (*TEXTS, True, False)
    for other in [one for one in dict.fromkeys(others) if one != value][:MOST]:
        yield f"{last}: {other}", _with(data, above, last, other, gone=False)
    yield f"without {last}", _with(data, above, last, None, gone=True)


def _at(data: Any, keys: tuple[Any, ...]) -> Any:
    for key in keys:
        data = data[key]
    return data


def _with(data: dict[Any, Any], above: list[Any], last: Any, value: object, *, gone: bool) -> dict[Any, Any]:
    if above:
        return {**data, above[0]: _with(data[above[0]], above[1:], last, value, gone=gone)}
    return {key: (value if key == last else one) for key, one in data.items() if not (gone and key == last)}


def _report(part: RunRequest) -> Examined | None:
    """The report of the one run of a request, with what its errors hide; None where it is no single run."""
    request = Request((part,))
    try:
        reports = looked_behind(request, check_request(request))[0].reports
    except InputError:
        return None
    return reports[0] if len(reports) == 1 else None


def _signature(report: Examined) -> object:
    """The verdict, the outcome and the errors."""
    outcome = build.outcome_of(report.outcome)
    errors = Counter(one.rule for one in (*report.findings, *report.later) if one.severity == "error")
    recipe = None if outcome.recipe is None else dict(outcome.recipe)
    error = None if outcome.error is None else outcome.error.code
    return (
        *(report.verdict, outcome.starts, error, outcome.mixed_precision, outcome.backend, str(recipe)),
        *(outcome.fp8_layers, outcome.distributed_type, sorted(errors.items())),
    )


def _told(report: Examined) -> object:
    """What a report says, without where."""
    whole = build.full_report(report)
    findings = Counter((one.rule, one.severity, _PLACE.sub("", one.message)) for one in whole.findings)
    later = Counter((one.rule, _PLACE.sub("", one.message)) for one in report.later)
    trace = [(one.setting, str(one.value), bool(one.overrode)) for one in whole.outcome.trace]
    error = whole.outcome.error
    undecided = sorted({str(one.rule) for one in whole.undecided})
    summary = {name: text for name, text in whole.summary.as_dict().items() if isinstance(text, str)}
    ends = None if error is None else _PLACE.sub("", error.message)
    return findings, later, report.hiding, trace, ends, undecided, summary


_PLACE = re.compile(r":[0-9]+|line [0-9]+")


def _claim(part: RunRequest, report: Examined, path: str, line: int) -> str | None:
    document = next((one for one in report.documents if one.path == path), None)
    if document is None:
        return None
    whole = build.full_report(report)
    tries = Trials(Request((part,))).of(0, document, line) if is_to_be_tried(whole, document, line) else None
    told = list(explain_line(whole, document, line, tries))[1:]
    words = {one.split()[0] for one in told if one.startswith("  ") and one[2] != " "}
    if words & {"decides", "matters:", "ends"}:
        return "decides"
    return "nothing" if words and words <= {"changes", "is"} else None


def _of_number(asked: tuple[str, int]) -> list[Flipped]:
    of, number = asked
    return [*flipped(_starts(of)[number])]


@cache
def _starts(of: str) -> list[Start]:
    return [*starts(of)]


def every(of: str, one_of: int = 1, workers: int = 1, only: str = "") -> Iterator[Flipped]:
    """The lines of all runs, or of one of so many, or of those with that in their names."""
    numbers = [(of, number) for number in range(0, len(_starts(of)), one_of) if only in _starts(of)[number][0]]
    if workers == 1:
        for number in numbers:
            yield from _of_number(number)
        return
    vocabulary()
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        for found in pool.imap(_of_number, numbers, chunksize=8):
            yield from found


def tell(lines: Iterable[Flipped]) -> int:
    """Print what does not hold, as it is found, and the numbers; how many lines are wrong."""
    counts: Counter[str] = Counter()
    for one in lines:
        counts.update({one.claim: 1, f"{one.claim} flips": one.flips, f"{one.claim} wrong": int(one.is_wrong)})
        if one.is_wrong:
            why = one.changing[0] if one.changing else f"none of {one.flips} values changes anything"
            print(f"{one.case}: {one.line}: called {one.claim}: {why}", flush=True)
        counts["moved"] += one.claim == "decides" and bool(one.changing)
    print(
        f"{counts['nothing']} lines that explain calls without effect, flipped {counts['nothing flips']} times; "
        f"{counts['nothing wrong']} have one"
    )
    print(
        f"{counts['decides']} lines that it says decide or matter, flipped {counts['decides flips']} times; "
        f"{counts['moved']} change the verdict, the outcome or an error; {counts['decides wrong']} change nothing"
    )
    if not counts["nothing"]:
        print("no line was tried")
    return counts["nothing wrong"] + counts["decides wrong"] + (not counts["nothing"])


def main(words: list[str]) -> int:
    """Print the numbers; 1 where a line without effect has one, or one that decides has none."""
    parser = argparse.ArgumentParser(description="explain, held against what other values do")
    parser.add_argument("--of", choices=("catalog", "conformance"), help="only these runs")
    parser.add_argument("--every", type=int, default=1, help="one run of so many")
    parser.add_argument("--workers", type=int, default=1, help="processes at a time")
    parser.add_argument("--only", default="", help="runs with this in their name")
    options = parser.parse_args(words)
    wrong = 0
    for of in (options.of,) if options.of else ("catalog", "conformance"):
        print(f"{of}:")
        wrong += tell(every(of, options.every, options.workers, options.only))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
