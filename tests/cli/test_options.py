"""Each command takes the options that it honors, and refuses every other one: all pairs of commands and options."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from fp8check.cli.commands import COMMANDS
from fp8check.cli.main import main
from fp8check.cli.options import Parser
from tests.support.command import run

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "train.yaml": "model_name_or_path: m\noutput_dir: out\nbf16: true\n",
    "accel.yaml": "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n",
}
# What a command needs so that only the option decides.
ARGUMENTS = {
    "check": ("train.yaml", "accel.yaml", "--no-environment"),
    "ci": ("github", "--out=reports"),
    "comment": ("github", "reports"),
    "outcome": ("train.yaml", "accel.yaml", "--no-environment"),
    "explain": ("train.yaml:3", "accel.yaml", "--no-environment"),
    "fix": ("train.yaml", "accel.yaml", "--no-environment", "--diff"),
    "init": ("--trainer=trl", "--model=m", "--out=new", "--no-environment"),
    "node": ("train.yaml", "accel.yaml", "--out=told"),
    "nodes": (".",),
    "plan": ("train.yaml", "accel.yaml", "--no-environment"),
    "probe": ("train.yaml", "accel.yaml"),
    "rule": ("FP101",),
    "upgrade": ("train.yaml", "accel.yaml", "--no-environment", "--to=accelerate==1.11.0"),
    "worth": ("Qwen/Qwen2.5-7B",),
}


def parser_of(command: str) -> Parser:
    """The parser of a command."""
    module = import_module(f"fp8check.cli.{COMMANDS[command]}")
    make = getattr(module, "parser", None) or getattr(module, f"{command}_parser")
    made = make()
    assert isinstance(made, Parser)
    return made


def options_of(command: str) -> dict[str, argparse.Action]:
    """The long options of a command."""
    actions = parser_of(command).built()._actions
    return {name: action for action in actions for name in action.option_strings if name.startswith("--")}


EVERY = {name: action for command in COMMANDS for name, action in options_of(command).items()}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


REFUSED = [(command, option) for command in COMMANDS for option in sorted(EVERY) if option not in options_of(command)]


@pytest.mark.parametrize(("command", "option"), REFUSED)
def test_an_option_that_a_command_does_not_honor_is_refused(
    command: str, option: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    action = EVERY[option]
    value = str(next(iter(action.choices or ("1",))))
    words = [option] if action.nargs == 0 else [f"{option}={value}"]
    assert main([command, *ARGUMENTS.get(command, ()), *words]) == 2
    printed = capsys.readouterr()
    assert option in printed.err
    assert printed.out == ""
    assert {path.name: path.read_text() for path in folder.iterdir()} == FILES


# What each option of the commands that share them does, seen from outside: words with it, and what then is so.
HONORED = {
    ("outcome", "--format"): (["--format", "json=o.json"], lambda code, out: code == 0 and out == ""),
    ("outcome", "--set-variable"): (
        ["--set-variable", "ACCELERATE_MIXED_PRECISION=fp8", "--launch", "python train.py", "--trainer", "script"],
        lambda _code, out: "no backend is named" in out,
    ),
    ("outcome", "--trainer"): (["--trainer", "script"], lambda _code, out: "Accelerator(mixed_precision)" not in out),
    ("explain", "--ignore"): (["--ignore", "FP101"], lambda _code, out: "FP101" not in out),
    ("explain", "--select"): (["--select", "FP101"], lambda _code, out: "FP101" in out),
    ("fix", "--ignore"): (["--unsafe", "--ignore", "FP101"], lambda _code, out: "bf16" not in out),
    ("fix", "--unsafe"): (["--unsafe"], lambda _code, out: "-bf16: true" in out),
    ("fix", "--fail-on"): (["--fail-on", "never"], lambda code, _out: code == 0),
    ("check", "--fail-on"): (["--fail-on", "never"], lambda code, _out: code == 0),
    ("check", "--require-evidence"): (
        ["--fail-on", "never", "--require-evidence"],
        lambda code, _out: code == 3,
    ),
    ("check", "--require"): (
        ["--require", "mixed_precision==fp8", "--select", "FP995"],
        lambda code, out: code == 1 and "FP995" in out,
    ),
    ("check", "--quiet"): (["--quiet"], lambda _code, out: "undecided" not in out),
    ("check", "--verbose"): (["--verbose"], lambda _code, out: "for want of" in out),
    ("check", "--color"): (["--color", "always"], lambda _code, out: "\033[" in out),
    ("check", "--hook"): (["--hook"], lambda _code, out: "undecided" not in out),
    ("check", "--launch"): (["--launch", "python"], lambda _code, out: "FP301" in out),
    ("check", "--write-baseline"): (["--write-baseline", "b.json"], lambda code, _out: code == 0),
    ("fix", "--goal"): (["--goal", "fp8"], lambda _code, out: "+bf16: false" in out),
    ("fix", "--plan"): (["--plan", "1"], lambda _code, out: "+bf16: false" in out),
    ("plan", "--goal"): (["--goal", "bf16"], lambda _code, out: "mixed_precision: bf16" in out),
    ("plan", "--format"): (["--format", "json"], lambda _code, out: '"fp8check/plan/1"' in out),
    ("plan", "--color"): (["--color", "always"], lambda _code, out: "\033[" in out),
    ("upgrade", "--to"): (["--to", "accelerate==1.9.0"], lambda _code, out: "then      accelerate 1.9.0" in out),
    ("upgrade", "--stack"): (
        ["--stack", "accelerate==1.10.0"],
        lambda _code, out: "today     accelerate 1.10.0" in out,
    ),
    ("upgrade", "--fail-on"): (["--fail-on", "never"], lambda code, _out: code == 0),
    ("upgrade", "--require-evidence"): (
        ["--fail-on", "never", "--require-evidence"],
        lambda code, _out: code == 3,
    ),
    ("upgrade", "--format"): (["--format", "json"], lambda _code, out: '"fp8check/upgrade/1"' in out),
    ("upgrade", "--select"): (["--select", "FP4"], lambda code, out: code == 0 and "FP612" not in out),
    ("probe", "--json"): (["--json"], lambda _code, out: '"fp8check/probe/1"' in out),
    ("probe", "--format"): (["--format", "json"], lambda _code, out: '"fp8check/probe/1"' in out),
    ("probe", "--fail-on"): (["--fail-on", "never"], lambda code, _out: code == 3),
}


@pytest.mark.parametrize(("command", "option"), list(HONORED))
def test_an_option_is_honored(command: str, option: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, holds = HONORED[command, option]
    assert option in options_of(command)
    code = main([command, *ARGUMENTS.get(command, ()), *words])
    assert holds(code, capsys.readouterr().out)
    assert all(
        (folder / name).exists() for name in [word.partition("=")[2] for word in words if word.startswith("json=")]
    )


@pytest.mark.parametrize("command", ["check", "outcome", "explain", "fix", "probe"])
def test_without_options_they_are_what_argparse_makes_of_none(command: str) -> None:
    parser = parser_of(command)
    plain = vars(parser.parse_args(["a.yaml", "-"]))
    parsed = vars(parser.parse_args(["a.yaml", "-", "--"]))
    assert plain == parsed
    assert plain["files"] == ["a.yaml", "-"]


def test_every_pair_is_tried() -> None:
    pairs = sum(len(options_of(command)) for command in COMMANDS) + len(REFUSED)
    assert pairs == len(COMMANDS) * len(EVERY)


@pytest.mark.parametrize("command", list(COMMANDS))
def test_help_and_an_unknown_option(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: fp8check")
    assert main([command, *ARGUMENTS.get(command, ()), "--no-such-option"]) == 2
    assert "--no-such-option" in capsys.readouterr().err


def test_more_options_than_anybody_gives_are_refused() -> None:
    words = [word for number in range(1001) for word in ("--set-variable", f"V{number}=1")]
    done = run("accel.yaml", *words)
    assert done.returncode == 2
    assert "more than 1,000 options on the command line" in done.stderr
