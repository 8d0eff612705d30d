"""Holds recorded cases against the predictions.

    python -m tests.tools.conformance.compare RECORDED.jsonl ... [--quiet] [--at-least 0.99]

Prints stacks, cases and agreement by field and by group, and both sides of every mismatch. Ends with status 1 below
`--at-least`, with 2 where there was nothing to compare.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.tools.conformance import adapter, cases

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.tools.conformance.cases import Case

# In each run these are compared; a field of which the observation says nothing is not.
FIELDS = ("start", "mixed_precision", "fp8", "backend", "distributed_type", "recipe", "checkpointing")
HARNESS = "harness"
# Errors that no configuration file or environment tells beforehand, and that FP8 has no part in. Listed by name in
# every report, never counted as agreement.
OUTSIDE = {
    "zero stage 2 requires an optimizer": "deepspeed: ZeRO-2, and the script prepares no optimizer",
    "object has no attribute 'set_gradient_accumulation_boundary'": "deepspeed: ZeRO-3, and the script prepares no "
    "optimizer",
    "'Accelerator' object has no attribute 'is_fsdp2'": "LLaMA-Factory 0.9.5: stage dpo with FSDP and accelerate < 1.6",
}


class Mismatch(NamedTuple):
    """One field of one case on which the two sides differ."""

    case: str
    field: str
    predicted: object
    observed: object


class Comparison:
    """The counts over all cases."""

    def __init__(self) -> None:
        self.cases: Counter[str] = Counter()
        self.agreed: Counter[str] = Counter()
        self.fields: Counter[str] = Counter()
        self.fields_agreed: Counter[str] = Counter()
        self.stacks: set[str] = set()
        self.left_out: list[str] = []
        self.only_on_gpu: list[str] = []
        self.outside: list[str] = []
        self.undecided: list[str] = []
        self.mismatches: list[Mismatch] = []

    def add(self, case: Case) -> None:
        """Compare one case.

        Left out, and listed: the harness itself failed; the predicted error needs a GPU to be seen; the prediction
        says that it does not know (MS-AMP); an error that is outside the model.
        """
        error = case["observed"]["error"]
        if error is not None and error["stage"] == HARNESS:
            self.left_out.append(case["id"])
            return
        predicted, seen = adapter.predicted(case), adapter.observed(case["observed"])
        if predicted.only_on_gpu and seen.start == "started":
            self.only_on_gpu.append(case["id"])
            return
        if error is not None and predicted.start == "started" and any(text in error["message"] for text in OUTSIDE):
            self.outside.append(case["id"])
            return
        if predicted.fp8 is None and seen.fp8 is not None and predicted.start == "started":
            self.undecided.append(case["id"])
            return
        wrong = self._differences(case["id"], predicted, seen)
        self.stacks.add(str(sorted(case["stack"].items())))
        for group in groups(case):
            self.cases[group] += 1
            self.agreed[group] += not wrong
        self.mismatches += wrong

    def _differences(self, case: str, predicted: adapter.Answer, observed: adapter.Answer) -> list[Mismatch]:
        wrong = []
        for field in FIELDS:
            mine, real = getattr(predicted, field), getattr(observed, field)
            if real is None:
                continue
            self.fields[field] += 1
            self.fields_agreed[field] += mine == real
            if mine != real:
                wrong.append(Mismatch(case, field, mine, real))
        return wrong

    @property
    def share(self) -> float:
        """The share of cases in which every field agrees."""
        return self.agreed["all"] / self.cases["all"] if self.cases["all"] else 0.0


def agrees(case: Case) -> bool:
    """Whether the case was compared, and every field of it agrees."""
    result = compare([case])
    return result.agreed["all"] == 1


def groups(case: Case) -> list[str]:
    """The groups that a case counts in."""
    config = case["accelerate_config"]
    kind = config.get("distributed_type") if isinstance(config, dict) else None
    return [
        "all",
        f"accelerate {case['stack']['accelerate']}",
        f"trainer {case['trainer']}",
        f"launch {case['launch']['with']}",
        f"distributed {kind if isinstance(kind, str) else 'NO'}",
    ]


def compare(recorded: Iterable[Case]) -> Comparison:
    """Compare all cases."""
    result = Comparison()
    for case in recorded:
        result.add(case)
    return result


def report(result: Comparison, mismatches: bool = True) -> list[str]:
    """The lines that a person reads."""
    lines = [f"{len(result.stacks)} stacks, {result.cases['all']} cases, {result.share:.2%} agree in every field"]
    lines += [f"  {result.fields_agreed[name]:5} of {result.fields[name]:5}  {name}" for name in FIELDS]
    lines += [f"  {result.agreed[name]:5} of {result.cases[name]:5}  {name}" for name in sorted(result.cases)]
    if mismatches:
        for one in result.mismatches:
            lines.append(f"{one.case}: {one.field}: predicted {one.predicted!r}, observed {one.observed!r}")
    if result.only_on_gpu:
        names = ", ".join(result.only_on_gpu)
        lines.append(f"{len(result.only_on_gpu)} not decided here, the predicted error needs a GPU: {names}")
    if result.undecided:
        names = ", ".join(result.undecided)
        lines.append(f"{len(result.undecided)} not decided by the prediction: {names}")
    if result.outside:
        reasons = "; ".join(OUTSIDE.values())
        lines.append(f"{len(result.outside)} outside the model ({reasons}): {', '.join(result.outside)}")
    if result.left_out:
        lines.append(f"{len(result.left_out)} left out, the harness failed: {', '.join(result.left_out)}")
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Compare the files named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--quiet", action="store_true", help="only the counts")
    parser.add_argument("--at-least", type=float, default=0.0, help="the share of cases that must agree")
    options = parser.parse_args(arguments)
    result = compare(case for path in options.files for case in cases.read(path))
    print("\n".join(report(result, not options.quiet)))
    if not result.cases["all"]:
        return 2
    return int(result.share < options.at_least)


if __name__ == "__main__":
    sys.exit(main())
