"""Runs as plans left them, on GPUs: what trained, and what is predicted of each today.

`python -m tests.tools.gpu.advised.planned` made and predicted them, `python -m tests.tools.gpu.advised.run` ran them.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.support.command import run
from tests.support.sampled import sampled
from tests.tools.gpu.advised import page
from tests.tools.gpu.advised.planned import MODELS
from tests.tools.gpu.advised.starts import HOME, facts
from tests.tools.gpu.llamas import config_of

EVIDENCE = Path(__file__).parents[2] / "docs" / "evidence"
RUNS: list[dict[str, Any]] = [
    json.loads(line) for line in (EVIDENCE / "advised.jsonl").read_text(encoding="utf-8").splitlines()
]
# What the plan of that day led to, and is no plan's end any more.
FAILED = {
    "trl-default",
    "trl-zero2",
    "trainer-lora-fsdp2",
    "trainer-lora-fsdp2-again",
    "lora-fsdp2-trl",
    "te-fsdp2-loading-true",
}
# Not asked to train in FP8: Transformer Engine under FSDP2.
WITHOUT = {"te-fsdp2-loading-false"}
# Trained, and ended while the model was saved.
SAVED_NOTHING = {"r4-axolotl-fsdp2"}
ADVISED = [one for one in RUNS if one["id"] not in FAILED | WITHOUT | SAVED_NOTHING]


@pytest.mark.parametrize("one", ADVISED, ids=lambda one: str(one["id"]))
def test_it_trained_in_fp8(one: dict[str, Any]) -> None:
    gemms, kernels, loss = (one["seen"][name] for name in ("gemms", "kernels", "loss"))
    assert one["exit"] == 0
    assert gemms["fprop"] > 0
    assert min(kernels.values()) > 0
    # Of a frozen base no wgrad is needed, and a compiler leaves it out.
    assert gemms["dgrad"] + gemms["wgrad"] >= (1.3 if _has_adapters(one) else 2) * gemms["fprop"]
    assert loss[-1] < (0.97 if _has_adapters(one) else 0.92) * loss[0]
    still = set.intersection(*(set(rank["still"]) for rank in one["moved_by_rank"]))
    assert [name for name in still if not _may_stay(one, name)] == []


def _has_adapters(one: dict[str, Any]) -> bool:
    return "lora" in json.dumps(one["files"]).lower()


def _may_stay(one: dict[str, Any], name: str) -> bool:
    """A norm in BF16 is 1, and its last bit is larger than a step. Of a base that was thawed nothing is optimized."""
    return ("norm" in name and name.endswith("bfloat16")) or (_has_adapters(one) and "lora_" not in name)


def test_every_trainer_way_and_backend_is_among_them() -> None:
    ways = {(one["trainer"], one["predicted"]["backend"], one["predicted"]["distributed_type"]) for one in ADVISED}
    assert ways >= {
        ("llamafactory", "TE", "NO"),
        ("llamafactory", "TE", "MULTI_GPU"),
        ("llamafactory", "TE", "DEEPSPEED"),
        ("llamafactory", "AO", "FSDP"),
        ("transformers", "TE", "MULTI_GPU"),
        ("transformers", "AO", "FSDP"),
        ("trl", "AO", "FSDP"),
        ("trl", "AO", "MULTI_GPU"),
        ("axolotl", "AO", "MULTI_GPU"),
        ("axolotl", "TE", "NO"),
    }
    planned = [one for one in ADVISED if one["steps"] or one["id"].startswith("init-")]
    assert len(planned) >= 24


def test_the_planner_of_a_later_day_was_run_again() -> None:
    """Round 4: at least 16 finals, each trainer and way among them."""
    found = [one for one in ADVISED if one["round"] == 4]
    assert len(found) >= 30
    assert all(one["steps"] or one["id"].startswith(("r4-init-", "r4-axolotl-fp8-alone")) for one in found)
    assert {one["seen"]["gpu"] for one in found} == {"NVIDIA H200"}
    assert {one["gpus"] for one in found} == {1, 2, 4}
    lora = {one["trainer"] for one in found if _has_adapters(one)}
    assert {one["trainer"] for one in found} == lora == {"llamafactory", "transformers", "trl", "axolotl"}


def test_finals_ran_on_an_h100() -> None:
    """Round 5: 14 finals on one of them, of each trainer, full and with adapters, by both backends."""
    found = [one for one in ADVISED if one["round"] == 5]
    assert len(found) >= 14
    assert {one["seen"]["gpu"] for one in found} == {"NVIDIA H100 80GB HBM3"}
    assert {one["trainer"] for one in found} == {"llamafactory", "transformers", "trl", "axolotl"}
    assert {(one["predicted"]["backend"], _has_adapters(one)) for one in found} == {
        (backend, adapters) for backend in ("TE", "AO") for adapters in (False, True)
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    for name in MODELS:
        (folder / "models" / name).mkdir(parents=True)
        (folder / "models" / name / "config.json").write_text(json.dumps(config_of(name)))
    return folder


TOLD: dict[str, dict[str, Any]] = {}


def outcome(one: dict[str, Any], home: Path) -> dict[str, Any]:
    """What the command says of it today; asked once."""
    if one["id"] not in TOLD:
        TOLD[one["id"]] = report(one, home)["outcome"]
    return TOLD[one["id"]]


def report(one: dict[str, Any], home: Path) -> dict[str, Any]:
    """The report of a check of its files and command."""
    folder = home / one["id"]
    folder.mkdir(exist_ok=True)
    for name, text in one["files"].items():
        (folder / name).write_text(text.replace(HOME, str(home)))
    (folder / "facts.json").write_text(facts(one["trainer"], one["gpus"]))
    done = run(
        "--facts", "facts.json", "--no-config", "--format", "json", "--", *shlex.split(one["command"]), cwd=folder
    )
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("one", sampled(RUNS), ids=lambda one: str(one["id"]))
def test_it_is_predicted_as_it_was(one: dict[str, Any], home: Path) -> None:
    told = outcome(one, home)
    saved_nothing = one["id"] in SAVED_NOTHING
    assert told["starts"] is (one["exit"] == 0 or saved_nothing)
    if one["exit"] and not saved_nothing:
        assert told["error"]["type"] in one["error"]
        return
    seen = one["seen"]
    converted = sum(number for name, number in seen["layers"].items() if _is_fp8(name))
    assert told["layers"]["converted"] == converted or one["id"] in WITHOUT
    assert told["mixed_precision"] == seen["accelerator"][0]
    recipe = seen["recipe"] or {}
    for key in ("fp8_format", "amax_history_len", "amax_compute_algo", "enable_fsdp_float8_all_gather"):
        if (told["recipe"] or {}).get(key) is not None and key in recipe:
            assert told["recipe"][key] == (recipe[key] or False)


def _is_fp8(name: str) -> bool:
    """FSDP2 gives the class of a layer that it shards by itself another name."""
    return "Float8Linear" in name or name.startswith("transformer_engine.")


@pytest.mark.parametrize("one", [one for one in RUNS if one["id"] in SAVED_NOTHING], ids=lambda one: str(one["id"]))
def test_what_was_not_saved_is_found(one: dict[str, Any], home: Path) -> None:
    assert "UnboundLocalError" in one["error"]
    found = {finding["rule"]: finding for finding in report(one, home)["findings"]}
    assert "UnboundLocalError" in found["FP551"]["label"]


def test_memory_was_predicted_before(home: Path) -> None:
    """Of what was said before they ran: the median. Today's figures are within 22 % of each."""
    then, now = [], []
    for one in ADVISED:
        real = max(one["peaks"]) / 2**30
        said = (one["predicted"]["memory"] or {}).get("fp8_gib")
        if said is not None:
            then.append(abs(said / real - 1))
            now.append(abs(outcome(one, home)["memory"]["fp8_gib"] / real - 1))
    assert len(then) >= 24
    assert median(then) <= 0.05
    assert median(now) <= 0.03
    assert max(now) <= 0.22


def test_the_page_is_what_was_recorded() -> None:
    assert (EVIDENCE / "advised.md").read_text(encoding="utf-8") == page.text(RUNS)
