"""docs/service.md with its generated parts made anew: settings, formats, problems. `make docs` writes it."""

from __future__ import annotations

import re
import sys

from fp8check.rules.report.formats import FORMATS
from fp8check.service.problems import KINDS
from fp8check.service.settings import markdown
from tests.support.paths import DOCS

PAGE = DOCS / "service.md"


def formats() -> str:
    """The table of formats."""
    rows = ["| `--format`, `?format=` | Accept | |", "|---|---|---|"]
    rows += [f"| `{one.name}` | `{one.media_type}` | {one.about} |" for one in FORMATS]
    return "\n".join(rows) + "\n"


def problems() -> str:
    """The table of problems."""
    rows = ["| status | `type` | |", "|---|---|---|"]
    rows += [f"| {kind.status} | `/problems/{slug}` | {kind.title} |" for slug, kind in KINDS.items()]
    return "\n".join(rows) + "\n"


def page() -> str:
    """The page, whole."""
    text = PAGE.read_text(encoding="utf-8")
    for name, made in (("settings", markdown()), ("formats", formats()), ("problems", problems())):
        begin, end = f"<!-- {name}: generated -->\n", f"<!-- {name}: end -->"
        text, found = re.subn(f"(?s){re.escape(begin)}.*?{re.escape(end)}", lambda _: begin + made + end, text)  # noqa: B023
        assert found == 1, name
    return text


if __name__ == "__main__":
    sys.stdout.write(page())
