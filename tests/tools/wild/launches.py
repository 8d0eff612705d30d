"""python -m tests.tools.wild.launches FOLDER: every launch line of the checkouts, and what fp8check makes of it."""

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
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="only these checkouts")
    parser.add_argument("--sample", type=int, default=0, help="print so many of them, drawn with --seed")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="all of them, as lines of JSON")
    options = parser.parse_args(words)
    roots = [root for root in checkouts(options.folder.resolve()) if not options.names or root.name in options.names]
    with ProcessPoolExecutor(options.workers) as pool:
        lines = [(root.name, line) for root, some in zip(roots, pool.map(_all_of, roots), strict=True) for line in some]
    if options.sample:
        for number, (repository, line) in enumerate(random.Random(options.seed).sample(lines, options.sample), 1):  # noqa: S311
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
