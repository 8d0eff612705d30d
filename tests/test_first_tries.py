"""Starts as people first write them: what is said of them, and what is advised, was wrong or of no use once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.checking.planning import plan_request
from fp8check.rules.checking.request import Request, RunRequest, check_request
from fp8check.rules.facts import Gpu
from fp8check.rules.report.plan import plans_of
from fp8check.rules.report.plan_text import lines
from fp8check.rules.report.terminal import Style
from tests.support.runs import TODAY, facts_of

if TYPE_CHECKING:
    from pathlib import Path

    from fp8check.rules.facts import Facts
    from fp8check.rules.moves.site import Goal
    from fp8check.rules.suppression.examined import Examined

TRAINER = """from transformers import AutoModelForCausalLM, Trainer, TrainingArguments
args = TrainingArguments(output_dir="out", {keywords})
Trainer(model=AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-1.5B"), args=args).train()
"""
FACTORY = "model_name_or_path: {model}\nstage: sft\nfinetuning_type: full\ncutoff_len: 2048\nbf16: true\nfp8: true\n"
STACK = {
    **TODAY,
    "llamafactory": "0.9.5",
    "transformers": "5.6.0",
    "peft": "0.18.1",
    "trl": "0.24.0",
    "deepspeed": "0.19.8",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def facts(gpus: int = 1) -> Facts:
    made = facts_of({"stack": STACK, "gpus": gpus})
    return made._replace(gpus=[Gpu(at, "NVIDIA H100 80GB HBM3", "9.0", 81_559, False) for at in range(gpus)])


def given(command: str, gpus: int = 1) -> RunRequest:
    return RunRequest((), facts(gpus), command)


def checked(command: str, gpus: int = 1) -> Examined:
    (report,) = check_request(Request((given(command, gpus),))).reports
    return report


def ends(report: Examined) -> str:
    return "" if report.outcome.error is None else f"{report.outcome.error.type}: {report.outcome.error.message}"


def errors(report: Examined) -> list[str]:
    return [one.rule for one in report.findings if one.severity == "error"]


def told(command: str, goal: Goal, gpus: int = 1) -> str:
    planned = plan_request(Request((given(command, gpus),)), goal)
    return "\n".join(lines(plans_of(planned), Style(on=False)))


@pytest.mark.parametrize("keywords", ["fp8=True", 'mixed_precision="fp8"', "no_bf16=True"])
def test_a_keyword_that_the_arguments_of_a_trainer_do_not_have_ends_the_run(folder: Path, keywords: str) -> None:
    """It was said to start without mixed precision, and a plan left the keyword where it stands."""
    (folder / "train.py").write_text(TRAINER.format(keywords=keywords))
    report = checked("python train.py")
    assert ends(report).endswith(f"got an unexpected keyword argument '{keywords.partition('=')[0]}'")
    assert errors(report) == ["FP338"]
    assert f"delete {keywords}" in told("python train.py", "fp8")


def test_a_class_of_the_scripts_own_may_have_any_keyword(folder: Path) -> None:
    text = TRAINER.format(keywords="fp8=True").replace("TrainingArguments(", "Mine(")
    own = (
        "from dataclasses import dataclass\n\n\n@dataclass\nclass Mine(TrainingArguments):\n    fp8: bool = False\n\n\n"
    )
    (folder / "train.py").write_text(text.replace("args =", f"{own}args =", 1))
    assert ends(checked("python train.py")) == ""


@pytest.mark.parametrize("broken", ["bf16: true\n  fp8: true\n", "bf16: true\n\tfp8: true\n"])
def test_a_training_file_that_is_no_yaml_ends_the_run(folder: Path, broken: str) -> None:
    """Nothing was found in it, and its user was told to look for it elsewhere."""
    (folder / "train.yaml").write_text(f"model_name_or_path: a/b\n{broken}")
    report = checked("llamafactory-cli train train.yaml")
    assert ends(report).startswith("ScannerError: ")
    assert '"train.yaml", line 3' in ends(report)
    assert errors(report) == ["FP303"]
    assert "can be read" not in str(report.undecided)


def test_no_plan_passes_over_an_accelerate_file_that_is_no_yaml(folder: Path) -> None:
    (folder / "te.yaml").write_text("mixed_precision: fp8\n\tdistributed_type: NO\n")
    (folder / "train.py").write_text("from accelerate import Accelerator\nAccelerator()\n")
    command = "accelerate launch --config_file te.yaml train.py"
    assert ends(checked(command)).startswith("ScannerError: ")
    assert "te.yaml has to be YAML first" in told(command, "fp8")
    assert "new file" not in told(command, "fp8")


def test_a_template_is_filled_in_before_it_is_yaml(folder: Path) -> None:
    (folder / "train.yaml").write_text("model_name_or_path: a/b\n{% if fp8 %}\nfp8: true\n{% endif %}\n")
    report = checked("llamafactory-cli train train.yaml")
    assert report.outcome.error is None
    assert report.outcome.undecided is not None


def test_a_second_file_behind_a_trainers_own_command_is_a_key_that_it_refuses(folder: Path) -> None:
    (folder / "a.yaml").write_text(FACTORY.format(model="Qwen/Qwen2.5-1.5B"))
    (folder / "b.yaml").write_text("fp8: true\n")
    report = checked("llamafactory-cli train a.yaml b.yaml")
    assert ends(report) == "ValueError: Some keys are not used by the HfArgumentParser: ['b']"
    assert "FP338" in errors(report)
    assert "llamafactory.launcher a.yaml\n" in told("llamafactory-cli train a.yaml b.yaml", "fp8")
    assert "['fp8_mode']" in ends(checked("llamafactory-cli train a.yaml fp8_mode=te"))


def test_fp8_is_asked_for_by_a_variable_that_the_command_sets(folder: Path) -> None:
    """What the shell has may be a leftover; what the command itself sets is meant."""
    (folder / "train.py").write_text(TRAINER.format(keywords="bf16=True"))
    command = "torchrun --nproc_per_node 2 train.py"
    assert "FP101" in errors(checked(f"ACCELERATE_MIXED_PRECISION=fp8 {command}", 2))
    assert errors(checked(command, 2)) == []


MACHINES = "--num_machines 2 --num_processes 16 --machine_rank 1 --main_process_ip n0 --main_process_port 29500 "
PLACE = "NODE_RANK=1 MASTER_ADDR=n0 MASTER_PORT=29500"


@pytest.mark.parametrize(
    "command",
    [
        f"FORCE_TORCHRUN=1 NNODES=2 {PLACE} llamafactory-cli train a.yaml",
        "torchrun --nnodes 2 --nproc_per_node 8 --node_rank 1 --master_addr n0 --master_port 29500 train.py",
        "torchrun --nnodes 2 --nproc_per_node 8 --node_rank 1 --rdzv_endpoint n0:29500 train.py",
    ],
)
def test_a_run_on_two_machines_stays_on_two(folder: Path, command: str) -> None:
    """A plan made two runs of it, of one machine each."""
    (folder / "a.yaml").write_text(FACTORY.format(model="Qwen/Qwen2.5-7B"))
    (folder / "train.py").write_text(TRAINER.format(keywords="bf16=True"))
    made = told(command, "fp8", 8)
    assert "num_machines: 2" in made
    assert "num_processes: 16" in made
    assert MACHINES in made


@pytest.mark.parametrize(
    "command", ["torchrun --nnodes 2 --nproc_per_node 8 train.py", "deepspeed --hostfile h train.py"]
)
def test_a_launcher_that_numbers_the_machines_itself_is_not_replaced(folder: Path, command: str) -> None:
    (folder / "h").write_text("n0 slots=8\nn1 slots=8\n")
    (folder / "train.py").write_text(TRAINER.format(keywords="bf16=True"))
    made = told(command, "fp8", 8)
    assert "accelerate launch has to be told" in made
    assert "new file" not in made


def test_who_has_no_way_to_fp8_is_not_sent_to_bf16_where_there_is_none(folder: Path) -> None:
    (folder / "a.yaml").write_text(FACTORY.format(model="Qwen/Qwen2.5-7B"))
    made = told("llamafactory-cli train a.yaml", "fp8")
    assert "for a run in BF16 none was found, either" in made
    assert "LoRA, take less memory" in made


def test_a_check_says_that_fix_may_take_another_way_than_it_had_time_to_find(folder: Path) -> None:
    from fp8check.rules.checking.planning import plans_for

    text = "model_name_or_path: Qwen/Qwen2.5-1.5B\noutput_dir: out\nper_device_train_batch_size: 2\ndataset_name: a/b\n"
    (folder / "a.yaml").write_text(f"{text}mixed_precision: fp8\n")
    request = Request((given("trl sft --config a.yaml"),))
    (found,) = plans_for(request, check_request(request), asked=False).values()
    header = next(lines(found, Style(on=False)))
    assert header == "what to do (one way; fp8check plan looks for a better one, which fix --goal takes)"


def test_an_argument_of_a_trainer_is_written_into_the_arguments_and_not_into_those_of_adapters(folder: Path) -> None:
    """There was no plan: bf16=False was tried in LoraConfig alone, whose name ends as that of arguments does."""
    (folder / "te.yaml").write_text("distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend: AO\n")
    (folder / "sft.py").write_text(
        "from peft import LoraConfig\nfrom trl import SFTConfig, SFTTrainer\n"
        "SFTTrainer('Qwen/Qwen2.5-1.5B', peft_config=LoraConfig(r=16, target_modules='all-linear'), args=SFTConfig(output_dir='o', max_length=2048)).train()\n"
    )
    command = "accelerate launch --config_file te.yaml sft.py"
    request = given(command)._replace(facts=facts_of({"stack": TODAY}))
    found = plan_request(Request((request,)), "fp8")
    assert found.plans, found.why_not
    (first, *_) = found.plans
    (script,) = [one.text for one in first.documents if one.path == "sft.py"]
    assert "LoraConfig(r=16, target_modules='all-linear')" in script
    assert "bf16=False" in script


def test_what_a_trainers_command_hands_on_to_the_launcher_goes_for_bf16(folder: Path) -> None:
    """It stood in TRL's file and no move took it out."""
    text = (
        "model_name_or_path: Qwen/Qwen2.5-1.5B\ndataset_name: a/b\noutput_dir: out\nbf16: true\nmixed_precision: fp8\n"
    )
    (folder / "sft.yaml").write_text(text)
    assert "delete mixed_precision: fp8" in told("trl sft --config sft.yaml --accelerate_config fsdp2", "bf16", 8)


@pytest.mark.parametrize("command", ["trl sft --config sft.yaml", "trl sft --config=sft.yaml", "trl sft sft.yaml"])
def test_a_renamed_key_keeps_its_value_where_the_command_changes_as_well(command: str, folder: Path) -> None:
    """The name that is gone and the one that comes were two changes, of which the second was found to be needless."""
    (folder / "sft.yaml").write_text(
        "model_name_or_path: Qwen/Qwen2.5-1.5B\ndataset_name: a/b\noutput_dir: out\nmax_seq_length: 2048\n"
    )
    said = told(command, "bf16", 8)
    assert "delete max_seq_length: 2048" in said
    assert "add max_length: 2048" in said
