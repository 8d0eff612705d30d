"""Text that leaves: what a terminal, a reader or a CI system would take for something else is written out."""

from __future__ import annotations

import json
import re
from html import escape, unescape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fp8check.rules.plain_text import bytes_of, plain, shown
from tests.support.texts import TEXTS, commands_in, is_seen

COMMANDS = st.lists(
    st.sampled_from(
        ["::", "##[", "##vso[", "x", " ", "\t", "\n", "\r", "\x1b[1m", "\u3000", "\xa0", "error ", "\ufe0f", "#", ":"]
    )
).map("".join)
HOSTILE = st.one_of(TEXTS, COMMANDS)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("bf16: true", "bf16: true"),
        ("a\tb", "a b"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("one\r\ntwo\x85\u2028", r"one\r\ntwo\x85\u2028"),
        ("\u202eexe.\u2066", r"\u202eexe.\u2066"),
        ("a\u200db\ufeff\xad", r"a\u200db\ufeff\xad"),
        ("\U000e0041\U0010ffff\ufdd0", r"\U000e0041\U0010ffff\ufdd0"),
        ("\ud800", r"\ud800"),
        ("\u3164\ufe0f", r"\u3164\ufe0f"),
        ("模型\u3000é ü 😀", "模型\u3000é ü 😀"),
        ("a\xa0b", r"a\xa0b"),
        ("##[add-mask]x and ##vso[task.complete]", r"#\#[add-mask]x and #\#vso[task.complete]"),
        ("## a heading [1]", "## a heading [1]"),
        (r"C:\x1b", r"C:\x1b"),
    ],
)
def test_a_value_in_a_line(text: str, safe: str) -> None:
    assert shown(text) == safe
    assert shown(safe) == safe


@given(HOSTILE)
def test_a_value_in_a_line_is_one_line_of_what_is_seen(text: str) -> None:
    safe = shown(text)
    assert all(is_seen(char) for char in safe)
    assert not re.search(r"##\w*\[", safe)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("one\n\ttwo\n", "one\n\ttwo\n"),
        ("::error::x\n  ::stop-commands::y\na::b\n", "\\::error::x\n  \\::stop-commands::y\na::b\n"),
        ("\u3000::debug::x", "\u3000\\::debug::x"),
        ("a\r::error::x", r"a\r::error::x"),
        ("\x1b[1m::error::x", r"\x1b[1m::error::x"),
    ],
)
def test_an_output(text: str, safe: str) -> None:
    assert plain(text) == safe


@given(HOSTILE)
def test_an_output_has_lines_and_no_commands(text: str) -> None:
    safe = plain(text)
    assert all(is_seen(char) or char in "\n\t" for char in safe)
    assert not commands_in(safe)


@given(HOSTILE)
@example(":\x1b[0m:")
@example("#\x1b[0m#\x1b[2mvso\x1b[0m[")
@example(" \x1b[2m:\x1b[0m\x1b[1m:error")
def test_colors_of_our_own_stay(text: str) -> None:
    safe = plain(f"\x1b[1;31m{text}\x1b[0m", painted=True)
    rest = re.sub(r"\x1b\[(?:0|2|1|32|1;31|1;33)m", "", safe)
    assert safe.startswith("\x1b[1;31m")
    assert safe.endswith("\x1b[0m")
    assert all(is_seen(char) or char in "\n\t" for char in rest)
    assert not commands_in(rest)


def test_annotations_stay_where_they_are_meant() -> None:
    lines = "::error title=x::y\n::notice title=x::y\n::stop-commands::y\n ::warning ::z\n::add-mask::x\n"
    safe = "::error title=x::y\n::notice title=x::y\n\\::stop-commands::y\n \\::warning ::z\n\\::add-mask::x\n"
    assert plain(lines, annotations=True) == safe


@given(st.dictionaries(HOSTILE, HOSTILE))
def test_json_keeps_every_value(values: dict[str, str]) -> None:
    safe = plain(json.dumps(values, ensure_ascii=False, indent=2), "json")
    assert all(is_seen(char) or char in "\n" for char in safe)
    assert not commands_in(safe)

    def without_surrogates(text: str) -> str:
        return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)

    expected = {without_surrogates(name): without_surrogates(value) for name, value in values.items()}
    assert json.loads(safe.encode()) == expected


@given(HOSTILE)
def test_markup_says_what_a_line_says(text: str) -> None:
    lines = "\n".join(shown(line) for line in text.split("\n"))
    safe = plain(escape(lines), "markup")
    assert not commands_in(safe)
    assert unescape(safe) == lines


@pytest.mark.parametrize("text", ["a", "\udcff.yaml", "\ud800", "\udcff\ud800"])
def test_a_name_becomes_bytes_whatever_it_holds(text: str) -> None:
    assert bytes_of(text)


def test_a_long_hostile_text_costs_no_more_than_its_length() -> None:
    for part in ("\n", " ", "#", "##", ":", "::", "\u202e", "##a", "\n::"):
        assert plain(part * 100_000) is not None


def test_a_text_of_more_characters_than_are_kept_is_shown_as_well() -> None:
    """A hostile one with every character there is must not fill the memory of a service."""
    many = "".join(map(chr, range(0x4E00, 0x4E00 + 6000)))
    assert shown(f"{many}\x1b") == rf"{many}\x1b"
    assert shown(f"\x1b{many[::-1]}") == rf"\x1b{many[::-1]}"
