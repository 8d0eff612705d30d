"""What went wrong in public repositories without a word, line by line: which rule speaks now, of which run, and how it is known.

The runs are those of the rules' case files, here with all rules at once: what speaks alone may be drowned or cut off by
another. W1 to W13, where too much was said, are in test_wild_lines.py.
"""

from __future__ import annotations

import pytest

from fp8check.rules.catalog import RULES
from tests.support.cases import CASES
from tests.support.runs import report_of
from tests.tools.catalog import share

SILENT = [
    ("FSDP2 that checkpoints twice: Trainer raises ValueError", "FP530", "both in files"),
    ("full fine-tuning of 7B in LLaMA-Factory on one 80 GB GPU", "FP414", "7B in LLaMA-Factory"),
    ("70B on one GPU with the Trainer", "FP414", "72B under ZeRO-3 on one GPU"),
    ("fp8_format: HYBRID with MXFP8, which computes in E4M3", "FP234", "HYBRID with MXFP8"),
    ("float8 all-gather over GPUs that do not divide the rows", "FP531", "three GPUs"),
    ("the same under HSDP", "FP531", "a shard group of three"),
    ("accelerate 1.13.0 upcasts nothing under FSDP2", "FP532", ""),
    ("torch and torchao that do not import together", "FP608", "torch 2.9"),
    ("PEFT and torchao that do not", "FP614", "PEFT 0.18 with torchao 0.18"),
    ("an FP8 checkpoint in a run in BF16", "FP411", "in BF16"),
    (
        "adapters on FP8 checkpoints, which train from transformers 5.22 on",
        "FP411",
        "adapters, before transformers 5.22",
    ),
    ("axolotl's attn_implementation: fp8", "FP533", "FP8 attention"),
    ("axolotl's plug-in for NVFP4", "FP536", "the plug-in"),
    ("routers in FP8 before axolotl 0.19", "FP410", "Axolotl 0.17 does not leave it out"),
    ("NVTE_DPA_FP8_RECIPE", "FP122", "another recipe, and another attention"),
    ("NVTE_FP8_DPA_BWD", "FP122", "attention's backward pass"),
    ("NVTE_UNFUSED_FP8_UPDATE", "FP124", "delayed scaling"),
    ("use_autocast_during_eval with a ragged batch", "FP544", "the Trainer pads to the longest"),
    ("casts to FP8 of CUDA 13.2", "FP716", "a nightly torch"),
    ("an H20 with an old cuBLAS", "FP715", "an H20"),
    ("releases that are newer than what is known", "FP604", "a release that is not known yet"),
    (
        "accelerate that imports what Transformer Engine has not",
        "FP612",
        "accelerate 1.15 with Transformer Engine 1.13",
    ),
]
# Their GPU is none of those that were there: another one was measured, where it does not happen.
ON_ANOTHER_GPU = {"FP715", "FP716"}
BY_ID = {one.id: one for one in RULES}


def run_of(rule: str, name: str) -> dict[str, object]:
    """The run of the rule's case file whose name begins so."""
    return next(case for case in CASES[rule]["found"] if str(case["name"]).startswith(name))


@pytest.mark.parametrize(("line", "rule", "name"), SILENT, ids=[line for line, _, _ in SILENT])
def test_it_is_said_among_all_rules(line: str, rule: str, name: str) -> None:
    report = report_of(run_of(rule, name))
    assert rule in {one.rule for one in report.findings}, line


@pytest.mark.parametrize("rule", sorted({rule for _, rule, _ in SILENT}))
def test_it_was_executed_or_measured(rule: str) -> None:
    evidence = BY_ID[rule].evidence
    assert share.kind(BY_ID[rule]) == share.SHOWN
    hearsay = [text for text in evidence if text.startswith("https:")]
    assert len(hearsay) < len(evidence)
    if rule in ON_ANOTHER_GPU:
        assert any("H200" in text for text in evidence)


def test_what_ends_the_run_is_its_outcome_as_well() -> None:
    """A rule that knows of an end and an outcome that starts would contradict each other."""
    starts = []
    for line, rule, name in SILENT:
        if str(BY_ID[rule].severity) == "error" and report_of(run_of(rule, name)).outcome.starts:
            starts.append(line)
    assert starts == []
