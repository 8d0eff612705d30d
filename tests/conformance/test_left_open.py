"""Commands that are left open: each answer says what decides it, and where that is a variable, setting it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.checking.request import Request, check_request
from tests.support.paths import TESTS
from tests.tools.conformance.commands import recorded
from tests.tools.journeys.conformance import request_of

if TYPE_CHECKING:
    from fp8check.rules.settings.values import Undecided
    from tests.tools.conformance.cases import Case

OPEN = [one for one in recorded.read(TESTS / "conformance" / "commands.jsonl") if one["undecided"]]
# By what the case says that nobody can tell, what the answer names.
NAMED = {
    "the file that the command names": "nothing.yaml: no such file",
    "neither a file that is there": "fsdp3: no such file",
    "two GPUs in one process": "one process sees 2 GPUs",
    "a launcher that is started": "what the outer accelerate launch starts",
    "what the shell has in PRECISION": "train.py",
    "the script asks for a key": "train.py passes",
    "a shell script that the command names": "run.sh checks the launch lines in it",
    "handlers that Accelerator refuses": "train.py passes kwargs_handlers",
    "a word that names no method": "train.py passes",
    "a value behind a switch": "axolotl train takes no value behind --",
    "a configuration of torchao": "Float8LinearConfig.from_recipe_name",
    "what Accelerate's FP8 makes": "a base that is quantized",
    "the script that the command names": "src/train.py: no such file",
    "the program that the shell finds": "llamafactory-cli: no such file",
    "a flag that the torchrun of another": "torchrun has a flag that is not known here: --processes",
    "a file that the script itself writes": "of the script writes or changes it",
    "what a script of one's own does without": "what train.py does without a",
    "a flag that is not torchrun's": "torchrun has a flag that is not known here: --mixed_precision",
    "a variable that the script sets": "may set ACCELERATE_MIXED_PRECISION",
    "a step that is counted by 0": "ACCELERATE_GRADIENT_ACCUMULATION_STEPS=0 ends the step",
    "what Megatron-LM": "variable ACCELERATE_USE_MEGATRON_LM makes it a run of Megatron-LM",
    "processes that a variable takes": "variable ACCELERATE_USE_CPU takes the processes to the CPU",
    "a word that is no command": "SFT",
    "a file behind -m": "-m train.py looks for a module py",
    "what the shell has in BF16": "os.environ",
    "arguments that are made in a try": "the arguments are made in several places",
    "TrainingArguments.mixed_precision": "may turn FP8 on itself: mixed_precision",
    "what is set under a condition": "may set gradient_checkpointing of args",
    "what the shell has in CONF": "train.py",
    "what a module asks the shell for": "engine.py:17 passes bf16",
    "what the shell has in MP": "os.environ.get('MP')",
    "adapters whose layers are left to PEFT": "leaves target_modules to PEFT",
    "what a command prints": "what $(cat flags.txt) stands for",
    "a value that the shell fills in": "filled in later",
}


def left(case: Case) -> Undecided | None:
    with request_of(case) as request:
        (report,) = check_request(Request((request,))).reports
        return report.outcome.undecided


@pytest.mark.parametrize("case", OPEN, ids=lambda case: str(case["id"]))
def test_what_is_left_open_says_what_decides_it(case: Case) -> None:
    found = left(case)
    assert found is not None
    assert next(named for why, named in NAMED.items() if case["undecided"].startswith(why)) in found.what
    assert found.needs
    for name, value in (("PRECISION", "bf16"), ("BF16", "1")):
        if case["undecided"].endswith(f" {name}"):
            told = left({**case, "command": f"{name}={value} {case['command']}"})
            assert told is None, told.what
