"""YAML text -> parsed nodes: the tree of the file as the parser sees it, before any loader has made values of it.

The parser's events are turned into a tree by a loop, not by recursion, so that depth costs no stack; PyYAML's own
composer recurses, and its C form ends the process where a hostile file nests deep enough.
"""

from __future__ import annotations

import re

from fp8check.rules.reading.limits import MAX_DEPTH, MAX_EXPANDED, MAX_NODES
from fp8check.rules.reading.pyyaml import yaml
from fp8check.rules.reading.source import cut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml._yaml import Mark as CMark
    from yaml.error import Mark

    from fp8check.rules.reading.source import Source

STYLES = {None: "plain", "": "plain", "'": "single", '"': "double", "|": "literal", ">": "folded"}

# libyaml is some ten times faster than PyYAML's own parser and agrees with it, except around tabs, rare line breaks,
# directives, tags, `?`, `:` before a bracket or comma, escapes of surrogates, and a comment right after `|` or `>`.
# The tools load with PyYAML's own parser, so it decides wherever one of these occurs.
DISPUTED_CHARACTERS = "\t\x85\u2028\u2029\ufeff"
# What may be disputed, behind the pieces of text of which it has one: few files have any, and looking for them is
# thirty times faster than looking for the rest.
DISPUTED = (
    (("%",), r"(?m)^%"),
    (("!",), r"""(?m)(?:^|[\s\[\]{},:"'])!"""),
    (("\r",), r"\r(?!\n)"),
    (("?",), r"(?m)^(?:[^#\n]|(?<=\S)#)*\?"),  # not in a comment
    ((":,", ":[", ":]", ":{", ":}"), r":[,\[\]{}]"),
    (("\\u", "\\U"), r"\\(?:u[dD][89a-fA-F]|U)"),
    (("|", ">"), r"[|>][-+0-9]*#"),
)

# An anchor or a tag before a value, with the space and comments after it.
PROPERTY = r"(?:![^\s,\[\]{}]*|!<[^>]*>|&[^\s,\[\]{}]*)(?:\s+|#[^\r\n]*)*"  # compiled where one is met

# What to do about the parser's complaints, by a piece of the complaint; the first that fits.
HINTS = (
    ("'\\t'", "YAML is indented with spaces; replace the tab"),
    ("mapping values are not allowed", "check the indentation; a value with ': ' in it has to be in quotes"),
    ("that cannot start any token", "write the value in quotes"),
    ("expected <block end>", "check the indentation"),
    ("did not find expected key", "check the indentation"),
    ("could not find expected ':'", "check for a missing ':' or an unclosed quote"),
    ("sequence entries are not allowed", "put the '-' on a line of its own, below the key"),
    ("expected ',' or '", "a bracket is not closed, or a value with brackets in it, such as ${name}, is not in quotes"),
    ("found unexpected end of stream", "a quote is not closed"),
    ("expected node content", "a bracket is not closed, or a value is missing"),
)


class SyntaxNode:
    """A node as parsed.

    `origin` is where its anchor or tag begins, or the value itself where it has neither. `items` holds the values of a
    list, and in a map each key with its value after it. An alias has its `target`. `size` and `height` are those of
    the whole tree below, aliases written out.
    """

    __slots__ = (
        "anchor",
        "end",
        "height",
        "items",
        "kind",
        "origin",
        "plain",
        "size",
        "start",
        "style",
        "tag",
        "target",
        "text",
    )

    def __init__(self, kind: str, start: int, end: int, tag: str | None = None) -> None:
        self.kind = kind
        self.origin = start
        self.start = start
        self.end = end
        self.tag = tag
        self.text = ""
        self.style = "block"
        self.plain = False
        self.anchor: str | None = None
        self.items: list[SyntaxNode] = []
        self.target: SyntaxNode | None = None
        self.size = 1
        self.height = 0

    def pairs(self) -> Iterator[tuple[SyntaxNode, SyntaxNode]]:
        """The keys and values of a map."""
        return zip(self.items[::2], self.items[1::2], strict=True)

    def written(self) -> SyntaxNode:
        """What an alias stands for; anything else is itself."""
        return self if self.target is None else self.target


class SyntaxReader:
    """The first document of a file as a tree of parsed nodes.

    `libyaml` asks for libyaml's reading even where PyYAML's own parser would read otherwise.
    `root` is None for a file without content. `second` is the offset at which a second document begins, if one does.
    After a syntax error `root` is what had been read before it.
    """

    __slots__ = ("_anchors", "_count", "_open", "_parser", "_source", "libyaml", "root", "second")

    def __init__(self, source: Source, *, libyaml: bool = False) -> None:
        self._source = source
        self.libyaml = libyaml
        self._parser = _parser(source.text, libyaml=libyaml)(source.text)
        self._anchors: dict[str, SyntaxNode] = {}
        self._open: list[SyntaxNode] = []
        self._count = 0
        self.root: SyntaxNode | None = None
        self.second: int | None = None

    def read(self) -> None:
        """Parses the first document. Raises Unreadable at what is wrong, `root` holding what came before it."""
        try:
            self._read_events()
        except yaml.MarkedYAMLError as error:
            raise _syntax_error(self._source, error) from error
        except (ValueError, OverflowError) as error:
            # PyYAML's own parser lets these out: a version number or an escape that Python cannot make a value of.
            offset = getattr(self._parser, "index", 0)
            raise self._source.error(offset, f"the loader stops here: {error}") from error

    def _read_events(self) -> None:
        documents = 0
        for event in iter(self._parser.get_event, None):
            if isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, yaml.NodeEvent):
                self._begin(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._close(event)
            elif isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents == 2:
                    self.second = _offset(event.start_mark)
                    return

    def _begin(self, event: yaml.NodeEvent) -> None:
        if isinstance(event, yaml.AliasEvent):
            parsed = self._alias(event)
            self._add(parsed)
            self._grow(parsed)
        else:
            parsed = self._collection(event)
            self._add(parsed)
            self._open.append(parsed)

    def _add(self, parsed: SyntaxNode) -> None:
        """Puts a node where it stands, within the limits."""
        self._count += 1
        if self._count > MAX_NODES:
            raise self._source.error(parsed.start, f"more than {MAX_NODES:,} keys and values", reason="large")
        if len(self._open) + parsed.height > MAX_DEPTH:
            raise self._source.error(parsed.start, f"nested more than {MAX_DEPTH} levels deep", reason="large")
        if self._open:
            self._open[-1].items.append(parsed)
        else:
            self.root = parsed
        if parsed.anchor is not None:
            first = self._anchors.setdefault(parsed.anchor, parsed)
            if first is not parsed:
                line, _ = self._source.place(first.start)
                message = f"anchor &{cut(parsed.anchor)} is given a second time; the first is in line {line}"
                raise self._source.error(parsed.start, message, "give it another name")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        start, end, tag = _offset(event.start_mark), _offset(event.end_mark), event.tag
        parsed = SyntaxNode("scalar", start, end, tag)
        if event.anchor is not None or tag is not None:
            parsed.start = min(self._after_properties(event, start, tag), end)
        parsed.text = event.value
        parsed.style = STYLES[event.style]
        parsed.plain = event.implicit[0]
        parsed.anchor = event.anchor
        self._add(parsed)
        if self._open:  # as _grow, for the size of one
            outer = self._open[-1]
            outer.size += 1
            outer.height = outer.height or 1

    def _collection(self, event: yaml.NodeEvent) -> SyntaxNode:
        origin, tag = _offset(event.start_mark), getattr(event, "tag", None)
        start = self._after_properties(event, origin, tag)
        parsed = SyntaxNode("map" if isinstance(event, yaml.MappingStartEvent) else "list", start, start + 1, tag)
        parsed.style = "flow" if getattr(event, "flow_style", False) else "block"
        parsed.anchor = event.anchor
        parsed.origin = origin
        return parsed

    def _after_properties(self, event: yaml.NodeEvent, start: int, tag: str | None) -> int:
        """Where the value begins whose anchor and tag begin at `start`."""
        return _after_properties(self._source.text, start, (event.anchor is not None) + (tag is not None))

    def _alias(self, event: yaml.AliasEvent) -> SyntaxNode:
        parsed = SyntaxNode("alias", _offset(event.start_mark), _offset(event.end_mark))
        target = self._anchors.get(event.anchor or "")
        if target is None:
            raise self._source.error(
                parsed.start, f"alias *{cut(event.anchor or '')} has no anchor of that name before it"
            )
        if target in self._open:
            message = f"alias *{cut(event.anchor or '')} stands inside the value that it repeats"
            raise self._source.error(parsed.start, message)
        parsed.target = target
        parsed.size = target.size
        parsed.height = target.height
        return parsed

    def _close(self, event: yaml.CollectionEndEvent) -> None:
        parsed = self._open.pop()
        if parsed.style == "flow":
            parsed.end = _offset(event.end_mark)
        else:  # a block always has an item
            # The parser ends a block where the next token begins, after blank lines and comments.
            parsed.end = self._end_of(parsed.items[-1])
        self._grow(parsed)

    def _end_of(self, last: SyntaxNode) -> int:
        """The end of a block's last value; one that was left out may be placed after the line break."""
        end = last.end
        while last.start == last.end and self._source.text[end - 1].isspace():
            end -= 1
        return end

    def _grow(self, parsed: SyntaxNode) -> None:
        """Counts a finished parsed node into the collection that it stands in."""
        if parsed.size > MAX_EXPANDED:
            message = f"aliases make more than {MAX_EXPANDED:,} keys and values of this"
            raise self._source.error(parsed.start, message, reason="large")
        if self._open:
            self._open[-1].size += parsed.size
            self._open[-1].height = max(self._open[-1].height, parsed.height + 1)


def is_disputed(text: str) -> bool:
    """Whether libyaml and PyYAML's own parser may differ about this text."""
    if any(character in text for character in DISPUTED_CHARACTERS):
        return True
    return any(re.search(pattern, text) for pieces, pattern in DISPUTED if any(piece in text for piece in pieces))


def _parser(text: str, *, libyaml: bool) -> type[yaml.SafeLoader | yaml.CSafeLoader]:
    return yaml.CSafeLoader if yaml.__with_libyaml__ and (libyaml or not is_disputed(text)) else yaml.SafeLoader


def _offset(mark: Mark | CMark | None) -> int:
    """The character offset of a mark; PyYAML's types allow None for marks that its parsers always set."""
    return 0 if mark is None else mark.index


def _after_properties(text: str, start: int, count: int) -> int:
    """Where the value begins whose `count` anchors and tags begin at `start`."""
    for _ in range(count):
        found = re.compile(PROPERTY).match(text, start)
        start = start if found is None else found.end()
    return start


def _syntax_error(source: Source, error: yaml.MarkedYAMLError) -> Exception:
    message = error.problem or "this is not YAML"
    if "maximum nesting depth" in message:  # libyaml from 0.2.6 on has a limit of its own, and reads ahead
        message = f"nested more than {MAX_DEPTH} levels deep"
    hint = next((hint for piece, hint in HINTS if piece in message), "")
    return source.error(_offset(error.problem_mark or error.context_mark), message, hint)
