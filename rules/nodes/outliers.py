"""Which of some numbers are not like the others, by their median and the median of the distances from it.

Neither moves when a few numbers are far off, as a mean and a standard deviation do. Of an even number of values the
lower one of the two in the middle counts: of two GPUs the faster one is the measure.
"""

from __future__ import annotations

from statistics import median_low

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# 1.4826 times the median distance is the standard deviation of a normal distribution; beyond 3.5 of them are 0.05 %.
_SPREAD = 3.5 * 1.4826
# A step takes longer by so much at least where a GPU counts as slow: repeats on one GPU differ by less.
SLOWER = 0.15
# Sums in another order change a result by much less than this.
OFF = 0.05
# What is compared of results (digest.py), by name.
LOSS, NEXT_LOSS, ERROR = "first loss", "second loss", "error of the output"


class Usual(Record):
    """What is usual among numbers: the median, and how far from it a number may be."""

    median: float
    reach: float

    def is_above(self, value: float) -> bool:
        """Whether it is larger than usual."""
        return value - self.median > self.reach

    def is_off(self, value: float) -> bool:
        """Whether it is larger or smaller than usual."""
        return abs(value - self.median) > self.reach


def usual(values: Iterable[float], least: float) -> Usual | None:
    """What is usual; None where there are fewer than two numbers.

    Args:
        least: the share of the median that a number may always be off.
    """
    every: Sequence[float] = sorted(values)
    if len(every) < 2:
        return None
    middle = median_low(every)
    spread = median_low(abs(one - middle) for one in every)
    return Usual(middle, max(_SPREAD * spread, least * abs(middle)))


class Timed(Record):
    """The time of a step on one GPU, in milliseconds.

    Attributes:
        bf16: None where it was not timed.
    """

    fp8: float
    bf16: float | None = None


def slow(times: Sequence[Timed]) -> tuple[float, list[int]]:
    """The usual time of a step in FP8, and the places of those GPUs of one kind that are slow.

    In FP8 a step waits for the processor that launches its kernels, which others use, too: a GPU is slow where BF16,
    which keeps it at work, says so as well.
    """
    fp8 = usual((timed.fp8 for timed in times), SLOWER)
    bf16 = usual((timed.bf16 for timed in times if timed.bf16 is not None), SLOWER)
    if fp8 is None:
        return 0.0, []
    found = [
        place
        for place, timed in enumerate(times)
        if fp8.is_above(timed.fp8) and (timed.bf16 is None or bf16 is None or bf16.is_above(timed.bf16))
    ]
    return fp8.median, found


class Off(Record):
    """A result in which GPUs of one kind differ.

    Attributes:
        median: what is usual; None where no more than half of them agree, so that nobody knows who is right.
        wrong: the places of those that came to something else; of all where nobody knows.
    """

    name: str
    median: float | None
    wrong: tuple[int, ...]


def off(results: Sequence[Mapping[str, float | None]]) -> list[Off]:
    """Where results of GPUs of one kind differ; None among them is what is no number, and always wrong.

    Who is further from FP32 than the others is wrong, also of two; in its loss it is no measure for the others.
    """
    found: list[Off] = []
    bad: set[int] = set()
    for name in sorted(
        dict.fromkeys(name for result in results for name in result), key=lambda name: (name != ERROR, name)
    ):
        told = {place: one[name] for place, one in enumerate(results) if name in one}
        numbers = [value for place, value in told.items() if value is not None and place not in bad]
        middle = usual(numbers, OFF)
        wrong = [
            place for place, value in told.items() if value is None or (middle is not None and middle.is_off(value))
        ]
        agree = middle is not None and 2 * sum(not middle.is_off(value) for value in numbers) > len(numbers)
        if not agree and name != ERROR and len(numbers) > 1:
            found.append(Off(name, None, tuple(told)))
        elif wrong and middle is not None:
            found.append(Off(name, middle.median, tuple(wrong)))
            bad.update(wrong)
    return found
