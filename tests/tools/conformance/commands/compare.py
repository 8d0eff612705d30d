"""Holds recorded commands against what fp8check says of them.

    python -m tests.tools.conformance.commands.compare [RECORDED.jsonl] [--quiet] [--at-least 1.0] [--only TEXT]

Prints the cases and how many are right, by class, and both sides of every one that is not. A prediction is right where
it says how the run begins (that it starts, or the type of its error), and of what was observed its precision, whether
layers run in FP8, their backend and recipe, the kind of distribution, how many processes train, and whether the model
checkpoints. A command that fp8check leaves undecided counts by itself, and never as right; of the few of which nobody
could tell, the case says so (make.UNDECIDED), and they have to be left undecided.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fp8check.cli.projects import inside
from fp8check.rules.checking.request import Request, RunRequest, runs_of
from fp8check.rules.facts import Facts, Gpu
from fp8check.rules.input_error import InputError
from fp8check.rules.outcome import predict
from fp8check.rules.trainers.detect import read
from tests.support.runs import KNOWN
from tests.tools.conformance import adapter, stacks
from tests.tools.conformance.commands import given, recorded
from tests.tools.conformance.compare import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fp8check.rules.checking.runs import Assembled
    from fp8check.rules.outcome import Outcome
    from tests.tools.conformance.cases import Case

RECORDED = Path(__file__).resolve().parents[3] / "conformance" / "commands.jsonl"
HARNESS = "harness"


class Answer(NamedTuple):
    """What one case came to.

    Attributes:
        verdict: right, wrong or undecided.
        why: what differs, or why it is undecided; empty where it is right.
    """

    verdict: str
    why: str = ""


# Of what no stack has any, and the model or the trainer may be told to use it.
BESIDE = (
    *("flash_attn", "flash_attn_3", "kernels", "liger_kernel", "sageattention", "unsloth", "xformers", "galore_torch"),
    *(
        "apollo_torch",
        "badam",
        "adam_mini",
        "lomo_optim",
        "grokadamw",
        "schedulefree",
        "torch_optimi",
        "torchdistx",
        "apex",
    ),
    # what a Trainer reports to
    *("wandb", "tensorboard", "tensorboardx", "mlflow", "comet_ml", "clearml", "swanlab", "trackio", "neptune"),
    *("neptune_client", "azureml_core", "azureml_sdk", "codecarbon", "flytekit", "dvclive"),
)


def facts_of(case: Case, home: str) -> Facts:
    """The machine of a case, with the packages that its stack brings beside those that it names."""
    beside = stacks.table()["beside"]
    packages = dict.fromkeys([*KNOWN, *BESIDE])
    for name, version in case["stack"].items():
        packages |= {other: its for other, its in beside.get(name, {}).get(version, {}).items() if other in KNOWN}
    gpus = [Gpu(index, f"GPU of capability {one}", one, None, None) for index, one in enumerate(case["gpus"])]
    return Facts(
        host=os.uname().nodename,
        python=case["stack"]["python"],
        packages={**packages, **case["stack"]},
        variables={**case["variables"], "HF_HOME": home},
        gpus=gpus,
    )


# What a shell makes more than words of: such a command is checked as a line of a script.
SHELL = (" && ", " & ", " | ", "; ", " > ")


def outcomes(case: Case, *, as_script: bool | None = None) -> list[Outcome]:
    """What fp8check says of each run of the command: see runs."""
    return [predict(one.run) for one in runs(case, as_script=as_script)]


def runs(case: Case, *, as_script: bool | None = None) -> Iterator[Assembled]:
    """The runs of the command, each while there is a folder that has the files of the case.

    Args:
        as_script: check it as the only line of a shell script, `fp8check run.sh`, and not as `fp8check -- COMMAND`;
            None: where it is more than words.

    Raises:
        InputError: it refuses the command.
    """
    if as_script is None:
        as_script = any(one in case["command"] for one in SHELL)
    with tempfile.TemporaryDirectory() as name:
        folder, home = Path(name) / "case", Path(name) / "home"
        given.lay_out(case, folder, None)
        given.default_file(case, home)
        with inside(folder):
            facts = facts_of(case, str(home))
            if as_script:
                text = f"#!/bin/bash\n{case['command']}\n"
                request = RunRequest((read("run.sh", text.encode()),), facts)
            else:
                request = RunRequest((), facts, case["command"])
            yield from runs_of(Request((request,)))


def answer(case: Case, *, as_script: bool | None = None) -> Answer:
    """Hold one case against its observation."""
    try:
        found = outcomes(case, as_script=as_script)
    except InputError as error:
        return Answer("undecided", f"refused: {error}")
    if len(found) != 1:
        return Answer("wrong", f"{len(found)} runs")
    mine, real = adapter.said(found[0]), adapter.observed(case["observed"])
    differences = []
    unknown = []
    for field in FIELDS:
        predicted, observed = getattr(mine, field), getattr(real, field)
        if observed is None or predicted == observed:
            continue
        if predicted is None and (mine.start in (None, "started")):
            unknown.append(field)
        else:
            differences.append(f"{field}: predicted {predicted!r}, observed {observed!r}")
    if real.start == "started" and found[0].undecided is None:
        differences += _beside(found[0], case["observed"])
    if differences:
        return Answer("wrong", "; ".join(differences))
    if unknown:
        return Answer("undecided", f"unknown: {', '.join(unknown)}")
    return Answer("right") if case["undecided"] is None else Answer("wrong", f"decided, although {case['undecided']}")


def _beside(outcome: Outcome, observed: dict[str, Any]) -> Iterator[str]:
    """What differs of the number of processes, and of the precision in the variable that the launcher sets."""
    processes = outcome.effective.processes
    if processes is not None and processes.value != observed["processes"]:
        yield f"processes: predicted {processes.value}, observed {observed['processes']}"
    name = "ACCELERATE_MIXED_PRECISION"
    variable, real = outcome.environment.get(name), (observed["variables"] or {}).get(name)
    if (variable.value if variable is not None else None) != real:
        yield f"{name}: predicted {variable}, observed {real!r}"


def compared(executed: Iterable[Case], *, as_script: bool | None = None) -> Iterator[tuple[Case, Answer]]:
    """Each case with its answer; what the harness itself could not run is left out."""
    for case in executed:
        error = case["observed"]["error"]
        if error is None or error["stage"] != HARNESS:
            yield case, answer(case, as_script=as_script)


def main(arguments: list[str] | None = None) -> int:
    """Compare the file named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=RECORDED)
    parser.add_argument("--quiet", action="store_true", help="only the counts")
    parser.add_argument("--only", default="", help="cases whose id or class contains this text")
    parser.add_argument("--as-script", action="store_true", default=None, help="check each as a line of a shell script")
    parser.add_argument("--at-least", type=float, default=0.0, help="the share that must be right")
    options = parser.parse_args(arguments)
    counts: dict[str, Counter[str]] = {}
    for case, one in compared(recorded.read(options.file), as_script=options.as_script):
        if options.only not in f"{case['class']}/{case['id']}":
            continue
        for group in ("all", case["class"]):
            counts.setdefault(group, Counter())[one.verdict] += 1
        if one.verdict != "right" and not options.quiet:
            print(f"{one.verdict:9} {case['id']}: {one.why}")
    for group, count in counts.items():
        print(f"{count['right']:5} of {count.total():4} right, {count['undecided']:3} undecided  {group}")
    total = counts.get("all", Counter[str]())
    if not total:
        return 2
    return int(total["right"] / total.total() < options.at_least)


if __name__ == "__main__":
    sys.exit(main())
