"""Two stored checks side by side: what was said, found, decided and written in one and not in the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fp8check.rules.edits.differing import differing, lines_of
from fp8check.service import checking
from fp8check.service.check_request import loads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.report.schema import Finding, Report
    from fp8check.service.store import Stored

MOST = 500  # rows of a table on a page
_SAID = ("requested", "actual", "speed", "memory", "launch")


class Row(NamedTuple):
    """What both checks say of the same; empty where one says nothing."""

    name: str
    first: str
    second: str

    @property
    def differs(self) -> bool:
        """Whether they do not say the same."""
        return self.first != self.second


class Changed(NamedTuple):
    """A stretch of a file that is not the same in both, and its first line in the first."""

    file: str
    line: int
    first: str
    second: str


class Compared(NamedTuple):
    """Two checks.

    Attributes:
        said: what they say in short.
        first, second: what was found in one of them only.
        both: how much was found in both.
        settings: those that are not decided alike.
        changed: where the files differ.
    """

    said: tuple[Row, ...]
    first: tuple[Finding, ...]
    second: tuple[Finding, ...]
    both: int
    settings: tuple[Row, ...]
    changed: tuple[Changed, ...]


def compared(first: Stored, second: Stored) -> Compared:
    """Two checks side by side. Of a check of several runs the first counts, as on its page."""
    reports = [checking.loaded(one.report)[0] for one in (first, second)]
    texts = [checking.sources(loads(one.check_request)) for one in (first, second)]
    found = [
        {(finding.rule, finding.file, finding.message): finding for finding in report.findings} for report in reports
    ]
    return Compared(
        tuple(_said(*reports)),
        tuple(finding for key, finding in found[0].items() if key not in found[1])[:MOST],
        tuple(finding for key, finding in found[1].items() if key not in found[0])[:MOST],
        len(found[0].keys() & found[1].keys()),
        tuple(one for one in _settings(*reports) if one.differs)[:MOST],
        tuple(_changed(*texts))[:MOST],
    )


def _said(first: Report, second: Report) -> Iterator[Row]:
    yield Row("verdict", first.verdict, second.verdict)
    for name in _SAID:
        row = Row(name, getattr(first.summary, name) or "", getattr(second.summary, name) or "")
        if row.first or row.second:
            yield row


def _settings(first: Report, second: Report) -> Iterator[Row]:
    """Each setting of both, by its value; where those are alike, by who decided is nothing that differs."""
    values = [{entry.setting: str(entry.value) for entry in report.outcome.trace} for report in (first, second)]
    for name in {**values[0], **values[1]}:
        yield Row(name, *(value.get(name, "") for value in values))


def _changed(first: Mapping[str, str], second: Mapping[str, str]) -> Iterator[Changed]:
    for name in {**first, **second}:
        before, after = first.get(name, ""), second.get(name, "")
        for start, end, text in differing(before, after):
            yield Changed(name, len(lines_of(before[:start])) + 1, before[start:end], text)
