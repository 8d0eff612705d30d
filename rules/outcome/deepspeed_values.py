"""What DeepSpeed's settings have to agree with: its own file with the Accelerate file, and both with TrainingArguments.

accelerate 0.34.2 to 1.15.0 utils/dataclasses.py DeepSpeedPlugin; transformers 4.45.2 to 5.24.0
integrations/deepspeed.py fill_match and trainer_config_finalize. Executed with accelerate 1.15.0, transformers 5.23.0
and deepspeed 0.19.8 (tests/conformance/commands.jsonl, seventh tries).
"""

from __future__ import annotations

from fp8check.rules.outcome import processes
from fp8check.rules.outcome.effective import number
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.settings.values import Undecided, whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.outcome.effective import Effective
    from fp8check.rules.releases.accelerate_enums import DistributedType
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.trainers.run import Run

# What may not stand in deepspeed_config where a file of DeepSpeed's own is named.
BESIDE_FILE = (
    *("gradient_accumulation_steps", "gradient_clipping", "zero_stage", "offload_optimizer_device"),
    *("offload_param_device", "offload_param_nvme_path", "offload_optimizer_nvme_path", "zero3_save_16bit_model"),
)
_IGNORED = [*BESIDE_FILE, "mixed_precision"]
TEXT = f"When using `deepspeed_config_file`, the following accelerate config variables will be ignored: {_IGNORED}."


def beside_file(run: Run, *, precision: bool = True) -> Setting | None:
    """What of the Accelerate file DeepSpeed's own file does not bear; None where it bears all of it.

    Args:
        precision: whether to ask for its mixed_precision as well, which a flag takes the place of.
    """
    config = run.config_read
    if config is None or run.launch.tool != "accelerate":
        return None
    written = next((one for name in BESIDE_FILE if (one := config.deepspeed.get(name)) is not None), None)
    if written is not None or not precision or run.launch.flag("mixed_precision") is not None:
        return written
    return config.mixed_precision


def check_trainers_file(run: Run, kind: DistributedType) -> None:
    """TrainingArguments makes the plugin of the file that it is given, beside the section of the launcher's file.

    Raises:
        PredictedError: the Accelerate file has what that file is to say.
    """
    named = run.training.deepspeed
    if kind != "DEEPSPEED" or named is None or not run.training.is_huggingface:
        return
    run.require("deepspeed", "arguments")
    written = beside_file(run)
    if written is not None:
        raise PredictedError("settings-beside-deepspeed-file", "arguments", "ValueError", TEXT, (written, named))


def check_matches(run: Run, kind: DistributedType, effective: Effective) -> None:
    """Trainer compares the numbers of DeepSpeed's configuration with its arguments before it prepares anything.

    Raises:
        PredictedError: they differ.
    """
    if kind != "DEEPSPEED" or not run.training.is_huggingface or run.training.finds_micro_batch:
        return
    for name, written, argument, value in _compared(run, effective):
        said = _number(written.value)
        if said is None or said == value:
            continue
        text = (
            "Please correct the following DeepSpeed config values that mismatch TrainingArguments values: "
            f"- ds {name}={said:g} vs hf {argument}={value:g}"
        )
        setting = run.training.get(argument)
        if name == "gradient_accumulation_steps" and run.training.prepares_reference(run.launch, run.script):
            text = "Check batch related parameters. train_batch_size is not equal to micro_batch_per_gpu * "
            text += "gradient_acc_step * world_size"
            raise PredictedError("deepspeed-values-differ", "trainer", "AssertionError", text, (written, setting))
        raise PredictedError("deepspeed-values-differ", "step", "ValueError", text, (written, setting))


def _compared(run: Run, effective: Effective) -> Iterator[tuple[str, Setting, str, float]]:
    """What is written for DeepSpeed, by its name there, with the argument that it is compared with, and its value."""
    training = run.training
    accumulated = _number(training.micro_batches)
    clipped = _number(training.clips_at)
    batch = number(effective.micro_batch)
    key = training.micro_batch_key or ""
    written = _written(run)
    if "train_micro_batch_size_per_gpu" in written and batch is not None:
        yield "train_micro_batch_size_per_gpu", written["train_micro_batch_size_per_gpu"], key, batch
    if "gradient_accumulation_steps" in written and accumulated is not None:
        name = "gradient_accumulation_steps"
        yield name, written[name], name, accumulated
    if "train_batch_size" in written and batch is not None and accumulated is not None:
        world = _world(run)
        if world is not None:
            yield "train_batch_size", written["train_batch_size"], key, world * batch * accumulated
    if "gradient_clipping" in written and clipped is not None:
        yield "gradient_clipping", written["gradient_clipping"], "max_grad_norm", clipped


def _written(run: Run) -> Mapping[str, Setting]:
    """The numbers of DeepSpeed's configuration: of its own file, else of the section of the Accelerate file."""
    if run.deepspeed is not None:
        top = run.deepspeed.top
        names = (
            "train_micro_batch_size_per_gpu",
            "gradient_accumulation_steps",
            "train_batch_size",
            "gradient_clipping",
        )
        return {name: setting for name in names if (setting := top.get(name)) is not None}
    config = run.config_read
    if config is None or run.launch.tool != "accelerate":
        return {}
    flags = ((name, run.launch.setting(name)) for name in ("gradient_accumulation_steps", "gradient_clipping"))
    written = {name: setting for name, setting in flags if setting is not None}
    for name in ("gradient_accumulation_steps", "gradient_clipping"):
        setting = config.deepspeed.get(name)
        if setting is not None and name not in written:
            written[name] = setting
    return written


def _world(run: Run) -> int | None:
    try:
        world = processes.everywhere(run)
    except Undecided:
        return None
    return world.value if world is not None and isinstance(world.value, int) else None


def _number(value: object) -> float | None:
    """A number as it is compared; None of "auto" and of whatever is none."""
    if isinstance(value, str):
        return whole_number(value)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
