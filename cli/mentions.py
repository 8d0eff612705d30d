"""Which files of a repository may have to do with changed ones: they name them, or name a file that does.

This only says where to look. Whether a run really has a changed file is told by what it reads (cli/belonging.py), so a
name that stands somewhere by accident costs a little time, and nothing else.
"""

from __future__ import annotations

import os

from fp8check.rules.reading import Unreadable, files
from fp8check.rules.reading.read import SUFFIXES as SHELL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CONFIGURATION = (".yaml", ".yml", ".json")
PYTHON = ".py"
# What is looked through: larger ones are data.
_LARGEST = 256 * 1024
# Of more files, or after more steps from one to the next, each file is taken for one that may.
_MOST_FILES = 30_000
_MOST_STEPS = 12
_FEW = 8  # names that are looked for one by one
# Files that are named by their folder: a model's, and a package's.
_BY_FOLDER = ("config.json", "__init__.py", "__main__.py")
# What a word of a program is made of, and what the name of a file is not made of where a configuration names it.
_WORD = rb"\w+"
_NAME = rb"[^\s\"'/\\,:=;#\[\]{}()]+"


class Texts:
    """What stands in the files of a repository that may name others; each is read once.

    Attributes:
        names: of these files.
        direct: of those found by `naming` that name a changed file themselves.
    """

    def __init__(self, tracked: Iterable[str]) -> None:
        self.direct: set[str] = set()
        self.names = [name for name in tracked if name.endswith((*CONFIGURATION, PYTHON, *SHELL))]
        self._read: dict[str, bytes] = {}

    def of(self, name: str) -> bytes:
        """The text of a file; nothing where it cannot be read, or is larger than such files are."""
        text = self._read.get(name)
        if text is None:
            text = self._read[name] = _start(name)
        return text

    def naming(self, changed: Iterable[str]) -> Iterator[str]:
        """The shell scripts and configuration files that may name a changed file, also by way of others."""
        new = {*changed}
        left = [name for name in self.names if name not in new]
        for step in range(_MOST_STEPS + 1):
            if not new or not left:
                return
            if len(left) > _MOST_FILES or step == _MOST_STEPS:
                found = left
            else:
                words, whole = _Sought(_words(new), _WORD), _Sought(_whole(new), _NAME)
                sought = {True: whole, False: words}
                found = [name for name in left if sought[name.endswith(CONFIGURATION)].are_in(self.of(name))]
            if step == 0:
                self.direct.update(found)
            yield from (name for name in found if not name.endswith(PYTHON))
            new = {*found}
            left = [name for name in left if name not in new]


class _Sought:
    """Words of which one is to stand in a text, with no letter, digit or underscore beside it."""

    def __init__(self, words: Iterable[bytes], shape: bytes) -> None:
        import re

        self._shape = re.compile(shape)
        every = list(dict.fromkeys(words))
        # A text is taken apart only for many words; then those that are none of its parts are looked for as well.
        self._parts = frozenset(one for one in every if len(every) > _FEW and self._shape.fullmatch(one) is not None)
        self._others = [one for one in every if one not in self._parts]

    def are_in(self, text: bytes) -> bool:
        """Whether one of them is there."""
        if self._parts and not self._parts.isdisjoint(self._shape.findall(text)):
            return True
        return any(_has_word(text, one) for one in self._others)


def _start(name: str) -> bytes:
    try:
        data = files.start(name, _LARGEST + 1)
    except Unreadable:
        return b""
    return data if len(data) <= _LARGEST else b""


def _whole(names: Iterable[str]) -> Iterator[bytes]:
    """How a configuration names these files."""
    return (os.fsencode(_known_by(name)) for name in names)


def _words(names: Iterable[str]) -> Iterator[bytes]:
    """The words without which no script or program can name these files: it may put names together from parts."""
    return (os.fsencode(os.path.splitext(_known_by(name))[0]) for name in names)


def _known_by(name: str) -> str:
    folder, base = os.path.split(name)
    return (os.path.basename(folder) if base in _BY_FOLDER else "") or base


def _has_word(text: bytes, word: bytes) -> bool:
    """Whether it stands there by itself, and not as a part of a longer word."""
    at = text.find(word)
    while at >= 0:
        if not _in_word(text[at - 1 : at] if at else b"") and not _in_word(text[at + len(word) : at + len(word) + 1]):
            return True
        at = text.find(word, at + 1)
    return False


def _in_word(character: bytes) -> bool:
    return character.isalnum() or character == b"_"
