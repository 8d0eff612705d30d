"""What Accelerate and transformers take from DeepSpeed's own configuration file."""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.settings.values import Section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.settings.values import Setting


class DeepSpeedConfig(Record):
    """DeepSpeed's configuration, as it stands in its JSON file."""

    top: Section = Section()

    def enabled(self, precision: str) -> Setting | None:
        """Whether a precision ("bf16", "fp16") is switched on: true, false or "auto"; None where it is not said."""
        return self.top.section(precision).get("enabled")

    @property
    def zero_stage(self) -> Setting | None:
        """The ZeRO stage."""
        return self.top.section("zero_optimization").get("stage")

    @property
    def micro_batch(self) -> object:
        """The sequences in a forward pass of one GPU: "auto" where it is not said."""
        return self.top.value("train_micro_batch_size_per_gpu", "auto")

    @property
    def offloads(self) -> bool:
        """Whether weights or states are kept outside of the GPU."""
        zero = self.top.section("zero_optimization")
        targets = (zero.section(name).value("device") for name in ("offload_optimizer", "offload_param"))
        return any(target not in (None, "none") for target in targets)

    @property
    def optimizer(self) -> Setting | None:
        """The optimizer that DeepSpeed is to make itself."""
        return self.top.get("optimizer")

    @property
    def scheduler(self) -> Setting | None:
        """The learning-rate scheduler that it is to make itself."""
        return self.top.get("scheduler")
