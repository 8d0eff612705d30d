"""Does anything notice when a version branch of the model is gone?

    python -m tests.tools.version_bounds RECORDED.jsonl [RECORDED.jsonl ...]

For every behavior of rules/releases/behaviors.py that the prediction asks for, two mutants: one in which it never holds,
and one in which it always does. A mutant is killed when at least one recorded case, predicted right before, is
predicted wrong; the GPU's evidence counts as recorded. Behaviors that only rules or facts ask for have their case
files, and are listed.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from fp8check.rules.outcome import predict
from fp8check.rules.releases import behaviors
from fp8check.rules.releases.behaviors import Behavior
from fp8check.rules.releases.stack import Stack
from tests.support.paths import EVIDENCE
from tests.tools.conformance import cases, compare
from tests.tools.gpu.compare import gpu_differences, gpu_run
from tests.tools.score import load

if TYPE_CHECKING:
    from collections.abc import Callable

RULES = Path(behaviors.__file__).parents[1]
GPU_CASES = EVIDENCE / "h200-cases.jsonl"
# Every behavior by the name that the code calls it: "Accelerate.HAS_FSDP2".
BEHAVIORS: dict[str, Behavior] = {
    f"{package.__name__}.{name}": value
    for package in vars(behaviors).values()
    if isinstance(package, type)
    for name, value in vars(package).items()
    if isinstance(value, Behavior)
}
WANTED = 0.9


def checks(files: list[Path]) -> list[Callable[[], bool]]:
    """One callable a case: whether it is predicted right."""
    made: list[Callable[[], bool]] = [partial(_agrees_with_gpu, case) for case in load(GPU_CASES)]
    for path in files:
        made += [partial(compare.agrees, case) for case in cases.read(path)]
    return made


def _agrees_with_gpu(case: dict[str, Any]) -> bool:
    return not gpu_differences(case, predict(gpu_run(case)))


def survives(behavior: Behavior, value: bool, right: list[Callable[[], bool]]) -> bool:
    """Whether every case is still predicted right when that behavior always has that value."""
    original = Stack.does

    def mutated(self: Stack, asked: Behavior) -> bool:
        return value if asked is behavior else original(self, asked)

    with mock.patch.object(Stack, "does", mutated):
        return all(check() for check in right)


def asked_for() -> set[str]:
    """The behaviors that a prediction asks for: what a rule alone words its finding by, no recorded case can show."""
    rooms = ("settings", "releases", "trainers", "outcome")
    text = "".join(path.read_text("utf-8") for room in rooms for path in (RULES / room).glob("*.py"))
    return {name for name in BEHAVIORS if name in text}


def main() -> int:
    """Print the survivors and the score."""
    right = [check for check in checks([Path(name) for name in sys.argv[1:]]) if check()]
    total = survivors = 0
    asked = asked_for()
    elsewhere = [name for name in BEHAVIORS if name not in asked]
    print(f"not asked for by the prediction: {', '.join(elsewhere) or 'none'}")
    for name in sorted(asked):
        for value in (False, True):
            total += 1
            if survives(BEHAVIORS[name], value, right):
                survivors += 1
                print(f"survives: {name} is always {value}")
    score = (total - survivors) / total
    print(f"{len(right)} cases; {total - survivors} of {total} mutants killed ({score:.0%}; at least {WANTED:.0%})")
    return 0 if score >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
