"""`fp8check node` and `fp8check nodes` from outside: files, exit codes, formats, waiting."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from fp8check.cli.main import main
from tests.support.command import run
from tests.support.nodes import EXAMPLE, hosts, node, nodes_command, write

if TYPE_CHECKING:
    from pathlib import Path

FILES = [str(EXAMPLE / name) for name in ("train.yaml", "accelerate.yaml")]


def told(folder: Path, host: str) -> dict[str, object]:
    """HOST.json."""
    found = json.loads((folder / f"{host}.json").read_text())
    assert isinstance(found, dict)
    return found


def test_a_node_tells_facts_report_and_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["node", "--out", str(tmp_path), "--host", "n1", *FILES]) == 1
    one = told(tmp_path, "n1")
    assert (one["schema"], one["host"], one["seen"], one["verdict"]) == ("fp8check/node/1", "n1", None, "fail")
    assert one["facts"]["host"] == "n1"  # type: ignore[index]
    assert one["report"]["schema"] == "fp8check/report/1"  # type: ignore[index]
    assert "FP501" in capsys.readouterr().out


def test_a_node_without_a_run_tells_its_facts(tmp_path: Path) -> None:
    assert main(["node", "--out", str(tmp_path), "--host", "n1", "--no-config"]) in (0, 1)
    one = told(tmp_path, "n1")
    assert one["report"] is None
    assert one["verdict"] != "pass"  # here are no GPUs
    assert one["why"]


def test_undecided_is_no_success_where_evidence_is_required(tmp_path: Path) -> None:
    words = ["node", "--out", str(tmp_path), "--host", "n1", "--launch", "accelerate launch train.py", "--no-config"]
    assert main(words) == 0
    assert told(tmp_path, "n1")["verdict"] == "undecided"
    assert main([*words, "--require-evidence"]) == 3


def test_a_node_takes_two_seconds(tmp_path: Path) -> None:
    began = time.monotonic()
    run("node", "--out", str(tmp_path), "--host", "n1", *FILES)
    assert time.monotonic() - began < 2
    assert told(tmp_path, "n1")["verdict"] == "fail"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["node", "--host", "n1"], "--out DIR"),
        (["node", "--out", "o", "--host", "../n1"], "no name of a host"),
        (["node", "--out", "o", "--host=-n1"], "no name of a host"),
        (["node", "--out", "o", "--probe", "--no-config"], "name its files"),
        (["nodes", ".", "--watch", "3"], "--expect or --hosts"),
        (["nodes", ".", "--out", "."], "another folder"),
        (["nodes", ".", "--expect", "none"], "--expect takes a whole number"),
        (["nodes", ".", "--expect", "0"], "--expect takes a whole number"),
        (["nodes", "nowhere"], "no such file"),
        (["nodes", ".", "--hosts", "hosts"], "no name of a host"),
        (["nodes", ".", "--format", "html"], "no such format"),
    ],
)
def test_what_is_not_understood(
    words: list[str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts").write_text("n1\n../n2\n")
    assert main(words) == 2
    assert why in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["hosts"]


def test_who_does_not_report_never_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / "told", map(node, hosts(3)))
    out = tmp_path / "out"
    assert nodes_command(folder) == 0
    assert nodes_command(folder, "--expect", 3) == 0
    assert nodes_command(folder, "--expect", 4, "--out", out) == 3
    assert "1 more did not report" in capsys.readouterr().out
    assert (out / "passing_nodes.txt").read_text().split() == hosts(3)
    assert (out / "unknown_nodes.txt").read_text() == ""
    (tmp_path / "hosts").write_text("\n".join([*hosts(4), "# the last rack", "other slots=8"]))
    assert nodes_command(folder, "--hosts", tmp_path / "hosts", "--out", out) == 3
    assert (out / "unknown_nodes.txt").read_text().split() == [hosts(4)[3], "other"]
    assert json.loads((out / "nodes.json").read_text())["verdict"] == "undecided"


def test_an_empty_folder_is_no_pass(tmp_path: Path) -> None:
    assert nodes_command(tmp_path) == 3


def test_lists_and_exit_code_of_a_failing_node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = [
        node(name, **({"verdict": "fail", "why": ["GPU 3 fell off the bus"]} if place == 1 else {}))
        for place, name in enumerate(hosts(4))
    ]
    folder, out = write(tmp_path / "told", odd), tmp_path / "out"
    assert nodes_command(folder, "--out", out) == 1
    assert (out / "failing_nodes.txt").read_text() == "gpu00001\n"
    assert capsys.readouterr().out == (
        "fail  GPU 3 fell off the bus\n  gpu00001\n\nfail  3 passing, 1 failing, 0 unknown\n"
    )


def test_what_is_told_more_than_once_and_differs_is_undecided(tmp_path: Path) -> None:
    folder = write(tmp_path / "told", map(node, hosts(3)))
    (folder / "again.json").write_text(json.dumps(node(hosts(1)[0], verdict="fail")))
    assert nodes_command(folder, "--out", tmp_path / "out") == 3
    assert (tmp_path / "out" / "unknown_nodes.txt").read_text().split() == hosts(1)


def test_watching_waits_for_who_is_missing(tmp_path: Path) -> None:
    folder = write(tmp_path / "told", map(node, hosts(2)))
    late = f"import time, pathlib; time.sleep(1); pathlib.Path({str(folder / 'gpu00002.json')!r}).write_text({json.dumps(node('gpu00002'))!r})"
    with subprocess.Popen([sys.executable, "-c", late]):
        began = time.monotonic()
        assert nodes_command(folder, "--expect", 3, "--watch", 60) == 0
        assert time.monotonic() - began < 30
    began = time.monotonic()
    assert nodes_command(folder, "--expect", 4, "--watch", 1) == 3
    assert 1 <= time.monotonic() - began < 5


def test_junit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = [node("a"), node("b", facts={"driver": "1"}), node("c", verdict="fail", why=["x < y"]), node("d"), node("e")]
    folder = write(tmp_path / "told", odd)
    (folder / "f.json").write_text("{")
    assert nodes_command(folder, "--expect", 7, "--format", "junit") == 1
    (suite,) = ET.fromstring(capsys.readouterr().out)  # noqa: S314
    cases = {one.attrib["name"]: [each.tag for each in one] for one in suite}
    assert cases == {
        "a": [], "b": ["system-out"], "c": ["failure"], "d": [], "e": [], "f": ["skipped"], "all nodes": ["failure"],
    }  # fmt: skip
    assert suite.attrib == {"name": "nodes", "tests": "7", "failures": "2", "errors": "0", "skipped": "1"}


def test_sarif(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / "told", [node("a"), node("b"), node("c"), node("d", verdict="fail", why=["wrong"])])
    assert nodes_command(folder, "--expect", 5, "--format", "sarif") == 1
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    (result,) = run["results"]
    assert (result["ruleId"], result["level"], result["message"]["text"]) == ("node-fails", "error", "d: wrong")
    assert run["properties"]["verdict"] == "fail"
    assert "1 more did not report" in str(run["invocations"])


SCHEMA = {
    "type": "object",
    "required": ["schema", "verdict", "counts", "standing", "drift", "kinds", "nodes", "unread", "expected", "absent"],
    "additionalProperties": False,
    "properties": {
        "schema": {"const": "fp8check/nodes/1"},
        "verdict": {"enum": ["fail", "warn", "undecided", "pass"]},
        "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
        "standing": {"type": "object"},
        "drift": {"type": "array", "items": {"required": ["subject", "severity", "usual", "nodes", "others"]}},
        "kinds": {"type": "array", "items": {"type": "object"}},
        "nodes": {"type": "array", "items": {"required": ["host", "verdict", "kind"]}},
        "unread": {"type": "object"},
        "expected": {"type": "array"},
        "absent": {"type": "integer"},
    },
}


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / "told", [node("a"), node("b", facts={"driver": "1"}), node("c")])
    assert nodes_command(folder, "--format", "json") == 0
    data = json.loads(capsys.readouterr().out)
    jsonschema.validate(data, SCHEMA)
    assert data["standing"] == {"b": {"verdict": "warn", "why": ["driver: 1; usual is 580.95.05"]}}
    assert data["drift"][0]["others"] == [{"value": "1", "nodes": ["b"]}]
    assert len(data["kinds"]) == 2  # nodes that are alike share their values
