"""docs/gates.md with its generated part made anew: the names that may be required. `make docs` writes it."""

from __future__ import annotations

import re
import sys

from fp8check.rules.engine.gate import NAMES
from tests.support.paths import DOCS

PAGE = DOCS / "gates.md"


def names() -> str:
    """The table of names."""
    rows = ["| name | what it is | values |", "|---|---|---|"]
    rows += [f"| `{name}` | {one.about} | {', '.join(one.words) or 'a number'} |" for name, one in NAMES.items()]
    return "\n".join(rows) + "\n"


def page() -> str:
    """The page, whole."""
    begin, end = "<!-- requirements: generated -->\n", "<!-- requirements: end -->"
    text = PAGE.read_text(encoding="utf-8")
    text, found = re.subn(f"(?s){re.escape(begin)}.*?{re.escape(end)}", lambda _: begin + names() + end, text)
    assert found == 1
    return text


if __name__ == "__main__":
    sys.stdout.write(page())
