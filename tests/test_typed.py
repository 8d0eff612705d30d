"""How much of probe/ and service/ mypy does not see: `Any`, casts and `type: ignore`, counted, and each with its reason.

Apart: probe/child, whose subject are objects of torch, accelerate and the backends, which are not installed here.
"""

from __future__ import annotations

import ast
import io
import tokenize
from typing import TYPE_CHECKING

import pytest

from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = {"Any": 10, "cast": 0, "type: ignore": 1}


def escapes(text: str) -> Iterator[tuple[str, int, bool]]:
    """Each `Any`, cast and `type: ignore` outside of imports: which, its line, and whether a comment gives a reason."""
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    comments = {token.start[0] for token in tokens if token.type == tokenize.COMMENT}
    alone = {line for line in comments if text.splitlines()[line - 1].lstrip().startswith("#")}
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    imported = {line for node in imports for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    for token in tokens:
        line = token.start[0]
        if token.type == tokenize.COMMENT and "type: ignore" in token.string:
            yield "type: ignore", line, line - 1 in alone or "  # " in token.string
        elif token.type == tokenize.NAME and token.string in ("Any", "cast") and line not in imported:
            yield token.string, line, line - 1 in alone or line in comments


def found() -> list[tuple[str, str, bool]]:
    """All of them: which, where, and whether there is a reason."""
    files = [*ROOT.glob("probe/*.py"), *ROOT.glob("service/**/*.py")]
    return [
        (kind, f"{path.relative_to(ROOT)}:{line}", reasoned)
        for path in sorted(files)
        for kind, line, reasoned in escapes(path.read_text("utf-8"))
    ]


@pytest.mark.parametrize("kind", MOST)
def test_there_are_few(kind: str) -> None:
    places = [place for one, place, _ in found() if one == kind]
    assert len(places) <= MOST[kind], places


def test_each_has_a_reason() -> None:
    assert [f"{place}: {kind}" for kind, place, reasoned in found() if not reasoned] == []


TEXT = """\
from typing import (
    Any,
    cast,
)
from a import Any
x: Any = 1  # nobody knows
y: dict[str, Any]
# said above
z = cast("int", x)
w = 1  # type: ignore[assignment]
v = 1  # type: ignore[assignment]  # because
s = "Any"
def cast_iron(Anything): ...
"""


def test_what_is_counted() -> None:
    assert list(escapes(TEXT)) == [
        ("Any", 6, True),
        ("Any", 7, False),
        ("cast", 9, True),
        ("type: ignore", 10, False),
        ("type: ignore", 11, True),
    ]
