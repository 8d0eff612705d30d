"""`make smoke`: the wheel, installed afresh for each Python that is here, in surroundings that are not a developer's.

    python -m tests.tools.smoke dist/fp8check-0.1.0-py3-none-any.whl [3.10 3.13]

Each command has to end with the exit code that it always has, say nothing of an internal error, and write nothing but
what it is asked to. Where a Python is not on this machine that is said, and is no failure.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import pty
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import EXAMPLE

WANTED = ("3.10", "3.13")
DROP_FROM_BOUNDING_SET, DAC_OVERRIDE = 24, 1  # linux/prctl.h, linux/capability.h
WIDTH = 40
LIMIT_S = 60

FILES = {
    "train.yaml": b"model_name_or_path: Qwen/Qwen2.5-7B\noutput_dir: o\nbf16: true # \xe2\x98\x83\n",
    "accel.yaml": b"distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n",
    "clean.yaml": b"model_name_or_path: Qwen/Qwen2.5-7B\noutput_dir: o\nbf16: true\n",
    b"tr\xe4in.yaml": b"model_name_or_path: Qwen/Qwen2.5-7B\noutput_dir: o\nbf16: true\n",
    "broken.yaml": b"a: [\n",
    "facts.json": (EXAMPLE / "facts.json").read_bytes(),
}
FILES_OF_FIX = ("train.yaml", "accel.yaml")
ALONE = ("--no-environment", "--no-config")


class Command(NamedTuple):
    """A command with its exit code.

    Attributes:
        says: what has to stand in its standard output, where that is open.
        writes: the files that it writes or changes; where that cannot be done the exit code is 2.
    """

    name: str
    words: tuple[str | bytes, ...]
    code: int
    says: str = ""
    writes: tuple[str, ...] = ()


COMMANDS = (
    Command("check", ("train.yaml", "accel.yaml", *ALONE), 1, "FP101"),
    Command("check --facts", ("train.yaml", "accel.yaml", "--facts", "facts.json", "-v"), 1, "FP101"),
    Command("check, nothing found", ("clean.yaml", *ALONE), 0, "nothing found"),
    Command("check, undecided", ("accel.yaml", "--no-environment", "--require-evidence"), 3),
    Command("check --format json", ("train.yaml", "accel.yaml", *ALONE, "--format", "json"), 1, '"verdict": "fail"'),
    Command("check --format html", ("train.yaml", "accel.yaml", *ALONE, "--format", "html"), 1, "<!doctype html>"),
    Command(
        "check, json to a file", ("train.yaml", "accel.yaml", *ALONE, "--format", "json=r.json"), 1, "", ("r.json",)
    ),
    Command("check this machine", ("train.yaml", "accel.yaml"), 1, "FP101"),
    Command("check, a missing file", ("missing.yaml", *ALONE), 2),
    Command("check, a broken file", ("broken.yaml", *ALONE), 2),
    Command("check, a name that is no UTF-8", (b"tr\xe4in.yaml", "accel.yaml", *ALONE), 1, "FP101"),
    Command("check, an unknown option", ("--nothing",), 2),
    Command("baseline", ("train.yaml", "accel.yaml", *ALONE, "--write-baseline", "b.json"), 0, "b.json", ("b.json",)),
    Command("hook", ("--hook", "train.yaml", "accel.yaml", "facts.json", "broken.yaml"), 1),
    Command("fix --diff", ("fix", "--diff", "train.yaml", "accel.yaml", "--unsafe", *ALONE), 0, "+bf16: false"),
    Command("fix", ("fix", *FILES_OF_FIX, "--unsafe", *ALONE), 0, "", ("train.yaml",)),
    Command("outcome", ("outcome", "train.yaml", "accel.yaml", *ALONE), 0, "mixed_precision"),
    Command("explain", ("explain", "accel.yaml:2", "train.yaml", *ALONE), 0, "mixed_precision"),
    Command("rules", ("rules",), 0, "FP101"),
    Command("rule", ("rule", "FP101"), 0, "Evidence:"),
    Command("rule, an unknown one", ("rule", "nothing"), 2),
    Command("matrix", ("matrix",), 0, "accelerate"),
    Command("worth", ("worth", "Qwen/Qwen2.5-7B"), 0, "tokens"),
    Command("env", ("env",), 0, "python"),
    Command("env --json", ("env", "--json"), 0, '"schema"'),
    Command("help", ("--help",), 0, "usage"),
    Command("version", ("--version",), 0, "fp8check"),
)


class Surrounding(NamedTuple):
    """Where a command is run.

    Attributes:
        variables: what is set in the environment; None takes one away.
        prepare: done in the process before the command starts.
        closed: which of the standard streams are closed.
        terminal: whether standard output is a terminal of 40 columns.
        read_only: whether the current folder cannot be written to.
    """

    name: str
    variables: Mapping[str, str | None] = {}
    prepare: Callable[[], object] = lambda: None
    closed: tuple[int, ...] = ()
    terminal: bool = False
    read_only: bool = False


def limited(kind: int, most: int) -> Callable[[], None]:
    """Sets a limit of the process."""
    return lambda: resource.setrlimit(kind, (most, most))


SURROUNDINGS = (
    Surrounding("as it is"),
    Surrounding("locale C", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    Surrounding("output is ASCII", {"PYTHONIOENCODING": "ascii"}),
    Surrounding("input closed", closed=(0,)),
    Surrounding("output closed", closed=(1,)),
    Surrounding("error closed", closed=(2,)),
    Surrounding("all closed", closed=(0, 1, 2)),
    Surrounding("terminal of 40 columns", {"TERM": "xterm-256color"}, terminal=True),
    Surrounding("dumb terminal", {"TERM": "dumb", "NO_COLOR": "1"}, terminal=True),
    Surrounding("COLUMNS=40", {"COLUMNS": "40", "LINES": "3"}),
    Surrounding("no HOME, no PATH, no LANG", {"HOME": None, "PATH": None, "LANG": None, "USER": None}),
    Surrounding("read-only folder", read_only=True),
    Surrounding("odd time zones", {"TZ": "Asia/Kathmandu"}),
    Surrounding("no time zone", {"TZ": ":::/nowhere"}),
    Surrounding("umask 077", prepare=lambda: os.umask(0o077)),
    Surrounding("16 open files", prepare=limited(resource.RLIMIT_NOFILE, 16)),
    Surrounding("512 MiB of addresses", prepare=limited(resource.RLIMIT_AS, 512 << 20)),
    Surrounding("no core, small stack", prepare=limited(resource.RLIMIT_STACK, 1 << 20)),
    Surrounding("PYTHONOPTIMIZE=2", {"PYTHONOPTIMIZE": "2"}),
    Surrounding("warnings are errors", {"PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1"}),
    Surrounding("no bytecode", {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}),
)


def _as_others() -> None:
    """Let file modes hold for root, too, in the program that this process becomes."""
    ctypes.CDLL(None).prctl(DROP_FROM_BOUNDING_SET, DAC_OVERRIDE, 0, 0, 0)


class Run(NamedTuple):
    """What a command came to; standard output is None where it was closed."""

    code: int
    out: bytes | None
    err: bytes


def run(program: Path, command: Command, where: Surrounding, folder: Path) -> Run:
    """Run a command in its surrounding."""
    environment = {**os.environ, **{name: value for name, value in where.variables.items() if value is not None}}
    for name, value in where.variables.items():
        if value is None:
            environment.pop(name, None)

    def prepare() -> None:
        where.prepare()
        if where.read_only:
            _as_others()
        for descriptor in where.closed:
            os.close(descriptor)

    words = [os.fsencode(program), *(os.fsencode(word) for word in command.words)]
    with _output(where) as (given, said):
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=given,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=environment,
            preexec_fn=prepare,  # noqa: PLW1509  one thread
        )
        try:
            out, err = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return Run(-9, b"", b"no end")
        if given != subprocess.PIPE:
            os.close(given)
            out = said()
    return Run(process.returncode, None if 1 in where.closed else out, err)


@contextlib.contextmanager
def _output(where: Surrounding) -> Iterator[tuple[int, Callable[[], bytes]]]:
    """What becomes the command's standard output, and how to get what was said there."""
    if not where.terminal:
        yield subprocess.PIPE, lambda: b""
        return
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 10, WIDTH, 0, 0))
    pieces: list[bytes] = []

    def read() -> None:
        with contextlib.suppress(OSError):  # the end of a terminal
            while piece := os.read(master, 1 << 16):
                pieces.append(piece)

    reader = threading.Thread(target=read)
    reader.start()

    def said() -> bytes:
        reader.join(10)
        return b"".join(pieces).replace(b"\r\n", b"\n")

    try:
        yield slave, said
    finally:
        os.close(master)


def faults(command: Command, where: Surrounding, done: Run, before: Mapping[bytes, bytes], folder: Path) -> list[str]:
    """What is not as it should be."""
    code = 2 if command.writes and where.read_only else command.code
    found = [] if done.code == code else [f"exit code {done.code}, not {code}"]
    if b"internal error" in done.err or b"Traceback" in done.err:
        found.append("an internal error")
    if command.says and code == command.code and done.out is not None and command.says.encode() not in done.out:
        found.append(f"says nothing of {command.says!r}")
    text = done.out or b""
    is_ascii = where.variables.get("LC_ALL") == "C" or where.variables.get("PYTHONIOENCODING") == "ascii"
    if is_ascii and not text.isascii() and "--diff" not in command.words:  # a diff is for the file, which is UTF-8
        found.append("output that is not ASCII")
    if "json" in command.words and text:
        try:
            json.loads(text)
        except ValueError:
            found.append("no JSON")
    unmeant = {name for name in {**before, **state(folder)} if before.get(name) != state(folder).get(name)}
    unmeant -= {os.fsencode(name) for name in command.writes}
    found += [f"writes {name!r}" for name in sorted(unmeant)]
    if where.terminal and where.variables.get("TERM") == "dumb" and b"\x1b" in text:
        found.append("paints a dumb terminal")
    return found


def state(folder: Path) -> dict[bytes, bytes]:
    """The files of a folder, by their names."""
    named = os.fsencode(folder)
    return {name: Path(os.fsdecode(os.path.join(named, name))).read_bytes() for name in sorted(os.listdir(named))}


def lay(folder: Path) -> None:
    """The files of a run, as they are before a command."""
    if folder.exists():
        folder.chmod(0o755)
        shutil.rmtree(folder)
    folder.mkdir()
    for name, content in FILES.items():
        with open(os.path.join(os.fsencode(folder), os.fsencode(name)), "wb") as file:
            file.write(content)


def interpreters(wanted: tuple[str, ...]) -> dict[str, str | None]:
    """The Pythons of these releases: on PATH, of pyenv, or the one that runs this; None where there is none."""
    found: dict[str, str | None] = {}
    for release in wanted:
        versions = sorted(Path.home().glob(f".pyenv/versions/{release}.*/bin/python3"))
        own = sys.executable if ".".join(map(str, sys.version_info[:2])) == release else None
        found[release] = next(iter(map(str, versions)), None) or shutil.which(f"python{release}") or own
    return found


def installed(python: str, wheel: Path, folder: Path) -> Path:
    """The command of the wheel in a fresh environment."""
    subprocess.run([python, "-m", "venv", str(folder)], check=True)
    quiet = ["-q", "--disable-pip-version-check", "--no-warn-script-location"]
    subprocess.run([str(folder / "bin" / "pip"), "install", *quiet, str(wheel)], check=True)
    return folder / "bin" / "fp8check"


def smoke(program: Path, base: Path) -> list[str]:
    """Every command in every surrounding; what was not as it should be."""
    wrong: list[str] = []
    folder = base / "run"
    for where in SURROUNDINGS:
        began = time.monotonic()
        for command in COMMANDS:
            lay(folder)
            before = state(folder)
            if where.read_only:
                folder.chmod(0o555)
            done = run(program, command, where, folder)
            found = faults(command, where, done, before, folder)
            last = re.sub(r"\s+", " ", done.err.decode("utf-8", "replace").strip())[-300:]
            wrong += [f"{where.name}: {command.name}: {fault}; {last}" for fault in found]
        bad = sum(one.startswith(f"{where.name}: ") for one in wrong)
        print(
            f"  {where.name:<28}{len(COMMANDS):>3} commands  {bad} wrong  {time.monotonic() - began:5.1f} s", flush=True
        )
    return wrong


def main(words: list[str]) -> int:
    """Exit code 1 where something is not as it should be, or there was no Python at all."""
    wheel = Path(words[0]).resolve()
    tried, wrong = 0, 0
    base = Path(tempfile.mkdtemp(prefix="fp8check-smoke-"))
    try:
        for release, python in interpreters(tuple(words[1:]) or WANTED).items():
            if python is None:
                print(f"Python {release}: skipped, it is not on this machine")
                continue
            print(f"Python {release}: {python}", flush=True)
            tried += 1
            found = smoke(installed(python, wheel, base / release), base)
            wrong += len(found)
            print("".join(f"WRONG {one}\n" for one in found), end="")
    finally:
        shutil.rmtree(base, ignore_errors=True)
    print(f"{tried} releases of Python, {len(SURROUNDINGS)} surroundings, {len(COMMANDS)} commands: {wrong} wrong")
    return 1 if wrong or not tried else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
