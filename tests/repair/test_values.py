"""What stands for data in the key of a state: the same for the same values, and for no others."""

from __future__ import annotations

import pytest

from fp8check.rules.repair.values import frozen

LARGE = {f"key_{number}": number for number in range(1_000)}


@pytest.mark.parametrize("base", [{}, LARGE], ids=["small", "large"])
def test_the_same_values_are_the_same_in_any_order(base: dict[str, object]) -> None:
    data = {**base, "a": 1, "b": "x", "c": None}
    assert frozen(data) == frozen(dict(reversed(data.items())))
    assert hash(frozen(data)) == hash(frozen(dict(reversed(data.items()))))


@pytest.mark.parametrize("base", [{}, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("other", [True, 1.0, "1", None, 2, [1], {"b": 1}])
def test_other_values_are_others(base: dict[str, object], other: object) -> None:
    assert frozen({**base, "a": 1}) != frozen({**base, "a": other})


@pytest.mark.parametrize("base", [{}, LARGE], ids=["small", "large"])
def test_keys_of_other_types_are_others(base: dict[object, object]) -> None:
    assert frozen({**base, 1: "x"}) != frozen({**base, "1": "x"})
    assert frozen({**base, "a": float("nan")}) == frozen({**base, "a": float("nan")})
    assert frozen({**base, "a": 0.0}) != frozen({**base, "a": -0.0})
    assert frozen({**base, "a\ud800": "x"}) != frozen({**base, "a": "x"})
