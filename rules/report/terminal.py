"""What a terminal can do: color, width, links. Their sequences are the only ones that leave (plain_text.py).

Which variables count is published: no-color.org, force-color.org, bixense.com/clicolors; for links FORCE_HYPERLINK, as
the npm package supports-hyperlinks has it.
"""

from __future__ import annotations

import os

from fp8check.rules.plain_text import PAGES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

RESET = "\033[0m"
# How a line may be folded (folding.py).
KEPT = "\x1e"  # what stands before it is repeated on each further line: the gutter of a frame
HANG = "\x1f"  # further lines begin below it
COMMAND = "\x1d"  # what follows is for a shell, which reads the folded lines as it reads the one
JOINED = "\x1c"  # a space at which no line is folded: one in the name of a file

USUAL = 80  # columns of a terminal that does not say how many it has, as shutil.get_terminal_size has it
# Terminals that show links, by a variable that they set; VTE of a version before 0.50 shows none.
_LINKING = {
    "TERM_PROGRAM": ("iTerm.app", "WezTerm", "vscode", "ghostty", "zed", "Hyper", "rio", "WarpTerminal"),
    "TERM": ("xterm-kitty", "alacritty", "xterm-ghostty", "foot", "foot-extra", "wezterm", "contour"),
}
_LINKING_IF_SET = ("WT_SESSION", "KITTY_WINDOW_ID", "KONSOLE_VERSION", "DOMTERM")
_FIRST_VTE = 5001


class Style:
    """How text looks: paint, links and marks at which lines are folded, or none of them.

    Attributes:
        on: whether it is painted.
        width: the columns of a line; None where lines are as long as they are.
        links: whether ids of rules lead to their pages.
    """

    __slots__ = ("links", "on", "width")

    def __init__(self, on: bool, width: int | None = None, *, links: bool = False) -> None:
        self.on, self.width, self.links = on, width, links

    def _paint(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}{RESET}" if self.on and text else text

    def bad(self, text: str) -> str:
        """An error."""
        return self._paint("1;31", text)

    def warn(self, text: str) -> str:
        """A warning."""
        return self._paint("1;33", text)

    def good(self, text: str) -> str:
        """Help, and what is right."""
        return self._paint("32", text)

    def faint(self, text: str) -> str:
        """What only frames."""
        return self._paint("2", text)

    def strong(self, text: str) -> str:
        """What is read first."""
        return self._paint("1", text)

    def severity(self, severity: str, text: str) -> str:
        """Text in the color of a severity."""
        if severity == "error":
            return self.bad(text)
        return self.warn(text) if severity == "warning" else self.strong(text)

    def rule(self, rule: str) -> str:
        """The id of a rule, which leads to its page; a plug-in's rule has none there."""
        if not self.links or not rule.startswith("FP") or not (rule.isascii() and rule[2:].isdigit()):
            return rule
        return f"\033]8;;{PAGES}{rule}\033\\{rule}\033]8;;\033\\"

    @property
    def kept(self) -> str:
        """KEPT where lines are folded."""
        return "" if self.width is None else KEPT

    @property
    def hang(self) -> str:
        """HANG where lines are folded."""
        return "" if self.width is None else HANG

    @property
    def command(self) -> str:
        """COMMAND where lines are folded."""
        return "" if self.width is None else COMMAND

    def name(self, path: str) -> str:
        """The name of a file, in which no line is folded."""
        return path if self.width is None else path.replace(" ", JOINED)


def wants_color(stream: TextIO, choice: str) -> bool:
    """Whether to paint: "always", "never", or "auto": as the variables say, else on a terminal."""
    if choice != "auto":
        return choice == "always"
    variables = os.environ
    if variables.get("FORCE_COLOR"):
        return True
    if variables.get("NO_COLOR"):
        return False
    if variables.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return variables.get("CLICOLOR") != "0" and variables.get("TERM") != "dumb" and stream.isatty()


def wants_links(stream: TextIO, choice: str) -> bool:
    """Whether ids of rules lead to their pages; `choice` of color "never" is one of a plain text."""
    variables = os.environ
    if choice == "never" or (variables.get("TERM") == "dumb" and variables.get("NO_COLOR")):
        return False
    forced = variables.get("FORCE_HYPERLINK")
    if forced:
        return forced != "0"
    return stream.isatty() and _shows_links(variables)


def _shows_links(variables: Mapping[str, str]) -> bool:
    if variables.get("TERM") == "dumb" or variables.get("CI") or variables.get("TEAMCITY_VERSION"):
        return False
    if any(variables.get(name) in known for name, known in _LINKING.items()):
        return True
    version = variables.get("VTE_VERSION", "")
    if version.isascii() and version.isdigit() and len(version) < 9:
        return int(version) >= _FIRST_VTE
    return any(variables.get(name) for name in _LINKING_IF_SET)


def width_of(stream: TextIO) -> int | None:
    """The columns of a line, as shutil.get_terminal_size has them; None where there is no terminal, nor COLUMNS.

    A pipe gets lines as long as they are: programs search them.
    """
    said = os.environ.get("COLUMNS", "")
    if said.isascii() and said.isdigit() and len(said) < 9 and int(said):
        return int(said)
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or USUAL
    except (OSError, ValueError):  # as of a stream that only says that it is a terminal
        return USUAL
