"""A value as it is written into a file: plain where its loader reads it back as that value, else quoted."""

from __future__ import annotations

import json

from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.reading import Unreadable, read


def scalar(value: object, loader: str, *, style: str = "plain", flow: bool = False) -> str:
    """The text of a string, number, boolean or null.

    Args:
        loader: whose rules read it back: "pyyaml", "omegaconf" or "json".
        style: how the value that it replaces was written; its quotes are kept.
        flow: whether it stands between brackets, where commas and brackets end a plain value.

    Raises:
        Unfixable: no way of writing it reads back as it is.
    """
    known = value is None or isinstance(value, (str, bool, int, float))  # no date, no bytes: a fix may move any value
    for text in _candidates(value, style if loader != "json" else "json") if known else ():
        if _reads_back(text, value, loader, flow=flow):
            return text
    raise Unfixable(f"{value!r} cannot be written")


def _candidates(value: object, style: str) -> list[str]:
    if not isinstance(value, str) or style == "json":
        text = json.dumps(value)
        return [text, text.replace("e", ".0e")]  # 1e-05 is text to PyYAML: its floats have a dot
    plain, double, single = value, json.dumps(value, ensure_ascii=False), "'" + value.replace("'", "''") + "'"
    escaped = json.dumps(value)
    return {"single": [single, double, escaped], "double": [double, escaped]}.get(style, [plain, double, escaped])


def _reads_back(text: str, value: object, loader: str, *, flow: bool) -> bool:
    if loader == "json":
        return True
    source = f"{{k: {text}}}\n" if flow else f"k: {text}\n"
    try:
        document = read("value", source.encode(), loader=loader)
    except (Unreadable, UnicodeEncodeError):  # half a surrogate pair has to be escaped
        return False
    data = document.root.data() if document.root is not None else None
    if not isinstance(data, dict) or list(data) != ["k"] or document.problems:
        return False
    return type(data["k"]) is type(value) and data["k"] == value


def inline_text(value: object, loader: str) -> str:
    """The text of any value on one line: collections between brackets."""
    if isinstance(value, dict):
        entries = (f"{entry(str(key), loader, flow=True)}{inline_text(inner, loader)}" for key, inner in value.items())
        return "{" + ", ".join(entries) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(inline_text(inner, loader) for inner in value) + "]"
    return scalar(value, loader, flow=True)


def block(key: str, value: object, loader: str, indent: str, newline: str) -> str:
    """The lines of one entry of a block map, without the last line break."""
    if isinstance(value, dict) and value:
        inner = (block(str(name), part, loader, f"{indent}  ", newline) for name, part in value.items())
        return newline.join([f"{indent}{entry(key, loader).rstrip()}", *inner])
    text = inline_text(value, loader) if isinstance(value, (dict, list, tuple)) else scalar(value, loader)
    return f"{indent}{entry(key, loader)}{text}"


def entry(key: str, loader: str, *, flow: bool = False) -> str:
    """A key with its colon and the space after it."""
    return f"{scalar(key, loader, flow=flow)}: "
