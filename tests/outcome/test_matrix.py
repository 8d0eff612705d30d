"""The table of what trains: its executed cells agree with the executions, and the page is the command's."""

from __future__ import annotations

from pathlib import Path

import pytest

from fp8check.rules.outcome.matrix import EXECUTED, EXECUTED_STACK, Cell, cells
from fp8check.rules.report.matrix import document
from tests.tools.score import load

ROOT = Path(__file__).parent.parent.parent
RECORDED = {case["id"]: case["observed"] for case in load(ROOT / "docs" / "evidence" / "h200-cases.jsonl")}
CELLS = [cell for cell in cells(EXECUTED_STACK) if cell.case]


def test_every_executed_cell_is_in_the_table() -> None:
    assert {cell.case for cell in CELLS} == set(EXECUTED.values())


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: str(cell.case))
def test_executed_cells_say_what_was_seen(cell: Cell) -> None:
    seen = RECORDED[str(cell.case)]
    if not seen["started"]:
        assert seen["error"]["type"] in cell.words
        return
    gemms = sum(seen["fp8_gemms"].values())
    assert (gemms > 0) == (cell.words.startswith(("FP8", "converted")))
    complete = seen["moved"]["linear_weights_moved"] == seen["moved"]["linear_weights"]
    # E4M3 loses the first step, LoRA counts the thawed base, and a head that stays is what the cell says.
    if cell.words == "FP8" and seen["recipe"].get("fp8_format") != "E4M3":
        assert complete
    if not cell.trains and gemms:
        assert not complete or "default recipe" in cell.words


def test_the_page_is_what_the_command_prints() -> None:
    assert (ROOT / "docs" / "compatibility.md").read_text() == document(), "run `make docs`"
