"""What to do about an argument that is refused: what it really is, and one way on.

Loaded only where something is refused. Looks at names, and at the beginning of a file that was to be read anyway.
"""

from __future__ import annotations

import os
import re
from itertools import islice

from fp8check.cli.commands import COMMANDS
from fp8check.rules.facts.errors import BadFacts
from fp8check.rules.facts.saved import SCHEMA
from fp8check.rules.reading import Unreadable, files
from fp8check.rules.trainers.registry import NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fp8check.rules.input_error import InputError

_LOOKED_AT = 4096  # bytes of a file
_NAMES = 1000  # of a folder that are looked at
_LONGEST = 100  # characters of a name for which a similar one is looked for
_TEMPLATES = (".j2", ".jinja", ".jinja2", ".tmpl", ".tpl", ".template", ".mustache", ".erb", ".gotmpl")
_WITH_COMMENTS = (".jsonc", ".json5")
_CONFIGURATION = (".yaml", ".yml", ".json", ".sh", ".sbatch")
_FILLED_IN = ("{{", "{%", "<%", "${")
_WORDS = {"help": "--help", "version": "--version"}
_MAKEFILES = ("Makefile", "makefile", "GNUmakefile", "Justfile", "justfile")
_COMMAND = "fp8check -- COMMAND checks the command that starts the training"
# In a manifest of Kubernetes, of compose or SkyPilot, in a workflow: `accelerate launch`, or its words one by one.
_LAUNCHES = re.compile(rb"accelerate\W{1,9}launch\b|\btorchrun\b|llamafactory-cli\W{1,9}train\b|axolotl\W{1,9}train\b")
_EMPTY = "fp8check init writes the first files of a run"


def of(problem: InputError, argv: Sequence[str]) -> tuple[str, str]:
    """What is wrong, and what to do about it, in place of what the problem says itself.

    Args:
        argv: the words of the command line.
    """
    text, hint = str(problem), problem.hint
    if "--hook" in argv:  # whose files nobody typed
        return text, hint
    file = None if isinstance(problem, BadFacts) else _file(problem, text, argv)
    if file is not None:
        found = _absent(file, argv) if _is_absent(problem) else _there(file, problem)
        if found is not None:
            text, hint = f"{_place(file, problem)}: {found[0]}" if found[0] else text, found[1]
    elif argv[:1] == ["init"]:
        hint = hint or _init(argv)
    if argv and argv[0] in COMMANDS and _is_file(argv[0]):
        hint = f"{hint}; " * bool(hint) + f"to check the file of that name: fp8check {os.path.join(os.curdir, argv[0])}"
    return text, hint


def _file(problem: InputError, text: str, argv: Sequence[str]) -> str | None:
    """The file that is refused; None where it is not about one of the command line.

    Of others, which a configuration names, nothing more is said: neither what they are, nor what lies beside them.
    """
    if isinstance(problem, Unreadable):
        return (
            problem.file if any(word == problem.file or word.startswith(f"{problem.file}:") for word in argv) else None
        )
    return next((word for word in argv if text.startswith(f"{word}:1:1: ")), None)


def _place(file: str, problem: InputError) -> str:
    if not isinstance(problem, Unreadable):
        return f"{file}:1:1"
    return file if problem.line is None else f"{file}:{problem.line}:{problem.column}"


def _is_absent(problem: InputError) -> bool:
    return isinstance(problem, Unreadable) and problem.reason == "absent"


def _absent(name: str, argv: Sequence[str]) -> tuple[str, str] | None:
    """Of a name that nothing has: a command in the wrong place, or something that is written nearly so."""
    folder, base = os.path.split(name)
    if not folder and name in _WORDS:
        return "no such file, and no command", f"fp8check {_WORDS[name]}"
    if not folder and name in COMMANDS:
        others = " ".join(word for word in argv if word != name)
        return "no such file, but a command, which stands first", f"fp8check {name} {others}".rstrip()
    if folder and not os.path.isdir(folder):
        return "no such file", f"there is no folder {folder} here"
    near = _near(base, _names(folder or os.curdir))
    if near is not None:
        return "no such file", f"did you mean {os.path.join(folder, near)}?"
    command = _near(name, COMMANDS) if not folder and len(argv) > 0 and argv[0] == name else None
    if command is not None:
        return "no such file, and no command", f"did you mean fp8check {command}?"
    return "no such file", "" if os.path.isabs(name) else "names count from the current folder"


def _names(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as there:
            return [entry.name for entry in islice(there, _NAMES)]
    except OSError:
        return []


def _near(name: str, known: Iterable[str]) -> str | None:
    """The name that is most like another; None where none is."""
    if len(name) > _LONGEST:
        return None
    import difflib

    found = difflib.get_close_matches(name, [one for one in known if len(one) <= _LONGEST], n=1, cutoff=0.7)
    return found[0] if found else None


def near_option(word: str, known: Iterable[str]) -> str:
    """What to do about an option that there is not; "" where none is like it."""
    found = _near(word.partition("=")[0], known)
    return f"did you mean {found}?" if found else ""


def _there(file: str, problem: InputError) -> tuple[str, str] | None:
    """Of a file that is there, or of a folder: what it is, and what to do; None where the problem says enough."""
    if os.path.isdir(file):
        return "a folder", _of_folder(file)
    reason = problem.reason if isinstance(problem, Unreadable) else "content"
    if reason not in ("content", "encoding"):
        return None
    try:
        data = files.start(file, _LOOKED_AT)
    except Unreadable:
        return None
    return _by_name(file) or _by_content(file, data, problem)


def _of_folder(folder: str) -> str:
    named = sorted(name for name in _names(folder) if name.endswith(_CONFIGURATION))
    if not named:
        return "name the files of a run; there is no YAML, JSON or shell file in it"
    return f"name the files of a run that are in it, as in: fp8check {os.path.join(folder, named[0])}"


def _by_name(file: str) -> tuple[str, str] | None:
    ending = os.path.splitext(file)[1].lower()
    if ending in _TEMPLATES:
        return "a template, which no trainer reads as it is", "fill it in, and check the file that comes out"
    if ending in _WITH_COMMENTS:
        instead = f"{os.path.splitext(file)[0]}.json"
        return "accelerate and DeepSpeed read no JSON with comments", f"take them out, and call it {instead}"
    if os.path.basename(file) in _MAKEFILES or ending == ".mk":
        return "a makefile", _COMMAND
    if ending == ".ipynb":
        script = f"{os.path.splitext(file)[0]}.py"
        return "a notebook", f"check it as a script: jupyter nbconvert --to script {file}; fp8check {script}"
    return None


def _by_content(file: str, data: bytes, problem: InputError) -> tuple[str, str] | None:
    if b"\0" in data:
        return "a binary file", "name the files of the run: training file, Accelerate file, or its script"
    if not data.strip():
        return "the file is empty", _EMPTY
    lines = data.splitlines()
    if len(data) < _LOOKED_AT and all(line.lstrip()[:1] in (b"", b"#") for line in lines):
        return "there is nothing in it but comments", _EMPTY
    if isinstance(problem, Unreadable):
        at = data.decode("utf-8", "replace")[max(problem.offset - 1, 0) :]
        if at.startswith(_FILLED_IN) or at[1:].startswith(_FILLED_IN):
            return "", "this is filled in by something before: check the file that comes out"
        return None
    if data.startswith(b"#!") or os.path.splitext(str(problem).partition(":")[0])[1] in (".sh", ".sbatch"):
        return "", _COMMAND
    if _LAUNCHES.search(data):  # of Kubernetes, compose, SkyPilot, a workflow
        return "it starts a training, and is no configuration of one", _COMMAND
    if SCHEMA.encode() in data:
        return "these are facts of a machine, and no file of a run", f"give them as such: --facts {file}"
    return "", f"say who reads it, if it is a training file: --trainer with {', '.join(NAMES)}"


def _is_file(name: str) -> bool:
    return files.is_there(name) and not os.path.isdir(name)


def _init(argv: Sequence[str]) -> str:
    named = [word for word in argv[1:] if not word.startswith("-") and _is_file(word)]
    if named:
        return f"to keep that training file: fp8check init --from {named[0]} --out DIR"
    without = not {"--out", "-o"} & {*argv}
    return "as in: fp8check init --trainer trl --model MODEL --out DIR" if without else ""
