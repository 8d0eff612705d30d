"""Runs for tests, made from plain descriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules import models
from fp8check.rules.assemble import assemble, parse_launch
from fp8check.rules.catalog import RULES
from fp8check.rules.evidence.data import from_data
from fp8check.rules.facts import Facts, Gpu
from fp8check.rules.reading import read
from fp8check.rules.report import examine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.assemble import Assembled
    from fp8check.rules.reading import Document
    from fp8check.rules.report import Report

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
]


def facts_of(case: Mapping[str, object]) -> Facts:
    """The machine that a case describes."""
    stack = case.get("stack", TODAY)
    facts = Facts()
    if stack != "unknown":
        assert isinstance(stack, dict)
        facts.python = str(stack.get("python", "3.12.3"))
        facts.packages = dict.fromkeys(KNOWN)
        facts.packages.update({name: str(version) for name, version in stack.items() if name != "python"})
        if facts.packages["torch"] is None:
            facts.packages["torch"] = "2.11.0"
        version = facts.packages["transformer_engine"]
        if version is not None:
            facts.packages["transformer_engine_torch"] = version
    variables = case.get("variables", {})
    facts.variables = None if variables == "unknown" else dict(variables)  # type: ignore[call-overload]
    facts.gpus = _gpus(str(case.get("gpu", "9.0")))
    for name in ("cuda", "libraries", "transformer_engine"):
        value = case.get(name)
        if isinstance(value, dict):
            setattr(facts, name, value)
    return facts


def _gpus(gpu: str) -> list[Gpu] | None:
    if gpu == "unknown":
        return None
    names = {
        "8.0": "NVIDIA A100",
        "8.9": "NVIDIA RTX 4090",
        "9.0": "NVIDIA H200",
        "10.0": "NVIDIA B200",
        "12.0": "NVIDIA RTX 5090",
    }
    return [] if gpu == "none" else [Gpu(0, names[gpu], gpu, 143771, mig=False)]


def assembled_of(case: Mapping[str, object]) -> Assembled:
    """The run that a case describes, and its documents."""
    documents: list[Document] = []
    for key, path, kind in (("training", "train.yaml", "training"), ("accelerate", "accel.yaml", "accelerate")):
        text = case.get(key)
        if text is not None:
            document = read(path, str(text).encode())
            document.kind = kind
            documents.append(document)
    launch = parse_launch(case.get("launch"))  # type: ignore[arg-type]
    trainer = case.get("trainer", "transformers" if "training" in case else None)
    (one,) = assemble(documents, facts_of(case), launch=launch, trainer=trainer)  # type: ignore[arg-type]
    model = case.get("model")
    if isinstance(model, dict):
        one.run.model = models.from_config(model, "tiny", "config.json")
    return one


def report_of(case: Mapping[str, object], only: str | None = None) -> Report:
    """The report of the run that a case describes; `evidence` is what a probe of it saw."""
    one = assembled_of(case)
    evidence = case.get("evidence")
    seen = from_data(evidence) if isinstance(evidence, dict) else None
    rules = [rule for rule in RULES if only is None or rule.id == only]
    return examine(one.run, one.documents, rules, seen)
