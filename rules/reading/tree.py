"""The parsed nodes of a file that was read: every key and value as it is written, also what no loader keeps.

They are made from the text that is at hand, by the parser that read it at first: what went well then goes well again.
"""

from __future__ import annotations

from fp8check.rules.reading.source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.reading.nodes import Document, Node
    from fp8check.rules.reading.syntax import SyntaxNode


def tree_of(document: Document) -> SyntaxNode | None:
    """The root of a document's only tree; None where it has none, or more than one."""
    source = Source(document.path, document.text)
    if document.format == "json":
        from fp8check.rules.reading.jsontext import JsonReader

        reader = JsonReader(source)
        return _parsed(reader.read(), reader.lost)
    if document.format != "yaml":
        return None
    from fp8check.rules.reading.syntax import SyntaxReader

    written = SyntaxReader(source, libyaml=document.libyaml)
    written.read()
    return written.root if written.second is None else None


def _parsed(node: Node, lost: dict[int, list[Node]]) -> SyntaxNode:
    from fp8check.rules.reading.syntax import SyntaxNode

    parsed = SyntaxNode(node.kind, node.span.start, node.span.end)
    if node.kind == "scalar":
        parsed.text = node.value if isinstance(node.value, str) else node.raw
        parsed.style, parsed.plain = node.style, node.style == "plain"
        return parsed
    parsed.style = "flow"
    for child in sorted([*node.entries.values(), *lost.get(id(node.children), ())], key=lambda one: one.span.start):
        parsed.items += [_key(child), _parsed(child, lost)]
    parsed.items += [_parsed(child, lost) for child in node.items]
    return parsed


def _key(child: Node) -> SyntaxNode:
    from fp8check.rules.reading.syntax import SyntaxNode

    span = child.key_span or child.span
    parsed = SyntaxNode("scalar", span.start, span.end)
    parsed.text, parsed.style = str(child.key), "double"
    return parsed
