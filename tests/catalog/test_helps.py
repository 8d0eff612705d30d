"""No advice without proof: what a help tells people to do is rendered from a cure that was done to a copy."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from tests.support.cases import CASES
from tests.support.paths import ROOT
from tests.support.runs import report_of
from tests.support.sampled import sampled
from tests.tools.helps import EXCEPTIONS, tried
from tests.tools.journeys import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TypeGuard

CATALOG = ROOT / "rules" / "catalog"
MOST = 10  # exceptions
# What the renderer's orders begin with (rules/edits/instruction.py).
ORDERS = ("write ", "delete ", "move it: ", "unset ", "export ", "pip install ", "leave ", "start with: ")
PROVED = 380  # of all; there were 398 when this was written


def free_helps(file: Path) -> Iterator[str]:
    """The rules of a file that give a help as a free text, by their ids; a function that is no rule by its name."""
    for function in ast.parse(file.read_text("utf-8")).body:
        if not isinstance(function, ast.FunctionDef):
            continue
        ids = [one.args[0].value for one in function.decorator_list if isinstance(one, ast.Call) if _is_id(one)]
        for node in ast.walk(function):
            if _is_found(node) and any(one.arg == "help" for one in node.keywords):
                yield str(ids[0]) if ids else function.name


def _is_found(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "Found"


def _is_id(call: ast.Call) -> bool:
    return ast.unparse(call.func) == "rule" and isinstance(call.args[0], ast.Constant)


def test_a_help_is_an_action_or_a_fact() -> None:
    free = {rule for file in CATALOG.glob("*.py") if not file.stem.startswith("probe_") for rule in free_helps(file)}
    assert free == {*EXCEPTIONS}
    assert len(EXCEPTIONS) <= MOST


def test_only_what_a_probe_saw_has_free_helps_in_its_files() -> None:
    own = {rule for file in CATALOG.glob("probe_*.py") for rule in free_helps(file)}
    assert all(rule.startswith("FP8") for rule in own if rule.startswith("FP"))


def test_a_free_help_is_found(tmp_path: Path) -> None:
    file = tmp_path / "rules.py"
    file.write_text('@rule("FP299", "x", ERROR)\ndef x(run):\n    yield Found("x", help="write y")\n')
    assert [*free_helps(file)] == ["FP299"]


def test_helps_are_said_in_one_place() -> None:
    """A finding gets its help from its rule, which is a fact, or from the proof; from nothing else."""
    places = [
        file.relative_to(ROOT).as_posix()
        for folder in ("rules", "cli", "service")
        for file in sorted((ROOT / folder).rglob("*.py"))
        if "_replace(help=" in file.read_text("utf-8")
    ]
    assert places == ["rules/checking/advising.py"]


@pytest.mark.parametrize("rule", [one for one in CASES if not one.startswith("FP8")])
def test_a_fact_gives_no_order(rule: str) -> None:
    for case in CASES[rule]["found"]:
        for finding in report_of(case, only=rule).findings:
            assert not finding.help.startswith(ORDERS), case["name"]


@pytest.mark.parametrize("rule", sampled(CASES))
def test_what_a_help_says_to_do_takes_the_finding_away_and_brings_no_error(rule: str) -> None:
    starts = [(name, case) for name, case in catalog.starts() if name.split()[0] == rule]
    every = [one for name, case in starts for one in tried(name, case)]
    assert [one for one in every if one.fault] == []
    assert [one.help for one in every if said_twice(one.help)] == []


def said_twice(help_: str) -> bool:
    """Whether a help says what is to be written, and says it again: "write a: false; with a: false it runs"."""
    order, _, fact = help_.partition("; ")
    values = re.findall(r"[a-z0-9_]+(?:: |=)\S+", order) if order.startswith(ORDERS) else []
    return any(one.strip(",") in fact for one in values)


@pytest.mark.parametrize("twice", ["write a: false; with a: false it runs", "write b=1; b=1 is the least"])
def test_what_is_said_twice_is_seen(twice: str) -> None:
    assert said_twice(twice)
    assert not said_twice("write a: false; it runs with b: true")


def test_most_cures_are_proved() -> None:
    proved = [one for name, case in [*catalog.starts()][::4] for one in tried(name, case) if one.proved]
    assert len(proved) >= PROVED // 4 - 20
