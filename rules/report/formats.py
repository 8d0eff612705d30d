"""The formats of a report, all in one place: for `--format` of the command and for Accept of the service.

Every format but `text` is made from the report's data, the JSON of schema fp8check/report/1, and from the text of the
files: so a stored report can be had in each of them, and whoever has the JSON can make the others.
"""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    # One report as data, and the text of each file by its path.
    Data = Mapping[str, object]
    Sources = Mapping[str, str]
    Render = Callable[[Sequence[Data], Sources], str]


class Format(Record):
    """One format.

    Attributes:
        name: as `--format` takes it.
        media_type: as Accept takes it.
        about: one line for people.
        render: makes the text of it from reports and sources; the reports are those of one check, one a run.
    """

    name: str
    media_type: str
    about: str
    render: Render


def _json(reports: Sequence[Data], _sources: Sources) -> str:
    import json

    return json.dumps(reports[0] if len(reports) == 1 else list(reports), indent=2, ensure_ascii=False) + "\n"


def _concise(reports: Sequence[Data], sources: Sources) -> str:
    from fp8check.rules.report.concise import render

    return render(reports, sources)


def _sarif(reports: Sequence[Data], sources: Sources) -> str:
    from fp8check.rules.report.sarif import render

    return render(reports, sources)


def _junit(reports: Sequence[Data], sources: Sources) -> str:
    from fp8check.rules.report.junit import render

    return render(reports, sources)


def _github(reports: Sequence[Data], sources: Sources) -> str:
    from fp8check.rules.report.github import render

    return render(reports, sources)


def _gitlab(reports: Sequence[Data], sources: Sources) -> str:
    from fp8check.rules.report.gitlab import render

    return render(reports, sources)


def _html(reports: Sequence[Data], sources: Sources) -> str:
    from fp8check.rules.report.html import render

    return render(reports, sources)


FORMATS: tuple[Format, ...] = (
    Format("json", "application/json", "schema fp8check/report/1", _json),
    Format("sarif", "application/sarif+json", "SARIF 2.1.0, for code scanning", _sarif),
    Format("junit", "application/xml", "JUnit XML, for test reports of CI", _junit),
    Format("html", "text/html", "a page of its own, with both files", _html),
    Format("concise", "text/plain", "one line a finding, for editors", _concise),
    Format("github", "text/vnd.github.workflow-commands", "annotations of GitHub Actions", _github),
    Format("gitlab", "application/vnd.gitlab.codequality+json", "GitLab Code Quality", _gitlab),
)


def find(name: str) -> Format | None:
    """The format of that name."""
    return next((one for one in FORMATS if one.name == name), None)
