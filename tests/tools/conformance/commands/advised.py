"""Runs as fp8check's own advice leaves them, to be executed: what init writes, and recorded commands with their plan.

    python -m tests.tools.conformance.commands.advised --out FILE.jsonl [--init] [--most N] [--seed N]

Each line is a case as make.py makes them, with the files of the plan, its command and its variables. A plan that
installs packages is left out, and one with a step that is left to people. `run --cases FILE.jsonl` executes them, and compare.py holds what
happened against what was promised: a plan is a prediction.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from fp8check.cli.projects import inside
from fp8check.rules.checking.planning import plan_request
from fp8check.rules.checking.request import Request, RunRequest
from fp8check.rules.input_error import InputError
from fp8check.rules.starting import choosing
from fp8check.rules.trainers.detect import read
from tests.tools.conformance.commands import compare, given, make, recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.tools.conformance.cases import Case

KINDS = (".yaml", ".yml", ".json")
# What makes a run another run.
RUN = ("stack", "command", "files", "default_file", "variables", "gpus")


def cases(every: list[Case]) -> Iterator[Case]:
    """The recorded commands that are not good, as their first plan leaves them; none is the same run as another."""
    known = set()
    for case in every:
        if case["undecided"] or case["default_file"] or any(mark in case["command"] for mark in compare.SHELL):
            continue
        advised = _advised(case)
        if advised is None:
            continue
        run = json.dumps({name: advised[name] for name in RUN}, sort_keys=True)
        if run not in known:
            known.add(run)
            yield advised


STACKS = {
    "llamafactory": (make.FACTORIES["0.9.5"], make.FACTORIES["0.9.4"]),
    "trl": (make.NEW, make.OLD),
    "axolotl": (make.AXOLOTL,),
    "transformers": (make.NEW, make.OLD),
    "script": (make.NEW, make.OLD),
}
# A row of a micro-batch; axolotl puts each into alpaca's words, and drops what is longer than that.
TOKENS = {"axolotl": 64}
# What is for people to fill in, and one short step: nothing else of what init writes is changed.
FILLED = {
    "dataset: identity\n": "dataset: sft\ndataset_dir: data\n",
    "dataset_name: trl-lib/Capybara\n": "dataset_name: data/sft\n",
    "  - path: tatsu-lab/alpaca\n": "  - path: data/axolotl\n",
    'load_dataset("tatsu-lab/alpaca", split="train")': 'load_dataset("data/sft", split="train")',
    "num_train_epochs: 1.0\n": "max_steps: 1\nsave_strategy: 'no'\nreport_to: none\n",
    "num_epochs: 1\n": "num_epochs: 1\nmax_steps: 1\nsave_strategy: 'no'\nval_set_size: 0\n",
    "    num_train_epochs=1,\n": "    max_steps=1,\n    save_strategy='no',\n    report_to='none',\n",
}


def begun() -> Iterator[Case]:
    """What init writes for each trainer, on one GPU and on two, by each backend and strategy that it takes."""
    for trainer, names in STACKS.items():
        for stack in names:
            for strategy in choosing.SPREADS:
                for backend in choosing.BACKENDS:
                    for lora in (False, True):
                        case = _begun(trainer, stack, strategy, backend, lora=lora)
                        if case is not None:
                            yield case


def _begun(trainer: str, stack: str, strategy: str, backend: str, *, lora: bool) -> Case | None:
    """One run from nothing; None where init refuses it, or wants other packages."""
    gpus = ["9.0"] if strategy == "single" else make.TWO
    name = f"init-{trainer}-{strategy}-{backend}-{'lora' if lora else 'full'}-{stack}"
    case = make.new(name, "init", stack, "", gpus=gpus)
    with tempfile.TemporaryDirectory() as folder:
        given.lay_out(case, Path(folder) / "case", None)
        with inside(Path(folder) / "case"):
            facts = compare.facts_of(case, folder)
            tokens = TOKENS.get(trainer, 32)
            wish = choosing.Wish(trainer, "model", facts, len(gpus), strategy, backend, lora, tokens)
            best = choosing.choose(wish, ".").best
    if best is None or best.plan is None or any(one.kind not in ("file", "launch") for one in best.plan.steps):
        return None
    files = {os.path.normpath(one.path): _filled(one.text) for one in best.plan.documents}
    return {**case, "files": files, "command": best.plan.launch}


def _filled(text: str) -> str:
    for before, after in FILLED.items():
        text = text.replace(before, after)
    return text


def _advised(case: Case) -> Case | None:
    """The case with its plan done; None where there is nothing to do, or no way."""
    with tempfile.TemporaryDirectory() as name:
        folder, home = Path(name) / "case", Path(name) / "home"
        given.lay_out(case, folder, None)
        given.default_file(case, home)
        with inside(folder):
            named = [one for one in case["files"] if one.endswith(KINDS) and one in case["command"]]
            try:
                documents = tuple(read(one) for one in named)
                request = RunRequest(documents, compare.facts_of(case, str(home)), case["command"])
                planned = plan_request(Request((request,)), "fp8", plans=1)
            except InputError:
                return None
            if not planned.plans or not planned.plans[0].steps:
                return None
            (plan,) = planned.plans
            if any(one.kind == "package" or one.by_hand for one in plan.steps):
                return None
            variables = {one.after or "": one.kind for one in plan.steps if one.kind == "variable"}
            if any("=" not in one for one in variables):
                return None  # one that is to be unset, which a case has not
            # A script of a package's own, as trl's, is among the documents as well, and is nobody's to change.
            own = [one for one in plan.documents if one.kind != "script" or one.path in case["files"]]
            files = {**case["files"], **{one.path: one.text for one in own}}
    return {
        **{name: value for name, value in case.items() if name != "observed"},
        "id": f"advised-{case['id']}",
        "class": "advised",
        "command": plan.launch or case["command"],
        "files": files,
        "variables": {**case["variables"], **dict(one.split("=", 1) for one in variables)},
    }


def main() -> None:
    """Write the cases."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--init", action="store_true", help="what init writes, and no recorded commands")
    options.add_argument("--most", type=int, default=1_000)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    every = recorded.read(compare.RECORDED)
    Random(chosen.seed).shuffle(every)  # noqa: S311  a sample, and no secret
    made: list[dict[str, Any]] = []
    for case in begun() if chosen.init else cases(every):
        made.append(case)
        if len(made) == chosen.most:
            break
    chosen.out.write_text("".join(json.dumps(one) + "\n" for one in made), encoding="utf-8")
    print(f"{len(made)} cases of {len(make.everything())} commands")


if __name__ == "__main__":
    main()
