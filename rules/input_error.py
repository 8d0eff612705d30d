"""The base of everything that can be wrong with what was asked: one handler of errors knows it."""

from __future__ import annotations


class InputError(Exception):
    """What was asked cannot be done, and whoever asked can do something about it; `str()` says what is wrong.

    Attributes:
        hint: what to do about it; "" where there is nothing to say.
    """

    hint = ""
