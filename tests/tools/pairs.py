"""Two faults in one run: what one report tells of both, over pairs of single faults of the catalog.

python -m tests.tools.pairs [--most N] [--seed N]

A run of a `found` case that only one rule has an error or a warning for is a single fault. Two of them make a pair where
their files, stacks, commands and variables can be merged, and one of them ends its run: nothing behind an end is found
by itself (rules/checking/behind.py). Prints how many reports tell of both, of how many the second one is undecided, how
many have it no more once everything told was cured, how many say that an error may hide more, and in how many it is no fault.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from zlib import crc32

import yaml

from fp8check.rules.checking.advising import advised
from fp8check.rules.checking.request import Request, check_request
from fp8check.rules.input_error import InputError
from fp8check.rules.record import Record
from tests.support.runs import TODAY
from tests.tools.journeys import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fp8check.rules.suppression.examined import Examined

FILES = ("training", "accelerate", "deepspeed")
# What a case may say beside these is more than a run of files and facts.
MERGED = (*FILES, "stack", "variables", "gpu", "gpus", "trainer", "launch")
PINS = (
    "name",
    "at",
    "times",
    "message",
    "label",
    "help",
    "notes",
    "note",
    "messages",
    "places",
    "related",
    "fix",
    "proves",
)
LEAST = 0.8  # of the reports tell of both faults; it was 0.46 when nothing looked behind an error
DEFAULTS: Mapping[str, object] = {"stack": TODAY, "gpu": "9.0", "variables": {}}


class Apart(Exception):
    """Two cases do not make one run."""


class Single(Record):
    """A case with one fault.

    Attributes:
        ends: whether its run ends with an error.
    """

    rule: str
    name: str
    case: Mapping[str, Any]
    ends: bool


class Told(Record):
    """What the report of a pair says.

    Attributes:
        how: "both", "undecided", "gone" (everything told was cured, and it is not there), "hidden" (that more may be
            hidden is said) or "absent" (nothing hides it: with the keys of the other case it is no fault).
    """

    pair: str
    how: str
    lost: tuple[str, ...] = ()


def reports(case: Mapping[str, Any]) -> tuple[Examined, ...]:
    """The reports of a case's runs, as the command has them."""
    with ExitStack() as stack:
        request = Request((catalog.request_of(case, stack),))
        return advised(request, check_request(request)).reports


def singles() -> Iterator[Single]:
    """Cases in which one rule alone finds something that counts."""
    for name, case in catalog.starts():
        if not {*case} <= {*MERGED, *PINS}:
            continue
        every = reports(case)
        rule = name.split()[0]
        if len(every) == 1 and {one.rule for one in every[0].findings if one.severity != "info"} == {rule}:
            yield Single(rule, name, case, every[0].outcome.error is not None)


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The run with the faults of both cases.

    Raises:
        Apart: they say different things of one key.
    """
    found = {kind: text for kind in FILES if (text := _text(one.get(kind), other.get(kind))) is not None}
    for name in ("launch", "gpus"):
        values = [case[name] for case in (one, other) if name in case]
        if values:
            found[name] = _same(values[0], values[-1])
    trainers = [case.get("trainer", "transformers") for case in (one, other) if "training" in case]
    if trainers:
        found["trainer"] = _same(trainers[0], trainers[-1])
    for name, default in DEFAULTS.items():
        values = [case.get(name, default) for case in (one, other)]
        unlike = [value for value in values if value != default] or [default]
        found[name] = _deep(*values) if name == "variables" else _same(unlike[0], unlike[-1])
    return found


def _text(one: object, other: object) -> str | None:
    if one is None or other is None:
        return None if one is other else str(other if one is None else one)
    try:
        data = [yaml.safe_load(str(text)) for text in (one, other)]
    except yaml.YAMLError as error:
        raise Apart from error
    if not all(isinstance(value, dict) for value in data):
        raise Apart
    return str(yaml.safe_dump(_deep(*data), sort_keys=False))


def _deep(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return {**one, **{key: _deep(one[key], value) if key in one else value for key, value in other.items()}}
    return _same(one, other)


def _same(one: Any, other: Any) -> Any:
    if type(one) is not type(other) or one != other:
        raise Apart
    return one


def pairs(most: int, seed: int) -> Iterator[tuple[Single, Single, dict[str, Any]]]:
    """As many pairs, drawn by a seed: each by its names, so that another case in the catalog brings its own pairs alone."""
    every = [*singles()]
    drawn = [(one, other) for at, one in enumerate(every) for other in every[at + 1 :] if one.rule != other.rule]
    for one, other in sorted(drawn, key=lambda pair: crc32(f"{seed} {pair[0].name} + {pair[1].name}".encode())):
        if most <= 0:
            return
        if one.ends or other.ends:
            try:
                both = merged(one.case, other.case)
            except Apart:
                continue
            most -= 1
            yield one, other, both


def told(one: Single, other: Single, both: Mapping[str, Any]) -> Told:
    """What the report of a pair says."""
    name = f"{one.name} + {other.name}"
    try:
        (report,) = reports(both)
    except InputError:  # a file that cannot be read any more is told by itself
        return Told(name, "hidden")
    found = {finding.rule for finding in (*report.findings, *report.later)}
    lost = tuple(rule for rule in (one.rule, other.rule) if rule not in found)
    if not lost:
        return Told(name, "both")
    if {*lost} <= {undecided.rule for undecided in report.undecided}:
        return Told(name, "undecided", lost)
    if report.hiding:
        return Told(name, "hidden", lost)
    return Told(name, "gone" if any(finding.severity == "error" for finding in report.findings) else "absent", lost)


def main(words: Sequence[str]) -> int:
    """Print the numbers; 1 where fewer reports than LEAST tell of both."""
    parser = argparse.ArgumentParser(description="What one report tells of two faults.")
    parser.add_argument("--most", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(words)
    every = [told(*pair) for pair in pairs(options.most, options.seed)]
    counts = Counter(one.how for one in every)
    print(f"{len(every)} pairs: " + ", ".join(f"{number} {how}" for how, number in counts.most_common()))
    return 0 if every and counts["both"] >= LEAST * len(every) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
