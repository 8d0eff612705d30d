"""What TrainingArguments do not take: words that are none of their choices, and texts that are no numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.releases.argument_values import CHOICES, refused_word
from fp8check.rules.trainers.huggingface import CHOSEN
from tests.support.runs import report_of

if TYPE_CHECKING:
    from fp8check.rules.releases.errors import PredictedError

FILE = "model_name_or_path: a/b\noutput_dir: out\nper_device_train_batch_size: 2\n"


def ends(case: dict[str, object]) -> PredictedError | None:
    return report_of({"stack": {"accelerate": "1.15.0", "transformers": "5.17.0"}, **case}).outcome.error


def test_one_table() -> None:
    assert {*CHOSEN} == {*CHOICES}


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("save_strategy: no", "False is not a valid SaveStrategy"),
        ("eval_strategy: off", "False is not a valid IntervalStrategy"),
        ("optim: adam", "adam is not a valid OptimizerNames"),
        ("lr_scheduler_type: Cosine", "Cosine is not a valid SchedulerType"),
        ("save_strategy: 'no'", ""),
        ("save_strategy: best", ""),
        ("optim: adamw_torch_fused", ""),
        ("optim: ${OPTIM}", ""),
        ("optim: null", "None is not a valid OptimizerNames"),
    ],
)
@pytest.mark.parametrize("trainer", ["transformers", "llamafactory", "trl"])
def test_in_a_file(entry: str, text: str, trainer: str) -> None:
    error = ends({"training": f"{FILE}{entry}\n", "trainer": trainer})
    assert (error.message if error is not None and error.code == "value-not-taken" else "") == text


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--optim adam", "argument --optim: invalid choice: 'adam'"),
        ("--save_strategy=never", "argument --save_strategy/--save-strategy: invalid choice: 'never'"),
        ("--max_steps one", "argument --max_steps/--max-steps: invalid int value: 'one'"),
        ("--per_device_train_batch_size 2.0", "invalid int value: '2.0'"),
        ("--learning_rate fast", "invalid float value: 'fast'"),
        ("--bf16 maybe", "argument --bf16: Truthy value expected: got maybe"),
        ("--bf16", ""),
        ("--bf16 1", ""),
        ("--learning_rate 1e-5 --num_train_epochs 2.5 --max_steps -1", ""),
        ("--learning_rate $RATE", ""),
        ("--optim sgd --output_dir fast", ""),
    ],
)
def test_on_the_command_line(words: str, text: str) -> None:
    script = "from transformers import HfArgumentParser, TrainingArguments, Trainer\n"
    script += "(args,) = HfArgumentParser((TrainingArguments,)).parse_args_into_dataclasses()\nTrainer(args=args)\n"
    error = ends({"script": script, "launch": f"python train.py --output_dir out {words}"})
    assert error is None if not text else error is not None and text in error.message and error.type == "SystemExit"


def test_in_a_script() -> None:
    script = "from transformers import Trainer, TrainingArguments\nTrainer(args=TrainingArguments('out', optim={}))\n"
    error = ends({"script": script.format("'adam'"), "launch": "python train.py"})
    assert error is not None
    assert error.message == "adam is not a valid OptimizerNames"
    for good in ("'sgd'", "OptimizerNames.SGD", "args.optim"):
        assert ends({"script": script.format(good), "launch": "python train.py"}) is None


def test_who_reads_it_is_asked_first() -> None:
    report = report_of({"training": f"{FILE}optim: adam\n", "trainer": None})
    assert report.outcome.error is None


def test_a_word_of_no_table_is_any() -> None:
    assert refused_word("run_name", "--run_name x") == ""
    assert refused_word("max_steps", "--max_steps 1 2") == ""
