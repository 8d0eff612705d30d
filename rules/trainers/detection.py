"""How a file is told from its content: which keys it has, and what stands under a few of them."""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from fp8check.rules.reading.kind import Kind, Shape


class Detection(Record):
    """One way to tell a file.

    Attributes:
        place: in which order it is asked, the most telling first: DeepSpeed 10, a model's config.json 20, Accelerate
            50. A trainer whose keys nobody else has stands before Accelerate, one that shares its keys behind it.
        tells: whether a file of these top-level keys is one.
        kind: what it is then.
    """

    place: int
    tells: Callable[[Shape], bool]
    kind: Kind


def names(text: str) -> frozenset[str]:
    """A set of keys from their names in a text."""
    return frozenset(text.split())


def count(shape: Shape, known: frozenset[str]) -> int:
    """How many of these keys the file has."""
    return len(known & shape.keys())
