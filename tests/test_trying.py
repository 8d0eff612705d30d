"""`fp8check explain`: nothing is called without effect that was not tried, in YAML, JSON, scripts and shell scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.cli.main import main
from fp8check.rules.checking import trying
from fp8check.rules.checking.request import Checked, Request, RunRequest, check_request
from fp8check.rules.input_error import InputError
from fp8check.rules.reading import Document
from fp8check.rules.report.line import Tries
from fp8check.rules.trainers.detect import read
from tests.support.runs import facts_of
from tests.tools import flips

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Explain = Callable[..., str]

TRAIN = """model_name_or_path: Qwen/Qwen2.5-7B
bf16: false
gradient_checkpointing: false
output_dir: out
# a comment
liger_kernel_config:
  a: 1.0e-3
dataloader_num_workers: 4
hub_token: hf_abcdefghijklmnopqrstuvwxyz012345
logging_dir:
"""
ACCEL = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend: TE\nmachine_rank: '0'\n"


@pytest.fixture
def explain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Explain:
    monkeypatch.chdir(tmp_path)

    def run(line: int, *, train: str = TRAIN, accel: str = ACCEL, path: str = "train.yaml") -> str:
        (tmp_path / "train.yaml").write_text(train)
        (tmp_path / "accel.yaml").write_text(accel)
        files = [one for one in ("train.yaml", "accel.yaml") if one != path and not path.endswith((".py", ".sh"))]
        code = main(["explain", f"{path}:{line}", *files, "--no-environment"])
        assert code == 0
        return capsys.readouterr().out

    return run


def test_lines_that_journeys_were_misled_about(explain: Explain) -> None:
    assert "decides bf16: False" in explain(2)
    assert "matters: gradient_checkpointing: true -> FP" in explain(3)


def test_a_model_matters(explain: Explain) -> None:
    assert "matters: model_name_or_path: openai-community/gpt2 -> FP408" in explain(1)


def test_what_changes_nothing_says_what_was_tried(explain: Explain) -> None:
    assert explain(4).endswith("changes nothing here; tried: output_dir: another text, without output_dir\n")
    assert "no setting stands on this line" in explain(5)
    assert "changes nothing here; tried: without liger_kernel_config" in explain(6)
    assert "tried: a: 0.002, a: 0.0005, without a" in explain(7)
    assert "dataloader_num_workers: 8, dataloader_num_workers: 5" in explain(8)
    assert "logging_dir: true, logging_dir: false, logging_dir: 1, logging_dir: another text" in explain(10)


def test_a_number_that_is_text_and_a_secret(explain: Explain) -> None:
    assert "machine_rank: 1" in explain(5, path="accel.yaml")
    assert "abcdefghijklm" not in explain(9)


def test_a_line_that_continues_another(explain: Explain) -> None:
    train = TRAIN + "label_names: [labels,\n  more]\nlist:\n- one\n- two\n"
    assert "tried: without label_names, another text" in explain(11, train=train)
    assert explain(12, train=train).endswith("changes nothing here; tried: another text\n")
    assert "another text" in explain(14, train=train)
    folded = TRAIN + 'run_name: "a\n\n  b"\n'
    assert "run_name" in explain(12, train=folded)


def test_what_is_shared_cannot_be_tried(explain: Explain) -> None:
    train = TRAIN + "base: &base\n  x: 1\ncopy: *base\n"
    assert "not known: it cannot be changed by itself" in explain(12, train=train)


def test_what_is_distributed_another_way_matters(explain: Explain) -> None:
    train = "output_dir: out\ndeepspeed: ds.json\n"
    assert "matters: " in explain(2, train=train, accel="distributed_type: 'NO'\nmixed_precision: 'no'\n")


def test_a_script(explain: Explain, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import torch\nfrom accelerate import Accelerator\n"
        "accelerator = Accelerator(\n    mixed_precision='fp8',\n    gradient_accumulation_steps=4,\n)\n"
        "model, optimizer = accelerator.prepare(torch.nn.Linear(8, 8), None)\nname = input()\n"
    )
    assert "decides" in explain(4, path="train.py")
    assert "gradient_accumulation_steps=8" in explain(5, path="train.py")
    assert "no setting stands on this line" in explain(1, path="train.py")
    (tmp_path / "train.py").write_text("from accelerate import Accelerator\na = Accelerator(mixed_precision='fp8'\n")
    assert "no run that can be read here has this file" in explain(1, path="train.py")


def test_a_shell_script(explain: Explain, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("from accelerate import Accelerator\nAccelerator()\n")
    (tmp_path / "run.sh").write_text(
        "export NVTE_DEBUG=1\nX=2\naccelerate launch --mixed_precision fp8 \\\n"
        "  --num_machines=1 \\\n  --machine_rank $X \\\n  --quiet \\\n  --main_process_port '29500' \\\n  train.py\n"
    )
    assert "NVTE_DEBUG=2" in explain(1, path="run.sh")
    assert "--num_machines=another text -> FP319" in explain(4, path="run.sh")
    assert "without --machine_rank" in explain(5, path="run.sh")
    assert "without --quiet" in explain(6, path="run.sh")
    assert "without --main_process_port" in explain(7, path="run.sh")


def test_a_run_that_is_too_large_is_not_tried(explain: Explain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "LONGEST", 10)
    assert "not known: the run is too large to try it" in explain(4)


def test_what_was_not_tried_to_the_end_is_not_called_without_effect(
    explain: Explain, monkeypatch: pytest.MonkeyPatch
) -> None:
    why = "not known: 1 other values of it change nothing, and more were not tried"
    monkeypatch.setattr(trying, "MOST", 1)
    assert explain(4).endswith(f"{why}\n")
    monkeypatch.setattr(trying, "MOST", 40)
    monkeypatch.setattr(trying, "MOST_COST", 1)
    assert explain(4).endswith(f"{why}\n")


def test_a_list_of_many_on_one_line_is_not_called_without_effect(explain: Explain) -> None:
    told = explain(11, train=f"{TRAIN}x: [{', '.join(map(str, range(30)))}]\n")
    assert "other values of it change nothing, and more were not tried" in told


def test_what_is_gone_what_no_run_is_left_of_and_odd_values(explain: Explain, monkeypatch: pytest.MonkeyPatch) -> None:
    train = TRAIN.replace("output_dir: out", "learning_rate: 1e-6") + "day: 2024-01-01\nother: Msamp\nnum_beams: two\n"
    assert "FP908 is not found any more" in explain(4, train=train)
    assert "tried: without day" in explain(11, train=train)
    assert "other: TE, other: MSAMP" in explain(12, train=train)
    assert "num_beams: another text, num_beams: 2" in explain(13, train=train)

    asked = []

    def refuse(request: Request) -> Checked:
        asked.append(request)
        if len(asked) > 1:
            raise InputError("nothing is left")
        return check_request(request)

    monkeypatch.setattr(trying, "check_request", refuse)
    assert "matters: output_dir: another text -> the files make no run any more: nothing is left" in explain(4)


def test_what_a_run_that_ends_would_have_been_is_compared_too() -> None:
    starts = dict(flips.starts("catalog"))
    names = ("FP317 fsdp and deepspeed", "FP309 text for a number")
    every = [line for name in names for line in flips.flipped((name, starts[name]))]
    assert every
    assert not [one for one in every if one.is_wrong]


def test_a_line_of_many_runs_is_judged_once_for_all(
    explain: Explain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "train.py").write_text("from accelerate import Accelerator\nAccelerator()\n")
    (tmp_path / "run.sh").write_text("export NVTE_DEBUG=1\n" + 4 * "accelerate launch --mixed_precision fp8 train.py\n")
    judged: list[Request] = []
    check = trying.check_request

    def judge(request: Request) -> object:
        judged.append(request)
        return check(request)

    monkeypatch.setattr(trying, "check_request", judge)
    told = explain(1, path="run.sh")
    assert told.count("NVTE_DEBUG=2") == 4
    assert len(judged) == len({one.runs[0].documents[0].text for one in judged})


def test_a_script_that_cannot_be_edited() -> None:
    request = Request((RunRequest((read("train.yaml", TRAIN.encode()),), facts_of({}), None, "transformers"),))
    reports = check_request(request).reports
    broken = Document("t.py", "a = (\n", "python", None, loader="python")
    assert trying.Trials(request).of(0, broken, 1) == Tries(())
    shared = Document("t.py", "a = 1; b = int(x=1)\n", "python", None, loader="python")
    tries = [one.tried for one in trying.Trials(request).of(0, shared, 1).effects]
    assert "a=2" in tries
    assert "without a" not in tries
    shell = Document("run.sh", "x\n", "shell", None, loader="shell")
    assert trying.Trials(request).of(0, shell, 1) == Tries(())
    assert not trying.sets(reports[0], shell, 1)


@pytest.mark.parametrize(
    ("of", "one_of", "least"),
    [
        ("catalog", 132, 10),
        ("conformance", 600, 10),
        pytest.param("catalog", 33, 40, marks=pytest.mark.slow),
        pytest.param("conformance", 150, 40, marks=pytest.mark.slow),
    ],
)
def test_lines_without_effect_have_none_and_those_that_decide_have_one(of: str, one_of: int, least: int) -> None:
    every = [*flips.every(of, one_of)]
    assert [one for one in every if one.is_wrong] == []
    assert sum(one.flips for one in every if one.claim == "nothing") > least
    decides = [one for one in every if one.claim == "decides"]
    assert sum(bool(one.changing) for one in decides) > 0.7 * len(decides)
