"""What must be true of every answer, whatever the input. Each function raises Broken where it is not."""

from __future__ import annotations

import json
import os
import re
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from fp8check.rules.report.github import MOST as MOST_ANNOTATIONS
from fp8check.rules.report.markdown import MOST as MOST_OF_MARKDOWN
from fp8check.rules.report.stored import BadReport, all_from_data
from fp8check.service.reportmodel import Report as ReportModel
from tests.support.markdown import check_harmless
from tests.support.widths import MARKS, too_wide
from tests.tools.fuzz.vocabulary import SECRETS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

# Control characters but line breaks and tabs; what turns the direction of text; separators of lines and paragraphs; halves
# of pairs.
_UNCLEAN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
# What a runner of GitHub or Azure takes for a command: `::` behind any space, `##[` and `##vso[` anywhere.
_COMMAND = re.compile(r"(?m)^\s*::|##\[|##vso\[")
_ANNOTATION = re.compile(r"^::(error|warning|notice) title=[^\n]*?::")
_PAINT = re.compile(
    "\x1b\\[(?:0|1|2|1;31|1;33|32)m|\x1b\\]8;;(?:https://fp8check\\.readthedocs\\.io/rules/FP[0-9]+)?\x1b\\\\"
)
_SECRET = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, SECRETS))})(?![\w-])")
TAGS = frozenset(
    [
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "h1",
        "h2",
        "h3",
        "section",
        "span",
        "dl",
        "dt",
        "dd",
        "div",
        "p",
        "b",
        "a",
        "ol",
        "ul",
        "li",
        "code",
        "s",
        "br",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "figure",
        "figcaption",
        "pre",
        "mark",
        "details",
        "summary",
        "i",
        "em",
        "strong",
        "small",
        "h4",
        "del",
        "ins",
    ]
)
ATTRIBUTES = frozenset(
    [
        "lang",
        "charset",
        "name",
        "content",
        "class",
        "id",
        "href",
        "value",
        "scope",
        "tabindex",
        "role",
        "aria-label",
        "aria-labelledby",
        "open",
        "data-name",
    ]
)
EXIT_CODES = (0, 1, 2, 3)
SLOWEST_S = 2.0  # of CPU, for one execution


class Broken(AssertionError):
    """An answer that is not as it must be.

    Args:
        what: which of the invariants, in words that do not depend on the input: findings are told apart by it.
        shown: the place of the answer.
    """

    def __init__(self, what: str, shown: str = "") -> None:
        super().__init__(f"{what}: {shown!a}"[:2000])
        self.what = what


def clean(text: str, where: str, *, painted: bool = False) -> None:
    """No character that writes to a terminal, turns text around or is no text."""
    found = _UNCLEAN.search(_PAINT.sub("", text) if painted else text)
    if found is not None:
        raise Broken(f"unclean character in {where}", _around(text, found.start()))


def folded(text: str, width: int) -> None:
    """No line is wider than a terminal but the name of a file, and nothing is left of what says where to fold."""
    wide = too_wide(text, width)
    if wide:
        raise Broken(f"a line of more than {width} columns", wide[0])
    if {*text} & {*MARKS}:
        raise Broken("a mark of where to fold")
    no_secret(re.sub(r"\s*\n\s*", "", text), "a folded text")


def no_secret(text: str, where: str) -> None:
    """No credential that stands by itself."""
    if any(one in text for one in SECRETS):
        found = _SECRET.search(text)
        if found is not None:
            raise Broken(f"a credential in {where}", _around(text, found.start()))


def no_command(text: str, where: str) -> None:
    """No line that a runner of CI takes for a command."""
    found = _COMMAND.search(text)
    if found is not None:
        raise Broken(f"workflow command in {where}", _around(text, found.start()))


def _around(text: str, place: int) -> str:
    return text[max(0, place - 60) : place + 60]


def report(name: str, text: str, *, painted: bool = False) -> None:
    """The output of a reporter, by the name of its format."""
    clean(text, f"format {name}", painted=painted)
    no_secret(text, f"format {name}")
    if name != "github":
        no_command(text, f"format {name}")
    check = _FORMATS.get(name)
    if check is not None:
        check(text)


def _json(text: str) -> None:
    data = _parsed(text, "json")
    try:
        reports = all_from_data(data)
    except BadReport as problem:
        raise Broken("JSON that is no report of its schema", str(problem)) from None
    for one in reports:
        passed = one.verdict == "pass"
        if passed and (one.undecided or one.internal_errors or one.outcome.undecided):
            raise Broken("a pass with something undecided", text[:500])
    for part in data if isinstance(data, list) else [data]:
        try:
            ReportModel.model_validate(part)
        except ValueError as problem:
            raise Broken("JSON that OpenAPI does not describe", str(problem)) from None


def _parsed(text: str, name: str) -> object:
    def refuse(word: str) -> None:
        raise Broken(f"{word} in {name}, which JSON does not have", text[:200])

    try:
        return json.loads(text, parse_constant=refuse)
    except ValueError as problem:
        raise Broken(f"{name} that is no JSON", f"{problem}: {text[:200]}") from None


def _sarif(text: str) -> None:
    data = _parsed(text, "sarif")
    assert isinstance(data, dict)
    if data["version"] != "2.1.0":
        raise Broken("SARIF of no version", text[:200])
    for run in data["runs"]:
        known = {one["id"] for one in run["tool"]["driver"]["rules"]}
        for result in run["results"]:
            if result["ruleId"] not in known or result["level"] not in ("error", "warning", "note", "none"):
                raise Broken("SARIF result without a rule or level", str(result))
            for location in result.get("locations", ()):
                region = location["physicalLocation"].get("region", {})
                if region.get("startLine", 1) < 1 or region.get("startColumn", 1) < 1:
                    raise Broken("SARIF region before the file", str(region))


def _gitlab(text: str) -> None:
    data = _parsed(text, "gitlab")
    if not isinstance(data, list):
        raise Broken("GitLab report that is no list", text[:200])
    for one in data:
        if not {"description", "check_name", "fingerprint", "severity", "location"} <= one.keys():
            raise Broken("GitLab entry without a field", str(one))
    marks = [one["fingerprint"] for one in data]
    if len(set(marks)) < len(marks):
        raise Broken("GitLab entries with one fingerprint", text[:500])


def _junit(text: str) -> None:
    try:
        tree = ET.fromstring(text)  # noqa: S314  our own output
    except ET.ParseError as problem:
        raise Broken("JUnit report that is no XML", f"{problem}: {text[:300]}") from None
    if tree.tag != "testsuites":
        raise Broken("JUnit report without suites", text[:200])


class _Tags(HTMLParser):
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            raise Broken(f"tag {tag[:20]} in HTML", str(attrs))
        for name, value in attrs:
            bad = name not in ATTRIBUTES or (
                name == "href" and str(value)[:1] != "#" and not str(value).startswith("https://")
            )
            if bad:
                raise Broken(f"attribute {name[:20]} in HTML", f"{tag} {name}={value}")


class _Own(HTMLParser):
    """A page of the service: forms and files of its own, and nothing that a stranger could have put there."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in ("iframe", "object", "embed", "base", "svg", "img") or (tag == "script" and "src" not in given):
            raise Broken(f"tag {tag} in a page", str(attrs))
        for name, value in given.items():
            elsewhere = ":" in value.partition("/")[0] and not value.startswith(("https://", "data:,"))
            if (
                name.startswith("on")
                or name == "style"
                or (name in ("href", "src", "action", "formaction") and elsewhere)
            ):
                raise Broken(f"attribute {name[:20]} in a page", f"{tag} {name}={value}")


def page(text: str) -> None:
    """A page of the service."""
    clean(text, "a page")
    parser = _Own()
    parser.feed(text)
    parser.close()


def _html(text: str) -> None:
    parser = _Tags()
    parser.feed(text)
    parser.close()


def _lines(text: str) -> None:
    if text and not text.endswith("\n"):
        raise Broken("output without a line break at its end", text[-100:])


def _github(text: str) -> None:
    _lines(text)
    for line in text.splitlines():
        rest = _ANNOTATION.sub("", line)
        if rest == line and not line.startswith("fp8check: "):
            raise Broken("a line of GitHub output that is no annotation", line)
        if "##[" in line or "##vso[" in line:
            raise Broken("workflow command in format github", line)
    for kind in ("error", "warning", "notice"):
        if text.count(f"\n::{kind} ") + text.startswith(f"::{kind} ") > MOST_ANNOTATIONS:
            raise Broken(f"more annotations of kind {kind} than GitHub shows", text[:500])


def _markdown(text: str) -> None:
    _lines(text)
    if len(text.encode()) > MOST_OF_MARKDOWN:
        raise Broken("Markdown that is no comment any more", str(len(text)))
    try:
        check_harmless(text)
    except AssertionError as problem:
        raise Broken("Markdown of which a site makes something", str(problem)) from None


_FORMATS = {
    "json": _json,
    "sarif": _sarif,
    "gitlab": _gitlab,
    "junit": _junit,
    "html": _html,
    "concise": _lines,
    "github": _github,
    "markdown": _markdown,
}


def exit_code(code: int, among: Collection[int] = EXIT_CODES) -> None:
    """One of the documented exit codes, and never that of an internal error."""
    if code not in among:
        raise Broken(f"exit code {code}")


def in_time(cpu_s: float) -> None:
    """Not more CPU time than any input of this size may take."""
    if cpu_s > SLOWEST_S:
        raise Broken("slow", f"{cpu_s:.1f} s")


def crashes(every: Iterable[object]) -> None:
    """No rule has failed."""
    for one in every:
        raise Broken(f"a rule failed: {place_in(str(one.traceback))}", str(one.traceback))  # type: ignore[attr-defined]


def place_in(traceback: str) -> str:
    """The last place of fp8check in a traceback, and the error's type."""
    places = re.findall(r'File "[^"]*?((?:rules|cli|probe|service)/[^"]*)", line \d+, in (\S+)', traceback)
    last = traceback.rstrip().rpartition("\n")[2].partition(":")[0]
    return f"{last} in {'/'.join(places[-1]) if places else '?'}"


class Guard:
    """Sees to it that an execution writes nothing, starts nothing and opens no connection.

    An audit hook cannot be taken away again: one guard a process.

    Args:
        folder: where it may write.
        here: whether the current folder counts as it, which it is then.
    """

    _FORBIDDEN = frozenset(
        [
            "os.system",
            "os.exec",
            "os.posix_spawn",
            "os.spawn",
            "os.fork",
            "os.forkpty",
            "os.startfile",
            "subprocess.Popen",
            "pty.spawn",
            "os.kill",
            "os.remove",
            "os.rename",
            "os.mkdir",
            "os.rmdir",
            "os.chmod",
            "os.chown",
            "os.link",
            "os.symlink",
            "os.truncate",
            "os.utime",
            "os.setxattr",
            "shutil.rmtree",
            "shutil.move",
            "shutil.copyfile",
            "shutil.chown",
            "socket.connect",
            "socket.bind",
            "socket.getaddrinfo",
            "socket.sendto",
            "ctypes.dlopen",
            "webbrowser.open",
            "urllib.Request",
            "ftplib.connect",
            "http.client.connect",
        ]
    )

    def __init__(self, folder: str, *, here: bool = False) -> None:
        self._folder = folder
        self._here = here
        self._armed = False
        self.seen: list[str] = []
        sys.addaudithook(self._hook)

    def __enter__(self) -> None:
        self.seen = []
        self._armed = True

    def __exit__(self, *_error: object) -> None:
        self._armed = False

    def check(self) -> None:
        """Raises Broken for what was seen since it was entered."""
        if self.seen:
            raise Broken(f"forbidden: {self.seen[0].partition(' ')[0]}", " ".join(self.seen)[:300])

    def _hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._armed:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & 0o1103)
            if writes and not isinstance(path, int) and not self._may_write(path):
                self.seen.append(f"open-for-writing {path!r}")
        elif event in self._FORBIDDEN and not any(self._may_write(one) for one in arguments):
            if self._here and event == "os.chmod" and isinstance(arguments[0], int):
                return  # of a file that is open for writing
            if "fp8check.service.worker" in str(arguments):
                return  # the process of its own that the service has for large bodies
            self.seen.append(f"{event} {arguments!r}")

    def _may_write(self, path: object) -> bool:
        """Whether a name is in the folder: of what is about to be written there, too, which has no name yet."""
        name = str(path)
        if self._here and isinstance(path, str) and ".." not in name:
            name = os.path.abspath(name)
        return name.startswith((self._folder, "/dev/null", *(("/proc/self/fd/",) if self._here else ())))
