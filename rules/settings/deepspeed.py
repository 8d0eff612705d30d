"""What Accelerate and transformers take from DeepSpeed's own configuration file."""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.settings.values import Section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from fp8check.rules.settings.values import Setting

    Offload = Literal["none", "optimizer", "all"]


def offloaded(optimizer: object, weights: object) -> Offload | None:
    """What DeepSpeed keeps in the memory of the CPU, by the devices that are named; None where it lies on a disk."""
    on = ("cpu",)
    if any(device not in (None, "none", *on) for device in (optimizer, weights)):
        return None
    if weights in on:
        return "all"
    return "optimizer" if optimizer in on else "none"


class DeepSpeedConfig(Record):
    """DeepSpeed's configuration, as it stands in its JSON file."""

    top: Section = Section()

    def enabled(self, precision: str) -> Setting | None:
        """Whether a precision ("bf16", "fp16") is switched on: true, false or "auto"; None where it is not said."""
        return self.top.section(precision).get("enabled")

    @property
    def zero(self) -> Section:
        """zero_optimization."""
        return self.top.section("zero_optimization")

    @property
    def micro_batch(self) -> object:
        """The sequences in a forward pass of one GPU: "auto" where it is not said."""
        return self.top.value("train_micro_batch_size_per_gpu", "auto")

    @property
    def zero_stage(self) -> Setting | None:
        """The ZeRO stage."""
        return self.zero.get("stage")

    @property
    def offload(self) -> Offload | None:
        """What is kept in the memory of the CPU; None where it lies on a disk."""
        return offloaded(*(self.zero.section(f"offload_{what}").value("device") for what in ("optimizer", "param")))

    def numbers(self, name: str, default: float, auto: float) -> float:
        """A size in zero_optimization, in numbers; `auto` where it says that."""
        written = self.zero.value(name)
        if written == "auto":
            return auto
        return float(written) if isinstance(written, (int, float)) and written > 0 else default

    @property
    def optimizer(self) -> Setting | None:
        """The optimizer that DeepSpeed is to make itself."""
        return self.top.get("optimizer")

    @property
    def scheduler(self) -> Setting | None:
        """The learning-rate scheduler that it is to make itself."""
        return self.top.get("scheduler")
