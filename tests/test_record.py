"""Records: small immutable values."""

from __future__ import annotations

import pytest

from fp8check.rules.models import Linear
from fp8check.rules.record import Record


class Point(Record):
    """Two numbers and a name."""

    x: int
    y: int = 0
    name: str = "p"


def test_fields_by_place_by_name_and_by_default() -> None:
    assert Point(1, name="q").as_dict() == {"x": 1, "y": 0, "name": "q"}
    assert repr(Point(1, 2)) == "Point(x=1, y=2, name='p')"


def test_equal_records_are_one_key_and_other_classes_are_not_equal() -> None:
    assert len({Point(1), Point(1, 0, "p"), Point(2)}) == 2
    assert Point(1) != (1, 0, "p")


def test_a_record_does_not_change() -> None:
    with pytest.raises(AttributeError, match="Point cannot be changed: x"):
        Point(1).x = 2  # type: ignore[misc]


@pytest.mark.parametrize(("values", "named"), [((1, 2, "p", 4), {}), ((1,), {"z": 3})])
def test_fields_that_are_not_there(values: tuple[object, ...], named: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="Point has the fields x, y, name"):
        Point(*values, **named)  # type: ignore[arg-type]


def test_a_field_without_a_default_is_needed() -> None:
    with pytest.raises(AttributeError):
        Point()  # type: ignore[call-arg]


def test_a_copy_with_other_values() -> None:
    first = Linear("q", 1, 2, bias=False)
    other = first._replace(name="k")
    assert (other.name, other.in_features, first.name) == ("k", 1, "q")
    with pytest.raises(TypeError, match="has the fields name"):
        first._replace(names="k")
