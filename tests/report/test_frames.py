"""Quoted lines: marks stand below what they mean, in columns; of a long line what is marked is shown."""

from __future__ import annotations

import time

import pytest

from fp8check.rules.reading.nodes import Span
from fp8check.rules.report import build
from fp8check.rules.report.cells import cells
from fp8check.rules.report.frames import LEAST, Lines, frame
from fp8check.rules.report.terminal import Style
from tests.report.test_words import finding
from tests.support.runs import report_of
from tests.support.widths import pointed, unpainted

_EXAMINED = report_of({"accelerate": "distributed_type: 'NO'\nmixed_precision: bf16\n"})
(FINDING,) = build.brief(_EXAMINED._replace(findings=(finding(Span("t.yaml", 1, 1, 1, 2), "label"),))).findings


def quoted(line: str, start: int, end: int, width: int | None) -> tuple[str, str]:
    """The line as it is quoted, and what stands above the marks."""
    one = FINDING._replace(column=start + 1, end_column=end + 1)
    lines = [*frame(one, Lines({"t.yaml": line}), Style(on=False, width=width))]
    text = unpainted("\n".join(lines)).replace("\x1e", "").replace("\x1f", "")
    ((above, _),) = pointed(text)
    return text.split("\n")[1], above


@pytest.mark.parametrize(
    "line",
    [
        "名前: 値の値",
        "e\u0301te\u0301: o\u0302",
        "\tkey:\tvalue",
        "key: \x1b[1m",
        "한국어: \u1112\u1161\u11ab",
        "a: ##[x] ##[y]",
    ],
)
@pytest.mark.parametrize("width", [None, 24, 80])
def test_marks_stand_below_what_they_mean(line: str, width: int | None) -> None:
    start = line.index(": " if ": " in line else ":") + 1
    _, above = quoted(line, 0, start - 1, width)
    assert above.strip() == line[: start - 1].replace("\t", " ").strip()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200, None])
@pytest.mark.parametrize("before", [0, 10, 50, 200, 5000])
@pytest.mark.parametrize("length", [1, 20, 100, 3000])
@pytest.mark.parametrize("char", ["x", "字", "e\u0301"])
def test_of_a_long_line_what_is_marked_is_shown(width: int | None, before: int, length: int, char: str) -> None:
    line = char * before + "M" * length + char * 1000
    start = len(char) * before
    text, above = quoted(line, start, start + length, width)
    assert above
    assert {*above} == {"M"}
    assert cells(text) <= max(width or 164, LEAST + 4)
    room = max(min(160, (width or 164) - 4), LEAST)
    assert len(above) >= min(length, room // 3)
    assert text.endswith(" ...")


def test_what_a_frame_costs_does_not_grow_with_the_line() -> None:
    def seconds(number: int) -> float:
        line = "M##[" * number
        begin = time.process_time()
        for start in range(0, 4000, 40):
            quoted(line, start, start + 10, 40)
        return time.process_time() - begin

    assert min(seconds(400_000) for _ in range(2)) < 10 * min(seconds(2_000) for _ in range(2)) + 1.0


def test_more_characters_than_are_kept() -> None:
    assert cells("".join(map(chr, range(0x4E00, 0x4E00 + 6000)))) == 12000
