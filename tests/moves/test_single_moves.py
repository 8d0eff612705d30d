"""Single moves, at a site that is made for them."""

from __future__ import annotations

import pytest

from fp8check.rules.checking.request import RunRequest
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.moves import backends, launching, precision, stacks, steps, strategies
from fp8check.rules.moves.site import Site
from fp8check.rules.repair.render import Step, files_of
from fp8check.rules.repair.state import changed, start_of
from fp8check.rules.report.plan import step_of
from fp8check.rules.report.plan_text import step_lines
from fp8check.rules.report.terminal import Style
from tests.repair.test_plan import FACTORY, SINGLE, planned, request_of
from tests.support.runs import TODAY


def site_of(part: RunRequest) -> Site:
    """The site of a run as it was given."""
    (report,) = planned(part, states=0).given
    run = report.inputs.run
    accelerate = None if run.accelerate is None else run.accelerate.path
    return Site("x", "fp8", run, report.outcome, "train.yaml", accelerate, "new.yaml", part.launch)


def assigned(site: Site, move: object) -> list[list[tuple[str, object]]]:
    """What each action of a move assigns."""
    return [[(one.path[-1], one.value) for one in action.assigns] for action in move(site)]  # type: ignore[operator]


def test_tokens_that_kernels_take() -> None:
    text = "model_name_or_path: a/b\nper_device_train_batch_size: 3\nmax_length: 1001\npacking: true\n"
    site = site_of(request_of({"train.yaml": text, "accel.yaml": SINGLE}, trainer="trl"))
    assert assigned(site, steps.tokens) == [
        [("pad_to_multiple_of", 16)],
        [("dataloader_drop_last", True)],
        [("per_device_train_batch_size", 4)],
    ]
    text = text.replace("size: 3", "size: 4").replace("packing: true", "gradient_accumulation_steps: 2")
    site = site_of(request_of({"train.yaml": text, "accel.yaml": SINGLE}, trainer="trl"))
    smaller = [[("per_device_train_batch_size", 2), ("gradient_accumulation_steps", 4)]]
    assert assigned(site, steps.fewer_tokens) == smaller


def test_checkpointing_by_a_flag_of_the_command() -> None:
    files = {"train.yaml": "output_dir: o\nlearning_rate: 1.0e-5\n", "accel.yaml": SINGLE}
    command = "accelerate launch --config_file accel.yaml train.py train.yaml"
    part = request_of(files, f"{command} --gradient_checkpointing true")
    site = site_of(part)
    launches = [site.placed(action).launch for action in steps.checkpointing_off(site)]
    assert launches == [command, f"{command} --gradient_checkpointing false"]


def test_the_trainers_own_fp8() -> None:
    text = "model_name_or_path: a/b\nfinetuning_type: full\n"
    site = site_of(request_of({"train.yaml": text, "accel.yaml": SINGLE}, stack=FACTORY))
    own = [
        [("fp8", True)],
        [("fp8", True), ("fp8_backend", "te")],
        [("fp8", True), ("fp8_backend", "torchao")],
    ]
    assert assigned(site, precision.trainer_fp8_on) == own
    none = site_of(request_of({"train.yaml": "output_dir: o\nbf16: false\n", "accel.yaml": SINGLE}))
    assert assigned(none, precision.trainer_fp8_on) == []
    bare = site_of(request_of({"train.yaml": text}, stack=FACTORY))
    assert [*precision.accelerate_bf16(bare)] == []
    assert next(iter(stacks.deepspeed(site))).packages == {"deepspeed": "0.19.8"}


@pytest.mark.parametrize(
    ("words", "steps_of_file"), [("gradient_accumulation_steps=4", 4), ("", 1), ("gradient_accumulation_steps=n()", 1)]
)
def test_deepspeed_is_told_the_steps_of_a_script(words: str, steps_of_file: int) -> None:
    accelerate = "distributed_type: MULTI_GPU\nnum_processes: 2\nmixed_precision: fp8\nfp8_config: {backend: TE}\n"
    two = {"gpus": 2, "stack": {**TODAY, "deepspeed": "0.19.8"}}
    part = request_of({"accel.yaml": accelerate}, "accelerate launch --config_file accel.yaml train.py", **two)
    text = f"from accelerate import Accelerator\na = Accelerator({words})\nmodel, o = a.prepare(model, o)\n"
    site = site_of(part._replace(script=("train.py", text.encode())))
    made = [value for action in assigned(site, strategies.other_strategy) for key, value in action if "deepsp" in key]
    assert [one["gradient_accumulation_steps"] for one in made] == [steps_of_file]  # type: ignore[index]
    trainer = site_of(request_of({"train.yaml": "output_dir: o\nbf16: false\n", "accel.yaml": accelerate}, **two))
    made = [
        value for action in assigned(trainer, strategies.other_strategy) for key, value in action if "deepsp" in key
    ]
    assert [one["gradient_accumulation_steps"] for one in made] == ["auto"]  # type: ignore[index]


def test_a_new_file_holds_a_map() -> None:
    start = start_of((), None, "new.yaml")
    with pytest.raises(Unfixable, match="holds a map"):
        files_of(start, start.state._replace(files={"new.yaml": "text"}))
    assert [*changed("text", {})] == []


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (Step("file", "a.yaml", None, None, "a: 1\n", ""), "  1. a.yaml         new file:"),
        (Step("package", None, None, None, "a==1", ""), "  1. install        pip install a==1"),
        (Step("variable", None, None, None, "A=1", ""), "  1. in the shell   export A=1"),
        (Step("edit", "a.yaml", None, "a: 1", None, ""), "  1. a.yaml         delete a: 1"),
    ],
)
def test_the_line_of_a_step(step: Step, line: str) -> None:
    assert next(iter(step_lines(step_of(step), 1, Style(on=False)))) == line


def of_command(command: str, script: str = "", **case: object) -> Site:
    """The site of a script that a command starts, without files."""
    return site_of(request_of({}, command, **case)._replace(script=("train.py", script.encode())))


def launches(site: Site, move: object) -> list[str | None]:
    """The command of each action of a move."""
    return [action.launch for action in move(site)]  # type: ignore[operator]


ACCELERATOR = "from accelerate import Accelerator\na = Accelerator()\nm, o = a.prepare(m, o)\n"


def test_flags_for_the_kind_of_run() -> None:
    site = of_command("accelerate launch --multi_gpu --use_fsdp --num_processes 2 train.py", ACCELERATOR)
    assert launches(site, launching.spreading_off) == [
        "accelerate launch --use_fsdp --num_processes 2 train.py",
        "accelerate launch --multi_gpu --num_processes 2 train.py",
        "accelerate launch --num_processes 1 train.py",
    ]
    assert launches(site._replace(command=None), launching.spreading_off) == []
    twice = site._replace(command=f"{site.command} --multi_gpu --use_fsdp")
    assert launches(twice, launching.spreading_off) == []
    several = of_command("accelerate launch --multi_gpu train.py", ACCELERATOR, gpus=2)
    assert launches(several, launching.spreading_off) == ["accelerate launch train.py"]


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("launch train.py --config_file te.yaml", "launch --config_file te.yaml train.py --config_file te.yaml"),
        ("launch --config_file bf16.yaml train.py", "launch --config_file te.yaml train.py"),
        ("launch --config_file=bf16.yaml train.py", "launch --config_file=te.yaml train.py"),
        ("launch train.py", "launch --config_file te.yaml train.py"),
    ],
)
def test_the_file_is_named_before_the_script(given: str, written: str) -> None:
    site = of_command(f"accelerate {given}", ACCELERATOR)
    assert launching.command_with_file(site, "te.yaml") == f"accelerate {written}"


def test_a_value_that_the_launcher_refuses() -> None:
    name = "--fp8_override_linear_precision"
    site = of_command(f"accelerate launch --mixed_precision fp8 {name} '(false,false,true)' train.py", ACCELERATOR)
    assert "accelerate launch --mixed_precision fp8 train.py" in launches(site, launching.flags_off)
    twice = site._replace(command=f"accelerate launch {name} x {name} y train.py")
    assert not [one for one in launches(twice, launching.flags_off) if one and name not in one]


def test_a_word_that_a_script_refuses() -> None:
    parser = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--fp8', action='store_true')\n"
    site = of_command("python train.py --fp8 True", f"{parser}p.parse_args()\n{ACCELERATOR}")
    assert launches(site, launching.words_gone) == ["python train.py --fp8"]
    assert launches(site._replace(command="python True train.py --fp8 True"), launching.words_gone) == []
    assert launches(of_command("python train.py", ACCELERATOR), launching.words_gone) == []


def test_a_backend_that_a_variable_names() -> None:
    told = {"ACCELERATE_MIXED_PRECISION": "fp8", "ACCELERATE_FP8_BACKEND": "TE"}
    site = of_command("python train.py", ACCELERATOR, variables=told)
    (other,) = backends.told_backend(site)
    assert other.variables == {
        "ACCELERATE_FP8_BACKEND": "AO",
        "ACCELERATE_FP8_ENABLE_FSDP_FLOAT8_ALL_GATHER": "false",
    }
    (back,) = backends.told_backend(
        of_command("python train.py", ACCELERATOR, variables={**told, "ACCELERATE_FP8_BACKEND": "AO"})
    )
    assert back.variables == {"ACCELERATE_FP8_BACKEND": "TE"}
    before = "ACCELERATE_MIXED_PRECISION=fp8 ACCELERATE_FP8_BACKEND=TE python train.py"
    assert [*backends.told_backend(of_command(before, ACCELERATOR))] == []
    assert [*backends.told_backend(of_command("python train.py", ACCELERATOR))] == []


def test_packages_that_are_absent() -> None:
    files = {"train.yaml": "output_dir: o\nbf16: false\n", "accel.yaml": SINGLE}
    (action,) = stacks.absent(site_of(request_of(files, stack={"torch": "2.11.0"})))
    assert action.packages == {"accelerate": "1.15.0", "transformers": "5.24.0"}
    assert [*stacks.absent(site_of(request_of(files)))] == []


def test_the_newest_trainer_takes_other_packages() -> None:
    text = "model_name_or_path: a/b\nfinetuning_type: full\n"
    stack = {**FACTORY, "llamafactory": "0.9.3", "transformers": "4.52.4", "accelerate": "1.7.0"}
    found = [
        action.packages
        for action in stacks.upgrades(site_of(request_of({"train.yaml": text, "accel.yaml": SINGLE}, stack=stack)))
    ]
    assert found[-1]["transformers"] == "5.6.0"
    assert "transformers" not in found[-2]


def test_a_switch_that_a_script_may_not_be_able_to_switch_off() -> None:
    script = (
        "from transformers import HfArgumentParser, Trainer, TrainingArguments\n"
        "(args,) = HfArgumentParser(TrainingArguments).parse_args_into_dataclasses()\nTrainer(args=args).train()\n"
    )
    site = of_command("accelerate launch --mixed_precision fp8 train.py --output_dir o --bf16 True", script)
    found = [site.placed(action).launch for action in precision.flags_off(site._replace(training=None))]
    assert found == [
        "accelerate launch --mixed_precision fp8 train.py --output_dir o",
        "accelerate launch --mixed_precision fp8 train.py --output_dir o --bf16 False",
    ]
