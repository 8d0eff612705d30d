"""The training programs of the cases: a plain script, and one step of transformers' Trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from tests.tools.conformance import toy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tools.conformance.cases import Case
    from tests.tools.conformance.observe import Watch

# A rate at which every parameter that has a gradient visibly moves in one step.
LEARNING_RATE = 1e-2


def run_script(case: Case, watch: Watch, folder: Path) -> None:
    """A script that builds Accelerator(), prepares model and optimizer, and trains one step."""
    del folder
    from accelerate import Accelerator

    options = case.get("script") or {}
    watch.stage = "accelerator"
    arguments = dict(options.get("accelerator_kwargs") or {})
    if options.get("recipe_handler"):
        arguments["kwargs_handlers"] = [_handler(options["recipe_handler"])]
    accelerator = Accelerator(**arguments)
    watch.stage = "prepare"
    model: Any = toy.build(case["model"])
    batch = toy.batch(case["model"])
    if options.get("gradient_checkpointing"):
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=options.get("gradient_checkpointing_kwargs"))
    _tell_deepspeed(accelerator, len(batch["input_ids"]))
    optimizer: Any
    if options.get("prepare") == "model_only":
        model = accelerator.prepare(model)
        optimizer = accelerator.prepare(_optimizer(model))
    else:
        model, optimizer = accelerator.prepare(model, _optimizer(model))
    watch.stage = "step"
    model.train()
    loss = model(**batch)["loss"]
    accelerator.backward(loss)
    optimizer.step()
    optimizer.zero_grad()


def _optimizer(model: torch.nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=LEARNING_RATE)


def _handler(described: dict[str, Any]) -> Any:
    from accelerate import utils

    name = described["cls"]
    if not hasattr(utils, name):
        # A script has this import at its top.
        raise ImportError(f"cannot import name {name!r} from 'accelerate.utils'")
    return getattr(utils, name)(**described.get("kwargs", {}))


def _tell_deepspeed(accelerator: Any, rows: int) -> None:
    # Without a data loader DeepSpeed cannot know the batch size, and a script that prepares none has to say it.
    plugin = getattr(accelerator.state, "deepspeed_plugin", None)
    if plugin is not None and plugin.deepspeed_config.get("train_micro_batch_size_per_gpu") in (None, "auto"):
        plugin.deepspeed_config["train_micro_batch_size_per_gpu"] = rows


class Rows(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """The rows of one batch as a data set."""

    def __init__(self, batch: dict[str, torch.Tensor]) -> None:
        self.batch = batch

    def __len__(self) -> int:
        return len(self.batch["input_ids"])

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {name: values[index] for name, values in self.batch.items()}


def run_trainer(case: Case, watch: Watch, folder: Path) -> None:
    """TrainingArguments from the case, Trainer, and one step of train()."""
    from transformers import Trainer, TrainingArguments

    watch.stage = "arguments"
    arguments_class: Any = TrainingArguments
    if case["trainer"] == "trl":
        # Its arguments are what TRL changes about precision; its trainer inherits the rest.
        from trl import SFTConfig

        arguments_class = SFTConfig
    batch = toy.batch(case["model"])
    given = {key: value for key, value in case["training"].items() if key != "deepspeed_file"}
    fixed: dict[str, Any] = {
        "output_dir": str(folder / "out"),
        "per_device_train_batch_size": len(batch["input_ids"]),
        "max_steps": 1,
        "learning_rate": LEARNING_RATE,
        "lr_scheduler_type": "constant",
        "report_to": [],
        "save_strategy": "no",
        "disable_tqdm": True,
    }
    arguments = arguments_class(**{**fixed, **given})
    watch.stage = "trainer"
    model: Any = toy.build(case["model"])
    trainer = Trainer(model=model, args=arguments, train_dataset=Rows(batch))
    watch.stage = "step"
    trainer.train()
