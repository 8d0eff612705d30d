"""What is said of the nodes of a cluster: for people, and as JSON, fp8check/nodes/1."""

from __future__ import annotations

from fp8check.rules.nodes.merged import SCHEMA
from fp8check.rules.plain_text import shown
from fp8check.rules.report.pretty import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fp8check.rules.nodes.fleet import Fleet
    from fp8check.rules.nodes.merged import Merged
    from fp8check.rules.report.terminal import Style
    from fp8check.rules.suppression.examined import Verdict

_NAMED = 8  # nodes in one line; the JSON and the lists have all of them
_MOST = 50  # lines of a kind
LISTS = ("passing", "failing", "unknown")


def as_json(answer: Fleet, known: Merged) -> str:
    """The answer, and behind it what can be merged again."""
    return dumps(as_data(answer, known)) + "\n"


def as_data(answer: Fleet, known: Merged) -> dict[str, object]:
    """The same as plain data."""
    return {
        "schema": SCHEMA,
        "verdict": answer.verdict,
        "counts": {**{name: len(getattr(answer, name)) for name in LISTS}, "absent": answer.absent},
        "standing": {
            standing.host: {"verdict": standing.verdict, "why": list(standing.why)}
            for standing in answer.nodes
            if standing.verdict != "pass"
        },
        "drift": [
            {
                "subject": drift.subject,
                "severity": drift.weight,
                "usual": drift.usual,
                "nodes": drift.count,
                "others": [{"value": other.value, "nodes": list(other.hosts)} for other in drift.others],
            }
            for drift in answer.drift
        ],
        **known.as_data(),
    }


def lists(answer: Fleet) -> dict[str, str]:
    """The nodes that may be used, those that may not, and those of which nobody knows: a file each, one node a line."""
    return {f"{name}_nodes.txt": "".join(f"{host}\n" for host in getattr(answer, name)) for name in LISTS}


def as_text(answer: Fleet, style: Style) -> str:
    """The answer for people."""
    lines = [*_drift(answer, style), *_reasons(answer, style), f"{painted(answer.verdict, style)}  {counted(answer)}"]
    return "\n".join(lines) + "\n"


def _drift(answer: Fleet, style: Style) -> Iterator[str]:
    """Where they differ: by subject what is usual, and who has something else."""
    for drift in answer.drift[:_MOST]:
        paint = {"error": style.bad, "warning": style.warn}.get(drift.weight, str)
        yield f"{paint(drift.weight)}  {shown(drift.sentence)}"
        yield from (f"  {shown(other.value)}: {names(other.hosts)}" for other in drift.others[:_MOST])
        yield from _left_out(len(drift.others), "values")
        yield ""
    yield from _left_out(len(answer.drift), "subjects")


def _reasons(answer: Fleet, style: Style) -> Iterator[str]:
    reasons = answer.reasons
    for verdict, why, hosts in reasons[:_MOST]:
        yield f"{painted(verdict, style)}  {shown(why)}"
        yield f"  {names(hosts)}"
        yield ""
    yield from _left_out(len(reasons), "reasons")
    told = {f"{standing.host}.json" for standing in answer.nodes}
    unread = [(name, why) for name, why in answer.unread if name not in told]
    for name, why in unread[:_MOST]:
        yield f"{painted('undecided', style)}  {shown(name)} cannot be read: {shown(why)}"
        yield ""
    yield from _left_out(len(unread), "files")


def _left_out(count: int, what: str) -> Iterator[str]:
    if count > _MOST:
        yield f"and {count - _MOST:,} more {what}: --format json has all"
        yield ""


def names(hosts: Sequence[str]) -> str:
    """Some hosts, and how many there are beside them."""
    more = f" and {len(hosts) - _NAMED:,} more" if len(hosts) > _NAMED else ""
    return f"{', '.join(hosts[:_NAMED])}{more}"


def counted(answer: Fleet) -> str:
    """How many nodes stand where."""
    parts = [f"{len(getattr(answer, name)):,} {name}" for name in LISTS]
    if answer.absent:
        parts.append(f"{answer.absent:,} more did not report")
    return ", ".join(parts)


def painted(verdict: Verdict, style: Style) -> str:
    """A verdict as it looks."""
    return {"fail": style.bad, "warn": style.warn, "pass": style.good}.get(verdict, str)(verdict)
