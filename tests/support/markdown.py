"""Markdown that a site shows: what must be true of it, whatever strangers wrote."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

GFM = MarkdownIt("gfm-like", {"linkify": False})


def outside_code(text: str) -> Iterator[Token]:
    """What a site looks at: the leaves of the page that are no code."""
    for token in GFM.parse(text):
        if token.type not in ("fence", "code_block"):
            yield from token.children or [token]


def check_harmless(text: str, links: tuple[str, ...] = ("https://fp8check.readthedocs.io/rules/",)) -> None:
    """Raises AssertionError where a site would make something of it that fp8check does not mean."""
    for token in outside_code(text):
        assert token.type not in ("html_inline", "html_block", "image", "table_open", "code_block"), token
        if token.type == "link_open":
            assert str(token.attrs["href"]).startswith(links), token
        if token.type == "text":
            assert not re.search(r"[@<>\[\]\\~$|&!]|#|://|(?i:www\.|\bgh-\d)|:\w+:|\b[0-9a-f]{7,}\b", token.content), (
                token
            )
    assert not re.search(r"^\s*/\w", re.sub(r"(?ms)^(`{3,})text\n.*?^\1$", "", text), re.MULTILINE)
    assert not re.search(r"^/", text, re.MULTILINE)
