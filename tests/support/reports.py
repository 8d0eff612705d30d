"""Reports of examined runs: their text, and the sources that formats take."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fp8check.rules.report import build, text
from fp8check.rules.report.formats import Look

if TYPE_CHECKING:
    from fp8check.rules.suppression.examined import Examined


def sources_of(examined: Examined) -> dict[str, str]:
    """The text of each file by its path."""
    return {document.path: document.text for document in examined.documents}


def text_of(examined: Examined, **look: bool) -> str:
    """The report as the command prints it; `look`: what of Look is on."""
    return text.render([build.brief(examined)], sources_of(examined), Look(**look))


def without_plan(text: str) -> str:
    """A text without what to do, which is at the end of one failing run that the command itself checks."""
    return re.sub(r"\n(?:what to do  ?\(?|nothing to do|no way to )[^\n]*\n(?:  [^\n]*\n)*", "", text)
