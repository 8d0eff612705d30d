"""Plans for runs that start too many processes, too few, on the CPU, or without an Accelerate file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.checking.planning import plan_request
from fp8check.rules.checking.request import Request, RunRequest
from fp8check.rules.trainers.detect import read
from tests.support.runs import TODAY, facts_of

if TYPE_CHECKING:
    from pathlib import Path

HF = "output_dir: o\nbf16: false\n"
SINGLE = "distributed_type: 'NO'\nmixed_precision: fp8\nnum_processes: 1\nfp8_config:\n  backend: TE\n"
TWO = SINGLE.replace("'NO'", "MULTI_GPU").replace("num_processes: 1", "num_processes: 2")
SCRIPT = b"from accelerate import Accelerator\n\naccelerator = Accelerator()\n"
OWN = SCRIPT + b"model, optimizer = accelerator.prepare(model, optimizer)\n"


def steps(
    files: dict[str, str],
    launch: str | None = None,
    goal: str | None = "fp8",
    script: bytes = b"",
    **case: object,
) -> str:
    documents = tuple(read(name, text.encode()) for name, text in files.items())
    trainer = None if script else "transformers"
    given = ("train.py", script) if launch else None
    part = RunRequest(documents, facts_of(case), launch, trainer, follow=False, script=given)
    found = plan_request(Request((part,)), goal)  # type: ignore[arg-type]
    assert found.plans, found.why_not
    return "\n".join(f"{one.before} -> {one.after}" for one in found.plans[0].steps)


@pytest.mark.parametrize(
    ("accelerate", "launch", "case", "expected"),
    [
        (TWO, None, {"gpus": 1}, "num_processes: 2 -> num_processes: 1"),
        (SINGLE, None, {"gpus": 2, "host": "node"}, "num_processes: 1 -> num_processes: 2"),
        (SINGLE + "use_cpu: true\n", None, {}, "use_cpu: true -> use_cpu: false"),
        (SINGLE.replace("'NO'", "MULTI_CPU"), None, {}, "distributed_type: MULTI_CPU -> distributed_type: "),
        (
            SINGLE,
            "accelerate launch --cpu --config_file accel.yaml train.py train.yaml",
            {},
            "-> accelerate launch --config_file accel.yaml train.py train.yaml",
        ),
        (
            TWO,
            "accelerate launch --config_file accel.yaml --num_processes 2 train.py train.yaml",
            {"gpus": 1},
            "--num_processes 1 train.py",
        ),
        (
            TWO,
            "accelerate launch --config_file accel.yaml --num_processes=2 train.py train.yaml",
            {"gpus": 1},
            "--num_processes=1 train.py",
        ),
    ],
)
def test_processes_and_gpus(accelerate: str, launch: str | None, case: dict[str, object], expected: str) -> None:
    assert expected in steps({"train.yaml": HF, "accel.yaml": accelerate}, launch, **case)


IN_SCRIPT = 'None -> mixed_precision="bf16"'  # of Accelerator(), which counts whatever variable or flag there is


@pytest.mark.parametrize(
    ("launch", "goal", "expected"),
    [
        ("python train.py", "bf16", IN_SCRIPT),
        ("torchrun --nproc_per_node 1 train.py", "bf16", IN_SCRIPT),
        ("ACCELERATE_MIXED_PRECISION=fp16 python train.py", "bf16", IN_SCRIPT),
        ("accelerate launch train.py", "bf16", IN_SCRIPT),
        ("accelerate launch --mixed_precision fp16 train.py", "bf16", "--mixed_precision bf16 train.py"),
        ("torchrun --nproc_per_node 2 train.py", "bf16", "-> torchrun --nproc_per_node 1 train.py"),
    ],
)
def test_without_an_accelerate_file(launch: str, goal: str, expected: str) -> None:
    assert expected in steps({}, launch, goal, OWN)


def test_options_of_fp8_without_a_precision_mean_fp8() -> None:
    assert "mixed_precision: fp8" in steps(
        {"train.yaml": HF, "accel.yaml": SINGLE.replace(": fp8\n", ": null\n")}, goal=None
    )
    text = SINGLE.replace("mixed_precision: fp8", "mixed_precision: float8")
    assert "mixed_precision: fp8" in steps({"train.yaml": HF, "accel.yaml": text}, goal=None)


def test_transformer_engine_of_before_fits_to_accelerate() -> None:
    stack = {**TODAY, "accelerate": "1.11.0", "transformers": "5.6.0", "llamafactory": "0.9.5", "trl": "0.24.0"}
    stack |= {"transformer_engine": "2.9.0", "peft": "0.18.1", "torchao": "0.14.1", "torch": "2.8.0"}
    text = "model_name_or_path: a/b\nstage: sft\nfinetuning_type: full\nbf16: false\ndisable_gradient_checkpointing: true\n"
    documents = (read("train.yaml", text.encode()), read("accel.yaml", SINGLE.encode()))
    launch = "accelerate launch --config_file accel.yaml -m llamafactory.launcher train.yaml"
    part = RunRequest(documents, facts_of({"stack": stack}), launch, "llamafactory", follow=False)
    found = plan_request(Request((part,)), "fp8")
    assert [one.after for one in found.plans[0].steps] == ["transformer_engine==2.8.0"]


LOOP = """CONFIG=te.yaml
PRECISION=
while (( $# )); do
  case $1 in
    -c|--config) CONFIG="$2"; shift 2 ;;
    --bf16) PRECISION="--mixed_precision bf16"; shift ;;
    --precision) PRECISION="--mixed_precision $2"; shift 2 ;;
    *) shift ;;
  esac
done
accelerate launch --config_file $CONFIG $PRECISION train.py
"""


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("bash run.sh --bf16", "bash run.sh"),
        ("./run.sh --other -c te.yaml --bf16", "./run.sh --other -c te.yaml"),
        ("bash run.sh --precision bf16 --other", "bash run.sh --other"),
        ("bash run.sh --bf16 te.yaml", "bash run.sh te.yaml"),
        ("nohup bash run.sh --bf16 > 'a log' 2>&1", "nohup bash run.sh > 'a log' 2>&1"),
        ("bash -lc 'bash run.sh --bf16'", "bash -lc 'bash run.sh'"),
    ],
)
def test_a_word_that_a_shell_script_makes_a_precision_of_goes(
    command: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run.sh").write_text(LOOP)
    (tmp_path / "te.yaml").write_text(SINGLE)
    (tmp_path / "train.py").write_bytes(OWN)
    monkeypatch.chdir(tmp_path)
    found = plan_request(Request((RunRequest((), facts_of({}), command),)), "fp8")
    assert found.plans, found.why_not
    first = found.plans[0]
    assert [(one.kind, one.before, one.after) for one in first.steps] == [("launch", command, expected)]
    assert first.launch == expected
    assert found.given[0].outcome.trains_in_fp8 is False


@pytest.mark.parametrize("option", ["--processes 1", "--mixed_precision=fp8", "--switch"])
def test_an_option_that_torchrun_may_not_have_goes(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "train.py").write_bytes(OWN)
    monkeypatch.chdir(tmp_path)
    found = plan_request(Request((RunRequest((), facts_of({}), f"torchrun {option} train.py"),)), "fp8")
    assert found.plans, found.why_not
    assert found.plans[0].launch == "accelerate launch --config_file accel.yaml train.py"


@pytest.mark.parametrize("value", ["two", "''", '""', "'two steps'"])
def test_a_variable_in_front_goes_however_it_is_quoted(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "te.yaml").write_text(SINGLE)
    (tmp_path / "train.py").write_bytes(OWN)
    monkeypatch.chdir(tmp_path)
    command = "accelerate launch --config_file te.yaml train.py"
    part = RunRequest((), facts_of({}), f"ACCELERATE_GRADIENT_ACCUMULATION_STEPS={value} {command}")
    found = plan_request(Request((part,)), "fp8")
    assert found.plans, found.why_not
    assert found.plans[0].launch == command


def test_the_words_that_are_tried_are_bounded() -> None:
    part = RunRequest(
        (), facts_of({}), "torchrun " + " ".join(f"--own{number} 1" for number in range(100)) + " train.py"
    )
    found = plan_request(Request((part,)), "fp8")
    assert not found.plans
    assert "torchrun has a flag that is not known here: --own0" in found.why_not[0]
