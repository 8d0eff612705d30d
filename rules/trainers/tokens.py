"""How many tokens a micro-batch has: exactly, or at least by what their number is always divisible."""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.settings.values import Setting


class Tokens(Record):
    """The tokens of a micro-batch.

    Attributes:
        exact: their number, where every full batch has the same; else None.
        divisor: the number of tokens of every full batch is a multiple of it.
        last: the same for the last batch of an epoch, which may hold fewer sequences.
        why: what makes it so, for people.
        place: the setting that decides.
    """

    exact: int | None
    divisor: int
    last: int
    why: str
    place: Setting | None


def exact(batch: int, row: int, why: str, place: Setting | None) -> Tokens:
    """`batch` rows of `row` tokens each, every time."""
    return Tokens(batch * row, batch * row, row, f"{_sequences(batch)}, {why}", place)


def varying(batch: int, multiple: int, why: str, place: Setting | None) -> Tokens:
    """`batch` rows of a length that varies, and is a multiple of `multiple` tokens."""
    return Tokens(None, batch * multiple, multiple, f"{_sequences(batch)}, {why}", place)


def _sequences(batch: int) -> str:
    return f"{batch} sequence{'s' if batch > 1 else ''}"
