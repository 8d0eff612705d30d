"""Credentials of a run: found where they are written, and masked wherever a report repeats them.

What has the shape of a credential is masked by every format at its end (formats.py); here are those that only their
name tells: `hub_token: ...` of a training file, a flag of the launch command, a variable.
"""

from __future__ import annotations

from functools import lru_cache

from fp8check.rules.credentials import MASK, is_secret, is_secret_setting, masked, names_one, of_the_same_width
from fp8check.rules.record import Record
from fp8check.rules.report.schema import Fix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TypeVar

    from fp8check.rules.reading import Document, Node
    from fp8check.rules.trainers.run import Run

    R = TypeVar("R", bound=Record)

# A shorter one cannot be told from any other text: it is masked where it is written only.
SHORTEST = 6
MOST = 200
# Of one that a message has cut, so much tells it.
_BEGINNING = 12
# What a report is told apart by, and where things stand: no value of anybody.
_KEPT = frozenset(
    (
        *("schema", "verdict", "rule", "name", "severity", "file", "path", "kind", "dialect", "pointer", "fingerprint"),
        *("url", "state", "stage", "type", "code", "setting", "variable", "default", "versions", "until"),
    )
)


def masked_text(document: Document) -> str:
    """The text of a file without credentials; every other character stays where it is."""
    text = document.text
    for node in secret_nodes(document):
        start, end = node.span.start, node.span.end
        written = text[start:end]
        if written[:1] in "\"'" and written[-1:] == written[:1]:
            start, end = start + 1, end - 1
        elif node.style in ("literal", "folded"):
            start = text.find("\n", start, end) + 1 or start
        text = text[:start] + of_the_same_width(text[start:end]) + text[end:]
    if document.format == "shell":
        parts, before = [], 0
        for start, end in secret_values(document):
            parts += [text[before:start], of_the_same_width(text[start:end])]
            before = end
        text = "".join((*parts, text[before:]))
    return masked(text, of_the_same_width, code=document.format == "python")


def secret_values(document: Document) -> Sequence[tuple[int, int]]:
    """Where the values of a shell script's variables stand whose names say that they are secret."""
    if document.format != "shell":
        return []
    from fp8check.rules.report.shell_secrets import values  # few runs have one

    return values(document)


def secret_nodes(document: Document) -> Iterator[Node]:
    """The values of a document whose names say that they are secret."""
    if document.root is None:
        return
    for node in document.root.walk():
        if node.kind == "scalar" and isinstance(node.key, str) and is_secret_setting(node.key, node.value):
            yield node
        named, value = node.entries.get("name"), node.entries.get("value")  # as of a list of variables
        if named is not None and value is not None and is_secret_setting(str(named.value), value.value):
            yield value


def secrets_of(run: Run, documents: Iterable[Document]) -> tuple[str, ...]:
    """The credentials of a run that their names tell, the longest first."""
    found: dict[str, None] = {}
    launch, variables = run.launch, {**(run.facts.variables or {}), **run.launch.variables}
    found.update((value, None) for name, value in variables.items() if is_secret(name, value))
    found.update((str(value), None) for name, value in launch.flags.items() if is_secret_setting(name, value))
    for word, following in zip(launch.arguments, (*launch.arguments[1:], ""), strict=False):
        name, equals, value = word.partition("=")
        value = value if equals else following
        if (equals or word.startswith("-")) and is_secret_setting(name.lstrip("-"), value):
            found[value] = None
        masked(word, lambda secret: found.setdefault(secret) or MASK)  # bash -c "python train.py --hub_token ..."
    for document in documents:
        # All are masked where they are written; so many in what is said of them.
        found.update((document.text[start:end], None) for start, end in secret_values(document)[:MOST])
        if not names_one(document.text):
            continue
        found.update((str(node.value).strip(), None) for node in secret_nodes(document))
        found.update(dict.fromkeys(_named_in(document.text, code=document.format == "python")))
    return tuple(sorted((one for one in found if len(one) >= SHORTEST and one != MASK), key=len, reverse=True))


@lru_cache(maxsize=8)  # each run of a shell script asks
def _named_in(text: str, *, code: bool) -> tuple[str, ...]:
    """The credentials of a text that their names tell."""
    found: dict[str, None] = {}
    masked(text, lambda secret: found.setdefault(secret) or MASK, code=code)
    return tuple(found)


def without(record: R, secrets: tuple[str, ...]) -> R:
    """A report, or a part of one, without these credentials."""
    changed = {name: _masked(value, secrets) for name, value in record.as_dict().items() if value and name not in _KEPT}
    return record._replace(**changed)


def _masked(value: object, secrets: tuple[str, ...]) -> object:
    if isinstance(value, str):
        return hidden(value, secrets)
    if isinstance(value, (tuple, list)):
        return type(value)(_masked(one, secrets) for one in value)
    if isinstance(value, dict):
        return {name: one if name in _KEPT else _masked(one, secrets) for name, one in value.items()}
    if isinstance(value, Fix):  # it would write a mask into a file
        return None if any(hidden(edit.text, secrets) != edit.text for edit in value.edits) else value
    return without(value, secrets) if isinstance(value, Record) else value


def hidden(text: str, secrets: tuple[str, ...]) -> str:
    """The text without these credentials, also where a message has cut one."""
    for secret in secrets:
        text = text.replace(secret, MASK)
        start = text.find(secret[:_BEGINNING]) if len(secret) > _BEGINNING else -1
        while start >= 0:
            end = start + _BEGINNING
            while end < len(text) and end - start < len(secret) and text[end] == secret[end - start]:
                end += 1
            text = text[:start] + MASK + text[end:]
            start = text.find(secret[:_BEGINNING], start)
    return text
