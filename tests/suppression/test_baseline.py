"""The baseline: what is new, unchanged, resolved; fingerprints that survive what does not matter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fp8check.rules.checking import InputError, check
from fp8check.rules.suppression.baseline import LARGEST_FILE, BadBaseline, load_baseline
from fp8check.rules.suppression.fingerprint import fingerprints
from tests.support.command import run
from tests.support.runs import report_of

ACCELERATE = 'distributed_type: "NO"\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n  amax_history_length: 4\n'
OPTIONS = ("--no-environment", "--no-config")


def marks(accelerate: str = ACCELERATE, path: str = "accel.yaml") -> dict[str, str]:
    made = report_of({"training": "output_dir: out\n", "accelerate": accelerate, "accelerate path": path})
    return {
        one.rule: mark for one, mark in zip(made.findings, fingerprints(made.findings, made.documents), strict=True)
    }


@pytest.mark.parametrize(
    "accelerate",
    [
        f"# moved\n\n{ACCELERATE}",
        ACCELERATE.replace("  ", "      "),
        ACCELERATE.replace("  backend: TE\n", "  backend: TE\n  margin: 0\n"),
        'distributed_type: "NO"\nmixed_precision: fp8\nfp8_config: {backend: TE, amax_history_length: 4}\n',
        ACCELERATE.replace("length: 4", "length:   4  # why"),
    ],
)
def test_moved_lines_and_other_indentation_keep_the_mark(accelerate: str) -> None:
    assert marks(accelerate)["FP202"] == marks()["FP202"]


def test_a_renamed_file_keeps_the_mark() -> None:
    assert marks(path="configs/eight-gpus.yaml") == marks()


@pytest.mark.parametrize(
    "accelerate", [ACCELERATE.replace("4", "8"), ACCELERATE.replace("history_length", "compute_algorithm")]
)
def test_another_value_or_key_is_another_finding(accelerate: str) -> None:
    assert marks(accelerate)["FP202"] != marks()["FP202"]


def test_the_python_api_takes_the_baseline_of_the_command(tmp_path: Path) -> None:
    accel, baseline = tmp_path / "accel.yaml", tmp_path / "baseline.json"
    accel.write_text(ACCELERATE)
    run(str(accel), *OPTIONS, "--write-baseline", str(baseline))
    accel.write_text(ACCELERATE.replace("  amax_history_length: 4\n", "  optimization_level: O1\n"))
    (plain,) = check(accel).reports
    (compared,) = check(accel, baseline=str(baseline)).reports
    assert plain.compared is None
    assert compared.compared is not None
    assert len(compared.compared.new) >= 1
    assert [one["rule"] for one in compared.compared.resolved] == ["FP202"]
    baseline.write_text("{}")
    with pytest.raises(InputError, match="this is no baseline of fp8check"):
        check(accel, baseline=str(baseline))


def test_new_unchanged_resolved(tmp_path: Path) -> None:
    accel, baseline = tmp_path / "accel.yaml", tmp_path / "baseline.json"
    accel.write_text(ACCELERATE)
    wrote = run(str(accel), *OPTIONS, "--write-baseline", str(baseline))
    assert (wrote.returncode, wrote.stdout.startswith(f"{baseline}: ")) == (0, True)
    same = run(str(accel), *OPTIONS, "--baseline", str(baseline), "--fail-on", "warning")
    assert same.returncode == 0
    assert "FP202" not in same.stdout
    assert "0 new" in same.stdout

    accel.write_text(ACCELERATE.replace("  amax_history_length: 4\n", "  optimization_level: O1\n"))
    other = run(str(accel), *OPTIONS, "--baseline", str(baseline), "--fail-on", "warning", "--format", "json")
    assert other.returncode == 1
    report = json.loads(other.stdout)
    states = {one["rule"]: one["state"] for one in report["findings"]}
    assert states["FP202"] == "new"
    assert states["FP606"] == "unchanged"
    assert report["baseline"]["new"] == 1
    assert [one["rule"] for one in report["baseline"]["resolved"]] == ["FP202"]


@pytest.mark.parametrize(
    "content", ["", "[]", '{"schema": "x", "findings": []}', '{"schema": "fp8check/baseline/1", "findings": [1]}']
)
def test_a_file_that_is_no_baseline(tmp_path: Path, content: str) -> None:
    path = tmp_path / "b.json"
    path.write_text(content)
    (tmp_path / "accel.yaml").write_text(ACCELERATE)
    done = run(str(tmp_path / "accel.yaml"), *OPTIONS, "--baseline", str(path))
    assert done.returncode == 2
    assert str(path) in done.stderr


def test_a_missing_baseline(tmp_path: Path) -> None:
    (tmp_path / "accel.yaml").write_text(ACCELERATE)
    assert run(str(tmp_path / "accel.yaml"), *OPTIONS, "--baseline", str(tmp_path / "none.json")).returncode == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'{"schema": "\xff"}', "can't decode"),
        (b" " * (LARGEST_FILE + 1), "larger than"),
        (b"{", "Expecting property name"),
    ],
)
def test_a_baseline_that_cannot_be_read(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "b.json"
    path.write_bytes(content)
    with pytest.raises(BadBaseline, match=message):
        load_baseline(str(path))


def test_a_baseline_that_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadBaseline, match="a folder, not a regular file"):
        load_baseline(str(tmp_path))
