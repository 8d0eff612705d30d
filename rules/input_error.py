"""The base of everything that can be wrong with what was asked: one handler of errors knows it."""

from __future__ import annotations

from fp8check.rules.plain_text import shown


class InputError(Exception):
    """What was asked cannot be done, and whoever asked can do something about it; `str()` says in a line what is wrong.

    Attributes:
        hint: what to do about it; "" where there is nothing to say.
        usage: how the command is used; "" where that does not help.
    """

    hint = ""
    usage = ""

    def __init__(self, message: str, *, usage: str = "") -> None:
        super().__init__(shown(message))  # it quotes names of files, keys and flags
        self.usage = usage
