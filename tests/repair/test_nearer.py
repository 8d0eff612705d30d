"""Plans that take a step which none of its parts pays for: runs of which it was said that there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fp8check.rules.checking.planning import applied
from fp8check.rules.checking.request import RunRequest
from fp8check.rules.checking.runs import parse_launch
from fp8check.rules.facts import Gpu
from fp8check.rules.moves import launching, precision
from tests.moves.test_single_moves import site_of
from tests.repair.test_plan import FACTORY, SINGLE, planned, request_of, steps
from tests.support.runs import TODAY, facts_of

if TYPE_CHECKING:
    from fp8check.rules.moves.site import Goal

AXOLOTL = "base_model: org/model\ndatasets: [{path: a, type: alpaca}]\nbf16: auto\nfp8: true\n"
SHARDED = (
    "distributed_type: FSDP\nmixed_precision: bf16\nfsdp_config:\n  fsdp_version: 2\n"
    "  fsdp_cpu_ram_efficient_loading: false\n"
)
ADA: dict[str, Any] = {"stack": {**TODAY, "axolotl": "0.19.0", "deepspeed": "0.19.8"}, "gpu": "8.9", "gpus": 2}


def reached(part: RunRequest, goal: Goal) -> list[str]:
    """The steps of the plan; behind it there is nothing to do."""
    found = planned(part, goal)
    assert found.reached, found.why_not
    assert steps(planned(applied(part, found.plans[0]), goal)) == []
    return steps(found)


def test_a_name_that_is_misspelled_is_no_name_too_many() -> None:
    files = {"train.yaml": AXOLOTL, "accel.yaml": f"{SHARDED}num_procceses: 2\n"}
    found = planned(request_of(files, **ADA), "fp8")
    made = steps(found)
    assert "edit accel.yaml:6 num_procceses: 2 -> None" in made
    assert any(one.endswith("None -> num_processes: 2") for one in made)


def test_fp8_goes_from_a_trainer_that_refuses_the_gpu_to_the_file_in_one_step() -> None:
    site = site_of(request_of({"train.yaml": AXOLOTL, "accel.yaml": f"{SHARDED}num_processes: 2\n"}, **ADA))
    (action,) = precision.everything_fp8(site)
    assert [(one.file, ".".join(one.path), str(one.value)) for one in action.assigns][-2:] == [
        ("accel.yaml", "mixed_precision", "fp8"),
        ("accel.yaml", "fp8_config.backend", "TE"),
    ]
    assert [*precision.everything_fp8(site._replace(goal="bf16"))] == []
    assert [*precision.everything_fp8(site_of(request_of({"train.yaml": AXOLOTL}, **ADA)))] == []


def test_a_file_that_is_known_by_its_fp8_alone_keeps_the_key() -> None:
    part = request_of({"train.yaml": "base_model: a/b\nfp8: true\n"}, trainer="axolotl", **ADA)
    assert reached(part, "bf16") == ["edit train.yaml:2 fp8: true -> fp8: false"]


def test_what_cannot_be_written_is_not_come_to_again() -> None:
    files = {"train.yaml": "output_dir: out\nfsdp: full_shard\n", "accel.yaml": SINGLE}
    made = reached(request_of(files, trainer="transformers"), "bf16")
    assert "edit train.yaml:2 fsdp: full_shard -> None" in made
    assert any(one.endswith("bf16: true") for one in made)  # else nobody could tell what the file is


@pytest.mark.parametrize(
    ("words", "left"), [("bf16=true fp8=true", " bf16=true"), ("fp8=true fp8_backend=te bf16=true", " bf16=true")]
)
def test_words_of_a_trainers_own_command_are_changed_there(words: str, left: str) -> None:
    lf = {"lf.yaml": "model_name_or_path: a/b\nfinetuning_type: full\n"}
    command = "llamafactory-cli train lf.yaml"
    assert reached(request_of(lf, f"{command} {words}", stack=FACTORY), "bf16") == [
        f"launch {command} {words} -> {command}{left}"
    ]


def test_bf16_by_the_file_where_a_script_takes_its_flags_from_a_parser() -> None:
    script = (
        "import argparse\nfrom transformers import Trainer, TrainingArguments\n"
        "parser = argparse.ArgumentParser()\nparser.add_argument('--bf16', action='store_true')\n"
        "parser.add_argument('--fp16', action='store_true')\nargs = parser.parse_args()\n"
        "Trainer(args=TrainingArguments(output_dir='out', **vars(args))).train()\n"
    )
    command = "accelerate launch --config_file accel.yaml train.py"
    part = request_of({"accel.yaml": SINGLE}, command)._replace(script=("train.py", script.encode()))
    assert "edit accel.yaml:2 mixed_precision: fp8 -> mixed_precision: bf16" in reached(part, "bf16")


def test_variables_of_the_shell_are_unset_one_by_one_and_together() -> None:
    variables = {"ACCELERATE_FP8_BACKEND": "AO", "ACCELERATE_FP8_FORMAT": "E4M3"}
    files = {"train.yaml": "output_dir: out\nlearning_rate: 1.0e-5\n", "accel.yaml": SINGLE}
    made = [[*one.variables] for one in launching.variables_unset(site_of(request_of(files, variables=variables)))]
    assert made == [*([one] for one in made[-1]), made[-1]]
    assert sorted(made[-1]) == sorted(variables)
    alone = request_of(files, variables={"ACCELERATE_FP8_BACKEND": "AO"})
    assert [[*one.variables] for one in launching.variables_unset(site_of(alone))] == [["ACCELERATE_FP8_BACKEND"]]


def test_a_file_of_which_too_little_would_be_left_says_what_it_does_not_use() -> None:
    text = "stage: sft\nfp8_enable_fsdp_float8_all_gather: 'none'\n"
    made = reached(request_of({"train.yaml": text}, trainer="llamafactory", stack=FACTORY), "fp8")
    assert "edit train.yaml:3 None -> bf16: false" in made
    files = {"train.yaml": "output_dir: out\nfsdp: full_shard\n", "accel.yaml": SINGLE}
    made = reached(request_of(files, trainer="transformers"), "fp8")
    assert "edit train.yaml:2 None -> bf16: false" in made


@pytest.mark.parametrize("front", ["env -u NCCL_DEBUG ", "conda run -n x "])
def test_a_command_with_wrappers_reads_the_new_file_within_them(front: str) -> None:
    script = b"from accelerate import Accelerator\na = Accelerator()\nm, o = a.prepare(m, o)\n"
    command = "accelerate launch --mixed_precision bf16 train.py"
    part = RunRequest((), facts_of({}), f"{front}{command}", script=("train.py", script), follow=False)
    site = site_of(part)
    assert launching.command_with_file(site, "new.yaml") == front + command.replace(
        "launch", "launch --config_file new.yaml"
    )
    inside = parse_launch(f"docker run image {command}")
    assert inside is not None
    assert launching.command_with_file(site._replace(run=site.run._replace(launch=inside)), "new.yaml") is None


def test_a_file_that_the_command_passes_by_may_be_the_one_that_shards_the_run() -> None:
    """All that may be done was tried for it, 330 states, which a slow machine has no time for."""
    axolotl = AXOLOTL.replace("org/model", "Qwen/Qwen3-30B-A3B").replace("auto", "true")
    files = {
        "train.yaml": f"{axolotl}sequence_len: 1024\nmicro_batch_size: 2\n",
        "accel.yaml": f"{SHARDED.replace('loading: false', 'loading: true')}num_processes: 8\n",
    }
    part = request_of(files, "axolotl train train.yaml", **{**ADA, "gpu": "9.0", "gpus": 8})
    gpus = [Gpu(at, "NVIDIA H200", "9.0", 143_771, False) for at in range(8)]
    found = planned(part._replace(facts=part.facts._replace(gpus=gpus)), states=30)
    error = found.given[0].outcome.error
    assert error is not None
    assert error.code == "out-of-memory"
    assert "None -> fsdp_config:" in "\n".join(steps(found))
