"""A recipe class that scales by blocks is data: what a class that differs from MXFP8 in all of it comes to."""

from __future__ import annotations

import pytest

from fp8check.rules.facts import Facts
from fp8check.rules.outcome.recipe import te_recipe
from fp8check.rules.releases import recipes
from fp8check.rules.releases.recipes import BLOCK_SCALINGS
from fp8check.rules.releases.stack import Stack
from fp8check.rules.seen import bounds, from_data

OTHER = BLOCK_SCALINGS[0]._replace(name="OtherScaling", excludes=(("margin", "0"),), operands="E2M1")


def bound_of(name: str) -> float:
    found = bounds(
        from_data(
            {
                "ended": "done",
                "built": {"layers": 1, "vocab": 512, "rows": 2, "columns": 64},
                "recipe": {"class": name, "fp8_format": "E4M3"},
                "numerics": {"output": {"fp8": 0.1}, "gradients": {"fp8": {}, "bf16": {}}},
            }
        )
    )
    assert found is not None
    return found.output


def test_what_a_class_has_no_option_for_is_not_in_its_recipe() -> None:
    assert set(te_recipe(None, Stack(Facts()), OTHER)) == {"class", "fp8_format"}
    assert set(te_recipe(None, Stack(Facts()), BLOCK_SCALINGS[0])) == {"class", "fp8_format", "margin"}


def test_bounds_are_those_of_what_is_multiplied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "BLOCK_SCALINGS", (*BLOCK_SCALINGS, OTHER))
    assert bound_of("OtherScaling") == pytest.approx(4 * bound_of("MXFP8BlockScaling"))
    assert bound_of("MXFP8BlockScaling") == bound_of("DelayedScaling")
