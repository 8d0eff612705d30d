"""Words of a command are changed where they stand: nothing else of it becomes anything else."""

from __future__ import annotations

from shlex import split

import pytest

from fp8check.rules.moves.launching import _without_words
from fp8check.rules.moves.options import with_option
from fp8check.rules.moves.wording import rewritten

TAILS = ("", " > train.log 2>&1", " 2>&1 | tee train.log", " > log &", " | tee -a log")


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("front", ["", "OMP_NUM_THREADS=4 ", "A='b c' B=$C "])
def test_what_stands_around_the_words_stays(front: str, tail: str) -> None:
    written = "accelerate launch --config_file \"$HOME/a b.yaml\" train.py --bf16 True --name 'it is' --out ~/o"
    assert with_option(f"{front}{written}{tail}", "bf16", False) == (f"{front}{written.replace('True', 'False')}{tail}")
    assert with_option(f"{front}{written}{tail}", "fp16", False) == f"{front}{written} --fp16 False{tail}"
    assert _without_words(f"{front}{written}{tail}", "bf16") == f"{front}{written.replace(' --bf16 True', '')}{tail}"


def test_a_word_that_comes_is_quoted() -> None:
    assert (
        with_option("accelerate launch train.py > log", "name", "a b")
        == "accelerate launch train.py --name 'a b' > log"
    )


@pytest.mark.parametrize(
    "command",
    [
        "",
        "accelerate launch > log train.py",
        "accelerate launch 'train.py",
        "a; b",
        "accelerate launch x && y",
        "x" * 40_000,
    ],
)
def test_what_is_not_one_row_of_words_is_left_alone(command: str) -> None:
    assert rewritten(command, lambda words: words) is None


def test_a_backslash_at_the_end_goes() -> None:
    assert rewritten("accelerate launch \\", lambda words: [*words, "x"]) == "accelerate launch x"
    assert rewritten("a \\\n b\\\\ \\\n", lambda words: words) == "a b\\\\"


def test_what_no_shell_takes_is_quoted() -> None:
    command = "accelerate launch --fp8_override_linear_precision (false,false,true) train.py"
    assert with_option(command, "bf16", False) == (
        "accelerate launch --fp8_override_linear_precision '(false,false,true)' train.py --bf16 False"
    )


@pytest.mark.parametrize(
    ("front", "quote"), [("bash -c", "'"), ("nohup bash -lc", "'"), ("A=1 /bin/sh -ec", "'"), ("bash -c", '"')]
)
def test_a_command_that_a_shell_is_handed_is_changed_inside(front: str, quote: str) -> None:
    inside = "accelerate launch --config_file 'a b.yaml' train.py" if quote == '"' else "accelerate launch train.py > o"
    changed = with_option(f"{front} {quote}{inside}{quote} &", "bf16", False)
    assert changed is not None
    assert changed.startswith(f"{front} '")
    assert changed.endswith("' &")
    assert split(changed)[-2] == with_option(inside, "bf16", False)


@pytest.mark.parametrize(
    "command", ['bash -c "accelerate launch $SCRIPT"', "bash -c 'cd x && accelerate launch train.py'"]
)
def test_a_command_that_a_shell_fills_in_before_is_left_alone(command: str) -> None:
    assert with_option(command, "bf16", False) is None


@pytest.mark.parametrize("command", ["bash train.sh accelerate", "bash --norc x y", "bash -x train.sh c"])
def test_a_script_of_a_shell_is_no_command_that_it_is_handed(command: str) -> None:
    assert with_option(command, "bf16", False) == f"{command} --bf16 False"
