"""fp8check over a folder of real configuration files: crashes, and findings per rule.

python -m tests.corpus FOLDER
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from fp8check.rules.assemble import assemble
from fp8check.rules.facts import Facts
from fp8check.rules.reading import Unreadable, read
from fp8check.rules.report import Report, examine

SUFFIXES = (".yaml", ".yml", ".json")


def reports(folder: Path) -> dict[str, Report | Unreadable]:
    """What is said of every file of the folder, each checked for itself with nothing known of a machine."""
    results: dict[str, Report | Unreadable] = {}
    for path in sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES):
        name = str(path.relative_to(folder))
        try:
            document = read(str(path))
        except Unreadable as problem:
            results[name] = problem
            continue
        if document.kind in ("training", "accelerate"):
            (one,) = assemble([document], Facts())
            results[name] = examine(one.run, one.documents)
    return results


def main() -> int:
    """Print the findings per rule with the files, and the files that cannot be read."""
    results = reports(Path(sys.argv[1]))
    found: dict[str, list[str]] = defaultdict(list)
    crashes = 0
    for name, result in results.items():
        if isinstance(result, Unreadable):
            print(f"unreadable  {name}: {result.message}")
            continue
        crashes += len(result.crashes)
        for finding in result.findings:
            line = finding.span.line if finding.span is not None else 0
            found[f"{finding.rule} {finding.severity}"].append(f"{name}:{line}: {finding.message}")
    for rule in sorted(found):
        print(f"{rule}: {len(found[rule])}")
        for place in found[rule]:
            print(f"    {place}")
    print(f"{len(results)} training and Accelerate files, {crashes} crashes")
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
