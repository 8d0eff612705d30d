"""The baseline: findings that were there on the day it was written. Only what is new since then counts."""

from __future__ import annotations

from fp8check.rules.credentials import masked_shapes
from fp8check.rules.input_error import InputError
from fp8check.rules.plain_text import plain
from fp8check.rules.reading import Unreadable, files
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fp8check.rules.engine.running import Finding

SCHEMA = "fp8check/baseline/1"

# Some 50,000 findings: more than any baseline that somebody means to work off.
LARGEST_FILE = 16 * 1024 * 1024


class BadBaseline(InputError):
    """The baseline file cannot be read; `str()` says why."""


class Compared(Record):
    """Findings against the baseline.

    Attributes:
        marks: the fingerprints of the findings, in their order.
        new: fingerprints of findings that the baseline does not have.
        unchanged: fingerprints of those that it has.
        resolved: entries of the baseline that are gone: {"fingerprint", "rule", "file", "message"}.
    """

    marks: tuple[str, ...]
    new: frozenset[str]
    unchanged: frozenset[str]
    resolved: tuple[Mapping[str, str], ...]


def compare(marks: tuple[str, ...], baseline: Sequence[Mapping[str, str]]) -> Compared:
    """What is new, unchanged and resolved; `marks`: the fingerprints of the findings, in their order."""
    now = frozenset(marks)
    then = {entry["fingerprint"] for entry in baseline}
    gone = tuple(entry for entry in baseline if entry["fingerprint"] not in now)
    return Compared(marks, now - then, now & then, gone)


def load_baseline(path: str) -> tuple[Mapping[str, str], ...]:
    """The entries of a baseline file.

    Raises:
        BadBaseline: it is missing, or no baseline.
    """
    import json

    try:
        data = json.loads(files.read(path, LARGEST_FILE).decode("utf-8"))
    except Unreadable as problem:
        raise BadBaseline(str(problem)) from None
    except RecursionError:
        raise BadBaseline(f"{path}: nested too deeply") from None
    except ValueError as problem:
        raise BadBaseline(f"{path}: {problem}") from None
    entries = data.get("findings") if isinstance(data, dict) and data.get("schema") == SCHEMA else None
    if not isinstance(entries, list) or not all(_is_entry(entry) for entry in entries):
        raise BadBaseline(f"{path}: this is no baseline of fp8check; --write-baseline writes one")
    return tuple(entries)


def _is_entry(entry: object) -> bool:
    names = ("fingerprint", "rule", "file", "message")
    return isinstance(entry, dict) and all(isinstance(entry.get(name), str) for name in names)


def save_baseline(path: str, findings: Iterable[tuple[str, Finding]]) -> int:
    """Write the findings, each with its fingerprint, and return how many there are.

    Raises:
        Unwritable: the file cannot be written.
    """
    import json

    from fp8check.rules import writing

    entries = {
        mark: {
            "fingerprint": mark,
            "rule": finding.rule,
            "file": finding.span.file if finding.span is not None else "",
            "message": finding.message,
        }
        for mark, finding in findings
    }
    ordered = sorted(entries.values(), key=lambda entry: (entry["file"], entry["rule"], entry["fingerprint"]))
    text = json.dumps({"schema": SCHEMA, "findings": ordered}, indent=2, ensure_ascii=False)
    writing.write(path, f"{plain(masked_shapes(text), 'json')}\n".encode())
    return len(ordered)
