"""Lines are folded to a width: nothing is lost, names of files stay whole, and a shell reads a command as before."""

from __future__ import annotations

import gc
import shlex
import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fp8check.rules.plain_text import plain, shown
from fp8check.rules.report.cells import CUT, cells, cut
from fp8check.rules.report.folding import NARROWEST, folded, is_path
from fp8check.rules.report.laying import laid_out
from fp8check.rules.report.terminal import COMMAND, HANG, JOINED, KEPT, Style
from tests.support.widths import too_wide, unpainted

WORDS = "one two three four five six seven eight nine ten eleven twelve"


def test_without_a_width_nothing_changes() -> None:
    assert folded(WORDS, None) == WORDS


def test_lines_hang_below_their_mark() -> None:
    assert folded(f"title     {HANG}{WORDS}", 40) == (
        "title     one two three four five six\n          seven eight nine ten eleven\n          twelve"
    )


def test_where_the_mark_is_too_far_right_what_follows_stands_below() -> None:
    assert folded(f"  title               {HANG}one two three four five", 40).split("\n") == [
        "  title",
        "      one two three four five",
    ]


def test_without_a_mark_lines_stand_a_little_deeper() -> None:
    assert folded(f"  {WORDS}", 40).split("\n")[1].startswith("    eight")


def test_a_gutter_is_repeated() -> None:
    assert folded(f"  |{KEPT}    ^^^^ {HANG}{WORDS}", 60).split("\n") == [
        "  |    ^^^^ one two three four five six seven eight nine ten",
        "  |         eleven twelve",
    ]


def test_the_word_on_marks_far_to_the_right_stands_below_them() -> None:
    lines = folded(f"  |{KEPT}{' ' * 50}^^^^ {HANG}{WORDS}", 60).split("\n")
    assert lines[0].endswith("^^^^")
    assert lines[1] == f"  |{' ' * 21}one two three four five six seven"


def test_names_of_files_are_never_cut() -> None:
    name = "a" * 50 + "/train.yaml:31:1"
    assert folded(f"see {name} for more", 40).split("\n") == ["see", f"  {name}", "  for more"]
    joined = JOINED.join(["my", "run"] * 20) + ".yaml"
    assert joined.replace(JOINED, " ") in folded(f"see {joined}", 40)


@pytest.mark.parametrize("name", ["a/b", "train.yaml", "(accel.yml:3:1),", "`train.sh`", "`ds.json`:"])
def test_what_is_the_name_of_a_file(name: str) -> None:
    assert is_path(name)


@pytest.mark.parametrize("word", ["torch.float8", "transformers", "1.15.0", "bf16=true"])
def test_what_is_none(word: str) -> None:
    assert not is_path(word)


def test_a_long_word_is_cut_behind_a_comma_if_it_has_one() -> None:
    assert folded("{auto,single,ddp,fsdp2,zero2,zero3,one,two,three}", 40).split("\n") == [
        "{auto,single,ddp,fsdp2,zero2,zero3,one,",
        "  two,three}",
    ]
    assert [len(line) for line in folded("x" * 100, 40).split("\n")] == [40, 40, 24]


def test_wide_characters_and_marks_over_characters_count_as_they_are_shown() -> None:
    assert cells("日本語") == 6
    assert cells("e\u0301") == 1
    assert cells("\u1112\u1161\u11ab") == 2
    assert cells("soft\xad") == 5
    assert folded("字" * 30, 40).split("\n") == ["字" * 20, "  " + "字" * 10]
    assert folded("e\u0301" * 39, 40) == "e\u0301" * 39


def test_a_text_is_cut_to_a_room() -> None:
    assert cut("short", 5) == "short"
    assert cut("日本語です", 8) == f"日本{CUT}"
    assert cut("x" * 20, 10) == "x" * 7 + CUT


def test_paint_ends_with_each_line_and_goes_on_in_the_next() -> None:
    style = Style(on=True, width=40)
    lines = folded(f"FP101 {style.hang}{style.strong(WORDS)} end", 40).split("\n")
    assert all(line.startswith(("FP101 \x1b[1m", "      \x1b[1m")) for line in lines)
    assert [line.endswith("\x1b[0m") for line in lines] == [True, False]
    assert unpainted("\n".join(lines)) == folded(f"FP101 {HANG}{WORDS} end", 40)
    long = folded(f"{style.bad('y' * 50)}{style.rule('FP101')}", 40)
    assert unpainted(long).split("\n") == ["y" * 40, "  " + "y" * 10 + "FP101"]


def test_only_own_links_leave() -> None:
    style = Style(on=False, width=None, links=True)
    assert plain(style.rule("FP101"), painted=True) == style.rule("FP101")
    assert style.rule("ACME1") == "ACME1"
    assert style.rule("FPx") == "FPx"
    assert "\x1b" not in plain("\x1b]8;;https://example.org/FP101\x1b\\FP101\x1b]8;;x\x1b\\", painted=True)
    assert "\x1b" not in plain(style.rule("FP101"))


def test_a_credential_is_masked_before_it_is_folded() -> None:
    token = "hf_" + "AbCdEfGh" * 5
    text = laid_out(f"it is said that the token is now {token}\n", Style(on=False, width=40))
    assert "AbCd" not in text
    assert not too_wide(text, 40)


def read(command: str) -> list[str]:
    """The words that a shell makes of a command."""
    script = f'words() {{ printf "%s\\0" "$@"; }}\nwords {command.strip()}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


def read_folded(text: str, width: int) -> list[str]:
    lines = folded(f"  1. start with     {HANG}{COMMAND}{shown(text)}", width)
    assert not too_wide(lines, max(width, NARROWEST))
    return read(lines.partition("start with")[2])


@pytest.mark.parametrize(
    "text",
    [
        "accelerate launch --config_file accel.yaml -m llamafactory.launcher train.yaml",
        "accelerate launch --fsdp_transformer_layer_cls_to_wrap=Qwen2DecoderLayer,LlamaDecoderLayer train.py",
        "python -c 'print(1); print(2); print(3); print(4); print(5); print(6); print(7); print(8)'",
        'NAME="a value with spaces that is longer than the line is wide" python train.py --name "two  spaces"',
        "echo " + "a\\ b" * 20 + " 'it'\"'\"'s'",
    ],
)
@pytest.mark.parametrize("width", [24, 40, 80])
def test_a_shell_reads_a_folded_command_as_it_was(text: str, width: int) -> None:
    assert read_folded(text, width) == read(text)


def test_what_no_shell_reads_is_folded_as_well() -> None:
    text = "echo 'not closed, and long, as a stranger may have written it, so that it goes on for a while"
    assert not too_wide(folded(f"{COMMAND}{text}", 40), 40)


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="/."), min_size=1), min_size=1),
    st.integers(24, 90),
)
def test_any_command(words: list[str], width: int) -> None:
    text = shown(shlex.join(words))
    assert read_folded(text, width) == read(text)


@given(st.text(st.characters(codec="utf-8")), st.integers(1, 130))
def test_any_text(text: str, width: int) -> None:
    safe = "\n".join(map(shown, text.split("\n")))
    made = folded(safe, width)
    assert not too_wide(made, max(width, NARROWEST))
    assert "".join(made.split()) == "".join(safe.split())


@pytest.mark.parametrize("text", ["x", "x ", "字", "e\u0301", " ", "a,", "'a b' ", "a/b "])
@pytest.mark.parametrize("before", ["", HANG, f"  |{KEPT}", f"{HANG}{COMMAND}"])
def test_what_it_costs_grows_with_the_text(text: str, before: str) -> None:
    small, large = (min(seconds(before + text * number) for _ in range(2)) for number in (25_000, 100_000))
    assert large < 8 * small + 0.2


def seconds(text: str) -> float:
    """As in the command, whose objects stay until it ends: elsewhere the collector goes through those of all tests."""
    gc.disable()
    try:
        start = time.process_time()
        folded(text, 40)
        return time.process_time() - start
    finally:
        gc.enable()
