"""Parsed nodes -> nodes: values as a loader makes them, merge keys and aliases resolved, what is wrong noted."""

from __future__ import annotations

from fp8check.rules.reading import values
from fp8check.rules.reading.limits import MAX_PATH
from fp8check.rules.reading.nodes import Node, Problem
from fp8check.rules.reading.source import cut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from fp8check.rules.reading.nodes import Span
    from fp8check.rules.reading.source import Source
    from fp8check.rules.reading.syntax import SyntaxNode


PATH_TOO_LONG = f"the keys down to here have more than {MAX_PATH:,} characters"


class Builder:
    """Makes the nodes of one document by the rules of one loader ("pyyaml" or "omegaconf")."""

    def __init__(self, source: Source, loader: str) -> None:
        self._source = source
        self._loader = loader
        self._built: dict[int, Node] = {}
        self.problems: list[Problem] = []

    def build(self, parsed: SyntaxNode, pointer: str = "") -> Node:
        """The node of a parsed node. Raises Unreadable where the loader makes no value of it."""
        if parsed.target is not None:
            return self._alias(parsed, parsed.target, pointer)
        node = self._scalar(parsed, pointer) if parsed.kind == "scalar" else self._collection(parsed, pointer)
        self._built[id(parsed)] = node
        return node

    def _alias(self, parsed: SyntaxNode, target: SyntaxNode, pointer: str) -> Node:
        built = self._built.get(id(target))
        if built is None:  # a merge key can carry an anchor, and is never built
            built = self.build(target, pointer)
        return _brought(built, self._span(parsed), pointer)

    def _scalar(self, parsed: SyntaxNode, pointer: str) -> Node:
        tag = values.resolve(parsed, self._loader)
        try:
            value = values.construct(tag, parsed.text)
        except values.RefusedError as error:
            raise self._source.error(self._blamed(parsed), error.message, error.hint) from error
        raw = self._source.text[parsed.start : parsed.end]
        return Node("scalar", self._span(parsed), value=value, raw=raw, style=parsed.style, tag=tag, pointer=pointer)

    def _blamed(self, parsed: SyntaxNode) -> int:
        """The offset of a written tag, else of the value."""
        return parsed.start if parsed.tag is None else self._source.text.find("!", parsed.origin)

    def _collection(self, parsed: SyntaxNode, pointer: str) -> Node:
        default, allowed = values.COLLECTIONS[parsed.kind]
        tag = default if parsed.tag in {None, "!"} else str(parsed.tag)
        if tag not in allowed:
            shown = values.shown_tag(tag)
            raise self._source.error(
                self._blamed(parsed), f"the tag {shown} is refused by the loader", "remove the tag"
            )
        node = Node(parsed.kind, self._span(parsed), style=parsed.style, tag=tag, pointer=pointer)
        if parsed.kind == "map":
            node.children = entries_by_name(self._entries(parsed, pointer))
        else:
            node.children = [self._item(item, pointer, index) for index, item in enumerate(parsed.items)]
            self._check_pairs(node)
        return node

    def _item(self, item: SyntaxNode, pointer: str, index: int) -> Node:
        node = self.build(item, f"{pointer}/{index}")
        node.key = index
        return node

    def _check_pairs(self, node: Node) -> None:
        """`!!omap` and `!!pairs` take one-entry maps only."""
        if node.tag == values.COLLECTIONS["list"][0]:
            return
        for item in node.items:
            if len(item.entries) != 1:
                shown = values.shown_tag(node.tag)
                raise self._source.error(item.span.start, f"{shown} takes maps of one entry", "remove the tag")

    def _entries(self, parsed: SyntaxNode, pointer: str) -> dict[Hashable, Node]:
        merged: dict[Hashable, Node] = {}
        written: dict[Hashable, Node] = {}
        for parsed_key, parsed_value in parsed.pairs():
            if _is_merge(parsed_key):
                self._merge(self._merged(parsed_value), self._span(parsed_value), pointer, merged)
                continue
            key = self._key(parsed_key)
            path = f"{pointer}/{escaped(str(key))}"
            if len(path) > MAX_PATH:
                raise self._source.error(parsed_key.start, PATH_TOO_LONG)
            node = self.build(parsed_value, path)
            node.key_span = self._span(parsed_key)
            if key in written:
                self._duplicate(key, node.key_span, written[key].key_span)
            written[key] = node
        entries = {**merged, **written} if merged else written
        for key, node in entries.items():
            node.key = key  # of equal keys (`true` and `1`) Python keeps the first
        return entries

    def _key(self, parsed: SyntaxNode) -> Hashable:
        target = parsed.written()
        if target.kind == "scalar":
            tag = values.resolve(target, self._loader)
            if tag == values.VALUE:
                return target.text  # `=` is no value in YAML 1.1, and as a key it is a string
            if tag == values.STR and target is parsed and parsed.anchor is None:
                return parsed.text  # nearly every key; nobody can ask for its node
        node = self.build(parsed)
        if node.kind != "scalar":
            raise self._source.error(parsed.start, f"a {node.kind} cannot be a key", "write the key in quotes")
        return node.value

    def _merged(self, parsed: SyntaxNode) -> Node:
        """What a merge key brings: collections of which no loader makes values, so that none looks at their tags."""
        if parsed.target is not None or parsed.kind == "scalar" or not _is_tagged(parsed):
            return self.build(parsed)
        node = Node(parsed.kind, self._span(parsed), style=parsed.style, tag=values.COLLECTIONS[parsed.kind][0])
        if parsed.kind == "map":
            node.children = entries_by_name(self._entries(parsed, ""))
        else:
            node.children = [self._merged(item) for item in parsed.items]
        return node  # not kept: an alias of it is a value, whose tag counts

    def _merge(self, value: Node, place: Span, pointer: str, into: dict[Hashable, Node]) -> None:
        """Takes over the entries of a merge key's map, or of its list of maps, of which the first wins."""
        sources = value.items if value.kind == "list" else [value]
        for source in reversed(sources):
            if source.kind != "map":
                raise self._source.error(place.start, "<< takes a map or a list of maps", "write << in quotes")
            for node in source.entries.values():
                copy = _brought(node, place, f"{pointer}/{escaped(str(node.key))}")
                copy.key = node.key
                copy.key_span = node.key_span
                self._merge_order(copy, into.get(copy.key), value)
                into[copy.key] = copy

    def _merge_order(self, winner: Node, loser: Node | None, sources: Node) -> None:
        """In a list of merged maps the first has always won; PyYAML 6.0.4 lets the last win (executed on both)."""
        if loser is None or sources.kind != "list" or winner.span.start == loser.span.start:
            return
        if winner.kind == loser.kind == "scalar" and winner.raw == loser.raw:
            return
        message = f"{cut(repr(winner.key))} comes from two merged maps: PyYAML 6.0.4 takes the last, others the first"
        self.problems.append(Problem("merge-order", message, winner.alias or winner.span, loser.key_span, fatal=False))

    def _duplicate(self, key: object, span: Span, first: Span | None) -> None:
        fatal = self._loader == "omegaconf" and isinstance(key, str)
        effect = "OmegaConf refuses the file" if fatal else "the last one wins, the first is lost"
        message = f"the key {cut(repr(key))} is here twice: {effect}"
        self.problems.append(Problem("duplicate-key", message, span, first, fatal=fatal))

    def _span(self, parsed: SyntaxNode) -> Span:
        return self._source.span(parsed.start, parsed.end)


def entries_by_name(entries: dict[Hashable, Node]) -> dict[str, Node]:
    """The entries of a map by the text of their keys; where `1` and `"1"` meet, the string keeps the plain name."""
    result: dict[str, Node] = {}
    for key, node in entries.items():
        name = str(key)
        if not isinstance(key, str) and (name in result or name in entries):
            name = f"{name} ({type(key).__name__})"
        result[name] = node
    return result


def escaped(key: str) -> str:
    """A key as one step of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def _brought(node: Node, place: Span, pointer: str) -> Node:
    """A node under another name: what an alias or a merge key at `place` brings there. The children are shared."""
    copy = Node(
        node.kind,
        node.span,
        value=node.value,
        raw=node.raw,
        style=node.style,
        tag=node.tag,
        pointer=pointer,
        children=node.children,
    )
    copy.alias = place
    return copy


def _is_tagged(parsed: SyntaxNode) -> bool:
    """Whether a collection has a tag, or is a list of collections of which one has."""
    return parsed.tag is not None or (parsed.kind == "list" and any(node.tag is not None for node in parsed.items))


def _is_merge(parsed: SyntaxNode) -> bool:
    key = parsed.written()
    if key.kind != "scalar" or (key.tag is None and key.text != "<<"):
        return False  # only that text is resolved to it
    return values.resolve(key, "pyyaml") == values.MERGE
