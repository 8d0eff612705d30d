"""Several Accelerators in one script: known where all are made alike, else undecided with what comes of each."""

from __future__ import annotations

import pytest

from fp8check.rules.checking.runs import assemble
from fp8check.rules.facts import Facts
from fp8check.rules.outcome import predict
from fp8check.rules.trainers.commands import parse
from fp8check.rules.trainers.detect import read

ACCELERATE = b"distributed_type: 'NO'\nmixed_precision: bf16\nnum_processes: 1\n"
FACTS = Facts(packages={"accelerate": "1.15.0", "transformer_engine": "2.20.2", "torch": "2.13.0"})


def outcome(script: str, command: str = "accelerate launch --config_file accel.yaml train.py") -> str:
    """What happens, or why that is not known."""
    files = [read("accel.yaml", ACCELERATE)] if "accel" in command else []
    (made,) = assemble(files, FACTS, launch=parse(command), follow=False, script=("train.py", script.encode()))
    predicted = predict(made.run)
    if predicted.undecided is not None:
        return predicted.undecided.what
    return str(predicted.mixed_precision.value if predicted.mixed_precision is not None else None)


def test_both_outcomes_are_said() -> None:
    script = "if x:\n    a = Accelerator(mixed_precision='fp8')\nelse:\n    a = Accelerator()\n"
    start = "which Accelerator trains hangs on what train.py does: "
    first = f"{start}line 2 makes Accelerator(mixed_precision='fp8'): FP8; "
    assert outcome(script) == f"{first}line 4 makes Accelerator(): no FP8, of accel.yaml:2"
    assert outcome(script, "python train.py") == f"{first}line 4 makes Accelerator(): no FP8"
    script = "Accelerator(mixed_precision=find())\nAccelerator(mixed_precision='no', fsdp_plugin=x)\n"
    one = "line 1 makes Accelerator(mixed_precision='find()'): find()"
    assert outcome(script) == f"{start}{one}; line 2 makes Accelerator(mixed_precision='no'): no FP8"


@pytest.mark.parametrize(
    ("script", "comes_to"),
    [
        ("if x:\n    a = Accelerator(cpu=y)\nelse:\n    a = Accelerator(log_with='all')\n", "bf16"),
        ("Accelerator(mixed_precision='fp16')\nAccelerator(mixed_precision='fp16')\n", "fp16"),
        ("print(Accelerator().process_index)\nAccelerator(mixed_precision='fp16')\n", "fp16"),
        ("h = [TERecipeKwargs()]\n" + "Accelerator(mixed_precision='fp8', kwargs_handlers=h)\n" * 2, "fp8"),
    ],
)
def test_several_that_are_made_alike_are_one(script: str, comes_to: str) -> None:
    assert outcome(script) == comes_to


@pytest.mark.parametrize("given", ["kwargs_handlers=[TERecipeKwargs()]", "fsdp_plugin=x", "*x", "**x"])
def test_several_that_differ_are_not_known(given: str) -> None:
    assert outcome(f"Accelerator()\nAccelerator({given})\n").startswith("which Accelerator trains")
