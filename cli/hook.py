"""The words of a hook: options, which its entry and `args` give, and behind them the names of changed files.

Whoever can commit a file chooses its name: `--fail-on=never` would be an option, and be obeyed. So an argument that
exists as a file is a file, whatever it begins with, and so is everything behind the first one.
"""

from __future__ import annotations

import os

from fp8check.cli.streams import complain
from fp8check.rules.plain_text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

HOOK = "--hook"


def parted(words: Sequence[str], valued: Collection[str]) -> tuple[list[str], list[str]]:
    """The options, with the values that stand behind them, and the files.

    Args:
        valued: the options that take the word behind them as their value.
    """
    options: list[str] = []
    names: list[str] = []
    takes = is_hook = only_files = False
    for word in words:
        is_file = _is_file(word)
        if takes:
            options.append(word)
            takes = False
        elif word == HOOK and not is_hook:  # the entry's own, which makes it a hook
            options.append(word)
            is_hook = True
        elif only_files or is_file or not word.startswith("-"):
            names.append(_named(word, is_file))
            only_files = is_hook
        elif word == "--":
            only_files = True
        else:
            options.append(word)
            takes = word in valued
    return options, names


def _is_file(word: str) -> bool:
    """Whether something has that name that can be committed; git commits no folders."""
    return bool(word) and os.path.lexists(word) and (os.path.islink(word) or not os.path.isdir(word))


def _named(word: str, is_file: bool) -> str:
    """The file's name. One that looks like an option is told: what was meant as one does not count."""
    if is_file and word.startswith("-"):
        complain(f"fp8check: {shown(word)} is a file here, and is checked as one: it is taken for no option\n")
    return os.path.join(os.curdir, word) if word == "-" and is_file else word
