"""`fp8check explain` held against what other values do: each line of each case of the catalog, flipped.

python -m tests.tools.flips [--every N]

Of a line that explain calls without effect ("changes nothing here", or "is overridden" and nothing else), every entry
is given other values, and taken out, by code that shares nothing with explain's own: the values are true and false,
numbers, and whatever the cases of the catalog write for that key. The verdict, the outcome and the errors have to stay.
Of a line that explain says decides, the same values are tried, and the share that changes something is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections import Counter
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

from fp8check.rules.checking.advising import advised
from fp8check.rules.checking.request import Request, check_request
from fp8check.rules.checking.trying import tried
from fp8check.rules.input_error import InputError
from fp8check.rules.record import Record
from fp8check.rules.report import build
from fp8check.rules.report.line import explain_line, is_to_be_tried
from fp8check.rules.trainers.detect import read
from tests.support.cases import CASES
from tests.tools.journeys import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.suppression.examined import Examined

FILES = {"training": "train.yaml", "accelerate": "accel.yaml", "deepspeed": "ds.json"}
MORE = ("seen", "crashing", "today", "require", "named")
NUMBERS = (0, 1, 2, 3, 7, 1000)
MOST = 12  # values of one entry


class Flipped(Record):
    """One line.

    Attributes:
        claim: "nothing" where explain calls it without effect, "decides" where it says that it decides or matters.
        flips: values that were tried.
        changing: those that change something, with what.
    """

    case: str
    line: str
    claim: str
    flips: int
    changing: tuple[str, ...]


def cases() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every case that is a run of files and facts."""
    for rule, file in CASES.items():
        for kind in ("found", "not found", "undecided"):
            if isinstance(file.get(kind), list):
                yield from (
                    (f"{rule} {one['name']}", one) for one in file[kind] if not any(name in one for name in MORE)
                )


@cache
def vocabulary() -> Mapping[str, tuple[object, ...]]:
    """What the catalog writes for each key."""
    found: dict[str, dict[str, object]] = {}
    for _, case in cases():
        for kind in FILES:
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


def flipped(name: str, case: Mapping[str, Any]) -> Iterator[Flipped]:
    """The lines of a case's files."""
    for kind in FILES:
        text = case.get(kind)
        if text is not None and "#" not in str(text):
            yield from _of_file(name, case, kind, str(text))


def _of_file(name: str, case: Mapping[str, Any], kind: str, text: str) -> Iterator[Flipped]:
    try:
        data = yaml.safe_load(text)
        plain = yaml.safe_dump(data, sort_keys=False)
        before = _signature(case)
        if not isinstance(data, dict) or before is None or _signature({**case, kind: plain}) != before:
            return  # what is written here is not what its data says: a key twice, an unquoted word
    except yaml.YAMLError:
        return
    for number, keys in _lines(text, data).items():
        claim = _claim(case, str(case.get(f"{kind} path", FILES[kind])), number)
        if claim is None:
            continue
        flips, changing = 0, []
        for keyed in keys:
            for said, changed in _flips(data, keyed):
                if _is_another(plain, yaml.safe_dump(changed, sort_keys=False), kind):
                    continue
                flips += 1
                after = _signature({**case, kind: yaml.safe_dump(changed, sort_keys=False)})
                if after != before:
                    changing.append(f"{said}: {before} -> {after}")
        line = f"{kind}:{number} {text.splitlines()[number - 1].strip()}"
        yield Flipped(name, line, claim, flips, tuple(changing))


def _is_another(before: str, after: str, kind: str) -> bool:
    """Whether what is left of a file is taken for one of another trainer: a case says whose it is, and by whom read."""
    read_ = [read(FILES[kind], text.encode()) for text in (before, after)]
    return (read_[0].dialect, read_[0].loader) != (read_[1].dialect, read_[1].loader)


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
    for other in [one for one in others if one != value][:MOST]:
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


def _reports(case: Mapping[str, Any]) -> tuple[Request, tuple[Examined, ...]]:
    with ExitStack() as stack:
        request = Request((catalog.request_of(case, stack),))
        return request, advised(request, check_request(request)).reports


def _signature(case: Mapping[str, Any]) -> object:
    """The verdict, the outcome and the errors; None where the case makes no single run."""
    try:
        _, reports = _reports(case)
    except InputError:
        return None
    if len(reports) != 1:
        return None
    report = reports[0]
    outcome = build.outcome_of(report.outcome)
    errors = Counter(one.rule for one in (*report.findings, *report.later) if one.severity == "error")
    recipe = None if outcome.recipe is None else dict(outcome.recipe)
    error = None if outcome.error is None else outcome.error.code
    return (
        *(report.verdict, outcome.starts, error, outcome.mixed_precision, outcome.backend, str(recipe)),
        *(outcome.fp8_layers, outcome.distributed_type, sorted(errors.items())),
    )


def _claim(case: Mapping[str, Any], path: str, line: int) -> str | None:
    request, reports = _reports(case)
    document = next((one for one in reports[0].documents if one.path == path), None)
    if document is None:
        return None
    report = build.whole(reports[0])
    tries = tried(request, 0, document, line) if is_to_be_tried(report, document, line) else None
    told = list(explain_line(report, document, line, tries))[1:]
    words = {one.split()[0] for one in told if one.startswith("  ") and one[2] != " "}
    if words & {"decides", "matters:", "ends"}:
        return "decides"
    return "nothing" if words and words <= {"changes", "is"} else None


def main(words: list[str]) -> int:
    """Print the numbers; 1 where a line without effect has one."""
    parser = argparse.ArgumentParser(description="explain, held against what other values do")
    parser.add_argument("--every", type=int, default=1, help="one case of so many")
    options = parser.parse_args(words)
    every = [line for name, case in [*cases()][:: options.every] for line in flipped(name, case)]
    nothing = [one for one in every if one.claim == "nothing"]
    decides = [one for one in every if one.claim == "decides"]
    wrong = [one for one in nothing if one.changing]
    for one in wrong:
        print(f"{one.case}: {one.line}: {one.changing[0]}")
    flips = sum(one.flips for one in nothing)
    print(f"{len(nothing)} lines that explain calls without effect, flipped {flips} times; {len(wrong)} have one")
    moved = sum(bool(one.changing) for one in decides)
    print(
        f"{len(decides)} lines that it says decide or matter; {moved} of them change the verdict, the outcome or an error"
    )
    return 1 if wrong or not nothing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
