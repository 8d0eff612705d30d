"""python -m tests.tools.wild.launches FOLDER...: every launch line of the checkouts, and what fp8check makes of it."""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tests.tools.wild import parsed
from tests.tools.wild.checkouts import checkouts
from tests.tools.wild.launch_lines import MISSED, NOTHING, RUN, TOOL, UNDECIDED, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.tools.wild.launch_lines import Line

_STATES = (RUN, TOOL, NOTHING, UNDECIDED, MISSED)


def main(words: Sequence[str]) -> int:
    """Print, by launcher and by wrapper, what becomes of the lines, and why some are undecided."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.wild.launches")
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--only", nargs="*", default=[], help="only these checkouts")
    parser.add_argument("--sample", type=int, default=0, help="print so many of them, drawn with --seed")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="all of them, as lines of JSON")
    options = parser.parse_args(words)
    found = [root for folder in options.folders for root in checkouts(folder.resolve())]
    roots = [root for root in found if not options.only or root.name in options.only]
    with ProcessPoolExecutor(options.workers) as pool:
        lines = [(root.name, line) for root, some in zip(roots, pool.map(_all_of, roots), strict=True) for line in some]
    if options.sample:
        for number, (repository, line) in enumerate(_spread(lines, options.sample, random.Random(options.seed)), 1):  # noqa: S311
            print(
                f"{number} {repository}/{line.path}:{line.line}\n    {line.text[:400]}\n    {line.state}: {line.becomes}"
            )
        return 0
    if options.out is not None:
        with options.out.open("w", encoding="utf-8") as stream:
            for repository, line in lines:
                stream.write(json.dumps([repository, *line], ensure_ascii=False) + "\n")
    _print_counts("launcher", ((line.launcher, line.state) for _, line in lines))
    _print_counts("wrapper", ((line.wrapper, line.state) for _, line in lines if line.wrapper))
    reasons = Counter(_general(line.becomes) for _, line in lines if line.state in (UNDECIDED, MISSED))
    for reason, number in reasons.most_common(40):
        print(f"{number:6} {reason}")
    return 0


# Of a hundred lines of a sample: what is said of them. Most lines start nothing, and errors hide among runs.
_SHARES = {RUN: 43, NOTHING: 35, UNDECIDED: 10, TOOL: 10, MISSED: 2}


def _spread(lines: Sequence[tuple[str, Line]], number: int, chance: random.Random) -> list[tuple[str, Line]]:
    """So many lines, drawn by what is said of them; rare launchers more often, and the repositories in turn."""
    drawn: list[tuple[str, Line]] = []
    for state, share in _SHARES.items():
        groups: defaultdict[str, defaultdict[str, list[tuple[str, Line]]]] = defaultdict(lambda: defaultdict(list))
        for one in lines:
            if one[1].state == state:
                groups[one[1].launcher][one[0]].append(one)
        weights = {name: sum(map(len, some.values())) ** 0.5 for name, some in groups.items()}
        turns = {name: chance.sample([*some.values()], len(some)) for name, some in groups.items()}
        for _ in range(number * share // 100):
            left = [name for name, some in turns.items() if some]
            if not left:
                break
            turn = turns[chance.choices(left, [weights[name] for name in left])[0]]
            group = turn.pop(0)
            drawn.append(group.pop(chance.randrange(len(group))))
            turn.extend([group] if group else [])
    rest = [one for one in lines if one not in drawn]
    return drawn + chance.sample(rest, max(0, min(number - len(drawn), len(rest))))


def _all_of(root: Path) -> list[Line]:
    parsed.keep()
    return [*lines_of(root)]


def _print_counts(what: str, states: Iterable[tuple[str, str]]) -> None:
    """A table; the last column is the share of undecided and missed lines among those that may be a training."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, state in states:
        counts[name][state] += 1
    print(f"{what:24}" + "".join(f"{state:>12}" for state in _STATES))
    for name, count in sorted(counts.items(), key=lambda item: -item[1].total()):
        open_ = count[UNDECIDED] + count[MISSED]
        share = open_ / max(1, count.total() - count[NOTHING])
        print(f"{name[:24]:24}" + "".join(f"{count[state]:12}" for state in _STATES) + f"{share:7.0%}")


def _general(reason: str) -> str:
    """A reason without the names in it, so that equal ones are counted together."""
    return re.sub(r"'[^']*'|\S*[$/{]\S*", "...", reason)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
