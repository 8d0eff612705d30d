"""docs/python.md with its generated part made anew: what each function takes and raises. `make docs` writes it."""

from __future__ import annotations

import inspect
import re
import sys
from typing import TYPE_CHECKING

from fp8check.rules.checking import check, plan, predict
from tests.support.paths import DOCS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = DOCS / "python.md"
FUNCTIONS: tuple[Callable[..., object], ...] = (check, plan, predict)


def described(function: Callable[..., object]) -> Iterator[str]:
    """One function: its signature, and its docstring as a page has it."""
    yield f"## {function.__name__}\n"
    taken = ",\n    ".join(str(one) for one in _parameters(function))
    yield f"```python notation\n{function.__name__}(\n    {taken},\n)\n```\n"
    about, *sections = re.split(r"\n\n(?=(?:Args|Returns|Raises)[:,])", inspect.cleandoc(function.__doc__ or ""))
    yield _code(about) + "\n"
    for section in sections:
        title, _, text = section.partition(":")
        yield f"**{title}**:{_items(text)}\n"


def _parameters(function: Callable[..., object]) -> Iterator[str]:
    for one in inspect.signature(function).parameters.values():
        name = f"*{one.name}" if one.kind is one.VAR_POSITIONAL else one.name
        default = "" if one.default is one.empty else f" = {one.default!r}"
        yield f"{name}: {one.annotation}{default}"


def _items(text: str) -> str:
    """Names with their words as a list; other text as it is."""
    lines = inspect.cleandoc(text).split("\n")
    if len(lines) == 1 or not re.match(r"[\w, ]+: ", lines[0]):
        return " " + _code(" ".join(line.strip() for line in lines))
    joined = re.sub(r"\n[ ]+", " ", "\n".join(lines))
    items = (re.sub(r"^([\w, ]+): ", r"`\1`: ", line) for line in joined.split("\n"))
    return "\n\n" + "\n".join(f"- {_code(item)}" for item in items)


def _code(text: str) -> str:
    return text.replace("<", "&lt;")


def page() -> str:
    """The page, whole."""
    begin, end = "<!-- functions: generated -->\n", "<!-- functions: end -->"
    made = "\n".join(line for function in FUNCTIONS for line in described(function))
    text = PAGE.read_text(encoding="utf-8")
    text, found = re.subn(f"(?s){re.escape(begin)}.*?{re.escape(end)}", lambda _: begin + made + end, text)
    assert found == 1, "docs/python.md has lost the marks of its generated part"
    return text


if __name__ == "__main__":
    sys.stdout.write(page())
