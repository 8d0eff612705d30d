"""What the docstring of a record says of it, and of each of its fields."""

from __future__ import annotations

import inspect
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.record import Record

# One attribute in the docstring of a record, or several that share their words.
_ATTRIBUTE = re.compile(r"^    (\w[\w, ]*): (.*(?:\n {8}.*)*)", re.MULTILINE)


def words(record: type[Record]) -> tuple[str, dict[str, str]]:
    """The words on the record, and those on its fields, by name; Python -OO has none."""
    about, _, attributes = inspect.cleandoc(record.__doc__ or "").partition("\n\nAttributes:\n")
    named = {
        name: " ".join(text.split()) for names, text in _ATTRIBUTE.findall(attributes) for name in names.split(", ")
    }
    return about, named
