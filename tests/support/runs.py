"""Runs for tests, made from plain descriptions."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from fp8check.rules import models
from fp8check.rules.catalog import RULES
from fp8check.rules.checking.examining import examine
from fp8check.rules.checking.runs import Assembled, assemble, parse_launch
from fp8check.rules.engine.gate import parsed
from fp8check.rules.engine.running import crash
from fp8check.rules.facts import Facts, Gpu
from fp8check.rules.reading import Document
from fp8check.rules.reading.kind import Kind
from fp8check.rules.seen import from_data
from fp8check.rules.settings.script import Script
from fp8check.rules.trainers.detect import read
from tests.support.paths import TESTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.suppression.examined import Examined
    from fp8check.rules.suppression.suppressions import Suppression

# A training environment of today, all packages of it in the releases that were seen together on an H200.
TODAY = {
    "python": "3.12.3",
    "torch": "2.11.0",
    "accelerate": "1.15.0",
    "transformers": "5.17.0",
    "transformer_engine": "2.20.2",
    "torchao": "0.17.0",
    "peft": "0.21.0",
    "trl": "1.16.0",
}
PROCESSES = re.compile(r"(?:num_processes|nproc_per_node)[:= ]+(\d+)")
PROBED = yaml.safe_load((TESTS / "catalog" / "probed.yaml").read_text())
KNOWN = [
    "torch",
    "accelerate",
    "transformers",
    "transformer_engine",
    "transformer_engine_cu12",
    "transformer_engine_cu13",
    "transformer_engine_torch",
    "torchao",
    "msamp",
    "llamafactory",
    "trl",
    "axolotl",
    "deepspeed",
    "peft",
    "bitsandbytes",
    "mpi4py",
]


# Facts that a case says in words of its own: its stack, gpu and gpus.
_OF_THE_CASE = ("python", "packages", "variables", "gpus", "driver")


def facts_of(case: Mapping[str, object]) -> Facts:
    """The machine that a case describes."""
    python, packages = _environment(case.get("stack", TODAY))
    variables = case.get("variables", {})
    # A fact that is no part of the stack is set by its own name.
    others = {
        name: case[name] for name in Facts.fields if name not in _OF_THE_CASE and case.get(name, "unknown") != "unknown"
    }
    return Facts(
        python=python,
        packages=packages,
        variables=None if variables == "unknown" else variables,  # type: ignore[arg-type]
        gpus=_gpus(case.get("gpu", "9.0"), int(str(case.get("gpus", _processes(case))))),
        driver=case.get("driver"),  # type: ignore[arg-type]
        **others,  # type: ignore[arg-type]
    )


def _processes(case: Mapping[str, object]) -> int:
    """How many processes the case starts, as it is written: each has its GPU where the case does not say otherwise."""
    texts = (case.get("accelerate", ""), case.get("launch", ""))
    numbers = [int(found[1]) for text in texts for found in PROCESSES.finditer(str(text))]
    return min(max([1, *numbers]), 16)


def _environment(stack: object) -> tuple[str | None, dict[str, str | None] | None]:
    """The interpreter's version and the packages that a case's stack comes to."""
    if stack == "unknown":
        return None, None
    assert isinstance(stack, dict)
    packages: dict[str, str | None] = dict.fromkeys(KNOWN)
    named = {name: version for name, version in stack.items() if name != "python"}
    packages.update({name: None if version is None else str(version) for name, version in named.items()})
    packages["torch"] = packages["torch"] or "2.11.0"
    if packages["transformer_engine"] is not None:
        packages["transformer_engine_torch"] = packages["transformer_engine"]
    return str(stack.get("python", "3.12.3")), packages


def _gpus(gpu: object, number: int) -> list[Gpu] | None:
    """GPUs from a compute capability and their number, or from a list of capabilities and maps with Gpu's fields."""
    if gpu == "unknown":
        return None
    if gpu == "none":
        return []
    return [_gpu(index, one) for index, one in enumerate(gpu if isinstance(gpu, list) else [gpu] * number)]


def _gpu(index: int, gpu: object) -> Gpu:
    if isinstance(gpu, dict):
        capability = str(gpu["compute_capability"])
        return _gpu(index, capability)._replace(**{**gpu, "compute_capability": capability})
    names = {
        "8.0": "NVIDIA A100",
        "8.6": "NVIDIA RTX A6000",
        "8.9": "NVIDIA RTX 4090",
        "9.0": "NVIDIA H200",
        "10.0": "NVIDIA B200",
        "12.0": "NVIDIA RTX 5090",
    }
    return Gpu(index, names[str(gpu)], str(gpu), 143771, mig=False)


def assembled_of(case: Mapping[str, object]) -> Assembled:
    """The run that a case describes."""
    documents: list[Document] = []
    for kind, path in (("training", "train.yaml"), ("accelerate", "accel.yaml"), ("deepspeed", "ds.json")):
        text = case.get(kind)
        if text is not None:
            document = read(str(case.get(f"{kind} path", path)), str(text).encode())
            documents.append(document.as_kind(Kind(kind, document.dialect)))
    return _assembled(case, documents)


def _assembled(case: Mapping[str, object], documents: Sequence[Document]) -> Assembled:
    launch = parse_launch(case.get("launch"))  # type: ignore[arg-type]
    trainer = case.get("trainer", "transformers" if "training" in case else None)
    script = case.get("script")
    # Where the case is not about a script, the one that the launch names is there and says nothing.
    name = "train.py" if launch is None or launch.script is None else file_of(launch)
    none = script is None and (launch is None or launch.script is None)
    given = None if none else (name, str(script or "").encode())
    with beside(case.get("named", {})):  # type: ignore[arg-type]
        (one,) = assemble(documents, facts_of(case), launch=launch, trainer=trainer, script=given)  # type: ignore[arg-type]
    if script is None:
        own = tuple(document for document in one.documents if document.kind != "script")
        one = Assembled(one.run._replace(script=Script()), own)
    model = case.get("model")
    if isinstance(model, dict):
        shape = models.from_config(model, one.run.training.model or "tiny", "config.json")
        one = one._replace(run=one.run._replace(model=shape))
    return one


@contextlib.contextmanager
def beside(files: Mapping[str, str]) -> Iterator[None]:
    """A current folder with these files, where there are any."""
    if not files:
        yield
        return
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(home)


def file_of(launch: Launch) -> str:
    name = str(launch.script).rpartition("/")[2]
    return f"{name.rpartition('.')[2]}.py" if launch.is_module else name


def report_of(
    case: Mapping[str, object], only: str | None = None, *, configured: Sequence[Suppression] = ()
) -> Examined:
    """The report of the run that a case describes."""
    return examined(case, assembled_of(case).documents, only, configured=configured)


def examined(
    case: Mapping[str, object],
    documents: Sequence[Document],
    only: str | None = None,
    *,
    configured: Sequence[Suppression] = (),
    assembled: Assembled | None = None,
) -> Examined:
    """The report of a case's run with these documents in the place of its own; `assembled` saves making the run."""
    one = assembled if assembled is not None else _assembled(case, documents)
    chosen = [rule for rule in RULES if only is None or rule.id == only]
    assert chosen, f"{only} is not in the installed package: is it registered, and has make installed it since?"
    # What speaks of suppressions needs a rule that may be suppressed; this one is always decided.
    rules = [rule for rule in RULES if rule in chosen or (chosen[0].is_late and rule.id == "FP902")]
    today = case.get("today")
    failed = case.get("crashing")
    crashes = () if failed is None else (crash(str(failed), KeyError("weather")),)
    day = None if today is None else str(today)
    required = parsed(case.get("require", ()))  # type: ignore[arg-type]
    seen = case.get("seen")
    probed = from_data(_probed(seen)) if isinstance(seen, dict) else None
    return examine(
        one.run, one.documents, rules, probed, configured=configured, crashes=crashes, today=day, requirements=required
    )


def _probed(seen: Mapping[str, object]) -> dict[str, object]:
    """What a probe saw: `like` names a whole sight of tests/catalog/probed.yaml, `without` what is not in it."""
    base = PROBED[str(seen["like"])] if "like" in seen else {}
    without = seen.get("without", ())
    assert isinstance(without, (list, tuple))
    kept = {name: value for name, value in base.items() if name not in without}
    return {**kept, **{name: value for name, value in seen.items() if name not in ("like", "without")}}
