"""One run, as it is asked for: what the prediction starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.settings.accelerate import AccelerateConfig
from fp8check.rules.settings.training import Training

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.facts import Facts
    from fp8check.rules.models import ModelShape
    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.settings.values import Section, Setting


class Script:
    """What a script of the user's own hands to Accelerator, where it is known.

    Attributes:
        mixed_precision: the argument, or None.
        handler: the class of the recipe handler passed ("TERecipeKwargs", "AORecipeKwargs", "FP8RecipeKwargs",
            "MSAMPRecipeKwargs"), or None, and its arguments.
        prepares_together: whether model and optimizer go into one prepare() call.
    """

    __slots__ = ("handler", "handler_arguments", "mixed_precision", "prepares_together")

    def __init__(
        self,
        mixed_precision: Setting | None = None,
        handler: str | None = None,
        handler_arguments: Mapping[str, object] | None = None,
        prepares_together: bool = True,
    ) -> None:
        self.mixed_precision = mixed_precision
        self.handler = handler
        self.handler_arguments = dict(handler_arguments or {})
        self.prepares_together = prepares_together


class Run:
    """The files, the launch command, the machine and the model of one run.

    Attributes:
        accelerate: the Accelerate configuration at hand, whether or not the launch reads it.
        accelerate_is_default: it is the machine's default_config.yaml, not named by --config_file.
        deepspeed: the DeepSpeed JSON that either file names.
        tokens: tokens in a batch, where it is known exactly; None where batches are padded to what they hold.
    """

    __slots__ = (
        "accelerate",
        "accelerate_is_default",
        "deepspeed",
        "facts",
        "launch",
        "model",
        "script",
        "tokens",
        "training",
    )

    def __init__(
        self,
        *,
        launch: Launch,
        facts: Facts,
        accelerate: AccelerateConfig | None = None,
        training: Training | None = None,
        deepspeed: Section | None = None,
        model: ModelShape | None = None,
        script: Script | None = None,
        accelerate_is_default: bool = False,
        tokens: int | None = None,
    ) -> None:
        self.tokens = tokens
        self.launch = launch
        self.facts = facts
        self.accelerate = accelerate
        self.training = training if training is not None else Training("script")
        self.deepspeed = deepspeed
        self.model = model
        self.script = script if script is not None else Script()
        self.accelerate_is_default = accelerate_is_default

    @property
    def config_read(self) -> AccelerateConfig | None:
        """The Accelerate configuration that the launch really reads.

        Only `accelerate launch` reads one, and with --cpu it passes over the default file
        (commands/launch.py _validate_launch_command).
        """
        if self.launch.tool != "accelerate":
            return None
        if self.accelerate_is_default and self.launch.flag("cpu"):
            return None
        return self.accelerate
