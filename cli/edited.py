"""The runs of the configuration while somebody edits their files: what is open counts in the place of what is saved."""

from __future__ import annotations

import os
import re

from fp8check.cli.config import OWN_FILE, SHARED_FILE, load
from fp8check.cli.requests import facts_of, request_for, request_of_documents, run_options
from fp8check.rules.checking.advising import advised
from fp8check.rules.checking.planning import plans_for
from fp8check.rules.checking.request import check_request
from fp8check.rules.input_error import InputError
from fp8check.rules.reading import Unreadable
from fp8check.rules.record import Record
from fp8check.rules.report import build
from fp8check.rules.report.line import concerns, known_of_line
from fp8check.rules.trainers.detect import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fp8check.cli.config import Config
    from fp8check.cli.options import Options
    from fp8check.cli.requests import RunOptions
    from fp8check.rules.checking.request import RunRequest
    from fp8check.rules.facts import Facts
    from fp8check.rules.reading import Document
    from fp8check.rules.report.schema import Finding, Plans, Report

# As TOML's parser says where it stopped.
_IN_TOML = re.compile(r"\(at line (\d+), column (\d+)\)")


class Look(Record):
    """What is said of the runs as they stand in the editor.

    Attributes:
        root: the folder that is open, as the editor names it: there may be links in it, which a path from the system
            does not have.
        files: of all runs and the configuration, by their full names: what was said of them before is over.
        problems: why a run, or all of them, cannot be checked.
    """

    root: str
    reports: tuple[Report, ...]
    documents: tuple[tuple[Document, ...], ...]
    files: frozenset[str]
    problems: tuple[InputError, ...]

    def full(self, path: str) -> str:
        """The name of a file as the editor has it."""
        return full(self.root, path)

    def findings(self) -> Iterator[tuple[str, Finding]]:
        """Every finding with the full name of its file; one that no file holds stands in the first of its run."""
        told = set()
        for report, documents in zip(self.reports, self.documents, strict=True):
            for finding in report.new_findings:
                path = self.full(finding.file if finding.file is not None else documents[0].path)
                key = (path, finding.rule, finding.line, finding.column, finding.message)
                if key not in told:  # runs may have a file in common
                    told.add(key)
                    yield path, finding

    def fails(self, path: str) -> bool:
        """Whether a run that has this file fails."""
        pairs = zip(self.reports, self.documents, strict=True)
        return any(
            report.verdict == "fail" and self._document(documents, path) is not None for report, documents in pairs
        )

    def line(self, path: str, line: int) -> str:
        """What becomes of a line of a file, in each run that has it; "" where nothing does."""
        said = []
        for report, documents in zip(self.reports, self.documents, strict=True):
            document = self._document(documents, path)
            if document is not None and line <= document.text.count("\n") + 1 and concerns(report, document, line):
                said.append("\n".join(known_of_line(report, document, line)))
        return "\n\n".join(one for one in dict.fromkeys(said) if one)

    def _document(self, documents: Sequence[Document], path: str) -> Document | None:
        return next((document for document in documents if self.full(document.path) == path), None)

    def place_of(self, problem: InputError) -> tuple[str, int, int]:
        """The file of which an error speaks, with line and column from 1."""
        if isinstance(problem, Unreadable):
            return self.full(problem.file), problem.line or 1, problem.column or 1
        name = SHARED_FILE if str(problem).startswith(SHARED_FILE) else OWN_FILE
        place = _IN_TOML.search(str(problem))
        return (self.full(name), int(place[1]), int(place[2])) if place else (self.full(name), 1, 1)


def full(root: str, path: str) -> str:
    """The name of a file that is named as seen from the root."""
    return os.path.normpath(os.path.join(root, path))


class Edited:
    """The declared runs of a folder, and the texts that are open.

    As for the command, the configuration is that of the current folder: each look goes there.

    Args:
        texts: what is open, by its full name.
    """

    def __init__(self, options: Options, root: str, texts: Mapping[str, str]) -> None:
        self.root = root
        self._open = texts
        self._options = options
        self._machines: dict[object, Facts] = {}

    def look(self) -> Look:
        """Check all runs as they stand now."""
        os.chdir(self.root)
        known = {full(self.root, name) for name in (OWN_FILE, SHARED_FILE)}
        try:
            config = self._config()
            described = run_options(self._options, config) if config.runs else []
        except InputError as problem:
            return Look(self.root, (), (), frozenset(known), (problem,))
        parts, problems = self._parts(described)
        for options in described:
            known |= {full(self.root, path) for path in options.files}
        try:
            request = request_for(tuple(parts), self._options, config)
            checked = advised(request, check_request(request)) if parts else None
        except InputError as problem:
            return Look(self.root, (), (), frozenset(known), (*problems, problem))
        examined = checked.reports if checked is not None else ()
        documents = tuple(report.documents for report in examined)
        known |= {full(self.root, each.path) for document in documents for each in document}
        return Look(
            self.root,
            tuple(build.full_report(report) for report in examined),
            documents,
            frozenset(known),
            tuple(problems),
        )

    def plan(self, path: str) -> Plans | None:
        """What to do about the first failing run that has this file; None where there is none, or nothing to say."""
        os.chdir(self.root)
        config = self._config()
        described = [
            options
            for options in run_options(self._options, config)
            if path in [full(self.root, name) for name in options.files]
        ]
        for options in described:
            parts, _ = self._parts([options])
            request = request_for(tuple(parts), self._options, config)
            for plans in plans_for(request, check_request(request), asked=True).values():
                return plans
        return None

    def _config(self) -> Config:
        names = (OWN_FILE, SHARED_FILE)
        texts = {name: self._text(name) for name in names}
        return load(self._options, {name: text for name, text in texts.items() if text is not None})

    def _text(self, path: str) -> bytes | None:
        """What is open under this name; half of a character, which JSON can carry, is no UTF-8."""
        text = self._open.get(full(self.root, path))
        return None if text is None else text.encode("utf-8", "surrogatepass")

    def _parts(self, described: Sequence[RunOptions]) -> tuple[list[RunRequest], list[InputError]]:
        parts: list[RunRequest] = []
        problems: list[InputError] = []
        for options in described:
            try:
                documents = tuple(self._read(path, options) for path in dict.fromkeys(options.files))
                parts.append(request_of_documents(options, documents, (), self._machine(options)))
            except InputError as problem:
                problems.append(problem)
        return parts, problems

    def _read(self, path: str, described: RunOptions) -> Document:
        return read(path, self._text(path), trainer=described.trainer)

    def _machine(self, described: RunOptions) -> Facts:
        """The facts of the run: those of this machine and of an interpreter are looked up once."""
        if described.facts is not None:
            return facts_of(described)
        key = (described.python, *described.set_variable)
        if key not in self._machines:
            self._machines[key] = facts_of(described)
        return self._machines[key]
