"""LLaMA-Factory and axolotl: whole programs that read a file, make a Trainer of their own and save at the end."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import yaml

from tests.tools.conformance.beyond import asking
from tests.tools.conformance.beyond.models import build
from tests.tools.conformance.beyond.trainers import ask_allowed, generated

if TYPE_CHECKING:
    from tests.tools.conformance.beyond.asking import Answers

STEPS = {"save_strategy": "steps", "save_steps": 1}


class Watched:
    """What the Trainer of the last run did; its class is changed once for the process."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {}
        self.trainer: Any = None

    def install(self) -> None:
        """Look at the first training step and the first evaluation of each run."""
        from transformers import Trainer

        trainer: Any = Trainer
        step, predict, log = trainer.training_step, trainer.prediction_step, trainer.log

        @functools.wraps(step)
        def stepped(own: Any, model: Any, *given: Any, **others: Any) -> Any:
            if "fp8" in self.seen:
                return step(own, model, *given, **others)
            self.trainer = own
            self.seen["history_at_start"] = asking.history(model)
            result: list[Any] = []
            ran = asking.ran_in_fp8(model, lambda: result.append(step(own, model, *given, **others)))
            self.seen.update(ran)
            return result[0]

        @functools.wraps(predict)
        def predicted(own: Any, model: Any, *given: Any, **others: Any) -> Any:
            result: list[Any] = []
            ran = asking.ran_in_fp8(model, lambda: result.append(predict(own, model, *given, **others)))
            self.seen.setdefault("evaluation", ran)
            return result[0]

        @functools.wraps(log)
        def logged(own: Any, logs: Any, *given: Any, **others: Any) -> Any:
            if "loss" in logs:
                self.seen.setdefault("loss", []).append(round(float(logs["loss"]), 4))
            return log(own, logs, *given, **others)

        trainer.training_step, trainer.prediction_step, trainer.log = stepped, predicted, logged

    def generated(self, answers: Answers) -> None:
        """Generate with what the run left, and let it go."""
        if self.trainer is not None:
            generated(self.trainer, answers)
        self.trainer = None


def run(spec: dict[str, Any], folder: Path, answers: Answers) -> None:
    """All questions of a program."""
    watched = Watched()
    start = {"llamafactory": _factory, "axolotl": _axolotl}[spec["trainer"]](folder, spec)
    usual = "bf16" if spec["backend"] == "BF16" else "fp8"
    watched.install()
    base = list(build({}).state_dict())

    def train(name: str, precision: str = usual, **changes: Any) -> dict[str, Any]:
        asking.fresh()
        watched.seen, watched.trainer = {}, None
        with asking.Precision(precision):
            start(precision, {"output_dir": str(folder / name), **changes})
        return dict(watched.seen)

    first = folder / "first"
    if answers.ask("save", lambda: train("first", **STEPS)):
        answers.ask("files", lambda: asking.files(first / "checkpoint-2", base))
        answers.ask("export", lambda: asking.files(first, base))
        if asking.rank() == 0:
            answers.ask("load_plain", lambda: asking.without_fp8_libraries("model", first, spec))
    watched.generated(answers)
    if spec["trainer"] == "axolotl" and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return  # its next run in the same processes waits for ever
    state = {"max_steps": 3, "resume_from_checkpoint": str(first / "checkpoint-2")}
    ask_allowed(answers, "resume", lambda: train("resumed", **state))
    evaluated = {"eval_steps": 1, "evaluate": True, **STEPS}
    answers.ask("evaluate_ragged", lambda: train("evaluated", **evaluated))
    ask_allowed(answers, "best", lambda: train("best", load_best_model_at_end=True, **evaluated))
    ask_allowed(answers, "fp8_to_bf16", lambda: train("back", "bf16", **state))
    if answers.ask("bf16", lambda: train("bf16", "bf16", **STEPS)):
        other = {**state, "resume_from_checkpoint": str(folder / "bf16" / "checkpoint-2")}
        answers.ask("bf16_to_fp8", lambda: train("forth", **other))
    answers.ask("save_only_model", lambda: train("only", save_only_model=True, **STEPS))


def _keep_the_group() -> None:
    """LLaMA-Factory takes the process group away at the end of a run; here the next run begins in the same processes."""
    group: Any = torch.distributed
    group.destroy_process_group = lambda *_given, **_others: None


def _factory(folder: Path, spec: dict[str, Any]) -> Any:
    from tests.tools.conformance import factory

    factory.without_audio()
    from llamafactory.train import tuner

    tiny = factory.shared(Path(os.environ["HF_HOME"]) / f"rank{asking.rank()}")
    is_zero = str(spec["strategy"]).startswith("ZeRO")
    module: Any = tuner

    def start(precision: str, changes: dict[str, Any]) -> None:
        given = dict(changes)
        evaluate = given.pop("evaluate", False)
        fixed: dict[str, Any] = {
            "model_name_or_path": str(tiny / "model"),
            "stage": "sft",
            "do_train": True,
            "finetuning_type": "full",
            "dataset": "sft",
            "dataset_dir": str(tiny / "data"),
            "template": "default",
            "cutoff_len": 32,
            "overwrite_cache": True,
            "per_device_train_batch_size": 4,
            "per_device_eval_batch_size": 2,
            "max_steps": 2,
            "report_to": "none",
            "disable_tqdm": True,
            "disable_gradient_checkpointing": True,
            "logging_steps": 1,
            "learning_rate": 1e-3,
            # The Trainer wants of DeepSpeed's file what it has itself.
            "bf16": precision == "bf16" or is_zero,
        }
        if evaluate:
            given |= {"val_size": 0.4, "eval_strategy": "steps"}
        module.run_exp({**fixed, **given})

    del folder
    _keep_the_group()
    return start


# What axolotl reads in place of Accelerate's file.
AXOLOTL_FSDP: dict[str, Any] = {
    "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
    "transformer_layer_cls_to_wrap": "LlamaDecoderLayer",
    "state_dict_type": "SHARDED_STATE_DICT",
    "cpu_ram_efficient_loading": False,
}


def _axolotl_spread(spec: dict[str, Any]) -> dict[str, Any]:
    """The keys of axolotl that spread a run over GPUs, and torchao's gather in FP8; ZeRO comes from Accelerate's file."""
    strategy = spec["strategy"]
    given: dict[str, Any] = {}
    if strategy.startswith("FSDP"):
        version = int(strategy[-1])
        own: dict[str, Any] = {"reshard_after_forward": True if version == 2 else "FULL_SHARD"}
        own |= {"use_orig_params": True, "sync_module_states": False} if version == 1 else {}
        given = {"fsdp_version": version, "fsdp_config": {**AXOLOTL_FSDP, **own}}
    return {**given, **({"fp8_enable_fsdp_float8_all_gather": True} if spec["backend"] == "torchao gather" else {})}


def _axolotl(folder: Path, spec: dict[str, Any]) -> Any:
    from tests.tools.conformance import factory

    tiny = factory.shared(Path(os.environ["HF_HOME"]) / f"rank{asking.rank()}")
    from axolotl.cli import train
    from axolotl.loaders import model as loaders
    from axolotl.utils import distributed

    from tests.tools.conformance import machine

    del loaders  # it has to be there to be changed
    machine.place_for_axolotl()
    module: Any = train
    state: Any = distributed
    spread = _axolotl_spread(spec)
    # With TE the precision is Accelerate's, and bf16 would take its recipe away.
    with_te = spec["backend"] == "TE"

    def start(precision: str, changes: dict[str, Any]) -> None:
        state.distributed_state = None  # what it remembers of the Accelerator before
        given = dict(changes)
        evaluate = given.pop("evaluate", False)
        if given.pop("save_strategy", None) is None:
            given["save_strategy"] = "no"
        fixed: dict[str, Any] = {
            "base_model": str(tiny / "model"),
            "datasets": [{"path": str(tiny / "data" / "sft.json"), "ds_type": "json", "type": "alpaca"}],
            "dataset_prepared_path": str(folder / "prepared"),
            "sequence_len": 128,
            "pad_to_sequence_len": True,
            "micro_batch_size": 4,
            "eval_batch_size": 2,
            "gradient_accumulation_steps": 1,
            "num_epochs": 4,
            "max_steps": 2,
            "learning_rate": 1e-3,
            "optimizer": "adamw_torch",
            "lr_scheduler": "constant",
            "logging_steps": 1,
            "val_set_size": 0.4 if evaluate else 0.0,
            "bf16": not with_te or precision == "bf16",
            "fp8": precision == "fp8" and not with_te,
            "special_tokens": {"pad_token": "<pad>"},
            **spread,
        }
        if not evaluate:
            given.pop("eval_steps", None)
        path = folder / f"axolotl-{asking.rank()}.yaml"
        path.write_text(yaml.safe_dump({**fixed, **given}), encoding="utf-8")
        module.do_cli(config=str(path))

    return start
