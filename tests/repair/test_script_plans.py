"""Plans for scripts of which several things are wrong: each is found where it stands once others are changed."""

from __future__ import annotations

import pytest

from fp8check.rules.checking.planning import plan_request
from fp8check.rules.checking.request import Request, RunRequest
from fp8check.rules.trainers.detect import read
from tests.support.runs import facts_of

STACK = {"torch": "2.11.0", "accelerate": "1.15.0", "transformers": "5.23.0", "transformer_engine": "2.14.0"}
ACCELERATE = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n"
SCRIPT = """from transformers import Trainer, TrainingArguments

args = TrainingArguments("out", %s)
Trainer(model="m", args=args, train_dataset=rows).train()
"""
LAUNCH = "accelerate launch --config_file accel.yaml train.py"


def planned(script: str, launch: str = LAUNCH, accelerate: str = ACCELERATE) -> tuple[str, str, str | None]:
    """The script, the Accelerate file and the command as the first plan has them; empty where there is none."""
    documents = (read("train.py", script.encode()), read("accel.yaml", accelerate.encode()))
    facts = facts_of({"stack": STACK, "gpus": 1, "host": "node"})
    found = plan_request(Request((RunRequest(documents, facts, launch, script=None, follow=False),)))
    if not found.plans:
        return "", "", None
    first = found.plans[0]
    texts = {one.path: one.text for one in first.documents}
    return texts["train.py"], texts["accel.yaml"], first.state.launch


def arguments(keywords: str) -> str:
    """The keywords as the plan has them."""
    return planned(SCRIPT % keywords)[0].partition('TrainingArguments("out", ')[2].partition(")\n")[0]


@pytest.mark.parametrize(
    ("keywords", "after"),
    [
        # What goes stands before what goes next, and the last of them where another one begins.
        ("jit_mode_eval=False, gradient_accumulation_steps=0, seed=1", "seed=1"),
        ("seed=1, jit_mode_eval=False, gradient_accumulation_steps=0", "seed=1"),
        ("jit_mode_eval=False, seed=-1, max_steps=1, bf16=True", "max_steps=1, bf16=False"),
        # What comes is refused in turn: it is that, and not its neighbor, that goes.
        ('save_strategy="no", warmup_ratio=-0.1', 'save_strategy="no"'),
        ('warmup_ratio=-0.1, save_strategy="no"', 'save_strategy="no"'),
        ("no_cuda=False, seed=1", "seed=1, use_cpu=False"),
        ("seed=1, no_cuda=False", "seed=1, use_cpu=False"),
        # Without the one, the other is refused.
        ('lr_scheduler_type="reduce_lr_on_plateau", eval_strategy="epoch", seed=1', "seed=1"),
    ],
)
def test_of_several_arguments_each_is_the_one_that_was_meant(keywords: str, after: str) -> None:
    assert arguments(keywords) == after


@pytest.mark.parametrize(
    ("made", "after"),
    [
        ('options = dict(seed=1)\noptions["bf16"] = True\n', 'options["bf16"] = False'),
        ("options = dict(seed=1, bf16=True)\n", "dict(seed=1, bf16=False)"),
        ('options = {"seed": 1, "bf16": True}\n', '{"seed": 1, "bf16": False}'),
    ],
)
def test_what_is_spread_into_a_call_is_changed_where_it_is_made(made: str, after: str) -> None:
    script = (SCRIPT % "**options").replace("\nargs", f"\n{made}args")
    assert after in planned(script)[0]


def test_what_is_made_in_two_places_is_for_people_to_change() -> None:
    made = 'options = dict(bf16=True)\nif options:\n    options["bf16"] = True\n'
    assert planned((SCRIPT % "**options").replace("\nargs", f"\n{made}args")) == ("", "", None)


PARSED = """from transformers import HfArgumentParser, Trainer, TrainingArguments

(args,) = HfArgumentParser((TrainingArguments,)).parse_args_into_dataclasses()
Trainer(model="m", args=args, train_dataset=rows).train()
"""


@pytest.mark.parametrize(
    ("short", "whole"),
    [
        ("--learn 0.1", "--learning_rate 0.1"),
        ("--learn=0.1", "--learning_rate=0.1"),
        ("--bf false", "--bf16 false"),  # which --bf16_full_eval begins with
    ],
)
def test_a_flag_that_is_the_beginning_of_several_is_written_whole(short: str, whole: str) -> None:
    launch = f"{LAUNCH} --output_dir out"
    assert planned(PARSED, f"{launch} {short}")[2] == f"{launch} {whole}"


def test_one_that_stands_there_twice_is_for_people_to_change() -> None:
    assert planned(PARSED, f"{LAUNCH} --output_dir out --learn 0.1 --learn 0.2")[2] is None


@pytest.mark.parametrize(
    ("section", "left"),
    [
        ("dynamo_config: {dynamo_backend: FOO}\n", ""),
        ("dynamo_config: {dynamo_backend: FOO, dynamo_mode: default}\n", "dynamo_config: {dynamo_mode: default}\n"),
    ],
)
def test_what_is_refused_of_a_section_goes(section: str, left: str) -> None:
    assert planned(SCRIPT % "seed=1", accelerate=ACCELERATE + section)[1] == ACCELERATE + left
