"""The training process: how the launcher starts it, and what the trainer in it hands to Accelerator."""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from fp8check.rules.releases.accelerate_enums import DistributedType
    from fp8check.rules.settings.values import Setting

    # The variables of the training process; a value is a string.
    Environment = Mapping[str, Setting]


class Started(Record):
    """The training process as the launcher starts it.

    Attributes:
        environment: its variables.
        kind: NO (one plain process), MULTI_GPU (torchrun's variables are set), FSDP, DEEPSPEED, MEGATRON_LM.
        fsdp_version: 1 or 2 where kind is FSDP.
    """

    environment: Environment
    kind: DistributedType
    fsdp_version: int | None = None


class AcceleratorArguments(Record):
    """What Accelerator is constructed with, and how prepare() is called.

    Attributes:
        mixed_precision: the argument; None where the trainer passes none.
        handler: class name of the FP8 recipe handler among kwargs_handlers, with its arguments; None without one.
        prepares: "together" (model and optimizer in one call) or "model first".
        te_stubbed: LLaMA-Factory put a stand-in at transformer_engine.pytorch.fp8.
    """

    mixed_precision: Setting | None = None
    handler: str | None = None
    handler_arguments: Mapping[str, object] = {}
    prepares: Literal["together", "model first"] = "together"
    te_stubbed: bool = False


class HandedOver(Record):
    """What the trainer hands over: the variables as it leaves them, and the arguments of Accelerator."""

    environment: Environment
    arguments: AcceleratorArguments = AcceleratorArguments()
