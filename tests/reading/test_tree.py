"""The tree of a document, made again by the parser that read it."""

from __future__ import annotations

import pytest

from fp8check.rules.reading import Document, read
from fp8check.rules.reading.tree import tree_of


def _written(path: str, text: str) -> list[str]:
    root = tree_of(read(path, text.encode()))
    assert root is not None
    found, pending = [], [root]
    while pending:
        one = pending.pop()
        found.append(text[one.start : one.end])
        pending.extend(reversed(one.items))
    return found


@pytest.mark.parametrize("indent", ["\t", "  ", ""])
def test_json_has_every_key_also_the_first_of_two(indent: str) -> None:
    text = f'{{\n{indent}"a": 1,\n{indent}"b": ["x", null],\n{indent}"a": {{}}\n}}\n'
    assert _written("x.json", text) == [text.rstrip(), '"a"', "1", '"b"', '["x", null]', '"x"', "null", '"a"', "{}"]


def test_yaml_is_parsed_as_it_was() -> None:
    assert _written("x.yaml", "a: 1\na: [b]\n") == ["a: 1\na: [b]", "a", "1", "a", "[b]", "b"]
    only_libyaml = "? a\n: 'x\ty'\n"  # disputed: PyYAML's own parser decides, and libyaml where it refuses
    assert tree_of(read("x.yaml", only_libyaml.encode())) is not None


@pytest.mark.parametrize("document", [Document("x.py", "x = {\n", "python", None, loader="python")])
def test_a_script_has_none(document: Document) -> None:
    assert tree_of(document) is None


def test_nor_has_a_file_of_two_documents() -> None:
    assert tree_of(read("x.yaml", b"a: 1\n---\nb: 2\n")) is None
