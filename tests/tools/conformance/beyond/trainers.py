"""Hugging Face Trainer, and TRL's SFT trainer, which is one: checkpoints, evaluation, the best model, resuming."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from tests.tools.conformance.beyond import adapters, asking
from tests.tools.conformance.beyond.asking import Answers
from tests.tools.conformance.beyond.models import batch, build, plain_names, tokenizer

ALLOW = "NVTE_ALLOW_UNSAFE_PICKLE_EXTRA_STATE"


class Rows(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """Rows of random tokens."""

    def __init__(self, rows: int, length: int) -> None:
        self.ids = batch({}, rows, length)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"input_ids": self.ids[index], "labels": self.ids[index].clone()}


def _trainer(model: Any, given: dict[str, Any]) -> Any:
    from transformers import Trainer, TrainingArguments

    return Trainer(model=model, args=TrainingArguments(**given), train_dataset=Rows(16, 16), eval_dataset=Rows(7, 7))


def _sft(model: Any, given: dict[str, Any]) -> Any:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    train, late = (Dataset.from_dict({"input_ids": batch({}, *size).tolist()}) for size in ((16, 16), (7, 7)))
    # What TRL turns on by itself; Transformer Engine ends with an error by it, and that has a rule of its own.
    arguments: Any = SFTConfig(**{"gradient_checkpointing": False, **given})
    return SFTTrainer(model=model, args=arguments, train_dataset=train, eval_dataset=late, processing_class=tokenizer())


def _grpo(model: Any, given: dict[str, Any]) -> Any:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    prompts = Dataset.from_dict({"prompt": ["w1 w2 w3", "w4 w5 w6 w7 w8"] * 16})
    own = {"num_generations": 4, "max_completion_length": 8, "gradient_checkpointing": False, "temperature": 1.0}
    arguments: Any = GRPOConfig(**{**own, **given})

    def reward(completions: list[str], **_others: Any) -> list[float]:
        return [float(len(one)) for one in completions]

    return GRPOTrainer(
        model=model,
        reward_funcs=reward,
        args=arguments,
        train_dataset=prompts,
        eval_dataset=prompts.select(range(4)),
        processing_class=tokenizer(),
    )


_TRL = ("sft", "grpo")
MAKERS = {"trainer": _trainer, "sft": _sft, "grpo": _grpo}


class Run:
    """A Trainer over a new model."""

    def __init__(self, spec: dict[str, Any], folder: Path, seed: int = 0, **changes: Any) -> None:
        from transformers import TrainerCallback

        asking.fresh()
        given: dict[str, Any] = {
            "output_dir": str(folder),
            "per_device_train_batch_size": int(spec.get("rows", 4)),
            "per_device_eval_batch_size": 4,
            "max_steps": 2,
            "learning_rate": 1e-3,
            "lr_scheduler_type": "constant",
            "report_to": [],
            "save_strategy": "no",
            "disable_tqdm": True,
            "logging_steps": 1,
            "max_grad_norm": 1.0,
            # TRL turns an unset bf16 on, which would cancel FP8.
            **({"bf16": os.environ.get("ACCELERATE_MIXED_PRECISION") == "bf16"} if spec["trainer"] in _TRL else {}),
            # The Trainer wants of DeepSpeed's file what it has itself.
            **({"bf16": True} if spec["strategy"].startswith("ZeRO") else {}),
            **changes,
        }
        self.seen: dict[str, Any] = {"begin": None, "losses": [], "norms": []}
        seen = self.seen

        class Watch(TrainerCallback):  # type: ignore[misc]
            def on_step_begin(self, *_given: Any, model: Any, **_others: Any) -> None:
                if seen["begin"] is None:
                    seen["begin"] = asking.history(model) or "none"

            def on_log(self, *_given: Any, logs: Any, **_others: Any) -> None:
                if "loss" in logs:
                    seen["losses"].append(round(float(logs["loss"]), 4))
                    seen["norms"].append(round(float(logs.get("grad_norm") or 0), 4))

        model: Any = build(spec, seed)
        self.names = plain_names(model)
        self.trainer: Any = MAKERS[spec["trainer"]](model, given)
        self.trainer.add_callback(Watch())

    def train(self, **options: Any) -> dict[str, Any]:
        """Train to the end; the history at the start of the first step, losses, norms, layers that ran in FP8."""
        ran: dict[str, int] = {}
        rollouts = self._watch_rollouts()
        step = self.trainer.training_step

        def watched(model: Any, *given: Any, **others: Any) -> Any:
            if ran:
                return step(model, *given, **others)
            result: list[Any] = []
            ran.update(asking.ran_in_fp8(model, lambda: result.append(step(model, *given, **others))))
            return result[0]

        self.trainer.training_step = watched
        self.trainer.train(**options)
        seen = {"history_at_start": self.seen["begin"], "loss": self.seen["losses"], "norm": self.seen["norms"]}
        return {**ran, **seen, **({"rollouts": rollouts[0]} if rollouts else {})}

    def _watch_rollouts(self) -> list[dict[str, int]]:
        """What runs in the generation that is part of the training."""
        seen: list[dict[str, int]] = []
        model = self.trainer.model
        generate = model.generate

        def watched(*given: Any, **options: Any) -> Any:
            result: list[Any] = []
            ran = asking.ran_in_fp8(model, lambda: result.append(generate(*given, **options)))
            seen.append({**ran, "training": int(model.training)})
            return result[0]

        model.generate = watched
        return seen

    def evaluate(self) -> dict[str, Any]:
        """evaluate() on 7 rows of 7 tokens, 4 at a time."""
        kept: dict[str, Any] = {}
        ran = asking.ran_in_fp8(self.trainer.model_wrapped, lambda: kept.update(self.trainer.evaluate()))
        return {**ran, "loss": round(float(kept["eval_loss"]), 4)}


def run(spec: dict[str, Any], folder: Path, answers: Answers) -> None:
    """All questions of the Trainer."""
    first: list[Run] = []
    checkpoints = folder / "checkpoints"
    state = checkpoints / "checkpoint-2"

    def train() -> dict[str, Any]:
        first.append(Run(spec, checkpoints))
        return first[0].train()

    if not answers.ask("train", train):
        return
    answers.ask("evaluate_ragged", first[0].evaluate)
    generated(first[0].trainer, answers)
    if (spec.get("model") or {}).get("lora"):
        adapters.exported(first[0].trainer.model, spec, folder, answers)
    elif not (spec["strategy"] == "FSDP1" and not torch.cuda.is_available()):
        _exported(first[0], spec, folder, answers)
    names = first.pop().names

    def save() -> dict[str, Any]:
        return Run(spec, checkpoints, save_strategy="steps", save_steps=1).train()

    if answers.ask("save", save):
        answers.ask("files", lambda: asking.files(state, names))
    _resumed(spec, state, folder, answers)
    _best(spec, folder, answers)


def generated(trainer: Any, answers: Answers) -> None:
    """Generate with the bare model that a Trainer leaves behind."""

    def generate(rows: int, *, training: bool) -> dict[str, Any]:
        model = trainer.accelerator.unwrap_model(trainer.model_wrapped)
        model.train(training)
        ids = batch({}, rows, 5).to(trainer.args.device)
        options = {"max_new_tokens": 3, "min_new_tokens": 3, "do_sample": False, "pad_token_id": 0}
        with torch.no_grad():
            return asking.ran_in_fp8(model, lambda: model.generate(input_ids=ids, **options))

    answers.ask("generate", lambda: generate(1, training=False))
    answers.ask("rollout", lambda: generate(4, training=True))


def _exported(one: Run, spec: dict[str, Any], folder: Path, answers: Answers) -> None:
    export = folder / "export"

    def save() -> dict[str, Any]:
        plugin = getattr(one.trainer.accelerator.state, "fsdp_plugin", None)
        if plugin is not None:
            # What a program has to do before it saves a model that others can read.
            plugin.set_state_dict_type("FULL_STATE_DICT")
        one.trainer.save_model(str(export))
        one.trainer.accelerator.wait_for_everyone()
        return asking.files(export, one.names)

    if answers.ask("export", save) and asking.rank() == 0:
        answers.ask("load_plain", lambda: asking.without_fp8_libraries("model", export, spec))


def _resumed(spec: dict[str, Any], state: Path, folder: Path, answers: Answers) -> None:
    def resume(checkpoint: Path, precision: str = "fp8", **changes: Any) -> dict[str, Any]:
        with asking.Precision(precision):
            again = Run(spec, folder / "resumed", seed=1, max_steps=3, **changes)
            return again.train(resume_from_checkpoint=str(checkpoint))

    ask_allowed(answers, "resume", lambda: resume(state))
    ask_allowed(answers, "fp8_to_bf16", lambda: resume(state, "bf16"))

    def bf16() -> dict[str, Any]:
        with asking.Precision("bf16"):
            return Run(spec, folder / "bf16", save_strategy="steps", save_steps=1).train()

    if answers.ask("bf16", bf16):
        answers.ask("bf16_to_fp8", lambda: resume(folder / "bf16" / "checkpoint-2"))

    def only() -> dict[str, Any]:
        Run(spec, folder / "only", save_strategy="steps", save_steps=2, save_only_model=True).train()
        return resume(folder / "only" / "checkpoint-2")

    ask_allowed(answers, "save_only_model", only)


def ask_allowed(answers: Answers, question: str, look: Any) -> None:
    """Ask; where Transformer Engine refuses its own pickle, ask again with its variable."""
    if answers.ask(question, look) or ALLOW not in answers.given[question].get("message", ""):
        return
    os.environ[ALLOW] = "1"
    answers.ask(f"{question}_allowed", look)
    del os.environ[ALLOW]


def _best(spec: dict[str, Any], folder: Path, answers: Answers) -> None:
    def best() -> dict[str, Any]:
        steps = {"eval_strategy": "steps", "eval_steps": 1, "save_strategy": "steps", "save_steps": 1}
        one = Run(spec, folder / "best", load_best_model_at_end=True, **steps)
        seen = one.train()
        return {**seen, "best": Path(str(one.trainer.state.best_model_checkpoint)).name}

    def best_without_evaluation() -> dict[str, Any]:
        """The checkpoints of steps behind which nothing was evaluated hold scales."""
        one = Run(spec, folder / "late", save_strategy="steps", save_steps=1)
        seen = one.train()
        one.trainer.state.best_model_checkpoint = str(folder / "late" / "checkpoint-1")
        one.trainer._load_best_model()
        return seen

    ask_allowed(answers, "best", best)
    ask_allowed(answers, "best_trained", best_without_evaluation)
