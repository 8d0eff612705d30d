"""The picture of README and site: what the command prints of the example run, as a terminal shows it.

python -m tests.tools.picture docs/images/example.svg
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from tests.support.command import run
from tests.support.paths import EXAMPLE

if TYPE_CHECKING:
    from collections.abc import Iterator

# Two of its findings: with all of them the picture is three times as high.
COMMAND = "fp8check train.yaml accelerate.yaml --facts facts.json --select FP101,FP501"
COLUMNS = 100
_WIDE, _HIGH, _EDGE = 8.4, 19, 20  # of a character and of a line, in pixels; the space around
_BACK, _FRONT, _DIM = "#16181d", "#d7dae0", "#8b93a1"
_COLORS = {31: "#ff7b72", 32: "#7ee787", 33: "#e3b341", 34: "#79c0ff", 35: "#d2a8ff", 36: "#76e3ea"}
_CODE = re.compile(r"\x1b\[([\d;]*)m")


def printed() -> str:
    """What the command prints, in color."""
    ran = run(*shlex.split(COMMAND)[1:], "--color", "always", cwd=EXAMPLE, COLUMNS=str(COLUMNS), FORCE_HYPERLINK="0")
    if ran.returncode != 1 or ran.stderr:
        raise SystemExit(f"{COMMAND}: exit code {ran.returncode}\n{ran.stderr}")
    return ran.stdout


def parts(line: str) -> Iterator[tuple[int, str, tuple[int, ...]]]:
    """The stretches of a line: where each begins, its text, and the codes that hold for it."""
    codes: tuple[int, ...] = ()
    column = 0
    for place, piece in enumerate(_CODE.split(line)):
        if place % 2:
            given = tuple(int(code or 0) for code in piece.split(";"))
            codes = () if 0 in given else (*codes, *given)
        elif piece:
            yield column, piece, codes
            column += len(piece)


def svg(text: str) -> str:
    """The text as a terminal shows it."""
    lines = [f"\x1b[2m$\x1b[0m {COMMAND}", *text.rstrip("\n").split("\n")]
    width, height = COLUMNS * _WIDE + 2 * _EDGE, len(lines) * _HIGH + 2 * _EDGE
    rows = []
    for number, line in enumerate(lines):
        for column, piece, codes in parts(line):
            color = next((_COLORS[code] for code in codes if code in _COLORS), _DIM if 2 in codes else _FRONT)
            bold = ' font-weight="bold"' if 1 in codes else ""
            y = _EDGE + (number + 0.75) * _HIGH
            for found in re.finditer(r"\S+(?: \S+)*", piece):  # more than one space would be one
                words, x = found[0], _EDGE + (column + found.start()) * _WIDE
                rows.append(
                    f'<text x="{x:.1f}" y="{y:.1f}" textLength="{len(words) * _WIDE:.1f}" fill="{color}"{bold}>'
                    f"{escape(words)}</text>"
                )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
        f'viewBox="0 0 {width:.0f} {height}" role="img">\n'
        f"<title>{escape(COMMAND)}</title>\n"
        f'<rect width="100%" height="100%" rx="8" fill="{_BACK}"/>\n'
        '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="14">\n'
        + "\n".join(rows)
        + "\n</g>\n</svg>\n"
    )


def main() -> None:
    """Write it."""
    Path(sys.argv[1]).write_text(svg(printed()), encoding="utf-8")


if __name__ == "__main__":
    main()
