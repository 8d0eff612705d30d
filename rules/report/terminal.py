"""Color, where a terminal has any. Its sequences are the only ones that leave (plain_text.py)."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

_RESET = "\033[0m"


class Style:
    """Paints text, or leaves it alone."""

    __slots__ = ("on",)

    def __init__(self, on: bool) -> None:
        self.on = on

    def _paint(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}{_RESET}" if self.on and text else text

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


def wants_color(stream: TextIO, choice: str) -> bool:
    """Whether to paint: "always", "never", or "auto" (a terminal, and NO_COLOR is not set)."""
    if choice != "auto":
        return choice == "always"
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
