"""One run, as it is asked for: what the prediction starts from."""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.settings.script import Script
from fp8check.rules.settings.values import TRUE_WORDS, Undecided, whole_number
from fp8check.rules.trainers.script import OwnScript
from fp8check.rules.trainers.training import Training

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    from fp8check.rules.facts import Facts, Gpu
    from fp8check.rules.models import ModelShape
    from fp8check.rules.releases.errors import Stage
    from fp8check.rules.settings.accelerate import AccelerateConfig
    from fp8check.rules.settings.deepspeed import DeepSpeedConfig
    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.settings.values import Setting

    # The input of rules that a file is; "launch" for the command itself, "other" where no rule looks at what it says.
    FileInput = Literal["accelerate", "deepspeed", "script", "model", "training", "launch", "other"]

# What the machine's own configuration is called, which `accelerate launch` reads where none is named.
DEFAULT_CONFIG = "default_config.yaml"


class Unread(Record):
    """A file that the run names and that could not be read: what depends on it is undecided.

    Attributes:
        path: as it is named, or where it was found.
        why: what keeps it from being read.
        place: what names it; None for the machine's default file.
        command: what would decide it.
        absent: whether nothing of that name is there.
        broken: whether what is in it ends the run: its tool has no other way to read it.
        decides: whether nothing can be said of the training without it.
        refused: what its own tool stops at in it, where every reader of such files does.
    """

    input: FileInput
    path: str
    why: str
    place: Setting | None
    command: str
    absent: bool = False
    broken: bool = False
    decides: bool = False
    refused: Refused | None = None

    @property
    def needs(self) -> str:
        """The file and the reason, for people."""
        return self.why if self.path in self.why else f"{self.path}: {self.why}"

    def undecided(self) -> Undecided:
        """That what comes next depends on it."""
        return Undecided(self.needs, self.command)


class Refused(Record):
    """What of a file its tool stops at: the exception, and the place in a file that goes on being read here."""

    type: str
    message: str
    place: Setting | None = None

    def error(self, stage: Stage) -> PredictedError:
        """That the run ends there."""
        return PredictedError("file-refused", stage, self.type, self.message, (self.place,))


class Run(Record):
    """The files, the launch command, the machine and the model of one run.

    Attributes:
        accelerate: the Accelerate configuration at hand, whether or not the launch reads it.
        accelerate_is_default: it is the machine's default_config.yaml, not named by --config_file.
        shipped: the Accelerate configuration that the trainer's command brings, and that is read in the place of
            the one at hand.
        training: the training file as its trainer sees it.
        deepspeed: the DeepSpeed JSON that either file names.
        script: what a script of the user's own hands to Accelerator.
        tokens: tokens in a batch, where it is known exactly; None where batches are padded to what they hold.
        unread: the files that it names and that could not be read.
        refused: the first thing that its tool stops at in a file that was read: "training", "accelerate", "deepspeed".
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
    unread: tuple[Unread, ...] = ()
    shipped: AccelerateConfig | None = None
    refused: Mapping[str, Refused] = {}

    def require(self, name: FileInput, stage: Stage = "accelerator") -> None:
        """Go on only where the file that would be this input was read, or none is named.

        Args:
            stage: where it is read.

        Raises:
            Undecided: it could not be read.
            PredictedError: what is in it ends the run.
        """
        for unread in self.unread:
            if unread.input == name and unread.broken:
                because = () if unread.place is None else (unread.place,)
                raise PredictedError("file-is-no-json", stage, "JSONDecodeError", unread.why, because)
            if unread.input == name:
                raise unread.undecided()

    @property
    def starts_trainer(self) -> bool:
        """Whether the trainer's own program is started, or a script that imports it, or nobody says what is."""
        launch, trainer = self.launch, self.training
        name = launch.script
        if not launch.given or name is None or launch.through == trainer.name or name in trainer.programs:
            return True
        return (launch.is_module and name.partition(".")[0] == trainer.name) or any(
            used.startswith(f"{trainer.name}.") for used in self.script.uses
        )

    @property
    def fsdp_checkpointing(self) -> Setting | None:
        """What switches FSDP's own activation checkpointing on for `accelerate launch`; None where it is off."""
        if self.launch.tool != "accelerate":
            return None
        written, config = self.launch.setting("fsdp_activation_checkpointing"), self.config_read
        if written is None and config is not None:
            written = config.fsdp_checkpointing
        return written if written is not None and str(written.value).lower() in TRUE_WORDS else None

    @property
    def zero3_init(self) -> Setting | None:
        """What `accelerate launch` says of zero3_init_flag; None where it says nothing, and stage 3 sets it."""
        if self.launch.tool != "accelerate":
            return None
        written, config = self.launch.setting("zero3_init_flag"), self.config_read
        return config.zero3_init if written is None and config is not None else written

    @property
    def tensor_parallel(self) -> Setting | None:
        """The degree of tensor parallelism as Accelerate gets it, where it is above one."""
        config = self.config_read
        flag = self.launch.setting("parallelism_config_tp_size")
        size = flag if flag is not None or config is None else config.tensor_parallel
        if size is None or self.launch.tool != "accelerate":
            return None
        number = whole_number(size.value) if isinstance(size.value, str) else size.value
        return size._replace(value=number) if isinstance(number, int) and number > 1 else None

    @property
    def gpu_ids(self) -> Setting | None:
        """What `accelerate launch` sets CUDA_VISIBLE_DEVICES to; None where it leaves it (utils/launch.py).

        Raises:
            Undecided: the launch command fills it in later.
        """
        if self.launch.tool != "accelerate":
            return None
        flag, file = self.launch.setting("gpu_ids"), self.shipped or self.accelerate
        if flag is None and (file is None or file.gpu_ids is None):
            return None  # as nearly always: which file is read takes longer to find out
        config = self.config_read
        written = flag if flag is not None else config.gpu_ids if config is not None else None
        return None if written is None or not isinstance(written.value, str) or written.value == "all" else written

    def visible_gpus(self) -> Sequence[Gpu] | None:
        """The GPUs that a training process sees; None where that is not known.

        The launcher itself may see more of them: Facts.visible_gpus.

        Raises:
            Undecided: the launch command fills in later which they are.
        """
        ids = self.gpu_ids
        facts = self.facts if ids is None else self.facts.with_variables({"CUDA_VISIBLE_DEVICES": str(ids.value)})
        return facts.visible_gpus()

    @property
    def names_other_config(self) -> bool:
        """Whether the launch command reads another Accelerate file than the one at hand, or names none."""
        config, launch = self.accelerate, self.launch
        if config is None or launch.tool != "accelerate" or launch.script is None or self.accelerate_is_default:
            return False
        path, read = config.path or "-", launch.config_file
        name = path.rpartition("/")[2]
        if path == "-" or (read is None and name == DEFAULT_CONFIG):
            return False
        # A command may be given over several lines: a line end within a name is a space there.
        return read is None or read.rpartition("/")[2] != name.replace("\n", " ")

    @property
    def config_read(self) -> AccelerateConfig | None:
        """The Accelerate configuration that the launch really reads.

        Only `accelerate launch` reads one, and with --cpu it passes over the default file
        (commands/launch.py _validate_launch_command).
        """
        if self.launch.tool != "accelerate":
            return None
        if self.shipped is not None:
            return self.shipped
        if self.names_other_config:
            return None
        if self.accelerate_is_default and self.launch.flag("cpu"):
            return None
        return self.accelerate
