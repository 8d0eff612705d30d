"""JSON text -> nodes, with positions: the values are those of `json.loads`, which the tools use."""

from __future__ import annotations

import re
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]

from fp8check.rules.reading.building import PATH_TOO_LONG, escaped
from fp8check.rules.reading.limits import MAX_DEPTH, MAX_NODES, MAX_PATH
from fp8check.rules.reading.nodes import Node, Problem
from fp8check.rules.reading.source import cut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.reading.source import Source

TAG = "tag:yaml.org,2002:"
SPACE = re.compile(r"[ \t\n\r]*")
NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?")
# Python's json takes the last three, which the standard does not have.
WORDS = {
    "null": None,
    "true": True,
    "false": False,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
}
WORD = re.compile("null|true|false|NaN|-?Infinity")
TAGS = {type(None): "null", bool: "bool", int: "int", float: "float", str: "str"}


class JsonReader:
    """Reads one JSON text into nodes.

    `problems` are those found on the way; `top` is what has been read of a map at the top, also after a syntax error;
    `lost` are entries that a later one of the same key replaces, by the identity of the map's children.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._text = source.text
        self._count = 0
        self.problems: list[Problem] = []
        self.top: dict[str, Node] = {}
        self.lost: dict[int, list[Node]] = {}

    def read(self) -> Node:
        """The root. Raises Unreadable where `json.loads` raises, and where a limit is passed."""
        start = self._skip(0)
        root = self._value(start, "", 0)
        end = self._skip(root.span.end)
        if end != len(self._text):
            raise self._source.error(end, "more text after the end of the JSON value")
        return root

    def _skip(self, position: int) -> int:
        found = SPACE.match(self._text, position)
        return found.end() if found is not None else position

    def _value(self, start: int, pointer: str, depth: int) -> Node:
        self._count += 1
        if self._count > MAX_NODES:
            raise self._source.error(start, f"more than {MAX_NODES:,} keys and values", reason="large")
        if depth > MAX_DEPTH:
            raise self._source.error(start, f"nested more than {MAX_DEPTH} levels deep", reason="large")
        opening = self._text[start : start + 1]
        if opening == "{":
            return self._map(start, pointer, depth)
        if opening == "[":
            return self._list(start, pointer, depth)
        if opening == '"':
            text, end = self._string(start)
            return self._scalar(text, start, end, pointer)
        return self._word_or_number(start, pointer)

    def _scalar(self, value: object, start: int, end: int, pointer: str) -> Node:
        tag = TAG + TAGS[type(value)]
        style = "double" if isinstance(value, str) else "plain"
        raw = self._text[start:end]
        return Node(
            "scalar", self._source.span(start, end), value=value, raw=raw, style=style, tag=tag, pointer=pointer
        )

    def _string(self, start: int) -> tuple[str, int]:
        try:
            text, end = scanstring(self._text, start + 1, True)
        except JSONDecodeError as error:
            raise self._source.error(error.pos, error.msg.lower()) from error
        return text, end

    def _word_or_number(self, start: int, pointer: str) -> Node:
        word = WORD.match(self._text, start)
        if word is not None:
            return self._scalar(WORDS[word.group()], start, word.end(), pointer)
        number = NUMBER.match(self._text, start)
        if number is None:
            raise self._source.error(start, "expected a JSON value here", _hint(self._text, start))
        integer, fraction, exponent = number.groups()
        try:
            value = float(number.group()) if fraction or exponent else int(integer)
        except ValueError as error:  # Python refuses whole numbers of more than 4,300 digits
            raise self._source.error(start, "a number too long for Python") from error
        return self._scalar(value, start, number.end(), pointer)

    def _list(self, start: int, pointer: str, depth: int) -> Node:
        items: list[Node] = []
        position = self._skip(start + 1)
        while self._text[position : position + 1] != "]":
            if items:
                position = self._after_comma(position, "]")
            item = self._value(position, f"{pointer}/{len(items)}", depth + 1)
            item.key = len(items)
            items.append(item)
            position = self._skip(item.span.end)
        span = self._source.span(start, position + 1)
        return Node("list", span, style="flow", tag=TAG + "seq", pointer=pointer, children=items)

    def _map(self, start: int, pointer: str, depth: int) -> Node:
        entries: dict[str, Node] = {} if depth else self.top
        position = self._skip(start + 1)
        while self._text[position : position + 1] != "}":
            if entries:
                position = self._after_comma(position, "}")
            position = self._entry(position, pointer, depth, entries)
        span = self._source.span(start, position + 1)
        return Node("map", span, style="flow", tag=TAG + "map", pointer=pointer, children=entries)

    def _entry(self, start: int, pointer: str, depth: int, entries: dict[str, Node]) -> int:
        if self._text[start : start + 1] != '"':
            raise self._source.error(start, "expected a key in double quotes", _hint(self._text, start))
        key, end = self._string(start)
        colon = self._skip(end)
        if self._text[colon : colon + 1] != ":":
            raise self._source.error(colon, "expected ':' after the key")
        path = f"{pointer}/{escaped(key)}"
        if len(path) > MAX_PATH:
            raise self._source.error(start, PATH_TOO_LONG)
        node = self._value(self._skip(colon + 1), path, depth + 1)
        node.key = key
        node.key_span = self._source.span(start, end)
        if key in entries:
            effect = "the last one wins, and DeepSpeed refuses the file where it reads it itself"
            message = f"the key {cut(repr(key))} is here twice: {effect}"
            self.problems.append(Problem("duplicate-key", message, node.key_span, entries[key].key_span, fatal=False))
            self.lost.setdefault(id(entries), []).append(entries[key])
        entries[key] = node
        return self._skip(node.span.end)

    def _after_comma(self, position: int, closing: str) -> int:
        if self._text[position : position + 1] != ",":
            raise self._source.error(position, f"expected ',' or '{closing}'")
        after = self._skip(position + 1)
        if self._text[after : after + 1] == closing:
            raise self._source.error(position, f"a comma before '{closing}'", "JSON has no trailing commas")
        return after


def _hint(text: str, position: int) -> str:
    if text[position : position + 1] in {"/", "#"}:
        return "JSON has no comments"
    if text[position : position + 1] == "'":
        return "JSON has double quotes only"
    return ""
