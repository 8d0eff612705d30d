"""What one process of a command did, left in a file of its own."""

from __future__ import annotations

import functools
import json
import os
import time
from pathlib import Path
from typing import Any

from tests.tools.conformance import observe

# Variables that decide about precision and distribution, as the training process has them when its Accelerator begins.
VARIABLES = ("ACCELERATE_", "FP8_", "FSDP_", "NVTE_")
RANK = ("RANK", "LOCAL_RANK", "WORLD_SIZE")


class Process:
    """Watches the process that it is made in."""

    def __init__(self, folder: str, command: list[str]) -> None:
        self._folder, self._command = Path(folder), command
        self._watch = observe.Watch()
        self._variables: dict[str, str] | None = None
        self._trained = self._left = False
        self._watch.install()
        self._note_variables()
        self._follow_trainer()

    def _note_variables(self) -> None:
        from accelerate import Accelerator

        accelerator: Any = Accelerator
        init = accelerator.__init__

        @functools.wraps(init)
        def noted(this: Any, *given: Any, **options: Any) -> None:
            if self._variables is None:
                self._variables = {n: v for n, v in sorted(os.environ.items()) if n.startswith(VARIABLES)}
            init(this, *given, **options)

        prepare = accelerator.prepare

        @functools.wraps(prepare)
        def prepared(this: Any, *objects: Any, **options: Any) -> Any:
            result = prepare(this, *objects, **options)
            if self._watch.model is not None and self._watch.stage == "arguments":
                self._watch.stage = "step"  # a script of its own: what comes next is the loop
            return result

        accelerator.__init__, accelerator.prepare = noted, prepared

    def _follow_trainer(self) -> None:
        """The stages of a Trainer; what comes behind train() (saving, evaluating) is no part of a case."""
        try:
            from transformers import Trainer, TrainingArguments
        except ImportError:  # a peft that does not fit: the case will say so
            return
        arguments: Any = TrainingArguments
        trainer: Any = Trainer
        made, train = arguments.__post_init__, trainer.train

        @functools.wraps(made)
        def arguments_made(this: Any, *given: Any, **options: Any) -> Any:
            result = made(this, *given, **options)
            if self._watch.stage == "arguments":
                self._watch.stage = "trainer"
            return result

        @functools.wraps(train)
        def training(this: Any, *given: Any, **options: Any) -> Any:
            self._watch.stage = "step"
            result = train(this, *given, **options)
            self._trained = True
            self._leave(None)
            return result

        arguments.__post_init__ = arguments_made
        trainer.train = training

    def ended(self, error: BaseException | None) -> None:
        """The process is at its end."""
        if not self._left:
            self._leave(None if self._trained else error)

    def _leave(self, error: BaseException | None) -> None:
        self._left = True
        told = {
            "command": self._command,
            "ranks": {name: os.environ[name] for name in RANK if name in os.environ},
            "at": time.time(),
            "trains": self._watch.accelerator is not None,
            "variables": self._variables,
            "observed": self._watch.observed(error),
        }
        _whole(self._folder / f"{os.getpid()}.json", json.dumps(told, default=str))


def _whole(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
