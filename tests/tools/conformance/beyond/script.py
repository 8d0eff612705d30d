"""A script of one's own: Accelerator(), save_state() and load_state(), unwrap_model(), save_pretrained(), generate()."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import torch

from tests.tools.conformance.beyond import adapters, asking
from tests.tools.conformance.beyond.models import batch, build, plain_names

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tools.conformance.beyond.asking import Answers

ALLOW = "NVTE_ALLOW_UNSAFE_PICKLE_EXTRA_STATE"


class Run:
    """An Accelerator with its prepared model and optimizer."""

    def __init__(self, spec: dict[str, Any], seed: int = 0) -> None:
        from accelerate import Accelerator

        asking.fresh()
        self.spec = spec
        self.accelerator: Any = Accelerator()
        plugin = getattr(self.accelerator.state, "deepspeed_plugin", None)
        if plugin is not None:
            plugin.deepspeed_config["train_micro_batch_size_per_gpu"] = 4
        model: Any = build(spec, seed)
        self.names = plain_names(model)
        parameters = [one for one in model.parameters() if one.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=1e-3)
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)

    @property
    def plain(self) -> Any:
        """The model without what Accelerate put around it."""
        return self.accelerator.unwrap_model(self.model)

    def rows(self, rows: int = 4, length: int = 16) -> torch.Tensor:
        """Tokens on the device of this process."""
        return batch(self.spec, rows, length).to(self.accelerator.device)

    def loss(self, rows: int = 4, length: int = 16) -> Any:
        """The loss of the model on a batch of random tokens."""
        ids = self.rows(rows, length)
        return self.model(input_ids=ids, labels=ids).loss

    def step(self) -> dict[str, Any]:
        """One step with gradients clipped."""
        self.model.train()
        loss = self.loss()
        self.accelerator.backward(loss)
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        norm = None if norm is None else round(float(getattr(norm, "full_tensor", lambda: norm)()), 4)
        return {"loss": round(float(loss), 4), "norm": norm}

    def evaluate(self, rows: int = 4, length: int = 16) -> dict[str, Any]:
        """A forward pass in evaluation mode."""
        self.model.eval()
        with torch.no_grad():
            seen: list[float] = []
            ran = asking.ran_in_fp8(self.model, lambda: seen.append(float(self.loss(rows, length))))
        return {**ran, "loss": round(seen[0], 4)}


def run(spec: dict[str, Any], folder: Path, answers: Answers) -> None:
    """All questions of the script."""
    runs: list[Run] = []
    answers.ask("prepare", lambda: {"converted": len(asking.converted(_begin(runs, spec)))})
    if not runs:
        return
    one = runs[0]
    if not answers.ask("train", lambda: {**asking.ran_in_fp8(one.model, one.step), **one.step()}):
        return
    _saved(one, folder, answers)
    _evaluated(one, answers)
    if spec["strategy"] == "FSDP1" and not torch.cuda.is_available():
        # Its full state dict ends a process on a CPU, whatever the precision is.
        _saved_late(one, folder, answers)
        _resumed(one, spec, folder, answers)
        return
    adapted = bool((spec.get("model") or {}).get("lora"))
    if not adapted:
        _exported(one, folder, answers)
    _saved_late(one, folder, answers)
    if adapted:
        adapters.exported(one.plain, spec, folder, answers)
    _resumed(one, spec, folder, answers)


def _begin(runs: list[Run], spec: dict[str, Any]) -> torch.nn.Module:
    runs.append(Run(spec))
    return runs[0].model


def _saved(one: Run, folder: Path, answers: Answers) -> None:
    state = folder / "state"

    def save() -> dict[str, Any]:
        before = asking.history(one.model)
        one.accelerator.save_state(str(state))
        return {"history": before}

    if answers.ask("save", save):
        answers.ask("files", lambda: asking.files(state, one.names))


def _evaluated(one: Run, answers: Answers) -> None:
    answers.ask("evaluate", one.evaluate)
    answers.ask("evaluate_ragged", lambda: one.evaluate(3, 7))
    answers.ask("history_after_evaluation", lambda: {"history": asking.history(one.model), **_kept(one)})
    answers.ask("generate", lambda: _generate(one, training=False, rows=1))
    answers.ask("rollout", lambda: _generate(one, training=True, rows=4))
    answers.ask("step_after", one.step)


def _kept(one: Run) -> dict[str, Any]:
    """How many layers would write their scales now."""
    states = [module.get_extra_state() for _, module in asking.converted(one.model) if hasattr(module, "fp8_meta")]
    return {"layers": len(states), "with_state": sum(getattr(state, "numel", lambda: 1)() > 0 for state in states)}


def _generate(one: Run, *, training: bool, rows: int) -> dict[str, Any]:
    model = one.plain
    model.train(training)
    ids = one.rows(rows, 5)
    options = {"max_new_tokens": 3, "min_new_tokens": 3, "do_sample": False, "pad_token_id": 0}
    with torch.no_grad():
        return asking.ran_in_fp8(model, lambda: model.generate(input_ids=ids, **options))


def _exported(one: Run, folder: Path, answers: Answers) -> None:
    export = folder / "export"

    def save() -> dict[str, Any]:
        state = one.accelerator.get_state_dict(one.model)
        one.plain.save_pretrained(
            export,
            is_main_process=one.accelerator.is_main_process,
            save_function=one.accelerator.save,
            state_dict=state,
        )
        one.accelerator.wait_for_everyone()
        return asking.files(export, one.names)

    if answers.ask("export", save) and one.accelerator.is_main_process:
        answers.ask("load_plain", lambda: asking.without_fp8_libraries("model", export, one.spec))
    one.accelerator.wait_for_everyone()

    def save_model() -> dict[str, Any]:
        one.accelerator.save_model(one.model, str(folder / "model"))
        one.accelerator.wait_for_everyone()
        return asking.files(folder / "model", one.names)

    answers.ask("save_model", save_model)
    answers.ask("trained", lambda: {"loss": one.evaluate()["loss"]})


def _saved_late(one: Run, folder: Path, answers: Answers) -> None:
    """What is saved behind an evaluation."""
    state = folder / "late"

    def late() -> None:
        one.evaluate()
        one.accelerator.save_state(str(state))

    if answers.ask("save_after_evaluation", late):
        answers.ask("files_after_evaluation", lambda: asking.files(state, one.names))


def _resumed(one: Run, spec: dict[str, Any], folder: Path, answers: Answers) -> None:
    one.accelerator.free_memory()

    def resume(state: str, precision: str = "fp8", **options: Any) -> dict[str, Any]:
        with asking.Precision(precision):
            again = Run(spec, seed=1)
            again.accelerator.load_state(str(folder / state), **options)
            seen: dict[str, Any] = {"history": asking.history(again.model), **again.evaluate()}
            seen["next"] = again.step()
            return seen

    def loosely(question: str, state: str, precision: str = "fp8") -> None:
        if (
            not answers.ask(question, lambda: resume(state, precision))
            and "key(s)" in answers.given[question]["message"]
        ):
            answers.ask(f"{question}_not_strict", lambda: resume(state, precision, strict=False))

    refused = not answers.ask("resume", lambda: resume("state"))
    message = answers.given["resume"].get("message", "")
    if refused and ALLOW in message:
        os.environ[ALLOW] = "1"
        answers.ask("resume_allowed", lambda: resume("state"))
        del os.environ[ALLOW]
    loosely("resume_from_late", "late")
    loosely("fp8_to_bf16", "state", "bf16")

    def bf16() -> None:
        with asking.Precision("bf16"):
            again = Run(spec, seed=1)
            again.step()
            again.accelerator.save_state(str(folder / "bf16"))

    if answers.ask("bf16", bf16):
        loosely("bf16_to_fp8", "bf16")
    if (folder / "state" / "pytorch_model_fsdp_0").is_dir():
        answers.ask("merge_weights", lambda: _merged(folder, one))


def _merged(folder: Path, one: Run) -> dict[str, Any]:
    from accelerate.utils import merge_fsdp_weights

    # It waits for all processes at its end.
    merge_fsdp_weights(str(folder / "state" / "pytorch_model_fsdp_0"), str(folder / "merged"))
    return asking.files(folder / "merged", one.names)
