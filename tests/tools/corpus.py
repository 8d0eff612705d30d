"""fp8check over a folder of real configuration files: crashes, and findings per rule.

python -m tests.tools.corpus FOLDER

Each file is checked for itself, with nothing known of a machine, and on a node of today with eight H200. tests/corpus_reviewed.yaml holds what was found, and why each kind of finding is right.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from fp8check.rules.checking.examining import examine
from fp8check.rules.checking.runs import assemble
from fp8check.rules.facts import Facts
from fp8check.rules.reading import Unreadable
from fp8check.rules.suppression.examined import Examined
from fp8check.rules.trainers.detect import read
from tests.support.runs import TODAY, facts_of

SUFFIXES = (".yaml", ".yml", ".json")
NODE = facts_of({"stack": {**TODAY, "deepspeed": "0.18.2"}, "gpus": 8})
# The newest releases that llamafactory 0.9.5 takes.
FACTORY = {"accelerate": "1.11.0", "transformers": "5.6.0", "peft": "0.18.1", "trl": "0.24.0", "llamafactory": "0.9.5"}
FACTORY_NODE = facts_of({"stack": {**TODAY, **FACTORY, "deepspeed": "0.18.2"}, "gpus": 8})
MACHINES = {"unknown": (Facts(), Facts()), "a node of today": (NODE, FACTORY_NODE)}


def reports(folder: Path, machines: tuple[Facts, Facts]) -> dict[str, Examined | Unreadable]:
    """What is said of every training and Accelerate file of the folder; LLaMA-Factory's are on the second machine."""
    results: dict[str, Examined | Unreadable] = {}
    for path in sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES):
        name = str(path.relative_to(folder))
        try:
            document = read(str(path))
        except Unreadable as problem:
            results[name] = problem
            continue
        if document.kind in ("training", "accelerate"):
            (one,) = assemble([document], machines[document.dialect == "llamafactory"])
            results[name] = examine(one.run, one.documents)
    return results


def findings(results: dict[str, Examined | Unreadable]) -> dict[str, list[str]]:
    """By rule and severity: where, and what."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, result in results.items():
        if isinstance(result, Unreadable):
            found["unreadable"].append(f"{name}: {result.message}")
            continue
        for finding in result.findings:
            line = finding.span.line if finding.span is not None else 0
            found[f"{finding.rule} {finding.severity}"].append(f"{name}:{line}: {finding.message}")
    return dict(sorted(found.items()))


def main() -> int:
    """Print the findings per rule with the files; 1 where a rule crashed."""
    crashes = 0
    for machine, facts in MACHINES.items():
        results = reports(Path(sys.argv[1]), facts)
        print(f"== {machine}")
        for rule, places in findings(results).items():
            print(f"{rule}: {len(places)}")
            for place in places:
                print(f"    {place}")
        crashes += sum(len(one.crashes) for one in results.values() if isinstance(one, Examined))
        print(f"{len(results)} training and Accelerate files, {crashes} crashes")
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
