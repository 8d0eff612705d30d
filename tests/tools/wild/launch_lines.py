"""The launch lines of a checkout: those of its shell scripts, and of the code blocks in its pages."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

from fp8check.rules.settings.launch import LaunchError
from fp8check.rules.trainers import registry
from tests.tools.wild.checkouts import CONFIGURED, PAGES, SCRIPTS, Pair, files, found

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from fp8check.rules.settings.launch import Launch
    from tests.tools.wild.checkouts import Documents

# A word that says what a command starts, wherever wrappers put it.
LAUNCHERS = ("accelerate", "accelerate-launch", "torchrun", "deepspeed", "llamafactory-cli", "trl", "axolotl", "swift")
# Behind these a launcher's name is a word like any other.
_NO_LAUNCH = frozenset(
    [
        "pip",
        "pip3",
        "apt",
        "apt-get",
        "conda",
        "mamba",
        "brew",
        "which",
        "command",
        "echo",
        "printf",
        "grep",
        "pkill",
        "kill",
        "chmod",
        "cat",
        "git",
        "cd",
        "export",
        "source",
        "touch",
        "mkdir",
        "rm",
        "cp",
        "mv",
        "ls",
        "tar",
        "wget",
        "curl",
        "sed",
        "awk",
        "find",
        "type",
        "test",
        "[",
        "[[",
        "if",
        "for",
        "while",
        "case",
        "yum",
        "dnf",
    ]
)
_PYTHON = re.compile(r"python[\d.]*$")
_FENCE = re.compile(r"\s*(```+|~~~+)[ \t]*\{?\.?(\w*)")
_SHELLS = frozenset(["", "bash", "sh", "shell", "console", "zsh", "cli", "text", "txt", "shellsession"])
_RST = re.compile(r"\s*\.\. (?:code|code-block|sourcecode|prompt)::[ \t]*(\w*)|.*::\s*$")
_VARIABLE = re.compile(r"[A-Za-z_]\w*=")
_SEPARATORS = frozenset([";", "&&", "||", "|", "&", "(", ")", ";;"])


class Line(NamedTuple):
    """One command that starts something.

    Attributes:
        path: the file, from the root of the checkout.
        line: where the command begins in it.
        launcher: the word that says what it starts: "torchrun", "python", ...
        wrappers: the words in front of that which are commands themselves: "srun", "uv".
    """

    path: str
    line: int
    launcher: str
    wrappers: tuple[str, ...]
    words: tuple[str, ...]
    in_page: bool

    @property
    def text(self) -> str:
        """The command as one line."""
        return " ".join(self.words)


class Decided(NamedTuple):
    """What fp8check makes of a command: a launch, or why it cannot tell."""

    launch: Launch | None
    reason: str


def lines_of(root: Path) -> Iterator[Line]:
    """The launch lines of a checkout, in the order of its files."""
    for path in files(root, SCRIPTS + PAGES):
        text = (root / path).read_text(encoding="utf-8", errors="replace")
        in_page = path.lower().endswith(PAGES)
        for first, block in _blocks(path, text):
            for line, words in _commands(block, first):
                launcher = _launcher(words)
                if launcher is not None:
                    yield Line(path, line, launcher, _wrappers(words, launcher), tuple(words), in_page)


def decide(line: Line) -> Decided:
    """What fp8check makes of it."""
    words = [*line.words]
    variables: dict[str, str] = {}
    while words and _VARIABLE.match(words[0]):
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
    try:
        return Decided(registry.of_words(words, variables), "")
    except LaunchError as error:
        return Decided(None, str(error))


def documented(documents: Documents) -> Iterator[Pair]:
    """Pairs that a launch line of the checkout names: a training file, and Accelerate's or DeepSpeed's."""
    for line in lines_of(documents.root):
        named: dict[str, str] = {}
        for word in line.words:
            name = word.partition("=")[2] if word.startswith("--") and "=" in word else word
            if not name.endswith(CONFIGURED):
                continue
            path = found(documents.root, name, line.path.rpartition("/")[0])
            document = documents.get(path) if path is not None else None
            if path is not None and document is not None:
                named.setdefault(document.kind, path)
        training, other = named.get("training"), named.get("accelerate") or named.get("deepspeed")
        if training is not None and other is not None and decide(line).launch is not None:
            yield Pair(training, other, "launch line", shlex.join(line.words))


def _blocks(path: str, text: str) -> Iterator[tuple[int, str]]:
    """What of a file is shell: all of a script; of a page its code blocks."""
    if not path.lower().endswith(PAGES):
        yield 1, text
    elif path.lower().endswith(".rst"):
        yield from _rst_blocks(text.split("\n"))
    else:
        yield from _fenced_blocks(text.split("\n"))


def _fenced_blocks(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    number = 0
    while number < len(lines):
        fence = _FENCE.match(lines[number])
        number += 1
        if fence is None:
            continue
        first = number
        while number < len(lines) and not lines[number].lstrip().startswith(fence[1]):
            number += 1
        if fence[2].lower() in _SHELLS:
            yield first + 1, "\n".join(lines[first:number])
        number += 1


def _rst_blocks(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    number = 0
    while number < len(lines):
        block = _RST.match(lines[number])
        number += 1
        if block is None or (block[1] or "").lower() not in _SHELLS:
            continue
        first = number
        while number < len(lines) and (not lines[number].strip() or lines[number][:1] in " \t"):
            number += 1
        yield first + 1, "\n".join(lines[first:number])


def _commands(text: str, first: int) -> Iterator[tuple[int, list[str]]]:
    """The simple commands of a shell text, each with the line on which it begins."""
    for line, whole in _joined(text.split("\n"), first):
        reader = shlex.shlex(whole.removeprefix("$ "), posix=True, punctuation_chars=True)
        reader.whitespace_split = True
        try:
            tokens = [*reader]
        except ValueError:
            tokens = whole.split()
        words: list[str] = []
        for token in [*tokens, ";"]:
            if token not in _SEPARATORS:
                words.append(token)
            elif words:
                yield line, words
                words = []


def _joined(lines: Sequence[str], first: int) -> Iterator[tuple[int, str]]:
    parts: list[str] = []
    for number, line in enumerate([*lines, ""], first):
        text = line.rstrip()
        if text.endswith("\\"):
            parts.append(text[:-1])
            continue
        parts.append(text)
        whole = " ".join(parts).strip()
        if whole and not whole.startswith("#"):
            yield number - len(parts) + 1, whole
        parts = []


def _launcher(words: Sequence[str]) -> str | None:
    """The launcher among the words of a command; None where it starts nothing that is one."""
    for number, word in enumerate(words):
        name = word.rpartition("/")[2]
        if name in _NO_LAUNCH:
            return None
        if (name in LAUNCHERS and _is_launch(name, words[number + 1 :])) or _PYTHON.match(name):
            return name if name in LAUNCHERS else "python"
    return None


def _is_launch(name: str, behind: Sequence[str]) -> bool:
    return name != "accelerate" or "launch" in behind[:6]


def _wrappers(words: Sequence[str], launcher: str) -> tuple[str, ...]:
    """The commands in front of the launcher: the first word that is no variable, where that is not the launcher."""
    first = next((word for word in words if not _VARIABLE.match(word)), "")
    name = first.rpartition("/")[2]
    return () if name == launcher or _PYTHON.match(name) else (name,)
