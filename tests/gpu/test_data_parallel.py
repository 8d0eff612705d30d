"""One process that sees two GPUs: what two H200s showed, and what is predicted of the same files and commands today."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import run
from tests.tools.gpu.advised.planned import MODELS
from tests.tools.gpu.advised.starts import HOME, facts
from tests.tools.gpu.llamas import config_of

EVIDENCE = Path(__file__).parents[2] / "docs" / "evidence"
ROWS: dict[str, dict[str, Any]] = {
    row["name"]: row
    for row in map(json.loads, (EVIDENCE / "data-parallel.jsonl").read_text(encoding="utf-8").splitlines())
}
TRAINER = {"dp-trl-ao": "trl", "dp-trl-single": "trl"}


def told(name: str, folder: Path, command: str = "check", changed: tuple[str, str] = ("", "")) -> dict[str, Any]:
    """What the command says of these files, in a folder of their own, with a text in them changed."""
    row = ROWS[name]
    for model in MODELS:
        (folder / "models" / model).mkdir(parents=True)
        (folder / "models" / model / "config.json").write_text(json.dumps(config_of(model)))
    for file, text in row["files"].items():
        (folder / file).write_text(text.replace(HOME, str(folder)).replace(*changed))
    known = json.loads(facts(TRAINER.get(name, "transformers"), row["gpus"], 143771))
    known["packages"] |= row["versions"]
    known["host"] = "node"  # of a machine, and so its GPUs are those that the run sees
    (folder / "facts.json").write_text(json.dumps(known))
    words = ["--facts", "facts.json", "--no-config", "--format", "json", "--", *shlex.split(row["command"])]
    found = json.loads(run(*(words if command == "check" else [command, *words]), cwd=folder).stdout)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("name", ROWS)
def test_it_is_predicted_as_it_was(name: str, tmp_path: Path) -> None:
    row = ROWS[name]
    report = told(name, tmp_path)
    outcome, rules = report["outcome"], {finding["rule"] for finding in report["findings"]}
    assert outcome["undecided"] is None
    assert outcome["distributed_type"] == "NO"
    if row["seen"] is None:
        error = outcome["error"]
        assert f"{error['type']}: {error['message']}" == row["error"]
        assert "FP343" in rules
        return
    seen = row["seen"]
    assert outcome["starts"]
    assert outcome["mixed_precision"] == seen["accelerator"][0]
    converted = seen["layers"].get("torchao.Float8Linear", 0)
    assert outcome["layers"]["converted"] == converted == seen["gemms"]["fprop"]
    # Asked for FP8, and no layer in it; weights that are converted and do not move.
    assert ("FP343" in rules) is (outcome["mixed_precision"] == "fp8" and not converted)
    assert ("FP210" in rules) is (seen["moved"]["moved"] < seen["moved"]["expected"])


def test_a_script_that_spreads_the_layers_itself_is_left_open(tmp_path: Path) -> None:
    changed = ("from_pretrained(MODEL)", 'from_pretrained(MODEL, device_map="auto")')
    report = told("dp-ao", tmp_path, changed=changed)
    assert changed[1] in (tmp_path / "train.py").read_text()
    assert report["outcome"]["undecided"].startswith("one process sees 2 GPUs")
    assert "FP343" in {one["rule"] for one in report["undecided"]}


@pytest.mark.parametrize("name", ["dp-te", "dp-ao"])
def test_a_plan_makes_a_process_for_each_gpu(name: str, tmp_path: Path) -> None:
    """It is predicted to train in FP8, with the backend that was chosen."""
    (first, *_) = told(name, tmp_path, "plan")["plans"]
    after = {step.get("before"): step.get("after") for step in first["steps"]}
    assert "num_processes: 2" in after.values()
    assert first["outcome"]["fp8_layers"] != "none"
    assert first["outcome"]["distributed_type"] == "MULTI_GPU"
    assert first["outcome"]["backend"] == ("TE" if name == "dp-te" else "AO")
    assert first["remaining"] == [] or all(one["severity"] != "error" for one in first["remaining"])
