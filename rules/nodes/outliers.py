"""Which of some numbers are not like the others, by their median and the median of the distances from it.

Neither moves when a few numbers are far off, as a mean and a standard deviation do. Of an even number of values the
lower one of the two in the middle counts: of two GPUs the faster one is the measure.
"""

from __future__ import annotations

from statistics import median_low

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# 1.4826 times the median distance is the standard deviation of a normal distribution; beyond 3.5 of them are 0.05 %.
_SPREAD = 3.5 * 1.4826
# A step takes longer by so much at least where a GPU counts as slow: repeats on one GPU differ by less.
SLOWER = 0.15
# Sums in another order change a result by much less than this.
OFF = 0.05


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
