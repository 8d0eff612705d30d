"""Reading a report that is plain data, with the types that the schema promises."""

from __future__ import annotations

from typing import NamedTuple, cast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.rules.report.formats import Data


class Place(NamedTuple):
    """Where something is said: line and column from 1, the end exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int


def items(data: Data, key: str) -> Sequence[Mapping[str, object]]:
    """A list of objects; empty where the key is absent."""
    return cast("Sequence[Mapping[str, object]]", data.get(key) or ())


def texts(data: Data, key: str) -> Sequence[str]:
    """A list of texts; empty where the key is absent."""
    return cast("Sequence[str]", data.get(key) or ())


def whole(data: Data, key: str) -> Mapping[str, object]:
    """An object; empty where the key is absent or null."""
    return cast("Mapping[str, object]", data.get(key) or {})


def text_of(data: Data, key: str) -> str:
    """A text; "" where the key is absent or null."""
    value = data.get(key)
    return value if isinstance(value, str) else ""


def place_of(data: Data) -> Place | None:
    """The place of a finding or of a related line; None where no file holds it."""
    if data.get("file") is None:
        return None
    line, column, end_line, end_column = (cast("int", data[name]) for name in Place._fields[1:])
    return Place(str(data["file"]), line, column, end_line, end_column)


def count(data: Data, severity: str) -> int:
    """How many findings there are of that severity."""
    return sum(one["severity"] == severity for one in items(data, "findings"))
