"""Values that nothing takes: who looks at them, and when nobody does. What each ends at was executed (commands.jsonl)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.checking.planning import plan_request
from fp8check.rules.checking.request import Request, RunRequest
from fp8check.rules.trainers import refused_values
from fp8check.rules.trainers.detect import read
from tests.support.outcomes import outcome_of
from tests.support.runs import facts_of

if TYPE_CHECKING:
    from fp8check.rules.outcome import Outcome

SCRIPT = """import os
from transformers import Trainer, TrainingArguments

args = TrainingArguments("out", {keyword})
Trainer(model="m", args=args, train_dataset=rows{more}).train()
"""
STACK = {"torch": "2.11.0", "accelerate": "1.15.0", "transformers": "5.17.0", "transformer_engine": "2.14.0"}


def ends(keyword: str, more: str = "", **case: object) -> Outcome:
    script = SCRIPT.format(keyword=keyword, more=more)
    return outcome_of(
        {"script": script, "launch": "python train.py", "stack": STACK, "gpus": 1, "host": "node", **case}
    )


def start(keyword: str, more: str = "", **case: object) -> str:
    error = ends(keyword, more, **case).error
    return "" if error is None else f"{error.type} ({error.stage})"


@pytest.mark.parametrize(
    "name",
    [
        *("learning_rate", "logging_steps", "save_steps", "seed", "max_grad_norm", "warmup_steps", "adam_beta2"),
        *("report_to", "load_best_model_at_end", "dataloader_prefetch_factor", "dataloader_num_workers", "ddp_timeout"),
        *("lr_scheduler_type", "lr_scheduler_kwargs", "log_level", "torch_empty_cache_steps", "debug", "weight_decay"),
        *("eval_on_start", "accelerator_config", "fp16_full_eval", "gradient_checkpointing_kwargs", "save_strategy"),
    ],
)
def test_what_is_filled_in_later_is_not_refused(name: str) -> None:
    assert start(f'{name}=os.environ["VALUE"]') == ""


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [
        ('dataloader_prefetch_factor=2, dataloader_num_workers=os.environ["N"]', ""),
        ('dataloader_persistent_workers=True, dataloader_num_workers=os.environ["N"]', ""),
        ('load_best_model_at_end=True, save_strategy="steps", eval_strategy=os.environ["S"]', ""),
        ('lr_scheduler_type="cosine_with_min_lr", lr_scheduler_kwargs=os.environ["K"]', ""),
        ('lr_scheduler_type="polynomial", learning_rate=os.environ["R"]', ""),
        ('save_strategy="best", metric_for_best_model=os.environ["M"]', ""),
        ('save_strategy="best", load_best_model_at_end=os.environ["M"]', ""),
        ('optim=os.environ["O"], adam_beta2=1.5', ""),
        ('logging_steps=0, logging_strategy=os.environ["S"]', ""),
        ('optim="adafactor", learning_rate=-1.0', ""),
        ('gradient_checkpointing_kwargs={"reentrant": False}', ""),
        ('accelerator_config={"gradient_accumulation_kwargs": {"num_steps": 2}}', ""),
        ('accelerator_config={"split_batches": True}', ""),
        ("eval_on_start=True", "ValueError (step)"),
        ("max_grad_norm=0", ""),
        ("report_to=[]", ""),
    ],
)
def test_what_decides_is_asked(keyword: str, expected: str) -> None:
    assert start(keyword) == expected


def test_whoever_has_something_to_evaluate_starts_with_that() -> None:
    assert start("eval_on_start=True", ", eval_dataset=rows") == ""


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ('field(default_factory=lambda: {"min_lr_rate": 0.1})', ""),
        ("field(default_factory=dict)", "ValueError"),
        ("field(default_factory=told)", ""),  # nobody calls it
        ("field(default=None)", "ValueError"),
        ('{"min_lr": 1e-6}', ""),
        ('field(metadata={"help": "x"})', "ValueError"),
    ],
)
def test_a_field_of_a_class_of_ones_own_is_made_of_what_it_says(field: str, expected: str) -> None:
    script = f"""from dataclasses import dataclass, field
from transformers import HfArgumentParser, Trainer, TrainingArguments

@dataclass
class Own(TrainingArguments):
    lr_scheduler_type: str = "cosine_with_min_lr"
    lr_scheduler_kwargs: dict | None = {field}

(args,) = HfArgumentParser(Own).parse_args_into_dataclasses()
Trainer(args=args)
"""
    error = outcome_of({"script": script, "launch": "python train.py --output_dir out", "stack": STACK}).error
    assert (error.type if error is not None else "") == expected


@pytest.mark.parametrize(
    ("told", "wandb", "expected"),
    [
        ('"wandb"', None, "RuntimeError (trainer)"),
        ('"wandb"', "0.31.0", ""),
        ('["wandb", "none"]', "0.31.0", "ValueError (trainer)"),
        ('"kubeflow"', None, ""),  # whether Kubeflow sets its variable is not known
    ],
)
def test_a_reporter_is_asked_for_where_it_is_known_to_be_absent(told: str, wandb: str | None, expected: str) -> None:
    assert start(f"report_to={told}", stack={**STACK, "wandb": wandb}) == expected
    assert start('report_to="wandb"') == ""  # as nobody looked for it


FILE = "model_name_or_path: a/b\noutput_dir: out\nbf16: false\nper_device_train_batch_size: 2\n"


@pytest.mark.parametrize(
    ("entry", "trainer", "expected"),
    [
        ("learning_rate: '1e-4'", "transformers", "TypeError"),
        ("learning_rate: '1e-4'", "trl", ""),
        ("learning_rate: '1e-4'", None, ""),  # a script of one's own may make a number of it
        ("max_grad_norm: null", None, ""),
        ("max_grad_norm: null", "transformers", "TypeError"),
        ("max_grad_norm: null", "trl", "TypeError"),
        ("lr_scheduler_type: warmup_stable_decay", "llamafactory", ""),  # which works out its steps
        ("lr_scheduler_type: warmup_stable_decay", "transformers", "TypeError"),
        ("lr_scheduler_kwargs: '{\"min_lr\": 1.0e-6}'", "transformers", ""),  # a text of JSON
        ("adam_beta2: 1.5", "axolotl", ""),
        ("seed: -1", "transformers", "ValueError"),
    ],
)
def test_who_reads_the_file_is_asked(entry: str, trainer: str | None, expected: str) -> None:
    stack = {**STACK, "llamafactory": "0.9.5", "trl": "1.16.0"}
    case = {"training": f"{FILE}{entry}\n", "trainer": trainer, "stack": stack}
    error = outcome_of(case).error
    refused = error is not None and error.code in ("value-refused", "scheduler-without-rate")
    assert (error.type if error is not None and refused else "") == expected


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("--seed -1", "ValueError"),
        ("--log_level verbose", "SystemExit"),
        ("--log_level warning", ""),
        ("--report_to none", ""),
        ("--max_grad_norm 1.0 --learning_rate 1e-5", ""),
        ("--gradient_accumulation_steps 2", ""),
    ],
)
def test_flags(flags: str, expected: str) -> None:
    script = "from transformers import HfArgumentParser, Trainer, TrainingArguments\n"
    script += "(args,) = HfArgumentParser((TrainingArguments,)).parse_args_into_dataclasses()\nTrainer(args=args)\n"
    case = {"script": script, "launch": f"python train.py --output_dir out {flags}", "stack": STACK}
    error = outcome_of(case).error
    assert (error.type if error is not None else "") == expected


def test_deepspeed_makes_the_optimizer_that_its_file_names() -> None:
    zero = "distributed_type: DEEPSPEED\nnum_processes: 1\ndeepspeed_config: {deepspeed_config_file: ds.json}\n"
    for section, keyword in (
        ("optimizer", "learning_rate: -1.0"),
        ("scheduler", "lr_scheduler_type: polynomial\nlearning_rate: 1.0e-9"),
    ):
        files = {"ds.json": f'{{"zero_optimization": {{"stage": 2}}, "{section}": {{"type": "x", "params": {{}}}}}}'}
        case = {"training": f"{FILE}{keyword}\n", "accelerate": zero, "files": files, "stack": STACK}
        for given, refused in ((case, False), ({**case, "accelerate": "distributed_type: 'NO'\n", "files": {}}, True)):
            error = outcome_of(given).error
            assert (error is not None and error.code == "value-refused") == refused


def test_most_files_load_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused_values, "check", lambda *_: pytest.fail("it was asked"))
    usual = """learning_rate: 1.0e-5
logging_steps: 10
save_steps: 500
num_train_epochs: 3.0
warmup_ratio: 0.1
weight_decay: 0.0
lr_scheduler_type: cosine
report_to: none
save_strategy: steps
seed: 42
gradient_accumulation_steps: 8
max_grad_norm: 1.0
"""
    assert outcome_of({"training": FILE + usual, "trainer": "transformers", "stack": STACK}).error is None


def planned(keyword: str, **packages: str | None) -> tuple[str, dict[str, str]]:
    """The arguments as the first plan has them, and the packages that it installs."""
    script = SCRIPT.format(keyword=keyword, more="")
    accelerate = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n"
    documents = (read("train.py", script.encode()), read("accel.yaml", accelerate.encode()))
    facts = facts_of({"stack": {**STACK, **packages}, "gpus": 1, "host": "node"})
    launch = "accelerate launch --config_file accel.yaml train.py"
    found = plan_request(Request((RunRequest(documents, facts, launch, script=None, follow=False),)))
    first = found.plans[0]
    (text,) = (one.text for one in first.documents if one.path == "train.py")
    return text.partition('TrainingArguments("out", ')[2].partition(")\n")[0], dict(first.state.packages)


@pytest.mark.parametrize(
    ("keyword", "after"),
    [
        ('learning_rate="1e-4"', "learning_rate=0.0001"),
        ('logging_steps="10"', "logging_steps=10"),
        ("gradient_accumulation_steps=2.0", "gradient_accumulation_steps=2"),
        ('log_level="WARNING"', 'log_level="warning"'),
        ('report_to="wandb,tensorboard"', 'report_to=["wandb", "tensorboard"]'),
        ("dataloader_prefetch_factor=2", "dataloader_prefetch_factor=2, dataloader_num_workers=1"),
        ("logging_steps=0", 'logging_steps=0, logging_strategy="no"'),
        (
            'lr_scheduler_type="cosine", lr_scheduler_kwargs={"min_lr": 1e-6}',
            'lr_scheduler_type="cosine_with_min_lr", lr_scheduler_kwargs={"min_lr": 1e-6}',
        ),
    ],
)
def test_what_was_meant_is_written(keyword: str, after: str) -> None:
    text, packages = planned(keyword)
    assert text.replace("'", '"') == after
    assert packages == {}


def test_the_package_of_a_reporter_is_installed() -> None:
    assert planned('report_to="wandb"', wandb=None) == ('report_to="wandb"', {"wandb": "0.31.0"})
    assert planned('report_to="neptune"', neptune=None, neptune_client=None) == ("", {})
