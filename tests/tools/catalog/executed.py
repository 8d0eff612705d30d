"""Runs the small programs of tests/executed in released packages, on a CPU, and keeps what they print.

    python -m tests.tools.catalog.executed --root .conformance [--only ID ...] [--missing]

A case is a file `tests/executed/ID.yaml`:

    stack      a name of tests/tools/conformance/stacks.json, or a map of packages to releases
    wheels     released wheels that go before the stack, without what they require: the real one where the stack has a
               stand-in, or a release that no stack has
    files      the files of the folder in which the command runs, by name
    command    one bash command
    shows      texts that its output has to hold (one, or a list): what the rules that name the case say
    lacks      texts that it must not hold

What is recorded goes to docs/evidence/executed.jsonl, where a rule's evidence names it: `ran STACK [executed ID]: ...`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.tools.conformance import stacks

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
CASES = ROOT / "tests" / "executed"
RECORDED = ROOT / "docs" / "evidence" / "executed.jsonl"
LIMIT_SECONDS = 300
KEPT_CHARACTERS = 4000
Case = dict[str, Any]


def cases() -> dict[str, Case]:
    """Every case by its name."""
    return {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(CASES.glob("*.yaml"))}


def recorded() -> dict[str, Case]:
    """Every line of the record by its id, those without a case included."""
    lines = RECORDED.read_text(encoding="utf-8").splitlines()
    return {one["id"]: one for one in (json.loads(line) for line in lines)}


def texts(case: Case, key: str) -> list[str]:
    """`shows` or `lacks`, as a list."""
    value = case.get(key, [])
    return [value] if isinstance(value, str) else list(value)


def wrong(case: Case, line: Case) -> Iterator[str]:
    """What keeps a recorded line from being the evidence that its case says it is."""
    for key in ("command", "files"):
        if case.get(key) != line.get(key):
            yield f"its {key} changed since it was recorded"
    if stack_of(case) != line["stack"]:
        yield f"it was recorded with {line['stack']}"
    for text in texts(case, "shows"):
        if text not in line["output"]:
            yield f"its output does not hold {text!r}"
    for text in texts(case, "lacks"):
        if text in line["output"]:
            yield f"its output holds {text!r}"
    if not texts(case, "shows"):
        yield "it says nothing that its output has to hold"


def stack_of(case: Case) -> dict[str, str]:
    """The releases that a case runs with, the wheels among them; a stand-in is named as one."""
    stack = stacks.known()[case["stack"]] if isinstance(case["stack"], str) else case["stack"]
    named = {name: f"{release} (stand-in)" if name in stacks.STAND_INS else release for name, release in stack.items()}
    return named | dict(one.split("==") for one in case.get("wheels", ()))


def run(case: Case, root: Path) -> str:
    """What the command prints, without the paths of this machine."""
    stack = stacks.known()[case["stack"]] if isinstance(case["stack"], str) else case["stack"]
    stacks.prepare(root, [stack])
    environment = stacks.environment(stack, root)
    before = [str(_wheel(one, root)) for one in case.get("wheels", ())]
    environment["PYTHONPATH"] = os.pathsep.join([*before, environment["PYTHONPATH"]])
    programs = [f"{folder}/bin" for folder in environment["PYTHONPATH"].split(os.pathsep)]
    environment["PATH"] = os.pathsep.join([*programs, environment["PATH"]])
    with tempfile.TemporaryDirectory(prefix="fp8check-executed-") as name:
        folder = Path(name) / "run"
        for file, text in case.get("files", {}).items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        folder.mkdir(exist_ok=True)
        environment |= {"HF_HOME": str(Path(name) / "home"), "TMPDIR": name}
        done = subprocess.run(
            ["bash", "-c", case["command"]],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT_SECONDS,
            check=False,
        )
        output = done.stdout + done.stderr
        for path in (str(folder), name, *environment["PYTHONPATH"].split(os.pathsep), str(root)):
            output = output.replace(f"{path}/", "").replace(path, "")
    return _without_noise(output)


# What the packages log of this machine, with the time of day.
_NOISE = re.compile(r"\[?[WI]\d{4}[ -]|Failed to load .*\.so|.*(?:it/s\]|s/it\])|\s*$")


def _without_noise(output: str) -> str:
    lines = [line for line in output.splitlines() if not _NOISE.match(line)]
    text = "\n".join(lines).strip()
    return text if len(text) <= KEPT_CHARACTERS else "...\n" + text[-KEPT_CHARACTERS:]


def _wheel(requirement: str, root: Path) -> Path:
    folder = root / "packages" / f"real-{requirement.replace('==', '-')}"
    if not (folder / ".installed").exists():
        arguments = ["--no-deps", "--no-compile", "--no-build-isolation", "--target", str(folder), requirement]
        command = [
            str(stacks.python(root)),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            *arguments,
        ]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        (folder / ".installed").touch()
    return folder


def write(lines: dict[str, Case]) -> None:
    """The record anew, in the order of the ids; whole or not at all."""
    text = "".join(f"{json.dumps(lines[name], ensure_ascii=False)}\n" for name in sorted(lines))
    part = RECORDED.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(RECORDED)


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; 1 where a case does not show what it says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(".conformance"))
    parser.add_argument("--only", nargs="*", default=None, help="ids")
    parser.add_argument("--missing", action="store_true", help="only those that are not recorded as they are")
    options = parser.parse_args(arguments)
    known, failed = cases(), 0
    for name, case in known.items():
        before = recorded().get(name)
        if options.only is not None and name not in options.only:
            continue
        if options.missing and before is not None and not list(wrong(case, before)):
            continue
        line = {"id": name, "stack": stack_of(case), "command": case["command"], "files": case.get("files")}
        output = run(case, options.root.resolve())
        line = {key: value for key, value in {**line, "output": output}.items() if value is not None}
        problems = list(wrong(case, line))
        failed += bool(problems)
        sys.stdout.write(f"{name}: {'; '.join(problems) or 'as it says'}\n")
        if problems:
            sys.stdout.write(f"{line['output']}\n")
        else:
            write(recorded() | {name: line})
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
