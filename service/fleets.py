"""Reports of the nodes of a cluster: what one tells, as it is stored, and what all of a job tell together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from fp8check.rules.checking.nodes import code_of
from fp8check.rules.credentials import masked_shapes
from fp8check.rules.nodes.digest import digest
from fp8check.rules.nodes.document import BadNode, from_data, parsed
from fp8check.rules.nodes.fleet import fleet
from fp8check.rules.nodes.merged import SCHEMA, Merged
from fp8check.rules.nodes.merged import from_data as merged_from_data
from fp8check.rules.plain_text import plain
from fp8check.rules.report.nodes import as_data, as_text
from fp8check.rules.report.nodes_page import body
from fp8check.rules.report.terminal import Style
from fp8check.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fp8check.rules.plain_text import Syntax
    from fp8check.rules.suppression.examined import Verdict

_LONGEST_REASON = 300


class Told(NamedTuple):
    """What one node tells: who it is, and what is compared of it, which is all that is stored."""

    host: str
    verdict: Verdict
    told: str


class FleetAnswer(NamedTuple):
    """What is said of all nodes of a job, in the format asked, and what the command would exit with."""

    body: bytes
    verdict: Verdict
    code: int


def told_by(content: bytes) -> Told:
    """What HOST.json tells.

    Raises:
        Problem: it is none.
    """
    try:
        one = digest(from_data(parsed(content)))
    except BadNode as error:
        raise Problem("invalid", str(error)[:_LONGEST_REASON]) from None
    known = Merged()
    known.add(one)
    return Told(one.host, one.verdict, json.dumps({"schema": SCHEMA, **known.as_data()}, separators=(",", ":")))


def answered(told: Iterable[str], expect: int | None, format_: str | None) -> FleetAnswer:
    """What is said of all nodes.

    Args:
        told: what each of them told, as it was stored.
        expect: how many there should be.
        format_: "json" or "text"; None: the part of the page that shows them.
    """
    known = Merged()
    for one in told:
        known.merge(merged_from_data(json.loads(one)))
    known.expect(expect, ())
    answer = fleet(known)
    if format_ is None:
        shown = _plain(body(answer), "markup")
    elif format_ == "json":
        shown = _plain(json.dumps(as_data(answer, known), ensure_ascii=False), "json")
    else:
        shown = _plain(as_text(answer, Style(on=False)), "text")
    return FleetAnswer(shown, answer.verdict, code_of(answer))


def _plain(text: str, syntax: Syntax) -> bytes:
    return plain(masked_shapes(text), syntax).encode()
