"""Reports of many runs, one after the other: the same text as `Format.render` makes of all of them, in pieces."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.report.formats import Format, Look, Sources
    from fp8check.rules.report.schema import Report


class Page:
    """Reports in one format: what each adds, and what stands behind the last."""

    def __init__(self, format_: Format, look: Look) -> None:
        self._format = format_
        self._look = look
        self._count = 0

    def add(self, report: Report, sources: Sources) -> str:
        """What one report more adds."""
        text = self._next(report, sources)
        self._count += 1
        return text

    def end(self) -> str:
        """What stands behind the last report; the whole where there was none."""
        return "".join(self.ends())

    def ends(self) -> Iterator[str]:
        """The same in pieces, where it grows with the reports."""
        yield self._last() if self._count else self._empty()

    def _rendered(self, report: Report, sources: Sources) -> str:
        return self._format.render([report], sources, self._look)

    def _empty(self) -> str:
        return self._format.render([], {}, self._look)

    def _last(self) -> str:
        return ""

    if TYPE_CHECKING:

        def _next(self, report: Report, sources: Sources) -> str:
            """What each format has of its own."""


class _Whole(Page):
    """A format of which no parts are known: all reports are kept, and rendered at the end."""

    def __init__(self, format_: Format, look: Look) -> None:
        super().__init__(format_, look)
        self._reports: list[Report] = []
        self._sources: dict[str, str] = {}

    def _next(self, report: Report, sources: Sources) -> str:
        self._reports.append(report)
        self._sources.update(sources)
        return ""

    def _last(self) -> str:
        return self._format.render(self._reports, self._sources, self._look)


class _Text(Page):
    """Runs with an empty line between them; of one that has nothing to say, nothing."""

    def __init__(self, format_: Format, look: Look) -> None:
        super().__init__(format_, look)
        self._said = False

    def _next(self, report: Report, sources: Sources) -> str:
        text = self._rendered(report, sources)
        between = "\n" if text and self._said else ""
        self._said = self._said or bool(text)
        return between + text


class _Lines(Page):
    """Lines, each once."""

    def __init__(self, format_: Format, look: Look) -> None:
        super().__init__(format_, look)
        self._said: set[int] = set()  # hashes of 64 bits: a check of thousands of files has a million lines

    def _next(self, report: Report, sources: Sources) -> str:
        return "".join(self._new(self._rendered(report, sources)))

    def _new(self, text: str) -> Iterator[str]:
        for line in [f"{line}\n" for line in text.split("\n")[:-1]]:
            mark = hash(line)
            if mark not in self._said:
                self._said.add(mark)
                yield line


class _Annotations(Page):
    """Lines, each once, of which so many are annotations as GitHub shows."""

    def __init__(self, format_: Format, look: Look) -> None:
        super().__init__(format_, look)
        from fp8check.rules.report.github import Annotations

        self._lines = Annotations()

    def _next(self, report: Report, _sources: Sources) -> str:
        return self._format.made_safe(self._lines.add(report))

    def _last(self) -> str:
        return self._format.made_safe(self._lines.end())


class _Markdown(Page):
    """As many lines as there is room for, those of the worst runs first."""

    def __init__(self, format_: Format, look: Look) -> None:
        super().__init__(format_, look)
        from fp8check.rules.report import markdown

        self._page = markdown.Page()

    def _next(self, report: Report, _sources: Sources) -> str:
        self._page.add(report)
        return ""

    def _last(self) -> str:
        return self._format.made_safe(self._page.text())


class _Json(Page):
    """An object; a list where there are more. So the first waits for the second."""

    def __init__(self, format_: Format, look: Look) -> None:
        super().__init__(format_, look)
        self._first = ""

    def _next(self, report: Report, sources: Sources) -> str:
        text = self._rendered(report, sources)
        if not self._count:
            self._first = text
            return ""
        if self._count > 1:
            return f",\n{_inward(text)}"
        first, self._first = self._first, ""
        return f"[\n{_inward(first)},\n{_inward(text)}"

    def _last(self) -> str:
        return self._first or "\n]\n"


class _Sarif(Page):
    """One SARIF run with the results of all reports."""

    def __init__(self, format_: Format, look: Look) -> None:
        super().__init__(format_, look)
        from fp8check.rules.report.sarif import Log

        self._log = Log()

    def _next(self, report: Report, _sources: Sources) -> str:
        return self._format.made_safe(self._log.add(report))

    def ends(self) -> Iterator[str]:
        """One piece for each run."""
        return map(self._format.made_safe, self._log.end())


class _Junit(Page):
    """Suites in the middle of a text that is the same for all."""

    def __init__(self, format_: Format, look: Look) -> None:
        super().__init__(format_, look)
        before, self._after, _ = self._empty().partition("</testsuites>\n")
        self._before = before

    def _next(self, report: Report, sources: Sources) -> str:
        part = self._rendered(report, sources)[len(self._before) : -len(self._after)]
        return part if self._count else self._before + part

    def _last(self) -> str:
        return self._after


class _Html(Page):
    """A page whose title names the files of the first run."""

    def _next(self, report: Report, sources: Sources) -> str:
        from fp8check.rules.report import html

        head = "" if self._count else html.head(sources)
        return self._format.made_safe(head + html.section(report, sources, self._count))

    def _last(self) -> str:
        from fp8check.rules.report import html

        return self._format.made_safe(html.TAIL)


class _Gitlab(Page):
    """A list of issues, each once."""

    def __init__(self, format_: Format, look: Look) -> None:
        super().__init__(format_, look)
        from fp8check.rules.report.gitlab import mark_of

        self._mark_of = mark_of
        self._said: set[str] = set()

    def _next(self, report: Report, sources: Sources) -> str:
        marks = [(self._mark_of(finding), finding) for finding in reversed(report.findings)]
        new = {mark: finding for mark, finding in marks if mark not in self._said}
        first = not self._said
        self._said.update(new)
        chosen = {id(finding) for finding in new.values()}
        left = tuple(finding for finding in report.findings if id(finding) in chosen)
        text = self._rendered(report._replace(findings=left), sources)[len("[\n") : -len("\n]\n")]
        return f"{'[' if first else ','}\n{text}" if left else ""

    def _last(self) -> str:
        return "\n]\n" if self._said else self._empty()


def _inward(text: str) -> str:
    """A value of JSON as it stands in a list."""
    return "  " + text.rstrip("\n").replace("\n", "\n  ")


_PAGES: dict[str, type[Page]] = {
    "text": _Text,
    "json": _Json,
    "sarif": _Sarif,
    "junit": _Junit,
    "html": _Html,
    "concise": _Lines,
    "github": _Annotations,
    "gitlab": _Gitlab,
    "markdown": _Markdown,
}


def page_of(format_: Format, look: Look) -> Page:
    """A page of that format; one that has no class above needs the memory of all its reports."""
    return _PAGES.get(format_.name, _Whole)(format_, look)
