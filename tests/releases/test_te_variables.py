"""The variables of Transformer Engine: which releases read which, and the releases as people are told of them."""

from __future__ import annotations

import pytest

from fp8check.rules.releases.te_variables import BUILDING, VARIABLES, Read


@pytest.mark.parametrize(
    ("name", "reads", "does_not"),
    [
        ("NVTE_UNFUSED_FP8_UPDATE", [(1, 6), (2, 20, 2)], [(1, 5)]),
        ("NVTE_DPA_FP8_RECIPE", [(2, 8), (2, 20, 2)], [(2, 7)]),
        ("NVTE_BACKWARD_OVERRIDE", [(2, 15)], [(2, 14, 1)]),
        ("NVTE_FUSED_ATTN_BACKEND", [(1, 5), (2, 15)], [(2, 16)]),
        ("NVTE_TORCH_COMPILE", [(1, 5), (2, 20, 2)], []),
    ],
)
def test_releases_that_read_it(name: str, reads: list[tuple[int, ...]], does_not: list[tuple[int, ...]]) -> None:
    assert all(VARIABLES[name].holds(version) for version in reads)
    assert not any(VARIABLES[name].holds(version) for version in does_not)


@pytest.mark.parametrize(
    ("read", "told"),
    [
        (Read((2, 8), (9999,)), "2.8 and newer"),
        (Read((2, 0), (2, 2)), "2.0 to before 2.2"),
        (Read((0,), (1, 6)), "before 1.6"),
    ],
)
def test_releases_as_people_are_told_of_them(read: Read, told: str) -> None:
    assert read.releases == told


def test_each_name_is_there_once_and_in_order() -> None:
    assert list(VARIABLES) == sorted(VARIABLES)
    assert not BUILDING & set(VARIABLES)
