"""Plans that change scripts and the lines of shell scripts, and what they leave for people to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.checking.planning import applied, plan_request
from fp8check.rules.checking.request import Request, RunRequest, check_request
from fp8check.rules.repair import fix_all
from fp8check.rules.report.plan import as_json, as_text
from fp8check.rules.report.terminal import Style
from fp8check.rules.trainers.detect import read
from tests.support.runs import TODAY, facts_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fp8check.rules.moves.site import Goal
    from fp8check.rules.reading import Document
    from fp8check.rules.repair.plan import Planned
    from fp8check.rules.suppression.examined import Examined

SINGLE = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n"
TRAINER = """\
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

model = AutoModelForCausalLM.from_pretrained("a/b")
args = TrainingArguments(
    output_dir="out",
    bf16=True,  # fast
)
Trainer(model=model, args=args).train()
"""
OWN = """\
import torch
from accelerate import Accelerator
from accelerate.utils import FP8RecipeKwargs

accelerator = Accelerator(mixed_precision='bf16', kwargs_handlers=[FP8RecipeKwargs(backend="MSAMP")])
model = torch.nn.Linear(64, 64)
optimizer = torch.optim.AdamW(model.parameters())
model, optimizer = accelerator.prepare(model, optimizer)
for _ in range(3):
    accelerator.backward(model(torch.ones(16, 64)).sum())
    optimizer.step()
"""


def planned(files: dict[str, str], launch: str | None = None, goal: Goal | None = "fp8", **case: object) -> Planned:
    return plan_request(Request((request_of(files, launch, **case),)), goal)


def request_of(files: dict[str, str], launch: str | None = None, **case: object) -> RunRequest:
    documents = tuple(read(path, text.encode()) for path, text in files.items())
    return RunRequest(documents, facts_of({"stack": TODAY, **case}), launch, follow=False)


def steps(found: Planned, number: int = 0) -> list[str]:
    return [f"{one.file}:{one.line} {one.before} -> {one.after}" for one in found.plans[number].steps if one.file]


def texts(found: Planned) -> dict[str, str]:
    return {one.path: one.text for one in found.plans[0].documents}


def again(files: dict[str, str], found: Planned, launch: str | None = None) -> Planned:
    """What is to be done after the first plan."""
    return plan_request(Request((applied(request_of(files, launch), found.plans[0]),)), found.goal)


def test_a_keyword_that_has_another_name_now_keeps_its_value() -> None:
    trl = TRAINER.replace("TrainingArguments", "SFTConfig").replace("Trainer", "SFTTrainer")
    trl = trl.replace("from transformers import AutoModelForCausalLM, SFTTrainer, SFTConfig", "").strip()
    trl = f"from transformers import AutoModelForCausalLM\nfrom trl import SFTConfig, SFTTrainer\n{trl}\n"
    text = trl.replace("    bf16=True,", "    max_seq_length=2048,\n    bf16=True,")
    files = {"train.py": text, "accel.yaml": SINGLE}
    found = planned(files, "accelerate launch --config_file accel.yaml train.py", stack={**TODAY, "trl": "1.9.0"})
    changed = texts(found)["train.py"]
    assert "max_seq_length" not in changed
    assert "max_length=2048" in changed


def test_a_share_of_warm_up_steps_stays_one() -> None:
    files = {
        "train.py": TRAINER.replace("    bf16=True,", "    warmup_ratio=0.1,\n    bf16=True,"),
        "accel.yaml": SINGLE,
    }
    found = planned(
        files, "accelerate launch --config_file accel.yaml train.py", stack={**TODAY, "transformers": "5.23.0"}
    )
    assert "warmup_steps=0.1" in texts(found)["train.py"]
    assert "warmup_ratio" not in texts(found)["train.py"]


def test_an_argument_of_training_arguments_changes() -> None:
    files = {"train.py": TRAINER, "accel.yaml": SINGLE}
    found = planned(files)
    assert steps(found) == ["train.py:6 bf16=True -> bf16=False"]
    assert texts(found)["train.py"] == TRAINER.replace("bf16=True", "bf16=False")
    assert found.plans[0].launch == "accelerate launch --config_file accel.yaml train.py"
    assert steps(again(files, found)) == []


def test_an_argument_that_is_not_passed_comes_behind_the_others() -> None:
    without = TRAINER.replace("    bf16=True,  # fast\n", "    fp16=True,\n")
    found = planned({"train.py": without}, goal="bf16")
    assert texts(found)["train.py"] == without.replace("    fp16=True,\n", "    fp16=False,\n    bf16=True,\n")


def test_the_accelerator_of_a_script() -> None:
    files = {"own.py": OWN, "accel.yaml": SINGLE}
    found = planned(files)
    assert "own.py:5 mixed_precision='bf16' -> mixed_precision='fp8'" in steps(found)
    assert steps(again(files, found)) == []
    found = planned(files, goal="bf16")
    assert 'own.py:5 kwargs_handlers=[FP8RecipeKwargs(backend="MSAMP")] -> None' in steps(found)
    assert "Accelerator(mixed_precision='bf16')" in texts(found)["own.py"]


def test_a_variable_that_a_script_sets() -> None:
    text = OWN.replace("import torch\n", 'import os\nimport torch\n\nos.environ["ACCELERATE_MIXED_PRECISION"] = "no"\n')
    text = text.replace("mixed_precision='bf16', kwargs_handlers=[FP8RecipeKwargs(backend=\"MSAMP\")]", "")
    found = planned({"own.py": text, "accel.yaml": "distributed_type: 'NO'\nmixed_precision: bf16\n"}, goal="bf16")
    assert steps(found) == ['own.py:4 os.environ["ACCELERATE_MIXED_PRECISION"] = "no" -> None']
    assert "environ" not in texts(found)["own.py"]


OPTION = OWN.replace(
    "accelerator = Accelerator(mixed_precision='bf16', kwargs_handlers=[FP8RecipeKwargs(backend=\"MSAMP\")])",
    "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--precision', default='bf16')\n"
    "args = parser.parse_args()\naccelerator = Accelerator(mixed_precision=args.precision)",
)


def test_an_option_of_a_script() -> None:
    files = {"own.py": OPTION, "accel.yaml": SINGLE}
    assert steps(planned(files)) == ["own.py:7 default='bf16' -> default='fp8'"]
    launch = "accelerate launch --config_file accel.yaml own.py --precision bf16"
    found = planned(files, launch)
    assert steps(found) == []
    assert found.plans[0].launch == launch.replace("--precision bf16", "--precision fp8")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("os.cpu_count() > 1", "bf16 is computed"),
        ("FAST", "bf16 comes from FAST, which is used elsewhere, too"),
    ],
)
def test_what_is_computed_is_for_people_and_the_rest_of_the_plan_holds(value: str, why: str) -> None:
    text = "import os\n" + TRAINER.replace("bf16=True", f"tf32=FAST,\n    bf16={value}").replace(
        "model =", "FAST = True\nmodel ="
    )
    files = {"train.py": text, "accel.yaml": SINGLE.replace("fp8\n", "bf16\n", 1)}
    found = planned(files)
    (by_hand,) = (one for one in found.plans[0].steps if one.by_hand)
    assert (by_hand.by_hand, by_hand.after) == (why, "bf16=False")
    assert texts(found)["train.py"] == text
    assert "mixed_precision: fp8" in texts(found)["accel.yaml"]
    assert found.plans[0].reports[0].outcome.trains_in_fp8
    assert f"train.py:{by_hand.line}" in as_text(found, Style(on=False))
    assert f"{why}: write bf16=False yourself" in as_text(found, Style(on=False))
    assert f'"by_hand": "{why}"' in as_json(found)


def test_a_step_that_is_made_says_nothing_of_hands() -> None:
    assert "by_hand" not in as_json(planned({"train.py": TRAINER, "accel.yaml": SINGLE}))


JOB = """\
#!/bin/bash
#SBATCH --nodes=1
PRECISION=bf16
accelerate launch \\
    --config_file accel.yaml \\
    --mixed_precision "$PRECISION" \\
    --num_processes 1 \\
    train.py > log  # as always
"""


def test_the_line_of_a_shell_script() -> None:
    files = {"job.sh": JOB.replace('"$PRECISION"', "bf16"), "train.py": TRAINER, "accel.yaml": SINGLE}
    found = planned(files)
    assert steps(found)[0] == "job.sh:6 --mixed_precision bf16 -> None"
    assert texts(found)["job.sh"] == JOB.replace('    --mixed_precision "$PRECISION" \\\n', "")
    assert steps(again(files, found)) == []


def test_a_variable_of_a_shell_script_that_a_line_uses() -> None:
    files = {"job.sh": JOB, "train.py": TRAINER, "accel.yaml": SINGLE}
    found = planned(files)
    assert steps(found)[0] == "job.sh:3 --mixed_precision bf16 -> --mixed_precision fp8"
    assert texts(found)["job.sh"] == JOB.replace("=bf16", "=fp8")


def test_a_variable_that_a_shell_script_exports() -> None:
    job = "export ACCELERATE_MIXED_PRECISION=no\npython own.py\n"
    text = OWN.replace("mixed_precision='bf16', kwargs_handlers=[FP8RecipeKwargs(backend=\"MSAMP\")]", "")
    found = planned({"job.sh": job, "own.py": text}, goal="bf16")
    assert found.reached
    assert found.plans[0].reports[0].outcome.mixed_precision is not None


def test_the_trainer_of_a_line_starts_it_another_way() -> None:
    job = "llamafactory-cli train lf.yaml bf16=true\n"
    lf = "model_name_or_path: a/b\nfinetuning_type: full\nfp8: true\ndisable_gradient_checkpointing: true\n"
    stack = {**TODAY, "transformers": "5.6.0", "peft": "0.20.0", "trl": "0.24.0", "llamafactory": "0.9.5"}
    found = planned({"job.sh": job, "lf.yaml": lf}, stack=stack)
    made = texts(found)["job.sh"]
    assert made == "accelerate launch --config_file accel.yaml -m llamafactory.launcher lf.yaml\n"


def test_flags_are_all_there_is() -> None:
    launch = "trl sft --model_name_or_path a/b --dataset_name a/b --bf16 True --gradient_checkpointing False"
    found = planned({}, launch, stack={**TODAY, "trl": "1.16.0"})
    assert "--bf16 False" in str(found.plans[0].launch)


def test_lines_that_need_the_same_are_changed_together(tmp_path: Path) -> None:
    assert tmp_path.is_dir()
    line = "accelerate launch --config_file accel.yaml $ARGS train.py\n"
    files = {"job.sh": f"ARGS='--mixed_precision bf16'\n{line}{line}", "train.py": TRAINER, "accel.yaml": SINGLE}
    found = planned(files)
    assert texts(found)["job.sh"] == files["job.sh"].replace("--mixed_precision bf16", "")


def test_what_is_in_the_way_is_said() -> None:
    job = "bash -c 'accelerate launch --config_file accel.yaml --mixed_precision bf16 train.py'\n"
    found = planned({"job.sh": job, "train.py": TRAINER, "accel.yaml": SINGLE})
    assert not found.reached
    assert any("job.sh:1 --mixed_precision does not stand there as one word" in one for one in found.why_not)


def test_arguments_that_say_nothing_of_it_get_one_more() -> None:
    text = 'from trl import SFTConfig, SFTTrainer\n\nargs = SFTConfig("out", max_length=64)\nSFTTrainer(model="a/b", args=args).train()\n'
    found = planned({"sft.py": text, "accel.yaml": SINGLE}, stack={**TODAY, "trl": "1.16.0"})
    assert "bf16=False" in texts(found)["sft.py"].splitlines()[2]


FLAGS = """\
from transformers import AutoModelForCausalLM, HfArgumentParser, Trainer, TrainingArguments

(args,) = HfArgumentParser(TrainingArguments).parse_args_into_dataclasses()
Trainer(model=AutoModelForCausalLM.from_pretrained("a/b"), args=args).train()
"""


@pytest.mark.parametrize("flag", ["--no_bf16", "--fp8 True"])
def test_a_flag_that_the_parser_of_a_script_refuses_goes(flag: str) -> None:
    launch = f"accelerate launch --config_file accel.yaml train.py --output_dir o {flag}"
    found = planned({"train.py": FLAGS, "accel.yaml": SINGLE}, launch)
    assert found.plans[0].launch == launch.removesuffix(f" {flag}")


def test_fixes_of_rules_change_scripts_too() -> None:
    fixed = edited_by_fix({"train.py": TRAINER, "accel.yaml": SINGLE})
    assert fixed["train.py"] == TRAINER.replace("bf16=True", "bf16=False")
    computed = TRAINER.replace("bf16=True", "bf16=bool(1)")
    assert edited_by_fix({"train.py": computed, "accel.yaml": SINGLE})["train.py"] == computed


def edited_by_fix(files: dict[str, str]) -> dict[str, str]:
    """The files after `fix --unsafe`."""
    part = request_of(files)

    def examine(documents: Sequence[Document]) -> tuple[Examined, ...]:
        return check_request(Request((part._replace(documents=tuple(documents)),))).reports

    return {one.path: one.text for one in fix_all(part.documents, examine, unsafe=True).documents}


def test_scripts_that_cannot_be_edited_stay() -> None:
    broken = f"{TRAINER}(\n"
    found = planned({"train.py": broken, "accel.yaml": SINGLE}, "accelerate launch --config_file accel.yaml train.py")
    assert all(one.file != "train.py" for made in found.plans for one in made.steps)


@pytest.mark.parametrize("handler", ['FP8RecipeKwargs(backend="MSAMP", opt_level="O2")', "TERecipeKwargs(margin=0)"])
def test_the_recipe_of_a_script(handler: str) -> None:
    text = OWN.replace('FP8RecipeKwargs(backend="MSAMP")', handler).replace("'bf16'", "'fp8'")
    text = text.replace("import FP8RecipeKwargs", f"import {handler.partition('(')[0]}")
    found = planned({"own.py": text})
    assert found.reached
    assert "MSAMP" not in texts(found).get("own.py", "")
