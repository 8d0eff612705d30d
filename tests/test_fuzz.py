"""make fuzz itself: it finds what is planted, makes it small, outlives crashes, and is the same for the same seed."""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING

import pytest

from fp8check.rules.report.formats import FORMATS
from tests.tools.fuzz.__main__ import TARGETS, fuzz, merged
from tests.tools.fuzz.invariants import Broken, Guard, clean, no_command, no_secret, report
from tests.tools.fuzz.mutation import Mutator
from tests.tools.fuzz.targets import NAMES, Target
from tests.tools.fuzz.vocabulary import SECRETS
from tests.tools.fuzz.work import Execution

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.tools.fuzz.cases import Case

SEEDS = ({"text": "a\nb\nc: 1\n"}, {"text": "mixed_precision: fp8\nbf16: true\n", "other": "{}"})


def planted(case: Case, _folder: Path) -> Iterable[str]:
    """What the planted faults do."""
    text = case.get("text", "")
    if "fp8" in text and "other" not in case:
        raise KeyError("fp8")
    if "---" in text:
        os._exit(3)
    return ("fine",)


def endless(_case: Case, _folder: Path) -> Iterable[str]:
    while True:
        time.sleep(0.1)


def target(run: object = planted, **more: object) -> Target:
    return Target("planted", {"text": "yaml", "other": "json"}, run, lambda: SEEDS, **more)  # type: ignore[arg-type]


def test_there_are_targets_for_all_that_is_read_and_written() -> None:
    assert len(TARGETS) >= 8
    assert {one.name for one in FORMATS} == set(NAMES)


def test_a_planted_fault_is_found_and_made_small_and_a_crash_is_outlived() -> None:
    summary = merged(fuzz([target()], workers=2, seconds=5, seed=1))
    findings = {one["key"]: one["case"] for one in summary["findings"]}  # type: ignore[attr-defined, index]
    assert findings["KeyError in ?"] == {"text": "fp8"}
    assert "---" in findings["the process ended with 3"]["text"]
    assert summary["executions"] > 100  # type: ignore[operator]


def test_no_end_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.tools.fuzz.work.HUNG_S", 0.5)
    ((_, result),) = fuzz([target(endless)], workers=1, seconds=0.1, seed=1)
    assert list(result.findings) == ["no end"]


@pytest.mark.parametrize("one", TARGETS, ids=lambda one: one.name)
def test_inputs_depend_on_the_seed_alone(one: Target) -> None:
    def made(seed: str) -> list[Case]:
        mutator = Mutator(random.Random(seed), one.parts, list(one.seeds()))  # noqa: S311
        return [mutator.make() for _ in range(100)]

    assert made("1") == made("1") != made("2")
    assert len({str(case) for case in made("1")}) > 60


def broken(what: object, *arguments: object) -> str:
    with pytest.raises(Broken) as error:
        what(*arguments)  # type: ignore[operator]
    return error.value.what


def test_the_invariants_can_fail() -> None:
    for char in "\x00\x1b\r\x7f\x9b\u202e\u2028\ud800\ufeff":
        assert broken(clean, f"a{char}b", "here") == "unclean character in here"
    for text in ("::error::x", "a\n  ::error::x", "a ##[group]", "##vso[task]"):
        assert broken(no_command, text, "here") == "workflow command in here"
    assert broken(no_secret, f"a {SECRETS[0]}", "here") == "a credential in here"
    no_secret(f"x{SECRETS[0]}", "here")
    for name, text in {
        "json": "{",
        "sarif": '{"version": "1"}',
        "gitlab": "{}",
        "junit": "<a>",
        "html": "<script>",
        "concise": "a",
        "github": "a\n",
    }.items():
        assert broken(report, name, text)


def test_writing_and_starting_are_seen(tmp_path: Path) -> None:
    guard = Guard(str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    with guard:
        (tmp_path / "own" / "x").write_text("x")
        (tmp_path / "own" / "x").read_text()
    guard.check()
    with guard, pytest.raises(FileNotFoundError):
        os.execv("/nowhere", ["x"])  # noqa: S606
    assert broken(guard.check) == "forbidden: os.exec"
    with guard:
        (tmp_path / "other").write_text("x")
    assert broken(guard.check) == "forbidden: open-for-writing"


def test_slowness_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.tools.fuzz.invariants.SLOWEST_S", -1.0)
    finding, _ = Execution(target(), tmp_path)({"text": "a"})
    assert finding is not None
    assert finding.key == "slow"
