"""What a test of a shell script comes to, where all that it asks is known: `[ -z "$A" ]`, `[[ $A == fp8* ]]`.

A variable that the script does not set is taken as not set, as `${A:-default}` takes it; a script is taken as started
without arguments.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fp8check.rules.reading.shell import Command, Word

    # What a word comes to; None where that is not known.
    Known = Callable[[Word], str | None]

_NUMBERS: dict[str, Callable[[int, int], bool]] = {
    "-eq": lambda one, other: one == other,
    "-ne": lambda one, other: one != other,
    "-lt": lambda one, other: one < other,
    "-le": lambda one, other: one <= other,
    "-gt": lambda one, other: one > other,
    "-ge": lambda one, other: one >= other,
}
_LONGEST_PATTERN = 100
_LONGEST = 12  # words of a test; digits of a number


def outcome(command: Command, known: Known) -> bool | None:
    """Whether a command succeeds; None where that is not known."""
    words = command.words
    name = words[0].bare if words else None
    if command.in_pipe or len(words) > _LONGEST or name is None:
        return None
    found = _outcome(name, words[1:], known)
    return found if found is None or not command.negated else not found


def _outcome(name: str, words: Sequence[Word], known: Known) -> bool | None:
    if name in ("true", ":", "false"):
        return name != "false"
    if name == "[[":
        return _test(words[:-1] if words and words[-1].bare == "]]" else words, known, patterns=True) if words else None
    if name == "[" and words and words[-1].bare == "]":
        return _test(words[:-1], known, patterns=False)
    return _test(words, known, patterns=False) if name == "test" else None


def _test(words: Sequence[Word], known: Known, *, patterns: bool) -> bool | None:
    if words and words[0].bare == "!":
        inner = _test(words[1:], known, patterns=patterns)
        return None if inner is None else not inner
    signs = [word.bare for word in words]
    if len(words) == 1:
        text = known(words[0])
        return None if text is None else text != ""
    if len(words) == 2 and signs[0] in ("-z", "-n"):
        text = known(words[1])
        return None if text is None else (text == "") is (signs[0] == "-z")
    if len(words) == 3:
        return _compared(str(signs[1]), known(words[0]), words[2], known, patterns=patterns)
    return None


def _compared(sign: str, one: str | None, word: Word, known: Known, *, patterns: bool) -> bool | None:
    other = known(word)
    if one is None or other is None:
        return None
    if sign in _NUMBERS:
        return _NUMBERS[sign](int(one), int(other)) if _is_number(one) and _is_number(other) else None
    if sign not in ("=", "==", "!="):
        return None
    same = matches(one, word, known) if patterns else one == other
    return None if same is None else same is (sign != "!=")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < _LONGEST


def matches(text: str, pattern: Word, known: Known) -> bool | None:
    """Whether a text fits a pattern, in which what is quoted means itself; None where that is not known."""
    written = known(pattern)
    if written is None:
        return None
    is_plain = not any(sign in piece.text for piece in pattern.pieces if not piece.quoted for sign in "*?[")
    if is_plain:
        return text == written
    if len(written) > _LONGEST_PATTERN:
        return None
    if any(piece.quoted or piece.kind != "text" for piece in pattern.pieces) or "[^" in written or "[!" in written:
        return None
    return fnmatchcase(text, written)
