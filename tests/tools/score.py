"""Predictions against executed cases: the score, and the misses by group.

    python -m tests.tools.score CASES.jsonl

The cases' format is that of tests/conformance. A prediction is right when all of these agree: started, or the error's
type; mixed precision; whether any layer runs in FP8; and, where layers are converted, the backend and the recipe.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import yaml

from fp8check.rules import models
from fp8check.rules.facts import Facts, Gpu
from fp8check.rules.outcome import Outcome, predict
from fp8check.rules.settings.accelerate import AccelerateConfig
from fp8check.rules.settings.script import Script
from fp8check.rules.settings.values import Origin, Section, Setting
from fp8check.rules.trainers.commands import parse
from fp8check.rules.trainers.detect import read
from fp8check.rules.trainers.registry import find
from fp8check.rules.trainers.run import Run
from tests.support.runs import KNOWN

Case = dict[str, Any]
RECIPE = ("class", "fp8_format", "amax_history_len", "amax_compute_algo")


def run_of(case: Case) -> Run:
    """The run that an executed case describes."""
    launch = case["launch"]
    words = ["accelerate", "launch"] if launch["with"] == "accelerate" else [launch["with"]]
    if launch["with"] == "accelerate" and launch["config_via"] == "flag":
        words += ["--config_file", "accelerate.yaml"]
    sizes = case["model"] or {}
    script = case["script"] or {}
    handler = script.get("recipe_handler") or {}
    precision = (script.get("accelerator_kwargs") or {}).get("mixed_precision")
    return Run(
        launch=parse(" ".join([*words, *launch["args"], "train.py"])),
        facts=_facts(case),
        accelerate=_accelerate(case),
        accelerate_is_default=launch["config_via"] == "default",
        training=find(case["trainer"])(_section("train.yaml", case["training"] or {}), "train.yaml"),
        model=_model(sizes),
        tokens=sizes["rows"] * sizes["length"] if "rows" in sizes else None,
        script=Script(
            Setting(precision, Origin(code="the script")) if precision else None,
            handler.get("cls"),
            handler.get("kwargs") or {},
            script.get("prepare") != "model_only",
        ),
    )


def _accelerate(case: Case) -> AccelerateConfig | None:
    config = case["accelerate_config"]
    if config is None and case["launch"]["config_via"] is None:
        return None
    malformed = None if isinstance(config, dict) else type(config).__name__
    return AccelerateConfig(_section("accelerate.yaml", config), "accelerate.yaml", malformed)


def _section(name: str, data: Case) -> Section:
    document = read(name, yaml.safe_dump(data).encode())
    return Section(document.root)


def _facts(case: Case) -> Facts:
    capability = case["gpu"]["compute_capability"]
    return Facts(
        packages={**dict.fromkeys(KNOWN), **case["stack"]},
        variables=case["variables"],
        gpus=[Gpu(0, f"GPU of capability {capability}", capability, None, None)],
    )


def _model(changes: Case) -> models.ModelShape | None:
    """The toy model of the recorded cases: two blocks, hidden 64, intermediate 128, vocabulary 96 unless said."""
    hidden = changes.get("hidden", 64)
    config = {
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": changes.get("inter", 128),
        "vocab_size": changes.get("vocab", 96),
        "num_hidden_layers": 2,
        "num_attention_heads": hidden // 4,
        "num_key_value_heads": changes.get("kv", hidden) // 4,
        "head_dim": 4,
        "tie_word_embeddings": False,
    }
    return models.from_config(config, "toy", "config.json")


def differences(case: Case, outcome: Outcome) -> list[str]:
    """Where the prediction differs from what was observed; empty where it is right."""
    seen = case["observed"]
    wrong: list[str] = []

    def compare(what: str, predicted: object, observed: object) -> None:
        if predicted != observed:
            wrong.append(f"{what}: predicted {predicted}, observed {observed}")

    compare("starts", outcome.starts, seen["started"])
    error = seen["error"]["type"] if seen["error"] else None
    compare("error", outcome.error.type if outcome.error is not None else None, error)
    compare(
        "mixed_precision", outcome.mixed_precision.value if outcome.mixed_precision else None, seen["mixed_precision"]
    )
    if seen["started"] and outcome.fp8_layers is not None:
        compare("fp8 layers run", outcome.fp8_layers != "none", bool(seen["fp8_linears_run"]))
    converted = bool(seen["linears"]) and seen["linears"]["te"] + seen["linears"]["torchao"] > 0
    if seen["started"] and converted:
        compare("backend", outcome.backend.value if outcome.backend else None, seen["backend"])
        recipe = seen["recipe"]
        if recipe is not None and recipe["class"] in ("DelayedScaling", "MXFP8BlockScaling"):
            mine = {name: setting.value for name, setting in (outcome.prepared.recipe or {}).items()}
            for name in RECIPE:
                compare(f"recipe {name}", mine.get(name), recipe.get(name))
    return wrong


def load(path: Path) -> list[Case]:
    """The cases of a file, one a line."""
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def main() -> int:
    """Print the score of the files named, and every miss."""
    cases = [case for name in sys.argv[1:] for case in load(Path(name))]
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    misses: dict[str, list[str]] = defaultdict(list)
    for case in cases:
        group = f"{case['trainer']} on accelerate {case['stack']['accelerate']}"
        total[group] += 1
        wrong = differences(case, predict(run_of(case)))
        right[group] += not wrong
        if wrong:
            misses[group].append(f"{case['id']}: {'; '.join(wrong)}")
    for group in sorted(total):
        print(f"{right[group]:4} of {total[group]:4}  {group}")
        for miss in misses[group]:
            print(f"              {miss}")
    print(f"{right.total()} of {total.total()} predicted right")
    return 0 if cases else 2


if __name__ == "__main__":
    sys.exit(main())
