"""What is asked of the service: files, facts and options, however they were sent."""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

NAMES = {
    "training": "train.yaml",
    "accelerate": "accelerate.yaml",
    "deepspeed": "deepspeed.json",
    "model_config": "config.json",
    "script": "train.py",
}


class File(NamedTuple):
    """A file as it was sent: its name is only a name, and is never looked for."""

    name: str
    text: str

    @property
    def is_script(self) -> bool:
        """Whether it is the script that trains. It is parsed, and never run."""
        return self.name.endswith(".py")

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
        environment: whether the service's own machine may be looked at where there are no facts.
        variables: variables of the training shell, over those of the facts.
        fail_on, require_evidence: what the exit code counts; they do not change the report.
        color: whether text is painted for a terminal.
        quiet, verbose: whether text has the findings only; whether it names what is undecided.
    """

    files: tuple[File, ...]
    facts: File | None = None
    environment: bool = True
    launch: str | None = None
    trainer: str | None = None
    variables: tuple[tuple[str, str], ...] = ()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_on: str = "error"
    require_evidence: bool = False
    color: bool = False
    quiet: bool = False
    verbose: bool = False
    probe: bool = False

    @property
    def size(self) -> int:
        """Characters of everything that was sent: what a check costs grows with it."""
        facts = len(self.facts.text) if self.facts is not None else 0
        variables = sum(len(name) + len(value) for name, value in self.variables)
        return sum(len(file.text) for file in self.files) + facts + variables + len(self.launch or "")

    @property
    def lines(self) -> int:
        """Lines of all files: each may have findings, whose cost is no matter of characters."""
        return sum(file.text.count("\n") for file in self.files)

    def dumped(self) -> bytes:
        """As JSON, to be stored or handed to another process."""
        return json.dumps(self._asdict(), ensure_ascii=True, separators=(",", ":")).encode()

    def digest(self) -> str:
        """A mark of everything in it."""
        return hashlib.sha256(self.dumped()).hexdigest()


def loads(dumped: bytes) -> CheckRequest:
    """The question that was dumped."""
    data: dict[str, Any] = json.loads(dumped)
    data["files"] = tuple(File(*file) for file in data["files"])
    data["facts"] = None if data["facts"] is None else File(*data["facts"])
    data["variables"] = tuple((name, value) for name, value in data["variables"])
    data["select"], data["ignore"] = tuple(data["select"]), tuple(data["ignore"])
    return CheckRequest(**data)
