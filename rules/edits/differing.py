"""What differs between two texts, in whole lines."""

from __future__ import annotations

from itertools import pairwise

from fp8check.rules.reading.source import line_starts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST = 250_000  # pairs of lines that are compared; of more, all from the first that differs to the last is one stretch


def lines_of(text: str) -> list[str]:
    """The lines of a text, each with its line break."""
    starts = line_starts(text)
    lines = [text[one:other] for one, other in pairwise([*starts, len(text)])]
    return lines if lines[-1] else lines[:-1]


def differing(before: str, after: str) -> Iterator[tuple[int, int, str]]:
    """Each stretch of a text that another does not have: its first character, the one behind it, and what the other
    has there."""
    old, new = lines_of(before), lines_of(after)
    first = _common(old, new)
    last = _common(old[first:][::-1], new[first:][::-1])
    starts = [sum(map(len, old[:first]))]
    old, new = old[first : len(old) - last], new[first : len(new) - last]
    for line in old:
        starts.append(starts[-1] + len(line))
    for one, two, three, four in _stretches(old, new):
        yield starts[one], starts[two], "".join(new[three:four])


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _stretches(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """From which line to which, in both."""
    if not old or not new or len(old) * len(new) > MOST:
        if old or new:
            yield 0, len(old), 0, len(new)
        return
    from difflib import SequenceMatcher  # few reports have a plan

    for tag, *stretch in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            one, two, three, four = stretch
            yield one, two, three, four
