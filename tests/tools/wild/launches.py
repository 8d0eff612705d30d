"""python -m tests.tools.wild.launches FOLDER: every launch line of the checkouts, and what fp8check makes of it."""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from tests.tools.wild.checkouts import checkouts
from tests.tools.wild.launch_lines import decide, lines_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.tools.wild.launch_lines import Decided


def main(words: Sequence[str]) -> int:
    """Print, by launcher and by wrapper, how many lines are understood, and why others are not."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.wild.launches")
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="only these checkouts")
    parser.add_argument("--sample", type=int, default=0, help="print so many of them, drawn with a fixed seed")
    parser.add_argument("--out", type=Path, help="all of them, as lines of JSON")
    options = parser.parse_args(words)
    roots = [root for root in checkouts(options.folder.resolve()) if not options.names or root.name in options.names]
    lines = [(root.name, line, decide(line)) for root in roots for line in lines_of(root)]
    if options.sample:
        for repository, line, decided in random.Random(13).sample(lines, options.sample):  # noqa: S311
            print(f"{repository}/{line.path}:{line.line}\n    {line.text[:300]}\n    {shown(decided)}")
        return 0
    if options.out is not None:
        with options.out.open("w", encoding="utf-8") as stream:
            for repository, line, decided in lines:
                stream.write(json.dumps([repository, *line, shown(decided)], ensure_ascii=False) + "\n")
    _print_counts("launcher", [(line.launcher, decided) for _, line, decided in lines])
    _print_counts("wrapper", [(wrapper, decided) for _, line, decided in lines for wrapper in line.wrappers])
    reasons = Counter(_general(decided.reason) for _, _, decided in lines if decided.launch is None)
    for reason, number in reasons.most_common(25):
        print(f"{number:6} {reason}")
    return 0


def _print_counts(what: str, decided: Sequence[tuple[str, Decided]]) -> None:
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, one in decided:
        counts[name][one.launch is None] += 1
    print(f"{what:24} {'lines':>6} {'runs':>6} {'undecided':>9}")
    for name, (understood, undecided) in sorted(counts.items(), key=lambda item: -sum(item[1])):
        share = undecided / (understood + undecided)
        print(f"{name[:24]:24} {understood + undecided:6} {understood:6} {undecided:9} {share:5.0%}")


def _general(reason: str) -> str:
    """A reason without the names in it, so that equal ones are counted together."""
    return re.sub(r"'[^']*'", "'...'", reason)


def shown(decided: Decided) -> str:
    """What became of a line, in a few words."""
    launch = decided.launch
    if launch is None:
        return f"undecided: {decided.reason}"
    through = f" through {launch.through}" if launch.through else ""
    module = " -m" if launch.is_module else ""
    return f"{launch.tool}{through}{module} {launch.script}  flags {sorted(launch.flags)}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
