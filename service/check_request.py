"""What is asked of the service: files, facts and options, however they were sent."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields
from typing import NamedTuple

from fp8check.rules.reading.read import SUFFIXES
from fp8check.service.options import Options

_MOST_ENTRIES = 300  # real files have fewer than a hundred
_OF_A_RUN = 15


class File(NamedTuple):
    """A file as it was sent: its name is only a name, and is never looked for."""

    name: str
    text: str

    @property
    def is_script(self) -> bool:
        """Whether it is the script that trains. It is parsed, and never run."""
        return self.name.endswith(".py")

    @property
    def entries(self) -> int:
        """How many findings it may have, about: each line of a shell script may be a run of its own."""
        is_shell = self.text.startswith("#!") or self.name.endswith(SUFFIXES)
        return self.text.count("\n") * (_OF_A_RUN if is_shell else 1) + self.text.count(",")

    def content(self) -> bytes:
        """The bytes that were sent, also where they are no UTF-8 (bodies.py keeps those as surrogates)."""
        try:
            return self.text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return self.text.encode("utf-8", "surrogatepass")


class CheckRequest(NamedTuple):
    """One check that is asked for.

    Attributes:
        files: in the order in which they were sent; their kind is told by their content, as on the command line.
        facts: a facts.json as text, with its name; None: the facts of the service's own machine.
        options: how they are checked.
    """

    files: tuple[File, ...]
    facts: File | None = None
    options: Options = Options()

    @property
    def size(self) -> int:
        """Characters of everything that was sent: what a check costs grows with it."""
        facts = len(self.facts.text) if self.facts is not None else 0
        variables = sum(len(name) + len(value) for name, value in self.options.variables.items())
        return sum(len(file.text) for file in self.files) + facts + variables + len(self.options.launch or "")

    def is_small(self, most_characters: int) -> bool:
        """Whether it can be checked between other requests. Findings cost more than characters: each line, and what
        stands behind a comma, may have some."""
        entries = sum(file.entries for file in self.files)
        return self.size <= most_characters and entries <= _MOST_ENTRIES

    def dumped(self) -> bytes:
        """As JSON, to be stored or handed to another process: files, facts, and each option by its name."""
        data = {"files": self.files, "facts": self.facts, **asdict(self.options)}
        return json.dumps(data, ensure_ascii=True, separators=(",", ":")).encode()

    def digest(self) -> str:
        """A mark of everything in it."""
        return hashlib.sha256(self.dumped()).hexdigest()


def loads(dumped: bytes) -> CheckRequest:
    """The request that was dumped, by this release or another: options that are not known here are left out."""
    data = json.loads(dumped)
    options = {field.name: data[field.name] for field in fields(Options) if field.name in data}
    options["variables"] = dict(options.get("variables", ()))  # pairs where an older release stored it
    options.update({name: tuple(value) for name, value in options.items() if isinstance(value, list)})
    facts = None if data["facts"] is None else File(*data["facts"])
    return CheckRequest(tuple(File(*file) for file in data["files"]), facts, Options(**options))
