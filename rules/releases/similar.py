"""Names that are misspelt: which one was meant, and what else may have been.

Words are compared, not letters alone: comms_config is no misspelling of fsdp_config, nor dp_config of fp8_config,
however many letters they share.
"""

from __future__ import annotations

from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_FAR = 9
_MOST = 2  # mistakes in a name
_SHORT = 3  # letters: a word of so many is another word with one of them changed
_LONGEST = 100  # letters of a name that is compared: no name that is read has half as many
_LONG = 7  # letters: a word of so many may have two mistakes


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one name that was evidently meant; None where there is none, or more than one."""
    return _compared(name, tuple(names))[0] if len(name) <= _LONGEST else None


def suggested(name: str, names: Iterable[str]) -> str | None:
    """The name that was evidently meant, or the one that has all words of this one: a question, nothing to act upon."""
    return _compared(name, tuple(names))[1] if len(name) <= _LONGEST else None


@lru_cache(maxsize=32_768)  # as many as a file can have; rules ask twice, and explain judges a run a dozen times
def _compared(name: str, names: tuple[str, ...]) -> tuple[str | None, str | None]:
    """What was evidently meant, and what is suggested."""
    words = _words(name)
    by_words, by_letters = _known(names)
    found = [(_distance(words, theirs), other) for theirs, other in by_words.get(len(words), ())]
    found += [(0, other) for count, other in by_letters.get("".join(words), ()) if count != len(words)]  # fp8config
    least, best = _MOST + 1, ""
    for distance, other in found:
        if distance < least:
            least, best = distance, other
        elif distance == least:
            best = ""
    if best:
        return best, best
    return None, _longer(set(words), by_words) if len(words) > 1 else None


def _longer(words: set[str], by_words: Mapping[int, Sequence[tuple[list[str], str]]]) -> str | None:
    """The one name that has all of these words, and more."""
    longer = [other for known in by_words.values() for theirs, other in known if words < set(theirs)]
    return longer[0] if len(longer) == 1 else None


@lru_cache(maxsize=32)
def _known(
    names: tuple[str, ...],
) -> tuple[dict[int, list[tuple[list[str], str]]], dict[str, list[tuple[int, str]]]]:
    """Names by how many words they have, and by their letters: a file may have thousands that nobody knows."""
    by_words: dict[int, list[tuple[list[str], str]]] = {}
    by_letters: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        words = _words(name)
        by_words.setdefault(len(words), []).append((words, name))
        by_letters.setdefault("".join(words), []).append((len(words), name))
    return by_words, by_letters


def _words(name: str) -> list[str]:
    return name.lower().replace("-", "_").replace(" ", "_").strip("_").split("_")


def _distance(ours: list[str], theirs: list[str]) -> int:
    """How many mistakes lead from one name to the other, of equally many words; _FAR where they are two names."""
    mistakes = 0
    for one, other in zip(ours, theirs):  # noqa: B905  they are equally many
        mistakes += _mistakes(one, other)
        if mistakes > _MOST:
            return _FAR
    return mistakes


@lru_cache(maxsize=4096)  # most words of a name are the same in the next one
def _mistakes(one: str, other: str) -> int:
    if one == other:
        return 0
    short, long = (one, other) if len(one) < len(other) else (other, one)
    is_part = len(short) >= _SHORT and long.startswith(short)
    if len(long) - len(short) > 2 and not is_part:
        return _FAR
    if [letter for letter in one if letter.isdigit()] != [letter for letter in other if letter.isdigit()]:
        return _FAR  # fp8 and fp16
    if is_part or long == f"{short}s":
        return 1  # len and length, id and ids
    if len(long) <= _SHORT:
        return 1 if sorted(one) == sorted(other) else _FAR  # pf8
    mistakes = _typing_mistakes(one, other)
    return mistakes if mistakes <= (2 if len(long) >= _LONG else 1) else _FAR


def _typing_mistakes(one: str, other: str) -> int:
    """Letters too many, too few, wrong, or in the other order (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, theirs in enumerate(other, 1):
            best = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != theirs))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == theirs:
                best = min(best, before[j - 2] + 1)
            row.append(best)
        before, last = last, row
    return last[-1]
