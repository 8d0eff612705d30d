"""The grammar of a rule's evidence, and where each piece of it resolves to."""

from __future__ import annotations

import re
from typing import NamedTuple

SOURCE = re.compile(
    r"(?P<package>[a-z_]+) (?P<since>\d+(?:\.\w+)*)(?:\.\.(?P<until>\d+(?:\.\w+)*))? (?P<file>[\w./-]+\.\w+|METADATA)"
)
TEXT = re.compile(r'(?P<absent>!)?"(?P<text>[^"]+)"')
TEXTS = re.compile(r'(?P<texts>(?: !?"[^"]+")+)(?:: .+)?')
RAN = re.compile(
    r"ran (?P<stack>[^:\[]+?)(?: \[(?P<kind>conformance|command|executed) (?P<case>[^\]]+)\])?: (?P<seen>.+)"
)
RELEASE = re.compile(r"\b(?!to |and )([a-z][a-z\d_]*) (\d+(?:\.\w+)*)")
MEASURED = re.compile(r"measured (?P<gpu>NVIDIA [\w ]+?) \[(?P<file>docs/evidence/[\w.-]+)(?: (?P<case>[^\]]+))?\]: .+")
OWN = re.compile(r"own (?P<file>[\w./-]+): .+")
THREAD = re.compile(r"https://[\w.-]+/\S+")


# Where what was run is recorded: cases of tests/tools/conformance/edges.py that rules name, whole commands, and the
# small programs of tests/executed.
RECORDS = {
    "conformance": "docs/evidence/conformance.jsonl",
    "command": "tests/conformance/commands.jsonl",
    "executed": "docs/evidence/executed.jsonl",
}


class Source(NamedTuple):
    """Texts that stand (or do not) in one file of two released wheels."""

    package: str
    releases: tuple[str, ...]
    file: str
    present: tuple[str, ...]
    absent: tuple[str, ...]


class Ran(NamedTuple):
    """An execution that is recorded: RECORDS has the file of each kind.

    Attributes:
        stack: the releases that the line names, each of which the record has to have.
    """

    kind: str
    case: str
    stack: tuple[tuple[str, str], ...]


class Measured(NamedTuple):
    """Something that a GPU showed, kept in a file of docs/evidence."""

    file: str
    case: str | None


class Own(NamedTuple):
    """What fp8check itself does: the file of its code or tests that shows it."""

    file: str


class Thread(NamedTuple):
    """A public thread or page."""

    url: str


def parse(line: str) -> Source | Ran | Measured | Own | Thread:
    """One line of evidence.

    Raises:
        ValueError: it has none of the five forms.
    """
    if THREAD.fullmatch(line):
        return Thread(line)
    if found := OWN.fullmatch(line):
        return Own(found["file"])
    if found := MEASURED.fullmatch(line):
        return Measured(found["file"], found["case"])
    if (found := RAN.fullmatch(line)) and found["case"]:
        return Ran(found["kind"], found["case"], tuple(RELEASE.findall(found["stack"])))
    if (found := SOURCE.match(line)) and (texts := TEXTS.fullmatch(line, found.end())):
        pieces = [*TEXT.finditer(texts["texts"])]
        releases = tuple(release for release in (found["since"], found["until"]) if release)
        present = tuple(piece["text"] for piece in pieces if not piece["absent"])
        absent = tuple(piece["text"] for piece in pieces if piece["absent"])
        return Source(found["package"], releases, found["file"], present, absent)
    raise ValueError(f"no evidence of a known form: {line}")
