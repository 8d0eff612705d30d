"""The launch lines of a checkout: those of its shell scripts, and of the code blocks in its pages; what becomes of each.

The lines are looked for twice: by fp8check's reader of shell scripts, and by a reader of its own that knows nothing but
the launchers' names and the ends of lines. What the second one sees and the first one does not is counted as missed.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

from fp8check.rules.checking import shell
from fp8check.rules.checking.runs import WrongFiles
from fp8check.rules.facts import Facts
from fp8check.rules.facts.variables import matters
from fp8check.rules.reading import Unreadable
from fp8check.rules.reading.shell_syntax import read
from fp8check.rules.reading.source import Source
from fp8check.rules.settings.launch import LAUNCHERS, Foreign, LaunchError, NotARun
from fp8check.rules.settings.programs import FOREIGN
from fp8check.rules.settings.shell import lines as shell_lines
from fp8check.rules.trainers import registry
from fp8check.rules.trainers.commands import of_words
from tests.tools.wild.checkouts import CONFIGURED, PAGES, SCRIPTS, Pair, files, found

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from fp8check.rules.reading.shell import ShellScript
    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.settings.shell_lines import Line as ShellLine
    from tests.tools.wild.checkouts import Documents

# A word that says what a command starts, wherever wrappers put it.
STARTERS = frozenset(
    (*LAUNCHERS, *registry.PROGRAMS, "accelerate-launch", "llamafactory-cli", "trl", "axolotl", "swift", "megatron")
)
_PROGRAMS = LAUNCHERS | registry.PROGRAMS | FOREIGN.keys() | {"accelerate-launch"}
_SWIFT = [["sft"], ["pt"], ["rlhf"], ["infer"], ["export"], ["deploy"], ["eval"], ["sample"], ["rollout"], ["megatron"]]
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
        "uv",
        "install",
        "from",
        "import",
    ]
)
_PYTHON = re.compile(r"python[\d.]*$")
_FENCE = re.compile(r"\s*(```+|~~~+)[ \t]*\{?\.?(\w*)")
_SHELLS = frozenset(["bash", "sh", "shell", "console", "zsh", "cli", "shellsession"])
_RST = re.compile(r"\s*\.\. (?:code|code-block|sourcecode|prompt)::[ \t]*(\w*)|(?!\s*\.\.).*::\s*$")
_PROMPT = re.compile(
    r"(?:\([\w./-]+\)\s*)?(?:[\w.-]+@[\w.-]+:\S*)?[$\u276f]\s+|!(?=\w)"
    # `>` of other shells, and what `set -x` prints
    r"|(?:>|\++)\s+(?=(?:torchrun|python[\d.]*|deepspeed|accelerate|trl|axolotl|llamafactory-cli)\s)"
)
# What ds_report and others print: a name, dots, and what is said of it.
_PRINTED = re.compile(r"\S+(?: \S+){0,4} \.{4,}(?: |$)")
_VARIABLE = re.compile(r"[A-Za-z_]\w*=")
_SEPARATORS = frozenset([";", "&&", "||", "|", "&", "(", ")", ";;"])

# What is said of a tool that is told by its command and not checked.
_NAMED = ", which is not checked"
RUN, TOOL, NOTHING, UNDECIDED, MISSED = "run", "other tool", "no training", "undecided", "missed"


class Line(NamedTuple):
    """One command that seems to start something, and what becomes of it.

    Attributes:
        path: the file, from the root of the checkout.
        line: where the command begins in it.
        launcher: the word that says what it starts: "torchrun", "python", ...
        wrapper: the command in front of that; "" where there is none.
        state: "run", "other tool" (one that is named and not checked), "no training", "undecided", or "missed": only
            the reader that knows nothing but names has it.
        becomes: what is started, of a run; else why none is seen.
    """

    path: str
    line: int
    launcher: str
    wrapper: str
    words: tuple[str, ...]
    state: str
    becomes: str

    @property
    def text(self) -> str:
        """The command as one line."""
        return " ".join(self.words)


def lines_of(root: Path) -> Iterator[Line]:
    """The launch lines of a checkout, in the order of its files. The names in them are those seen from its root."""
    with contextlib.chdir(root):
        for path in files(root, SCRIPTS + PAGES):
            text = (root / path).read_text(encoding="utf-8", errors="replace")
            for first, block in _blocks(path, text):
                yield from _lines_of_block(path, first, block)


def _lines_of_block(path: str, first: int, text: str) -> Iterator[Line]:
    try:
        script = read(Source(path, text))
        lines = [*shell_lines(script, _PROGRAMS, matters, {})]
    except Unreadable as problem:
        yield Line(path, first, "?", "", (), UNDECIDED, str(problem))
        return
    runs = _Runs(script)
    seen: set[int] = set()
    told: set[tuple[int | str, ...]] = set()
    for line in lines:
        words = [word.text for word in line.words]
        number = line.span.line
        new = (number, *words) not in told  # a text that a shell is given has several on one line
        told.add((number, *words))
        seen.update(range(number, line.span.end_line + 1))
        launcher = _launcher(words)
        if new and launcher is not None:
            state, becomes = _state(line, words, runs)
            yield Line(path, first + number - 1, launcher, _wrapper(words), tuple(words), state, becomes)
    stops = len(text) if script.stopped is None else script.source.place(script.stopped.offset)[0]
    for number, last, words in _commands(text, 1):
        launcher = _launcher(words)
        if launcher is not None and launcher != "python" and seen.isdisjoint(range(number, last + 1)):
            state, reason = MISSED, ""
            if (
                last >= stops
            ):  # executed: a shell ends at a quote that is never closed, and starts nothing from there on
                state, reason = NOTHING, f"{script.stopped}: a shell starts nothing of it"
            yield Line(path, first + number - 1, launcher, _wrapper(words), tuple(words), state, reason)


class _Runs:
    """The lines of a script that fp8check takes for runs; looked up where a command alone does not tell."""

    def __init__(self, script: ShellScript) -> None:
        self._script = script
        self._lines: dict[tuple[int, str], str] | None = None

    def has(self, line: int, launch: Launch | None = None) -> bool:
        """Whether a run of this program begins on this line."""
        return (line, _name(launch)) in self._looked_up()

    def unsure(self, line: int, launch: Launch) -> str:
        """Why it is not known whether the program of a line trains; "" where it is."""
        return self._looked_up().get((line, _name(launch)), "")

    def _looked_up(self) -> dict[tuple[int, str], str]:
        if self._lines is None:
            self._lines = {}
            with contextlib.suppress(WrongFiles):
                for one in shell.assembled([self._script], shell.Given(Facts())):
                    if one.run.launch.line is not None:
                        why = (part.why for part in one.run.unread if shell.UNSURE in part.why)
                        why_not = one.run.launch.unknown or next(why, "")
                        self._lines[one.run.launch.line.span.line, _name(one.run.launch)] = why_not
        return self._lines


def _name(launch: Launch | None) -> str:
    """What tells the programs of one line apart; "" where none is known."""
    return "" if launch is None else os.path.basename(launch.script or "")


def _state(line: ShellLine, words: Sequence[str], runs: _Runs) -> tuple[str, str]:
    try:
        launch = of_words(words, {name: place.text for name, place in line.variables.items()})
    except Foreign as reason:
        return TOOL, str(reason)
    except NotARun as reason:
        hidden = _wrapper(words) and runs.has(line.span.line)  # `./wrapper.sh torchrun train.py`
        return UNDECIDED if hidden else NOTHING, str(reason)
    except LaunchError as reason:
        return UNDECIDED, str(reason)
    if launch.unknown:
        return TOOL if _NAMED in launch.unknown else UNDECIDED, launch.unknown
    if not runs.has(line.span.line, launch):
        return NOTHING, f"{launch.script} does not train, or does not sound like it"
    unsure = runs.unsure(line.span.line, launch)
    if unsure.endswith("is given no program to start"):  # executed: the parsers of all three end there
        return NOTHING, unsure
    return (UNDECIDED, unsure) if unsure else (RUN, _described(launch))


def _described(launch: Launch) -> str:
    """What a launch starts, in a few words."""
    through = f" through {launch.through}" if launch.through else ""
    module = " -m" if launch.is_module else ""
    return f"{launch.tool}{through}{module} {launch.script}  flags {sorted(launch.flags)}"


def documented(documents: Documents) -> Iterator[Pair]:
    """Pairs that a launch line of the checkout names: a training file, and Accelerate's or DeepSpeed's."""
    for line in lines_of(documents.root):
        named: dict[str, str] = {}
        for word in line.words:
            name = word.partition("=")[2] if word.startswith("--") and "=" in word else word
            if not name.endswith(CONFIGURED):
                continue
            path = found(documents.root, name, os.path.dirname(line.path))
            document = documents.get(path) if path is not None else None
            if path is not None and document is not None:
                named.setdefault(document.kind, path)
        training, other = named.get("training"), named.get("accelerate") or named.get("deepspeed")
        if training is not None and other is not None and line.state == RUN:
            yield Pair(training, other, "launch line", shlex.join(line.words))


def _blocks(path: str, text: str) -> Iterator[tuple[int, str]]:
    """What of a file is shell: all of a script; of a page its code blocks."""
    if not path.lower().endswith(PAGES):
        yield 1, text
        return
    blocks = _rst_blocks if path.lower().endswith(".rst") else _fenced_blocks
    for first, language, lines in blocks(text.split("\n")):
        block = "\n".join(_typed(lines))
        if language in _SHELLS or (language in ("", "text", "txt") and _has_command(block)):
            yield first, block


def _has_command(block: str) -> bool:
    """Whether a line of a block without a language begins as a launch does; behind variables, or a prompt."""
    for line in block.split("\n"):
        words = [word for word in line[:400].split() if not _VARIABLE.match(word)]
        if _PRINTED.match(line):
            continue
        name = words[0].rpartition("/")[2] if words else ""
        if len(words) > 1 and (name in STARTERS or name in ("srun", "uv", "bash") or _PYTHON.match(name)):
            return True
    return False


def _typed(lines: Sequence[str]) -> list[str]:
    """What is typed in a block: without prompts, and where some lines have one, without what is printed."""
    prompts = [_PROMPT.match(line.lstrip()) for line in lines]
    if not any(prompts):
        return [*lines]
    typed: list[str] = []
    goes_on = False
    for line, prompt in zip(lines, prompts, strict=True):
        goes_on = prompt is not None or goes_on
        typed.append((line.lstrip()[prompt.end() :] if prompt is not None else line) if goes_on else "")
        goes_on = goes_on and line.rstrip().endswith("\\")
    return typed


def _fenced_blocks(lines: Sequence[str]) -> Iterator[tuple[int, str, Sequence[str]]]:
    number = 0
    while number < len(lines):
        fence = _FENCE.match(lines[number])
        number += 1
        if fence is None:
            continue
        first = number
        while number < len(lines) and not lines[number].lstrip().startswith(fence[1]):
            number += 1
        yield first + 1, fence[2].lower(), lines[first:number]
        number += 1


def _rst_blocks(lines: Sequence[str]) -> Iterator[tuple[int, str, Sequence[str]]]:
    number = 0
    while number < len(lines):
        block = _RST.match(lines[number])
        number += 1
        if block is None:
            continue
        first = number
        while number < len(lines) and (not lines[number].strip() or lines[number][:1] in " \t"):
            number += 1
        options = next((at for at in range(first, number) if not lines[at].strip().startswith(":")), number)
        yield options + 1, (block[1] or "").lower(), lines[options:number]


def _commands(text: str, first: int) -> Iterator[tuple[int, int, list[str]]]:
    """The simple commands of a shell text, each with the first and the last line of what is written as one."""
    for line, last, whole in _joined(text.split("\n"), first):
        reader = shlex.shlex(whole, posix=True, punctuation_chars=True)
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
                yield line, last, words
                words = []


def _joined(lines: Sequence[str], first: int) -> Iterator[tuple[int, int, str]]:
    parts: list[str] = []
    for number, line in enumerate([*lines, ""], first):
        text = line.rstrip()
        if text.endswith("\\"):
            parts.append(text[:-1])
            continue
        parts.append(text)
        whole = " ".join(parts).strip()
        if whole and not whole.startswith("#"):
            yield number - len(parts) + 1, number, whole
        parts = []


def _launcher(words: Sequence[str]) -> str | None:
    """The launcher among the words of a command; None where it starts nothing that is one."""
    before = ""
    for number, word in enumerate(words):
        name = word.rpartition("/")[2]
        is_value = (
            before[:2] == "--" and "=" not in before and name not in ("torchrun", "llamafactory-cli")
        )  # --backend deepspeed
        if name in STARTERS and not is_value and _is_launch(name, words[number + 1 :]):
            return name
        if _PYTHON.match(name):
            return _of_python(words[number + 1 :])
        if name in _NO_LAUNCH and not (name in ("uv", "conda") and "run" in words[number + 1 : number + 3]):
            return None
        if name in ("bash", "sh") and words[number + 1 : number + 2] and not words[number + 1].startswith("-"):
            return None  # a script of the shell, which has its own lines
        before = word
    return None


def _of_python(behind: Sequence[str]) -> str:
    modules = {"torch.distributed.run": "torchrun", "torch.distributed.launch": "torchrun"}
    for flag, module in itertools.pairwise(behind):
        if flag == "-m":
            return modules.get(module, "accelerate" if module.startswith("accelerate.commands") else "python")
        if not flag.startswith("-"):
            break
    return "python"


def _is_launch(name: str, behind: Sequence[str]) -> bool:
    if name in ("swift", "megatron"):
        return [*behind[:1]] in _SWIFT
    return bool(behind) and (name != "accelerate" or "launch" in behind[:6])


def _wrapper(words: Sequence[str]) -> str:
    """The first word that is no variable, where that is not the launcher."""
    first = next((word for word in words if not _VARIABLE.match(word)), "")
    name = first.rpartition("/")[2]
    return "" if name in STARTERS or _PYTHON.match(name) else name
