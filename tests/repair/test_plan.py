"""Plans: what is changed of a run, what stays, and what is said where there is no way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fp8check.rules.checking.planning import applied, plan_request
from fp8check.rules.checking.request import Request, RunRequest
from fp8check.rules.checking.runs import WrongFiles
from fp8check.rules.edits.action import ABSENT
from fp8check.rules.facts import Facts
from fp8check.rules.facts.saved import load
from fp8check.rules.moves.options import with_option
from fp8check.rules.releases.stack import Stack
from fp8check.rules.report.plan import as_json, as_text
from fp8check.rules.report.plan_text import step_lines
from fp8check.rules.report.schema import Step
from fp8check.rules.report.terminal import Style
from fp8check.rules.trainers.detect import read
from tests.support.paths import EXAMPLE
from tests.support.runs import TODAY, facts_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.moves.site import Goal
    from fp8check.rules.repair.plan import Planned

FACTORY = {**TODAY, "transformers": "5.6.0", "peft": "0.20.0", "trl": "0.24.0", "llamafactory": "0.9.5"}
TRL_1_9 = {**TODAY, "trl": "1.9.0"}
SINGLE = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n"


def request_of(
    files: Mapping[str, str], launch: str | None = None, *, facts: Facts | None = None, **case: object
) -> RunRequest:
    """The request of these files, on one H200 with the releases of today."""
    documents = tuple(read(path, text.encode()) for path, text in files.items())
    trainer = case.pop("trainer", None)
    script = ("train.py", b"") if launch is not None and "train.py" in launch else None
    return RunRequest(documents, facts or facts_of(case), launch, trainer, follow=False, script=script)  # type: ignore[arg-type]


def planned(part: RunRequest, goal: Goal | None = None, **how: object) -> Planned:
    return plan_request(Request((part,)), goal, **how)  # type: ignore[arg-type]


def steps(found: Planned, number: int = 0) -> list[str]:
    """The steps of a plan, each in a line."""
    made = []
    for one in found.plans[number].steps:
        where = f"{one.file}:{one.line} " if one.line is not None else f"{one.file} " if one.file else ""
        made.append(f"{one.kind} {where}{one.before} -> {one.after}")
    return made


def test_a_flag_of_the_trainer_goes() -> None:
    part = request_of({"train.yaml": "output_dir: out\nbf16: true  # as always\n", "accel.yaml": SINGLE})
    found = planned(part)
    assert steps(found) == ["edit train.yaml:2 bf16: true -> bf16: false"]
    assert found.plans[0].documents[0].text == "output_dir: out\nbf16: false  # as always\n"
    assert found.plans[0].launch == "accelerate launch --config_file accel.yaml train.py train.yaml"
    assert steps(planned(applied(part, found.plans[0]))) == []


def test_llama_factory_gets_its_first_accelerate_file() -> None:
    text = "model_name_or_path: a/b\nfinetuning_type: full\nfp8: true\nfp8_backend: torchao\nbf16: true\n"
    found = planned(request_of({"train.yaml": text}, stack=FACTORY))
    assert found.plans[0].launch == "accelerate launch --config_file accel.yaml -m llamafactory.launcher train.yaml"
    assert [one.kind for one in found.plans[0].steps if one.file == "accel.yaml"] == ["file"]
    report = found.plans[0].reports[0]
    assert report.outcome.trains_in_fp8
    assert [one for one in report.findings if one.severity == "error"] == []


def test_a_new_file_has_a_name_that_is_free(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    with open("accel.yaml", "w") as file:
        file.write("of somebody else\n")
    text = "model_name_or_path: a/b\nfinetuning_type: full\nfp8: true\nbf16: true\n"
    part = request_of({"train.yaml": text}, stack=FACTORY)
    for follow, name in ((True, "accelerate.yaml"), (False, "accel.yaml")):  # a stranger is not told what is here
        found = planned(part._replace(follow=follow))
        assert [one.file for one in found.plans[0].steps if one.kind == "file"] == [name]


def test_the_command_is_told_to_read_the_file() -> None:
    files = {"train.yaml": "output_dir: out\nlearning_rate: 1.0e-5\n", "accel.yaml": SINGLE}
    found = planned(request_of(files, "python train.py train.yaml"))
    assert steps(found) == [
        "launch python train.py train.yaml -> accelerate launch --config_file accel.yaml train.py train.yaml"
    ]


@pytest.mark.parametrize(
    ("command", "then"),
    [
        ("accelerate launch t.py", "accelerate launch --config_file accel.yaml t.py"),
        ("accelerate launch --config_file b.yaml t.py", "accelerate launch --config_file accel.yaml t.py"),
        ("accelerate launch --config_file=b.yaml t.py", "accelerate launch --config_file=accel.yaml t.py"),
        ("A=1 torchrun --nproc_per_node 1 t.py --x", "A=1 accelerate launch --config_file accel.yaml t.py --x"),
        ("accelerate-launch t.py", "accelerate-launch --config_file accel.yaml t.py"),
        ("srun python t.py", None),
    ],
)
def test_commands(command: str, then: str | None) -> None:
    part = request_of({"accel.yaml": SINGLE}, command)
    found = planned(part._replace(script=("t.py", b"from accelerate import Accelerator\nAccelerator()\n")))
    assert [one.launch for one in found.plans[:1]] == ([then] if then is not None else [])
    assert bool(found.why_not) == (then is None)


TRL = "model_name_or_path: a/b\ndataset_name: c/d\nbf16: false\ngradient_checkpointing: false\n"
TRL += "pad_to_multiple_of: 16\n"


@pytest.mark.parametrize(
    ("text", "more", "then", "command"),
    [
        (f"{TRL}accelerate_config: single_gpu\n", "", f"{TRL}accelerate_config: accel.yaml\n", None),
        (f"{TRL}accelerate_config: fsdp2\n", " --accelerate_config accel.yaml", TRL, None),
        (TRL, " --accelerate_config=accel.yaml", TRL, " --accelerate_config accel.yaml"),
        (TRL, " --accelerate_config x.yaml --accelerate_config accel.yaml", TRL, " --accelerate_config accel.yaml"),
    ],
)
def test_trl_s_command_is_given_one_accelerate_file(text: str, more: str, then: str, command: str | None) -> None:
    start = "trl sft --config train.yaml"
    part = request_of({"train.yaml": text, "accel.yaml": SINGLE}, f"{start}{more}", trainer="trl")
    first = planned(part, "fp8").plans[0]
    made = f"{then}torch_compile: true\n"  # of torchao alone nobody has anything
    assert next(one.text for one in first.documents if one.path == "train.yaml") == made
    assert first.launch == f"{start}{more if command is None else command}"


def test_trl_s_first_accelerate_file_stands_where_its_file_names_one() -> None:
    part = request_of(
        {"train.yaml": f"{TRL}accelerate_config: single_gpu\n"}, "trl sft --config train.yaml", trainer="trl"
    )
    first = planned(part, "fp8").plans[0]
    texts = {one.path: one.text for one in first.documents}
    assert texts["train.yaml"] == f"{TRL}accelerate_config: accel.yaml\ntorch_compile: true\n"
    assert "mixed_precision: fp8" in texts["accel.yaml"]
    assert first.launch == "trl sft --config train.yaml"


def test_a_flag_of_the_command_goes() -> None:
    files = {"train.yaml": "output_dir: out\nlearning_rate: 1.0e-5\n", "accel.yaml": SINGLE}
    command = "accelerate launch --config_file accel.yaml --mixed_precision bf16 train.py train.yaml"
    found = planned(request_of(files, command), "fp8")
    assert found.plans[0].launch == "accelerate launch --config_file accel.yaml train.py train.yaml"


@pytest.mark.parametrize("command", ["train.py train.yaml --bf16 true", "train.py train.yaml --bf16=true"])
def test_a_flag_of_the_trainer_on_the_command_line_goes(command: str) -> None:
    files = {"train.yaml": "output_dir: out\nlearning_rate: 1.0e-5\n", "accel.yaml": SINGLE}
    found = planned(request_of(files, f"accelerate launch --config_file accel.yaml {command}"), "fp8")
    assert found.plans[0].launch == "accelerate launch --config_file accel.yaml train.py train.yaml"


def test_a_variable_is_unset() -> None:
    files = {"train.yaml": "output_dir: out\nlearning_rate: 1.0e-5\n", "accel.yaml": SINGLE}
    variables = {"NVTE_BACKWARD_OVERRIDE": "dequantize"}
    found = planned(request_of(files, variables=variables))
    assert [one.after for one in found.plans[0].steps] == ["NVTE_BACKWARD_OVERRIDE"]
    assert "unset NVTE_BACKWARD_OVERRIDE" in as_text(found, Style(on=False))


def test_a_variable_in_front_of_the_command_goes_there() -> None:
    files = {"train.yaml": "output_dir: out\nlearning_rate: 1.0e-5\n", "accel.yaml": SINGLE}
    command = "accelerate launch --config_file accel.yaml train.py train.yaml"
    found = planned(request_of(files, f"NVTE_BACKWARD_OVERRIDE=dequantize {command}"))
    assert steps(found) == [f"launch NVTE_BACKWARD_OVERRIDE=dequantize {command} -> {command}"]


def test_a_package_that_is_lacking_is_installed() -> None:
    stack = {**TODAY, "transformer_engine": None, "torchao": None}
    stack = {name: version for name, version in stack.items() if version is not None}
    found = planned(request_of({"accel.yaml": SINGLE, "train.yaml": "output_dir: o\nbf16: false\n"}, stack=stack))
    assert [one.kind for one in found.plans[0].steps] == ["package"]
    assert found.plans[0].steps[0].after == "transformer_engine==2.20.2"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &x {bf16: true}\noutput_dir: o\nlearning_rate: 1.0e-5\n<<: *x\n", "shared through the anchor &x"),
        ("output_dir: o\nlearning_rate: 1.0e-5\nbf16: ${BF16}\n", "filled in later"),
    ],
)
def test_what_cannot_be_edited_is_said(text: str, reason: str) -> None:
    found = planned(request_of({"train.yaml": text, "accel.yaml": SINGLE}), "fp8")
    assert not found.plans
    assert reason in " ".join(found.why_not)


def test_a_plan_pads_the_tokens_of_a_run_that_it_changes() -> None:
    text = TRL.replace("pad_to_multiple_of: 16\n", "").replace("bf16: false", "bf16: true")
    text += "loss_type: nll\n"
    stack = {"accelerate": "1.15.0", "transformers": "5.17.0", "transformer_engine": "2.20.2", "trl": "1.14.0"}
    found = planned(request_of({"train.yaml": text, "accel.yaml": SINGLE}, trainer="trl", stack=stack), "fp8")
    assert steps(found) == [
        "edit train.yaml:3 bf16: true -> bf16: false",
        "edit train.yaml:6 None -> pad_to_multiple_of: 16",
    ]


def test_a_recipe_that_nobody_reads_is_written_as_it_was_meant() -> None:
    files = {"train.yaml": "output_dir: o\nbf16: false\n", "accel.yaml": SINGLE + "  amax_history_length: 16\n"}
    assert steps(planned(request_of(files), "fp8")) == [
        "edit accel.yaml:5 amax_history_length: 16 -> None",
        "edit accel.yaml:5 None -> amax_history_len: 16",
    ]


def test_under_deepspeed_it_goes_since_no_recipe_arrives() -> None:
    accelerate = SINGLE.replace("'NO'", "DEEPSPEED") + "  amax_history_length: 16\nnum_processes: 1\n"
    files = {
        "train.yaml": "output_dir: o\nbf16: true\n",
        "accel.yaml": accelerate + "deepspeed_config: {zero_stage: 2}\n",
    }
    found = planned(request_of(files, stack={**TODAY, "deepspeed": "0.19.8"}), "fp8")
    assert steps(found) == ["edit accel.yaml:5 amax_history_length: 16 -> None"]


def test_without_a_way_what_stands_against_it_is_said() -> None:
    found = planned(request_of({"train.yaml": "output_dir: o\nbf16: true\n", "accel.yaml": SINGLE}, gpu="8.0"))
    assert not found.reached
    reason = "FP701: NVIDIA A100 cannot compute in FP8 (compute capability 8.0, 8.9 is needed)"
    assert found.why_not == (reason,)
    text = as_text(found, Style(on=False))
    assert text.splitlines() == [
        "no way to FP8 was found",
        f"  {reason}",
        "in BF16 (fp8check fix --goal bf16)",
        "  1. accel.yaml:2   mixed_precision: fp8 -> mixed_precision: bf16",
        "  2. accel.yaml:3   delete fp8_config: ... (2 lines)",
        "  then              bf16, no layer in FP8",
    ]


def test_an_entry_of_several_lines_is_shown_as_it_will_stand_in_the_file() -> None:
    text = "fsdp_config:\n  fsdp_version: 2"
    step = Step(kind="edit", file="accel.yaml", line=4, before=None, after=text, why="FP521")
    assert [*step_lines(step, 1, Style(on=False))] == [
        "  1. accel.yaml:4   add fsdp_config: ... (2 lines)",
        "                    fsdp_config:",
        "                      fsdp_version: 2",
    ]
    replaced = step._replace(before="fsdp_config: {}")
    first, *_ = step_lines(replaced, 1, Style(on=False))
    assert first.endswith("fsdp_config: {} -> fsdp_config: ... (2 lines)")
    assert len([*step_lines(step._replace(by_hand="it is an alias"), 1, Style(on=False))]) == 1


def test_a_file_that_its_key_fp8_alone_makes_known_keeps_it() -> None:
    text = "base_model: a/b\nfp8: true\nfp8_config:\n  recipe: rowwise\n"
    found = planned(request_of({"train.yaml": text}, stack={**TODAY, "axolotl": "0.19.0"}), "bf16")
    assert steps(found) == [
        "edit train.yaml:2 fp8: true -> fp8: false",
        "edit train.yaml:3 fp8_config:\n  recipe: rowwise -> None",
    ]


def test_what_a_state_has_beside_another_that_lacks_the_same_is_not_gone_on_with() -> None:
    files = {name: (EXAMPLE / name).read_text() for name in ("train.yaml", "accelerate.yaml")}
    found = planned(request_of(files, facts=load(str(EXAMPLE / "facts.json"))), states=40, plans=1)
    assert "edit accelerate.yaml:5 backend: TE -> backend: AO" in steps(found)  # it took 130 of them


def test_of_several_runs_each_does_the_same_and_the_slowest_counts() -> None:
    text = "model_name_or_path: Qwen/Qwen2.5-7B\nper_device_train_batch_size: 4\nmax_seq_length: 2048\nbf16: true\n"
    accelerate = SINGLE.replace("'NO'", "MULTI_GPU\nnum_processes: 8").replace("TE", "AO")
    files = {"a.yaml": text, "b.yaml": text, "accel.yaml": accelerate}
    found = planned(request_of(files, gpus=8), states=24)
    assert steps(found) == [
        "edit a.yaml:4 bf16: true -> bf16: false",
        "edit a.yaml:5 None -> torch_compile: true",
        "edit b.yaml:4 bf16: true -> bf16: false",
        "edit b.yaml:5 None -> torch_compile: true",
        "edit accel.yaml:6 None -> enable_fsdp_float8_all_gather: false",
    ]


def test_a_strategy_comes_and_goes_with_its_section() -> None:
    text = "model_name_or_path: Qwen/Qwen2.5-7B\nper_device_train_batch_size: 4\nmax_seq_length: 2048\n"
    there = "zero_stage: 3\n  gradient_accumulation_steps: 1\n"
    accelerate = SINGLE.replace("'NO'", f"DEEPSPEED\nnum_processes: 8\ndeepspeed_config:\n  {there}").replace(
        "TE", "AO"
    )
    found = planned(request_of({"train.yaml": text, "accel.yaml": accelerate}, gpus=8))
    spread = [one for one in steps(found) if "_config" in one and "fp8" not in one]
    assert [one.split("\n")[0] for one in spread] == [
        "edit accel.yaml:3 deepspeed_config:",
        "edit accel.yaml:7 None -> fsdp_config:",
    ]


def test_who_reads_a_file_is_told_by_the_command() -> None:
    found = planned(request_of({"train.yaml": f"{TRL}learning_rate: 1.0e-5\n", "accel.yaml": SINGLE}, stack=TRL_1_9))
    # By the command it is decided what lacks; and with that done it is decided without the command.
    assert steps(found) == ["edit train.yaml:7 None -> loss_type: nll"]
    assert found.plans[0].launch == "trl sft --config train.yaml --accelerate_config accel.yaml"
    assert found.plans[0].reports[0].outcome.backend_name == "TE"


def test_a_key_that_the_release_does_not_read_is_not_written() -> None:
    text = "model_name_or_path: a/b\nfinetuning_type: lora\nfp8: true\nfp8_backend: torchao\nbf16: true\n"
    for release, is_read in (("1.11.0", False), ("1.15.0", True)):
        found = planned(request_of({"train.yaml": text}, stack={**FACTORY, "accelerate": release}))
        (made,) = (one.after for one in found.plans[0].steps if one.kind == "file")
        assert ("all_gather" in made) is is_read


def test_a_run_in_bf16_keeps_nothing_of_fp8() -> None:
    files = {"train.yaml": "output_dir: o\nbf16: false\n", "accel.yaml": SINGLE}
    found = planned(request_of(files, gpu="8.0"), "bf16")
    accel = found.plans[0].documents[1].text
    assert accel == "distributed_type: 'NO'\nmixed_precision: bf16\n"
    assert "FP8" not in as_text(found, Style(on=False)).split("then")[0]


def test_two_runs_that_share_a_file_are_planned_together() -> None:
    files = {
        "a.yaml": "output_dir: a\nbf16: true\n",
        "b.yaml": "output_dir: b\nbf16: false\nlearning_rate: 1.0e-5\n",
        "accel.yaml": SINGLE.replace("TE", "te"),
    }
    found = planned(request_of(files))
    assert steps(found) == ["edit a.yaml:2 bf16: true -> bf16: false", "edit accel.yaml:4 backend: te -> backend: TE"]
    assert len(found.plans[0].reports) == 2
    assert found.plans[0].launch is None


def test_what_nobody_knows_of_the_machine_is_planned_for_both_releases() -> None:
    files = {"train.yaml": "output_dir: o\nbf16: true\n", "accel.yaml": SINGLE}
    found = planned(request_of(files, facts=Facts()))
    assert steps(found) == ["edit train.yaml:2 bf16: true -> bf16: false"]
    assert found.plans[0].reports[0].earlier is not None


def test_how_many_gpus_a_plan_assumes_is_said() -> None:
    text = "model_name_or_path: Qwen/Qwen2.5-14B\nstage: sft\nfinetuning_type: full\ntemplate: qwen\nbf16: true\nfp8: true\n"
    text += "cutoff_len: 4096\nper_device_train_batch_size: 1\n"
    found = planned(request_of({"train.yaml": text}, facts=Facts()))
    said = as_text(found, Style(on=False))
    assert "num_processes: 1" in said
    assert "for 1 GPU, as nobody says how many there are (--facts does); with accelerate" in said
    assert "; an H200 has 140" in said  # what no GPU has room for is no memory without a limit
    known = planned(request_of({"train.yaml": text}, stack=FACTORY))
    assert "nobody says" not in as_text(known, Style(on=False))


def test_where_no_gpu_is_known_a_plan_fits_an_h200_if_there_is_one() -> None:
    text = "model_name_or_path: Qwen/Qwen2.5-{}B\nstage: sft\nfinetuning_type: full\ntemplate: qwen\nbf16: true\n"
    text += "cutoff_len: 4096\nper_device_train_batch_size: 1\noutput_dir: o\n"
    accelerate = "distributed_type: MULTI_GPU\nmixed_precision: fp8\nnum_processes: 8\nfp8_config:\n  backend: TE\n"
    for size, first in (("0.5", ""), ("14", "DEEPSPEED"), ("72", "FSDP")):  # of 72B no H200 has room for an eighth
        found = planned(request_of({"train.yaml": text.format(size), "accel.yaml": accelerate}, facts=Facts()))
        said = as_text(found, Style(on=False)).partition("\nor (")[0]
        assert f"distributed_type: MULTI_GPU -> distributed_type: {first}" in said or not first
        assert "distributed_type" in said or not first
        assert ("an H200 has 140" in said) is (size == "72")


def test_a_model_that_no_gpus_have_room_for_is_told_so() -> None:
    text = "model_name_or_path: meta-llama/Llama-3.1-405B\nstage: sft\nfinetuning_type: full\ntemplate: llama3\nbf16: true\n"
    text += "cutoff_len: 4096\nper_device_train_batch_size: 1\noutput_dir: o\n"
    accelerate = "distributed_type: MULTI_GPU\nmixed_precision: fp8\nnum_processes: 8\nfp8_config:\n  backend: TE\n"
    found = planned(request_of({"train.yaml": text, "accel.yaml": accelerate}, facts=Facts()))
    assert not found.reached
    assert any("it may not fit into the memory of any GPU" in one for one in found.why_not)
    assert any(one.startswith("more GPUs that share the model, or LoRA") for one in found.why_not)


def test_a_run_that_shards_its_model_gets_no_plan_of_one_process() -> None:
    text = (
        "base_model: meta-llama/Llama-3.1-8B\nfp8: true\ntorch_compile: true\nmicro_batch_size: 1\nsequence_len: 8192\n"
        "fsdp_version: 2\nfsdp_config:\n  auto_wrap_policy: TRANSFORMER_BASED_WRAP\n"
    )
    found = planned(request_of({"axolotl.yaml": text}, facts=Facts()))
    assert not found.plans
    assert "how many GPUs there are is not known: --facts" in found.why_not[0]


def test_llamafactory_under_zero3_gathers_weights_to_convert_them() -> None:
    accelerate = (
        "distributed_type: DEEPSPEED\nnum_processes: 2\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n"
        "deepspeed_config:\n  zero_stage: 3\n  zero3_init_flag: false\n  gradient_accumulation_steps: auto\n"
    )
    text = "model_name_or_path: Qwen/Qwen2.5-7B\nstage: sft\nfinetuning_type: full\ntemplate: qwen\nbf16: true\n"
    text += "disable_gradient_checkpointing: true\ncutoff_len: 4096\nper_device_train_batch_size: 2\n"
    part = request_of({"train.yaml": text, "accel.yaml": accelerate}, stack={**FACTORY, "deepspeed": "0.19.8"}, gpus=2)
    found = planned(part)
    error = found.given[0].outcome.error
    assert error is not None
    assert (error.code, error.stage, error.type) == ("zero3-gathers-nothing", "prepare", "RuntimeError")
    assert "tensor a (3584) must match the size of tensor b (0)" in error.first_line
    assert steps(found) == ["edit accel.yaml:8 zero3_init_flag: false -> zero3_init_flag: true"]
    # Absent, Accelerate sets it for stage 3; of ZeRO-2 each process has whole weights.
    for other in (accelerate.replace("  zero3_init_flag: false\n", ""), accelerate.replace("stage: 3", "stage: 2")):
        ready = planned(request_of({"train.yaml": text, "accel.yaml": other}, stack=FACTORY, gpus=2))
        assert ready.given[0].outcome.error is None or ready.given[0].outcome.error.code != "zero3-gathers-nothing"


def test_what_earlier_releases_alone_cannot_do_is_answered_by_newer_ones() -> None:
    accelerate = (
        "distributed_type: FSDP\nnum_processes: 8\nfsdp_config:\n  fsdp_version: 2\n"
        "  fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP\nmixed_precision: fp8\nfp8_config:\n  backend: AO\n"
    )
    files = {"train.yaml": "output_dir: o\nbf16: false\ntorch_compile: true\n", "accel.yaml": accelerate}
    found = planned(request_of(files, facts=Facts()))
    # torchao under FSDP2 starts with accelerate 1.13: no other strategy is taken for it.
    assert [one.kind for one in found.plans[0].steps] == ["package", "edit"]
    assert steps(found)[0] == "package None -> accelerate==1.15.0"
    assert "fsdp_cpu_ram_efficient_loading: false" in steps(found)[1]
    assert not any("MULTI_GPU" in one for number in range(len(found.plans)) for one in steps(found, number))


def test_alternatives_are_of_another_kind() -> None:
    text = "model_name_or_path: Qwen/Qwen2.5-7B\nper_device_train_batch_size: 4\nmax_seq_length: 2048\nbf16: true\n"
    accelerate = SINGLE.replace("'NO'", "MULTI_GPU\nnum_processes: 8").replace("TE", "AO")
    found = planned(request_of({"train.yaml": text, "accel.yaml": accelerate}, gpus=8))
    data = json.loads(as_json(found))["plans"]
    speeds = [one["speedup"]["predicted"] for one in data]
    # That which changes least is slower than BF16: with one entry more it pays.
    assert speeds == [1.22, 1.26]
    assert [one["outcome"]["backend"] for one in data][-1] == "TE"
    assert "or (fp8check fix --goal fp8 --plan 2)" in as_text(found, Style(on=False))


def test_the_search_is_bounded() -> None:
    files = {"train.yaml": "output_dir: o\nbf16: true\n", "accel.yaml": SINGLE}
    found = planned(request_of(files), states=0)
    assert "not all was tried" in found.why_not[-1]
    found = planned(request_of(files), spent=lambda: True)
    assert "not all was tried" in found.why_not[-1]


def test_a_plan_that_was_found_is_not_lost_because_its_turn_did_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """A good state that costs more than those before it waits for its turn, which a short search does not reach."""
    monkeypatch.setattr("fp8check.rules.repair.search.WIDE", 1)
    text = "model_name_or_path: Qwen/Qwen2.5-7B\noutput_dir: o\nbf16: true\ngradient_checkpointing: true\n"
    accelerate = SINGLE.replace("'NO'", "DEEPSPEED\nnum_processes: 2")
    part = request_of({"train.yaml": text, "accel.yaml": accelerate}, gpus=2)
    assert planned(part, states=6).plans


def test_a_release_that_does_not_know_the_trainers_fp8_is_upgraded_with_all_that_it_takes() -> None:
    """Only an exhaustive search found it: the other way round went through states that were left already."""
    old = {"accelerate": "1.7.0", "transformers": "4.52.4", "peft": "0.15.2", "trl": "0.9.6", "llamafactory": "0.9.3"}
    text = "model_name_or_path: a/b\nstage: sft\nfinetuning_type: full\nfp8: true\nbf16: true\n"
    stack = {**FACTORY, **old, "torchao": None}
    found = planned(
        request_of({"train.yaml": text}, "llamafactory-cli train train.yaml", stack=stack, gpus=2), states=80
    )
    names = [one.after.partition("==")[0] for one in found.plans[0].steps if one.kind == "package" and one.after]
    assert {"llamafactory", "transformers", "accelerate"} <= {*names}


def test_the_words_of_a_scripts_own_command_line_go() -> None:
    script = (
        "import argparse\nfrom transformers import Trainer, TrainingArguments\n"
        "parser = argparse.ArgumentParser()\nparser.add_argument('--bf16', action='store_true')\n"
        "given = parser.parse_args()\nTrainer(args=TrainingArguments('out', **vars(given))).train()\n"
    )
    part = request_of({"accel.yaml": SINGLE}, "accelerate launch --config_file accel.yaml train.py --bf16")
    found = planned(part._replace(script=("train.py", script.encode())))
    assert [one.after for one in found.plans[0].steps] == ["accelerate launch --config_file accel.yaml train.py"]


def test_large_files_are_tried_less_often() -> None:
    files = {"train.yaml": "output_dir: o\nbf16: true\n" + "# a comment\n" * 40_000, "accel.yaml": SINGLE}
    assert steps(planned(request_of(files))) == ["edit train.yaml:2 bf16: true -> bf16: false"]


def test_files_of_no_run_are_refused() -> None:
    with pytest.raises(WrongFiles):
        planned(request_of({"a.yaml": SINGLE, "b.yaml": SINGLE}))


def test_the_json_is_that_of_the_schema() -> None:
    part = request_of({"train.yaml": "output_dir: out\nbf16: true\n", "accel.yaml": SINGLE})
    data = json.loads(as_json(planned(part)))
    assert [*data] == ["schema", "goal", "reached", "why_not", "plans"]
    assert (data["schema"], data["goal"], data["reached"], data["why_not"]) == ("fp8check/plan/1", "fp8", True, [])
    first = data["plans"][0]
    assert [*first] == ["steps", "launch", "outcome", "speedup", "memory", "remaining", "evidence", "summary", "fix"]
    assert first["steps"][0] == {
        "kind": "edit",
        "file": "train.yaml",
        "line": 2,
        "before": "bf16: true",
        "after": "bf16: false",
        "why": "FP101",
    }
    assert first["outcome"]["starts"] is True


def test_credentials_stay() -> None:
    files = {"train.yaml": "output_dir: out\nbf16: true\n", "accel.yaml": SINGLE}
    part = request_of(files, "python train.py train.yaml --hub_token s3cr3t-and-long")
    for text in (as_json(planned(part)), as_text(planned(part), Style(on=False))):
        assert "s3cr3t" not in text


LAUNCHED = "accelerate launch --config_file conf/accel.yaml -m llamafactory.launcher conf/train.yaml"


@pytest.fixture
def launched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files that a launch names."""
    (tmp_path / "conf").mkdir()
    text = "model_name_or_path: a/b\nfinetuning_type: full\nbf16: true\ndisable_gradient_checkpointing: true\n"
    (tmp_path / "conf" / "train.yaml").write_text(text)
    (tmp_path / "conf" / "accel.yaml").write_text(SINGLE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_files_that_the_command_names_are_changed_too(launched: Path) -> None:
    found = planned(RunRequest((), facts_of({"stack": FACTORY}), LAUNCHED))
    assert steps(found) == ["edit conf/train.yaml:3 bf16: true -> bf16: false"]
    assert sorted(one.path for one in found.before) == ["conf/accel.yaml", "conf/train.yaml"]
    assert launched.is_dir()


def test_files_that_a_line_of_a_script_names_are_changed_too(launched: Path) -> None:
    job = read("job.sh", f"{LAUNCHED}\n".encode())
    found = planned(RunRequest((job,), facts_of({"stack": FACTORY})))
    assert steps(found) == ["edit conf/train.yaml:3 bf16: true -> bf16: false"]
    other = read("job.sh", f"{LAUNCHED.replace(' -m', ' --cpu -m')}\n".encode())
    found = planned(RunRequest((other,), facts_of({"stack": FACTORY})), "fp8")
    assert steps(found) == ["edit job.sh:1 --cpu -> None", "edit conf/train.yaml:3 bf16: true -> bf16: false"]
    assert found.plans[0].documents[0].text == job.text
    assert launched.is_dir()


def test_a_release_that_is_not_known_is_named(launched: Path) -> None:
    text = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: AO, enable_fsdp_float8_all_gather: false}\n"
    found = planned(request_of({"train.yaml": "output_dir: o\nbf16: false\n", "accel.yaml": text}, facts=Facts()))
    assert [one.kind for one in found.plans[0].steps] in ([], ["package"])
    assert launched.is_dir()


def test_a_run_in_bf16_keeps_no_flag_of_another_precision() -> None:
    files = {"train.yaml": "output_dir: o\nbf16: true\nlearning_rate: 1.0e-5\n", "accel.yaml": SINGLE}
    command = "accelerate launch --config_file accel.yaml"
    found = planned(request_of(files, f"{command} --mixed_precision fp16 train.py train.yaml"), "bf16")
    assert found.plans[0].launch == f"{command} train.py train.yaml"


def test_behind_a_switch_of_the_launcher_stands_the_program() -> None:
    command = "accelerate launch --multi_gpu --fp8_use_autocast_during_eval train.py train.yaml"
    assert with_option(command, "fp8_use_autocast_during_eval", ABSENT) == (
        "accelerate launch --multi_gpu train.py train.yaml"
    )
    assert with_option(f"{command} --debug true", "debug", ABSENT) == command
    assert with_option("python train.py --bf16 True", "bf16", ABSENT) == "python train.py"
    unknown = "accelerate launch --fp8_amax train.py"
    assert with_option(unknown, "fp8_amax", ABSENT) == "accelerate launch train.py", "the program is no value"


@pytest.mark.parametrize(
    ("release", "class_", "key"),
    [("0.24.0", "DPO", None), ("0.29.0", "DPO", "pad_to_multiple_of"), ("0.24.0", "SFT", "pad_to_multiple_of")],
)
def test_a_script_of_trl_gets_what_its_class_has(release: str, class_: str, key: str | None) -> None:
    text = f'from trl import {class_}Config, {class_}Trainer\nargs = {class_}Config(output_dir="o", bf16=True)\n'
    script = f'{text}{class_}Trainer(model="a/b", args=args).train()\n'
    stack = {**TODAY, "trl": release, "transformers": "4.57.1", "peft": "0.18.1"}
    part = request_of({"accel.yaml": SINGLE}, "accelerate launch --config_file accel.yaml train.py", stack=stack)
    (run,) = (one.inputs.run for one in planned(part._replace(script=("train.py", script.encode()))).given)
    assert run.training.padding_key(Stack(run.facts), run.launch, run.script) == key


def test_a_run_in_bf16_that_is_too_large_gets_a_file_that_shards_it() -> None:
    text = (
        "model_name_or_path: meta-llama/Llama-3.1-8B\nfinetuning_type: full\nfp8: true\nbf16: true\ncutoff_len: 2048\n"
    )
    found = planned(
        request_of(
            {"train.yaml": text},
            "torchrun --nproc_per_node 8 -m llamafactory.launcher train.yaml",
            stack=FACTORY,
            gpus=8,
            gpu="8.0",
        ),
        "bf16",
    )
    (made,) = (one.after for one in found.plans[0].steps if one.kind == "file")
    assert made is not None
    assert made.startswith("compute_environment: LOCAL_MACHINE\ndistributed_type: FSDP\nmixed_precision: bf16\n")
    assert "fp8" not in made
    assert found.plans[0].launch == "accelerate launch --config_file accel.yaml -m llamafactory.launcher train.yaml"


_OWN = (
    "import torch\nfrom accelerate import Accelerator\nfrom transformers import AutoModelForCausalLM\n\n"
    "accelerator = Accelerator({})\nmodel = AutoModelForCausalLM.from_pretrained('a/b')\nmodel.train()\n"
    "optimizer = torch.optim.AdamW(model.parameters())\nmodel, optimizer = accelerator.prepare({})\n"
    "accelerator.backward(model(x).loss)\n"
)


def _planned_script(text: str, goal: Goal, folder: Path) -> Planned:
    (folder / "train.py").write_text(text, encoding="utf-8")
    launch = f"python {folder / 'train.py'}"
    return planned(RunRequest((), facts_of({"stack": TODAY}), launch), goal)


@pytest.mark.parametrize(
    ("keywords", "gone"),
    [
        ("fp8=True", "fp8=True"),
        ("mixed_precision='bf16', even_batches=False", "even_batches=False"),
        (
            "mixed_precision='bf16', gradient_accumulation_steps=4, gradient_accumulation_plugin=Plugin(num_steps=2)",
            "gradient_accumulation_steps=4",
        ),
    ],
)
def test_a_keyword_that_ends_the_run_goes(keywords: str, gone: str, tmp_path: Path) -> None:
    found = _planned_script(_OWN.format(keywords, "model, optimizer"), "bf16", tmp_path)
    assert [one.before for one in found.plans[0].steps if one.kind == "edit"] == [gone]
    (document,) = (one for one in found.plans[0].documents if one.kind == "script")
    assert gone not in document.text


def test_no_plan_calls_a_model_bf16_that_no_prepare_gets(tmp_path: Path) -> None:
    text = _OWN.format("mixed_precision='bf16'", "optimizer").replace("model, optimizer = ", "optimizer = ")
    assert _planned_script(text, "bf16", tmp_path).plans == ()


TWICE = """model_name_or_path: a/b
finetuning_type: lora  # as always
bf16: true  # of last year
output_dir: out
fp8: true
nested: {a: 1}
bf16: false
fp8: true
"""


@pytest.mark.parametrize("goal", ["fp8", "bf16"])
def test_a_key_that_stands_twice_and_is_refused_stays_once(goal: Goal) -> None:
    part = request_of({"train.yaml": TWICE, "accel.yaml": SINGLE}, stack=FACTORY)
    found = planned(part, goal)
    made = steps(found)
    assert made[:1] == ["edit train.yaml:3 bf16: true  # of last year -> None"]
    assert "edit train.yaml:5 fp8: true -> None" in made
    text = found.plans[0].documents[0].text
    assert text.count("bf16:") == 1
    assert "finetuning_type: lora  # as always\n" in text
    assert [one.rule for one in found.given[0].findings if one.rule == "FP904"] == ["FP904", "FP904"]
    assert steps(planned(applied(part, found.plans[0]), goal)) == []


def test_a_key_that_stands_twice_where_the_last_one_counts_is_left() -> None:
    text = "bf16: true\noutput_dir: out\nbf16: false\n"
    assert steps(planned(request_of({"train.yaml": text, "accel.yaml": SINGLE}))) == []


def test_options_of_the_backend_before_go_with_it() -> None:
    training = "model_name_or_path: Qwen/Qwen2.5-0.5B\nfinetuning_type: full\nfp8: true\nfp8_backend: te\n"
    accelerate = f"{SINGLE}  fp8_format: HYBRID\n  amax_history_len: 1024  # the default\n"
    part = request_of({"train.yaml": training, "accel.yaml": accelerate}, stack=FACTORY)
    made = steps(planned(part))
    assert "edit accel.yaml:4 backend: TE -> backend: AO" in made
    assert "edit accel.yaml:5 fp8_format: HYBRID -> None" in made
    assert "edit accel.yaml:6 amax_history_len: 1024 -> None" in made
    assert "edit train.yaml:4 fp8_backend: te -> None" in made


def test_options_of_a_backend_that_stays_are_left() -> None:
    accelerate = f"{SINGLE}  amax_history_len: 1024\n"
    part = request_of({"train.yaml": "output_dir: out\nbf16: true\n", "accel.yaml": accelerate})
    assert steps(planned(part)) == ["edit train.yaml:2 bf16: true -> bf16: false"]


def test_a_new_entry_is_written_once_where_several_that_go_have_its_value() -> None:
    training = "model_name_or_path: Qwen/Qwen2.5-0.5B\nbf16: false\noutput_dir: out\n"
    accelerate = f"{SINGLE}  use_autocast_during_eval: false\n  override_linear_precision: false\n"
    found = planned(request_of({"train.yaml": training, "accel.yaml": accelerate}, trainer="trl"))
    assert found.plans[0].documents[1].text.count("enable_fsdp_float8_all_gather: false") == 1
    assert "FP902" not in {one.rule for one in found.plans[0].reports[0].findings}


FLAGS = (
    "from transformers import HfArgumentParser, TrainingArguments, Trainer\n(a,) = HfArgumentParser(TrainingArguments)"
)
FLAGS += ".parse_args_into_dataclasses()\nTrainer(args=a)\n"


def test_fsdp_that_the_command_asks_for_is_kept() -> None:
    launch = "accelerate launch --use_fsdp --fsdp_version 2 --num_processes 8 --mixed_precision fp8 --fp8_backend ao"
    found = planned(request_of({"train.py": FLAGS}, f"{launch} train.py --output_dir out --bf16", gpus=8), "fp8")
    (made,) = [one for one in found.plans[0].documents if one.path == "accel.yaml"]
    assert "distributed_type: FSDP\n" in made.text
    assert "backend: AO\n" in made.text
    assert found.plans[0].reports[0].outcome.distributed_type == "FSDP"


def test_deepspeed_of_the_training_arguments_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(FLAGS)
    (tmp_path / "ds.json").write_text(
        '{"fp16": {"enabled": true}, "bf16": {"enabled": false}, "zero_optimization": {"stage": 2}}'
    )
    launch = "deepspeed --num_gpus 8 train.py --deepspeed ds.json --output_dir out --bf16"
    stack = {**TODAY, "deepspeed": "0.19.8"}
    part = request_of({}, launch, stack=stack, gpus=8)._replace(follow=True, script=None)
    found = planned(part, "fp8")
    assert 'edit ds.json:1 "enabled": true -> "enabled": false' in steps(found)
    assert "--deepspeed ds.json" in str(found.plans[0].launch)
    assert found.plans[0].reports[0].outcome.distributed_type == "DEEPSPEED"


def test_fsdp_of_a_file_that_trl_brings_along_is_kept() -> None:
    command = "trl sft --model_name_or_path a/b --dataset_name c --output_dir out --num_processes 8"
    found = planned(request_of({}, f"{command} --accelerate_config fsdp2 --bf16 True", stack=TRL_1_9, gpus=8), "fp8")
    assert found.plans[0].reports[0].outcome.distributed_type == "FSDP"


@pytest.mark.parametrize("goal", ["fp8", "bf16"])
def test_what_a_script_does_that_cannot_be_read_is_said_at_once(goal: Goal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("fp8check.rules.repair.search.Search.judged")  # no change would make it seen
    launch = "accelerate launch --config_file other.yaml --mixed_precision fp8 train.py"
    part = RunRequest((read("accel.yaml", SINGLE.encode()),), facts_of({}), launch, None, follow=False)
    found = planned(part, goal)
    assert not found.reached
    assert found.is_whole
    assert [line.partition(" (")[0] for line in found.why_not] == [
        "not known: what other.yaml says",
        "not known: train.py: no such file",
    ]
    assert (found.neither == "whole") == (goal == "fp8")


@pytest.mark.parametrize(
    ("entry", "step"),
    [
        ("lora_target_modules: q_proj, v_proj", "[q_proj, v_proj]"),
        ("lora_target_modules: [q_proj]", ".*q_proj"),
        ("lora_target_modules: [c_attn]", "all-linear"),
        ("lora_target_modules: []", "all-linear"),
        ("lora_target_modules: [q_proj, v_proj, lm_head]", "[q_proj, v_proj]"),
        ("lora_target_modules: [lm_head, o_proj]", ".*o_proj"),
        ("lora_r: 0", "lora_r: 16"),
        ("gradient_accumulation_steps: 0", ""),
    ],
)
def test_adapters_that_find_no_layer_get_some(entry: str, step: str) -> None:
    training = (
        "model_name_or_path: Qwen/Qwen2.5-7B\ndataset_name: d\noutput_dir: out\nbf16: false\nuse_peft: true\n"
        f"max_length: 2048\npacking: true\ngradient_checkpointing: false\n{entry}\n"
    )
    files = {"train.yaml": training, "accel.yaml": SINGLE.replace("TE", "AO")}
    launch = "trl sft --config train.yaml --accelerate_config accel.yaml"
    found = planned(request_of(files, launch, trainer="trl", stack={**TODAY, "trl": "1.16.0", "peft": "0.21.2"}))
    assert found.reached, found.why_not
    key = entry.partition(":")[0]
    assert any(one.endswith(step) for one in steps(found) if key in one), steps(found)


def test_a_flag_for_adapters_gets_a_pattern() -> None:
    training = "model_name_or_path: Qwen/Qwen2.5-7B\ndataset_name: d\noutput_dir: out\nbf16: false\nuse_peft: true\n"
    files = {"train.yaml": training, "accel.yaml": SINGLE.replace("TE", "AO")}
    launch = "trl sft --config train.yaml --accelerate_config accel.yaml --lora_target_modules q_proj,v_proj"
    found = planned(request_of(files, launch, trainer="trl", stack={**TODAY, "trl": "1.16.0", "peft": "0.21.2"}))
    assert found.plans[0].launch is not None
    assert found.plans[0].launch.endswith("--lora_target_modules '.*(q_proj|v_proj)'")


def test_what_is_to_evaluate_in_llamafactory_gets_a_share_of_the_data() -> None:
    training = (
        "model_name_or_path: Qwen/Qwen2.5-7B\nstage: sft\ndo_train: true\nfinetuning_type: full\ndataset: d\n"
        "cutoff_len: 2048\noutput_dir: out\nbf16: true\neval_strategy: steps\n"
    )
    found = planned(request_of({"train.yaml": training}, "llamafactory-cli train train.yaml", stack=FACTORY), "bf16")
    assert any(one.endswith("val_size: 0.1") for one in steps(found)), steps(found)


@pytest.mark.parametrize("how", ["accelerate-launch", "python -m accelerate.commands.launch", "accelerate launch"])
def test_a_launcher_by_any_name_gets_the_file(how: str) -> None:
    script = (
        b"import torch\nfrom accelerate import Accelerator\na = Accelerator()\nm = a.prepare(torch.nn.Linear(64, 64))\n"
    )
    accelerate = read("accel.yaml", SINGLE.replace("TE", "AO").encode())
    part = RunRequest((accelerate,), facts_of({}), f"{how} train.py", None, follow=False, script=("train.py", script))
    found = planned(part)
    assert found.plans[0].launch == f"{how} --config_file accel.yaml train.py"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (
            "accelerate launch --config_file accel.yaml --module train.py",
            "accelerate launch --config_file accel.yaml train.py",
        ),
        (
            "accelerate launch --config_file accel.yaml -m train.py",
            "accelerate launch --config_file accel.yaml train.py",
        ),
        (
            "accelerate launch --no_python --config_file accel.yaml train.py",
            "accelerate launch --config_file accel.yaml train.py",
        ),
    ],
)
def test_a_file_that_is_started_as_what_it_is_not_is_started_as_a_script(command: str, told: str) -> None:
    script = (
        b"import torch\nfrom accelerate import Accelerator\na = Accelerator()\nm = a.prepare(torch.nn.Linear(64, 64))\n"
    )
    files = (read("accel.yaml", SINGLE.replace("TE", "AO").encode()),)
    found = planned(RunRequest(files, facts_of({}), command, None, follow=False, script=("train.py", script)))
    assert found.reached, found.why_not
    assert found.plans[0].launch == told


def test_a_flag_of_three_values_that_has_one_goes() -> None:
    part = request_of(
        {"accel.yaml": SINGLE},
        "accelerate launch --config_file accel.yaml --fp8_override_linear_precision True train.py",
    )
    script = (
        b"import torch\nfrom accelerate import Accelerator\na = Accelerator()\nm = a.prepare(torch.nn.Linear(64, 64))\n"
    )
    found = planned(
        part._replace(script=("train.py", script), facts=facts_of({"stack": {**TODAY, "transformer_engine": "1.11.0"}}))
    )
    assert found.reached, found.why_not
    assert found.plans[0].launch == "accelerate launch --config_file accel.yaml train.py"


def test_a_compute_environment_that_there_is_not_is_the_local_machine() -> None:
    accelerate = f"compute_environment: LOCAL\n{SINGLE.replace('TE', 'AO')}"
    part = request_of({"accel.yaml": accelerate}, "accelerate launch --config_file accel.yaml train.py")
    script = (
        b"import torch\nfrom accelerate import Accelerator\na = Accelerator()\nm = a.prepare(torch.nn.Linear(64, 64))\n"
    )
    found = planned(part._replace(script=("train.py", script)))
    assert any("LOCAL -> " in one and one.endswith("LOCAL_MACHINE") for one in steps(found)), steps(found)
