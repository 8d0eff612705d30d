"""Every report is what it was at the commit that is kept, but for the differences that are listed with their reasons."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.support.paths import CORPUS
from tests.tools.golden import Difference, Said, additions, differences, expected, kept, say, shown, without

if TYPE_CHECKING:
    from pathlib import Path

PARTS = 8


@pytest.mark.parametrize("part", [pytest.param(part, marks=[pytest.mark.slow] * (part % 2)) for part in range(PARTS)])
def test_reports_are_what_they_were(part: int, tmp_path: Path) -> None:
    every = [one for one in kept() if CORPUS.exists() or not one.get("corpus")]
    size = -(-len(every) // PARTS)
    inputs = every[part * size : (part + 1) * size]
    listed, used = differences(), Counter[int]()
    wrong = {}
    for one, now in zip(inputs, say(inputs, tmp_path / "run"), strict=True):
        before = expected(one, listed, used)
        if before != now:
            wrong[one["id"]] = shown(before, now)
    assert wrong == {}


def test_every_listed_difference_does_something() -> None:
    listed, used = differences(), Counter[int]()
    for one in kept():
        expected(one, listed, used)
    assert [one.reason for number, one in enumerate(listed) if not used[number]] == []


def test_what_is_not_listed_is_seen() -> None:
    one = {"id": "x", "code": 1, "out": "FP101 error\n", "err": ""}
    used = Counter[int]()
    assert expected(one, [], used) == Said(1, "FP101 error\n", "")
    assert expected(one, [Difference("FP101", "FP102", "why")], used) == Said(1, "FP102 error\n", "")
    assert expected(one, [Difference("FP101", "FP102", "why", of="^y")], used) == Said(1, "FP101 error\n", "")
    assert used == {0: 1}


def test_every_listed_addition_is_there(tmp_path: Path) -> None:
    missing = set(additions())
    for one in kept():
        if one.get("corpus") or "json" not in one["id"]:  # type: ignore[operator]
            continue
        (said,) = say([one], tmp_path / "run", added=())
        missing -= {path for path in missing if without(said.out, [path]) != without(said.out, [])}
        if not missing:
            break
    assert missing == set()


def test_what_is_added_is_taken_out_where_it_stands() -> None:
    text = '{"a": {"a": 1}, "b": [{"c": {"d": 2, "e": 3}}]}'
    assert json.loads(without(text, ["/a"])) == {"b": [{"c": {"d": 2, "e": 3}}]}
    assert json.loads(without(text, ["c/d"])) == {"a": {"a": 1}, "b": [{"c": {"e": 3}}]}
    assert without("no JSON", ["/a"]) == "no JSON"
