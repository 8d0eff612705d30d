"""The command as people run it: exit codes, messages, formats."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import run
from tests.support.paths import EXAMPLE

ACCELERATE = 'distributed_type: "NO"\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n'


@pytest.fixture
def example() -> list[str]:
    return [str(EXAMPLE / "train.yaml"), str(EXAMPLE / "accelerate.yaml"), "--facts", str(EXAMPLE / "facts.json")]


def test_the_example_run_is_not_what_it_says(example: list[str]) -> None:
    done = run(*example)
    assert done.returncode == 1
    assert "FP108 error" in done.stdout
    assert "requested fp8 · TE · E4M3, history 1024, max" in done.stdout
    assert "bf16, with TE layers in FP8 · HYBRID, history 1024, max" in done.stdout


def test_both_files_are_shown(example: list[str]) -> None:
    text = run(*example).stdout
    assert "bf16: true" in text
    assert "mixed_precision: fp8" in text


def test_options_may_stand_between_the_files(example: list[str]) -> None:
    train, accelerate, *facts = example
    assert run(train, *facts, accelerate).stdout == run(*example).stdout


def test_verbose_names_undecided_rules(example: list[str]) -> None:
    assert "\nnot decided: 18 rules want a real step (FP801, FP802, FP803, FP804, " in run(*example, "-v").stdout
    assert "\nnot decided: 18 rules want a real step (FP801, FP802, FP803, ...): run fp8check" in run(*example).stdout


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("fix", "Fix what"),
        ("probe", "One real FP8 step"),
        ("explain", "What becomes"),
        ("outcome", "Who decided what"),
    ],
)
def test_each_command_says_what_it_does(command: str, words: str) -> None:
    shown = run(command, "--help").stdout
    assert words in shown
    assert "fp8check worth MODEL" not in shown


def test_json_follows_the_contract(example: list[str]) -> None:
    report = json.loads(run(*example, "--format", "json").stdout)
    assert report["schema"] == "fp8check/report/1"
    assert report["verdict"] == "fail"
    assert [file["kind"] for file in report["files"]] == ["training", "accelerate"]
    outcome = report["outcome"]
    assert (outcome["mixed_precision"], outcome["backend"], outcome["fp8_enabled"]) == ("bf16", "TE", False)
    assert outcome["recipe"]["fp8_format"] == "HYBRID"
    assert {"rule", "name", "severity", "message", "file", "line", "column", "fingerprint"} <= set(
        report["findings"][0]
    )
    assert any(entry["overrode"] for entry in outcome["trace"])


def test_formats_may_be_repeated(example: list[str], tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    done = run(*example, "--format", "text", "--format", f"json={target}")
    assert done.stdout.startswith("FP")
    assert json.loads(target.read_text())["verdict"] == "fail"


@pytest.mark.parametrize(("option", "code"), [("error", 1), ("warning", 1), ("never", 0)])
def test_fail_on(example: list[str], option: str, code: int) -> None:
    assert run(*example, "--fail-on", option).returncode == code


def test_undecided_has_its_own_exit_code(tmp_path: Path) -> None:
    (tmp_path / "accel.yaml").write_text(ACCELERATE)
    assert run("accel.yaml", "--no-environment", cwd=tmp_path).returncode == 0
    done = run("accel.yaml", "--no-environment", "--require-evidence", cwd=tmp_path)
    assert done.returncode == 3
    assert "not decided" in done.stdout


def test_standard_input() -> None:
    done = run(
        "-", "--no-environment", stdin=b'distributed_type: "NO"\nmixed_precision: fp8\nfp8_config: {backend: te}\n'
    )
    assert done.returncode == 1
    assert "-:3:14" in done.stdout


def test_select_and_ignore(example: list[str]) -> None:
    only = json.loads(run(*example, "--select", "FP108", "--format", "json").stdout)
    assert [one["rule"] for one in only["findings"]] == ["FP108"]
    without = json.loads(run(*example, "--ignore", "FP1", "--format", "json").stdout)
    assert not [one for one in without["findings"] if one["rule"].startswith("FP1")]


def test_an_unknown_rule_is_a_usage_error(example: list[str]) -> None:
    done = run(*example, "--select", "FP998")
    assert (done.returncode, done.stdout) == (2, "")
    assert "FP998" in done.stderr


HOSTILE = {
    "missing": None,
    "empty": b"",
    "only a comment": b"# nothing\n",
    "binary": bytes(range(256)) * 8,
    "NUL": b"mixed_precision: fp8\0\n",
    "not UTF-8": b"mixed_precision: \xff\xfe\n",
    "broken": b"mixed_precision: [fp8\n",
    "tab": b"fp8_config:\n\tbackend: TE\n",
    "deep": b"a: " + b"[" * 5000 + b"]" * 5000 + b"\n",
    "deep block": b"".join(b" " * depth + b"a:\n" for depth in range(900)),
    "alias bomb": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(12)),
    "python object": b"mixed_precision: !!python/object/apply:os.system ['true']\n",
    "huge": b"mixed_precision: fp8\n" + b"# filler filler filler filler\n" * 80_000,
    "wrong kind": b"services:\n  web:\n    image: nginx\n",
    "a list": b"- 1\n- 2\n",
    "broken JSON": b'{"mixed_precision": }',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_gets_one_clear_message(name: str, tmp_path: Path) -> None:
    content = HOSTILE[name]
    path = tmp_path / ("config.json" if "JSON" in name else "config.yaml")
    if content is not None:
        path.write_bytes(content)
    done = run(path.name, "--no-environment", cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith(f"fp8check: {path.name}")
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    if name not in ("missing", "huge"):
        place = done.stderr.split(": ")[1].split(":")
        assert len(place) == 3, f"no line and column in {done.stderr}"


def test_a_folder_and_a_device_are_refused(tmp_path: Path) -> None:
    for path in (str(tmp_path), "/dev/zero"):
        done = run(path, "--no-environment")
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_two_accelerate_files_are_a_usage_error(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(ACCELERATE)
    done = run("a.yaml", "b.yaml", "--no-environment", cwd=tmp_path)
    assert done.returncode == 2
    assert "a.yaml" in done.stderr
    assert "b.yaml" in done.stderr


def test_a_default_config_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "accelerate"
    folder.mkdir(parents=True)
    (folder / "default_config.yaml").write_text(ACCELERATE.replace("TE", "te"))
    (tmp_path / "train.yaml").write_text("output_dir: out\nper_device_train_batch_size: 1\n")
    done = run("train.yaml", "--launch", "accelerate launch train.py", cwd=tmp_path, HF_HOME=str(tmp_path / "home"))
    assert "FP201" in done.stdout


def test_a_deepspeed_file_is_found_beside_the_one_that_names_it(tmp_path: Path) -> None:
    folder = tmp_path / "configs"
    folder.mkdir()
    (folder / "ds.json").write_text('{"bf16": {"enabled": true}, "zero_optimization": {"stage": 2}}')
    (folder / "train.yaml").write_text(
        "output_dir: out\nper_device_train_batch_size: 1\nbf16: false\ndeepspeed: ds.json\n"
    )
    report = json.loads(
        run(
            "configs/train.yaml", "--no-environment", "--trainer", "transformers", "--format", "json", cwd=tmp_path
        ).stdout
    )
    assert [file["kind"] for file in report["files"]] == ["training", "deepspeed"]
    assert report["outcome"]["error"]["type"] == "ValueError"


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "accel.yaml").write_text('distributed_type: "NO"\nmixed_precision: "\\e[31mfp9"\n')
    done = run("accel.yaml", "--no-environment", cwd=tmp_path)
    assert "\x1b" not in done.stdout


def test_rule_and_rules() -> None:
    assert "Why it hurts" in run("rule", "FP101").stdout
    assert "Evidence" in run("rule", "precision-flag-cancels-fp8").stdout
    assert run("rule", "FP998").returncode == 2
    listed = json.loads(run("rules", "--format", "json").stdout)
    assert len(listed) >= 25
    assert all(one["evidence"] and one["summary"] for one in listed)


def test_a_rule_without_explanations(tmp_path: Path) -> None:
    done = run("rule", "FP101", cwd=tmp_path, PYTHONOPTIMIZE="2")
    assert "Python -OO has no explanations; see https://fp8check.readthedocs.io/rules/FP101\n" in done.stdout


def test_env_prints_facts_that_can_be_loaded(tmp_path: Path) -> None:
    done = run("env", "--json", HF_TOKEN="hf_canarycanarycanarycanary", ACCELERATE_FP8_BACKEND="TE")
    assert "canary" not in done.stdout
    facts = json.loads(done.stdout)
    trains = any(facts["packages"].get(name) for name in ("torch", "accelerate"))
    assert ("neither torch nor accelerate is installed here: nothing trains with these facts" in done.stderr) != trains
    assert facts["schema"] == "fp8check/facts/1"
    assert facts["variables"]["ACCELERATE_FP8_BACKEND"] == "TE"
    (tmp_path / "facts.json").write_text(done.stdout)
    (tmp_path / "accel.yaml").write_text(ACCELERATE)
    assert run("accel.yaml", "--facts", "facts.json", cwd=tmp_path).returncode in (0, 1)


def test_outcome_prints_who_overrode_whom(example: list[str]) -> None:
    text = run("outcome", *example).stdout
    assert "ACCELERATE_MIXED_PRECISION" in text
    assert "over fp8" in text


def test_the_static_path_imports_nothing_heavy() -> None:
    program = (
        "import sys; from fp8check.cli.main import main; code = main(sys.argv[1:]);"
        "slow = {'torch', 'pydantic', 'rich', 'fastapi', 'importlib.metadata', 'dataclasses', 'inspect', 'typing'};"
        "heavy = slow & set(sys.modules);"
        "print('HEAVY', sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(EXAMPLE / "train.yaml"), str(EXAMPLE / "accelerate.yaml")],
        capture_output=True,
        text=True,
        check=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")},  # it imports these
    )
    assert done.stdout.splitlines()[-1] == "HEAVY []"
