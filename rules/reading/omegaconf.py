"""What OmegaConf refuses of a file that PyYAML loads: it checks types and references that PyYAML does not know.

Executed on OmegaConf 2.4.0. Of a reference (`${name}`) only the braces are looked at, not the grammar between them.
"""

from __future__ import annotations

import re

from fp8check.rules.reading.nodes import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.reading.nodes import Node

# An even number of backslashes before `${` leaves it a reference. Compiled where there is one: most files have none.
REFERENCE = r"(?<!\\)(?:\\\\)*\$\{"
EMPTY_REFERENCE = r"(?<!\\)(?:\\\\)*\$\{\s*\}"


def refusals(root: Node | None) -> list[Problem]:
    """The fatal problems of a document that OmegaConf loads for LLaMA-Factory, one for each place it would stop at."""
    if root is None or (root.kind == "scalar" and root.value is None):
        return []
    if root.kind != "map":
        message = "LLaMA-Factory needs a map of settings at the top of the file"
        return [Problem("no-map", message, root.span, fatal=True)]
    return [problem for node in root.walk() if node.alias is None for problem in _faults(node)]


def _faults(node: Node) -> Iterator[Problem]:
    if node.key_span is not None and (node.key is None or type(node.key).__name__ in {"date", "datetime"}):
        yield Problem("key-type", f"OmegaConf takes no {node.key} as a key", node.key_span, fatal=True)
    if node.kind == "map":
        yield from _map_faults(node)
    elif node.tag.endswith(":timestamp"):
        yield Problem("value-type", "OmegaConf takes no dates", node.span, fatal=True)
    elif isinstance(node.value, str) and _is_broken_reference(node.value):
        message = "OmegaConf takes ${ for the beginning of a reference, and this one has no name or no }"
        yield Problem("interpolation", message, node.span, fatal=True)


def _map_faults(node: Node) -> Iterator[Problem]:
    if node.tag.endswith(":set"):
        yield Problem("value-type", "OmegaConf takes no sets", node.span, fatal=True)
    strings = {child.key: child for child in node.entries.values() if isinstance(child.key, str)}
    for child in node.entries.values():
        if type(child.key) is int and str(child.key) in strings and child.key_span is not None:
            message = f"OmegaConf takes not both {child.key} and '{child.key}' as keys"
            yield Problem("key-conflict", message, child.key_span, strings[str(child.key)].key_span, fatal=True)


def _is_broken_reference(text: str) -> bool:
    if "${" not in text:
        return False
    opened = len(re.findall(REFERENCE, text))
    return opened > text.count("}") or re.search(EMPTY_REFERENCE, text) is not None
