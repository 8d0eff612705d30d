"""One run, as it is asked for: what the prediction starts from."""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.settings.script import Script
from fp8check.rules.trainers.script import OwnScript
from fp8check.rules.trainers.training import Training

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.facts import Facts
    from fp8check.rules.models import ModelShape
    from fp8check.rules.settings.accelerate import AccelerateConfig
    from fp8check.rules.settings.deepspeed import DeepSpeedConfig
    from fp8check.rules.settings.launch import Launch


class Run(Record):
    """The files, the launch command, the machine and the model of one run.

    Attributes:
        accelerate: the Accelerate configuration at hand, whether or not the launch reads it.
        accelerate_is_default: it is the machine's default_config.yaml, not named by --config_file.
        training: the training file as its trainer sees it.
        deepspeed: the DeepSpeed JSON that either file names.
        script: what a script of the user's own hands to Accelerator.
        tokens: tokens in a batch, where it is known exactly; None where batches are padded to what they hold.
    """

    launch: Launch
    facts: Facts
    accelerate: AccelerateConfig | None = None
    training: Training = OwnScript()
    deepspeed: DeepSpeedConfig | None = None
    model: ModelShape | None = None
    script: Script = Script()
    accelerate_is_default: bool = False
    tokens: int | None = None

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
