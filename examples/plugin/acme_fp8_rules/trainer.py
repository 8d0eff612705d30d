"""A trainer of one team: the Hugging Face Trainer behind a command, with a few keys of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.reading.kind import Kind
from fp8check.rules.settings.launch import Launch
from fp8check.rules.trainers.data import Detection, Tokens, exact
from fp8check.rules.trainers.huggingface import ARGUMENTS, HuggingFace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.reading.kind import Shape


def _tells(shape: Shape) -> bool:
    """Whether a file has the two keys that only ours have."""
    return {"checkpoint", "context"} <= shape.keys()


class AcmeTune(HuggingFace):
    """A configuration for AcmeTune. What it does not say is as TrainingArguments have it."""

    __slots__ = ()

    name = "acmetune"
    title = "AcmeTune"
    detections = (Detection(25, _tells, Kind("training", "acmetune")),)
    known = ARGUMENTS | {"checkpoint", "context", "rows"}
    model_key = "checkpoint"
    micro_batch_key = "rows"
    sequence_key = "context"
    default_micro_batch = 4
    default_sequence = 4096
    programs = ("acmetune",)

    @property
    def tokens(self) -> Tokens | None:
        """It always cuts the data into blocks of the whole context."""
        if self.micro_batch is None or self.sequence is None:
            return None
        return exact(self.micro_batch, self.sequence, "cut into blocks", self.setting_for("sequence"))

    @classmethod
    def launch(cls, program: str, words: Sequence[str]) -> Launch:
        """`acmetune FILE` is `accelerate launch` over all GPUs."""
        return Launch("accelerate", {"multi_gpu": True}, program, tuple(words), through=cls.name)
