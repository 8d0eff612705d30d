"""The texts that are kept of a node: short, without a credential, and the same when they are written and read again."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from sys import intern

from fp8check.rules.credentials import masked_shapes

LONGEST = 200
LONGEST_REASON = 300
LONGEST_NAME = 258  # a host's, and .json
_SUM = 30  # characters for the sum of a text that is cut


@lru_cache(maxsize=50_000)
def kept(text: str, longest: int = LONGEST) -> str:
    """A text that is short, and differs where the whole differs. Nodes that are alike share it."""
    text = masked_shapes(text.encode("utf-8", "backslashreplace").decode("utf-8"))
    if len(text) > longest:
        total = hashlib.sha256(text.encode()).hexdigest()[:12]
        text = f"{text[: longest - _SUM]}... (sha256 {total})"
    return intern(text)
