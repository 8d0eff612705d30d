"""The model of whole steps, fitted, and held against what was left out of the fit.

    python -m tests.tools.gpu.worth_fit

Prints what is fitted to all pairs (rules/outcome/whole_step.py Fitted) and the table of docs/worth.md: each group of
pairs is predicted by a fit to all the others, three times: a group is a trainer with a strategy on a host, the shape of
a model, or a host. What is not fitted is counted, or taken from bare layers; a fit begins there, and is drawn there, so
that no pair tells of itself. The host of a pair that was left out is a usual one, whatever the others were.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fp8check.rules import models
from fp8check.rules.outcome import whole_step, work
from fp8check.rules.outcome.gpus import find
from fp8check.rules.outcome.peak_inputs import Step
from fp8check.rules.outcome.speed import Setup, setup_of
from fp8check.rules.outcome.whole_step import Fitted, Rest, Times
from tests.support.peaks import H200, outcome_of_case
from tests.tools.gpu.llamas import config_of
from tests.tools.gpu.series_cases import groups
from tests.tools.gpu.worth_cases import runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

EVIDENCE = Path(__file__).parents[3] / "docs" / "evidence"
HOSTS = {"worth-points.jsonl": "H200 a", "series-points.jsonl": "H200 b", "h100-steps.jsonl": "H100"}
# Where a fit begins, and how far it may go from there at a low price, as a logarithm: bare layers' shares and launching
# (work.py, speed.py); 5 ms for a step; no cost of DDP.
BEGIN = Fitted(bf16=0.697, fp8=0.648, cast_ao=0.03, te=6.0e-3, ao=18.5e-3, step=5.0e-3, ddp=1.0)
FREEDOM = Fitted(bf16=0.15, fp8=0.15, cast_ao=0.3, te=1.0, ao=1.0, step=1.0, ddp=0.3)
FREEDOM_OF_HOST = 0.3
FIRST_HOST = "H200 a"  # whose launch cost is called 1
# Students' t, so that a disturbed pair draws little: degrees of freedom, and what a good pair is off by. Times count
# less than their ratio, which is what is predicted.
DEGREES, SCALE, WEIGHT_OF_TIMES = 2.0, 0.06, 0.4
# Pairs of which a run took longer than one that has as much to do or more: which run, and the other one's.
DISTURBED = {
    "m-1-te": ("bf16", "n-2-te", "bf16"),  # the same
    "m-1-ao": ("bf16", "n-2-ao", "bf16"),
    "n-3c-ao": ("bf16", "n-3-te", "bf16"),  # the same in eager mode
    "m-2c-ao": ("bf16", "m-2-te", "bf16"),
    "n-5-te": ("fp8", "n-8-te", "fp8"),  # as many layers and tokens, more to multiply, weights in float32
    "z-1-te": ("fp8", "z-2-te", "fp8"),  # ZeRO-3 of the same
}


class Pair(NamedTuple):
    """A run in BF16 and in FP8, measured: milliseconds, what decides them, and how they are predicted."""

    name: str
    group: str
    shape: str
    host: str
    bf16: float
    fp8: float
    step: Step
    times: Callable[[Fitted], tuple[Times, Times]]

    @property
    def speedup(self) -> float:
        """BF16 over FP8."""
        return self.bf16 / self.fp8

    @property
    def undisturbed(self) -> bool:
        """Whether nothing in the evidence speaks against it."""
        return self.name not in DISTURBED


class Held(NamedTuple):
    """A pair, and what a fit without it says: the speed-up, and its range."""

    pair: Pair
    predicted: float
    low: float
    high: float

    @property
    def off(self) -> float:
        """How far, as a share."""
        return abs(self.predicted / self.pair.speedup - 1)

    @property
    def inside(self) -> bool:
        """Whether it lies in the range."""
        return self.low <= self.pair.speedup <= self.high


@cache
def rows() -> dict[str, dict[str, Any]]:
    """What was measured, by name, with its host."""
    found = {}
    for file, host in HOSTS.items():
        for line in (EVIDENCE / file).read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            name = f"h100-{row['name']}" if host == "H100" else row["name"]
            found[name] = {**row, "name": name, "host": host}
    return found


@cache
def pairs() -> tuple[Pair, ...]:
    """All that were measured."""
    every = {one["name"]: one for _, some in groups() for one in some} | {one["name"]: one for _, one in runs()}
    found = []
    for name, row in rows().items():
        model = models.from_config(config_of(row["model"]), row["model"], "config.json")
        assert model is not None
        spread = row.get("strategy") or row["step"].get("strategy", "single")
        if "step" in row:  # those of H100s, which have no files
            setup = _setup(row["host"], row["backend"], Step("BF16", row["tokens"], **row["step"]))
        elif row["trainer"] == "own":  # trainer_cases.py OWN_LOOP
            step = Step("BF16", row["tokens"], optimizer="adamw_torch", processes=row["gpus"])
            alone = row["gpus"] == 1
            setup = _setup("H200", row["backend"], step._replace(strategy="single" if alone else "ddp"))
        else:
            outcome = outcome_of_case(every[name], H200)
            known = setup_of(outcome.run, outcome)
            assert known is not None
            setup = known
        assert setup.rest is not None
        found.append(
            Pair(
                name,
                f"{row['trainer']}, {spread}, {row['host']}",
                row["model"].partition("B")[0] + "B",
                row["host"],
                row["ms"]["bf16"],
                row["ms"]["fp8"],
                setup.rest.step,
                partial(_times, model, row["tokens"], setup),
            )
        )
    return tuple(found)


def _setup(gpu: str, backend: str, step: Step) -> Setup:
    sheet = find(gpu)
    assert sheet is not None
    return Setup(sheet, "TE" if backend == "TE" else "AO", scope="model", rest=Rest(step))


def _times(model: models.ModelShape, tokens: int, setup: Setup, fitted: Fitted) -> tuple[Times, Times]:
    rest = setup.rest
    assert rest is not None
    todo = work.of_layer(model, tokens, setup.sequence), work.of_head(model, tokens)
    found = []
    for engine in ("BF16", setup.backend):
        of = rest._replace(step=rest.step._replace(engine=engine))
        found.append(whole_step.times_of(model, todo, tokens, setup.gpu, of, compiled=setup.compiled, fitted=fitted))
    return found[0], found[1]


def fit(of: Iterable[Pair], begin: list[float] | None = None) -> tuple[Fitted, dict[str, float]]:
    """What is fitted, and the launch cost of each host but the first over that of the first."""
    found, _ = _fit(list(of), begin)
    return _named(found)


def _named(found: list[float]) -> tuple[Fitted, dict[str, float]]:
    """What stands in a list of logarithms."""
    values = [math.exp(one) for one in found]
    others = [host for host in HOSTS.values() if host != FIRST_HOST]
    size = len(Fitted.fields)
    return Fitted(*values[:size]), {FIRST_HOST: 1.0, **dict(zip(others, values[size:], strict=True))}


def _fit(of: list[Pair], begin: list[float] | None) -> tuple[list[float], float]:
    """Gauss and Newton's steps, each halved until it is one forward."""
    free = [getattr(FREEDOM, name) for name in Fitted.fields] + [FREEDOM_OF_HOST] * (len(HOSTS) - 1)
    first = [math.log(getattr(BEGIN, name)) for name in Fitted.fields] + [0.0] * (len(HOSTS) - 1)
    at = list(begin or first)
    off = _off(of, at)

    def cost(at: list[float], off: list[float]) -> float:
        drawn = sum(((a - b) / c) ** 2 for a, b, c in zip(at, first, free, strict=True)) / 2
        return float(drawn + sum((DEGREES + 1) / 2 * math.log1p((one / SCALE) ** 2 / DEGREES) for one in off))

    now = cost(at, off)
    for _ in range(20):
        slopes = []
        for place in range(len(at)):
            moved = [*at[:place], at[place] + 1e-4, *at[place + 1 :]]
            slopes.append([(a - b) / 1e-4 for a, b in zip(_off(of, moved), off, strict=True)])
        weights = [(DEGREES + 1) / (DEGREES + (one / SCALE) ** 2) / SCALE**2 for one in off]
        matrix = [[sum(map(_product, weights, one, other)) for other in slopes] for one in slopes]
        right = [-sum(map(_product, weights, one, off)) for one in slopes]
        for place, (a, b, c) in enumerate(zip(at, first, free, strict=True)):
            matrix[place][place] += 1 / c**2
            right[place] -= (a - b) / c**2
        step = _solved(matrix, right)
        for _ in range(6):
            there = [a + b for a, b in zip(at, step, strict=True)]
            then = _off(of, there)
            if (found := cost(there, then)) < now:
                break
            step = [one / 2 for one in step]
        else:
            break
        gained, at, off, now = now - found, there, then, found
        if gained < 1e-3:
            break
    return at, now


def _product(weight: float, one: float, other: float) -> float:
    return weight * one * other


def _off(of: list[Pair], at: list[float]) -> list[float]:
    """How far the two times of each pair are off, and their ratio, as logarithms."""
    fitted, hosts = _named(at)
    found = []
    for pair in of:
        bf16, fp8 = (times.on(hosts[pair.host]) for times in pair.times(fitted))
        one, other = math.log(1e3 * bf16 / pair.bf16), math.log(1e3 * fp8 / pair.fp8)
        found += [WEIGHT_OF_TIMES * one, WEIGHT_OF_TIMES * other, one - other]
    return found


def _solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Of a few equations, whose matrix is positive."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for place in range(size):
        for below in range(place + 1, size):
            share = rows[below][place] / rows[place][place]
            rows[below] = [a - share * b for a, b in zip(rows[below], rows[place], strict=True)]
    found = [0.0] * size
    for place in reversed(range(size)):
        known = sum(rows[place][at] * found[at] for at in range(place + 1, size))
        found[place] = (rows[place][size] - known) / rows[place][place]
    return found


def left_out(key: Callable[[Pair], str]) -> list[Held]:
    """Each pair as a fit to all pairs that have another key predicts it, on a usual host."""
    every = pairs()
    begin, _ = _fit(list(every), None)
    found = []
    for name in sorted({key(pair) for pair in every}):
        fitted, _ = _named(_fit([pair for pair in every if key(pair) != name], begin)[0])
        some = [pair for pair in every if key(pair) == name]
        found += [Held(pair, *whole_step.speedup_of(*pair.times(fitted), pair.step, None)) for pair in some]
    return found


KEYS: dict[str, Callable[[Pair], str]] = {
    "trainer, strategy and host": lambda pair: pair.group,
    "shape of the model": lambda pair: pair.shape,
    "host": lambda pair: pair.host,
}


def figures(held: list[Held]) -> tuple[int, int, int, int, int, int, int]:
    """Number, median and worst error in percent, in the range, width of the range in percent, signs, of how many."""
    off = [one.off for one in held]
    widths = [(one.high - one.low) / one.predicted for one in held]
    sided = [one for one in held if not 0.95 <= one.pair.speedup <= 1.05]
    signs = sum((one.predicted > 1) == (one.pair.speedup > 1) for one in sided)
    worst, middle, width = max(off), statistics.median(off), statistics.median(widths)
    inside = sum(one.inside for one in held)
    return len(off), round(100 * middle), round(100 * worst), inside, round(100 * width), signs, len(sided)


def row_of(words: str, held: list[Held]) -> str:
    """A row of the table of docs/worth.md."""
    number, middle, worst, inside, _, signs, sided = figures(held)
    return f"| {words} | {number} | {middle} % | {worst} % | {inside} | {signs} of {sided} |"


def main() -> int:
    """Fit, and print."""
    fitted, hosts = fit(pairs())
    print(*(f"{name} {getattr(fitted, name):.4g}" for name in Fitted.fields), sep=", ")
    print("launch cost of hosts:", *(f"{name} {value:.2f}" for name, value in hosts.items()))
    for words, key in KEYS.items():
        held = left_out(key)
        print(row_of(f"left out: {words}", held), f"width {figures(held)[4]} %")
        quiet = [one for one in held if one.pair.undisturbed]
        print(row_of("of these undisturbed", quiet), f"width {figures(quiet)[4]} %")
        if "--points" in sys.argv:
            for one in sorted(held, key=lambda one: -one.off):
                print(
                    f"  {one.pair.name:14} {one.pair.speedup:.2f} said {one.predicted:.2f}",
                    f"({one.low:.2f} to {one.high:.2f}) {100 * one.off:.0f} %",
                    "disturbed" * (not one.pair.undisturbed),
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
