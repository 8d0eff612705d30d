"""Shell scripts and commands behind `--`: each line that starts a training is a run, with its place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fp8check.cli.main import main
from fp8check.rules.checking.request import Request, RunRequest, runs_of
from fp8check.rules.checking.runs import WrongFiles
from fp8check.rules.checking.shell import MAX_LAUNCHES, MAX_PROGRAMS, Given, assembled
from fp8check.rules.facts import Facts, saved
from fp8check.rules.reading.shell_syntax import read
from fp8check.rules.reading.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ACCELERATE = (
    "compute_environment: LOCAL_MACHINE\ndistributed_type: 'NO'\nmixed_precision: fp8\nnum_processes: 1\n"
    "fp8_config:\n  backend: TE\n  fp8_format: HYBRID\n"
)
TRAINS = "from accelerate import Accelerator\naccelerator = Accelerator()\nmodel, optimizer = accelerator.prepare(model, optimizer)\n"


LOOP = "import torch\nfor batch in batches:\n    model(batch).loss.backward()\n    optimizer.step()\n"
PROGRAMS = {
    "loop.py": LOOP,
    "eval_loop.py": LOOP,
    "plain.py": "import torch\nprint(torch.load('x'))\n",
    "sft_plain.py": "import torch\nprint(torch.load('x'))\n",
    "package.py": "import unknown_package\nunknown_package.main()\n",
    "sft_package.py": "import unknown_package\nunknown_package.main()\n",
    "with_module.py": "from beside_them import go\ngo()\n",
    "main.py": "from beside_them import go\ngo()\n",
    "eval_with_module.py": "from beside_them import go\ngo()\n",
    "interactive_with_module.py": "from beside_them import go\ngo()\n",
    "beside_them.py": f"def go():\n    {LOOP.splitlines()[2].strip()}\n",
    "app.py": "import uvicorn\nfrom fastapi import FastAPI\nfrom beside_them import go\nuvicorn.run(FastAPI())\n",
    "sweeper.py": "import asyncio\nasyncio.run(run_sweeper_loop())\n",
    "diffusion.py": "from tools import TrainLoop\nTrainLoop(model).run_loop()\n",
    "accelerator.py": "from accelerate import Accelerator\nmodel = Accelerator().prepare(model)\n",
    "backend.py": "from accelerate import Accelerator\nAccelerator().prepare(model).generate('dpo')\n",
    "submit_dpo_job.py": "import unknown_package\nunknown_package.main()\n",
    "broken.py": "def (:\n",
    "bench_step.py": LOOP,
    "test_loop.py": LOOP,
    "echo.py": "from trl import GRPOTrainer\nGRPOTrainer('a/b', reward_funcs=[]).train()\n",
    "transcribe.py": (
        "from transformers import HfArgumentParser, TrainingArguments\n"
        "HfArgumentParser(TrainingArguments).parse_args_into_dataclasses()\n"
    ),
    "gradients.py": "import torch\nout = layer(torch.ones(2))\nout.backward(out)\n",
    "train_words.py": "import fasttext\nfasttext.train_supervised(input='x')\n",
    "train_trees.py": "import logging\nfrom trees import workflow\nworkflow().fit()\n",
    "trees.py": "import dask\nimport xgboost\ndef workflow():\n    return xgboost.XGBClassifier()\n",
    "convert_to_neox.py": "import deepspeed\ndeepspeed.initialize(args)\n",
    "video.py": "from unknown_package import WanPipeline\nWanPipeline()('a cat').save()\n",
    "hidden_loop.py": "from unknown_package import Trainable\nTrainable().decode()\n",
    "equivalence_of_pretrained.py": "import torch\nimport unknown_package\nunknown_package.compare()\n",
    "glue.py": f"{LOOP}if training_args.do_train:\n    trainer.train()\n",
    "qlora.py": f"do_train: bool = field(default=True)\n{LOOP}if args.do_train:\n    trainer.train()\n",
    "tool/cli.py": "from beside_them import go\ngo()\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("conf", "jobs"):
        (tmp_path / name).mkdir()
    (tmp_path / "conf/accel.yaml").write_text(ACCELERATE)
    (tmp_path / "train.py").write_text(TRAINS)
    return tmp_path


@pytest.fixture
def check(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[dict[str, Any]]]:
    """The reports of a script with this text, or of these words; and what the command exits with."""

    def run(text: str | None, *words: str, code: int = 0, path: str = "jobs/run.sh") -> list[dict[str, Any]]:
        if text is not None:
            (folder / path).write_text(text)
        given = () if text is None else (path,)
        assert main(["--no-environment", "--format", "json", *given, *words]) == code
        out = capsys.readouterr().out
        reports = json.loads(out) if out else []
        return reports if isinstance(reports, list) else [reports]

    return run


def places(reports: list[dict[str, Any]]) -> list[str]:
    """The launch line of each run."""
    return [f"{one['launch']['line']}:{one['launch']['column']} {one['launch']['command']}" for one in reports]


def test_each_launch_line_is_a_run(check: Callable[..., list[dict[str, Any]]]) -> None:
    text = (
        "#!/bin/bash\npip install accelerate\nP=fp8\n"
        "accelerate launch --config_file conf/accel.yaml --mixed_precision $P train.py\n"
        "  accelerate launch --config_file conf/accel.yaml train.py --name 'a b'\necho accelerate launch\n"
    )
    reports = check(text)
    assert places(reports) == [
        "4:1 accelerate launch --config_file conf/accel.yaml --mixed_precision fp8 train.py",
        "5:3 accelerate launch --config_file conf/accel.yaml train.py --name 'a b'",
    ]
    assert [one["outcome"]["mixed_precision"] for one in reports] == ["fp8", "fp8"]
    assert reports[0]["launch"]["launcher"] == "accelerate"
    assert "undecided" not in reports[0]["launch"]
    files = [(one["path"], one["kind"]) for one in reports[0]["files"]]
    assert files == [("jobs/run.sh", "shell"), ("conf/accel.yaml", "accelerate"), ("train.py", "script")]
    (precision,) = [one for one in reports[0]["outcome"]["trace"] if one["setting"] == "mixed_precision"]
    assert (precision["origin"]["file"], precision["origin"]["line"]) == ("jobs/run.sh", 3)
    assert precision["origin"]["flag"] == "--mixed_precision fp8"
    assert precision["overrode"][0]["origin"]["file"] == "conf/accel.yaml"


def test_placeholders_of_a_template_are_one_word(check: Callable[..., list[dict[str, Any]]]) -> None:
    (report,) = check("torchrun --nproc_per_node={{ number }} --nnodes {{nodes}} train.py --bf16 {{- kind -}}\n")
    assert report["launch"]["command"].endswith("--nnodes {{nodes}} train.py --bf16 '{{- kind -}}'")
    assert report["files"][-1]["path"] == "train.py"
    assert "undecided" not in report["launch"]


def test_autotuning_starts_a_program_that_is_known_with_files_that_are_not(
    check: Callable[..., list[dict[str, Any]]],
) -> None:
    (report,) = check("deepspeed --autotuning run train.py\n")
    assert report["files"][-1]["path"] == "train.py"
    assert "undecided" not in report["launch"]
    assert report["outcome"]["undecided"].startswith("the launch command: deepspeed --autotuning starts many runs")


def test_a_finding_points_to_the_word_of_the_line(check: Callable[..., list[dict[str, Any]]]) -> None:
    text = "accelerate launch --mixed_precision fp8 \\\n   --fp8_format E9 train.py\n"
    (report,) = check(text, code=1)
    errors = [one for one in report["findings"] if one["severity"] == "error"]
    assert [(one["file"], one["line"], one["column"], one["end_column"]) for one in errors] == [
        ("jobs/run.sh", 2, 4, 19)
    ]
    assert report["outcome"]["error"]["because"][0]["line"] == 2


def test_a_variable_of_the_script_is_the_run_s(check: Callable[..., list[dict[str, Any]]]) -> None:
    text = "export ACCELERATE_MIXED_PRECISION=bf16 NOT_OURS=1\nB=2\npython train.py\n"
    (report,) = check(text)
    assert report["outcome"]["mixed_precision"] == "bf16"
    (precision,) = [one for one in report["outcome"]["trace"] if one["setting"] == "mixed_precision"]
    assert (precision["origin"]["variable"], precision["origin"]["line"]) == ("ACCELERATE_MIXED_PRECISION", 1)
    assert report["facts"]["variables"] == {"ACCELERATE_MIXED_PRECISION": "bf16"}


def test_a_variable_that_the_script_takes_away(check: Callable[..., list[dict[str, Any]]]) -> None:
    (report,) = check(
        "unset ACCELERATE_MIXED_PRECISION\npython train.py\n", "--set-variable", "ACCELERATE_MIXED_PRECISION=bf16"
    )
    assert report["outcome"]["mixed_precision"] == "no"
    (report,) = check("unset B; python train.py\n")
    assert report["outcome"]["mixed_precision"] == "no"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("accelerate launch --config_file $C train.py", "${C}"),
        ("accelerate launch --mixed_precision $1 train.py", "${1} is filled in later"),
        (
            "accelerate launch train.py $ARGS",
            "what ${ARGS} stands for is not known (the script does not set it: line 1)",
        ),
        (
            "if x; then A=--x; fi; accelerate launch train.py $A",
            "what ${A} stands for is not known (line 1 sets it under a condition: line 1)",
        ),
        ('f() { accelerate launch "$@"; }', "${@}"),
        ("accelerate launch $ARGS train.py", "or what it starts (the script does not set it: line 1)"),
        ("cd $X; accelerate launch nowhere.py", "nowhere.py"),
    ],
)
def test_what_is_not_known_is_undecided(check: Callable[..., list[dict[str, Any]]], text: str, why: str) -> None:
    (report,) = check(text)
    assert report["verdict"] == "undecided"
    assert report["outcome"]["starts"] is None
    assert why in report["outcome"]["undecided"]


@pytest.mark.parametrize(
    "before",
    [
        "sed -i s/fp8/bf16/ conf/accel.yaml",
        "sed -E -i.bak s/fp8/bf16/ conf/accel.yaml",
        "yq -i '.mixed_precision = \"bf16\"' conf/accel.yaml",
        "cat > conf/accel.yaml <<EOF\nmixed_precision: bf16\nEOF",
        "envsubst < accel.template > conf/accel.yaml",
        "echo 'mixed_precision: bf16' | tee conf/accel.yaml",
        "cp bf16/accel.yaml conf/",
        "mv other.yaml conf/accel.yaml",
        "sudo -E sed -i s/fp8/bf16/ conf/accel.yaml",
        "bash -c 'set -e; sed -i s/fp8/bf16/ conf/accel.yaml'",
        "sudo sh -c \"echo 'a; b' > conf/accel.yaml\"",
        "aws s3 cp s3://bucket/accel.yaml conf/",
        "wget -O conf/accel.yaml https://example.com/accel.yaml",
        "cd conf\npython make.py > accel.yaml\ncd -",
        'if [ -n "$BF16" ]; then\n  sed -i s/fp8/bf16/ conf/accel.yaml\nfi',
    ],
)
def test_a_file_that_the_script_changes_first_is_not_known(
    check: Callable[..., list[dict[str, Any]]], before: str
) -> None:
    line = "accelerate launch --config_file conf/accel.yaml train.py\n"
    for text, known in ((line, True), (f"{before}\n{line}", False), (f"{line}{before}\n", True)):
        report = check(text)[0]
        assert report["requested"]["fp8"] is known
        if not known:
            assert report["outcome"]["undecided"].startswith("conf/accel.yaml: line ")
            assert report["outcome"]["undecided"].endswith(" of the script writes or changes it")


@pytest.mark.parametrize("name", ["train.py", "train.yaml"])
def test_a_program_or_a_training_file_that_the_script_changes_first(
    check: Callable[..., list[dict[str, Any]]], folder: Path, name: str
) -> None:
    (folder / "train.yaml").write_text("stage: sft\nmodel_name_or_path: a/b\noutput_dir: out\nbf16: true\n")
    program = "train.py" if name == "train.py" else "llamafactory-cli train train.yaml"
    program = f"accelerate launch {program}" if name == "train.py" else program
    (report,) = check(f"git pull\nsed -i s/a/b/ {name}\n{program}\n")
    assert report["outcome"]["undecided"] == f"{name}: line 2 of the script writes or changes it"


def test_a_log_is_no_file_of_the_run(check: Callable[..., list[dict[str, Any]]]) -> None:
    line = "accelerate launch --config_file conf/accel.yaml train.py"
    (report, again) = check(f"echo begins > run.log\n{line} >> run.log 2>&1\n{line} | tee -a run.log\n")
    assert report["outcome"]["undecided"] is None
    assert again["outcome"]["undecided"] is None


@pytest.mark.parametrize(
    "word", ["--config_file <(cat conf/accel.yaml)", "--config_file=<(sed s/a/b/ conf/accel.yaml | cat)"]
)
def test_a_stream_is_one_word_of_which_nothing_is_known(check: Callable[..., list[dict[str, Any]]], word: str) -> None:
    (report,) = check(f"accelerate launch {word} train.py --lr 1\n")
    assert report["outcome"]["undecided"].endswith("its name is filled in later")
    assert "findings" not in report or not [one for one in report["findings"] if one["severity"] == "error"]


@pytest.mark.parametrize(
    ("before", "who"),
    [
        ("source /opt/cluster/env.sh", "/opt/cluster/env.sh (read in line 1)"),
        ("export $(grep -v '^#' .env | xargs)", "$(grep -v '^#' .env | xargs) (exported in line 1)"),
        ('eval "$(make_environment)"', "eval in line 1"),
        ("source /opt/cluster/env.sh\nexport NVTE_DEBUG=1", "/opt/cluster/env.sh (read in line 1)"),
        ("source ~/.bashrc", ""),
        ('eval "$(conda shell.bash hook)"', ""),
        ("export A=$(date)", ""),
    ],
)
def test_variables_that_something_unread_may_set_are_not_known(
    folder: Path, capsys: pytest.CaptureFixture[str], before: str, who: str
) -> None:
    facts = Facts(source="file", packages={"accelerate": "1.11.0"}, variables={})
    (folder / "facts.json").write_text(saved.dump(facts))
    (folder / "job.sh").write_text(f"{before}\naccelerate launch --config_file conf/accel.yaml train.py\n")
    assert main(["--format", "json", "--facts", "facts.json", "job.sh"]) in (0, 1)
    report = json.loads(capsys.readouterr().out)
    needs = {one["needs"] for one in report["undecided"] if one["rule"] == "FP105"}
    assert needs == ({f"{who} may set any variable"} if who else set())


def test_arguments_that_are_passed_on_are_none(check: Callable[..., list[dict[str, Any]]]) -> None:
    (report,) = check('accelerate launch --config_file conf/accel.yaml train.py "$@"')
    assert report["outcome"]["mixed_precision"] == "fp8"
    assert report["outcome"]["undecided"] is None


@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/sh\necho hello\npip install torch\n",
        "python -c 'import torch'\npython - <<EOF\nimport torch\nEOF\n",
        "python prepare_data.py --x\npython -m venv .venv\n",
        "python other.py\n",
        "",
    ],
)
def test_a_script_that_starts_nothing(
    check: Callable[..., list[dict[str, Any]]], folder: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (folder / "other.py").write_text("import os\nprint(os.getcwd())\n")
    (folder / "jobs/run.sh").write_text(text)
    assert main(["--no-environment", "jobs/run.sh"]) == 2
    why = "no line of this script starts a training" if text else "the file is empty"
    assert f"jobs/run.sh:1:1: {why}" in capsys.readouterr().err
    (folder / "jobs/other.sh").write_text("accelerate launch --config_file conf/accel.yaml train.py\n")
    reports = check(None, "jobs/run.sh", "jobs/other.sh")
    assert [one["verdict"] for one in reports] == [reports[0]["verdict"], "undecided"]
    assert reports[1]["launch"]["undecided"].startswith("jobs/run.sh:1:1: no line")
    assert main(["--hook", "jobs/run.sh"]) == 0
    assert capsys.readouterr().out.strip() == ""


@pytest.mark.parametrize(
    ("line", "is_run"),
    [
        ("python train.py", True),
        ("python gone/finetune_lora.py", True),
        ("python gone.py --learning_rate 1", True),
        ("python gone.py --x", False),
        ("python eval_finetuned.py", False),
        ("python -m pkg.train", True),
        ("python -m pkg.serve", False),
        ("python", False),
        ("torchrun anything.py", True),
        ("torchrun -m gone.run_pa --max_output_length 256", False),
        ("torchrun -m gone.run_pa --max_output_length 256 --learning_rate 1e-5", True),
        ("python gone.py --total_epochs 5", True),
        ("torchrun eval/refcoco/run.py", False),
        ("torchrun evaluate.py --x", False),
        ("torchrun -m evaluation.eval_icl", False),
        ("torchrun loop.py", True),
        ("torchrun plain.py", False),
        ("torchrun package.py", True),
        ("deepspeed benchmarks/x.py", False),
        ("accelerate launch evaluate.py", False),
        ("accelerate launch --mixed_precision fp8 evaluate.py", True),
        ("accelerate launch --mixed_precision $P evaluate.py", False),
        ("accelerate launch --config_file conf/accel.yaml evaluate.py", True),
        ("accelerate launch plain.py", True),
        ("python loop.py", True),
        ("python app.py", False),
        ("python backend.py", False),
        ("python sweeper.py", False),
        ("python diffusion.py", True),
        ("python eval_loop.py", True),
        ("python plain.py --learning_rate 1", False),
        ("python sft_plain.py", False),
        ("python sft_package.py", True),
        ("python package.py", False),
        ("python with_module.py", False),
        ("python with_module.py --learning_rate 1", True),
        ("python main.py", True),
        ("python main.py eval --lr 1", False),
        ("python main.py train", True),
        ("python main.py config.yaml", True),
        ("torchrun with_module.py", True),
        ("python eval_with_module.py", False),
        ("python accelerator.py", True),
        ("python training/run.py", True),
        ("python submit_dpo_job.py", False),
        ("python submit_dpo_job.py conf/accel.yaml", False),
        ("python benchmarks/x.py --lr 1", False),
        ("python broken.py --lr 1", True),
        ("llamafactory-cli train x.yaml", True),
        ("python bench_step.py", False),
        ("torchrun bench_step.py", True),
        ("accelerate launch run_pseudo_labelling.py", False),
        ("python train_web.py", False),
        ("torchrun loop.py --eval_only True", False),
        ("torchrun loop.py --lr 1 --eval-only", False),
        ("torchrun loop.py --eval-only=false", True),
        ("torchrun loop.py --help", False),
        ("torchrun --no_python fast-llm prepare gpt", False),
        ("torchrun test_loop.py", False),
        ("python -m coverage run -m pytest tests", False),
        ("torchrun -m coverage run -m pytest tests", False),
        ("accelerate launch main.py --tasks x --do_sample True --temperature 0.2", False),
        ("accelerate launch main.py --do_sample True --learning_rate 1", True),
        ("deepspeed run_model.py --model x --gen-len 32", False),
        ("python with_module.py --beam 5 --lenpen 1.0 --fp16", False),
        ("python with_module.py --beam 5 --fp16 --lr 1", True),
        ("python interactive_with_module.py --fp16", False),
        ("srun --container-mount-home --container-mounts /a:/b python train.py", True),
        ("python mason.py --gpus 8 -- source env.sh && uv run python train.py", True),
        ("python mason.py --gpus 8 -- which python", False),
        ("python echo.py", True),
        ("python transcribe.py --model_name_or_path a/b", False),
        ("torchrun gradients.py", False),
        ("python train_words.py", False),
        ("python train_trees.py", False),
        ("torchrun glue.py --do_train False", False),
        ("torchrun glue.py --do_train=True --do_predict", True),
        ("torchrun glue.py --do_predict", False),
        ("torchrun glue.py --do_eval=no", True),
        ("torchrun qlora.py --do_eval", True),
        ("python -m pretrain --do_dataprocessing_only --lr 1", False),
        ("torchrun loop.py --train_head_only --lr 1", True),
        ("python convert_to_neox.py", False),
        ("python equivalence_of_pretrained.py", False),
        ("torchrun video.py", False),
        ("torchrun hidden_loop.py", True),
        ("accelerate launch --num_processes=4", True),
        ("python deepy.py train.py -d configs small.yml", True),
        ("python assert_finite_train_metrics.py --log x", False),
        ("deepspeed chatbot.py --model_name_or_path a/b", False),
        ("python -m train.sample out.json", False),
        ("python slurm_launcher.py --learning_rate 1", False),
        ("./in_env.sh python train.py", True),
        ("./in_env.sh python prepare.py", False),
        ("./in_env.sh ptython train.py", False),
        ("mpirun -n 2 -env A=1 -env B=2 python train.py", True),
        ("torchrun torchtitan/train.py --lr 1", True),
        ("python -m pretrain --account me --partition gpu", True),
    ],
)
def test_which_programs_are_trainings(
    check: Callable[..., list[dict[str, Any]]], folder: Path, line: str, is_run: bool
) -> None:
    (folder / "tool").mkdir()
    for name, text in PROGRAMS.items():
        (folder / name).write_text(text)
    reports = check(f"accelerate launch train.py\n{line}\n")
    assert len(reports) == (2 if is_run else 1)


@pytest.mark.parametrize(
    ("line", "is_sure"),
    [
        ("accelerate launch main.py --tasks mbpp", False),
        ("torchrun anything.py", False),
        ("torchrun anything.py --learning_rate 1", True),
        ("torchrun gone/finetune.py", True),
        ("torchrun loop.py", True),
        ("accelerate launch --mixed_precision fp8 main.py", True),
        ("trl sft --model_name_or_path a/b --dataset_name a/b --output_dir x", True),
        ("torchrun --no_python fast-llm train gpt", True),
        ("torchrun --no_python fast-llm gpt", False),
        ("torchrun mxfp8_layer.py", False),
        ("accelerate launch train_fp8.py", True),
        ("torchrun gone/training/main.py", True),
        ("torchrun gone/training/other.py", False),
        ("torchrun loop.py --eval --lr 1", False),
        ("torchrun loop.py --lr 1 --evaluate", False),
        ("torchrun loop.py --eval steps", True),
        ("python -m package.finetune.hn_mine --input_file x", False),
        ("python -m tool.cli --config x.yaml", False),
        ("python -m tool.cli train --config x.yaml", True),
        ("python -m tool.cli --lr 1", True),
    ],
)
def test_whether_a_script_that_is_not_here_trains_is_not_known(
    check: Callable[..., list[dict[str, Any]]], folder: Path, line: str, is_sure: bool
) -> None:
    (folder / "tool").mkdir()
    (folder / "tool/cli.py").write_text("from tool.steps import go\ngo()\n")
    (folder / "tool/steps.py").write_text(f"def go():\n    {LOOP.splitlines()[2].strip()}\n")
    (folder / "loop.py").write_text(LOOP)
    (report,) = check(f"{line}\n")
    assert ("whether it trains is not known" in str(report["outcome"])) is not is_sure


def test_of_a_script_that_was_sent_the_modules_are_not_read() -> None:
    script = read(Source("run.sh", "python sft_plain.py\npython plain.py\n"))
    sent = tuple((name, PROGRAMS[name].encode()) for name in ("sft_plain.py", "plain.py"))
    runs = list(assembled([script], Given(Facts(), follow=False, scripts=sent)))
    assert [one.run.launch.script for one in runs] == ["sft_plain.py"]


def test_files_are_found_from_here_and_from_the_script(
    check: Callable[..., list[dict[str, Any]]], folder: Path
) -> None:
    (folder / "jobs/own.yaml").write_text(ACCELERATE)
    (folder / "jobs/deep").mkdir()
    (folder / "jobs/deep/deeper.yaml").write_text(ACCELERATE)
    line = "accelerate launch --config_file {} ~/x.yaml /abs.yaml train.py\n"
    for name, there in (
        ("own.yaml", "jobs/own.yaml"),
        ("conf/accel.yaml", "conf/accel.yaml"),
        ("../conf/accel.yaml", "conf/accel.yaml"),
    ):
        (report,) = check(line.format(name).replace(" ~/x.yaml /abs.yaml", ""))
        assert there in [one["path"] for one in report["files"]]
    (report,) = check("cd jobs/deep\naccelerate launch --config_file=deeper.yaml ../../train.py --x ~/x.yaml /a.yaml\n")
    assert [one["path"] for one in report["files"]][1:] == ["jobs/deep/deeper.yaml", "train.py"]
    (report,) = check("cd deep\naccelerate launch --config_file deeper.yaml train.py\n")
    assert report["files"][1]["path"] == "jobs/deep/deeper.yaml"
    (report,) = check("cd nowhere\naccelerate launch --config_file own.yaml train.py\n")
    assert report["verdict"] == "undecided"
    (report,) = check("cd /nowhere\naccelerate launch --config_file own.yaml train.py\n")
    assert report["verdict"] == "undecided"
    (report,) = check(f"cd /nowhere/{folder.name}\naccelerate launch --config_file own.yaml train.py\n")  # a copy
    assert report["files"][1]["path"] == "jobs/own.yaml"
    (report,) = check('cd "$(dirname "$0")"\naccelerate launch --config_file own.yaml ../train.py\n')
    assert report["files"][1]["path"] == "jobs/own.yaml"


def test_files_are_found_between_here_and_the_script(check: Callable[..., list[dict[str, Any]]], folder: Path) -> None:
    (folder / "jobs/deep/er").mkdir(parents=True)
    (folder / "jobs/own.yaml").write_text(ACCELERATE)
    for path in ("jobs/deep/er/run.sh", str(folder / "jobs/deep/er/run.sh")):
        (report,) = check("accelerate launch --config_file own.yaml train.py\n", path=path)
        assert report["files"][1]["path"] == "jobs/own.yaml"


@pytest.mark.parametrize(
    ("before", "where"),
    [
        ('cd "$WORK"', "${WORK}/conf/accel.yaml"),
        ("cd $WORK/deep", "${WORK}/deep/conf/accel.yaml"),
        ("cd $WORK; cd ..", "${WORK}/../conf/accel.yaml"),
        ("cd", "~/conf/accel.yaml"),
        ("cd $(mktemp -d)", "$(mktemp -d)/conf/accel.yaml"),
        ("popd", "${OLDPWD}/conf/accel.yaml"),
        ("if x; then cd jobs; fi", "${PWD}/conf/accel.yaml"),
        ("for i in 1 2; do cd ..; done", "${PWD}/conf/accel.yaml"),
    ],
)
def test_in_a_folder_that_nobody_knows_no_file_is_read(
    check: Callable[..., list[dict[str, Any]]], before: str, where: str
) -> None:
    (report,) = check(f"{before}\naccelerate launch --config_file conf/accel.yaml train.py\n")
    assert report["verdict"] == "undecided"
    assert where in report["outcome"]["undecided"]
    assert len(report["files"]) == 1


def test_files_that_are_read_as_a_part_of_the_script(check: Callable[..., list[dict[str, Any]]], folder: Path) -> None:
    (folder / "jobs/env.sh").write_text("P=fp8\n")
    (folder / "jobs/binary.sh").write_bytes(b"a\0b")
    launch = "accelerate launch --config_file conf/accel.yaml --mixed_precision ${P:-bf16} train.py\n"
    for path in ("env.sh", "./env.sh", str(folder / "jobs/env.sh")):
        (report,) = check(f"source {path}\n{launch}")
        assert report["outcome"]["mixed_precision"] == "fp8"
    for path in ("gone.sh", "/gone.sh", "jobs", "binary.sh"):
        (report,) = check(f"source {path}\n{launch}")
        assert "${P:-bf16} is filled in later" in report["outcome"]["undecided"]


@pytest.mark.parametrize(
    "before",
    [
        "cd $SLURM_SUBMIT_DIR",
        "cd jobs; cd ..",
        "cd jobs; cd -",
        "pushd jobs; popd",
        "pushd jobs; pushd ..; popd; popd",
        "(cd $X)",
        "cd .",
        "cd $SLURM_SUBMIT_DIR; pushd $X; popd",
    ],
)
def test_folders_that_are_left_again(check: Callable[..., list[dict[str, Any]]], before: str) -> None:
    (report,) = check(f"{before}\naccelerate launch --config_file conf/accel.yaml train.py\n")
    assert report["files"][1]["path"].endswith("conf/accel.yaml")
    assert report["outcome"]["mixed_precision"] == "fp8"


def test_a_file_that_is_given_counts_in_a_folder_that_nobody_knows(
    check: Callable[..., list[dict[str, Any]]],
) -> None:
    (report,) = check(
        "cd $WORK\naccelerate launch --config_file accel.yaml train.py\n", "jobs/run.sh", "conf/accel.yaml"
    )
    assert report["outcome"]["mixed_precision"] == "fp8"


def test_a_script_of_this_folder(check: Callable[..., list[dict[str, Any]]]) -> None:
    (report,) = check("accelerate launch --config_file conf/accel.yaml train.py\n", path="run.sh")
    assert [one["path"] for one in report["files"]] == ["run.sh", "conf/accel.yaml", "train.py"]


def test_files_given_beside_the_script(check: Callable[..., list[dict[str, Any]]], folder: Path) -> None:
    (folder / "other.yaml").write_text(ACCELERATE)
    text = (
        "accelerate launch --config_file conf/accel.yaml train.py\n"
        "accelerate launch train.py\naccelerate launch --config_file=other.yaml train.py\n"
    )
    reports = check(text, "other.yaml")
    used = [[one["path"] for one in report["files"] if one["kind"] == "accelerate"] for report in reports]
    assert used == [["conf/accel.yaml"], [], ["other.yaml"]]
    reports = check(text.replace("=other.yaml", "=conf/accel.yaml"), "other.yaml", code=1)
    used = [[one["path"] for one in report["files"] if one["kind"] == "accelerate"] for report in reports]
    assert used == [["conf/accel.yaml"], ["other.yaml"], ["conf/accel.yaml"]]
    errors = [[one["rule"] for one in report["findings"] if one["severity"] == "error"] for report in reports]
    assert errors == [[], ["FP308"], []]  # the second line reads no file, whatever lies beside it
    reports = check("torchrun train.py\n" + text, "conf/accel.yaml", "train.py")
    used = [[one["path"] for one in report["files"]] for report in reports]
    assert used[0] == ["jobs/run.sh", "train.py"]
    (folder / "third.yaml").write_text(ACCELERATE)
    reports = check("accelerate launch train.py\n", "other.yaml", "third.yaml")
    assert "more than one Accelerate file" in reports[0]["outcome"]["undecided"]


def test_a_script_and_a_launch_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "run.sh").write_text("accelerate launch train.py")
    assert main(["run.sh", "--launch", "accelerate launch"]) == 2
    assert "a shell script has its own launch lines" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("./wrapper.sh torchrun train.py", "torchrun train.py"),
        ("./wrapper.sh deepspeed --num_gpus 2 train.py", "deepspeed --num_gpus"),
        ("./wrapper.sh /opt/bin/accelerate launch train.py", "accelerate launch"),
        ("./wrapper.sh axolotl train x.yaml", "axolotl train"),
        ("docker build -t deepspeed -f Dockerfile .", None),
        ("grep torchrun -r .", None),
        ("./wrapper.sh torchrun is here", None),
    ],
)
def test_a_launch_behind_a_program_of_which_nothing_is_known(
    check: Callable[..., list[dict[str, Any]]], line: str, named: str | None
) -> None:
    reports = check(f"accelerate launch train.py\n{line}\n")
    undecided = [one["launch"]["undecided"] for one in reports[1:]]
    assert [one.partition(";")[0] for one in undecided] == ([] if named is None else [f"it names {named}"])


def test_what_is_not_understood_is_undecided_at_its_line(check: Callable[..., list[dict[str, Any]]]) -> None:
    reports = check("accelerate launch train.py\ntorchrun --nproc_per_node\naccelerate launch 'x\n")
    assert [one["launch"]["line"] for one in reports] == [1, 2, 3]
    assert all(one["launch"]["undecided"] for one in reports[1:])
    assert "this quote is never closed: what stands behind it was not read" in reports[2]["launch"]["undecided"]
    assert [one["verdict"] for one in reports[1:]] == ["undecided", "undecided"]


def test_only_what_is_never_closed(check: Callable[..., list[dict[str, Any]]]) -> None:
    (report,) = check("echo 'x\n")
    assert report["verdict"] == "undecided"


def test_a_text_report_says_which_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "run.sh").write_text("accelerate launch --config_file conf/accel.yaml train.py --n " + "x" * 200 + "\n")
    assert main(["--no-environment", "run.sh"]) == 0
    first = capsys.readouterr().out.partition("\n")[0]
    assert first.startswith("run.sh:1:1  accelerate launch --config_file conf/accel.yaml train.py --n xxx")
    assert first.endswith("...")
    assert len(first) == 96
    assert main(["--no-environment", "-q", "run.sh", "--ignore", "FP6"]) == 0
    assert capsys.readouterr().out == ""


def test_suppressions_are_about_a_whole_command(check: Callable[..., list[dict[str, Any]]]) -> None:
    line = "accelerate launch --mixed_precision fp8 \\\n   --fp8_format E9 train.py"
    (before,) = check(line, code=1)
    rules = ", ".join(sorted({one["rule"] for one in before["findings"] if one["severity"] == "error"}))
    above = f"# fp8check: ignore[{rules}] known\n{line}\n"
    behind = f"{line}  # fp8check: ignore[{rules}] known\n"
    for text in (above, behind):
        (report,) = check(text)
        assert len(report["suppressed"]) == 1
    (report,) = check(f"echo '# fp8check: ignore[{rules}] known'\n{line}\n", code=1)
    assert report["suppressed"] == []
    (report,) = check(f"{line}\n# fp8check: ignore-file[{rules}] known\n# fp8check: ignore[{rules}] x\n")
    assert len(report["suppressed"]) == 1


def test_explain_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "run.sh").write_text(
        "P=bf16\necho x\naccelerate launch --mixed_precision $P \\\n   train.py\naccelerate launch train.py\n"
    )
    said = []
    for line in range(1, 6):
        assert main(["explain", f"run.sh:{line}", "--no-environment"]) == 0
        said.append(capsys.readouterr().out)
    assert "decides ACCELERATE_MIXED_PRECISION: bf16" in said[0]
    assert said[1] == "run.sh:2  no command that starts a training stands on this line\n"
    assert "matters: --mixed_precision no -> actual: no mixed precision, no layer in FP8" in said[2]
    assert "no setting stands on this line" in said[3]


def test_outcome_of_each_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "run.sh").write_text("accelerate launch --mixed_precision bf16 train.py\npython train.py\n")
    assert main(["outcome", "run.sh", "--no-environment"]) == 0
    out = capsys.readouterr().out
    assert "run.sh:1:1  accelerate launch" in out
    assert "run.sh:2:1  python train.py" in out
    assert "run.sh:1" in out.partition("mixed_precision  ")[2].partition("\n")[0]


def test_a_command_behind_two_dashes(check: Callable[..., list[dict[str, Any]]]) -> None:
    words = ("accelerate", "launch", "--config_file", "conf/accel.yaml")
    (report,) = check(None, "conf/accel.yaml", "--", *words, "train.py", "--probe", "a b")
    assert report["outcome"]["mixed_precision"] == "fp8"
    (same,) = check(None, "conf/accel.yaml", "--launch", f"{' '.join(words)} train.py --probe 'a b'")
    assert report == same
    (report,) = check(None, "conf/accel.yaml", "--")
    assert report["outcome"]["mixed_precision"] == "fp8"


@pytest.mark.usefixtures("folder")
def test_two_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conf/accel.yaml", "--launch", "accelerate", "--", "accelerate", "launch", "train.py"]) == 2
    assert "leave one out" in capsys.readouterr().err
    assert main(["fix", "--no-environment", "--", "accelerate", "launch", "train.py"]) == 2


FLAGS = "from transformers import HfArgumentParser, Trainer, TrainingArguments\nHfArgumentParser(TrainingArguments)\nTrainer().train()\n"


def test_a_flag_of_the_line_is_the_place_of_the_finding(
    check: Callable[..., list[dict[str, Any]]], folder: Path
) -> None:
    (folder / "flags.py").write_text(FLAGS)
    (folder / "sft.yaml").write_text(
        "model_name_or_path: Qwen/Qwen2.5-7B\nstage: sft\nfinetuning_type: full\ncutoff_len: 2048\noutput_dir: out\n"
    )
    for program in ("flags.py", "-m llamafactory.launcher sft.yaml"):
        line = f"accelerate launch --config_file conf/accel.yaml {program} --output_dir out --bf16 True\n"
        if "yaml" in program:
            line = line.replace("--output_dir out --bf16 True", "bf16=true")
        (report,) = check(f"# a run\n{line}", code=1)
        (found,) = [one for one in report["findings"] if one["rule"] == "FP101"]
        assert (found["file"], found["line"]) == ("jobs/run.sh", 2)
        assert line[found["column"] - 1 : found["end_column"] - 1] in ("--bf16 True", "bf16=true")
        assert found["related"][0]["file"] == "conf/accel.yaml"
        assert found["fix"] is None


def test_a_finding_without_a_place_stands_at_the_line(check: Callable[..., list[dict[str, Any]]]) -> None:
    (report,) = check("echo\n  accelerate launch --config_file conf/accel.yaml llamafactory-cli train x.yaml\n", code=1)
    (found,) = [one for one in report["findings"] if one["rule"] == "FP305"]
    assert (found["file"], found["line"], found["column"]) == ("jobs/run.sh", 2, 3)
    (about_versions,) = [one for one in report["findings"] if one["rule"] == "FP606"]
    assert about_versions["file"] is None


def test_more_launch_lines_than_anybody_writes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "run.sh").write_text("accelerate launch train.py\n" * (MAX_LAUNCHES + 1))
    assert main(["run.sh", "--no-environment"]) == 2
    assert f"run.sh:{MAX_LAUNCHES + 1}:1: more than {MAX_LAUNCHES} lines start a training" in capsys.readouterr().err
    (folder / "run.sh").write_text("python prepare.py\n" * (MAX_LAUNCHES + 1) + "accelerate launch train.py\n")
    assert main(["run.sh", "--no-environment"]) == 0
    (folder / "run.sh").write_text("python prepare.py\n" * (MAX_PROGRAMS + 1))
    assert main(["run.sh", "--no-environment"]) == 2
    assert f"more than {MAX_PROGRAMS:,} lines start a program" in capsys.readouterr().err


def test_a_precision_that_is_filled_in_later_is_undecided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.sh").write_text("accelerate launch --config_file accel.yaml elsewhere.py\n")
    (tmp_path / "accel.yaml").write_text("mixed_precision: $A\n")
    code = main(["run.sh", "--no-environment", "--require-evidence", "--format", "json"])
    assert code in (1, 3)
    assert json.loads(capsys.readouterr().out)["verdict"] != "pass"


@pytest.mark.parametrize(
    ("command", "files"),
    [
        ("bash run.sh te.yaml", ["te.yaml"]),
        ("bash -ex run.sh te.yaml > log 2>&1", ["te.yaml"]),
        ("sh ./run.sh", ["ao.yaml"]),
        ("./run.sh te.yaml", ["te.yaml"]),
        ("CONFIG=te.yaml nohup bash run.sh", ["te.yaml"]),
        ("bash run.sh a.yaml b.yaml", ["a.yaml"]),
        ("timeout 60 zsh -o pipefail run.sh te.yaml | tee log", ["te.yaml"]),
        ("source run.sh te.yaml", ["te.yaml"]),
        ("chmod +x run.sh; ./run.sh te.yaml", ["te.yaml"]),
        ("mkdir -p out && CONFIG=te.yaml bash run.sh && date", ["te.yaml"]),
        ("bash prep.sh && accelerate launch --config_file other.yaml train.py", ["other.yaml"]),
        ("export A=1; bash run.sh te.yaml", ["te.yaml"]),
    ],
)
def test_a_command_that_starts_a_shell_script_hands_it_its_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, files: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "#!/bin/bash\nFILE=${1:-${CONFIG:-ao.yaml}}\naccelerate launch --config_file $FILE train.py\n"
    (tmp_path / "run.sh").write_text(text)
    (tmp_path / "prep.sh").write_text("export CONFIG=te.yaml\npip install accelerate\n")
    (tmp_path / "train.py").write_text("from accelerate import Accelerator\nAccelerator()\n")
    runs = runs_of(Request((RunRequest((), Facts(), command),)))
    assert [one.run.launch.config_file for one in runs] == files


@pytest.mark.parametrize(
    "command",
    [
        "env -i bash run.sh",
        "ssh host bash run.sh",
        "bash run.sh; bash run.sh",
        "bash run.sh te.yaml || accelerate launch --config_file other.yaml train.py",
    ],
)
def test_a_shell_script_that_starts_elsewhere_or_twice_is_undecided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.sh").write_text("accelerate launch train.py\n")
    (one,) = runs_of(Request((RunRequest((), Facts(), command),)))
    assert one.run.launch.unknown


@pytest.mark.parametrize(
    ("line", "configs"),
    [
        ("bash inner.sh te.yaml", ["te.yaml"]),
        ("chmod +x inner.sh\n./inner.sh te.yaml", ["te.yaml"]),
        ("nohup ./inner.sh > log 2>&1 &", ["ao.yaml"]),
        ("CONFIG=te.yaml bash inner.sh", ["te.yaml"]),
        ("CONFIG=te.yaml\nbash inner.sh", ["ao.yaml"]),
        ("export CONFIG=te.yaml\nbash inner.sh", ["te.yaml"]),
        ("bash inner.sh te.yaml\nbash inner.sh", ["te.yaml", "ao.yaml"]),
        ("bash gone.sh\nbash inner.sh", ["ao.yaml"]),
        ("cat inner.sh\nbash inner.sh", ["ao.yaml"]),
        ("python train.py inner.sh", [None]),
        ("bash run.sh\nbash inner.sh", ["ao.yaml"] * 8),  # a script that starts itself
    ],
)
def test_a_script_that_a_script_starts_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, configs: list[str | None]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "#!/bin/bash\nFILE=${1:-${CONFIG:-ao.yaml}}\naccelerate launch --config_file $FILE train.py\n"
    (tmp_path / "inner.sh").write_text(text)
    (tmp_path / "run.sh").write_text(f"#!/bin/bash\n{line}\n")
    (tmp_path / "train.py").write_text("from accelerate import Accelerator\nAccelerator()\n")
    document = read(Source("run.sh", (tmp_path / "run.sh").read_text()))
    found = [one.run.launch for one in runs_of(Request((RunRequest((document,), Facts()),)))]
    assert [launch.config_file for launch in found] == configs
    assert all(launch.line is not None and launch.line.span.file == "run.sh" for launch in found)


def test_a_script_that_is_started_before_may_write_a_file_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prep.sh").write_text("sed -i s/bf16/fp8/ accel.yaml\n")
    (tmp_path / "accel.yaml").write_text(ACCELERATE)
    (tmp_path / "train.py").write_text(TRAINS)
    document = read(Source("run.sh", "bash prep.sh\naccelerate launch --config_file accel.yaml train.py\n"))
    (one,) = runs_of(Request((RunRequest((document,), Facts()),)))
    assert "accel.yaml" in str(one.run.unread)


OPTIONS = """CONFIG=ao.yaml
while [[ $# -gt 0 ]]; do
  case $1 in
    --config) CONFIG="$2"; shift 2 ;;
    --stop) exit 0 ;;
    --loop) ;;
    --enough) break ;;
    *) shift ;;
  esac
done
accelerate launch --config_file $CONFIG train.py
"""
LETTERS = """CONFIG=ao.yaml
while getopts "ac:" letter; do
  case $letter in c) CONFIG=$OPTARG ;; a) CONFIG=a.yaml ;; esac
done
shift $((OPTIND - 1))
accelerate launch --config_file $CONFIG train.py $1
"""


@pytest.mark.parametrize(
    ("text", "arguments", "config"),
    [
        (OPTIONS.replace("    --enough) break ;;\n", ""), "", "ao.yaml"),
        (OPTIONS.replace("    --enough) break ;;\n", ""), "--config te.yaml", "te.yaml"),
        (OPTIONS.replace("    --enough) break ;;\n", ""), "x --config te.yaml --config b.yaml", "b.yaml"),
        (OPTIONS.replace("    --enough) break ;;\n", ""), "--config te.yaml --stop", None),
        # Undecided: turns that take nothing away, or may leave the loop; letters that getopts does not know.
        (OPTIONS.replace("    --enough) break ;;\n", ""), "--config te.yaml --loop", ""),
        (OPTIONS, "--config te.yaml", ""),
        (OPTIONS.replace("    --enough) break ;;\n", ""), "x " * 65, ""),
        (LETTERS, "", "ao.yaml"),
        (LETTERS, "-c te.yaml", "te.yaml"),
        (LETTERS, "-acte.yaml rest", "te.yaml"),
        (LETTERS, "-a -- -c te.yaml", "a.yaml"),
        (LETTERS, "-x -c te.yaml", ""),
        (LETTERS, "-c", ""),
        (
            OPTIONS.replace("[[ $# -gt 0 ]]", "(( $# >= 1 ))").replace("    --enough) break ;;\n", ""),
            "--config te.yaml",
            "te.yaml",
        ),
        (
            OPTIONS.replace("[[ $# -gt 0 ]]", "some_command").replace("    --enough) break ;;\n", ""),
            "--config te.yaml",
            "",
        ),
    ],
)
def test_a_loop_over_arguments_that_are_known_is_gone_through_turn_by_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, arguments: str, config: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.sh").write_text(text)
    (tmp_path / "train.py").write_text("from accelerate import Accelerator\nAccelerator()\n")
    request = Request((RunRequest((), Facts(), f"bash run.sh {arguments}"),))
    if config is None:  # it ends before
        with pytest.raises(WrongFiles):
            runs_of(request)
        return
    (launch,) = [one.run.launch for one in runs_of(request)]
    if config:
        assert launch.config_file == config
    else:
        assert launch.line is not None
        assert any(word.why for word in launch.line.words)
