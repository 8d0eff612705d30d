"""Training scripts that the launch command names: read where they lie, never run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.catalog import RULES
from fp8check.rules.checking.examining import examine
from fp8check.rules.checking.runs import assemble
from fp8check.rules.facts import Facts
from fp8check.rules.reading.kind import Kind
from fp8check.rules.trainers.commands import parse
from fp8check.rules.trainers.detect import read

if TYPE_CHECKING:
    from pathlib import Path

    from fp8check.rules.checking.runs import Assembled

ACCELERATE = b"distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n"
SCRIPT = "open('was-run', 'w')\nAccelerator(mixed_precision='bf16')\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: str, *, name: str = "accel.yaml", trainer: str | None = None, follow: bool = True) -> Assembled:
    (one,) = assemble([read(name, ACCELERATE)], Facts(), launch=parse(command), trainer=trainer, follow=follow)
    return one


def test_a_script_at_hand_is_read_and_not_run(folder: Path) -> None:
    (folder / "train.py").write_text(SCRIPT)
    one = run("accelerate launch --config_file accel.yaml train.py")
    assert one.run.script.mixed_precision is not None
    assert one.run.script.mixed_precision.value == "bf16"
    assert [(document.path, document.kind) for document in one.documents][-1] == ("train.py", "script")
    assert not (folder / "was-run").exists()
    (again,) = assemble(one.documents, Facts(), launch=one.run.launch)
    assert [document.path for document in again.documents] == ["accel.yaml", "train.py"]
    report = examine(one.run, one.documents, [rule for rule in RULES if rule.id == "FP118"])
    assert [str(found.span) for found in report.findings] == ["train.py:2:13"]


@pytest.mark.parametrize(
    ("command", "text", "trainer", "follow"),
    [
        ("accelerate launch train.py", SCRIPT, None, False),
        ("accelerate launch other.py", SCRIPT, None, True),
        ("accelerate launch -m other", SCRIPT, None, True),
        ("accelerate launch", SCRIPT, None, True),
        ("accelerate launch train.py", "def", None, True),
        ("accelerate launch train.py", "\ud800", None, True),
    ],
)
def test_scripts_that_are_not_read(folder: Path, command: str, text: str, trainer: str | None, follow: bool) -> None:
    (folder / "train.py").write_bytes(text.encode("utf-8", "surrogatepass"))
    one = run(command, trainer=trainer, follow=follow)
    assert one.run.script.source is None
    assert [document.kind for document in one.documents] == ["accelerate"]
    assert [file.input for file in one.run.unread] == ["script"] * (one.run.launch.script is not None)


def test_of_a_script_beside_the_trainer_nothing_is_taken(folder: Path) -> None:
    (folder / "train.py").write_text(SCRIPT)
    one = run("accelerate launch train.py", trainer="transformers")
    assert one.run.script.source is None
    assert [document.kind for document in one.documents] == ["accelerate", "script"]


@pytest.mark.parametrize(
    ("name", "command", "found"),
    [
        ("accel.yaml", "accelerate launch train.py", 1),
        ("cache/default_config.yaml", "accelerate launch train.py", 0),
        ("default_config.json", "accelerate launch train.py", 1),
        ("default_config.yaml", "accelerate launch --config_file other.yaml train.py", 1),
        ("conf/accel.yaml", "accelerate launch --config_file accel.yaml train.py", 0),
        ("-", "accelerate launch train.py", 0),
    ],
)
def test_the_file_that_the_launch_reads(name: str, command: str, found: int) -> None:
    document = read(name if not name.endswith(".json") else "x.yaml", ACCELERATE)
    document.path = name
    (one,) = assemble([document], Facts(), launch=parse(command))
    report = examine(one.run, one.documents, [rule for rule in RULES if rule.id == "FP308"])
    assert len(report.findings) == found


def test_variables_before_the_launch_command_count() -> None:
    facts = Facts(variables={"HF_HOME": "here"})
    launch = parse("ACCELERATE_FP8_BACKEND=TE python train.py")
    (one,) = assemble([read("accel.yaml", ACCELERATE)], facts, launch=launch)
    assert one.run.facts.variables == {"HF_HOME": "here", "ACCELERATE_FP8_BACKEND": "TE"}
    assert facts.variables == {"HF_HOME": "here"}


def test_trl_hands_on_flags_of_its_file() -> None:
    text = b"dataset_name: a/b\nmixed_precision: fp8\nnum_processes: 2\nmulti_gpu: true\nuse_fsdp: false\ndebug: true\n"
    training = read("train.yaml", text).as_kind(Kind("training", "trl"))
    command = "A=1 trl sft --config train.yaml --num_processes 4 --accelerate_config accel.yaml"
    (one,) = assemble([training, read("accel.yaml", ACCELERATE)], Facts(), launch=parse(command), trainer="trl")
    assert one.run.launch.flags == {
        "mixed_precision": "fp8",
        "num_processes": "4",
        "multi_gpu": True,
        "config_file": "accel.yaml",
    }
    assert one.run.launch.variables == {"A": "1"}


def test_the_accelerate_file_that_trl_s_file_names(folder: Path) -> None:
    (folder / "accel.yaml").write_bytes(ACCELERATE)
    training = read("train.yaml", b"dataset_name: a/b\noutput_dir: out\naccelerate_config: accel.yaml\n").as_kind(
        Kind("training", "trl")
    )
    (one,) = assemble([training], Facts(), launch=parse("trl sft --config train.yaml"), trainer="trl")
    assert one.run.accelerate is not None
    assert one.run.accelerate.path == "accel.yaml"
