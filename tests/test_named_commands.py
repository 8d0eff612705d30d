"""Every command, option and target that a text names is there: in README, docs, examples, and in blocks that no test runs."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from tests.support.command import run
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

# Where people read: tracked, and not the evidence, which says what was typed on its day.
TEXTS = ("*.md", "examples", "deploy", "docker", "templates", "action.yml", ".github")
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_COMMAND = re.compile(r"(?:^|(?<=[\s'\"`(;|&/]))(?:python -m )?(fp8check(?: .*)?)$")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z_-]*")


class Named(NamedTuple):
    """A command that a text names."""

    place: str
    command: str


def texts() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "--", *TEXTS], cwd=ROOT, capture_output=True, text=True, check=True)
    return [one for one in listed.stdout.split() if not one.startswith("docs/evidence/") and one != "CHANGELOG.md"]


def named() -> Iterator[Named]:
    """Inline code, and lines of blocks and of files that begin with the command."""
    for name in texts():
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        joined = re.sub(r"\\\n\s*", " ", text)
        for number, line in enumerate(joined.splitlines(), 1):
            parts = _INLINE.findall(line) if name.endswith(".md") and "`" in line else [line.strip().removeprefix("$ ")]
            for part in parts:
                found = _COMMAND.match(part.strip())
                if found:
                    yield Named(f"{name}:{number}", re.split(r"\s#|\s\|\s| && |; |\)", found[1])[0].strip())


NAMED = [*dict.fromkeys(named())]


@cache
def help_of(*words: str) -> str:
    return run(*words, "--help").stdout


@cache
def commands() -> frozenset[str]:
    """The words that --help lists as commands."""
    return frozenset(re.findall(r"^  fp8check ([a-z]+) ", help_of(), re.MULTILINE))


def test_commands_are_found() -> None:
    assert len(NAMED) > 150
    assert {"plan", "fix", "init", "run", "node", "nodes", "serve", "worth", "lsp"} <= commands()


def unknown(one: Named) -> list[str]:
    """The options of a command that it does not have."""
    words = re.sub(r"'[^']*'|\"[^\"]*\"", "TEXT", one.command).split()[1:]  # what is quoted is the option's value
    given = words[: words.index("--")] if "--" in words else words
    command = given[0] if given and given[0] in commands() else None
    known = {*_OPTION.findall(help_of(*([command] if command else [])))}
    return [
        each for word in given for each in _OPTION.findall(word.partition("=")[0].strip("[]()")) if each not in known
    ]


def test_a_command_takes_what_a_text_gives_it() -> None:
    assert {f"{one.place} {one.command}": unknown(one) for one in NAMED if unknown(one)} == {}
    assert unknown(Named("", "fp8check plan train.yaml --gaol fp8 --launch 'x --y'")) == ["--gaol"]


def test_a_target_that_a_text_names_is_one() -> None:
    targets = {*re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)}
    wrong = []
    for name in texts():
        if name.endswith(".md"):
            text = (ROOT / name).read_text(encoding="utf-8")
            wrong += [(name, one) for one in re.findall(r"`make ([a-z][a-z-]*)", text) if one not in targets]
    assert wrong == []
