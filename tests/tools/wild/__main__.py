"""python -m tests.tools.wild FOLDER [NAME...]: all of it, over the checkouts in FOLDER, or those named.

With --kept DIR each checkout's result is a file there, and a later call goes on with those that have none: a survey of
all of them takes some ten minutes of CPU time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from fp8check.rules.writing.output import write
from tests.tools.wild import parsed
from tests.tools.wild.checkouts import Pair, checkouts
from tests.tools.wild.checks import Said, Surveyed, survey

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(words: Sequence[str]) -> int:
    """Print the counts; 1 where something crashed."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.wild")
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="only these checkouts")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="everything that was said, as lines of JSON")
    parser.add_argument(
        "--kept", type=Path, help="a folder for the result of each checkout; those in it are not redone"
    )
    parser.add_argument(
        "--without-scripts", action="store_true", help="pass over Python files, which take the most time"
    )
    options = parser.parse_args(words)
    roots = [root for root in checkouts(options.folder.resolve()) if not options.names or root.name in options.names]
    began = time.perf_counter()
    if options.kept is not None:
        options.kept.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(options.workers) as pool:
        surveyed = [*pool.map(_surveyed, roots, repeat(options.kept), repeat(not options.without_scripts))]
    said = [one for each in surveyed for one in each.said]
    _print_repositories(surveyed)
    _print_rules(said)
    if options.out is not None:
        options.out.write_text("".join(json.dumps(one._asdict(), ensure_ascii=False) + "\n" for one in said))
    crashes = [one for one in said if one.rule == "crash"]
    for one in crashes:
        print(f"crash: {one.repository} {one.subject}: {one.message}")
    pairs = [pair for each in surveyed for pair in each.pairs]
    kinds = ", ".join(f"{number:,} by {by}" for by, number in Counter(pair.by for pair in pairs).most_common())
    total = sum(each.files for each in surveyed)
    seconds = time.perf_counter() - began
    print(f"{len(roots)} repositories, {total:,} files, {len(pairs):,} pairs ({kinds}), {len(crashes)} crashes", end="")
    print(f", {seconds:.0f} s")
    return 1 if crashes else 0


def _surveyed(root: Path, kept: Path | None, scripts: bool) -> Surveyed:
    file = None if kept is None else kept / f"{root.name}.json"
    if file is not None and file.exists():
        return _read(file)
    parsed.keep()
    surveyed = survey(root, scripts=scripts)
    if file is not None:
        write(str(file), json.dumps(surveyed, ensure_ascii=False).encode())
    return surveyed


def _read(file: Path) -> Surveyed:
    name, number, pairs, said = json.loads(file.read_text(encoding="utf-8"))
    return Surveyed(name, number, tuple(Pair(*one) for one in pairs), tuple(Said(*one) for one in said))


def _print_repositories(surveyed: Sequence[Surveyed]) -> None:
    for each in surveyed:
        levels = Counter(one.level for one in each.said if one.level)
        hook = Counter(one.rule for one in each.said if one.what == "hook")
        found = ", ".join(f"{number} {level}" for level, number in sorted(levels.items())) or "nothing"
        print(f"{each.repository}: {each.files} files, {len(each.pairs)} pairs: {found}", end="")
        print(f"; hook {dict(hook)}" if hook else "")


def _print_rules(said: Sequence[Said]) -> None:
    """By level and rule: how often, over which repositories, of which distinct message and line."""
    by_rule: defaultdict[tuple[str, str], list[Said]] = defaultdict(list)
    for one in said:
        by_rule[one.level, one.rule].append(one)
    for (level, rule), some in sorted(by_rule.items()):
        where = Counter(one.repository for one in some)
        distinct = len({(one.repository, one.subject, one.line) for one in some})
        shown = ", ".join(f"{name} {number}" for name, number in where.most_common(6))
        print(f"{level or '-':8} {rule:10} {len(some):6} in {distinct} subjects: {shown}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
