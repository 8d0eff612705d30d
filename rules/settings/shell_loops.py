"""Loops of a shell script over its own arguments, where these are known: what each turn of them has."""

from __future__ import annotations

from fp8check.rules.reading.shell import Arithmetic, Command, Enter, Then
from fp8check.rules.settings.shell_blocks import tested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fp8check.rules.reading.shell import Item, Word
    from fp8check.rules.settings.shell_values import Expander

MOST_TURNS = 64
_LEAVING = ("break", "continue", "return")


def body_of(items: Sequence[Item], loop: Enter, at: int) -> int | None:
    """Where the body of a loop begins, whose test begins at an index; None where a turn may leave it early."""
    inside = items[at : loop.leave]
    if any(isinstance(one, Command) and one.words and one.words[0].bare in _LEAVING for one in inside):
        return None
    if loop.name:
        return at
    return next((number for number, one in enumerate(inside, at + 1) if isinstance(one, Then)), None)


def runs_over_arguments(loop: Enter) -> bool:
    """Whether a loop is one over "$@": for ARG; do, for ARG in "$@"; do."""
    if loop.kind != "loop" or not loop.name:
        return False
    return loop.words is None or (len(loop.words) == 1 and _is_all(loop.words[0]))


def _is_all(word: Word) -> bool:
    pieces = word.pieces
    return len(pieces) == 1 and pieces[0].kind == "variable" and pieces[0].text == "@" and pieces[0].quoted


def goes_on(items: Sequence[Item], loop: Enter, at: int, expander: Expander) -> bool | None:
    """Whether another turn of `while` or `until` begins; None where that is not known."""
    first = items[at] if at < len(items) else None
    found: bool | None
    if isinstance(first, Arithmetic):
        found = _is_more(first.text.replace("$#", str(len(expander.assumed_arguments()))), expander.number)
    else:
        found = tested(items, at, expander.assumed)
    return found if found is None else found is (loop.sign != "until")


def _is_more(text: str, number: Callable[[str], str | None]) -> bool | None:
    """`(( $# ))`, `(( $# > 0 ))`, `(( $# >= 2 ))`."""
    for sign, more in ((">=", 0), (">", 1), ("", 1)):
        one, found, other = text.partition(sign) if sign else (text, "", "")
        if sign and not found:
            continue
        left, right = number(one), number(other) if sign else "0"
        return None if left is None or right is None else int(left) >= int(right) + more if sign else int(left) != 0
    return None


def asks_for_options(items: Sequence[Item], at: int) -> Sequence[Word] | None:
    """What getopts is given where it is the test of a loop: the letters, and the name of a variable."""
    first = items[at] if at < len(items) else None
    if not isinstance(first, Command) or len(first.words) != 3 or first.words[0].bare != "getopts":
        return None
    return first.words[1:]


def options(letters: str, arguments: Sequence[str]) -> tuple[list[tuple[str, str]], int] | None:
    """What getopts finds, letter by letter with its value, and how many arguments it has read; None: it complains."""
    takes = {letter: letters[at + 1 : at + 2] == ":" for at, letter in enumerate(letters) if letter != ":"}
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(arguments) and arguments[at][:1] == "-" and arguments[at] != "-":
        word = arguments[at]
        at += 1
        if word == "--":
            break
        for place, letter in enumerate(word[1:], 2):
            if letter not in takes:
                return None
            if not takes[letter]:
                found.append((letter, ""))
                continue
            value = word[place:]
            if not value:
                if at >= len(arguments):
                    return None
                value = arguments[at]
                at += 1
            found.append((letter, value))
            break
    return found, at
