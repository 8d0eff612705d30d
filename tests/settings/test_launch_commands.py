"""Launch commands as people write them, and what they come to: the table beside this file.

A command stands on a line of its own; below it, indented, what it comes to: the launchers with their flags, `|`, the
program and its arguments, the variables, and what the wrappers change. `?` is a launch of which it is not known what it
starts, `-` is no launch, each with the reason.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fp8check.rules.checking.examining import examine
from fp8check.rules.checking.runs import assemble
from fp8check.rules.facts import Facts
from fp8check.rules.settings.command import split
from fp8check.rules.settings.launch import HERE, Launch, LaunchError, NotARun
from fp8check.rules.trainers.commands import of_words, parse

TABLE = Path(__file__).with_name("launch_commands.txt")


def _cases() -> list[tuple[str, str]]:
    lines = [line for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
    return [(command, told.strip()) for command, told in zip(lines[::2], lines[1::2], strict=True)]


def _launcher(launch: Launch) -> str:
    flags = (f"--{name}" if value is True else f"--{name} {value}" for name, value in launch.flags.items())
    return " ".join((launch.tool, *flags))


def _told(launch: Launch) -> str:
    if launch.unknown:
        return f"? {launch.unknown}"
    launchers = " > ".join(map(_launcher, (*launch.outer, launch, *launch.inner)))
    parts = [launchers, "|", *(["module"] if launch.is_module else []), str(launch.script), *launch.arguments]
    parts += [f"[{name}={value}]" for name, value in launch.variables.items()]
    parts += [f"[through {launch.through}]"] if launch.through else []
    for name, value in launch.surroundings.as_dict().items():
        if value != getattr(HERE, name):
            parts.append(f"[{name}: {value}]")
    return " ".join(part or "''" for part in parts)


@pytest.mark.parametrize(("command", "told"), _cases(), ids=lambda text: text[:60])
def test_what_a_command_comes_to(command: str, told: str) -> None:
    launch = parse(command)
    assert ("- " + launch.unknown if told[:1] == "-" else _told(launch)) == told


@pytest.mark.parametrize(("command", "told"), [case for case in _cases() if case[1][:1] == "-"])
def test_what_is_no_launch(command: str, told: str) -> None:
    variables, words = split(command)
    with pytest.raises(NotARun) as error:
        of_words(words, variables)
    assert str(error.value) == told[2:]


def test_the_table_is_large_enough_to_say_something() -> None:
    commands = [command for command, _ in _cases()]
    assert len(commands) == len(set(commands)) > 200


# Words of the table, and what a shell parts or fills in.
_WORDS = sorted({word for command, _ in _cases() for word in command.split()})
_ODD = (
    "$A",
    "${A[@]}",
    "$(x)",
    "''",
    '"',
    "\\",
    "-",
    "--",
    "-z",
    "--=",
    "=",
    "a=b",
    "\x00",
    "\ud800",
    "\u00b2",
    "~/x",
    "<N>",
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(_WORDS) | st.sampled_from(_ODD) | st.text(max_size=6), max_size=12).map(" ".join))
def test_any_words_are_understood_or_have_a_reason(command: str) -> None:
    try:
        launch = parse(command)
    except LaunchError:
        return
    assert bool(launch.unknown) is (launch.tool == "")
    (one,) = assemble([], Facts(), launch=launch, follow=False)
    report = examine(one.run, one.documents)
    assert report.crashes == ()
    if launch.unknown:
        assert report.verdict != "pass"


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(_WORDS) | st.text(max_size=6), min_size=1, max_size=12))
def test_any_words_of_a_shell_are_a_launch_or_none(words: list[str]) -> None:
    try:
        launch = of_words(words, {})
    except LaunchError:
        return
    assert bool(launch.unknown) is (launch.tool == "")


@pytest.mark.parametrize("command", ["a\x00b", "python 'x", "if true; then python 'x; fi"])
def test_what_no_shell_reads_is_refused(command: str) -> None:
    with pytest.raises(LaunchError, match="cannot be read"):
        parse(command)


@pytest.mark.parametrize("tool", ["accelerate launch", "torchrun", "deepspeed"])
def test_an_option_is_no_value_of_the_option_before_it(tool: str) -> None:
    name = "--num_gpus" if tool == "deepspeed" else "--num_processes" if "accelerate" in tool else "--nproc_per_node"
    with pytest.raises(LaunchError, match=f"{name} in the launch command has no value"):
        of_words(*reversed(split(f"{tool} {name} --master_port 1 train.py")))
