"""HOST.json, fp8check/node/1: what one node tells of itself. It comes from another machine, and can be hostile."""

from __future__ import annotations

import json

from fp8check.rules.facts.errors import BadFacts
from fp8check.rules.facts.saved import as_data as data_of_facts
from fp8check.rules.facts.saved import from_data as facts_from_data
from fp8check.rules.nodes.hosts import is_host
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

    from fp8check.rules.facts import Facts
    from fp8check.rules.suppression.examined import Verdict

    Data = Mapping[str, object]

SCHEMA = "fp8check/node/1"
LARGEST = 4 << 20  # bytes of a HOST.json: eight GPUs and a report take a fiftieth of it
MOST_GPUS = 256
# Of several answers about nodes the first that occurs: here undecided goes before a warning, since a node that nobody
# knows must not pass because another one has a warning.
WORST: tuple[Verdict, ...] = ("fail", "undecided", "warn", "pass")


class BadNode(ValueError):
    """It is no document of a node, nor of several; `str()` says why."""


class Node(Record):
    """What one node tells of itself.

    Attributes:
        report: the check of the run there, as `--format json` has it: one object, or a list where there are several
            runs; None where no run was named.
        seen: what a probe saw on each GPU, as plain data: {"gpu", "seen", "verdict", "why"}; None without a probe.
        verdict: of all of it.
        why: what speaks against the node and is not in its report, in words.
    """

    host: str
    facts: Facts
    report: object
    seen: Sequence[Data] | None
    verdict: Verdict
    why: tuple[str, ...] = ()

    def as_data(self) -> dict[str, object]:
        """As HOST.json has it."""
        return {
            "schema": SCHEMA,
            "host": self.host,
            "facts": data_of_facts(self.facts),
            "report": self.report,
            "seen": None if self.seen is None else list(self.seen),
            "verdict": self.verdict,
            "why": list(self.why),
        }

    @property
    def reports(self) -> list[Data]:
        """The reports, one a run."""
        every = self.report if isinstance(self.report, list) else [self.report]
        return [one for one in every if isinstance(one, dict)]


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict of all; "undecided" where there is none."""
    return min(verdicts, key=WORST.index, default="undecided")


def parsed(text: bytes) -> Data:
    """The object of JSON that a file has.

    Raises:
        BadNode: it has none.
    """
    try:
        data = json.loads(text.decode("utf-8"), parse_constant=_no_number)
    except UnicodeDecodeError as problem:
        raise BadNode(f"not UTF-8 at byte {problem.start}") from None
    except RecursionError:
        raise BadNode("nested too deeply") from None
    except ValueError as problem:
        raise BadNode(f"not JSON: {problem}") from None
    if not isinstance(data, dict):
        raise BadNode("not an object")
    return data


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def from_data(data: Data) -> Node:
    """The node of parsed JSON. Of report and GPUs no more is looked at than what nodes are compared by (digest.py).

    Raises:
        BadNode: it is none.
    """
    if data.get("schema") != SCHEMA:
        raise BadNode(f"the schema must be {SCHEMA}")
    host, facts = data.get("host"), data.get("facts")
    if not isinstance(host, str) or not is_host(host):
        raise BadNode("its host is no name of a host")
    if not isinstance(facts, dict):
        raise BadNode("it has no facts")
    try:
        known = facts_from_data(facts, "facts")
    except BadFacts as problem:
        raise BadNode(str(problem)) from None
    return Node(host, known, data.get("report"), _gpus(data.get("seen")), verdict_of(data), texts_of(data, "why"))


def _gpus(data: object) -> tuple[Data, ...] | None:
    if data is None:
        return None
    if not isinstance(data, list) or len(data) > MOST_GPUS or not all(isinstance(one, dict) for one in data):
        raise BadNode(f"what was seen is no list of at most {MOST_GPUS} GPUs")
    return tuple(data)


def verdict_of(data: Data) -> Verdict:
    """The verdict in it.

    Raises:
        BadNode: it has none.
    """
    found = next((one for one in WORST if one == data.get("verdict")), None)
    if found is None:
        raise BadNode(f"its verdict is none of {', '.join(WORST)}")
    return found


def texts_of(data: Data, name: str) -> tuple[str, ...]:
    """A list of texts in it; () where it is not there.

    Raises:
        BadNode: it is something else.
    """
    found = data.get(name)
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise BadNode(f"{name} is no list of texts")
    return tuple(found)
