"""What public repositories showed, a case for each line W1 to W13 of docs/evidence/wild.md; the files are made up here.

W4 and W5, files of other tools, are in tests/reading/test_kinds.py; releases and GPUs have their cases in the catalog.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fp8check.rules.checking.api import check
from fp8check.rules.facts import Facts
from tests.support.runs import TODAY, facts_of
from tests.tools.corpus import FACTORY

if TYPE_CHECKING:
    from pathlib import Path

    from fp8check.rules.suppression.examined import Examined

ZERO3 = "distributed_type: DEEPSPEED\nnum_processes: 8\nmixed_precision: bf16\ndeepspeed_config:\n  zero_stage: 3\n"
TRL = "model_name_or_path: a/b\ndataset_name: c\nlearning_rate: 2.0e-5\nreport_to: none\n"
AXOLOTL = "base_model: a/b\nsequence_len: 2048\nmicro_batch_size: 1\ndatasets:\n- path: c\n  type: alpaca\n"
NODE = {**TODAY, "deepspeed": "0.18.2"}
OWN_SCRIPT = "from accelerate import Accelerator\naccelerator = Accelerator()\nmodel = accelerator.prepare(model)\n"
TRAINER = (
    "from transformers import HfArgumentParser, Trainer, TrainingArguments\n"
    "import sys\n(args,) = HfArgumentParser(TrainingArguments).parse_yaml_file(sys.argv[1])\n"
    "Trainer(model=model, args=args).train()\n"
)


@pytest.fixture
def examined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Files in a folder of their own, which is the current one, checked as one run."""
    monkeypatch.chdir(tmp_path)

    def check_them(
        files: dict[str, str],
        stack: object = "unknown",
        launch: str | None = None,
        gpus: int | str = 8,
        trainer: str | None = None,
    ) -> Examined:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        facts = Facts() if stack == "unknown" else facts_of({"stack": stack, "gpus": gpus})
        names = [name for name in files if not name.endswith((".py", ".sh"))]
        (report,) = check(*names, facts=facts, launch=launch, trainer=trainer).reports
        return report

    return check_them


def rules(report: Examined) -> dict[str, str]:
    return {finding.rule: finding.severity for finding in report.findings}


# Axolotl ends under ZeRO-3 that stands in the Accelerate file alone, whatever becomes of bf16: see the test behind it.
ZERO2 = ZERO3.replace("zero_stage: 3", "zero_stage: 2")


@pytest.mark.parametrize(
    ("training", "accelerate"),
    [
        pytest.param(TRL, ZERO3, id="trl sets bf16 where it is None"),
        pytest.param(AXOLOTL + "bf16: auto\n", ZERO2, id="axolotl, auto"),
    ],
)
@pytest.mark.parametrize("stack", ["unknown", {**NODE, "axolotl": "0.16.1"}], ids=["unknown", "a node"])
def test_w1_a_trainer_whose_bf16_is_on_by_itself_goes_with_a_bf16_deepspeed(
    examined: object, training: str, accelerate: str, stack: object
) -> None:
    report = examined({"t.yaml": training, "a.yaml": accelerate}, stack)  # type: ignore[operator]
    assert "FP314" not in rules(report)
    assert report.outcome.error is None


@pytest.mark.parametrize("stack", ["unknown", {**NODE, "axolotl": "0.16.1"}], ids=["unknown", "a node"])
def test_w1_axolotl_under_zero3_of_the_accelerate_file_ends_for_another_reason(examined: object, stack: object) -> None:
    report = examined({"t.yaml": AXOLOTL + "bf16: auto\n", "a.yaml": ZERO3}, stack)  # type: ignore[operator]
    assert "FP314" not in rules(report)
    assert rules(report)["FP552"] == "error"
    assert report.outcome.error.code == "axolotl-zero3-without-its-file"


def test_w1_and_a_trainer_whose_bf16_is_off_does_not(examined: object) -> None:
    files = {"t.yaml": "output_dir: x\nmax_steps: 3\n", "a.yaml": ZERO3}
    report = examined(files, NODE, trainer="transformers")  # type: ignore[operator]
    assert rules(report)["FP314"] == "error"


WHO = "who reads t.yaml: its keys fit {}, and scripts that make an Accelerator of their own"
PLAIN = "model_name_or_path: a/b\noutput_dir: x\nlearning_rate: 2.0e-5\nper_device_train_batch_size: 1\n"
OF_TRL = f"{TRL}max_length: 1024\n"
GPTQ = '{"model_type": "llama", "hidden_size": 64, "quantization_config": {"quant_method": "gptq"}}'
FP8 = "distributed_type: 'NO'\nnum_processes: 1\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n"


@pytest.mark.parametrize(
    ("trainer", "training", "accelerate", "stack", "rule"),
    [
        pytest.param("transformers", PLAIN, ZERO3, NODE, "FP314", id="bf16 of DeepSpeed"),
        pytest.param("trl", OF_TRL, FP8, NODE, "FP101", id="bf16 by default"),
        pytest.param("trl", f"{OF_TRL}bf16: false\n", FP8, NODE, "FP501", id="checkpointing by default"),
        pytest.param("transformers", PLAIN, FP8, {**NODE, "accelerate": "1.0.1"}, "FP619", id="an old accelerate"),
        pytest.param("trl", f"{OF_TRL}deepspeed: d.json\n", None, NODE, "FP313", id="fp16 of DeepSpeed"),
    ],
)
def test_an_error_by_a_default_is_one_where_it_is_known_who_reads_the_file(
    examined: object, trainer: str, training: str, accelerate: str | None, stack: object, rule: str
) -> None:
    other = {"a.yaml": accelerate} if accelerate is not None else {"d.json": '{"fp16": {"enabled": true}}'}
    files = {"t.yaml": training, **other}
    known = examined(files, stack, trainer=trainer)  # type: ignore[operator]
    assert rules(known)[rule] == "error"
    guessed = examined(files, stack)  # type: ignore[operator]
    assert guessed.inputs.run.training.name == trainer
    assert rule not in rules(guessed)
    undecided = guessed.outcome.undecided
    assert undecided is not None
    assert undecided.what == WHO.format(guessed.inputs.run.training.title)
    assert undecided.needs == "--launch with the command that starts the run, or --trainer"


OF_FACTORY = "model_name_or_path: a/b\nstage: sft\ntemplate: qwen\ndataset: c\n"
OF_TODAY = {**NODE, **FACTORY}


@pytest.mark.parametrize(
    ("name", "stack", "code"),
    [
        pytest.param("t.yaml", {**OF_TODAY, "peft": "0.21.2"}, "llamafactory-refuses-version", id="a package"),
        pytest.param("t.json", OF_TODAY, "json-never-read", id="JSON"),
    ],
)
def test_a_file_with_a_key_that_llamafactory_alone_has_is_its_own(
    examined: object, name: str, stack: object, code: str
) -> None:
    def written(text: str) -> str:
        entries = [line.split(": ") for line in text.splitlines()]
        return text if name == "t.yaml" else json.dumps(dict(entries))

    guessed = examined({name: written(OF_FACTORY), "a.yaml": FP8}, stack)  # type: ignore[operator]
    assert guessed.inputs.run.training.name == "llamafactory"
    assert guessed.inputs.run.training.guessed
    assert guessed.outcome.error is None
    assert "FP618" not in rules(guessed)
    known = examined({name: written(f"{OF_FACTORY}cutoff_len: 8\n"), "a.yaml": FP8}, stack)  # type: ignore[operator]
    assert not known.inputs.run.training.guessed
    assert known.outcome.error.code == code


def test_arguments_that_many_a_script_has_do_not_say_llamafactory(examined: object) -> None:
    text = f"{PLAIN}lora_rank: 8\nlora_alpha: 16\nlora_dropout: 0.1\npreprocessing_num_workers: 4\n"
    report = examined({"t.yaml": text, "a.yaml": ZERO3}, NODE)  # type: ignore[operator]
    assert report.inputs.run.training.name == "transformers"
    assert "FP314" not in rules(report)


def test_adapters_may_be_put_on_by_the_script_that_reads_the_file(examined: object, tmp_path: Path) -> None:
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "config.json").write_text(GPTQ)
    files = {"t.yaml": OF_TRL.replace("a/b", "./q"), "a.yaml": "distributed_type: 'NO'\nnum_processes: 1\n"}
    known = examined(files, NODE, trainer="trl").outcome  # type: ignore[operator]
    assert known.error is not None
    assert known.error.code == "quantized-without-adapters"
    guessed = examined(files, NODE).outcome  # type: ignore[operator]
    assert guessed.error is None
    assert guessed.undecided is not None
    assert guessed.undecided.what == WHO.format("TRL")


@pytest.mark.parametrize(
    ("training", "accelerate", "rule"),
    [
        pytest.param(f"{PLAIN}bf16: false\n", ZERO3, "FP314", id="bf16 that is off"),
        pytest.param(f"{PLAIN}bf16: true\n", FP8, "FP101", id="bf16 that is on"),
        pytest.param(f"{OF_TRL}bf16: true\n", FP8, "FP101", id="bf16 that is on, of TRL"),
        pytest.param(f"{PLAIN}fp16: true\n", FP8, "FP101", id="fp16 that is on"),
        pytest.param(f"{PLAIN}bf16: true\nfp16: true\n", FP8, "FP115", id="both"),
        pytest.param(f"{PLAIN}gradient_checkpointing: true\n", FP8, "FP501", id="checkpointing that is on"),
    ],
)
def test_an_error_by_what_is_written_is_one_whoever_reads_the_file(
    examined: object, training: str, accelerate: str, rule: str
) -> None:
    report = examined({"t.yaml": training, "a.yaml": accelerate}, NODE)  # type: ignore[operator]
    assert report.inputs.run.training.guessed
    assert rules(report)[rule] == "error"


def test_an_error_of_the_launcher_is_one_whoever_reads_the_file(examined: object) -> None:
    accelerate = f"{FP8}unheard_of: 1\n"
    report = examined({"t.yaml": PLAIN, "a.yaml": accelerate}, NODE)  # type: ignore[operator]
    assert report.inputs.run.training.guessed
    assert rules(report)["FP302"] == "error"


def test_a_command_that_names_the_trainer_says_who_reads_the_file(examined: object) -> None:
    own = PLAIN.removeprefix("model_name_or_path: a/b\n")  # its parser refuses what TrainingArguments does not have
    files = {"t.yaml": own, "a.yaml": ZERO3, "train.py": TRAINER}
    launch = "accelerate launch --config_file a.yaml train.py t.yaml"
    report = examined(files, NODE, launch)  # type: ignore[operator]
    assert not report.inputs.run.training.guessed
    assert rules(report)["FP314"] == "error"


def test_w2_a_script_with_an_accelerator_of_its_own_reads_its_file_itself(examined: object) -> None:
    files = {"t.yaml": "output_dir: x\nmax_steps: 3\n", "a.yaml": ZERO3, "finetune.py": OWN_SCRIPT}
    launch = "accelerate launch --config_file a.yaml finetune.py t.yaml"
    assert "FP314" not in rules(examined(files, NODE, launch))  # type: ignore[operator]
    files["finetune.py"] = TRAINER
    assert rules(examined(files, NODE, launch))["FP314"] == "error"  # type: ignore[operator]


def test_w3_axolotl_starts_a_process_on_each_gpu(examined: object) -> None:
    text = (
        AXOLOTL
        + "bf16: true\nfp8: true\nfp8_enable_fsdp_float8_all_gather: true\nfsdp_version: 2\nfsdp_config:\n  offload_params: false\n"
    )
    assert "FP210" not in rules(examined({"t.yaml": text}))  # type: ignore[operator]
    stack = {**NODE, "axolotl": "0.16.1"}
    assert "FP210" not in rules(examined({"t.yaml": text}, stack))  # type: ignore[operator]


def test_w6_a_value_that_is_filled_in_later_is_unknown(examined: object) -> None:
    report = examined({"t.yaml": "output_dir: x\nmax_steps: 3\nfp16: true\nbf16: ${BF16}\n"})  # type: ignore[operator]
    assert "FP115" not in rules(report)
    assert report.verdict == "undecided"


@pytest.mark.parametrize("kind", ["DATA_PARALLEL", "MODEL_PARALLEL", "'NO'"])
def test_w7_a_job_on_sagemaker_is_not_modeled(examined: object, kind: str) -> None:
    text = f"compute_environment: AMAZON_SAGEMAKER\ndistributed_type: {kind}\nec2_instance_type: x\niam_role_name: y\n"
    report = examined({"a.yaml": text + "mixed_precision: bf16\n"})  # type: ignore[operator]
    assert "error" not in rules(report).values()
    assert report.verdict == "undecided"


def test_w8_flags_are_the_training_configuration(examined: object) -> None:
    accelerate = "distributed_type: MULTI_GPU\nnum_processes: 8\nmixed_precision: fp8\nfp8_config: {backend: TE}\n"
    files = {"a.yaml": accelerate, "train.py": TRAINER}
    launch = "accelerate launch --config_file a.yaml train.py --output_dir x --bf16 True"
    assert rules(examined(files, NODE, launch))["FP101"] == "error"  # type: ignore[operator]


def test_w9_help_talks_of_fp8_where_it_was_asked_for(examined: object) -> None:
    text = ZERO3.replace("zero_stage: 3", "deepspeed_config_file: ds.json")
    ds = '{"bf16": {"enabled": true}, "zero_optimization": {"stage": 3}}'
    for precision, told in (("bf16", False), ("fp8", True)):
        files = {"a.yaml": text.replace("bf16", precision), "ds.json": ds}
        report = examined(files, NODE)  # type: ignore[operator]
        (finding,) = (one for one in report.findings if one.rule == "FP312")
        assert ("fp8" in finding.help.lower()) is told


@pytest.mark.parametrize("variable", ["USE_MCA", "USE_V1", "USE_MEGATRON_BRIDGE"])
def test_w10_another_engine_of_llamafactory_is_not_modeled(examined: object, variable: str) -> None:
    text = "model_name_or_path: a\nstage: sft\ndo_train: true\nfinetuning_type: full\ntemplate: b\noutput_dir: c\n"
    files = {"t.yaml": text + "bf16: true\nfp8: true\n"}
    report = examined(files, launch=f"{variable}=1 llamafactory-cli train t.yaml")  # type: ignore[operator]
    assert report.verdict == "undecided"
    assert report.outcome.fp8_enabled is not True


@pytest.mark.parametrize(("release", "recipe"), [("0.16.1", "tensorwise"), ("0.19.0", "rowwise")])
def test_w12_axolotl_reads_the_recipe_from_0_19_on(examined: object, release: str, recipe: str) -> None:
    text = AXOLOTL + "bf16: true\nfp8: true\nfp8_config:\n  recipe: rowwise\n"
    report = examined({"t.yaml": text}, {**NODE, "axolotl": release})  # type: ignore[operator]
    assert report.outcome.prepared.recipe["recipe"].value == recipe


@pytest.mark.parametrize("torch", ["2.11.0", "2.13.0"])
def test_w13_torchao_compiled_under_ddp_runs(examined: object, torch: str) -> None:
    files = {
        "t.yaml": "output_dir: x\nmodel_name_or_path: Qwen/Qwen2.5-7B\nbf16: false\ntorch_compile: true\nmax_steps: 3\n",
        "a.yaml": "distributed_type: MULTI_GPU\nnum_processes: 8\nmixed_precision: fp8\n"
        "fp8_config:\n  backend: AO\n  enable_fsdp_float8_all_gather: false\n",
    }
    report = examined(files, {**NODE, "torch": torch})  # type: ignore[operator]
    assert "FP520" not in rules(report)
    assert report.outcome.error is None
