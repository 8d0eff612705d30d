"""A script that lets its Trainer evaluate, and what it gives it to evaluate.

Executed: the commands seventh-asked-evaluates-* (docs/evidence/commands.md).
"""

from __future__ import annotations

import pytest

from tests.support.outcomes import AO, ONE, outcome_of, seen

_SCRIPT = """import sys

from transformers import Trainer, TrainingArguments

args = TrainingArguments("out", {arguments})
{made}
trainer.train()
"""


ENDS = "ValueError (trainer)"
STARTS = "fp8 AO some"


def _ends(arguments: str, made: str) -> str:
    text = _SCRIPT.format(arguments=arguments, made=made)
    stack = {"torch": "2.13.0", "accelerate": "1.15.0", "transformers": "5.23.0", "torchao": "0.18.0"}
    accelerate = f"{ONE}{AO}  enable_fsdp_float8_all_gather: false\n"
    return seen(outcome_of({"accelerate": accelerate, "script": text, "stack": stack, "gpu": "9.0"}))


@pytest.mark.parametrize("strategy", ["eval_strategy='steps'", "eval_strategy='epoch', eval_steps=4"])
@pytest.mark.parametrize(
    "given", ["train_dataset=rows", "train_dataset=rows, eval_dataset=None", "data_collator=pad, train_dataset=rows"]
)
def test_nothing_to_evaluate_ends_it(strategy: str, given: str) -> None:
    assert _ends(strategy, f"trainer = Trainer(model=model, args=args, {given})") == ENDS


@pytest.mark.parametrize(
    "call",
    [
        "Trainer(model=model, args=args, train_dataset=rows, eval_dataset=rows)",
        "Trainer(model=model, args=args, train_dataset=rows, eval_dataset=rows if args.do_eval else None)",
        "Trainer(model=model, args=args, **data_module)",
        "Trainer(model, args, pad, rows, held_out)",
        "Trainer(*parts, args=args)",
    ],
)
def test_what_may_be_something_is_something(call: str) -> None:
    assert _ends("eval_strategy='steps'", f"trainer = {call}") == STARTS


@pytest.mark.parametrize("arguments", ["eval_strategy='no'", "do_eval=True", "eval_steps=10"])
def test_nobody_asks_for_it(arguments: str) -> None:
    assert _ends(arguments, "trainer = Trainer(model=model, args=args, train_dataset=rows)") == STARTS


def test_one_of_two_trainers_may_be_the_one() -> None:
    both = (
        "if len(sys.argv) > 5:\n    trainer = Trainer(model=model, args=args, train_dataset=rows)\n"
        "else:\n    trainer = Trainer(model=model, args=args, train_dataset=rows, eval_dataset=rows)"
    )
    assert _ends("eval_strategy='steps'", both).startswith("undecided")
