"""The formats of a report, all in one place: for `--format` of the command and for Accept of the service.

Each is a module of this folder with a function `render`, and one line below. It is made of the report, as schema.py has
it, and of the text of the files: so a stored report can be had in each of them.

`render` gets the reports of one check, one a run; runs can share a file, and then a finding is in several of them. It
says the verdict, each finding (with or without a place: `schema.place_of`) and each of `internal_errors`, as far as the
format has room for them. Every text can be hostile: it comes from files, packages and rules of others. `render` escapes
it as the format has it, and puts what stands in a line through `plain_text.shown`; then `Format.render` lets no
character leave that steers a terminal or a CI system, whatever a `render` forgot.
"""

from __future__ import annotations

from fp8check.rules.credentials import masked_shapes
from fp8check.rules.plain_text import plain
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Literal

    from fp8check.rules.plain_text import Syntax
    from fp8check.rules.report.schema import Report

    # The text of each file by its path.
    Sources = Mapping[str, str]
    Render = Callable[[Sequence[Report], Sources, "Look"], str]


class Look(Record):
    """How a report looks, in formats for people; the others pass over it.

    Attributes:
        color: whether it is painted for a terminal.
        quiet: whether it has the findings only.
        verbose: whether it names the rules that stay undecided.
        width: the columns of the terminal, which no line is wider than; None where lines are as long as they are.
        links: whether ids of rules lead to their pages, on a terminal that shows links.
    """

    color: bool = False
    quiet: bool = False
    verbose: bool = False
    width: int | None = None
    links: bool = False


PLAIN = Look()


class Format(Record):
    """One format.

    Attributes:
        name: as `--format` takes it.
        media_type: as the header Accept of a request to the service takes it; of two formats with one, the first.
        about: one line for people.
        module: the module of this folder that has `render`; `json_` leaves the name to the standard library's.
        holds: for OpenAPI: a text, or JSON with an object or an array at the top.
        brief: whether it shows no pointers, fingerprints, fixes, trace, speed-up, facts or versions: the command then
            makes a report without them (build.brief), which takes less time.
        syntax: how a character is written that may not leave as it is (plain_text.plain).
        annotations: whether its lines are annotations of GitHub Actions.
    """

    name: str
    media_type: str
    about: str
    module: str
    holds: Literal["string", "object", "array"] = "string"
    brief: bool = False
    syntax: Syntax = "text"
    annotations: bool = False

    def render(self, reports: Sequence[Report], sources: Sources, look: Look = PLAIN) -> str:
        """The text of the reports of one check, one a run."""
        # As importlib.import_module, whose own import a check would have to pay for.
        module = __import__(f"{__package__}.{self.module}", fromlist=["render"])
        render: Render = module.render
        return self.made_safe(render(reports, sources, look), look)

    def made_safe(self, text: str, look: Look = PLAIN) -> str:
        """The last step of every text in this format, whole or in pieces."""
        if self.name == "text" and (look.color or look.links or look.width is not None):
            from fp8check.rules.report.laying import laid_out  # on a terminal
            from fp8check.rules.report.terminal import Style

            return laid_out(text, Style(look.color, look.width, links=look.links))
        return plain(masked_shapes(text), self.syntax, annotations=self.annotations)


FORMATS: tuple[Format, ...] = (
    Format("text", "text/plain", "for people, with the lines in question", "text", brief=True),
    Format("json", "application/json", "schema fp8check/report/1", "json_", "object", syntax="json"),
    Format("sarif", "application/sarif+json", "SARIF 2.1.0, for code scanning", "sarif", "object", syntax="json"),
    Format("junit", "application/xml", "JUnit XML, for test reports of CI", "junit", syntax="markup"),
    Format("html", "text/html", "a page of its own, with both files", "html", syntax="markup"),
    Format("concise", "text/plain", "one line a finding, for editors", "concise", brief=True),
    Format(
        "github",
        "text/vnd.github.workflow-commands",
        "annotations of GitHub Actions",
        "github",
        brief=True,
        annotations=True,
    ),
    Format(
        "gitlab", "application/vnd.gitlab.codequality+json", "GitLab Code Quality", "gitlab", "array", syntax="json"
    ),
    Format("markdown", "text/markdown", "for summaries of CI and comments on pull requests", "markdown"),
)


def find(name: str) -> Format | None:
    """The format of that name."""
    return next((format_ for format_ in FORMATS if format_.name == name), None)
