"""`--require`: a gate over the outcome, here and in the configuration, in every format."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.support.good_run import FILES, KNOWN, TRAIN, placed
from tests.support.inside import run

MET = ("fp8_layers>=some", "backend==TE", "recipe==HYBRID", "starts==true", "memory<=120")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return placed(tmp_path)


def required(*texts: str) -> list[str]:
    return [word for text in texts for word in ("--require", text)]


def report(*words: str, code: int) -> dict[str, object]:
    done = run(*words, "--format", "json")
    assert done.returncode == code, done.stderr + done.stdout
    data = json.loads(done.stdout)
    assert isinstance(data, dict)
    return data


def test_what_is_met_passes_and_is_said() -> None:
    assert run(*KNOWN).returncode == 0
    done = run(*KNOWN, *required(*MET))
    assert done.returncode == 0
    assert (
        "required  fp8_layers>=some (all) · backend==TE (TE) · recipe==HYBRID (DelayedScaling, HYBRID)" in done.stdout
    )
    data = report(*KNOWN, *required(*MET), code=0)
    assert [one["met"] for one in data["requirements"]] == [True] * 5  # type: ignore[attr-defined]
    assert data["verdict"] in ("pass", "warn", "undecided")


def test_what_is_not_met_fails() -> None:
    data = report(*KNOWN, *required("starts==true", "memory<=1"), code=1)
    assert [one["rule"] for one in data["findings"] if one["severity"] == "error"] == ["FP995"]  # type: ignore[attr-defined]
    assert data["verdict"] == "fail"
    assert data["plan"] is None
    first, second = data["requirements"]  # type: ignore[misc]
    assert (first["met"], second["met"], second["requirement"]) == (True, False, "memory<=1")
    assert second["value"] == data["outcome"]["memory"]["fp8_gib"]  # type: ignore[index]


def test_what_is_not_known_fails_too() -> None:
    (Path("train.yaml")).write_text(TRAIN.replace("Qwen/Qwen2.5-7B", "nobody/knows"))
    done = run(*KNOWN, *required("speedup>=0.1"))
    assert done.returncode == 1
    assert "FP996 error   speedup>=0.1 is required, and it is not known whether that is so" in done.stdout
    assert "the shapes of the model are not known" in done.stdout
    assert "required  speedup>=0.1 (not known, undecided)" in done.stdout
    assert "nothing to do" not in done.stdout


def test_without_a_requirement_a_report_is_as_before() -> None:
    assert "requirements" not in report(*KNOWN, code=0)
    assert "required" not in report(*KNOWN, code=0)["summary"]  # type: ignore[operator]


def test_neither_selection_nor_comments_nor_a_baseline_take_it_away() -> None:
    asked = required("memory<=1")
    assert report(*KNOWN, *asked, "--select", "FP1", code=1)["verdict"] == "fail"
    assert report(*KNOWN, *asked, "--ignore", "FP9", code=1)["verdict"] == "fail"
    Path("train.yaml").write_text(f"# fp8check: ignore-file[FP995] it may stay\n{TRAIN}")
    assert report(*KNOWN, *asked, code=1)["verdict"] == "fail"
    assert run(*KNOWN, *asked, "--write-baseline", "known.json").returncode == 0
    assert "FP995" not in Path("known.json").read_text()
    (mark,) = [one["fingerprint"] for one in report(*KNOWN, *asked, code=1)["findings"] if one["rule"] == "FP995"]  # type: ignore[attr-defined]
    entry = {"fingerprint": mark, "rule": "FP995", "file": "", "message": "put there by hand"}
    Path("known.json").write_text(json.dumps({"schema": "fp8check/baseline/1", "findings": [entry]}))
    found = report(*KNOWN, *asked, "--baseline", "known.json", code=1)
    assert [one["state"] for one in found["findings"] if one["rule"] == "FP995"] == ["new"]  # type: ignore[attr-defined]
    assert run(*KNOWN, *asked, "--fail-on", "never").returncode == 0


def test_each_run_has_to_meet_it() -> None:
    Path("other.yaml").write_text(TRAIN.replace("size: 4", "size: 1"))
    done = run(
        "train.yaml", "other.yaml", "accel.yaml", "--facts", "facts.json", *required("memory<=80"), "--format", "json"
    )
    assert done.returncode == 1
    assert [[one["met"] for one in data["requirements"]] for data in json.loads(done.stdout)] == [[False], [True]]


def test_many_runs_and_the_hook() -> None:
    names = [f"train{number}.yaml" for number in range(60)]
    for name in names:
        Path(name).write_text(TRAIN)
    done = run(*names, "accel.yaml", "--facts", "facts.json", *required("memory<=1"), "--format", "concise")
    assert done.returncode == 1
    assert done.stdout.startswith("error: memory<=1 is required: it is ")
    done = run("--hook", *required("mixed_precision==bf16"), *FILES)
    assert done.returncode == 1
    assert "FP995 error   mixed_precision==bf16 is required: it is fp8" in done.stdout


def test_a_line_of_a_shell_script_is_where_it_stands() -> None:
    Path("job.sh").write_text("accelerate launch --config_file accel.yaml train.py\n")
    Path("train.py").write_text("from accelerate import Accelerator\nAccelerator()\n")
    data = report("job.sh", "--facts", "facts.json", *required("backend==AO"), code=1)
    (found,) = [one for one in data["findings"] if one["rule"] == "FP995"]  # type: ignore[attr-defined]
    assert (found["file"], found["line"]) == ("job.sh", 1)


def test_formats() -> None:
    asked = required("starts==true", "memory<=1")
    out = {
        name: run(*KNOWN, *asked, "--format", name).stdout for name in ("sarif", "junit", "github", "gitlab", "html")
    }
    (sarif,) = json.loads(out["sarif"])["runs"]
    assert [(one["ruleId"], one["level"]) for one in sarif["results"] if one["level"] == "error"] == [
        ("FP995", "error")
    ]
    assert [one["met"] for one in sarif["invocations"][0]["properties"]["requirements"]] == [True, False]
    cases = {case.get("name"): case for case in ET.fromstring(out["junit"]).iter("testcase")}  # noqa: S314
    assert cases["requires starts==true"].find("failure") is None
    assert cases["FP995 requirement-not-met"].find("failure") is not None
    assert "::error title=FP995 requirement-not-met::memory<=1 is required: it is " in out["github"]
    assert [one["severity"] for one in json.loads(out["gitlab"]) if one["check_name"] == "FP995"] == ["critical"]
    assert "<dt>required</dt>" in out["html"]
    assert "FP995" in out["html"]


@pytest.mark.parametrize("table", ['require = ["memory<=1"]\n', 'require = ["starts==true"]\n'])
def test_the_configuration_requires_as_well(table: str) -> None:
    Path("fp8check.toml").write_text(table)
    expected = 1 if "memory" in table else 0
    assert run(*KNOWN).returncode == expected
    assert run(*KNOWN, *required("memory<=1")).returncode == 1
    assert run("plan", *KNOWN).returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--require", "speedupp>=1"],
            "fp8check: the outcome has no 'speedupp'. Did you mean speedup? There are starts,",
        ),
        (["--require"], "expected one argument"),
        (["--require", "a\x1b[31m>1"], "the outcome has no 'a"),
    ],
)
def test_what_is_not_understood_is_refused(words: list[str], said: str) -> None:
    done = run(*KNOWN, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "\x1b" not in done.stderr


def test_what_the_configuration_says_wrong_is_refused() -> None:
    for wrong, said in (('["speedupp>=1"]', "has no 'speedupp'"), ('"speedup>=1"', "require is a list of texts")):
        Path("fp8check.toml").write_text(f"require = {wrong}\n")
        done = run(*KNOWN)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("fp8check: fp8check.toml: ")
        assert said in done.stderr
