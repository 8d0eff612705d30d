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
    from collections.abc import Iterable, Iterator, Sequence

CONFIGURATION = (".yaml", ".yml", ".json")
PYTHON = ".py"
# What is looked through: larger ones are data. Of more files, or more names, each file is taken for one that may.
_LARGEST = 256 * 1024
_MOST_FILES = 30_000
_MOST_NAMES = 300
# Files that are named by their folder: a model's, and a package's.
_BY_FOLDER = ("config.json", "__init__.py", "__main__.py")


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
        left = self.names
        is_first = True
        while new and left:
            if len(self.names) > _MOST_FILES or len(new) > _MOST_NAMES:
                self.direct.update(left if is_first else ())
                yield from (name for name in left if not name.endswith(PYTHON))
                return
            words, whole = _words(new), _whole(new)
            new = {name for name in left if _names(name, self.of(name), words, whole)}
            self.direct.update(new if is_first else ())
            is_first = False
            yield from sorted(name for name in new if not name.endswith(PYTHON))
            left = [name for name in left if name not in new]


def _start(name: str) -> bytes:
    try:
        data = files.start(name, _LARGEST + 1)
    except Unreadable:
        return b""
    return data if len(data) <= _LARGEST else b""


def _names(name: str, text: bytes, words: Sequence[bytes], whole: Sequence[bytes]) -> bool:
    """Whether a file may name one of these.

    Shell scripts and programs put names together from parts, so that the word suffices; a configuration has it whole.
    """
    if name.endswith(CONFIGURATION):
        return any(one in text for one in whole)
    return any(_has_word(text, one) for one in words)


def _whole(names: Iterable[str]) -> list[bytes]:
    """How a configuration names these files."""
    return list(dict.fromkeys(os.fsencode(_known_by(name)) for name in names))


def _words(names: Iterable[str]) -> list[bytes]:
    """The words without which nothing can name these files."""
    return list(dict.fromkeys(os.fsencode(os.path.splitext(_known_by(name))[0]) for name in names))


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
