"""What is going on, where it takes long and a person may be watching: a line on the terminal that goes away again."""

from __future__ import annotations

import os
import sys
import time

from fp8check.cli.streams import pass_by

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from fp8check.cli.options import Options

LOOKING = "looking for what to do ..."
_FIRST_AFTER_S = 0.5
_EVERY_S = 0.1


class Progress:
    """A line on the terminal behind standard error; none in CI, with --quiet, in a hook, and without a terminal.

    Args:
        at_once: whether each text is told as it comes: there are few. Otherwise the first waits, and some are left out.
    """

    def __init__(self, options: Options, *, at_once: bool = False) -> None:
        self.on = is_watched(options)
        self._at_once = at_once
        self._next = time.monotonic() + _FIRST_AFTER_S

    def tell(self, text: str) -> None:
        """What is going on now."""
        if not self.on:
            return
        now = time.monotonic()
        if self._at_once or now >= self._next:
            self._next = now + _EVERY_S
            pass_by(f"fp8check: {text}")

    def end(self) -> None:
        """Take the line away."""
        if self.on:
            pass_by("")

    def watching(self, spent: Callable[[], bool], text: str) -> Callable[[], bool]:
        """Whether the time is over, as `spent`, which is asked again and again; each time it tells the text."""

        def asked() -> bool:
            self.tell(text)
            return spent()

        return asked if self.on else spent


def is_watched(options: Options) -> bool:
    """Whether a person may be watching."""
    given = vars(options)
    if given.get("quiet") or given.get("hook") or os.environ.get("CI") or os.environ.get("TERM") == "dumb":
        return False
    return sys.stderr.isatty()
