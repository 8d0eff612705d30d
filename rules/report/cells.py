"""How many columns of a terminal a text takes: two for a wide character, none for a mark over another one."""

from __future__ import annotations

CUT = "..."  # the mark of what is left out
_KEPT = 5000  # characters of which it is kept
# Vowels and final consonants of Korean that are written as part of the consonant before them (Unicode, chapter 18.6):
# terminals give the whole the two columns of that one.
_PARTS_OF_SYLLABLES = ((0x1160, 0x11FF), (0xD7B0, 0xD7FF))
_SOFT_HYPHEN = 0xAD  # its category takes no room, and it is seen


def cells(text: str) -> int:
    """The columns that a text takes which `plain_text.shown` has made: it has no tab, and nothing that moves."""
    return len(text) if text.isascii() else sum(map(_CELLS.__getitem__, text))


class _Cells(dict[str, int]):
    """The columns of each character."""

    def __missing__(self, char: str) -> int:
        size = _cells_of(char)
        if len(self) < _KEPT:
            self[char] = size
        return size


def _cells_of(char: str) -> int:
    if char.isascii():
        return 1
    import unicodedata  # nearly every text is ASCII

    code = ord(char)
    if unicodedata.category(char) in ("Mn", "Me", "Cf") and code != _SOFT_HYPHEN:
        return 0
    if any(first <= code <= last for first, last in _PARTS_OF_SYLLABLES):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


_CELLS = _Cells()


def cut(text: str, room: int) -> str:
    """A text in that many columns; where it is wider, with a mark at its end."""
    if len(text) <= room and cells(text) <= room:
        return text
    end, size = 0, 0
    while end < len(text) and size + _CELLS[text[end]] <= room - len(CUT):
        size += _CELLS[text[end]]
        end += 1
    return text[:end] + CUT
