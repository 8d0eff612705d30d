"""Several --facts: the run is checked for each kind of node, and every report says which it is of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from fp8check.cli.main import main
from fp8check.rules.facts import Facts, Gpu
from fp8check.rules.facts.kinds import kinds
from fp8check.rules.report.formats import FORMATS
from fp8check.rules.report.machines import in_words
from fp8check.rules.schemas import reports as schemas
from tests.support.nodes import facts

if TYPE_CHECKING:
    from pathlib import Path

RUN = ["train.yaml", "accel.yaml", "--trainer", "transformers"]
NEW, OLD = "NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-80GB"


def on(host: str, name: str = NEW, capability: str = "9.0", **more: Any) -> dict[str, Any]:
    """The facts of a node with one GPU."""
    gpu = {"index": 0, "name": name, "compute_capability": capability, "memory_mib": 81559, "mig": False}
    return facts(host, gpus=[gpu], **more)


@pytest.fixture(autouse=True)
def run_and_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run, and the facts of two nodes that are alike and of an old one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.yaml").write_text("output_dir: out\nmodel_name_or_path: m\n")
    (tmp_path / "accel.yaml").write_text(
        "distributed_type: 'NO'\nmixed_precision: fp8\nmixed_precision: fp8\nfp8_config: {backend: TE}\n"
    )
    nodes = (on("new1"), on("new2", collected="2026-11-20"), on("old", OLD, "8.0"))
    for one in nodes:
        (tmp_path / f"{one['host']}.json").write_text(json.dumps(one))


def of(*names: str) -> list[str]:
    """The options with these facts."""
    return [word for name in names for word in ("--facts", f"{name}.json")]


def reports(words: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    """The JSON of a check, and its exit code."""
    code = main([*words, "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


def test_each_kind_is_checked_once(capsys: pytest.CaptureFixture[str]) -> None:
    code, (new, old) = reports([*RUN, *of("new1", "old", "new2")], capsys)
    assert (new["machines"], old["machines"]) == (["new1", "new2"], ["old"])
    assert [one["rule"] for one in old["findings"] if one["message"].startswith("on old: ")] == ["FP701"]
    assert [one["gpus"][0]["name"] for one in (new["facts"], old["facts"])] == [NEW, OLD]
    assert code == 1
    for one in (new, old):
        jsonschema.validate(one, schemas.report())


def test_what_is_so_everywhere_is_said_of_none(capsys: pytest.CaptureFixture[str]) -> None:
    _, found = reports([*RUN, *of("new1", "old")], capsys)
    (key,) = {finding["message"] for one in found for finding in one["findings"] if finding["rule"] == "FP902"}
    assert not key.startswith("on ")
    (mark,) = {finding["fingerprint"] for one in found for finding in one["findings"] if finding["message"] == key}
    _, alone = reports([*RUN, *of("new1")], capsys)
    assert mark in [finding["fingerprint"] for finding in alone["findings"]]


@pytest.mark.parametrize("name", [one.name for one in FORMATS])
def test_every_format_says_which(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, *of("new1", "old"), "--format", name]) == 1
    said = capsys.readouterr().out.replace("&#8203;", "")
    assert "on old: " in said
    assert "A100" in said
    if name != "gitlab":  # which has findings alone
        assert "on new1: " in said


def test_with_facts_that_are_all_alike_it_is_one_report(capsys: pytest.CaptureFixture[str]) -> None:
    _, found = reports([*RUN, *of("new1", "new2", "new1")], capsys)
    _, alone = reports([*RUN, *of("new1")], capsys)
    assert found["machines"] == ["new1", "new2"]
    assert found["findings"] == alone["findings"]
    assert "machines" not in alone
    assert found["summary"]["actual"] == f"on new1 and new2: {alone['summary']['actual']}"


def test_a_baseline_holds_for_all_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*RUN, *of("new1", "old")]
    assert main([*words, "--write-baseline", "known.json"]) == 0
    capsys.readouterr()
    code, found = reports([*words, "--baseline", "known.json"], capsys)
    assert code == 0
    assert {finding["state"] for one in found for finding in one["findings"]} == {"unchanged"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([*RUN, *of("new1", "old"), "--hook"], "--hook takes one --facts"),
        ([*RUN, *of("new1", "old"), "--probe"], "--probe takes one --facts"),
        ([*RUN, *of("new1", "old"), "--server", "http://127.0.0.1:1"], "--server takes one --facts"),
        ([*RUN, *of("new1", "none")], "none.json"),
        ([*RUN, *of("new1", "old"), "--no-environment"], "--no-environment do not go with it"),
        (["plan", *RUN, *of("new1", "old")], "this command takes one --facts"),
    ],
)
def test_what_does_not_go_together(words: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert why in capsys.readouterr().err


def test_kinds() -> None:
    gpu = Gpu(0, NEW, "9.0", 81559)
    one = Facts(host="a", gpus=[gpu], variables={"NCCL_DEBUG": "WARN", "SLURMD_NODENAME": "a"}, path="a.json")
    same = one._replace(host="b", gpus=[gpu._replace(power_w=500)], variables={**one.variables, "SLURMD_NODENAME": "b"})
    fewer = one._replace(host="c", variables={**one.variables, "CUDA_VISIBLE_DEVICES": ""})
    nameless = one._replace(host=None, path="d.json")
    assert [found.machines for found in kinds([one, fewer, same, nameless])] == [("a", "b"), ("c",), ("d.json",)]


def test_many_names_are_cut() -> None:
    assert in_words(["a"]) == "a"
    assert in_words(["a", "b", "c"]) == "a, b and c"
    assert in_words([f"n{number}" for number in range(1003)]) == "n0, n1, n2 and 1,000 more"
    assert in_words(["x" * 5000 + "\x1b[2J"]) == "x" * 57 + "..."
