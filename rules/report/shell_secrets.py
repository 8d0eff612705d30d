"""Credentials in the variables of a shell script: TOKEN=..., export HF_TOKEN='...'."""

from __future__ import annotations

from functools import lru_cache

from fp8check.rules.credentials import is_secret
from fp8check.rules.reading.shell import Assignment, Command, ShellScript, Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fp8check.rules.reading import Document


@lru_cache(maxsize=4)  # each run of a script asks
def values(document: Document) -> Sequence[tuple[int, int]]:
    """Where the values of variables stand whose names say that they are secret, without their quotes."""
    variables = _variables(document) if isinstance(document, ShellScript) else ()
    return tuple(
        (start, end)
        for name, start, end in variables
        if name.isidentifier() and is_secret(name, document.text[start:end])
    )


def _variables(script: ShellScript) -> Iterator[tuple[str, int, int]]:
    """Each NAME=value among assignments and words, with where the value stands."""
    parts: list[Assignment | Word] = []
    for item in script.items:
        if isinstance(item, Command):
            parts += (*item.assignments, *item.words)
    for part in parts:
        name, equals, value = script.text[part.start : part.end].partition("=")
        start, end = part.end - len(value), part.end
        if value[:1] in ("'", '"') and value[-1:] == value[:1] and len(value) > 1:
            start, end = start + 1, end - 1
        if equals and value[:1] not in ("", "(") and "$" not in value:
            yield name.removesuffix("+"), start, end
